//! What can be changed while a sandbox runs.

use napi::Env;
use napi::bindgen_prelude::{Object, ToNapiValue, Unknown};
use napi_derive::napi;

use super::{Sandbox, options};
use crate::args::{self, Fields};
use crate::error::guard;
use crate::promise::{Call, promise};

#[napi]
impl Sandbox {
    /// The account server signs with another key, and takes no token of the old one. The Handler keeps the old key, as V2
    /// does, and so refuses new tokens until `reloadKeys()`.
    #[napi(catch_unwind)]
    pub fn rotate_signing_key(&self, env: &Env) -> napi::Result<()> {
        guard(env, || self.inner.rotate_signing_key())
    }

    /// What a restart does to a real Handler: it reads the account server's key again, and forgets what it exchanged access
    /// keys for.
    #[napi(catch_unwind, ts_return_type = "Promise<void>")]
    pub fn reload_keys<'a>(&self, env: &'a Env) -> napi::Result<Object<'a>> {
        let inner = (*self.inner).clone();
        let future = async move { inner.reload_keys().await };
        promise(env, || Ok(Call { future, signal: None }), |env, ()| ().into_unknown(env))
    }

    /// Takes every bearer token back that was issued so far, `bearerToken` too: `token is revoked`. Access keys stay good.
    #[napi(catch_unwind)]
    pub fn revoke_tokens(&self, env: &Env) -> napi::Result<()> {
        guard(env, || self.inner.revoke_tokens())
    }

    /// Takes one bearer token back.
    #[napi(catch_unwind, ts_args_type = "token: string")]
    pub fn revoke(&self, env: &Env, token: Unknown) -> napi::Result<()> {
        guard(env, || self.inner.revoke(&args::text(token, "token")?))
    }

    /// Sets clocks wrong, or right with 0. A clock that is not named stays as it is.
    #[napi(catch_unwind, ts_args_type = "clock: SandboxClock")]
    pub fn set_clock(&self, env: &Env, clock: Unknown) -> napi::Result<()> {
        guard(env, || {
            for (of, seconds) in options::clocks(&Fields::required(clock, "clock")?)? {
                self.inner.set_clock(of, seconds);
            }
            Ok(())
        })
    }

    /// How long tokens are valid that are handed out from now on, in seconds.
    #[napi(catch_unwind, ts_args_type = "seconds: number")]
    pub fn set_token_lifetime(&self, env: &Env, seconds: Unknown) -> napi::Result<()> {
        guard(env, || {
            self.inner.set_token_lifetime(options::seconds(seconds, "seconds")?);
            Ok(())
        })
    }

    /// Tokens that are handed out from now on were issued so many seconds ago: with their lifetime or more, they have
    /// expired when they arrive. `expires_in` stays.
    #[napi(catch_unwind, ts_args_type = "seconds: number")]
    pub fn set_token_age(&self, env: &Env, seconds: Unknown) -> napi::Result<()> {
        guard(env, || {
            self.inner.set_token_age(options::seconds(seconds, "seconds")?);
            Ok(())
        })
    }

    /// What answers say of a token's lifetime from now on: the truth (`true`), nothing (`false`), or this.
    #[napi(catch_unwind, ts_args_type = "expiresIn?: boolean | number | string")]
    pub fn set_expires_in(&self, env: &Env, expires_in: Option<Unknown>) -> napi::Result<()> {
        guard(env, || {
            self.inner.set_expires_in(options::expires_in(expires_in)?);
            Ok(())
        })
    }

    /// An outage: the account server ends, the rest stays. No request is answered after this.
    #[napi(catch_unwind)]
    pub fn stop_account_server(&self, env: &Env) -> napi::Result<()> {
        guard(env, || {
            self.inner.stop_account_server();
            Ok(())
        })
    }

    /// The end of the outage: it listens on its port again when the promise resolves.
    #[napi(catch_unwind, ts_return_type = "Promise<void>")]
    pub fn start_account_server<'a>(&self, env: &'a Env) -> napi::Result<Object<'a>> {
        let inner = (*self.inner).clone();
        let future = async move { inner.start_account_server().await };
        promise(env, || Ok(Call { future, signal: None }), |env, ()| ().into_unknown(env))
    }
}
