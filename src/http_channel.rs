//! HTTP's rules: one origin, redirects only within it, headers that are not the caller's, what an error's answer says.
//!
//! Requests go by [`Http1`], of which one takes half the time that reqwest takes, and by reqwest where the system has a proxy
//! for the address.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HOST, LOCATION};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri};
use http_body_util::Full;
use rustls::client::danger::ServerCertVerifier;
use url::{Position, Url};

use crate::address::Address;
use crate::connect::Connector;
use crate::http_stream::HttpStream;
use crate::http1::Http1;
use crate::proxied::{self, Proxied};
use crate::refusal;
use crate::reserved::refuse_reserved;
use crate::sharing::{Registry, Server, Shared};
use crate::{Carrier, Credentials, Error, ErrorKind, Result};

static CONNECTIONS: Registry<Connections> = Registry::new();

/// Redirects within the origin that are followed (307 and 308 only). A loop ends here.
const MAX_REDIRECTS: usize = 5;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const ANYTHING: HeaderValue = HeaderValue::from_static("*/*");

/// The requests of one client.
#[derive(Debug)]
pub(crate) struct HttpChannel {
    address: Address,
    origin: Url,
    host: HeaderValue,
    verifier: Arc<dyn ServerCertVerifier>,
    connect_timeout: Duration,
    connections: Shared<Connections>,
}

/// How requests travel.
enum Connections {
    Direct(Http1),
    Proxied(Box<Proxied>),
}

impl HttpChannel {
    pub(crate) fn new(
        address: &Address,
        server: Server,
        verifier: Arc<dyn ServerCertVerifier>,
    ) -> Result<Self> {
        let wrong = || Error::new(ErrorKind::InvalidArgument, "the address is not valid for HTTP");
        let origin = Url::parse(&address.origin()).map_err(|error| wrong().with_source(error))?;
        // Without a port that the scheme implies.
        let host = &origin[Position::BeforeHost..Position::AfterPort];
        Ok(Self {
            host: HeaderValue::from_str(host).map_err(|error| wrong().with_source(error))?,
            address: address.clone(),
            origin,
            verifier,
            connect_timeout: server.connect_timeout,
            connections: Shared::new(&CONNECTIONS, server),
        })
    }

    /// The next call connects anew, of whichever client; calls in flight keep the connection they have.
    pub(crate) fn reset(&self) {
        self.connections.each(|connections| match connections {
            Connections::Direct(direct) => direct.reset(),
            Connections::Proxied(proxied) => proxied.reset(),
        });
    }

    pub(crate) fn close(&self) {
        self.connections.release();
    }

    fn connections(&self) -> Result<Arc<Connections>> {
        self.connections.get(|| {
            Ok(if proxied::applies_to(&self.address) {
                Connections::Proxied(Proxied::new(self.verifier.clone(), self.connect_timeout)?.into())
            } else {
                let connector =
                    Connector::new(&self.address, &self.verifier, "http/1.1", self.connect_timeout)?;
                Connections::Direct(Http1::new(connector))
            })
        })
    }

    pub(crate) async fn request(
        &self,
        request: &Request<Bytes>,
        credentials: Option<Credentials>,
    ) -> Result<Response<Bytes>> {
        let path = self.join(request.uri())?;
        let headers = headers(request, credentials)?;
        // Boxed, so that what is around it, gRPC's calls too, is not moved about with it.
        Box::pin(self.follow(request.method(), path, headers, request.body())).await
    }

    /// Sends a request, and again to where it is redirected.
    async fn follow(
        &self,
        method: &Method,
        mut path: PathAndQuery,
        headers: HeaderMap,
        body: &Bytes,
    ) -> Result<Response<Bytes>> {
        let connections = self.connections()?;
        for followed in 0.. {
            let answer = match &*connections {
                Connections::Direct(direct) => direct.call(self.sent(method, &path, &headers, body)).await?,
                Connections::Proxied(proxied) => {
                    proxied.call(method.clone(), self.url(&path)?, headers.clone(), body.clone()).await?
                }
            };
            match self.redirected(&path, &answer).filter(|_| followed < MAX_REDIRECTS) {
                Some(elsewhere) => path = elsewhere,
                None if answer.status().as_u16() >= 300 => {
                    return Err(refusal::http(answer.status(), answer.headers(), answer.body()));
                }
                None => return Ok(answer),
            }
        }
        unreachable!("there is always another number")
    }

