//! The account server of a V2 network: tells its public key, exchanges an access key for a token, restricts a token to
//! less, and refreshes one.
//!
//! Every call has a time limit, no call follows a redirect (a body with a key in it would follow too), and no error
//! holds what was sent. Source: wire.md, section 3.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;
use serde_json::json;
use url::Url;
use url::form_urlencoded::Serializer;

use crate::account_address::split;
use crate::account_answer::{Exchanged, Refreshed, TokenAnswer, refusal, unavailable};
use crate::account_login::{Login, encoded, plain};
use crate::address::Address;
use crate::stack_secret::StackSecret;
use crate::{AppId, Error, ErrorKind, Result, Secret};

/// How long one call may take unless another limit is given: less than the 10 s of the call that needs the token, so that its
/// caller hears why there is none. A V2 Handler waits for ever, and its callers with it.
const TIME_LIMIT: Duration = Duration::from_secs(8);

/// Answers are a key or a token; tokens of 667 KB have been seen. More is not an answer.
const MAX_ANSWER: usize = 2 << 20;

/// The gRPC code, Unknown, that a V2 Handler passes an account server's errors on with.
const PASSED_ON: i32 = 2;

/// The account servers that are known by their issuer: the public network's.
const KNOWN: [(&str, &str); 1] = [("ttn-account-v2", "https://account.thethingsnetwork.org")];

/// A client of one account server. Cheap to clone.
#[derive(Clone)]
pub struct AccountServer {
    base: Arc<Url>,
    login: Arc<Login>,
    time_limit: Duration,
    http: reqwest::Client,
}

impl AccountServer {
    /// An account server at `http://` or `https://`, with or without a path. `https://id:secret@host`, as V2's configuration has
    /// it, is the same as [`with_client`](Self::with_client); `:`, `@` and `/` in them have to be percent-encoded.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if it is not an address; [`ErrorKind::InsecureTransport`] if keys would cross a
    /// network in clear; [`ErrorKind::Tls`] if no root certificates can be loaded.
    pub fn new(address: &str) -> Result<Self> {
        Self::with_ca(address, None)
    }

    /// The account server that issues tokens and keys as `issuer`: on the public network, `ttn-account-v2`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if it is another issuer: then its address has to be given.
    pub fn of_issuer(issuer: &str) -> Result<Self> {
        let [(known, address)] = KNOWN;
        if issuer == known {
            return Self::new(address);
        }
        // The issuer is not repeated: it may be a part of something secret that happens to have a dot in it.
        let message = format!("only {known}'s account server is known here: give the address of this one");
        Err(Error::new(ErrorKind::InvalidArgument, message))
    }

