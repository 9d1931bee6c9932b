//! A tower layer that lets in whom a [`Policy`] lets in, for gRPC servers built on tonic.
//!
//! An access key is good for one application, and a right is one on an application; in V2's APIs it is field 1 of the
//! request's message, `app_id`. So the layer reads the first message of a request and hands the whole request on as it
//! was. A caller who is let in is known to the handler by their claims, an `Arc<Claims>` in the request's extensions; the
//! credential itself is taken off the request. A compressed message cannot be read: it is refused with 12, so a service behind the
//! guard should not offer to accept them.
//!
//! ```
//! use std::sync::Arc;
//! use tonic::{Request, Response, Status, transport::Server};
//! use ttn_auth::proto::handler::{Device, DeviceIdentifier};
//! use ttn_auth::{AccountServer, Authenticator, Claims, GrpcGuardLayer, Policy};
//!
//! // A method of a service that tonic-prost-build has generated.
//! async fn get_device(request: Request<DeviceIdentifier>) -> Result<Response<Device>, Status> {
//!     let caller = request.extensions().get::<Arc<Claims>>().map(|claims| claims.subject.clone());
//!     # let _ = caller;
//!     // ..
//!     # Ok(Response::new(Device::default()))
//! }
//!
//! let account_server = AccountServer::new("https://account.thethingsnetwork.org")?;
//! let authenticator = Authenticator::builder().auth_server("ttn-account-v2", account_server).build();
//! let guard = GrpcGuardLayer::new(authenticator, Policy::application_manager());
//! let server = Server::builder().layer(guard); // .add_service(ApplicationManagerServer::new(..)).serve(..)
//! # let _ = server;
//! # Ok::<(), ttn_auth::Error>(())
//! ```
//!
//! Services of health and reflection are behind the layer too: `.rule("/grpc.health.v1.Health/{method}", Access::Open)`.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, Request, Response};
use prost::Message;
use tonic::body::Body;
use tonic::{Code, Status};
use tower_layer::Layer;
use tower_service::Service;

use crate::admission::{Admission, needs_app, no_rule, take};
use crate::grpc_message::{First, first, undecodable};
use crate::layer::BoxError;
use crate::policy::{Needs, prefixed};
use crate::proto::handler::ApplicationIdentifier;
use crate::{Answers, AppId, Authenticator, Carrier, Error, ErrorKind, Policy, Result};

/// tonic's own limit of a message's size, and gRPC's elsewhere.
const MAX_MESSAGE: usize = 4 << 20;

/// A message of 4 MB takes 7 s at 5 Mbit/s.
const TIME_LIMIT: Duration = Duration::from_secs(10);

const CARRIER: Carrier = Carrier::GrpcMetadata;

/// Guards a gRPC server: credentials are read from metadata `token` and `key`.
#[derive(Clone, Debug)]
pub struct GrpcGuardLayer {
    admission: Admission,
    max_message: usize,
    time_limit: Duration,
    streams: bool,
}

impl GrpcGuardLayer {
    /// Lets in whom the policy lets in. The application is field 1 of the request's message, a string.
    pub fn new(authenticator: impl Into<Arc<Authenticator>>, policy: Policy) -> Self {
        Self {
            admission: Admission::new(authenticator.into(), policy),
            max_message: MAX_MESSAGE,
            time_limit: TIME_LIMIT,
            streams: false,
        }
    }

    /// How refusals are told, if not by [`Answers::standard`].
    #[must_use]
    pub fn with_answers(mut self, answers: Answers) -> Self {
        self.admission.answers = answers;
        self
    }

    /// For a server with one application: every request is about it, and messages are not read. The handler must go by the same,
    /// whatever a message says.
    #[must_use]
    pub fn with_app(self, app: AppId) -> Self {
        self.with_app_from(move |_| Ok(app.clone()))
    }

    /// The application is what this metadata says, and messages are not read. The handler must go by the same.
    #[must_use]
    pub fn with_app_metadata(self, name: HeaderName) -> Self {
        self.with_app_from(move |parts| {
            let value = parts.headers.get(&name).and_then(|value| value.to_str().ok());
            AppId::new(value.unwrap_or_default())
        })
    }

