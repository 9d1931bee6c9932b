//! `TokenSource`: where tokens come from, always remembered by a cache.

use std::sync::Arc;

use napi::bindgen_prelude::{Object, ToNapiValue, Unknown};
use napi::{Env, ValueType};
use napi_derive::napi;
use ttn_auth::{AccessToken, Carrier, Result, Secret, SharedToken, TokenCache, Vault};

use crate::args::{self, Fields};
use crate::callback::Callback;
use crate::contained::Contained;
use crate::error::{guard, invalid};
use crate::promise::{Call, promise};
use crate::runtime::runtime;
use crate::{exchange, kept, refresh, restricted};

/// Gives a bearer token whenever it is asked, and a new one before the old one ends. It remembers its token: one is asked
/// for once, for any number of calls, clients and `token()`s, and again in the background before half of its life is over.
///
/// What it shows of itself is its kind, never a secret.
#[napi]
pub struct TokenSource {
    pub(crate) inner: Contained<Arc<dyn ttn_auth::TokenSource>>,
    kind: &'static str,
    /// What tells its tokens from all others in a store, where that is known: whose key they are got with, for what.
    pub(crate) name: Option<Secret>,
}

impl TokenSource {
    /// With a cache around it; and, where there is a vault, shared through it by the name.
    pub(crate) fn cached(
        kind: &'static str,
        source: impl ttn_auth::TokenSource,
        name: Option<Secret>,
        vault: Option<Vault>,
    ) -> Result<Self> {
        let inner: Arc<dyn ttn_auth::TokenSource> = match (vault, &name) {
            (None, _) => Arc::new(TokenCache::new(source)),
            (Some(vault), Some(name)) => {
                Arc::new(TokenCache::new(SharedToken::new(source, vault, name.expose())))
            }
            (Some(_), None) => {
                return Err(invalid(
                    "a store needs to know whose tokens it has: `from` must be credentials, or a source with a store",
                ));
            }
        };
        Ok(Self { inner: Contained::new(inner), kind, name })
    }

    /// Another object for the same source.
    pub(crate) fn share(&self) -> Self {
        Self { inner: Contained::new(Arc::clone(&self.inner)), kind: self.kind, name: self.name.clone() }
    }

    /// Calls a JavaScript function for a token.
    pub(crate) fn of_function(env: &Env, function: Unknown) -> Result<Self> {
        match args::kind(function)? {
            ValueType::Function => Self::cached("callback", Callback(kept::keep(env, function)?), None, None),
            _ => Err(invalid("the token source must be a function that returns a token or a promise of one")),
        }
    }

    /// A promise of the token, as `entry` writes it.
    fn give<'a>(
        &self,
        env: &'a Env,
        write: impl for<'e> FnOnce(&'e Env, AccessToken) -> napi::Result<Unknown<'e>> + Send + 'static,
    ) -> napi::Result<Object<'a>> {
        let source = Arc::clone(&self.inner);
        let future = async move { source.token().await };
        promise(env, || Ok(Call { future, signal: None }), write)
    }

    fn entry<'a>(&self, env: &'a Env, carrier: Carrier) -> napi::Result<Object<'a>> {
        self.give(env, move |env, token| {
            let (name, value) = carrier.entry(&ttn_auth::Credentials::Token(token));
            let mut entry = Object::new(env)?;
            entry.set(name, value.expose())?;
            entry.into_unknown(env)
        })
    }
}

#[napi]
impl TokenSource {
    /// Tokens for an access key, exchanged at the account server of its issuer: faster than a Handler that does so, and
    /// calls go on while the account server is down. The same as the option `exchange` of `new Client`, for clients that
    /// share their token.
    ///
    /// Throws `AUTH_INVALID_ARGUMENT` for an option that is missing or not valid, `AUTH_INSECURE_TRANSPORT` for an account
    /// server at `http://` on another machine. Its tokens' errors: `AUTH_INVALID_KEY` if the account server refuses the
    /// key, `AUTH_EXCHANGE_UNAVAILABLE` if it does not answer.
    #[napi(catch_unwind, ts_args_type = "options: KeyExchangeOptions")]
    pub fn key_exchange(env: &Env, options: Unknown) -> napi::Result<Self> {
        guard(env, || {
            let options = Fields::required(options, "options")?;
            let credentials = exchange::credentials(&options, "credentials")?
                .ok_or_else(|| invalid("credentials are missing: those of kind access-key"))?;
            exchange::key_exchange(&credentials, &options)
        })
    }

