//! A caller's claims, as a plain object.

use napi::Env;
use napi::bindgen_prelude::{Object, Unknown};
use ttn_auth::{Claims, Result, Right, Rights};

use crate::args::Fields;
use crate::hooks;

/// Milliseconds that a JavaScript `Date` can be away from 1970 (ECMAScript, "Time Values and Time Range").
const LAST_DATE: f64 = 8.64e15;

/// Claims of a credential of this kind.
pub(crate) fn write<'a>(env: &'a Env, kind: &str, claims: &Claims) -> napi::Result<Object<'a>> {
    let mut shown = Object::new(env)?;
    shown.set("kind", kind)?;
    shown.set("issuer", claims.issuer.as_str())?;
    shown.set("subject", claims.subject.as_str())?;
    for (name, seconds) in
        [("expiresAt", claims.expires_at), ("issuedAt", claims.issued_at), ("notBefore", claims.not_before)]
    {
        if let Some(seconds) = seconds {
            let millis = (seconds as f64 * 1000.0).clamp(-LAST_DATE, LAST_DATE);
            shown.set(name, env.create_date(millis)?)?;
        }
    }
    shown.set("scope", claims.scope.clone())?;
    for (name, held) in
        [("apps", &claims.apps), ("gateways", &claims.gateways), ("components", &claims.components)]
    {
        shown.set(name, rights(env, held)?)?;
    }
    for (name, text) in [
        ("type", &claims.token_type),
        ("client", &claims.client),
        ("username", &claims.username),
        ("email", &claims.email),
    ] {
        if !text.is_empty() {
            shown.set(name, text.as_str())?;
        }
    }
    if !(claims.name.first.is_empty() && claims.name.last.is_empty()) {
        let mut name = Object::new(env)?;
        name.set("first", claims.name.first.as_str())?;
        name.set("last", claims.name.last.as_str())?;
        shown.set("name", name)?;
    }
    Ok(shown)
}

/// Through JSON, because setting `__proto__` by hand would set the prototype.
pub(crate) fn rights<'a>(env: &'a Env, rights: &Rights) -> napi::Result<Unknown<'a>> {
    let json = serde_json::to_string(rights).map_err(|error| napi::Error::from_reason(error.to_string()))?;
    hooks::parse(env, json)
}

/// Whether claims that JavaScript has allow this.
pub(crate) fn allow(claims: &Fields, app: &ttn_auth::AppId, right: Right) -> Result<bool> {
    let mut read = Claims::default();
    read.scope = claims.texts("scope")?.unwrap_or_default();
    let apps = Fields::optional(claims.object("apps")?, "apps")?;
    // Only what is its own: `constructor` is a good id, and every object has one.
    if apps.has(app.as_str())?
        && let Some(rights) = apps.texts(app.as_str())?
    {
        read.apps.insert(app.as_str().to_owned(), rights);
    }
    Ok(read.allows(app, right))
}
