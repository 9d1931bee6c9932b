//! A tower layer that puts credentials on every request, for any client built on tower: a tonic channel, a hyper client.
//!
//! It is a layer and not a tonic interceptor because interceptors are synchronous, and a source of tokens may have to
//! wait. It only attaches: a refused token is replaced by [`Client`](crate::Client), which knows the answer.
//!
//! ```
//! use tower_layer::Layer;
//! use ttn_auth::{AuthLayer, Carrier, Credentials};
//!
//! let credentials = Credentials::access_key("ttn-account-v2.abc")?;
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

use http::{HeaderMap, Request};
use tower_layer::Layer;
use tower_service::Service;

use crate::supply::Supply;
use crate::{Carrier, Credentials, CredentialsFile, Error, ErrorKind, Result, TokenSource};

/// What goes wrong in tower: an error of the service inside, or an [`Error`](crate::Error) of a source of tokens.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// How long a source of tokens may take: as long as a load of a [`TokenCache`](crate::TokenCache).
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// Puts credentials on every request that passes.
#[derive(Clone, Debug)]
pub struct AuthLayer {
    carrier: Carrier,
    supply: Supply,
}

impl AuthLayer {
    /// A layer for these credentials.
    pub fn new(credentials: Credentials, carrier: Carrier) -> Self {
        Self { carrier, supply: Supply::Fixed(credentials) }
    }

    /// A layer for what this source gives at the time of each request, such as a [`TokenCache`](crate::TokenCache).
    pub fn from_source(source: Arc<dyn TokenSource>, carrier: Carrier) -> Self {
        Self { carrier, supply: Supply::Source(source) }
    }

    /// A layer for what is in this file at the time of each request.
    pub fn from_file(file: CredentialsFile, carrier: Carrier) -> Self {
        Self { carrier, supply: Supply::File(file) }
    }

    async fn attach(&self, headers: &mut HeaderMap) -> Result<()> {
        let credentials =
            tokio::time::timeout(TIME_LIMIT, self.supply.credentials()).await.map_err(|_| {
                let message = format!("the token source did not answer within {} s", TIME_LIMIT.as_secs());
                Error::new(ErrorKind::Timeout, message).before_sending()
            })?;
        match credentials? {
            Some(credentials) => self.carrier.insert(&credentials, headers),
            None => Ok(()),
        }
    }
}

impl<S> Layer<S> for AuthLayer {
    type Service = Auth<S>;

    fn layer(&self, inner: S) -> Auth<S> {
        Auth { inner, layer: self.clone() }
    }
}

/// The service that [`AuthLayer`] makes.
#[derive(Clone, Debug)]
pub struct Auth<S> {
    inner: S,
    layer: AuthLayer,
}

impl<S, B> Service<Request<B>> for Auth<S>
where
    S: Service<Request<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // The one that was polled ready makes the call; its clone waits for the next.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        let layer = self.layer.clone();
        Box::pin(async move {
            layer.attach(request.headers_mut()).await?;
            inner.call(request).await.map_err(Into::into)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;
    use std::future::{Ready, ready};

    use crate::{AccessToken, TokenFn};

    /// Answers with the headers it was sent.
    #[derive(Clone)]
    struct Echo;

    impl Service<Request<()>> for Echo {
        type Response = HeaderMap;
        type Error = Infallible;
        type Future = Ready<Result<HeaderMap, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: Request<()>) -> Self::Future {
            ready(Ok(request.headers().clone()))
        }
    }

    fn request() -> Request<()> {
        Request::builder().header("token", "of-someone-else").header("x", "1").body(()).unwrap()
    }

    #[tokio::test]
    async fn the_layers_credential_is_the_only_one() {
        let key = Credentials::access_key("i.k").unwrap();
        let layer = AuthLayer::new(key, Carrier::GrpcMetadata);
        let sent = layer.layer(Echo).call(request()).await.unwrap();
        assert_eq!(
            (sent.get("token"), sent["key"].to_str().unwrap(), &sent["x"]),
            (None, "i.k", &"1".parse().unwrap())
        );
        assert!(sent["key"].is_sensitive());
        assert!(!format!("{layer:?}").contains("i.k"));
    }

    #[tokio::test]
    async fn a_source_is_asked_for_each_request_and_its_error_is_the_answer() {
        let answers = std::sync::Mutex::new(vec!["second", "first"]);
        let source = TokenFn::new("list", move || {
            let next = answers.lock().unwrap().pop();
            async move { next.map_or(Err(Error::new(ErrorKind::ExchangeUnavailable, "down")), AccessToken::new) }
        });
        let mut service = AuthLayer::from_source(Arc::new(source), Carrier::AuthorizationHeader).layer(Echo);
        for expected in ["Bearer first", "Bearer second"] {
            assert_eq!(service.call(request()).await.unwrap()["authorization"], expected);
        }
        let error = service.call(request()).await.unwrap_err();
        assert_eq!(error.downcast_ref::<Error>().unwrap().kind(), ErrorKind::ExchangeUnavailable);
    }
}
