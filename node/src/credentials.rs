//! `Credentials`: a bearer token or an access key, held in Rust so that no object of JavaScript's shows it; or a file
//! with one.

use napi::Env;
use napi::bindgen_prelude::{Object, Unknown};
use napi_derive::napi;
use ttn_auth::{AppId, Carrier, CredentialsFile, CredentialsKind, Result, Secret};

use crate::args::{self, Fields};
use crate::error::{guard, internal, invalid, unreadable};
use crate::{claims, hooks};

/// A bearer token or an access key. What it shows of itself (`util.inspect`, `JSON.stringify`, `String`) is its kind,
/// never the secret.
#[napi]
pub struct Credentials {
    pub(crate) origin: Origin,
    pub(crate) app_id: Option<String>,
}

/// Where the credential is.
#[derive(Clone)]
pub(crate) enum Origin {
    Here(ttn_auth::Credentials),
    File { file: CredentialsFile, kind: Option<CredentialsKind> },
}

impl Credentials {
    fn new(inner: ttn_auth::Credentials) -> Self {
        Self { origin: Origin::Here(inner), app_id: None }
    }

    /// The credential itself; a file is read for it.
    pub(crate) fn now(&self) -> Result<ttn_auth::Credentials> {
        match &self.origin {
            Origin::Here(inner) => Ok(inner.clone()),
            Origin::File { file, .. } => file.read_now(),
        }
    }
}

/// A kind by its name.
fn kind(options: &Fields) -> Result<Option<CredentialsKind>> {
    let Some(name) = options.text("kind")? else { return Ok(None) };
    let found = CredentialsKind::ALL.into_iter().find(|kind| kind.name() == name);
    found.map(Some).ok_or_else(|| invalid("kind must be 'bearer-token', 'access-key' or 'api-key'"))
}