    /// Tokens for some applications only, out of a token for many: what a device or a colleague is given should open no more
    /// than it needs, and a token holds ten applications at most.
    ///
    /// Throws as `keyExchange` does. Its tokens' errors: those of `from`; `AUTH_PERMISSION_DENIED` if its token is not for
    /// these applications; `AUTH_INVALID_TOKEN` if the account server refuses it.
    #[napi(catch_unwind, ts_args_type = "options: RestrictedOptions")]
    pub fn restricted(env: &Env, options: Unknown) -> napi::Result<Self> {
        guard(env, || restricted::restricted(&Fields::required(options, "options")?))
    }

    /// Tokens for someone who has signed in once (OAuth 2.0, RFC 6749, section 6). Each trade may bring the next refresh
    /// token, which makes the last one worthless: without a `store`, `onRotate` has to keep it for the next start.
    ///
    /// Throws as `keyExchange` does. Its tokens' errors: `AUTH_INVALID_TOKEN` if the account server refuses the refresh
    /// token (somebody has to sign in again), `AUTH_INVALID_ARGUMENT` if it refuses the client; a store's, while that cannot
    /// be read: a refresh token that is used twice may count as stolen.
    #[napi(catch_unwind, ts_args_type = "options: RefreshTokenOptions")]
    pub fn refresh_token(env: &Env, options: Unknown) -> napi::Result<Self> {
        guard(env, || refresh::refresh_token(env, &Fields::required(options, "options")?))
    }

    /// Tokens from a function of your own: a vault, another service, a token that someone pastes in. It is called when a
    /// token is needed, and gives a string, `{ token, expiresIn }` or `Credentials` of kind `bearer-token`, or a promise of
    /// these. It has 10 s (`AUTH_TIMEOUT`).
    ///
    /// What it throws is the `cause` of the error that calls reject with: `AUTH_EXCHANGE_UNAVAILABLE`, or the code of the
    /// `AuthError` that it threw. It is not called again at once after that.
    #[napi(catch_unwind, ts_args_type = "give: TokenFunction")]
    pub fn callback(env: &Env, give: Unknown) -> napi::Result<Self> {
        guard(env, || Self::of_function(env, give))
    }

    /// Where the tokens come from.
    #[napi(getter, catch_unwind, ts_return_type = "TokenSourceKind")]
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// A token that is good now.
    #[napi(catch_unwind, ts_return_type = "Promise<string>")]
    pub fn token<'a>(&self, env: &'a Env) -> napi::Result<Object<'a>> {
        self.give(env, |env, token| token.secret().expose().to_owned().into_unknown(env))
    }

    /// The header to send over HTTP. It holds the token.
    #[napi(catch_unwind, ts_return_type = "Promise<{ authorization: string }>")]
    pub fn headers<'a>(&self, env: &'a Env) -> napi::Result<Object<'a>> {
        self.entry(env, Carrier::AuthorizationHeader)
    }

    /// The metadata to send over gRPC. It holds the token.
    #[napi(catch_unwind, ts_return_type = "Promise<{ token: string }>")]
    pub fn metadata<'a>(&self, env: &'a Env) -> napi::Result<Object<'a>> {
        self.entry(env, Carrier::GrpcMetadata)
    }

    /// Says that a server refused this token, which is then not given again. Clients do so by themselves.
    #[napi(catch_unwind, ts_args_type = "token: string")]
    pub fn invalidate(&self, env: &Env, token: Unknown) -> napi::Result<()> {
        guard(env, || {
            let refused = AccessToken::new(args::text(token, "token")?)?;
            let _context = runtime()?.enter();
            self.inner.invalidate(&refused);
            Ok(())
        })
    }
}
