//! `Credentials`: a bearer token or an access key, held in Rust so that no object of JavaScript's shows it.

use napi::Env;
use napi::bindgen_prelude::{Object, Unknown};
use napi_derive::napi;
use ttn_auth::Carrier;

use crate::args::{self, Fields};
use crate::error::{guard, internal};

/// A bearer token or an access key. What it shows of itself (`util.inspect`, `JSON.stringify`, `String`) is its kind,
/// never the secret.
#[napi]
pub struct Credentials {
    pub(crate) inner: ttn_auth::Credentials,
    app_id: Option<String>,
}

impl Credentials {
    fn new(inner: ttn_auth::Credentials) -> Self {
        Self { inner, app_id: None }
    }
}

#[napi]
impl Credentials {
    /// A bearer token: a JWT that an account server issued; every V2 API takes it.
    ///
    /// Throws `AUTH_INVALID_CREDENTIALS`, naming what is wrong: empty, blanks, `Bearer ` in front, an access key in its
    /// place, an unset `${VAR}`.
    #[napi(catch_unwind, ts_args_type = "token: string")]
    pub fn bearer_token(env: &Env, token: Unknown) -> napi::Result<Self> {
        guard(env, || ttn_auth::Credentials::bearer_token(args::text(token, "token")?).map(Self::new))
    }

    /// An application access key, `<issuer>.<secret>`; the ApplicationManager takes it.
    ///
    /// Throws `AUTH_INVALID_CREDENTIALS`, as for `bearerToken`.
    #[napi(catch_unwind, ts_args_type = "key: string, options?: AccessKeyOptions")]
    pub fn access_key(env: &Env, key: Unknown, options: Option<Unknown>) -> napi::Result<Self> {
        guard(env, || {
            let inner = ttn_auth::Credentials::access_key(args::text(key, "key")?)?;
            Ok(Self { inner, app_id: Fields::optional(options, "options")?.text("appId")? })
        })
    }

    /// Tells the kind by the shape of the text.
    ///
    /// Throws `AUTH_INVALID_CREDENTIALS` if it is neither.
    #[napi(catch_unwind, ts_args_type = "secret: string")]
    pub fn parse(env: &Env, secret: Unknown) -> napi::Result<Self> {
        guard(env, || ttn_auth::Credentials::parse(&args::text(secret, "secret")?).map(Self::new))
    }

    /// Which credential it is.
    #[napi(getter, catch_unwind, ts_return_type = "CredentialsKind")]
    pub fn kind(&self) -> &'static str {
        self.inner.kind().name()
    }

    /// The header to send over HTTP. It holds the secret.
    #[napi(catch_unwind, ts_return_type = "{ authorization: string }")]
    pub fn headers<'a>(&self, env: &'a Env) -> napi::Result<Object<'a>> {
        self.entry(env, Carrier::AuthorizationHeader)
    }

    /// The metadata to send over gRPC: `token` or `key`. It holds the secret.
    #[napi(catch_unwind, ts_return_type = "Record<string, string>")]
    pub fn metadata<'a>(&self, env: &'a Env) -> napi::Result<Object<'a>> {
        self.entry(env, Carrier::GrpcMetadata)
    }

    /// What the credential says of itself, to show to a person. Nothing of it is verified.
    #[napi(catch_unwind, ts_return_type = "CredentialsDescription")]
    pub fn describe<'a>(&self, env: &'a Env) -> napi::Result<Object<'a>> {
        let said = self.inner.describe();
        let mut shown = Object::new(env)?;
        shown.set("kind", said.kind.name())?;
        for (name, value) in
            [("issuer", said.issuer), ("subject", said.subject), ("appId", self.app_id.clone())]
        {
            if let Some(value) = value {
                shown.set(name, value)?;
            }
        }
        if !said.scope.is_empty() {
            shown.set("scope", said.scope)?;
        }
        if let Some(seconds) = said.expires_at {
            shown.set("expiresAt", env.create_date(seconds * 1000.0)?)?;
        }
        if !said.apps.is_empty() {
            let mut apps = Object::new(env)?;
            for (app, rights) in said.apps {
                apps.set(app, rights)?;
            }
            shown.set("apps", apps)?;
        }
        Ok(shown)
    }

    fn entry<'a>(&self, env: &'a Env, carrier: Carrier) -> napi::Result<Object<'a>> {
        let (name, value) = carrier.entry(&self.inner);
        guard(env, || {
            let unwritable = |error: napi::Error| internal(error.reason.clone());
            let mut entry = Object::new(env).map_err(unwritable)?;
            entry.set(name, value.expose()).map_err(unwritable)?;
            Ok(entry)
        })
    }
}
