//! A tower layer that makes the calls of any client built on tower authenticated: a tonic channel, a hyper client. It puts
//! credentials on each request, and makes the call again as [`Client`](crate::Client) would: a refused token is replaced, a
//! rate limit waited for, a call that may be repeated repeated.
//!
//! It is a layer and not a tonic interceptor because interceptors are synchronous, and see no answers.
//!
//! ```
//! use tower_layer::Layer;
//! use ttn_auth::{AuthLayer, Carrier, Credentials};
//!
//! let credentials = Credentials::api_key("NNSXS.ID.SECRET")?;
//! let layer = AuthLayer::new(credentials, Carrier::GrpcMetadata);
//! # let channel = ();
//! let channel = layer.layer(channel); // in tonic: `Channel`; the result goes into a generated client's `new`
//! # Ok::<(), ttn_auth::Error>(())
//! ```

use std::error::Error as StdError;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, Request, Response};
use http_body::Body;
use percent_encoding::percent_decode;
use tower_layer::Layer;
use tower_service::Service;

use crate::repeat::{Ahead, RepeatBody};
use crate::supply::Supply;
use crate::{
    CallAuth, CallOptions, Carrier, Credentials, CredentialsFile, Error, ErrorKind, Failure, Result,
    TokenSource,
};

/// An error of a service, of whatever type.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// How long getting credentials may take. The call's own time limit is its client's.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// How long an answer's beginning is waited for behind its headers. A refusal comes with them; what a stream says may come
/// much later.
const FIRST_FRAME: Duration = Duration::from_secs(1);

/// So much of a refusal is read.
const MAX_REFUSAL: usize = 1 << 20;

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// Puts credentials on every request, in place of any that were there. Where requests go is the client's doing: give it TLS.
///
/// Whether a call may be carried out twice is told by [`CallOptions`] among the request's extensions; otherwise HTTP's method
/// tells, and of gRPC's calls none may.
#[derive(Clone, Debug)]
pub struct AuthLayer {
    carrier: Carrier,
    auth: CallAuth,
}

impl AuthLayer {
    /// Always these credentials.
    pub fn new(credentials: Credentials, carrier: Carrier) -> Self {
        Self::of_supply(Supply::Fixed(credentials), carrier)
    }

    /// The token that the source gives at the time of each request.
    pub fn from_source(source: Arc<dyn TokenSource>, carrier: Carrier) -> Self {
        Self::of_supply(Supply::Source(source), carrier)
    }

    /// What is in the file at the time of each request.
    pub fn from_file(file: CredentialsFile, carrier: Carrier) -> Self {
        Self::of_supply(Supply::File(file), carrier)
    }

    /// What decides is made by [`ClientBuilder::call_auth`](crate::ClientBuilder::call_auth), with a pace and a retry policy
    /// of its own; its address is not looked at.
    pub fn from_call_auth(auth: CallAuth, carrier: Carrier) -> Self {
        Self { carrier, auth }
    }

    fn of_supply(supply: Supply, carrier: Carrier) -> Self {
        Self { carrier, auth: CallAuth::of_supply(supply, TIME_LIMIT) }
    }
}

impl<S> Layer<S> for AuthLayer {
    type Service = Auth<S>;

    fn layer(&self, inner: S) -> Auth<S> {
        Auth { inner, layer: self.clone() }
    }
}

/// The service behind an [`AuthLayer`].
#[derive(Clone, Debug)]
pub struct Auth<S> {
    inner: S,
    layer: AuthLayer,
}

impl<S, B, R> Service<Request<B>> for Auth<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: RepeatBody,
    R: Body<Data = Bytes> + Send + 'static,
{
    type Response = Response<Ahead<R>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The one that was polled ready makes the call; its clone waits for the next.
        let next = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, next);
        Box::pin(self.layer.clone().call(inner, request))
    }
}

