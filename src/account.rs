//! The account server of a V2 network: tells its public key, and exchanges an access key for a token.
//!
//! Every call has a time limit, no call follows a redirect (a body with a key in it would follow too), and no error
//! holds what was sent. Source: wire.md, section 3.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::address::Address;
use crate::keys::KeyAnswer;
use crate::{AppId, Error, ErrorKind, PublicKey, Result, Secret};

/// How long one call may take. A V2 Handler waits for ever, and its callers with it.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// Answers are a key or a token; tokens of 667 KB have been seen. More is not an answer.
const MAX_ANSWER: usize = 2 << 20;

/// How much of the account server's own text an error repeats, in characters.
const MAX_TEXT: usize = 200;

/// A client of one account server. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct AccountServer {
    base: Url,
    client: Option<(String, Secret)>,
    http: reqwest::Client,
}

/// What an access key was exchanged for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Exchanged {
    /// The bearer token.
    pub token: Secret,
    /// How long it is valid from when it was asked for. Zero if the account server does not say.
    pub expires_in: Duration,
}

impl AccountServer {
    /// An account server at `http://` or `https://`, with or without a path.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if it is not an address; [`ErrorKind::InsecureTransport`] if keys would cross a
    /// network in clear; [`ErrorKind::Tls`] if no root certificates can be loaded.
    pub fn new(address: &str) -> Result<Self> {
        Self::with_ca(address, None)
    }

    /// The same with a certificate (PEM) to trust: the server's own, or a CA's.
    ///
    /// # Errors
    /// Those of [`new`](Self::new); [`ErrorKind::InvalidArgument`] if the certificate cannot be read.
    pub fn with_ca(address: &str, ca: Option<&str>) -> Result<Self> {
        let wrong = |what: &str| {
            Error::new(
                ErrorKind::InvalidArgument,
                format!("the account server's address is not valid: {what}"),
            )
        };
        let mut base = Url::parse(address.trim()).map_err(|_| wrong("expected https://host"))?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(wrong("its scheme is neither http nor https"));
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(wrong("it has a user name or password in it; give them as the client"));
        }
        base.set_query(None);
        base.set_fragment(None);
        let path = base.path().trim_end_matches('/').to_owned();
        base.set_path(&path);
        let origin = Address::parse(&base.origin().ascii_serialization())?;
        origin.require_private(false)?;
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(crate::tls::http_config(crate::tls::verifier(ca)?)?)
            .timeout(TIME_LIMIT)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false);
        if origin.is_loopback() {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|e| {
            Error::new(ErrorKind::Internal, "cannot set HTTP up").with_source(e.without_url())
        })?;
        Ok(Self { base, client: None, http })
    }

    /// The same as an OAuth client, which some account servers ask for before they exchange a key.
    #[must_use]
    pub fn with_client(mut self, id: impl Into<String>, secret: Secret) -> Self {
        self.client = Some((id.into(), secret));
        self
    }

    /// `GET /key`: the key that its tokens are signed with.
    ///
    /// # Errors
    /// [`ErrorKind::ExchangeUnavailable`] if it does not answer, [`ErrorKind::Protocol`] if the answer is not a key.
    pub async fn key(&self) -> Result<PublicKey> {
        let url = self.url("/key");
        let answer: KeyAnswer = self.send("Get", &url, self.http.get(url.clone()), &[]).await?;
        answer.read()
    }

    /// `POST /api/v2/applications/token`: a token for an application's access key (`<issuer>.<secret>`).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidKey`] in the account server's words if it refuses, [`ErrorKind::ExchangeUnavailable`] if it
    /// does not answer; with gRPC code 2.
    pub async fn exchange(&self, app: &AppId, key: &Secret) -> Result<Exchanged> {
        #[derive(Deserialize)]
        struct Answer {
            access_token: String,
            #[serde(default)]
            expires_in: Option<f64>,
        }
        let url = self.url("/api/v2/applications/token");
        let mut request = self.http.post(url.clone());
        if let Some((id, secret)) = &self.client {
            request = request.basic_auth(id, Some(secret.expose()));
        }
        // A Handler sends no grant_type here; password is what the documentation has.
        let request = request.json(&serde_json::json!({"username": app.as_str(), "password": key.expose()}));
        let answer: Answer = self.send("Post", &url, request, &[key]).await?;
        let expires_in =
            Duration::try_from_secs_f64(answer.expires_in.unwrap_or_default()).unwrap_or_default();
        Ok(Exchanged { token: Secret::new(answer.access_token), expires_in })
    }

    /// `POST /users/restrict-token`: a token with this scope only, such as `apps:<id>`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidToken`] if the account server refuses the token, [`ErrorKind::ExchangeUnavailable`] if it does
    /// not answer.
    pub async fn restrict(&self, token: &Secret, scope: &[&str]) -> Result<Secret> {
        #[derive(Deserialize)]
        struct Answer {
            access_token: String,
        }
        let url = self.url("/users/restrict-token");
        let request = self.http.post(url.clone()).bearer_auth(token.expose());
        let request = request.json(&serde_json::json!({ "scope": scope }));
        let answer: Answer = self.send("Post", &url, request, &[token]).await.map_err(|error| match error
            .kind()
        {
            ErrorKind::InvalidKey => Error::new(ErrorKind::InvalidToken, error.message()).with_grpc_code(2),
            _ => error,
        })?;
        Ok(Secret::new(answer.access_token))
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        url
    }

    async fn send<T: DeserializeOwned>(
        &self,
        verb: &str,
        url: &Url,
        request: reqwest::RequestBuilder,
        secrets: &[&Secret],
    ) -> Result<T> {
        let unavailable =
            |reason: &str| failed(ErrorKind::ExchangeUnavailable, format!("{verb} \"{url}\": {reason}"));
        let lost = |error: reqwest::Error| {
            let error = error.without_url();
            unavailable(&reason(&error)).with_source(error)
        };
        let mut answer = request.send().await.map_err(lost)?;
        let status = answer.status();
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(lost)? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(unavailable("the answer is too large"));
            }
            body.extend_from_slice(&chunk);
        }
        if status.is_success() {
            // serde's message would repeat values of the answer, which is a token.
            return serde_json::from_slice(&body).map_err(|_| {
                failed(ErrorKind::Protocol, "the account server's answer cannot be understood")
            });
        }
        let kind = match status.as_u16() {
            300..=399 => ErrorKind::Redirect,
            408 | 429 | 500..=599 => ErrorKind::ExchangeUnavailable,
            410 => ErrorKind::Server,
            _ => ErrorKind::InvalidKey,
        };
        Err(failed(kind, refusal_text(status, &body, secrets)))
    }
}