    /// The same as [`new`](Self::new) with a certificate (PEM) to trust: the server's own, or a CA's.
    ///
    /// # Errors
    /// Those of [`new`](Self::new); [`ErrorKind::InvalidArgument`] if the certificate cannot be read.
    pub fn with_ca(address: &str, ca: Option<&str>) -> Result<Self> {
        let (base, login) = split(address)?;
        let origin = Address::parse(&base.origin().ascii_serialization())?;
        origin.require_private(false)?;
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(crate::tls::http_config(crate::tls::verifier(ca)?)?)
            // Calls are minutes apart: a kept connection would save little, and may have died meanwhile.
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false);
        if origin.is_loopback() {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|e| {
            Error::new(ErrorKind::Internal, "cannot set HTTP up").with_source(e.without_url())
        })?;
        Ok(Self { base: Arc::new(base), login: Arc::new(login), time_limit: TIME_LIMIT, http })
    }

    /// The same as an OAuth client, which some account servers ask for before they exchange a key.
    #[must_use]
    pub fn with_client(mut self, id: impl Into<String>, secret: Secret) -> Self {
        self.login = Arc::new(Login::Client { id: id.into(), secret });
        self
    }

    /// The same as a component of the network, such as a Handler, with its bearer token; in place of an OAuth client.
    #[must_use]
    pub fn with_bearer_token(mut self, token: Secret) -> Self {
        self.login = Arc::new(Login::Bearer(token));
        self
    }

    /// The same with another time limit of one call, connection included. Default: 8 s.
    #[must_use]
    pub fn with_timeout(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// Where it is, such as `https://account.thethingsnetwork.org/`.
    pub fn address(&self) -> &str {
        self.base.as_str()
    }

    /// `GET /key`: the key that its tokens are signed with.
    ///
    /// # Errors
    /// [`ErrorKind::ExchangeUnavailable`] if it does not answer, [`ErrorKind::Protocol`] if the answer is not a key.
    #[cfg(feature = "server")]
    pub async fn key(&self) -> Result<crate::PublicKey> {
        let request = self.http.get(self.url("/key"));
        let answer: crate::public_key::KeyAnswer = self
            .send(request, &[], |_, _| ErrorKind::InvalidKey)
            .await
            .map_err(|error| error.with_grpc_code(PASSED_ON))?;
        answer.read()
    }

    /// `POST /api/v2/applications/token`, as a V2 Handler does it for its callers: a token for an application's access
    /// key (`<issuer>.<secret>`). To exchange a key of your own, see [`KeyExchange`](crate::KeyExchange).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidKey`] in the account server's words if it refuses, [`ErrorKind::ExchangeUnavailable`] if it
    /// does not answer, [`ErrorKind::Tls`] if its certificate is not trusted; with gRPC code 2.
    pub async fn exchange(&self, app: &AppId, key: &Secret) -> Result<Exchanged> {
        // A Handler sends no grant_type here.
        let body = json!({"username": app.as_str(), "password": key.expose()});
        self.exchange_with(&body, key).await.map_err(|error| error.with_grpc_code(PASSED_ON))
    }

    /// The same for a key of one's own, as it is documented. No Handler is in between, so errors have no code of one.
    pub(crate) async fn exchange_own(&self, app: &AppId, key: &Secret) -> Result<Exchanged> {
        let body = json!({"grant_type": "password", "username": app.as_str(), "password": key.expose()});
        self.exchange_with(&body, key).await.map_err(|error| match error.message() {
            // RFC 6749, section 5.2: not the key's fault.
            "invalid_client" => {
                let error = Error::new(ErrorKind::InvalidArgument, error.message());
                refused(error, "the client's id or secret")
            }
            _ => error,
        })
    }

    async fn exchange_with(&self, body: &serde_json::Value, key: &Secret) -> Result<Exchanged> {
        let request = self.http.post(self.url("/api/v2/applications/token"));
        let request = self.login.put(request, plain).json(body);
        let answer: TokenAnswer = self.send(request, &[key], |_, _| ErrorKind::InvalidKey).await?;
        Ok(Exchanged { expires_in: answer.expires_in(), token: answer.access_token() })
    }

    /// `POST /users/restrict-token`: a token with this scope only, such as `apps:<id>`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidToken`] if the account server refuses the token, [`ErrorKind::PermissionDenied`] if it takes
    /// the token but not for that scope, [`ErrorKind::ExchangeUnavailable`] if it does not answer.
    pub async fn restrict(&self, token: &Secret, scope: &[&str]) -> Result<Secret> {
        let request = self.http.post(self.url("/users/restrict-token")).bearer_auth(token.expose());
        let request = request.json(&json!({ "scope": scope }));
        let kind = |status, _: &str| match status {
            StatusCode::FORBIDDEN => ErrorKind::PermissionDenied,
            _ => ErrorKind::InvalidToken,
        };
        let answer: TokenAnswer = self.send(request, &[token], kind).await?;
        Ok(answer.access_token())
    }

    /// `POST /users/token` with `grant_type=refresh_token` (RFC 6749, section 6): a new token, and often a new refresh
    /// token with it, which makes the old one worthless. [`RefreshToken`](crate::RefreshToken) keeps track of them.
    ///
    /// With a refresh token of The Things Stack (`OJSWM.`) the same at its `/oauth/token`: then this is the cluster's address,
    /// such as `https://eu1.cloud.thethings.network`, and a client is needed.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidToken`] if the account server refuses the refresh token: somebody has to sign in again.
    /// [`ErrorKind::InvalidArgument`] if it refuses the client, [`ErrorKind::ExchangeUnavailable`] if it does not answer.
    pub async fn refresh(&self, refresh_token: &Secret) -> Result<Refreshed> {
        if StackSecret::of(refresh_token.expose()) == Some(StackSecret::RefreshToken) {
            return self.refresh_at_the_things_stack(refresh_token).await;
        }
        let body = Serializer::new(String::new())
            .append_pair("grant_type", "refresh_token")
            .append_pair("refresh_token", refresh_token.expose())
            .finish();
        let request = self.http.post(self.url("/users/token"));
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body);
        // RFC 6749, section 5.2.
        let kind = |status, text: &str| match (status, text) {
            (_, "invalid_client") => ErrorKind::InvalidArgument,
            (_, "invalid_grant") | (StatusCode::UNAUTHORIZED, _) => ErrorKind::InvalidToken,
            _ => ErrorKind::Protocol,
        };
        // Section 2.3.1: encoded like a form before they are encoded as Basic.
        let request = self.login.put(request, encoded);
        let secrets = [refresh_token, &Secret::new(encoded(refresh_token.expose()))];
        let answer: TokenAnswer =
            self.send(request, &secrets, kind).await.map_err(|error| match error.kind() {
                ErrorKind::InvalidToken => refused(error, "the refresh token; sign in again for a new one"),
                ErrorKind::InvalidArgument => refused(error, "the client's id or secret"),
                _ => error,
            })?;
        let refresh_token = answer.refresh_token();
        Ok(Refreshed { expires_in: answer.expires_in(), refresh_token, token: answer.access_token() })
    }

    pub(crate) fn login(&self) -> &Login {
        &self.login
    }

    pub(crate) fn post(&self, path: &str) -> reqwest::RequestBuilder {
        self.http.post(self.url(path))
    }

    fn url(&self, path: &str) -> Url {
        let mut url = Url::clone(&self.base);
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        url
    }

    /// Sends a request with `secrets` in it; `refused` tells the meaning of a refusal from its status and its text.
    pub(crate) async fn send<T: DeserializeOwned>(
        &self,
        request: reqwest::RequestBuilder,
        secrets: &[&Secret],
        refused: impl Fn(StatusCode, &str) -> ErrorKind,
    ) -> Result<T> {
        let request = request.timeout(self.time_limit).build().map_err(|_| {
            Error::new(ErrorKind::InvalidArgument, "the token has a character in it that no header can carry")
        })?;
        // As Go, and so a Handler, names a request of its own.
        let verb = if request.method() == http::Method::GET { "Get" } else { "Post" };
        let name = format!("{verb} \"{}\"", request.url());
        let lost = |error| unavailable(&name, error, self.time_limit);
        let mut answer = self.http.execute(request).await.map_err(lost)?;
        let (status, headers) = (answer.status(), std::mem::take(answer.headers_mut()));
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(lost)? {
            if body.len() + chunk.len() > MAX_ANSWER {
                let message = format!("{name}: the answer is too large");
                return Err(Error::new(ErrorKind::ExchangeUnavailable, message));
            }
            body.extend_from_slice(&chunk);
        }
        if status.is_success() {
            // serde's message would repeat values of the answer, which is a token.
            return serde_json::from_slice(&body).map_err(|_| {
                Error::new(ErrorKind::Protocol, "the account server's answer cannot be understood")
            });
        }
        let own = self.login.secrets();
        let secrets = secrets.iter().copied().chain(&own);
        let redact = |text: &str| secrets.fold(text.to_owned(), |text, secret| secret.redact(&text));
        Err(refusal(status, &headers, &body, refused, redact))
    }
}

impl fmt::Debug for AccountServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountServer")
            .field("base", &self.base.as_str())
            .field("login", &self.login)
            .finish()
    }
}

/// The same, naming what was refused.
fn refused(error: Error, what: &str) -> Error {
    error.map_message(|text| format!("the account server refuses {what} ({text})"))
}

#[cfg(test)]
#[path = "account_tests.rs"]
mod tests;
