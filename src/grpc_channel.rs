//! gRPC by tonic: one lazily made channel, raw messages in and out.

use std::error::Error as StdError;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use http::HeaderMap;
use http::uri::PathAndQuery;
use rustls::client::danger::ServerCertVerifier;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tower_service::Service;

use crate::address::Address;
use crate::answer::{MAX_ANSWER, UnaryAnswer};
use crate::classify::{Status, classify};
use crate::reserved::refuse_reserved;
use crate::{Carrier, Credentials, Error, ErrorKind, Result};

/// TCP keep-alive, so that an idle connection through a router that forgets it is found broken. Not HTTP/2 pings: a
/// grpc-go server closes a connection that is pinged more often than every 5 minutes.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// The channel of one client.
#[derive(Debug)]
pub(crate) struct GrpcChannel {
    endpoint: Endpoint,
    /// Made on the first call, because tonic needs a tokio runtime to make one.
    channel: Mutex<Option<Channel>>,
}

impl GrpcChannel {
    pub(crate) fn new(
        address: &Address,
        verifier: Arc<dyn ServerCertVerifier>,
        connect_timeout: Duration,
    ) -> Result<Self> {
        let wrong = |e: tonic::transport::Error| {
            Error::new(ErrorKind::InvalidArgument, "the address is not valid for gRPC").with_source(e)
        };
        let mut endpoint = Endpoint::from_shared(address.origin())
            .map_err(wrong)?
            .connect_timeout(connect_timeout)
            .tcp_keepalive(Some(KEEP_ALIVE));
        if address.tls {
            let tls = ClientTlsConfig::new().timeout(connect_timeout);
            endpoint = endpoint.tls_config_with_verifier(tls, verifier).map_err(wrong)?;
        }
        Ok(Self { endpoint, channel: Mutex::new(None) })
    }

    /// The next call connects anew; calls in flight keep the connection they have.
    pub(crate) fn reset(&self) {
        *self.channel.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn channel(&self) -> Channel {
        let mut channel = self.channel.lock().unwrap_or_else(PoisonError::into_inner);
        channel.get_or_insert_with(|| self.endpoint.connect_lazy()).clone()
    }

    pub(crate) async fn unary(
        &self,
        method: &str,
        message: Bytes,
        mut metadata: HeaderMap,
        credentials: Option<Credentials>,
    ) -> Result<UnaryAnswer> {
        let method = method_path(method)?;
        refuse_reserved(&metadata)?;
        if let Some(credentials) = &credentials {
            Carrier::GrpcMetadata.insert(credentials, &mut metadata)?;
        }
        let mut channel = self.channel();
        if poll_fn(|context| channel.poll_ready(context)).await.is_err() {
            // Its task is gone with the runtime that it was made on; nothing has been sent.
            self.reset();
            channel = self.channel();
        }
        call(channel, method, message, metadata).await.map_err(from_status)
    }
}

fn method_path(method: &str) -> Result<PathAndQuery> {
    let is_name = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'_')
    };
    method
        .strip_prefix('/')
        .and_then(|rest| rest.split_once('/'))
        .filter(|(service, name)| is_name(service) && is_name(name))
        .and_then(|_| method.parse().ok())
        .ok_or_else(|| Error::new(ErrorKind::InvalidArgument, "a gRPC method is /package.Service/Method"))
}

/// Asks for the stream of answers, of which there is one, because tonic's unary call merges trailers into metadata.
async fn call(
    channel: Channel,
    method: PathAndQuery,
    message: Bytes,
    metadata: HeaderMap,
) -> Result<UnaryAnswer, tonic::Status> {
    let mut client = tonic::client::Grpc::new(channel).max_decoding_message_size(MAX_ANSWER);
    client.ready().await.map_err(|e| tonic::Status::from_error(e.into()))?;
    let request =
        tonic::Request::from_parts(MetadataMap::from_headers(metadata), Default::default(), message);
    let answer = client.server_streaming(request, method, RawCodec).await?;
    let (metadata, mut messages, _) = answer.into_parts();
    let message =
        messages.message().await?.ok_or_else(|| tonic::Status::unknown("the answer has no message"))?;
    let trailers = messages.trailers().await?.unwrap_or_default();
    Ok(UnaryAnswer { message, metadata: metadata.into_headers(), trailers: trailers.into_headers() })
}

/// What a call's end means. A status with a source was made on this side, from what the network did.
fn from_status(status: tonic::Status) -> Error {
    let code = status.code() as i32;
    if let Some(source) = status.source() {
        let (kind, message) = crate::network::read(source);
        let error = Error::new(kind, message).with_grpc_code(code);
        let error = if has_connected(source) { error } else { error.before_sending() };
        return error.with_source(status);
    }
    // tonic's own words, for an HTTP answer that is not gRPC's, and for one beyond MAX_ANSWER.
    let tonics = ["grpc-status header missing", "Error, decoded message length too large"];
    let kind = if tonics.iter().any(|text| status.message().starts_with(text)) {
        ErrorKind::Protocol
    } else {
        classify(Status::Grpc(code), status.message())
    };
    let message = if status.message().is_empty() { kind.name() } else { status.message() };
    let error = Error::new(kind, message).with_grpc_code(code);
    match status.metadata().get(PUSHBACK).and_then(|value| value.to_str().ok()?.parse().ok()) {
        Some(wait) => error.with_retry_after(Duration::from_millis(wait)),
        None => error,
    }
}

/// How a server asks to be left alone for so many milliseconds (gRPC proposal A6).
const PUSHBACK: &str = "grpc-retry-pushback-ms";

/// Whether there was a connection that something could be sent on.
fn has_connected(mut error: &(dyn StdError + 'static)) -> bool {
    loop {
        if error.is::<tonic::ConnectError>() {
            return false;
        }
        match error.source() {
            Some(source) => error = source,
            None => return true,
        }
    }
}

/// Messages as they are on the wire: callers encode and decode.
#[derive(Clone, Copy)]
struct RawCodec;

impl Codec for RawCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for RawCodec {
    type Item = Bytes;
    type Error = tonic::Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), tonic::Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for RawCodec {
    type Item = Bytes;
    type Error = tonic::Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, tonic::Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_names_a_service_and_a_method() {
        assert!(method_path("/handler.ApplicationManager/GetDevice").is_ok());
        for bad in [
            "",
            "/",
            "GetDevice",
            "/a",
            "//b",
            "/a/b/c",
            "/a/../b",
            "http://evil/a/b",
            "/a/b?c",
            "/a b/c",
            "/a/é",
        ] {
            assert_eq!(method_path(bad).unwrap_err().kind(), ErrorKind::InvalidArgument, "{bad}");
        }
    }
}