    /// Makes a request whose answer is a stream of lines: comes back with the first one, or with the end.
    pub(crate) async fn stream(
        &self,
        request: &Request<Bytes>,
        credentials: Option<Credentials>,
    ) -> Result<HttpStream> {
        let mut path = self.join(request.uri())?;
        let headers = headers(request, credentials)?;
        let (method, body) = (request.method(), request.body());
        let connections = self.connections()?;
        for followed in 0.. {
            let stream = match &*connections {
                Connections::Direct(direct) => {
                    let sent = self.sent(method, &path, &headers, body);
                    HttpStream::direct(Box::pin(direct.stream(sent)).await?)
                }
                Connections::Proxied(proxied) => {
                    let (method, url) = (method.clone(), self.url(&path)?);
                    HttpStream::proxied(
                        Box::pin(proxied.stream(method, url, headers.clone(), body.clone())).await?,
                    )
                }
            };
            if stream.status().as_u16() < 300 {
                return stream.begin().await;
            }
            let answer = stream.refused().await?;
            match self.redirected(&path, &answer).filter(|_| followed < MAX_REDIRECTS) {
                Some(elsewhere) => path = elsewhere,
                None => return Err(refusal::http(answer.status(), answer.headers(), answer.body())),
            }
        }
        unreachable!("there is always another number")
    }

    fn sent(
        &self,
        method: &Method,
        path: &PathAndQuery,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = method.clone();
        *request.uri_mut() = path.clone().into();
        *request.headers_mut() = headers.clone();
        request.headers_mut().insert(HOST, self.host.clone());
        request
    }

    /// Where an answer says the same request has to go, if that is within the origin. The other redirects turn a POST into
    /// a GET, whose answer would pass for the POST's.
    fn redirected(&self, from: &PathAndQuery, answer: &Response<Bytes>) -> Option<PathAndQuery> {
        if !matches!(answer.status().as_u16(), 307 | 308) {
            return None;
        }
        let location = answer.headers().get(LOCATION)?.to_str().ok()?;
        let to = self.url(from).ok()?.join(location).ok()?;
        if to.origin() != self.origin.origin() {
            return None;
        }
        path_of(&to).ok()
    }

    fn url(&self, path: &PathAndQuery) -> Result<Url> {
        let mut url = self.origin.clone();
        url.set_path(path.path());
        url.set_query(path.query());
        if url.origin() != self.origin.origin() || !url.username().is_empty() || url.password().is_some() {
            return Err(wrong_path("it changes the host"));
        }
        Ok(url)
    }

    /// A request's path and query, as they are sent. The host is always the client's: it decides where the credentials go.
    fn join(&self, uri: &Uri) -> Result<PathAndQuery> {
        if uri.scheme().is_some() || uri.authority().is_some() {
            return Err(wrong_path("it has a host; the host is the client's"));
        }
        if !uri.path().starts_with('/') || uri.path().starts_with("//") {
            return Err(wrong_path("it begins with exactly one /"));
        }
        let path = uri.path_and_query().ok_or_else(|| wrong_path("it is empty"))?;
        // Nothing in it that the URL standard changes, or reads in another way.
        let plain = |byte: u8| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'~' | b'?' | b'=' | b'&')
        };
        if path.as_str().bytes().all(plain) {
            return Ok(path.clone());
        }
        // The URL standard takes %2e for a dot here, and a backslash for a slash.
        let plain = uri.path().to_ascii_lowercase().replace("%2e", ".").replace('\\', "/");
        if plain.split('/').any(|segment| segment == "." || segment == "..") {
            return Err(wrong_path("it has . or .. as a segment"));
        }
        path_of(&self.url(path)?)
    }
}

/// A request's own headers, the credentials, and what it has to have.
fn headers(request: &Request<Bytes>, credentials: Option<Credentials>) -> Result<HeaderMap> {
    refuse_reserved(request.headers())?;
    let mut headers = request.headers().clone();
    if let Some(credentials) = credentials {
        Carrier::AuthorizationHeader.insert(&credentials, &mut headers)?;
    }
    if !request.body().is_empty() {
        headers.entry(CONTENT_TYPE).or_insert(JSON);
    }
    headers.entry(ACCEPT).or_insert(ANYTHING);
    Ok(headers)
}

fn path_of(url: &Url) -> Result<PathAndQuery> {
    url[Position::BeforePath..Position::AfterQuery]
        .parse()
        .map_err(|error| wrong_path("it cannot be sent").with_source(error))
}

fn wrong_path(what: &str) -> Error {
    Error::new(ErrorKind::InvalidArgument, format!("the path is not valid: {what}"))
}

#[cfg(test)]
#[path = "http_channel_tests.rs"]
mod tests;
