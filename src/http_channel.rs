//! HTTP by reqwest: one origin, redirects only within it, answers of bounded size.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Request, Response};
use rustls::client::danger::ServerCertVerifier;
use tokio::sync::Semaphore;
use url::Url;

use crate::address::Address;
use crate::answer::MAX_ANSWER;
use crate::classify::{Status, classify};
use crate::reserved::refuse_reserved;
use crate::{Carrier, Credentials, Error, ErrorKind, Result};

const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// Redirects within the origin that are followed (307 and 308 only). A loop ends here.
const MAX_REDIRECTS: usize = 5;

/// How many requests of one client are under way at once; the others wait their turn. HTTP/1.1 takes a connection for
/// each, and thousands of those at once fill a server's queue and use up a small machine's file descriptors.
const MAX_REQUESTS: usize = 256;

/// The connections of one client.
#[derive(Debug)]
pub(crate) struct HttpChannel {
    origin: Url,
    settings: Settings,
    client: Mutex<reqwest::Client>,
    turns: Semaphore,
}

#[derive(Debug)]
struct Settings {
    tls: rustls::ClientConfig,
    connect_timeout: Duration,
    loopback: bool,
}

impl HttpChannel {
    pub(crate) fn new(
        address: &Address,
        verifier: Arc<dyn ServerCertVerifier>,
        connect_timeout: Duration,
    ) -> Result<Self> {
        let origin = Url::parse(&address.origin()).map_err(|e| {
            Error::new(ErrorKind::InvalidArgument, "the address is not valid for HTTP").with_source(e)
        })?;
        let tls = crate::tls::http_config(verifier)?;
        let settings = Settings { tls, connect_timeout, loopback: address.is_loopback() };
        let client = Mutex::new(settings.client()?);
        Ok(Self { origin, settings, client, turns: Semaphore::new(MAX_REQUESTS) })
    }

    /// The next call connects anew; calls in flight keep the connection they have.
    pub(crate) fn reset(&self) {
        if let Ok(client) = self.settings.client() {
            *self.client.lock().unwrap_or_else(PoisonError::into_inner) = client;
        }
    }

    pub(crate) async fn request(
        &self,
        request: Request<Bytes>,
        credentials: Option<Credentials>,
    ) -> Result<Response<Bytes>> {
        let (parts, body) = request.into_parts();
        let url = self.join(&parts.uri)?;
        let mut headers = parts.headers;
        refuse_reserved(&headers)?;
        if let Some(credentials) = &credentials {
            Carrier::AuthorizationHeader.insert(credentials, &mut headers)?;
        }
        if !body.is_empty() {
            headers.entry(http::header::CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
        }
        // Never closed, so it always comes to a turn.
        let _turn = self.turns.acquire().await;
        let client = self.client.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let answer = client
            .request(parts.method, url)
            .headers(headers)
            .body(body)
            .send()
            .await
            .map_err(from_reqwest)?;
        read(answer).await
    }

    /// The client's origin with the request's path and query. The origin is compared again afterwards: it decides where
    /// the credentials go.
    fn join(&self, uri: &http::Uri) -> Result<Url> {
        let wrong =
            |what: &str| Error::new(ErrorKind::InvalidArgument, format!("the path is not valid: {what}"));
        if uri.scheme().is_some() || uri.authority().is_some() {
            return Err(wrong("it has a host; the host is the client's"));
        }
        if !uri.path().starts_with('/') || uri.path().starts_with("//") {
            return Err(wrong("it begins with exactly one /"));
        }
        // The URL standard takes %2e for a dot here, and a backslash for a slash.
        let plain = uri.path().to_ascii_lowercase().replace("%2e", ".").replace('\\', "/");
        if plain.split('/').any(|segment| segment == "." || segment == "..") {
            return Err(wrong("it has . or .. as a segment"));
        }
        let mut url = self.origin.clone();
        url.set_path(uri.path());
        url.set_query(uri.query());
        if url.origin() != self.origin.origin() || !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("it changes the host"));
        }
        Ok(url)
    }
}

impl Settings {
    fn client(&self) -> Result<reqwest::Client> {
        let same_origin = reqwest::redirect::Policy::custom(|attempt| {
            let first = attempt.previous().first().map(Url::origin);
            let stays = first.is_some_and(|first| first == attempt.url().origin());
            // The others turn a POST into a GET, whose answer would pass for the POST's.
            let repeats = matches!(attempt.status().as_u16(), 307 | 308);
            if stays && repeats && attempt.previous().len() <= MAX_REDIRECTS {
                attempt.follow()
            } else {
                // The answer itself is read, and becomes an error that names the new address.
                attempt.stop()
            }
        });
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls.clone())
            .connect_timeout(self.connect_timeout)
            .tcp_keepalive(KEEP_ALIVE)
            .redirect(same_origin)
            .referer(false);
        if self.loopback {
            // A proxy is another machine.
            builder = builder.no_proxy();
        }
        builder
            .build()
            .map_err(|e| Error::new(ErrorKind::Internal, "cannot set HTTP up").with_source(e.without_url()))
    }
}