#[napi]
impl Credentials {
    /// A bearer token: a JWT that an account server issued, which every V2 API takes; or an OAuth access token of The
    /// Things Stack (V3).
    ///
    /// Throws `AUTH_INVALID_CREDENTIALS`, naming what is wrong: empty, blanks, `Bearer ` in front, a key in its place, an
    /// unset `${VAR}`.
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
            Ok(Self { app_id: Fields::optional(options, "options")?.text("appId")?, ..Self::new(inner) })
        })
    }

    /// An API key of The Things Stack (V3), `NNSXS.<id>.<secret>`; every API of it takes it. What it may do, and until when,
    /// `Client.authInfo` asks the server.
    ///
    /// Throws `AUTH_INVALID_CREDENTIALS`, as for `bearerToken`.
    #[napi(catch_unwind, ts_args_type = "key: string")]
    pub fn api_key(env: &Env, key: Unknown) -> napi::Result<Self> {
        guard(env, || ttn_auth::Credentials::api_key(args::text(key, "key")?).map(Self::new))
    }

    /// Tells the kind by the shape of the text.
    ///
    /// Throws `AUTH_INVALID_CREDENTIALS` if it is none, or a refresh token or an authorization code, which no call takes: the
    /// message says what to do with it.
    #[napi(catch_unwind, ts_args_type = "secret: string")]
    pub fn parse(env: &Env, secret: Unknown) -> napi::Result<Self> {
        guard(env, || ttn_auth::Credentials::parse(&args::text(secret, "secret")?).map(Self::new))
    }

    /// A credential in a file that somebody else replaces, such as a mounted secret. The file is read when a call needs
    /// it, at most once a second, and again at once when the server refused what was in it. Blanks and line breaks around
    /// the credential are left out. While the file is missing, empty or wrong, the last good credential counts.
    ///
    /// Throws `AUTH_INVALID_ARGUMENT` for a wrong option. What is wrong with the file is the error of the calls:
    /// `AUTH_INVALID_ARGUMENT` if it is missing or may not be read, `AUTH_INVALID_CREDENTIALS` if no good credential is in
    /// it.
    #[napi(catch_unwind, ts_args_type = "path: string, options?: OriginOptions")]
    pub fn from_file(env: &Env, path: Unknown, options: Option<Unknown>) -> napi::Result<Self> {
        guard(env, || {
            let path = args::text(path, "path")?;
            if path.is_empty() || path.contains('\0') {
                return Err(invalid("path must be that of a file"));
            }
            let options = Fields::optional(options, "options")?;
            let kind = kind(&options)?;
            let origin = Origin::File { file: CredentialsFile::new(path, kind), kind };
            Ok(Self { origin, app_id: options.text("appId")? })
        })
    }

    /// The credential that is now in an environment variable (of `process.env`). Blanks and line breaks around it are left
    /// out.
    ///
    /// Throws `AUTH_INVALID_CREDENTIALS` if the variable is not set, or what is in it is no good.
    #[napi(catch_unwind, ts_args_type = "name: string, options?: OriginOptions")]
    pub fn from_environment(env: &Env, name: Unknown, options: Option<Unknown>) -> napi::Result<Self> {
        guard(env, || {
            let name = args::text(name, "name")?;
            let options = Fields::optional(options, "options")?;
            // By JavaScript: a worker has an environment of its own, and reading the process's here could be a race.
            let read = || hooks::environment(env, name.clone()).map_err(|error| unreadable("name", &error));
            let inner =
                ttn_auth::Credentials::from_variable(
                    &name,
                    kind(&options)?,
                    || Ok(read()?.map(Secret::new)),
                )?;
            Ok(Self { app_id: options.text("appId")?, ..Self::new(inner) })
        })
    }

    /// Which credential it is. For a file whose kind was not given, the file is read, and what is wrong with it is thrown.
    #[napi(getter, catch_unwind, ts_return_type = "CredentialsKind")]
    pub fn kind(&self, env: &Env) -> napi::Result<&'static str> {
        match self.origin {
            Origin::File { kind: Some(kind), .. } => Ok(kind.name()),
            _ => guard(env, || Ok(self.now()?.kind().name())),
        }
    }

    /// The header to send over HTTP. It holds the secret.
    #[napi(catch_unwind, ts_return_type = "{ authorization: string }")]
    pub fn headers<'a>(&self, env: &'a Env) -> napi::Result<Object<'a>> {
        self.entry(env, Carrier::AuthorizationHeader)
    }

    /// The metadata to send over gRPC: `token` or `key`; of The Things Stack, `authorization`. It holds the secret.
    #[napi(catch_unwind, ts_return_type = "Record<string, string>")]
    pub fn metadata<'a>(&self, env: &'a Env) -> napi::Result<Object<'a>> {
        self.entry(env, Carrier::GrpcMetadata)
    }

    /// What the credential says of itself, to show to a person. Nothing of it is verified.
    #[napi(catch_unwind, ts_return_type = "CredentialsDescription")]
    pub fn describe<'a>(&self, env: &'a Env) -> napi::Result<Object<'a>> {
        let said = guard(env, || Ok(self.now()?.describe()))?;
        let mut shown = Object::new(env)?;
        shown.set("kind", said.kind.name())?;
        let stack = said.r#type.network().filter(|network| *network == "the-things-stack");
        for (name, value) in [
            ("network", stack.map(str::to_owned)),
            ("type", stack.map(|_| said.r#type.name().to_owned())),
            ("id", said.id),
            ("issuer", said.issuer),
            ("subject", said.subject),
            ("appId", self.app_id.clone()),
        ] {
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
            shown.set("apps", claims::rights(env, &said.apps)?)?;
        }
        Ok(shown)
    }

    /// What to sign in with at the MQTT server of an application: of V2 its id and access key, of The Things Stack its id with
    /// the tenant's (`my-app@ttn`) and an API key. It holds the secret.
    ///
    /// Throws `AUTH_INVALID_CREDENTIALS` for a bearer token, which MQTT servers do not take; `AUTH_INVALID_ARGUMENT` for an
    /// id that is not valid.
    #[napi(
        catch_unwind,
        ts_args_type = "options?: MqttOptions",
        ts_return_type = "{ username: string, password: string }"
    )]
    pub fn mqtt<'a>(&self, env: &'a Env, options: Option<Unknown<'a>>) -> napi::Result<Object<'a>> {
        guard(env, || {
            let options = Fields::optional(options, "options")?;
            options.only(&["appId", "tenant"])?;
            let app = options.text("appId")?.or_else(|| self.app_id.clone());
            let app =
                app.ok_or_else(|| invalid("appId is missing: the application whose messages are meant"))?;
            let app = AppId::new(app).map_err(|error| invalid(format!("appId: {}", error.message())))?;
            let tenant = options.text("tenant")?.filter(|tenant| !tenant.is_empty());
            let login = self.now()?.mqtt(&app, tenant.as_deref())?;
            let unwritable = |error: napi::Error| internal(error.reason.clone());
            let mut shown = Object::new(env).map_err(unwritable)?;
            shown.set("username", login.username).map_err(unwritable)?;
            shown.set("password", login.password.expose()).map_err(unwritable)?;
            Ok(shown)
        })
    }

    fn entry<'a>(&self, env: &'a Env, carrier: Carrier) -> napi::Result<Object<'a>> {
        guard(env, || {
            let (name, value) = carrier.entry(&self.now()?);
            let unwritable = |error: napi::Error| internal(error.reason.clone());
            let mut entry = Object::new(env).map_err(unwritable)?;
            entry.set(name, value.expose()).map_err(unwritable)?;
            Ok(entry)
        })
    }
}
