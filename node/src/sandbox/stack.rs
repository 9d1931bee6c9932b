//! `sandbox.stack`: the V3 side.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use napi::bindgen_prelude::{Object, Unknown};
use napi::{Env, ValueType};
use napi_derive::napi;
use ttn_auth::Result;
use ttn_auth_sandbox::{NewKey, Owner, STACK_APP_ID, STACK_CLIENT, STACK_USER, Sandbox as Inner, Stack};

use super::{Sandbox, options};
use crate::args::{self, Fields};
use crate::contained::Contained;
use crate::error::{guard, invalid};

#[napi]
impl Sandbox {
    /// The V3 side: The Things Stack's Identity Server, events and OAuth. Each read makes another object for the same.
    #[napi(getter, catch_unwind)]
    pub fn stack(&self) -> SandboxStack {
        SandboxStack { inner: Contained::new((*self.inner).clone()) }
    }
}

/// The V3 side of a sandbox: The Things Stack with user `alice`, her application `app1` with the devices `dev1` to `dev3`,
/// `app2` of somebody else which she may see, an administrator, an OAuth client, and a credential of every kind.
#[napi]
pub struct SandboxStack {
    inner: Contained<Arc<Inner>>,
}

impl SandboxStack {
    fn stack(&self) -> &Stack {
        self.inner.stack()
    }
}

#[napi]
impl SandboxStack {
    /// The gRPC API, `grpc://127.0.0.1:<port>`.
    #[napi(getter, catch_unwind)]
    pub fn grpc_address(&self) -> String {
        self.stack().grpc_address()
    }

    /// The same with TLS, `grpcs://localhost:<port>`. The certificate is the sandbox's.
    #[napi(getter, catch_unwind)]
    pub fn grpcs_address(&self) -> String {
        self.stack().grpcs_address()
    }

    /// The HTTP API (`/api/v3`) and OAuth (`/oauth`), `http://127.0.0.1:<port>`.
    #[napi(getter, catch_unwind)]
    pub fn http_address(&self) -> String {
        self.stack().http_address()
    }

    /// The same with TLS, `https://localhost:<port>`.
    #[napi(getter, catch_unwind)]
    pub fn https_address(&self) -> String {
        self.stack().https_address()
    }

    /// The certificate to trust (PEM), as `sandbox.ca`.
    #[napi(getter, catch_unwind)]
    pub fn ca(&self) -> String {
        self.inner.ca().to_owned()
    }

