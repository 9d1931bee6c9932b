//! gRPC's unary calls on HTTP/2: raw messages in and out. (gRPC over HTTP/2, "PROTOCOL-HTTP2.md".)
//!
//! Not by tonic's channel, of which a call took twice the time: it boxes each call several times over and hands it through
//! two queues. What a unary call needs of gRPC is a prefix of five bytes and a status.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderName, TE, USER_AGENT};
use http::response::Parts;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use rustls::client::danger::ServerCertVerifier;

use crate::address::Address;
use crate::answer::UnaryAnswer;
use crate::connect::Connector;
use crate::grpc_stream::GrpcStream;
use crate::http2::{Answer, Http2};
use crate::refusal;
use crate::sharing::{Registry, Server, Shared};
use crate::{Carrier, Credentials, Error, ErrorKind, Result};

static CONNECTIONS: Registry<Http2> = Registry::new();
static STREAMS: Registry<Http2> = Registry::new();

const USER: HeaderValue = HeaderValue::from_static(concat!("ttn-auth/", env!("CARGO_PKG_VERSION")));
const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const TRAILERS: HeaderValue = HeaderValue::from_static("trailers");

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// Whether a message is compressed, and its length.
pub(crate) const PREFIX: usize = 5;

/// `UNKNOWN` and `UNAVAILABLE`, the codes of what has none.
const UNKNOWN: i32 = 2;
const UNAVAILABLE: i32 = 14;

/// The calls of one client.
#[derive(Debug)]
pub(crate) struct GrpcChannel {
    address: Address,
    scheme: Scheme,
    authority: Authority,
    verifier: Arc<dyn ServerCertVerifier>,
    connect_timeout: Duration,
    connections: Shared<Http2>,
    /// Streams are kept apart, so that one that is read slowly holds no call up.
    streams: Shared<Http2>,
}

impl GrpcChannel {
    pub(crate) fn new(
        address: &Address,
        server: Server,
        verifier: Arc<dyn ServerCertVerifier>,
    ) -> Result<Self> {
        let wrong = || Error::new(ErrorKind::InvalidArgument, "the address is not valid for gRPC");
        let origin: Uri = address.origin().parse().map_err(|error| wrong().with_source(error))?;
        Ok(Self {
            scheme: if address.tls { Scheme::HTTPS } else { Scheme::HTTP },
            authority: origin.authority().cloned().ok_or_else(wrong)?,
            address: address.clone(),
            verifier,
            connect_timeout: server.connect_timeout,
            connections: Shared::new(&CONNECTIONS, server.clone()),
            streams: Shared::new(&STREAMS, server),
        })
    }

    /// The next call connects anew, of whichever client; calls in flight keep the connection they have.
    pub(crate) fn reset(&self) {
        self.connections.each(Http2::reset);
        self.streams.each(Http2::reset);
    }

    pub(crate) fn close(&self) {
        self.connections.release();
        self.streams.release();
    }

    pub(crate) async fn unary(
        &self,
        method: &PathAndQuery,
        message: &[u8],
        metadata: &HeaderMap,
        credentials: Option<Credentials>,
    ) -> Result<UnaryAnswer> {
        let request = self.request(method.clone(), metadata, credentials.as_ref())?;
        let connections = self.connections.get(|| self.connector().map(Http2::new))?;
        let answer = connections.call(request, framed(message)?).await;
        read(answer.map_err(lost)?)
    }

    /// Server streaming: comes back with the first message, or with the end.
    pub(crate) async fn stream(
        &self,
        method: &PathAndQuery,
        message: &[u8],
        metadata: &HeaderMap,
        credentials: Option<Credentials>,
    ) -> Result<GrpcStream> {
        let request = self.request(method.clone(), metadata, credentials.as_ref())?;
        let streams = self.streams.get(|| self.connector().map(Http2::for_streams))?;
        let receiving = streams.stream(request, framed(message)?).await;
        GrpcStream::begin(receiving.map_err(lost)?).await
    }

