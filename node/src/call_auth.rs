//! `CallAuth`: for calls that another library makes. The adapters in node/adapters/ decide nothing themselves.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use napi::Env;
use napi::bindgen_prelude::{Object, ToNapiValue, Unknown};
use napi_derive::napi;
use tokio::sync::Mutex;
use ttn_auth::{Carrier, Credentials, Error, ErrorKind, Failure, Result};

use crate::args::Fields;
use crate::client::call_options;
use crate::contained::Contained;
use crate::error::{guard, invalid, unreadable};
use crate::hooks;
use crate::kept::{self, Kept};
use crate::promise::{Call, promise};
use crate::runtime::runtime;
use crate::settings::builder;

/// Decides for calls that another library makes: what is put on them, and whether one that failed is made again, by the same
/// rules as `Client`. The adapters for @grpc/grpc-js, Connect, fetch and undici are made of it; another client needs
/// `begin`, and of that call `next`, `succeeded` and `failed`.
#[napi]
pub struct CallAuth {
    inner: Contained<ttn_auth::CallAuth>,
}

/// One call that another library makes, from its first attempt to its end.
#[napi]
pub struct AuthCall {
    inner: Contained<Arc<Mutex<ttn_auth::AuthCall>>>,
    signal: Option<Kept>,
}

#[napi]
impl CallAuth {
    /// With an `address` credentials go to that origin only; without one, to any server over TLS, or on this machine.
    ///
    /// Throws as `new Client` does.
    #[napi(constructor, catch_unwind, ts_args_type = "options: CallAuthOptions")]
    pub fn create(env: &Env, options: Unknown) -> napi::Result<Self> {
        guard(env, || {
            let options = Fields::required(options, "options")?;
            let address = options.text("address")?.unwrap_or_default();
            let _context = runtime()?.enter();
            let (builder, _) = builder(env, &options, address)?;
            Ok(Self { inner: Contained::new(builder.call_auth()?) })
        })
    }

    /// Throws `AUTH_INSECURE_TRANSPORT` for plaintext to another machine, `AUTH_INVALID_ARGUMENT` for another origin than
    /// `address`: before anything is sent there.
    #[napi(catch_unwind, ts_args_type = "url: string")]
    pub fn check(&self, env: &Env, url: Unknown) -> napi::Result<()> {
        guard(env, || self.inner.check(&crate::args::text(url, "url")?))
    }

    /// A call that has not been attempted. It is taken for one that may not be carried out twice, unless `idempotent` says
    /// so.
    #[napi(catch_unwind, ts_args_type = "options?: CallOptions", ts_return_type = "AuthCall")]
    pub fn begin(&self, env: &Env, options: Option<Unknown>) -> napi::Result<AuthCall> {
        guard(env, || {
            let options = Fields::optional(options, "options")?;
            let signal = options.value("signal")?.map(|signal| kept::keep(env, signal)).transpose()?;
            let call = self.inner.begin(&call_options(&options)?);
            Ok(AuthCall { inner: Contained::new(Arc::new(Mutex::new(call))), signal })
        })
    }
}

#[napi]
impl AuthCall {
    /// What the next attempt is made with, when it is its turn: an HTTP header, gRPC metadata (none of them if there is nothing
    /// to send), and how long it may take.
    ///
    /// Rejects with what the call ends with, if there are no credentials to be had.
    #[napi(catch_unwind, ts_return_type = "Promise<AuthAttempt>")]
    pub fn next<'a>(&self, env: &'a Env) -> napi::Result<Object<'a>> {
        let call = Arc::clone(&self.inner);
        let prepare = || {
            let future = async move { call.lock().await.next().await };
            Ok(Call { future, signal: self.signal(env)? })
        };
        promise(env, prepare, |env, attempt| {
            let mut told = Object::new(env)?;
            for (name, carrier) in
                [("headers", Carrier::AuthorizationHeader), ("metadata", Carrier::GrpcMetadata)]
            {
                told.set(name, entry(env, carrier, attempt.credentials.as_ref())?)?;
            }
            told.set("timeLeft", attempt.time_left.as_secs_f64() * 1000.0)?;
            told.into_unknown(env)
        })
    }

    /// The attempt got its answer: the call is over.
    #[napi(catch_unwind)]
    pub fn succeeded(&self, env: &Env) -> napi::Result<()> {
        guard(env, || {
            let _context = runtime()?.enter();
            let mut call = self.inner.try_lock().map_err(|_| invalid("the call is waiting"))?;
            call.end();
            Ok(())
        })
    }

    /// The attempt failed. Resolves when it is time for another one, which may be at once.
    ///
    /// Rejects with the error that the call ends with, if there is to be no other: without the credential, should the server
    /// have repeated it.
    #[napi(catch_unwind, ts_args_type = "failure: CallFailure", ts_return_type = "Promise<void>")]
    pub fn failed<'a>(&self, env: &'a Env, failure: Unknown<'a>) -> napi::Result<Object<'a>> {
        let call = Arc::clone(&self.inner);
        let prepare = || {
            let told = failure_of(env, &Fields::required(failure, "failure")?)?;
            let future = async move {
                let mut call = call.lock().await;
                match told {
                    Some(failure) => call.failed(failure).await,
                    None => call.timed_out().await,
                }
            };
            Ok(Call { future, signal: self.signal(env)? })
        };
        promise(env, prepare, |env, ()| ().into_unknown(env))
    }

    fn signal<'a>(&self, env: &'a Env) -> Result<Option<Unknown<'a>>> {
        let Some(number) = self.signal.as_ref().and_then(Kept::number) else { return Ok(None) };
        hooks::kept(env, number).map(Some).map_err(|error| unreadable("signal", &error))
    }
}

fn entry<'a>(env: &'a Env, carrier: Carrier, credentials: Option<&Credentials>) -> napi::Result<Object<'a>> {
    let mut entry = Object::new(env)?;
    if let Some(credentials) = credentials {
        let (name, value) = carrier.entry(credentials);
        entry.set(name, value.expose())?;
    }
    Ok(entry)
}

/// How an attempt failed; none if it took too long.
fn failure_of(env: &Env, told: &Fields) -> Result<Option<Failure>> {
    if told.flag("timedOut")? == Some(true) {
        return Ok(None);
    }
    let message = told.text("message")?.unwrap_or_default();
    let headers = headers(env, told)?;
    if let Some(code) = told.count::<u32>("grpcCode")? {
        let code = i32::try_from(code).ok().filter(|code| (1..=16).contains(code)).unwrap_or(2);
        return Ok(Some(Failure::Grpc { code, message, trailers: headers.clone(), headers }));
    }
    if let Some(status) = told.count::<u16>("httpStatus")? {
        let status = StatusCode::from_u16(status).map_err(|_| invalid("httpStatus must be 100 to 999"))?;
        let body = told.text("body")?.unwrap_or_default().into();
        return Ok(Some(Failure::Http { status, headers, body }));
    }
    let error = Error::new(ErrorKind::Unavailable, message);
    let unsent = told.flag("unsent")? == Some(true);
    Ok(Some(Failure::Lost(if unsent { error.before_sending() } else { error })))
}

/// What a server sent; what cannot be one of its headers is none.
fn headers(env: &Env, told: &Fields) -> Result<HeaderMap> {
    let entries = told.entries(env, "headers")?.into_iter().filter_map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        Some((name, HeaderValue::from_str(&value).ok()?))
    });
    Ok(entries.collect())
}