async fn read(mut answer: reqwest::Response) -> Result<Response<Bytes>> {
    let status = answer.status();
    let mut body = BytesMut::new();
    while let Some(chunk) = answer.chunk().await.map_err(from_reqwest)? {
        if body.len() + chunk.len() > MAX_ANSWER {
            let message = format!("the answer is larger than {} MiB", MAX_ANSWER >> 20);
            return Err(Error::new(ErrorKind::Protocol, message).with_http_status(status.as_u16()));
        }
        body.extend_from_slice(&chunk);
    }
    if status.as_u16() >= 300 {
        return Err(from_answer(status, answer.headers(), &body));
    }
    let mut response = Response::new(body.freeze());
    *response.status_mut() = status;
    *response.headers_mut() = std::mem::take(answer.headers_mut());
    Ok(response)
}

/// An error that the server answered. Its text is taken from a JSON body of V2's form; any other body stays unsaid.
fn from_answer(status: http::StatusCode, headers: &http::HeaderMap, body: &[u8]) -> Error {
    #[derive(serde::Deserialize)]
    struct Body {
        message: Option<String>,
        error: Option<String>,
        code: Option<serde_json::Value>,
    }
    let body: Option<Body> = serde_json::from_slice(body).ok();
    let (text, code) = body.map(|body| (body.message.or(body.error), body.code)).unwrap_or_default();
    let text = text.unwrap_or_default();
    let kind = match classify(Status::Http(status.as_u16()), &text) {
        // Many a proxy says "Internal Server Error" in JSON. It does not mean an account server, and the call may have
        // been carried out.
        ErrorKind::ExchangeUnavailable if code.is_none() => ErrorKind::Server,
        kind => kind,
    };
    let message = match kind {
        ErrorKind::Redirect => {
            let target = headers.get(http::header::LOCATION).and_then(|location| location.to_str().ok());
            let origin = target
                .and_then(|target| Url::parse(target).ok())
                .map(|url| url.origin().ascii_serialization());
            format!("the server redirects to {}", origin.as_deref().unwrap_or("another address"))
        }
        _ if text.is_empty() => format!("the server answered {status}"),
        _ => text,
    };
    let error = Error::new(kind, message).with_http_status(status.as_u16());
    match crate::retry_after::read(headers) {
        Some(wait) => error.with_retry_after(wait),
        None => error,
    }
}

fn from_reqwest(error: reqwest::Error) -> Error {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn channel() -> HttpChannel {
        let address = Address::parse("https://handler.example").unwrap();
        let verifier = crate::tls::verifier(None).unwrap();
        HttpChannel::new(&address, verifier, Duration::from_secs(1)).unwrap()
    }

    #[test]
    fn a_path_never_changes_the_host() {
        let channel = channel();
        let joined = channel.join(&"/applications/a%2Fb?limit=1".parse().unwrap()).unwrap();
        assert_eq!(joined.as_str(), "https://handler.example/applications/a%2Fb?limit=1");
        for bad in [
            "//evil.example/x",
            "https://evil.example/x",
            "evil.example",
            "/../x",
            "/a/../../x",
            "/a/%2e%2E/x",
            "/./x",
            "/a/..",
            "*",
        ] {
            let error = channel.join(&bad.parse().unwrap()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{bad}");
        }
        assert_eq!(
            channel.join(&"/@evil.example".parse().unwrap()).unwrap().host_str(),
            Some("handler.example")
        );
    }

    #[test]
    fn bodies_that_are_not_v2s_json_stay_unsaid() {
        let headers = http::HeaderMap::new();
        let error = from_answer(http::StatusCode::INTERNAL_SERVER_ERROR, &headers, b"<html>hunter2</html>");
        assert_eq!(
            (error.kind(), error.message()),
            (ErrorKind::Server, "the server answered 500 Internal Server Error")
        );
        let body = br#"{"error":"E","code":2,"message":"handler:device:a:b not found"}"#;
        let error = from_answer(http::StatusCode::INTERNAL_SERVER_ERROR, &headers, body);
        assert_eq!((error.kind(), error.http_status()), (ErrorKind::NotFound, Some(500)));
    }

    #[test]
    fn only_a_handler_speaks_of_its_account_server() {
        for (body, kind) in [
            (
                &br#"{"error":"Bad Gateway","code":2,"message":"Bad Gateway"}"#[..],
                ErrorKind::ExchangeUnavailable,
            ),
            (br#"{"status":500,"error":"Internal Server Error","path":"/x"}"#, ErrorKind::Server),
            (br#"{"message":"Internal Server Error"}"#, ErrorKind::Server),
        ] {
            let status = http::StatusCode::INTERNAL_SERVER_ERROR;
            assert_eq!(from_answer(status, &http::HeaderMap::new(), body).kind(), kind);
        }
    }
}
