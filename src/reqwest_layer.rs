//! A middleware for a reqwest client of one's own (the crate reqwest-middleware): the same as [`AuthLayer`](crate::AuthLayer)
//! is for tower.
//!
//! ```
//! # fn build() -> ttn_auth::Result<()> {
//! use ttn_auth::{AuthMiddleware, Client, Credentials};
//!
//! let auth = Client::builder("https://eu1.cloud.thethings.network")
//!     .credentials(Credentials::api_key("NNSXS.ID.SECRET")?)
//!     .call_auth()?;
//! let client = reqwest_middleware::ClientBuilder::new(reqwest::Client::new())
//!     .with(AuthMiddleware::new(auth))
//!     .build();
//! # let _ = client;
//! # Ok(())
//! # }
//! ```

use bytes::{Bytes, BytesMut};
use http::Extensions;
use reqwest::{Request, Response, ResponseBuilderExt};
use reqwest_middleware::{Error as MiddlewareError, Middleware, Next};

use crate::layer::lost;
use crate::{CallAuth, CallOptions, Carrier, Error, ErrorKind, Failure};

/// So much of a refusal is read. A longer one is cut off.
const MAX_REFUSAL: usize = 1 << 20;

/// Puts credentials on the requests of a reqwest client, and makes a call again as [`Client`](crate::Client) would: a refused
/// token is replaced, a rate limit waited for, an idempotent request repeated.
///
/// A request to plaintext on another machine, or to another origin than the [`CallAuth`]'s, is refused before it is sent. An
/// answer that is a refusal is given as it came, with what it means, an [`Error`], among its extensions. Redirects are
/// reqwest's, which sends no credentials to another host.
#[derive(Clone, Debug)]
pub struct AuthMiddleware {
    auth: CallAuth,
}

impl AuthMiddleware {
    /// With what decides for the calls: [`ClientBuilder::call_auth`](crate::ClientBuilder::call_auth).
    pub fn new(auth: CallAuth) -> Self {
        Self { auth }
    }
}

#[async_trait::async_trait]
impl Middleware for AuthMiddleware {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        self.auth.check(request.url().as_str()).map_err(MiddlewareError::middleware)?;
        let mut options = extensions.get::<CallOptions>().cloned().unwrap_or_default();
        options.timeout = options.timeout.or(request.timeout().copied());
        let mut call = self.auth.begin(&options.idempotent_unless_set(request.method().is_idempotent()));
        // What the last attempt got: there may be no other credentials to try.
        let mut last = None;
        loop {
            let attempt = match call.next().await {
                Ok(attempt) => attempt,
                Err(error) => return ended(last, error),
            };
            if let Some(credentials) = &attempt.credentials {
                let inserted = Carrier::AuthorizationHeader.insert(credentials, request.headers_mut());
                inserted.map_err(MiddlewareError::middleware)?;
            }
            // A body that is a stream can be sent once.
            let again = request.try_clone();
            let sent = next.clone().run(request, extensions);
            let (failure, outcome) = match tokio::time::timeout(attempt.time_left, sent).await {
                Ok(Ok(response)) if response.status().as_u16() < 300 => {
                    call.succeeded();
                    return Ok(response);
                }
                Ok(Ok(response)) => {
                    let (failure, response) = refusal(response).await?;
                    (Some(failure), Ok(response))
                }
                Ok(Err(error)) => (Some(Failure::Lost(unanswered(&error))), Err(error)),
                Err(_) => {
                    let message = format!("no answer within {} ms", attempt.time_left.as_millis());
                    let error = Error::new(ErrorKind::Timeout, message);
                    (None, Err(MiddlewareError::middleware(error)))
                }
            };
            let end = match (failure, &again) {
                (Some(failure), Some(_)) => call.failed(failure).await,
                (Some(failure), None) => Err(call.gave_up(failure)),
                (None, _) => call.timed_out().await,
            };
            match (end, again) {
                (Ok(()), Some(again)) => (last, request) = (Some(outcome), again),
                (Err(error), _) => return ended(Some(outcome), error),
                (Ok(()), None) => return outcome,
            }
        }
    }
}

/// What the last attempt got, with what it means; or what it means alone.
fn ended(
    last: Option<reqwest_middleware::Result<Response>>,
    error: Error,
) -> reqwest_middleware::Result<Response> {
    match last {
        Some(Ok(mut response)) => {
            response.extensions_mut().insert(error);
            Ok(response)
        }
        Some(Err(last)) => Err(last),
        None => Err(MiddlewareError::middleware(error)),
    }
}

/// What a refusal says, and the same answer again, of which the body has been read.
async fn refusal(mut response: Response) -> reqwest_middleware::Result<(Failure, Response)> {
    let (status, headers, url) =
        (response.status(), std::mem::take(response.headers_mut()), response.url().clone());
    let (version, given) = (response.version(), std::mem::take(response.extensions_mut()));
    let mut read = BytesMut::new();
    while let Some(chunk) = response.chunk().await? {
        read.extend_from_slice(&chunk[..chunk.len().min(MAX_REFUSAL - read.len())]);
        if read.len() == MAX_REFUSAL {
            break;
        }
    }
    let body: Bytes = read.freeze();
    let mut again = http::Response::builder().status(status).version(version).url(url);
    if let Some(extensions) = again.extensions_mut() {
        extensions.extend(given);
    }
    let mut again = again.body(body.clone()).map_err(MiddlewareError::middleware)?;
    *again.headers_mut() = headers.clone();
    Ok((Failure::Http { status, headers, body }, again.into()))
}

/// What the error of a request that got no answer means.
fn unanswered(error: &MiddlewareError) -> Error {
    match error {
        MiddlewareError::Reqwest(error) if error.is_timeout() => {
            Error::new(ErrorKind::Timeout, "no answer in time")
        }
        MiddlewareError::Reqwest(error) => {
            let lost = lost(error);
            if error.is_connect() { lost.before_sending() } else { lost }
        }
        MiddlewareError::Middleware(_) => Error::new(ErrorKind::Internal, "another middleware failed"),
    }
}
