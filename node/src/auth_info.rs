//! `Client.authInfo`: what The Things Stack says of the credentials.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use napi::Env;
use napi::bindgen_prelude::{Null, Object, ToNapiValue, Unknown};
use napi_derive::napi;
use ttn_auth::AuthInfo;

use crate::args::Fields;
use crate::client::{Client, call_options};
use crate::promise::{Call, promise};

#[napi]
impl Client {
    /// What The Things Stack says of these credentials: whose they are, what they may do, until when. `null` if the server saw
    /// none: to it that is no error.
    ///
    /// Rejects with `AUTH_INVALID_KEY`, `AUTH_KEY_EXPIRED`, `AUTH_INVALID_TOKEN` or `AUTH_TOKEN_EXPIRED` if it does not take them.
    #[napi(catch_unwind, ts_args_type = "options?: CallOptions", ts_return_type = "Promise<AuthInfo | null>")]
    pub fn auth_info<'a>(&self, env: &'a Env, options: Option<Unknown<'a>>) -> napi::Result<Object<'a>> {
        let prepare = || {
            let fields = Fields::optional(options, "options")?;
            let (client, options) = ((*self.inner).clone(), call_options(&fields)?);
            let future = async move { client.auth_info(&options).await };
            Ok(Call { future, signal: fields.value("signal")? })
        };
        promise(env, prepare, |env, info| match info {
            Some(info) => shown(env, info)?.into_unknown(env),
            None => Null.into_unknown(env),
        })
    }
}

fn shown<'a>(env: &'a Env, info: AuthInfo) -> napi::Result<Object<'a>> {
    let mut shown = Object::new(env)?;
    shown.set("kind", info.kind.name())?;
    for (name, value) in [("id", info.id), ("name", info.name)] {
        if let Some(value) = value {
            shown.set(name, value)?;
        }
    }
    if let Some(entity) = info.entity {
        let mut whose = Object::new(env)?;
        whose.set("kind", entity.kind.name())?;
        whose.set("id", entity.id)?;
        shown.set("entity", whose)?;
    }
    shown.set("rights", list(info.rights))?;
    shown.set("universalRights", list(info.universal_rights))?;
    shown.set("isAdmin", info.is_admin)?;
    for (name, time) in [("createdAt", info.created_at), ("expiresAt", info.expires_at)] {
        if let Some(time) = time {
            shown.set(name, env.create_date(millis(time))?)?;
        }
    }
    Ok(shown)
}

/// In order, because a set of Rust's is.
fn list(rights: BTreeSet<String>) -> Vec<String> {
    rights.into_iter().collect()
}

fn millis(time: SystemTime) -> f64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_secs_f64() * 1000.0,
        Err(before) => -before.duration().as_secs_f64() * 1000.0,
    }
}
