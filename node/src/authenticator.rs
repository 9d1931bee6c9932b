//! `Authenticator`: who is calling a server, as promises. The guards for frameworks are JavaScript around it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use napi::bindgen_prelude::{Object, ToNapiValue, Unknown};
use napi::{Env, JsValue};
use napi_derive::napi;
use ttn_auth::{Answers, AppId, CredentialsKind, Right, Secret};

use crate::args::{self, Fields};
use crate::asked::{Asked, Shown, at_once};
use crate::authenticator_settings as settings;
use crate::contained::Contained;
use crate::error::guard;
use crate::promise::{Call, promise};
use crate::runtime::runtime;
use crate::{claims, hooks};

/// Checks who is calling, as a V2 Handler does: it takes a bearer token or an access key, exchanges a key at the account server
/// of its issuer, verifies the token, and tells its claims. It remembers keys, exchanges and verified tokens: one for a
/// server, shared by all its routes.
///
/// What it shows of itself is the issuers that it knows.
#[napi]
pub struct Authenticator {
    pub(crate) inner: Contained<Arc<ttn_auth::Authenticator>>,
    issuers: Vec<String>,
    answers: Answers,
    /// Whether the last caller was let in; see [`at_once`].
    trusting: Arc<AtomicBool>,
}

impl Authenticator {
    /// What seen.js gets: the answer, at once if it may, or as a promise.
    pub(crate) fn answer<'a>(&self, env: &'a Env, asked: Asked, here: bool) -> napi::Result<Unknown<'a>> {
        let show = Shown { by: self.inner.clone(), answers: self.answers, trusting: self.trusting.clone() };
        let here = here && self.trusting.load(Ordering::Relaxed);
        let mut answer = Box::pin(asked.answer(self.inner.clone()));
        if here && let Some(answer) = guard(env, || at_once(answer.as_mut()))? {
            return show.to(env, answer);
        }
        let prepare = || Ok(Call { future: async { Ok(answer.await) }, signal: None });
        promise(env, prepare, move |env, answer| show.to(env, answer))?.into_unknown(env)
    }
}

#[napi]
impl Authenticator {
    /// Checks the options. It connects to nothing: keys are read when they are needed, or by `reload`.
    ///
    /// Throws `AUTH_INVALID_ARGUMENT` for an option that is unknown, missing or not valid, `AUTH_INSECURE_TRANSPORT` for an
    /// account server at `http://` on another machine.
    #[napi(constructor, catch_unwind, ts_args_type = "options: AuthenticatorOptions")]
    pub fn create(env: &Env, options: Unknown) -> napi::Result<Self> {
        guard(env, || {
            let options = Fields::required(options, "options")?;
            let _context = runtime()?.enter();
            let (builder, issuers) = settings::builder(&options)?;
            let answers = settings::answers(&options)?;
            let inner = Contained::new(Arc::new(builder.build()));
            Ok(Self { inner, issuers, answers, trusting: Arc::new(AtomicBool::new(true)) })
        })
    }

    /// Who sent these headers or this metadata: verified claims. With a `right`, only of who has it on the application.
    ///
    /// Rejects for everyone else, and whenever it cannot tell; the error's `answer` is what to tell the caller:
    /// `AUTH_INVALID_ARGUMENT` for an id that is none, which is looked at first, `AUTH_MISSING_CREDENTIALS`,
    /// `AUTH_TOKEN_EXPIRED`, `AUTH_TOKEN_NOT_YET_VALID`, `AUTH_INVALID_TOKEN`, `AUTH_UNKNOWN_ISSUER`, `AUTH_INVALID_KEY`,
    /// `AUTH_PERMISSION_DENIED`, and `AUTH_EXCHANGE_UNAVAILABLE` while an account server does not answer. Wrong use is
    /// `AUTH_INVALID_ARGUMENT` without an `answer`.
    ///
    /// Bearer tokens that were verified are kept in memory, the last 1,000 to 2,000 of them, to answer at once when they come again.
    /// Their times and their issuers' keys are looked at each time.
    #[napi(
        catch_unwind,
        ts_args_type = "presented: PresentedHeaders, options?: AuthenticateOptions",
        ts_return_type = "Promise<Claims>"
    )]
    pub fn authenticate<'a>(
        &self,
        env: &'a Env,
        presented: Unknown<'a>,
        options: Option<Unknown<'a>>,
        here: Option<bool>,
    ) -> napi::Result<Unknown<'a>> {
        let asked = guard(env, || Asked::read(env, presented, options))?;
        self.answer(env, asked, here == Some(true))
    }

    /// Whether claims allow this: it takes the scope `apps:<id>` and the right itself.
    ///
    /// Throws `AUTH_INVALID_ARGUMENT` if there is no such right, or if `claims` are none. An id that is none is never allowed.
    #[napi(
        catch_unwind,
        ts_args_type = "claims: Pick<Claims, 'scope' | 'apps'>, appId: string, right: Right"
    )]
    pub fn allows(&self, env: &Env, claims: Unknown, app_id: Unknown, right: Unknown) -> napi::Result<bool> {
        guard(env, || {
            let claims = Fields::required(claims, "claims")?;
            let right = args::text(right, "right")?.parse::<Right>()?;
            match AppId::new(args::text(app_id, "appId")?) {
                Ok(app) => claims::allow(&claims, &app, right),
                Err(_) => Ok(false),
            }
        })
    }

    /// Reads every signing key anew, and forgets what access keys were exchanged for. At the start it tells at once whether the
    /// account servers answer.
    ///
    /// Rejects with `AUTH_EXCHANGE_UNAVAILABLE` if one does not; the keys that were known go on being used.
    #[napi(catch_unwind, ts_return_type = "Promise<void>")]
    pub fn reload<'a>(&self, env: &'a Env) -> napi::Result<Object<'a>> {
        let inner = Arc::clone(&self.inner);
        let future = async move { inner.reload().await };
        promise(env, || Ok(Call { future, signal: None }), |env, ()| ().into_unknown(env))
    }

    /// The issuers whose tokens it takes.
    #[napi(getter, catch_unwind)]
    pub fn issuers(&self) -> Vec<String> {
        self.issuers.clone()
    }

    /// What a token says of itself. **Anybody can write such a token**: neither its signature nor its times are checked, and
    /// nobody may be let in for it. For showing, and for debugging.
    ///
    /// Throws `AUTH_INVALID_TOKEN` if it is no JWT.
    #[napi(catch_unwind, ts_args_type = "token: string", ts_return_type = "Claims")]
    pub fn read_unverified<'a>(env: &'a Env, token: Unknown<'a>) -> napi::Result<Unknown<'a>> {
        let text = guard(env, || {
            let read = ttn_auth::Claims::read_unverified(&Secret::new(args::text(token, "token")?))?;
            claims::write(CredentialsKind::BearerToken, &read)
        })?;
        hooks::claims(env, env.create_string_latin1(text)?.to_unknown())
    }
}