impl fmt::Debug for AccountServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let client = self.client.as_ref().map(|(id, _)| id);
        f.debug_struct("AccountServer").field("base", &self.base.as_str()).field("client", &client).finish()
    }
}

fn failed(kind: ErrorKind, message: impl Into<String>) -> Error {
    Error::new(kind, message).with_grpc_code(2)
}

/// Why there is no answer, in the words that Go has for the common case.
fn reason(error: &reqwest::Error) -> String {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(current) = cause {
        let io = current.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        if io == Some(std::io::ErrorKind::ConnectionRefused) {
            return "connect: connection refused".to_owned();
        }
        cause = current.source();
    }
    if error.is_timeout() {
        return format!("no answer within {} s", TIME_LIMIT.as_secs());
    }
    crate::network::read(error).1
}

/// The account server's own text, from `error` or `description`, or else what the status is called.
fn refusal_text(status: http::StatusCode, body: &[u8], secrets: &[&Secret]) -> String {
    #[derive(Deserialize)]
    struct Body {
        error: Option<String>,
        description: Option<String>,
    }
    let body: Option<Body> = serde_json::from_slice(body).ok();
    let text = body
        .and_then(|body| body.error.filter(|text| !text.is_empty()).or(body.description))
        .filter(|text| !text.is_empty())
        .unwrap_or_else(|| status.canonical_reason().unwrap_or("unknown status").to_owned());
    let text: String = text.chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect();
    secrets.iter().fold(text, |text, secret| secret.redact(&text))
}

#[cfg(test)]
#[path = "account_tests.rs"]
mod tests;
