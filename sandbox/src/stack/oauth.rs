//! OAuth: access tokens for codes and refresh tokens, and how a user gets a code. Both tokens are replaced at once; errors
//! are V3's, not RFC 6749's. Source: v3/wire.md, section OAuth.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, Method as Verb, Request, StatusCode, header};
use hyper::body::Incoming;
use serde_json::{Map, Value, json};
use ttn_auth::Secret;

use crate::serve::{Lost, Reply};
use crate::stack::caller::{STORE, access_token_not_found};
use crate::stack::error::{Refusal, known, unknown};
use crate::stack::faults::Fault;
use crate::stack::fixtures::LIFE;
use crate::stack::gateway::read;
use crate::stack::headers::{self, Dress};
use crate::stack::service::Service;
use crate::stack::state::{Client, Grant, State};
use crate::stack::token::{self, TokenType, join, split};

const NAMESPACE: &str = "pkg/oauth";

/// The OAuth server.
pub(crate) struct OAuth {
    pub(crate) service: Arc<Service>,
}

/// An error of the OAuth server, and whether the request was sound: then the answer has a second `Cache-Control`.
type Failed = (Refusal, bool);

fn error(name: &'static str, code: i32, text: &str) -> Refusal {
    known(NAMESPACE, name, code, text)
}

impl OAuth {
    /// Answers a request under `/oauth`.
    pub(crate) async fn answer(&self, request: Request<Incoming>, path: &[&str]) -> Reply {
        let (parts, body) = request.into_parts();
        let mut dress = Dress::new(&parts.method, &parts.headers);
        dress.add("content-security-policy", "base-uri 'self'; frame-ancestors 'none'");
        match (&parts.method, path) {
            (&Verb::POST, ["token"]) => self.token_answer(&parts, body, dress).await,
            (&Verb::POST, ["api", "auth", "login"]) => match self.login(body).await {
                Ok(reply) => dress.reply(reply),
                Err(refusal) => dress.refusal(&refusal, false),
            },
            (&Verb::GET, ["authorize"]) => match self.authorize(&parts) {
                Ok(reply) => dress.reply(reply),
                Err(refusal) => failed(&mut dress, &parts.headers, &refusal),
            },
            (&Verb::GET, _) => dress.html(StatusCode::OK, "The Things Stack Account"),
            _ => dress.refusal(&crate::stack::error::plain(5, "Not Found"), false),
        }
    }

    async fn token_answer(&self, parts: &http::request::Parts, body: Incoming, mut dress: Dress) -> Reply {
        self.service.counters.tokens.up();
        let fault = self.service.faults.next();
        if let Some(Fault::Slow(time)) = fault {
            tokio::time::sleep(time).await;
        }
        if let Some(Fault::Fail(status)) = fault {
            let mut reply = dress.refusal(&unknown(14, "the sandbox was told to fail"), false);
            *reply.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
            return reply;
        }
        let reply = match self.token(parts, body).await {
            Ok(granted) => {
                uncached(&mut dress);
                dress.reply(headers::json(StatusCode::OK, &granted))
            }
            Err((refusal, sound)) => {
                if sound {
                    uncached(&mut dress);
                }
                failed(&mut dress, &parts.headers, &refusal)
            }
        };
        match fault {
            Some(Fault::Lose) => {
                let mut lost = Reply::default();
                lost.extensions_mut().insert(Lost);
                lost
            }
            _ => reply,
        }
    }

    async fn token(&self, parts: &http::request::Parts, body: Incoming) -> Result<Value, Failed> {
        let unsound = |refusal| (refusal, false);
        let body = read(body).await.map_err(unsound)?;
        let request = Parameters::read(&parts.headers, parts.uri.query(), &body).map_err(unsound)?;
        let presented = request.check().map_err(unsound)?;
        let sound = |refusal| (refusal, true);
        let now = self.service.now.time();
        let state = &mut *self.service.state();
        let client = client(state, request.get("client_id"), request.get("client_secret")).map_err(sound)?;
        let client_id = request.get("client_id").to_owned();
        let (user, session, rights) = match presented {
            Presented::Code(code) => {
                let rights = client.rights.clone();
                let (user, session) = take_code(state, code, &client_id, &request, now).map_err(sound)?;
                (user, session, rights)
            }
            Presented::Refresh(refresh) => {
                let old = take_grant(state, refresh, &client_id).map_err(sound)?;
                (old.user, old.session, old.rights)
            }
        };
        let fresh = |made: ttn_auth::Result<String>| made.map_err(|e| (unknown(13, e.message()), true));
        let grant = Grant {
            id: fresh(token::fresh_id())?,
            access: Secret::new(fresh(token::fresh_secret())?),
            refresh: Secret::new(fresh(token::fresh_secret())?),
            user,
            client: client_id,
            session,
            rights,
            created_at: now,
            expires_at: now + self.service.faults.life(LIFE),
        };
        self.service.counters.granted.up();
        let granted = json!({
            "access_token": join(TokenType::Access, &grant.id, grant.access.expose()),
            "expires_in": self.service.faults.life(LIFE).as_secs(),
            "refresh_token": join(TokenType::Refresh, &grant.id, grant.refresh.expose()),
            "token_type": "bearer",
        });
        state.grants.insert(grant.id.clone(), grant);
        Ok(granted)
    }
}

