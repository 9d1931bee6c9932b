//! gRPC over HTTP/2 for unary calls: one message in, one message or a status out.
//!
//! Written on hyper rather than on tonic's router, because a Handler refuses an undecodable message before it looks at
//! the caller, names the reason in words of its own, and answers every error with trailers only.

use std::future::Future;

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use prost::Message;
use ttn_auth::{Error, ErrorKind, Result};

use crate::serve::{Frames, Reply};
use crate::store::UNKNOWN;

/// gRPC's own limit of a message's size, in Go as elsewhere.
const MAX_MESSAGE: usize = 4 << 20;

/// What stands before a message: a flag for compression, and a length of 4 bytes.
const PREFIX: usize = 5;

/// The answer to a call that went well.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) metadata: Vec<(&'static str, String)>,
    pub(crate) message: Vec<u8>,
}

impl Answer {
    pub(crate) fn new(message: &impl Message) -> Self {
        Self { metadata: Vec::new(), message: message.encode_to_vec() }
    }
}

/// Whether a request is gRPC at all.
pub(crate) fn is_grpc<B>(request: &Request<B>) -> bool {
    let kind = request.headers().get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/grpc"))
}

/// Answers one call. `call` gets the path, the metadata and the message.
pub(crate) async fn unary<F, R>(request: Request<Incoming>, call: F) -> Reply
where
    F: FnOnce(String, HeaderMap, Bytes) -> R,
    R: Future<Output = Result<Answer>>,
{
    if !is_grpc(&request) {
        let mut reply = Reply::default();
        *reply.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return reply;
    }
    let (parts, body) = request.into_parts();
    let result = match read(body).await {
        Ok(message) => call(parts.uri.path().to_owned(), parts.headers, message).await,
        Err(error) => Err(error),
    };
    match result {
        Ok(answer) => success(answer),
        Err(error) => failure(&error),
    }
}

pub(crate) async fn read(body: Incoming) -> Result<Bytes> {
    let too_large = || {
        let message = format!("grpc: received message larger than max ({MAX_MESSAGE})");
        Error::new(ErrorKind::InvalidArgument, message).with_grpc_code(8)
    };
    let body = Limited::new(body, MAX_MESSAGE + PREFIX).collect().await.map_err(|_| too_large())?.to_bytes();
    match body.split_first_chunk::<PREFIX>() {
        Some(([0, length @ ..], message)) if u32::from_be_bytes(*length) as usize == message.len() => {
            Ok(body.slice(PREFIX..))
        }
        Some(([1, ..], _)) => {
            let message = "grpc: Decompressor is not installed for grpc-encoding";
            Err(Error::new(ErrorKind::Unimplemented, message).with_grpc_code(12))
        }
        _ => Err(undecodable("the message is cut off")),
    }
}

/// What a Handler says to a message that it cannot read.
pub(crate) fn undecodable(why: &str) -> Error {
    Error::new(ErrorKind::InvalidArgument, format!("grpc: error unmarshalling request: {why}"))
        .with_grpc_code(13)
}

/// Reads a message.
pub(crate) fn decode<T: Message + Default>(bytes: Bytes) -> Result<T> {
    T::decode(bytes).map_err(|e| match e.to_string() {
        // Go's words for a message that ends too early.
        why if why.contains("underflow") || why.contains("remaining") => undecodable("unexpected EOF"),
        why => undecodable(&format!("proto: {why}")),
    })
}

/// There is no such method.
pub(crate) fn unknown(path: &str, services: &[&str]) -> Error {
    let (service, method) = path.trim_start_matches('/').rsplit_once('/').unwrap_or((path, ""));
    let message = if services.contains(&service) {
        format!("unknown method {method}")
    } else {
        format!("unknown service {service}")
    };
    Error::new(ErrorKind::Unimplemented, message).with_grpc_code(12)
}

/// A message with its prefix.
pub(crate) fn framed(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(message.len() + PREFIX);
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.put_slice(message);
    framed.freeze()
}

fn success(answer: Answer) -> Reply {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let mut reply = Reply::new(Frames::data(framed(&answer.message)).with_trailers(trailers));
    reply.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    for (name, value) in answer.metadata {
        if let Ok(value) = HeaderValue::try_from(value) {
            reply.headers_mut().insert(name, value);
        }
    }
    reply
}

/// Trailers only: the headers are the end, and the status is among them.
fn failure(error: &Error) -> Reply {
    let mut reply = Reply::default();
    let headers = reply.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-status", error.grpc_code().unwrap_or(UNKNOWN).into());
    if let Ok(message) = HeaderValue::try_from(percent_encoded(error.message())) {
        headers.insert("grpc-message", message);
    }
    reply
}

/// gRPC's percent-encoding: visible ASCII and blanks as they are, but for the percent sign.
pub(crate) fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        match byte {
            b'%' => encoded.push_str("%25"),
            b' '..=b'~' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_percent_encoded() {
        assert_eq!(percent_encoded("100% \"é\"\n"), "100%25 \"%C3%A9\"%0A");
    }

    #[test]
    fn unknown_methods_and_services_are_told_apart() {
        let known = ["a.B"];
        assert_eq!(unknown("/a.B/C", &known).message(), "unknown method C");
        assert_eq!(unknown("/x.Y/C", &known).message(), "unknown service x.Y");
    }
}
