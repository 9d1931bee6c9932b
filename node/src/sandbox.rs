//! `Sandbox`: the stand-in network, in this process.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use napi::Env;
use napi::bindgen_prelude::{Object, ToNapiValue, Unknown};
use napi_derive::napi;
use ttn_auth::{Result, Secret};
use ttn_auth_sandbox::{Algorithm, Mint, Ports, RATE_LIMIT, Sandbox as Inner, SandboxOptions};

use crate::args::{self, Fields};
use crate::contained::Contained;
use crate::error::{guard, invalid};
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

fn sandbox_options(options: &Fields) -> Result<SandboxOptions> {
    let mut set = SandboxOptions { rate_limit: rate_limit(options)?, ..SandboxOptions::default() };
    if let Some(seconds) = options.count::<u32>("tokenLifetime")? {
        set.token_lifetime = Duration::from_secs(u64::from(seconds));
    }
    set.algorithm = match options.text("algorithm")?.as_deref() {
        None | Some("ES256") => Algorithm::Es256,
        Some("RS256") => Algorithm::Rs256,
        Some(_) => return Err(invalid("algorithm must be 'ES256' or 'RS256'")),
    };
    let port = |name| match options.count::<u16>(name) {
        Ok(port) => Ok(port.unwrap_or_default()),
        Err(_) => Err(invalid(format!("{name} must be a port from 0 (any free one) to 65535"))),
    };
    set.ports = Ports {
        grpc: port("grpcPort")?,
        grpcs: port("grpcsPort")?,
        http: port("httpPort")?,
        https: port("httpsPort")?,
        account: port("accountPort")?,
        discovery: port("discoveryPort")?,
    };
    Ok(set)
}

/// A number of calls a second, or `false`.
fn rate_limit(options: &Fields) -> Result<Option<u32>> {
    let wrong = |_| invalid("rateLimit must be a number of calls a second above 0, or false");
    if options.flag("rateLimit").is_ok_and(|flag| flag == Some(false)) {
        return Ok(None);
    }
    match options.count::<u32>("rateLimit").map_err(wrong)? {
        None => Ok(Some(RATE_LIMIT)),
        Some(0) => Err(wrong(invalid(""))),
        limit => Ok(limit),
    }
}

fn mint(options: &Fields) -> Result<Mint> {
    let mut mint = Mint {
        issuer: options.text("issuer")?,
        subject: options.text("subject")?,
        app_id: options.text("appId")?,
        rights: options.texts("rights")?,
        scope: options.texts("scope")?,
        ..Mint::default()
    };
    if let Some(kind) = options.text("kind")? {
        mint.kind = kind.parse()?;
    }
    mint.expires_in = match options.number("expiresIn")? {
        // 2^53: above, not every whole number has its own double.
        Some(seconds) if seconds.fract() != 0.0 || seconds.abs() > 9_007_199_254_740_992.0 => {
            return Err(invalid("expiresIn must be a whole number of seconds"));
        }
        seconds => seconds.map(|seconds| seconds as i64),
    };
    Ok(mint)
}

#[napi]
impl Sandbox {
    /// Starts a network; every server listens when the promise resolves.
    #[napi(catch_unwind, ts_args_type = "options?: SandboxOptions", ts_return_type = "Promise<Sandbox>")]
    pub fn start<'a>(env: &'a Env, options: Option<Unknown<'a>>) -> napi::Result<Object<'a>> {
        let prepare = || {
            let options = sandbox_options(&Fields::optional(options, "options")?)?;
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

    /// A bearer token with every right on the application, valid for an hour from the start.
    #[napi(getter, catch_unwind)]
    pub fn bearer_token(&self) -> String {
        self.bearer_token.expose().to_owned()
    }

    /// How many exchanges of a key for a token the account server has been asked for.
    #[napi(getter, catch_unwind)]
    pub fn exchanges(&self) -> u32 {
        u32::try_from(self.inner.exchanges()).unwrap_or(u32::MAX)
    }

    /// Mints a bearer token, good or bad. By default one like `bearerToken`, with a subject of its own.
    #[napi(catch_unwind, ts_args_type = "options?: MintOptions")]
    pub fn mint_token(&self, env: &Env, options: Option<Unknown>) -> napi::Result<String> {
        guard(env, || self.inner.mint(&mint(&Fields::optional(options, "options")?)?))
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

    /// An outage: the account server ends, the rest stays.
    #[napi(catch_unwind)]
    pub fn stop_account_server(&self, env: &Env) -> napi::Result<()> {
        guard(env, || {
            self.inner.stop_account_server();
            Ok(())
        })
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