impl AuthLayer {
    async fn call<S, B, R>(self, mut inner: S, request: Request<B>) -> Result<Response<Ahead<R>>, BoxError>
    where
        S: Service<Request<B>, Response = Response<R>>,
        S::Error: Into<BoxError>,
        B: RepeatBody,
        R: Body<Data = Bytes>,
    {
        let (parts, mut body) = request.into_parts();
        let idempotent = self.carrier == Carrier::AuthorizationHeader && parts.method.is_idempotent();
        let given = parts.extensions.get::<CallOptions>().cloned();
        let mut call = self.auth.begin(&given.unwrap_or_default().idempotent_unless_set(idempotent));
        // What the last attempt got: there may be no other credentials to try.
        let mut last = None;
        loop {
            let attempt = match call.next().await {
                Ok(attempt) => attempt,
                Err(error) => return last.unwrap_or_else(|| Err(error.into())),
            };
            let (sent, again) = body.repeat();
            let mut request = Request::from_parts(parts.clone(), sent);
            if let Some(credentials) = &attempt.credentials {
                self.carrier.insert(credentials, request.headers_mut())?;
            }
            let came: Result<_, BoxError> = inner.call(request).await.map_err(Into::into);
            let (failure, outcome) = match came {
                Ok(response) => {
                    let (response, failure) = self.look(response).await;
                    let Some(failure) = failure else {
                        call.succeeded();
                        return Ok(response);
                    };
                    (failure, Ok(response))
                }
                Err(error) => (Failure::Lost(lost(&*error)), Err(error)),
            };
            // What cannot be sent again ends with what came.
            let Some(next) = again() else {
                call.gave_up(failure);
                return outcome;
            };
            if call.failed(failure).await.is_err() {
                return outcome;
            }
            (last, body) = (Some(outcome), next);
            std::future::poll_fn(|context| inner.poll_ready(context)).await.map_err(Into::into)?;
        }
    }

    /// Whether an answer is a refusal. What is read of it stays to be read.
    async fn look<R: Body<Data = Bytes>>(
        &self,
        response: Response<R>,
    ) -> (Response<Ahead<R>>, Option<Failure>) {
        let (parts, body) = response.into_parts();
        let mut body = Ahead::new(body);
        let failure = match self.carrier {
            Carrier::GrpcMetadata if parts.headers.contains_key(GRPC_STATUS) => {
                refusal(&parts.headers, &parts.headers)
            }
            Carrier::GrpcMetadata => match tokio::time::timeout(FIRST_FRAME, body.read()).await {
                Ok(Some(frame)) => frame.trailers_ref().and_then(|end| refusal(&parts.headers, end)),
                _ => None,
            },
            Carrier::AuthorizationHeader if parts.status.as_u16() < 300 => None,
            Carrier::AuthorizationHeader => {
                let mut read = BytesMut::new();
                while let Some(frame) = body.read().await {
                    read.extend_from_slice(frame.data_ref().map_or(&[], |data| &data[..]));
                    if read.len() > MAX_REFUSAL {
                        break;
                    }
                }
                let headers = parts.headers.clone();
                Some(Failure::Http { status: parts.status, headers, body: read.freeze() })
            }
        };
        (Response::from_parts(parts, body), failure)
    }
}

/// The refusal that trailers tell, if they tell one.
fn refusal(headers: &HeaderMap, end: &HeaderMap) -> Option<Failure> {
    let code = end.get(GRPC_STATUS)?.to_str().ok()?.parse().ok().filter(|code| *code != 0)?;
    let message = end.get(GRPC_MESSAGE).map(|text| percent_decode(text.as_bytes()).decode_utf8_lossy());
    Some(Failure::Grpc {
        code,
        message: message.unwrap_or_default().into_owned(),
        headers: headers.clone(),
        trailers: end.clone(),
    })
}

/// A call without an answer. That there was no connection is told by who refused it.
pub(crate) fn lost(error: &(dyn StdError + 'static)) -> Error {
    let (kind, message) = crate::network::read(error);
    let kind = if kind == ErrorKind::Protocol { ErrorKind::Unavailable } else { kind };
    let lost = Error::new(kind, message);
    let mut next = Some(error);
    let mut refused = false;
    while let Some(cause) = next {
        let io = cause.downcast_ref::<std::io::Error>();
        refused |= io.is_some_and(|io| io.kind() == std::io::ErrorKind::ConnectionRefused);
        next = cause.source();
    }
    if refused { lost.before_sending() } else { lost }
}
