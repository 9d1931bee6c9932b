//! `Client`: one server's calls, as promises.

use napi::Env;
use napi::bindgen_prelude::{Object, ToNapiValue, Unknown};
use napi_derive::napi;
use ttn_auth::{CallOptions, DEFAULT_DISCOVERY, Discovery, Result, Transport};

use crate::args::{self, Fields};
use crate::contained::Contained;
use crate::error::{guard, invalid};
use crate::promise::{Call, promise};
use crate::runtime::runtime;
use crate::settings::builder;
use crate::source::TokenSource;

/// A client of one server. Its address chooses the transport: `grpc://`, `grpcs://`, `http://` or `https://`.
///
/// It connects on the first call, and again when the connection broke. Credentials go to this one origin, never to where
/// it redirects, and never over plaintext to another machine unless `allowInsecure` says so.
#[napi]
pub struct Client {
    pub(crate) inner: Contained<ttn_auth::Client>,
    source: Option<TokenSource>,
}

impl Client {
    fn new(inner: ttn_auth::Client, source: Option<TokenSource>) -> Self {
        Self { inner: Contained::new(inner), source }
    }
}

/// What one call does differently.
pub(crate) fn call_options(options: &Fields) -> Result<CallOptions> {
    let mut set = CallOptions::default();
    set.timeout = options.millis("timeout")?;
    set.idempotent = options.flag("idempotent")?;
    Ok(set)
}

#[napi]
impl Client {
    /// A client of the server at `options.address`. It checks everything and connects to nothing.
    ///
    /// Throws `AUTH_INVALID_ARGUMENT` for an option that is not valid, `AUTH_INSECURE_TRANSPORT` for plaintext to another
    /// machine.
    #[napi(constructor, catch_unwind, ts_args_type = "options: ClientOptions")]
    pub fn create(env: &Env, options: Unknown) -> napi::Result<Self> {
        guard(env, || {
            let options = Fields::required(options, "options")?;
            let address = options.text("address")?.ok_or_else(|| {
                invalid("options.address is missing, such as grpcs://handler.example:1904 or https://handler.example:8094")
            })?;
            let _context = runtime()?.enter();
            let (builder, source) = builder(env, &options, address)?;
            Ok(Self::new(builder.build()?, source))
        })
    }

    /// A client of the Handler that serves an application, at the address and with the certificate that the discovery
    /// service announces. Discovery is asked over TLS, and never sent credentials.
    #[napi(
        catch_unwind,
        ts_args_type = "appId: string, options?: DiscoverOptions",
        ts_return_type = "Promise<Client>"
    )]
    pub fn discover<'a>(
        env: &'a Env,
        app_id: Unknown<'a>,
        options: Option<Unknown<'a>>,
    ) -> napi::Result<Object<'a>> {
        let prepare = || {
            let app_id = args::text(app_id, "appId")?;
            let options = Fields::optional(options, "options")?;
            let transport = match options.text("transport")?.as_deref() {
                None | Some("grpc") => Transport::Grpc,
                Some("http") => Transport::Http,
                Some(_) => return Err(invalid("transport must be 'grpc' or 'http'")),
            };
            let address = options.text("discovery")?.unwrap_or_else(|| DEFAULT_DISCOVERY.to_owned());
            let (builder, source) = builder(env, &options, address)?;
            let discovery = Discovery::new(builder)?;
            let future = async move { Ok((discovery.client(&app_id, transport).await?, source)) };
            Ok(Call { future, signal: options.value("signal")? })
        };
        promise(env, prepare, |env, (client, source)| Self::new(client, source).into_unknown(env))
    }

    /// The address, with its port.
    #[napi(getter, catch_unwind)]
    pub fn address(&self) -> String {
        self.inner.address().to_owned()
    }

    /// How calls travel.
    #[napi(getter, catch_unwind, ts_return_type = "Transport")]
    pub fn transport(&self) -> &'static str {
        self.inner.transport().name()
    }

    /// Where its tokens come from, for other clients and other HTTP libraries; null if it sends credentials as they are.
    /// Each read makes another object for the same source.
    #[napi(getter, catch_unwind)]
    pub fn token_source(&self) -> Option<TokenSource> {
        self.source.as_ref().map(TokenSource::share)
    }

    /// Ends what is in flight with `AUTH_CANCELLED`, refuses what comes later, and drops the connections. May be called
    /// again.
    #[napi(catch_unwind)]
    pub fn close(&self, env: &Env) -> napi::Result<()> {
        guard(env, || {
            let _context = runtime()?.enter();
            self.inner.close();
            Ok(())
        })
    }
}