/// What the OAuth library adds to what every answer has.
fn uncached(dress: &mut Dress) {
    dress.add("cache-control", "no-cache, no-store, max-age=0, must-revalidate");
    dress.add("pragma", "no-cache");
}

/// An error, as a page if a person is asking.
fn failed(dress: &mut Dress, sent: &HeaderMap, refusal: &Refusal) -> Reply {
    if headers::wants_html(sent) {
        return dress.html_refusal(refusal);
    }
    dress.refusal(refusal, false)
}

fn client<'a>(state: &'a State, id: &str, secret: &str) -> Result<&'a Client, Refusal> {
    let client = state.clients.get(id).ok_or_else(|| {
        known(STORE, "client_not_found", 5, "client with id `{client_id}` not found").with("client_id", id)
    })?;
    if client.secret.expose() == secret { Ok(client) } else { Err(unauthorized_client()) }
}

fn unauthorized_client() -> Refusal {
    let text = "client is not authorized to request a token using this method";
    error("unauthorized_client", 7, text)
}

/// A refresh token takes its access token with it.
fn take_grant(state: &mut State, refresh: &str, client: &str) -> Result<Grant, Refusal> {
    let token = split(refresh)?;
    if token.kind != TokenType::Refresh {
        return Err(error("no_refresh_token", 3, "the provided token is not a refresh token`"));
    }
    let grant = state.grants.get(token.id).ok_or_else(|| access_token_not_found(token.id))?;
    if grant.refresh.expose() != token.secret {
        return Err(error("token", 3, "invalid token"));
    }
    if grant.client != client {
        return Err(unauthorized_client());
    }
    state.grants.remove(token.id).ok_or_else(|| access_token_not_found(token.id))
}

/// A code is good once, for the client and the address that it was made for.
fn take_code(
    state: &mut State,
    code: &str,
    client: &str,
    request: &Parameters,
    now: std::time::SystemTime,
) -> Result<(String, String), Refusal> {
    let missing = || known(STORE, "authorization_code_not_found", 5, "authorization code not found");
    let token = split(code)?;
    let code = state.codes.get(token.id).filter(|_| token.kind == TokenType::Code).ok_or_else(missing)?;
    if code.secret.expose() != token.secret {
        return Err(error("token", 3, "invalid token"));
    }
    if code.expires_at <= now {
        return Err(error("authorization_code_expired", 3, "authorization code expired"));
    }
    let redirect_uri = request.get("redirect_uri");
    if code.client != client || !redirect_uri.is_empty() && code.redirect_uri != redirect_uri {
        return Err(unauthorized_client());
    }
    let code = state.codes.remove(token.id).ok_or_else(missing)?;
    Ok((code.user, code.session))
}

/// What a token is asked for with.
enum Presented<'a> {
    Code(&'a str),
    Refresh(&'a str),
}

/// The parameters of a request: of the query and the body, and the client of `Basic`, which wins.
struct Parameters(Map<String, Value>);

impl Parameters {
    fn read(headers: &HeaderMap, query: Option<&str>, body: &[u8]) -> Result<Self, Refusal> {
        let mut found = Map::new();
        let mut add = |pairs: &[u8]| {
            for (name, value) in url::form_urlencoded::parse(pairs) {
                found.entry(name.into_owned()).or_insert_with(|| value.into_owned().into());
            }
        };
        let kind = headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
        // Only exactly this; with a charset it is read as a form, and nothing is in it.
        if kind == b"application/json" {
            let parse = |_| error("parse", 10, "request body parsing");
            found = serde_json::from_slice(body).map_err(parse)?;
        } else {
            if kind.starts_with(b"application/x-www-form-urlencoded") {
                add(body);
            }
            add(query.unwrap_or_default().as_bytes());
        }
        let basic =
            headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Basic "));
        let pair = basic.and_then(|text| String::from_utf8(STANDARD.decode(text).ok()?).ok());
        if let Some((id, secret)) = pair.as_deref().and_then(|pair| pair.split_once(':')) {
            found.insert("client_id".into(), id.into());
            found.insert("client_secret".into(), secret.into());
        }
        Ok(Self(found))
    }

    fn get(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default().trim()
    }

    /// Looks for what is missing, in the server's order.
    fn check(&self) -> Result<Presented<'_>, Refusal> {
        let need = |name: &str, error_name: &'static str, text: &str| match self.get(name) {
            "" => Err(error(error_name, 3, text)),
            value => Ok(value),
        };
        let presented = match self.get("grant_type") {
            "" => return Err(error("missing_grant_type", 3, "missing grant type")),
            "authorization_code" => {
                Presented::Code(need("code", "missing_authorization_code", "missing authorization code")?)
            }
            "refresh_token" => {
                Presented::Refresh(need("refresh_token", "missing_refresh_token", "missing refresh token")?)
            }
            other => {
                let text = "invalid grant type `{grant_type}`";
                return Err(error("invalid_grant_type", 3, text).with("grant_type", other));
            }
        };
        need("client_id", "missing_client_id", "missing client id")?;
        need("client_secret", "missing_client_secret", "missing client secret")?;
        Ok(presented)
    }
}
