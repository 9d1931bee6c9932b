//! A tower layer that puts credentials on every request, for any client built on tower: a tonic channel, a hyper client.
//!
//! It is a layer and not a tonic interceptor because interceptors are synchronous: a source of credentials that has to
//! wait can take this place without a change for its users.
//!
//! ```
//! use tower_layer::Layer;
//! use ttn_auth::{AuthLayer, Carrier, Credentials};
//!
//! let credentials = Credentials::access_key("ttn-account-v2.abc")?;
//! let layer = AuthLayer::new(&credentials, Carrier::GrpcMetadata)?;
//! # let channel = ();
//! let channel = layer.layer(channel); // in tonic: `Channel`; the result goes into a generated client's `new`
//! # Ok::<(), ttn_auth::Error>(())
//! ```

use std::task::{Context, Poll};

use http::{HeaderMap, Request};
use tower_layer::Layer;
use tower_service::Service;

use crate::{Carrier, Credentials, Result};

/// Puts credentials on every request that passes.
#[derive(Clone, Debug)]
pub struct AuthLayer {
    carrier: Carrier,
    /// Made once: the same one or two headers for every request, marked sensitive.
    headers: HeaderMap,
}

impl AuthLayer {
    /// A layer for these credentials.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidCredentials`](crate::ErrorKind::InvalidCredentials) if they cannot be a header's value.
    pub fn new(credentials: &Credentials, carrier: Carrier) -> Result<Self> {
        let mut headers = HeaderMap::with_capacity(1);
        carrier.insert(credentials, &mut headers)?;
        Ok(Self { carrier, headers })
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
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        for name in self.layer.carrier.names() {
            request.headers_mut().remove(*name);
        }
        for (name, value) in &self.layer.headers {
            request.headers_mut().insert(name, value.clone());
        }
        self.inner.call(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;
    use std::future::{Ready, ready};

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

    #[tokio::test]
    async fn the_layers_credential_is_the_only_one() {
        let key = Credentials::access_key("i.k").unwrap();
        let mut service = AuthLayer::new(&key, Carrier::GrpcMetadata).unwrap().layer(Echo);
        let request =
            Request::builder().header("token", "of-someone-else").header("x", "1").body(()).unwrap();
        let sent = service.call(request).await.unwrap();
        assert_eq!(
            (sent.get("token"), sent["key"].to_str().unwrap(), &sent["x"]),
            (None, "i.k", &"1".parse().unwrap())
        );
        assert!(sent["key"].is_sensitive());
        assert!(
            !format!("{service:?}", service = AuthLayer::new(&key, Carrier::GrpcMetadata)).contains("i.k")
        );
    }
}