    /// The application is what this function says, and messages are not read. The handler must go by the same.
    #[must_use]
    pub fn with_app_from(mut self, app: impl Fn(&Parts) -> Result<AppId> + Send + Sync + 'static) -> Self {
        self.admission.set_app(app);
        self
    }

    /// Lets methods through whose requests are streams of messages. Of a stream the first message is checked: the handler
    /// must see to it that the others are about the same application. Without this, a second message ends the call.
    #[must_use]
    pub fn with_client_streams(mut self) -> Self {
        self.streams = true;
        self
    }

    /// The largest first message, in bytes; 4 MiB (4,194,304) if not set, as tonic's own limit.
    #[must_use]
    pub fn with_max_message_size(mut self, bytes: usize) -> Self {
        self.max_message = bytes;
        self
    }

    /// How long the first message may take to arrive; 10 s if not set.
    #[must_use]
    pub fn with_timeout(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// Lets a request in, with its sender's claims and without their credential, or says why not.
    async fn enter(&self, parts: &mut Parts, body: Body) -> Result<Body, Status> {
        let path = parts.uri.path();
        let needs = match self.admission.policy.needs(None, path) {
            Ok(needs) if needs.open => return Ok(body),
            Ok(needs) => needs,
            Err(error) if error.kind() == ErrorKind::Unimplemented => {
                no_rule(parts);
                return Err(self.unknown(path));
            }
            Err(error) => return Err(self.refusal(&error)),
        };
        let presented = take(CARRIER, parts);
        let told = self.admission.app(&needs, &presented, parts).map_err(|error| self.refusal(&error))?;
        let (app, body) = match needs.app.clone().or(told) {
            None if needs_app(&needs, &presented) => {
                let First { message, body } = self.read(body).await?;
                (Some(self.app(&needs, message)?), body)
            }
            app => (app, body),
        };
        let claims = self.admission.admit(&needs, &presented, app.as_ref()).await;
        let claims = claims.map_err(|error| self.refusal(&error))?;
        parts.extensions.insert(claims);
        Ok(body)
    }

    async fn read(&self, body: Body) -> Result<First, Status> {
        let first = first(body, self.max_message, self.streams);
        tokio::time::timeout(self.time_limit, first).await.unwrap_or_else(|_| {
            let text = format!("the message did not arrive within {:?}", self.time_limit);
            Err(Status::new(Code::DeadlineExceeded, text))
        })
    }

    /// The decoder is the handlers' own, so that of a field sent twice both take the last.
    fn app(&self, needs: &Needs, message: Bytes) -> Result<AppId, Status> {
        let message = ApplicationIdentifier::decode(message)
            .map_err(|error| undecodable(&format!("proto: {error}")))?;
        AppId::new(message.app_id).map_err(|error| self.refusal(&prefixed(needs.invalid, error)))
    }

    fn refusal(&self, error: &Error) -> Status {
        let answer = self.admission.answers.grpc(error);
        Status::new(Code::from_i32(answer.code), answer.message)
    }

    /// V2's words.
    fn unknown(&self, path: &str) -> Status {
        let (service, method) = path.trim_start_matches('/').rsplit_once('/').unwrap_or((path, ""));
        Status::new(
            Code::Unimplemented,
            if self.admission.policy.knows_service(service) {
                format!("unknown method {method}")
            } else {
                format!("unknown service {service}")
            },
        )
    }
}

impl<S> Layer<S> for GrpcGuardLayer {
    type Service = GrpcGuard<S>;

    fn layer(&self, inner: S) -> GrpcGuard<S> {
        GrpcGuard { inner, layer: self.clone() }
    }
}

/// The service that [`GrpcGuardLayer`] makes.
#[derive(Clone, Debug)]
pub struct GrpcGuard<S> {
    inner: S,
    layer: GrpcGuardLayer,
}

impl<S, B, R> Service<Request<B>> for GrpcGuard<S>
where
    S: Service<Request<Body>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The one that was polled ready makes the call; its clone waits for the next.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        let layer = self.layer.clone();
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            match layer.enter(&mut parts, Body::new(body)).await {
                Ok(body) => inner.call(Request::from_parts(parts, body)).await,
                // Trailers only: the headers are the end, and the status is among them.
                Err(status) => Ok(status.into_http()),
            }
        })
    }
}
