//! The account server: tells its public key, exchanges access keys for tokens, restricts tokens. Source: wire.md,
//! section 3.

#![allow(clippy::result_large_err, reason = "a refusal is an answer like any other, moved once")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, Method, Request, StatusCode};
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::{Value, json};
use ttn_auth::{AppId, Carrier, Claims, Error, ErrorKind, KeySet, PublicKey, Result, Secret, Verifier};

use crate::issuer::Issuer;
use crate::mint::APPLICATION_RIGHTS;
use crate::rest::{body, json as answer, segments, text};
use crate::serve::{Reply, Service};

/// The one person who can sign in, and with what. Published, and so worth nothing elsewhere.
const USER: (&str, &str) = ("sandbox", "sandbox");

/// What an OAuth flow of that person would end with.
const AUTHORIZATION_CODE: &str = "sandbox-code";

/// How many tokens can be waiting to be refreshed; the oldest go first.
const MAX_REFRESH: usize = 1000;

pub(crate) struct Account {
    issuer: Arc<Issuer>,
    verifier: Verifier,
    /// How long exchanged tokens are valid.
    lifetime: Duration,
    state: Mutex<State>,
    exchanges: AtomicUsize,
}

#[derive(Default)]
struct State {
    applications: BTreeSet<String>,
    /// By what stands behind the dot.
    keys: HashMap<String, AccessKey>,
    refresh: Vec<String>,
}

#[derive(Clone)]
struct AccessKey {
    app_id: String,
    rights: Vec<String>,
    /// Who its tokens are issued to: always the same, because the rate limit counts per subject.
    subject: String,
}

impl Account {
    pub(crate) fn new(issuer: Arc<Issuer>, lifetime: Duration) -> Result<Self> {
        let key = PublicKey::from_pem(issuer.algorithm(), &issuer.public_pem())?;
        let verifier = Verifier::new(KeySet::new().with_key(issuer.id(), key));
        Ok(Self { issuer, verifier, lifetime, state: Mutex::default(), exchanges: AtomicUsize::new(0) })
    }

    /// Adds an application with V2's fixtures of keys: `full-`, `nodev-`, `noset-` and `k0-` to `k99-`.
    pub(crate) fn add_application(&self, app: &AppId) -> Result<()> {
        self.add_key(app, &format!("full-{app}"), &APPLICATION_RIGHTS)?;
        self.add_key(app, &format!("nodev-{app}"), &["settings", "messages:up:r"])?;
        self.add_key(app, &format!("noset-{app}"), &["devices"])?;
        for n in 0..100 {
            self.add_key(app, &format!("k{n}-{app}"), &APPLICATION_RIGHTS)?;
        }
        Ok(())
    }

    /// Adds an access key, without the issuer in front.
    pub(crate) fn add_key(&self, app: &AppId, secret: &str, rights: &[&str]) -> Result<()> {
        let key = AccessKey {
            app_id: app.to_string(),
            rights: rights.iter().map(|right| (*right).to_owned()).collect(),
            subject: self.issuer.fresh_subject()?,
        };
        let mut state = self.state();
        state.applications.insert(app.to_string());
        state.keys.insert(secret.to_owned(), key);
        Ok(())
    }

    /// How many exchanges have been asked for.
    pub(crate) fn exchanges(&self) -> usize {
        self.exchanges.load(Ordering::Relaxed)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The grant of a key (`<issuer>.<secret>`).
    fn key(&self, key: &str) -> Option<AccessKey> {
        let (issuer, secret) = key.split_once('.')?;
        self.state().keys.get(secret).filter(|_| issuer == self.issuer.id()).cloned()
    }

    fn token(&self, subject: &str, scope: &[String], apps: &BTreeMap<String, Vec<String>>) -> Result<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let claims = json!({
            "iss": self.issuer.id(), "sub": subject, "iat": now.as_secs(), "exp": (now + self.lifetime).as_secs(),
            "type": "user", "scope": scope, "apps": apps,
        });
        self.issuer.sign(self.issuer.algorithm().into(), &claims)
    }

    fn exchange(&self, request: &Credentials) -> Result<Value, Reply> {
        self.exchanges.fetch_add(1, Ordering::Relaxed);
        let key = self.key(&request.password).filter(|key| key.app_id == request.username);
        let key = key.ok_or_else(|| refused("invalid access key"))?;
        let apps = BTreeMap::from([(key.app_id.clone(), key.rights)]);
        let token = self.token(&key.subject, &[format!("apps:{}", key.app_id)], &apps).map_err(broken)?;
        Ok(json!({"access_token": token, "expires_in": self.lifetime.as_secs()}))
    }

