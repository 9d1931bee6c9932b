//! HTTP through the system's proxy, by reqwest, which knows how to.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Response};
use hyper_util::client::proxy::matcher::Matcher;
use rustls::client::danger::ServerCertVerifier;
use tokio::sync::Semaphore;
use url::Url;

use crate::address::Address;
use crate::answer::Body;
use crate::connect::KEEP_ALIVE;
use crate::http1::MAX_REQUESTS;
use crate::sharing::lock;
use crate::{Error, ErrorKind, Result};

/// Whether the system has a proxy for this address. Not for this machine: a proxy is another one.
pub(crate) fn applies_to(address: &Address) -> bool {
    let origin = address.origin().parse();
    !address.is_loopback() && origin.is_ok_and(|origin| Matcher::from_system().intercept(&origin).is_some())
}

/// The connections to one server, through a proxy.
pub(crate) struct Proxied {
    tls: rustls::ClientConfig,
    connect_timeout: Duration,
    client: Mutex<reqwest::Client>,
    turns: Semaphore,
}

impl Proxied {
    pub(crate) fn new(verifier: Arc<dyn ServerCertVerifier>, connect_timeout: Duration) -> Result<Self> {
        let tls = crate::tls::http_config(verifier)?;
        let client = Mutex::new(client(&tls, connect_timeout)?);
        Ok(Self { tls, connect_timeout, client, turns: Semaphore::new(MAX_REQUESTS) })
    }

    /// The next call connects anew; calls in flight keep the connection they have.
    pub(crate) fn reset(&self) {
        if let Ok(client) = client(&self.tls, self.connect_timeout) {
            *lock(&self.client) = client;
        }
    }

    /// Makes a request, and reads its answer.
    pub(crate) async fn call(
        &self,
        method: Method,
        url: Url,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response<Bytes>> {
        // Never closed, so it always comes to a turn.
        let _turn = self.turns.acquire().await;
        let mut answer = self.stream(method, url, headers, body).await?;
        let mut body = Body::default();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            body.add(chunk).map_err(|error| error.with_http_status(answer.status().as_u16()))?;
        }
        let mut response = Response::new(body.whole());
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(response)
    }

    /// Makes a request whose answer is read as it comes, by [`data`].
    pub(crate) async fn stream(
        &self,
        method: Method,
        url: Url,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<reqwest::Response> {
        let client = lock(&self.client).clone();
        client.request(method, url).headers(headers).body(body).send().await.map_err(failed)
    }
}

/// What comes next of an answer; nothing at its end.
pub(crate) async fn data(answer: &mut reqwest::Response) -> Option<Result<Bytes>> {
    answer.chunk().await.map_err(failed).transpose()
}

fn client(tls: &rustls::ClientConfig, connect_timeout: Duration) -> Result<reqwest::Client> {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls.clone())
        .connect_timeout(connect_timeout)
        .tcp_keepalive(KEEP_ALIVE)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .build()
        .map_err(|e| Error::new(ErrorKind::Internal, "cannot set HTTP up").with_source(e.without_url()))
}

fn failed(error: reqwest::Error) -> Error {
    let error = error.without_url();
    let unsent = error.is_connect();
    let (kind, message) = if error.is_timeout() {
        (ErrorKind::Timeout, "the server did not answer in time".to_owned())
    } else if error.is_builder() {
        (ErrorKind::InvalidArgument, "the request is not valid".to_owned())
    } else {
        crate::network::read(&error)
    };
    let error = Error::new(kind, message).with_source(error);
    if unsent { error.before_sending() } else { error }
}

impl fmt::Debug for Proxied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proxied")
    }
}
