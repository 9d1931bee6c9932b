//! A caller's claims, as claims.js reads them.

use napi::Env;
use napi::bindgen_prelude::Unknown;
use serde::Serialize;
use ttn_auth::{Claims, CredentialsKind, Name, Result, Right, Rights};

use crate::args::Fields;
use crate::error::internal;
use crate::{flat_writer, hooks};

/// Milliseconds that a JavaScript `Date` can be away from 1970 (ECMAScript, "Time Values and Time Range").
const LAST_DATE: f64 = 8.64e15;

/// In the order in which JavaScript shows them. Times are milliseconds.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    kind: &'a str,
    issuer: &'a str,
    subject: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_at: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_before: Option<f64>,
    scope: &'a [String],
    apps: &'a Rights,
    gateways: &'a Rights,
    components: &'a Rights,
    #[serde(rename = "type", skip_serializing_if = "str::is_empty")]
    token_type: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    client: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    username: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    email: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<ShownName<'a>>,
}

#[derive(Serialize)]
struct ShownName<'a> {
    first: &'a str,
    last: &'a str,
}

/// Claims of a credential of this kind, as flat text: it costs less than a call into Node for each property.
pub(crate) fn write(kind: CredentialsKind, claims: &Claims) -> Result<Vec<u8>> {
    let millis =
        |seconds: Option<i64>| seconds.map(|seconds| (seconds as f64 * 1000.0).clamp(-LAST_DATE, LAST_DATE));
    let Name { first, last, .. } = &claims.name;
    let shown = Shown {
        kind: kind.name(),
        issuer: &claims.issuer,
        subject: &claims.subject,
        expires_at: millis(claims.expires_at),
        issued_at: millis(claims.issued_at),
        not_before: millis(claims.not_before),
        scope: &claims.scope,
        apps: &claims.apps,
        gateways: &claims.gateways,
        components: &claims.components,
        token_type: &claims.token_type,
        client: &claims.client,
        username: &claims.username,
        email: &claims.email,
        name: (!(first.is_empty() && last.is_empty())).then_some(ShownName { first, last }),
    };
    flat_writer::write(&shown).map_err(|error| internal("the claims cannot be written").with_source(error))
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