    /// The application: `app1`.
    #[napi(getter, catch_unwind)]
    pub fn app_id(&self) -> &'static str {
        STACK_APP_ID
    }

    /// Its owner: `alice`, whose password is `sandbox`.
    #[napi(getter, catch_unwind)]
    pub fn user_id(&self) -> &'static str {
        STACK_USER
    }

    /// An API key with every right on the application.
    #[napi(getter, catch_unwind)]
    pub fn api_key(&self) -> String {
        self.stack().api_key()
    }

    /// An API key with every right of the user.
    #[napi(getter, catch_unwind)]
    pub fn user_api_key(&self) -> String {
        self.stack().user_api_key()
    }

    /// An API key that may read the application and its devices, and nothing else.
    #[napi(getter, catch_unwind)]
    pub fn read_only_api_key(&self) -> String {
        self.stack().read_only_api_key()
    }

    /// The OAuth client.
    #[napi(getter, catch_unwind)]
    pub fn client_id(&self) -> &'static str {
        STACK_CLIENT.0
    }

    /// Its secret.
    #[napi(getter, catch_unwind)]
    pub fn client_secret(&self) -> &'static str {
        STACK_CLIENT.1
    }

    /// A refresh token of the user for the OAuth client, as it was at the start: good once.
    #[napi(getter, catch_unwind)]
    pub fn refresh_token(&self) -> String {
        self.stack().refresh_token()
    }

    /// How often it was asked for what, since it was started.
    #[napi(getter, catch_unwind, ts_return_type = "SandboxStackCounts")]
    pub fn counts<'a>(&self, env: &'a Env) -> napi::Result<Object<'a>> {
        let counts = self.stack().counts();
        let mut object = Object::new(env)?;
        for (name, count) in [
            ("calls", counts.calls),
            ("authInfos", counts.auth_infos),
            ("streams", counts.streams),
            ("tokens", counts.tokens),
            ("granted", counts.granted),
            ("rateLimited", counts.rate_limited),
        ] {
            object.set(name, u32::try_from(count).unwrap_or(u32::MAX))?;
        }
        Ok(object)
    }

    /// How many streams of events are open.
    #[napi(getter, catch_unwind)]
    pub fn open_streams(&self) -> u32 {
        u32::try_from(self.stack().open_streams()).unwrap_or(u32::MAX)
    }

    /// A credential of the fixtures by its name in the recorded vectors: `app1_all`, `app1_info_only`, `app1_link_only`,
    /// `app1_devices`, `app1_read_only`, `app1_expired`, `app1_expires_2030`, `app1_deleted`, `app1_wrong_secret`,
    /// `unknown_id`, `app2_all`, `alice_user_all`, `alice_user_apps_list`, `admin_user_all`, `oauth_access`,
    /// `oauth_refresh`, `oauth_access_expired`, `oauth_refresh_expired`, `oauth_access_admin`, `code`, `session_token`,
    /// `cookie`.
    #[napi(catch_unwind, ts_args_type = "name: string")]
    pub fn key(&self, env: &Env, name: Unknown) -> napi::Result<String> {
        guard(env, || self.stack().key(&args::text(name, "name")?))
    }

    /// Makes an API key, and returns it.
    #[napi(catch_unwind, ts_args_type = "key: SandboxApiKey")]
    pub fn add_api_key(&self, env: &Env, key: Unknown) -> napi::Result<String> {
        guard(env, || self.stack().add_api_key(new_key(&Fields::required(key, "key")?)?))
    }

    /// Takes a credential back: an API key, an OAuth token with the other of its pair, a session token.
    #[napi(catch_unwind, ts_args_type = "credential: string")]
    pub fn revoke(&self, env: &Env, credential: Unknown) -> napi::Result<()> {
        guard(env, || self.stack().revoke(&args::text(credential, "credential")?))
    }

    /// Sends an event to the open streams of an application; returns how many there were. It is The Things Stack's JSON;
    /// what is missing is made, and `data` that does not say its `@type` is a `google.protobuf.Value`.
    #[napi(catch_unwind, ts_args_type = "appId: string, event?: Record<string, unknown>")]
    pub fn emit(&self, env: &Env, app_id: Unknown, event: Option<Unknown>) -> napi::Result<u32> {
        guard(env, || {
            let event = match event {
                Some(event) => args::json(env, event, "event")?,
                None => "{}".to_owned(),
            };
            let event = serde_json::from_str(&event).map_err(|e| invalid(format!("event: {e}")))?;
            let count = self.stack().emit(&args::text(app_id, "appId")?, event)?;
            Ok(u32::try_from(count).unwrap_or(u32::MAX))
        })
    }

    /// Breaks every open stream off, as a lost connection does; returns how many there were.
    #[napi(catch_unwind)]
    pub fn break_streams(&self) -> u32 {
        u32::try_from(self.stack().break_streams()).unwrap_or(u32::MAX)
    }

    /// Ends every open stream, as a server does that stops: over gRPC with code 14, over HTTP with the end of the body;
    /// returns how many there were.
    #[napi(catch_unwind)]
    pub fn end_streams(&self) -> u32 {
        u32::try_from(self.stack().end_streams()).unwrap_or(u32::MAX)
    }

    /// So many calls a minute of each method for each token from now on; `false`, the default, is no limit.
    #[napi(catch_unwind, ts_args_type = "limit: number | false")]
    pub fn set_rate_limit(&self, env: &Env, limit: Unknown) -> napi::Result<()> {
        guard(env, || {
            let none =
                matches!(args::kind(limit)?, ValueType::Boolean | ValueType::Null | ValueType::Undefined);
            let limit = if none { None } else { Some(options::count(limit, "limit")?) };
            self.stack().set_rate_limit(limit);
            Ok(())
        })
    }

    /// Sets its clock so many seconds ahead; behind, if negative; right, with 0.
    #[napi(catch_unwind, ts_args_type = "seconds: number")]
    pub fn set_clock(&self, env: &Env, seconds: Unknown) -> napi::Result<()> {
        guard(env, || {
            self.stack().set_clock(options::whole_number(seconds, "seconds")?);
            Ok(())
        })
    }

    /// How long OAuth access tokens are valid that are granted from now on, in seconds.
    #[napi(catch_unwind, ts_args_type = "seconds: number")]
    pub fn set_token_lifetime(&self, env: &Env, seconds: Unknown) -> napi::Result<()> {
        guard(env, || {
            self.stack().set_token_lifetime(options::seconds(seconds, "seconds")?);
            Ok(())
        })
    }

    /// The next so many calls are refused with this gRPC code (over HTTP with its status), and not carried out. Default: 14,
    /// unavailable.
    #[napi(catch_unwind, ts_args_type = "count: number, grpcCode?: number")]
    pub fn fail_calls(&self, env: &Env, count: Unknown, grpc_code: Option<Unknown>) -> napi::Result<()> {
        guard(env, || {
            let code = match grpc_code {
                Some(code) if args::kind(code)? != ValueType::Undefined => options::count(code, "grpcCode")?,
                _ => 14,
            };
            let code = i32::try_from(code).ok().filter(|code| (1..=16).contains(code));
            let code = code.ok_or_else(|| invalid("grpcCode must be a number from 1 to 16"))?;
            self.stack().fail_calls(options::count(count, "count")?, code);
            Ok(())
        })
    }

    /// Calls are answered so many milliseconds later from now on; 0 is at once.
    #[napi(catch_unwind, ts_args_type = "millis: number")]
    pub fn delay_calls(&self, env: &Env, millis: Unknown) -> napi::Result<()> {
        guard(env, || {
            let millis = options::count(millis, "millis")?;
            self.stack().delay_calls(Duration::from_millis(u64::from(millis)));
            Ok(())
        })
    }

    /// The next so many requests for an OAuth token are carried out and their answers lost: the connection closes.
    #[napi(catch_unwind, ts_args_type = "count: number")]
    pub fn lose_token_answers(&self, env: &Env, count: Unknown) -> napi::Result<()> {
        guard(env, || {
            self.stack().lose_token_answers(options::count(count, "count")?);
            Ok(())
        })
    }

    /// The next so many requests for an OAuth token are refused with this status (default: 503), and not carried out.
    #[napi(catch_unwind, ts_args_type = "count: number, status?: number")]
    pub fn fail_tokens(&self, env: &Env, count: Unknown, status: Option<Unknown>) -> napi::Result<()> {
        guard(env, || {
            let status = match status {
                Some(status) if args::kind(status)? != ValueType::Undefined => {
                    options::count(status, "status")?
                }
                _ => 503,
            };
            let status = u16::try_from(status).ok().filter(|status| (400..600).contains(status));
            let status = status.ok_or_else(|| invalid("status must be a number from 400 to 599"))?;
            self.stack().fail_tokens(options::count(count, "count")?, status);
            Ok(())
        })
    }

    /// Requests for an OAuth token are answered so many milliseconds later from now on; 0 is at once.
    #[napi(catch_unwind, ts_args_type = "millis: number")]
    pub fn delay_tokens(&self, env: &Env, millis: Unknown) -> napi::Result<()> {
        guard(env, || {
            let millis = options::count(millis, "millis")?;
            self.stack().delay_tokens(Duration::from_millis(u64::from(millis)));
            Ok(())
        })
    }
}

fn new_key(key: &Fields) -> Result<NewKey> {
    let owner = match (key.text("application")?, key.text("user")?) {
        (Some(id), None) => Owner::Application(id),
        (None, Some(id)) => Owner::User(id),
        _ => return Err(invalid("application or user must be named, one of them")),
    };
    let rights = key.texts("rights")?.ok_or_else(|| invalid("rights must be a list of strings"))?;
    let expires_at = match key.value("expiresAt")? {
        None => None,
        Some(time) => options::time(time, "expiresAt")?,
    };
    let name = key.text("name")?.unwrap_or_default();
    Ok(NewKey { owner, name, rights, expires_at })
}

/// Milliseconds since 1970, as a time.
pub(super) fn at(millis: f64) -> Option<SystemTime> {
    // 2^53: above, not every whole number has its own double.
    let sound = (0.0..=9_007_199_254_740_992.0).contains(&millis);
    sound.then(|| SystemTime::UNIX_EPOCH + Duration::from_millis(millis as u64))
}