    fn connector(&self) -> Result<Connector> {
        Connector::new(&self.address, &self.verifier, "h2", self.connect_timeout)
    }

    fn request(
        &self,
        method: PathAndQuery,
        metadata: &HeaderMap,
        credentials: Option<&Credentials>,
    ) -> Result<Request<()>> {
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        let mut uri = http::uri::Parts::default();
        uri.scheme = Some(self.scheme.clone());
        uri.authority = Some(self.authority.clone());
        uri.path_and_query = Some(method);
        *request.uri_mut() = Uri::from_parts(uri).map_err(|error| {
            Error::new(ErrorKind::InvalidArgument, "the method is not valid").with_source(error)
        })?;
        let headers = request.headers_mut();
        if !metadata.is_empty() {
            headers.clone_from(metadata);
        }
        // First, because other credentials are looked for among what is there.
        if let Some(credentials) = credentials {
            Carrier::GrpcMetadata.insert(credentials, headers)?;
            index(headers, credentials);
        }
        headers.insert(TE, TRAILERS);
        headers.insert(CONTENT_TYPE, GRPC);
        headers.insert(USER_AGENT, USER);
        Ok(request)
    }
}

/// Lets HPACK remember the credential. Marked as sensitive it would be sent whole with each request, which is ten times all the
/// rest; otherwise the number of the one before is. Whoever can only put headers of their own beside it finds out whether they
/// have guessed the whole value, which of a token or a key nobody can (RFC 7541, section 7.1). What a caller has marked stays so.
fn index(headers: &mut HeaderMap, credentials: &Credentials) {
    if let Some(value) = headers.get_mut(Carrier::GrpcMetadata.name(credentials)) {
        value.set_sensitive(false);
    }
}

/// A message as it travels. Never compressed.
fn framed(message: &[u8]) -> Result<Bytes> {
    let length = u32::try_from(message.len()).map_err(|error| {
        Error::new(ErrorKind::InvalidArgument, "the message is too large").with_source(error)
    })?;
    let mut framed = BytesMut::with_capacity(PREFIX + message.len());
    framed.put_u8(0);
    framed.put_u32(length);
    framed.put_slice(message);
    Ok(framed.freeze())
}

/// What an answer says.
fn read(Answer { head, mut body, trailers }: Answer) -> Result<UnaryAnswer> {
    ended(&head, &trailers)?;
    if body.remaining() < PREFIX {
        return Err(broken("the answer has no message"));
    }
    let (compressed, length) = (body.get_u8(), body.get_u32());
    if compressed != 0 {
        return Err(broken("the answer is compressed, which was not asked for"));
    }
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > body.remaining() {
        return Err(broken("the answer's message is cut off"));
    }
    body.truncate(length);
    Ok(UnaryAnswer { message: body, metadata: head.headers, trailers })
}

/// How an answer ended: its status is in the trailers, or, without a message, among the headers.
pub(crate) fn ended(head: &Parts, trailers: &HeaderMap) -> Result<()> {
    let end = if trailers.contains_key(GRPC_STATUS) { trailers } else { &head.headers };
    match end.get(GRPC_STATUS) {
        Some(status) if status == "0" => Ok(()),
        Some(status) => Err(refusal::of_grpc(status, &head.headers, end)),
        None => Err(not_grpc(head.status)),
    }
}

/// What the network did to a call, in gRPC's terms.
pub(crate) fn lost(error: Error) -> Error {
    let code = if error.kind() == ErrorKind::Protocol { UNKNOWN } else { UNAVAILABLE };
    error.with_grpc_code(code)
}

pub(crate) fn broken(message: &str) -> Error {
    Error::new(ErrorKind::Protocol, message).with_grpc_code(UNKNOWN)
}

/// An answer of whatever else speaks HTTP/2.
fn not_grpc(status: StatusCode) -> Error {
    broken(&format!("the server's answer is not gRPC's: HTTP status {status}, and no grpc-status"))
}

#[cfg(test)]
#[path = "grpc_channel_tests.rs"]
mod tests;