    /// A token for a person, with everything on every application.
    fn sign_in(&self, request: &Credentials) -> Result<Value, Reply> {
        let known = match request.grant_type.as_str() {
            "password" => (request.username.as_str(), request.password.as_str()) == USER,
            "authorization_code" => request.code == AUTHORIZATION_CODE,
            "refresh_token" => {
                let refresh = &mut self.state().refresh;
                let found = refresh.iter().position(|token| *token == request.refresh_token);
                // Good for one use.
                found.map(|at| refresh.remove(at)).is_some()
            }
            _ => return Err(error(StatusCode::BAD_REQUEST, "unsupported_grant_type")),
        };
        if !known {
            return Err(refused("invalid_grant"));
        }
        let refresh_token = self.issuer.fresh_subject().map_err(broken)?;
        let mut state = self.state();
        let apps: BTreeMap<_, _> = state
            .applications
            .iter()
            .map(|app| (app.clone(), APPLICATION_RIGHTS.map(str::to_owned).to_vec()))
            .collect();
        if state.refresh.len() >= MAX_REFRESH {
            state.refresh.remove(0);
        }
        state.refresh.push(refresh_token.clone());
        drop(state);
        let scope: Vec<_> = apps.keys().map(|app| format!("apps:{app}")).collect();
        let token = self.token(USER.0, &scope, &apps).map_err(broken)?;
        Ok(
            json!({"access_token": token, "expires_in": self.lifetime.as_secs(), "refresh_token": refresh_token}),
        )
    }

    async fn restrict(&self, headers: &HeaderMap, request: &Restriction) -> Result<Value, Reply> {
        let claims = self.bearer(headers).await?;
        if let Some(missing) = request.scope.iter().find(|scope| !claims.scope.contains(scope)) {
            return Err(error(StatusCode::FORBIDDEN, &format!("the token has no scope {missing}")));
        }
        let mut apps = claims.apps;
        apps.retain(|app, _| request.scope.contains(&format!("apps:{app}")));
        let token = self.token(&claims.subject, &request.scope, &apps).map_err(broken)?;
        Ok(json!({ "access_token": token }))
    }

    async fn application(&self, headers: &HeaderMap, id: &str) -> Result<Value, Reply> {
        let presented = Carrier::AuthorizationHeader.extract(headers);
        let rights = match &presented.key {
            Some(key) => self.key(key.expose()).filter(|key| key.app_id == id).map(|key| key.rights),
            None => self.bearer(headers).await?.apps.remove(id),
        };
        let rights = rights.ok_or_else(|| refused("no rights to this application"))?;
        if !self.state().applications.contains(id) {
            return Err(error(StatusCode::NOT_FOUND, "application not found"));
        }
        Ok(json!({
            "id": id, "name": id, "euis": [], "access_keys": [],
            "collaborators": [{"username": USER.0, "rights": APPLICATION_RIGHTS}], "rights": rights,
        }))
    }

    async fn bearer(&self, headers: &HeaderMap) -> Result<Claims, Reply> {
        let token = Carrier::AuthorizationHeader.extract(headers).token;
        let token = token.unwrap_or_else(|| Secret::new(""));
        self.verifier.verify(&token).await.map_err(|e| refused(e.message()))
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Value, Reply> {
        let segments = segments(request.uri());
        let names: Vec<&str> = segments.iter().map(String::as_str).collect();
        let (parts, incoming) = request.into_parts();
        match (&parts.method, names.as_slice()) {
            (&Method::GET, ["key"]) => {
                Ok(json!({"algorithm": self.issuer.algorithm().name(), "key": self.issuer.public_pem()}))
            }
            (&Method::POST, ["api", "v2", "applications", "token"]) => self.exchange(&read(incoming).await?),
            (&Method::POST, ["users", "token"]) => self.sign_in(&read(incoming).await?),
            (&Method::POST, ["users", "restrict-token"]) => {
                self.restrict(&parts.headers, &read(incoming).await?).await
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

/// Asks for a token.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Credentials {
    grant_type: String,
    username: String,
    password: String,
    code: String,
    refresh_token: String,
}

/// Asks for less.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Restriction {
    scope: Vec<String>,
}

async fn read<T: for<'de> Deserialize<'de>>(incoming: Incoming) -> Result<T, Reply> {
    let body = body(incoming).await?;
    serde_json::from_slice(&body)
        .map_err(|_| error(StatusCode::BAD_REQUEST, "the body is not the expected JSON"))
}

fn refused(why: &str) -> Reply {
    error(StatusCode::UNAUTHORIZED, why)
}

fn error(status: StatusCode, why: &str) -> Reply {
    answer(status, json!({"code": status.as_u16(), "error": why}).to_string())
}

fn broken(e: Error) -> Reply {
    debug_assert_eq!(e.kind(), ErrorKind::Internal);
    error(StatusCode::INTERNAL_SERVER_ERROR, e.message())
}
