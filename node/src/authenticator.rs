//! `Authenticator`: who is calling a server, as promises. The guards for frameworks are JavaScript around it.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use napi::bindgen_prelude::{Object, ToNapiValue, Unknown};
use napi::{Env, ValueType};
use napi_derive::napi;
use ttn_auth::{Answers, AppId, Carrier, CredentialsKind, Presented, Result, Right, Secret};

use crate::args::{self, Fields};
use crate::authenticator_settings as settings;
use crate::contained::Contained;
use crate::error::{guard, invalid, unreadable};
use crate::promise::{Call, promise};
use crate::runtime::runtime;
use crate::{claims, error, hooks, rule};

/// Checks who is calling, as a V2 Handler does: it takes a bearer token or an access key, exchanges a key at the account server
/// of its issuer, verifies the token, and tells its claims. It remembers keys, exchanges and verified tokens: one for a
/// server, shared by all its routes.
///
/// What it shows of itself is the issuers that it knows.
#[napi]
pub struct Authenticator {
    inner: Contained<Arc<ttn_auth::Authenticator>>,
    issuers: Vec<String>,
    answers: Answers,
}

/// What `authenticate` is asked.
struct Asked {
    presented: Presented,
    app: Option<String>,
    right: Option<Right>,
}

impl Asked {
    fn read(env: &Env, given: Unknown, options: Option<Unknown>) -> Result<Self> {
        let options = Fields::optional(options, "options")?;
        options.only(&["carrier", "appId", "right"])?;
        let carrier = rule::carrier(options.text("carrier")?.as_deref())?;
        let (app, right) = (options.text("appId")?, rule::right(&options, "right")?);
        if app.is_none() && right.is_some() {
            return Err(invalid("appId is missing: a right is one on an application"));
        }
        Ok(Self { presented: presented(env, given, carrier)?, app, right })
    }

    /// Ids first, as a V2 Handler does.
    async fn answer(self, by: &ttn_auth::Authenticator) -> Result<(CredentialsKind, Arc<ttn_auth::Claims>)> {
        let app = self.app.map(AppId::new).transpose()?;
        let claims = by.authenticate(&self.presented, app.as_ref()).await?;
        if let (Some(app), Some(right)) = (&app, self.right) {
            claims.require(app, right)?;
        }
        let is_token = self.presented.token.is_some_and(|token| !token.expose().is_empty());
        Ok((if is_token { CredentialsKind::BearerToken } else { CredentialsKind::AccessKey }, claims))
    }
}

/// The credentials among headers or metadata of any form.
fn presented(env: &Env, given: Unknown, carrier: Carrier) -> Result<Presented> {
    let what = match carrier {
        Carrier::GrpcMetadata => "metadata",
        _ => "headers",
    };
    if args::kind(given)? != ValueType::Object {
        return Err(invalid(format!("{what} must be those of a request, such as req.headers")));
    }
    let names = carrier.names().iter().map(|name| (*name).to_owned()).collect();
    let pairs = hooks::presented(env, given, names).map_err(|error| unreadable(what, &error))?;
    let mut headers = HeaderMap::new();
    for pair in pairs {
        let Ok([name, value]) = <[String; 2]>::try_from(pair) else { continue };
        let wrong = || invalid(format!("{what}: the value of {name:?} cannot be that of a header"));
        let known = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        // A JavaScript string has a header's bytes as U+0000 to U+00FF.
        let bytes =
            value.chars().map(|c| u8::try_from(c).map_err(|_| wrong())).collect::<Result<Vec<_>>>()?;
        headers.append(known, HeaderValue::from_bytes(&bytes).map_err(|_| wrong())?);
    }
    Ok(carrier.extract(&headers))
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
            Ok(Self { inner: Contained::new(Arc::new(builder.build())), issuers, answers })
        })
    }

    /// Who sent these headers or this metadata: verified claims. With a `right`, only of who has it on the application.
    ///
    /// Rejects for everyone else, and whenever it cannot tell; the error's `answer` is what to tell the caller:
    /// `AUTH_INVALID_ARGUMENT` for an id that is none, which is looked at first, `AUTH_MISSING_CREDENTIALS`,
    /// `AUTH_TOKEN_EXPIRED`, `AUTH_TOKEN_NOT_YET_VALID`, `AUTH_INVALID_TOKEN`, `AUTH_UNKNOWN_ISSUER`, `AUTH_INVALID_KEY`,
    /// `AUTH_PERMISSION_DENIED`, and `AUTH_EXCHANGE_UNAVAILABLE` while an account server does not answer. Wrong use is
    /// `AUTH_INVALID_ARGUMENT` without an `answer`.
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
    ) -> napi::Result<Object<'a>> {
        let answers = self.answers;
        let prepare = || {
            let asked = Asked::read(env, presented, options)?;
            let inner = Arc::clone(&self.inner);
            let future = async move { Ok(asked.answer(&inner).await) };
            Ok(Call { future, signal: None })
        };
        promise(env, prepare, move |env, outcome: Result<_>| match outcome {
            Ok((kind, claims)) => claims::write(env, kind.name(), &claims)?.into_unknown(env),
            Err(error) => Err(error::answered(env, &error, &answers)),
        })
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
    pub fn read_unverified<'a>(env: &'a Env, token: Unknown<'a>) -> napi::Result<Object<'a>> {
        let read =
            guard(env, || ttn_auth::Claims::read_unverified(&Secret::new(args::text(token, "token")?)))?;
        claims::write(env, CredentialsKind::BearerToken.name(), &read)
    }
}
