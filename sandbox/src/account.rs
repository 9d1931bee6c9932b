//! The account server: tells its public key, exchanges access keys for tokens, restricts tokens. Source: wire.md,
//! section 3.

#![allow(clippy::result_large_err, reason = "a refusal is an answer like any other, moved once")]

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{HeaderMap, Method, Request, StatusCode};
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::{Value, json};
use ttn_auth::{AppId, Carrier, Claims, Error, KeySet, Result, Secret, Verifier};

use crate::answers::Answers;
use crate::counts::Counters;
use crate::grants::{AccessKey, Grants, unknown_key};
use crate::issuer::Issuer;
use crate::mint::APPLICATION_RIGHTS;
use crate::oauth::{TokenRequest, is_client, read_any, read_json};
use crate::rest::{json as answer, segments, text};
use crate::serve::{Reply, Service};

/// The one person who can sign in, and with what. Published, and so worth nothing elsewhere.
const USER: (&str, &str) = ("sandbox", "sandbox");

/// What an OAuth flow of that person would end with.
const AUTHORIZATION_CODE: &str = "sandbox-code";

pub(crate) struct Account {
    pub(crate) issuer: Arc<Issuer>,
    pub(crate) grants: Grants,
    pub(crate) answers: Answers,
    /// The OAuth client that callers must be, if any.
    pub(crate) client: Option<(String, Secret)>,
    pub(crate) counters: Arc<Counters>,
}

impl Account {
    /// Adds an access key, without the issuer in front.
    pub(crate) fn add_key(&self, app: &AppId, secret: String, rights: &[&str]) -> Result<()> {
        let rights = rights.iter().map(|right| (*right).to_owned()).collect();
        let subject = self.issuer.fresh_subject()?;
        self.grants.add_key(AccessKey { secret, app_id: app.to_string(), rights, subject })
    }

    /// Removes an access key (`<issuer>.<secret>`).
    pub(crate) fn remove_key(&self, key: &str) -> Result<()> {
        self.grants.remove_key(self.secret(key).ok_or_else(unknown_key)?)
    }

