//! `Sandbox`: the stand-in network, in this process.

mod options;
mod stack;

use std::cell::RefCell;
use std::sync::Arc;

use napi::Env;
use napi::bindgen_prelude::{Object, ToNapiValue, Unknown};
use napi_derive::napi;
use ttn_auth::{Result, Secret};
use ttn_auth_sandbox::Sandbox as Inner;

use crate::args::{self, Fields};
use crate::contained::Contained;
use crate::error::guard;
use crate::promise::{Call, promise};

thread_local! {
    /// A sandbox runs until it is stopped or its thread ends, not until the garbage collector finds that only its address
    /// is kept.
    static RUNNING: RefCell<Vec<Contained<Arc<Inner>>>> = const { RefCell::new(Vec::new()) };
}

/// A V2 network on loopback: account server, Handler over gRPC and HTTP with and without TLS, discovery. Everything is
/// real but the radio; it lives in memory, and ends with `stop()` or with the process, which it does not keep alive.
#[napi]
pub struct Sandbox {
    inner: Contained<Arc<Inner>>,
    bearer_token: Secret,
}

impl Sandbox {
    fn new(inner: Inner) -> Result<Self> {
        let bearer_token = Secret::new(inner.bearer_token()?);
        let inner = Arc::new(inner);
        RUNNING.with(|running| running.borrow_mut().push(Contained::new(inner.clone())));
        Ok(Self { inner: Contained::new(inner), bearer_token })
    }
}

#[napi]
impl Sandbox {
    /// Starts a network; every server listens when the promise resolves.
    #[napi(catch_unwind, ts_args_type = "options?: SandboxOptions", ts_return_type = "Promise<Sandbox>")]
    pub fn start<'a>(env: &'a Env, options: Option<Unknown<'a>>) -> napi::Result<Object<'a>> {
        let prepare = || {
            let options = options::sandbox_options(&Fields::optional(options, "options")?)?;
            Ok(Call { future: Inner::start(options), signal: None })
        };
        promise(env, prepare, |env, inner| guard(env, || Self::new(inner))?.into_unknown(env))
    }

    /// The Handler's gRPC API, `grpc://127.0.0.1:<port>`.
    #[napi(getter, catch_unwind)]
    pub fn grpc_address(&self) -> String {
        self.inner.grpc_address()
    }

    /// The same with TLS, `grpcs://localhost:<port>`.
    #[napi(getter, catch_unwind)]
    pub fn grpcs_address(&self) -> String {
        self.inner.grpcs_address()
    }

    /// The Handler's HTTP API, `http://127.0.0.1:<port>`.
    #[napi(getter, catch_unwind)]
    pub fn http_address(&self) -> String {
        self.inner.http_address()
    }

    /// The same with TLS, `https://localhost:<port>`.
    #[napi(getter, catch_unwind)]
    pub fn https_address(&self) -> String {
        self.inner.https_address()
    }

    /// The account server, `http://127.0.0.1:<port>`.
    #[napi(getter, catch_unwind)]
    pub fn account_server(&self) -> String {
        self.inner.account_server()
    }

    /// The discovery service, `grpc://127.0.0.1:<port>`; the same port has its HTTP API.
    #[napi(getter, catch_unwind)]
    pub fn discovery(&self) -> String {
        self.inner.discovery()
    }

    /// The certificate to trust (PEM): a self-signed leaf, as V2 Handlers have.
    #[napi(getter, catch_unwind)]
    pub fn ca(&self) -> String {
        self.inner.ca().to_owned()
    }

    /// The registered application.
    #[napi(getter, catch_unwind)]
    pub fn app_id(&self) -> String {
        self.inner.app_id().to_owned()
    }

    /// A device of that application.
    #[napi(getter, catch_unwind)]
    pub fn dev_id(&self) -> String {
        self.inner.dev_id().to_owned()
    }

    /// An access key with every right on the application.
    #[napi(getter, catch_unwind)]
    pub fn access_key(&self) -> String {
        self.inner.access_key()
    }

    /// A bearer token with every right on the application, issued at the start, valid for an hour.
    #[napi(getter, catch_unwind)]
    pub fn bearer_token(&self) -> String {
        self.bearer_token.expose().to_owned()
    }

    /// How many exchanges of a key for a token the account server has been asked for.
    #[napi(getter, catch_unwind)]
    pub fn exchanges(&self) -> u32 {
        u32::try_from(self.inner.exchanges()).unwrap_or(u32::MAX)
    }

    /// How often it was asked for what, since it was started.
    #[napi(getter, catch_unwind, ts_return_type = "SandboxCounts")]
    pub fn counts<'a>(&self, env: &'a Env) -> napi::Result<Object<'a>> {
        let counts = self.inner.counts();
        let mut object = Object::new(env)?;
        for (name, count) in [
            ("exchanges", counts.exchanges),
            ("signIns", counts.sign_ins),
            ("refreshes", counts.refreshes),
            ("restricts", counts.restricts),
            ("keys", counts.keys),
            ("writes", counts.writes),
            ("rateLimited", counts.rate_limited),
        ] {
            object.set(name, u32::try_from(count).unwrap_or(u32::MAX))?;
        }
        Ok(object)
    }

    /// Mints a bearer token, good or bad. By default one like `bearerToken`, with a subject of its own.
    #[napi(catch_unwind, ts_args_type = "options?: MintOptions")]
    pub fn mint_token(&self, env: &Env, options: Option<Unknown>) -> napi::Result<String> {
        guard(env, || self.inner.mint(&options::mint(&Fields::optional(options, "options")?)?))
    }

    /// Adds an access key of an application, and returns it.
    #[napi(catch_unwind, ts_args_type = "appId: string, rights: string[]")]
    pub fn add_access_key(&self, env: &Env, app_id: Unknown, rights: Unknown) -> napi::Result<String> {
        guard(env, || {
            let (app_id, rights) = (args::text(app_id, "appId")?, args::texts(rights, "rights")?);
            let rights: Vec<_> = rights.iter().map(String::as_str).collect();
            self.inner.add_access_key(&app_id, &rights)
        })
    }

    /// Withdraws an access key: the account server refuses it. The Handler goes on with a token that it has for it, as V2
    /// does, until a minute before that expires, or `reloadKeys()`.
    #[napi(catch_unwind, ts_args_type = "key: string")]
    pub fn remove_access_key(&self, env: &Env, key: Unknown) -> napi::Result<()> {
        guard(env, || self.inner.remove_access_key(&args::text(key, "key")?))
    }

    /// Closes every listener and connection. May be called again.
    #[napi(catch_unwind, ts_return_type = "Promise<void>")]
    pub fn stop<'a>(&self, env: &'a Env) -> napi::Result<Object<'a>> {
        let inner = (*self.inner).clone();
        let ended = RUNNING.with(|running| {
            let mut running = running.borrow_mut();
            let found = running.iter().position(|other| Arc::ptr_eq(other, &inner));
            found.map(|index| running.swap_remove(index))
        });
        drop(ended);
        let future = async move {
            inner.stop().await;
            Ok(())
        };
        promise(env, || Ok(Call { future, signal: None }), |env, ()| ().into_unknown(env))
    }
}

// Last, so that index.d.ts has them last.
mod switches;
