//! A tower layer that lets in whom a [`Policy`] lets in, for any HTTP server built on tower, such as axum.
//!
//! A caller who is let in is known to the handler by their claims, an `Arc<Claims>` in the request's extensions; the
//! credential itself is taken off the request, so that neither handlers nor their logs see it. Everyone else gets an
//! answer at once.
//!
//! ```
//! use std::sync::Arc;
//! use axum::{Extension, Router, extract::Path, routing::get};
//! use ttn_auth::{Access, AccountServer, Authenticator, Claims, GuardLayer, Policy, Right};
//!
//! async fn device(Extension(caller): Extension<Arc<Claims>>, Path((app, dev)): Path<(String, String)>) -> String {
//!     format!("{app}/{dev}, read by {}", caller.subject)
//! }
//!
//! let account_server = AccountServer::new("https://account.thethingsnetwork.org")?;
//! let authenticator = Authenticator::builder().auth_server("ttn-account-v2", account_server).build();
//! let policy = Policy::new()
//!     .rule("GET /healthz", Access::Open)?
//!     .rule("GET /applications/{app_id}/devices/{dev_id}", Right::Devices)?;
//! let router: Router = Router::new()
//!     .route("/healthz", get(|| async { "ok" }))
//!     .route("/applications/{app_id}/devices/{dev_id}", get(device))
//!     .layer(GuardLayer::new(authenticator, policy));
//! # Ok::<(), ttn_auth::Error>(())
//! ```
//!
//! Or by route: `.route_layer(guard.require(Right::Devices))`, also within another guard: both have to let the caller in. In a nested router paths are without the prefix that it is
//! nested under, for the guard as for the handlers.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::request::Parts;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use tower_layer::Layer;
use tower_service::Service;

use crate::admission::{Admission, no_rule, take};
use crate::{Answers, AppId, Authenticator, Carrier, Error, ErrorKind, HttpAnswer, Policy, Result, Right};

/// Guards an HTTP server: credentials are read from the `Authorization` header.
#[derive(Clone, Debug)]
pub struct GuardLayer(Admission);

impl GuardLayer {
    /// Lets in whom the policy lets in. The application is what `{app_id}` stands for in the rule's pattern.
    pub fn new(authenticator: impl Into<Arc<Authenticator>>, policy: Policy) -> Self {
        Self(Admission::new(authenticator.into(), policy))
    }

    /// How refusals are told, if not by [`Answers::standard`].
    #[must_use]
    pub fn with_answers(mut self, answers: Answers) -> Self {
        self.0.answers = answers;
        self
    }

    /// For a server with one application: it is what a request is about whose rule has no `{app_id}`.
    #[must_use]
    pub fn with_app(self, app: AppId) -> Self {
        self.with_app_from(move |_| Ok(app.clone()))
    }

    /// Says which application a request is about whose rule has no `{app_id}`. The handler must find the same one.
    #[must_use]
    pub fn with_app_from(mut self, app: impl Fn(&Parts) -> Result<AppId> + Send + Sync + 'static) -> Self {
        self.0.set_app(app);
        self
    }

    /// The same guard for routes that all need this right, in place of its policy.
    ///
    /// The application is the one that [`with_app`](Self::with_app) or [`with_app_from`](Self::with_app_from) says; without
    /// them the routes are V2's, `/applications/{app_id}` and what is below, and others are refused.
    #[must_use]
    pub fn require(&self, right: Right) -> Self {
        let mut admission = self.0.clone();
        let patterns: &[&str] = if admission.tells_app() {
            &["/", "/{*rest}"]
        } else {
            &["/applications/{app_id}", "/applications/{app_id}/{*rest}"]
        };
        admission.policy = Arc::new(Policy::everywhere(right, patterns));
        Self(admission)
    }

    /// Lets a request in, with its sender's claims and without their credential, or says why not.
    async fn enter(&self, parts: &mut Parts) -> Result<(), HttpAnswer> {
        let needs = match self.0.policy.needs(Some(&parts.method), parts.uri.path()) {
            Ok(needs) if needs.open => return Ok(()),
            Ok(needs) => needs,
            Err(error) if error.kind() == ErrorKind::Unimplemented => {
                no_rule(parts);
                return Err(not_found());
            }
            Err(error) => return Err(self.0.answers.http(&error)),
        };
        let presented = take(CARRIER, parts);
        let claims = async {
            let app = match &needs.app {
                Some(app) => Some(app.clone()),
                None => self.0.app(&needs, &presented, parts)?,
            };
            self.0.admit(&needs, &presented, app.as_ref()).await
        };
        let claims = claims.await.map_err(|error: Error| self.0.answers.http(&error))?;
        parts.extensions.insert(claims);
        Ok(())
    }
}

const CARRIER: Carrier = Carrier::AuthorizationHeader;

impl<S> Layer<S> for GuardLayer {
    type Service = Guard<S>;

    fn layer(&self, inner: S) -> Guard<S> {
        Guard { inner, layer: self.clone() }
    }
}

/// The service that [`GuardLayer`] makes.
#[derive(Clone, Debug)]
pub struct Guard<S> {
    inner: S,
    layer: GuardLayer,
}

impl<S, B, R> Service<Request<B>> for Guard<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    R: From<String>,
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
            match layer.enter(&mut parts).await {
                Ok(()) => inner.call(Request::from_parts(parts, body)).await,
                Err(refusal) => Ok(response(refusal)),
            }
        })
    }
}

fn response<R: From<String>>(answer: HttpAnswer) -> Response<R> {
    let mut response = Response::new(R::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// As V2 answers where there is no route.
fn not_found() -> HttpAnswer {
    let headers = vec![("content-type", "text/plain; charset=utf-8".to_owned())];
    HttpAnswer { status: 404, headers, body: "Not Found\n".to_owned() }
}