    /// What stands behind the dot of a key of this issuer.
    fn secret<'a>(&self, key: &'a str) -> Option<&'a str> {
        key.split_once('.').filter(|(issuer, _)| *issuer == self.issuer.id()).map(|(_, secret)| secret)
    }

    /// The grant of a key (`<issuer>.<secret>`).
    fn key(&self, key: &str) -> Option<AccessKey> {
        self.grants.key(self.secret(key)?)
    }

    fn token(&self, subject: &str, scope: &[String], apps: &BTreeMap<String, Vec<String>>) -> Result<String> {
        let (issued, expires) = self.answers.times(self.issuer.clock().seconds());
        let claims = json!({
            "iss": self.issuer.id(), "sub": subject, "iat": issued, "exp": expires, "jti": self.issuer.fresh_id()?,
            "type": "user", "scope": scope, "apps": apps,
        });
        self.issuer.sign(self.issuer.algorithm().into(), &claims)
    }

    /// Refuses a caller that is not the client, where there is one.
    fn require_client(&self, headers: &HeaderMap) -> Result<(), Reply> {
        match &self.client {
            Some(client) if !is_client(headers, client) => Err(refused("invalid_client")),
            _ => Ok(()),
        }
    }

    async fn exchange(&self, headers: &HeaderMap, request: &TokenRequest) -> Result<Value, Reply> {
        self.counters.exchanges.up();
        if Carrier::AuthorizationHeader.extract(headers).token.is_none() {
            self.require_client(headers)?;
        } else if self.client.is_some() && self.bearer(headers).await?.components.is_empty() {
            return Err(refused("the token is not a component's"));
        }
        let key = self.key(&request.password).filter(|key| key.app_id == request.username);
        let key = key.ok_or_else(|| refused("invalid access key"))?;
        let apps = BTreeMap::from([(key.app_id.clone(), key.rights)]);
        let token = self.token(&key.subject, &[format!("apps:{}", key.app_id)], &apps).map_err(broken)?;
        Ok(self.answers.granted(&token))
    }

    /// A token for a person, with everything on every application.
    fn sign_in(&self, headers: &HeaderMap, request: &TokenRequest) -> Result<Value, Reply> {
        let refreshes = request.grant_type == "refresh_token";
        if refreshes { &self.counters.refreshes } else { &self.counters.sign_ins }.up();
        self.require_client(headers)?;
        let known = match request.grant_type.as_str() {
            "password" => (request.username.as_str(), request.password.as_str()) == USER,
            "authorization_code" => request.code == AUTHORIZATION_CODE,
            "refresh_token" => true,
            _ => return Err(error(StatusCode::BAD_REQUEST, "unsupported_grant_type")),
        };
        let refresh_token = self.issuer.fresh_subject().map_err(broken)?;
        let known = match (known, refreshes) {
            (true, true) => self.grants.replace_refresh(&request.refresh_token, refresh_token.clone()),
            (true, false) => self.grants.add_refresh(refresh_token.clone()).map(|()| true),
            (false, _) => Ok(false),
        };
        if !known.map_err(broken)? {
            return Err(refused("invalid_grant"));
        }
        let apps = self.grants.everything();
        let scope: Vec<_> = apps.keys().map(|app| format!("apps:{app}")).collect();
        let token = self.token(USER.0, &scope, &apps).map_err(broken)?;
        let mut granted = self.answers.granted(&token);
        granted["refresh_token"] = refresh_token.into();
        Ok(granted)
    }

    async fn restrict(&self, headers: &HeaderMap, request: &Restriction) -> Result<Value, Reply> {
        self.counters.restricts.up();
        let claims = self.bearer(headers).await?;
        if let Some(missing) = request.scope.iter().find(|scope| !claims.scope.contains(scope)) {
            return Err(error(StatusCode::FORBIDDEN, &format!("the token has no scope {missing}")));
        }
        let mut apps = claims.apps.clone();
        apps.retain(|app, _| request.scope.contains(&format!("apps:{app}")));
        let token = self.token(&claims.subject, &request.scope, &apps).map_err(broken)?;
        Ok(json!({ "access_token": token }))
    }

    async fn application(&self, headers: &HeaderMap, id: &str) -> Result<Value, Reply> {
        let presented = Carrier::AuthorizationHeader.extract(headers);
        let rights = match &presented.key {
            Some(key) => self.key(key.expose()).filter(|key| key.app_id == id).map(|key| key.rights),
            None => self.bearer(headers).await?.apps.get(id).cloned(),
        };
        let rights = rights.ok_or_else(|| refused("no rights to this application"))?;
        if !self.grants.knows(id) {
            return Err(error(StatusCode::NOT_FOUND, "application not found"));
        }
        Ok(json!({
            "id": id, "name": id, "euis": [], "access_keys": [],
            "collaborators": [{"username": USER.0, "rights": APPLICATION_RIGHTS}], "rights": rights,
        }))
    }

    async fn bearer(&self, headers: &HeaderMap) -> Result<Arc<Claims>, Reply> {
        let token = Carrier::AuthorizationHeader.extract(headers).token;
        let token = token.unwrap_or_else(|| Secret::new(""));
        // The key of now: tokens of an earlier one are as good as forged.
        let keys = KeySet::new().with_key(self.issuer.id(), self.issuer.public_key().map_err(broken)?);
        let verifier =
            Verifier::new(keys).with_clock(self.issuer.clock().clock()).with_missing_expiry_allowed();
        let claims = verifier.verify(&token).await;
        claims
            .and_then(|claims| self.issuer.revoked().check(token.expose()).map(|()| claims))
            .map_err(|e| refused(e.message()))
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Value, Reply> {
        let segments = segments(request.uri());
        let names: Vec<&str> = segments.iter().map(String::as_str).collect();
        let (parts, incoming) = request.into_parts();
        match (&parts.method, names.as_slice()) {
            (&Method::GET, ["key"]) => {
                self.counters.keys.up();
                Ok(json!({"algorithm": self.issuer.algorithm().name(), "key": self.issuer.public_pem()}))
            }
            (&Method::POST, ["api", "v2", "applications", "token"]) => {
                self.exchange(&parts.headers, &read_json(incoming).await?).await
            }
            (&Method::POST, ["users", "token"]) => {
                self.sign_in(&parts.headers, &read_any(&parts.headers, incoming).await?)
            }
            (&Method::POST, ["users", "restrict-token"]) => {
                self.restrict(&parts.headers, &read_json(incoming).await?).await
            }
            (&Method::GET, ["applications", id] | ["api", "v2", "applications", id]) => {
                self.application(&parts.headers, id).await
            }
            _ => Err(text(StatusCode::NOT_FOUND, "Not Found")),
        }
    }
}

impl Service for Account {
    async fn call(&self, request: Request<Incoming>) -> Reply {
        match self.answer(request).await {
            Ok(value) => answer(StatusCode::OK, value.to_string()),
            Err(refusal) => refusal,
        }
    }
}

/// Asks for less.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Restriction {
    scope: Vec<String>,
}

fn refused(why: &str) -> Reply {
    error(StatusCode::UNAUTHORIZED, why)
}

pub(crate) fn error(status: StatusCode, why: &str) -> Reply {
    answer(status, json!({"code": status.as_u16(), "error": why}).to_string())
}

fn broken(e: Error) -> Reply {
    error(StatusCode::INTERNAL_SERVER_ERROR, e.message())
}
