//! A caller's claims, as claims.js reads them.

use napi::Env;
use napi::bindgen_prelude::Unknown;
use ttn_auth::{Claims, CredentialsKind, Name, Result, Right, Rights};

use crate::args::Fields;
use crate::error::internal;
use crate::{flat_writer, hooks};

/// Milliseconds that a JavaScript `Date` can be away from 1970 (ECMAScript, "Time Values and Time Range").
const LAST_DATE: f64 = 8.64e15;

/// Claims of a credential of this kind, as flat text: it costs less than a call into Node for each property. A list, whose places
/// claims.js knows. Times are milliseconds; what is absent is null.
pub(crate) fn write(kind: CredentialsKind, claims: &Claims) -> Result<Vec<u8>> {
    let millis =
        |seconds: Option<i64>| seconds.map(|seconds| (seconds as f64 * 1000.0).clamp(-LAST_DATE, LAST_DATE));
    fn present(text: &str) -> Option<&str> {
        (!text.is_empty()).then_some(text)
    }
    fn some(rights: &Rights) -> Option<&Rights> {
        (!rights.is_empty()).then_some(rights)
    }
    let Name { first, last, .. } = &claims.name;
    flat_writer::write(&(
        kind.name(),
        &claims.issuer,
        &claims.subject,
        millis(claims.expires_at),
        millis(claims.issued_at),
        millis(claims.not_before),
        &claims.scope,
        some(&claims.apps),
        some(&claims.gateways),
        some(&claims.components),
        present(&claims.token_type),
        present(&claims.client),
        present(&claims.username),
        present(&claims.email),
        (!(first.is_empty() && last.is_empty())).then_some((first, last)),
    ))
    .map_err(|error| internal("the claims cannot be written").with_source(error))
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
