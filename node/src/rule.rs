//! What a guard asks of its callers: options that are checked here, and obeyed in `guard.js`.

use napi::bindgen_prelude::Unknown;
use napi::{Env, ValueType};
use napi_derive::napi;
use ttn_auth::{AppId, Carrier, Error, Result, Right};

use crate::args::{self, Fields};
use crate::error::{guard, invalid};

/// A right by its name.
pub(crate) fn right(options: &Fields, field: &str) -> Result<Option<Right>> {
    let name = options.text(field)?;
    // A misspelt constant must not open the door to whoever is known.
    if name.is_none() && options.has(field)? {
        return Err(invalid(format!("{field} is undefined or null; leave it out to ask for no right")));
    }
    name.map(|name| parse_right(&name, field)).transpose()
}

pub(crate) fn parse_right(name: &str, field: &str) -> Result<Right> {
    name.parse().map_err(|error: Error| invalid(format!("{field}: {}", error.message())))
}

/// The options of one rule.
fn check(options: &Fields) -> Result<()> {
    options.only(&["appId", "right"])?;
    app_id(options)?;
    right(options, "right").map(drop)
}

fn app_id(options: &Fields) -> Result<()> {
    let Some(value) = options.value("appId")? else { return Ok(()) };
    match args::kind(value)? {
        ValueType::Function => Ok(()),
        ValueType::String => AppId::new(args::text(value, "appId")?).map(drop),
        _ => Err(invalid("appId must be a string, or a function that gives one")),
    }
}

/// Called by guard.js: throws `AUTH_INVALID_ARGUMENT` for a rule that is none.
#[napi(catch_unwind, skip_typescript)]
pub fn check_rule(env: &Env, options: Option<Unknown>) -> napi::Result<()> {
    guard(env, || check(&Fields::optional(options, "options")?))
}

/// Called by grpc-server.js: the same for rules by method.
#[napi(catch_unwind, skip_typescript)]
pub fn check_rules(env: &Env, options: Unknown) -> napi::Result<()> {
    guard(env, || {
        let options = Fields::required(options, "options")?;
        options.only(&["appId", "rights"])?;
        app_id(&options)?;
        let missing =
            || invalid("rights are missing, such as { '/handler.ApplicationManager/GetDevice': 'devices' }");
        let rights = Fields::required(options.value("rights")?.ok_or_else(missing)?, "rights")?;
        for method in rights.names()? {
            if !method.starts_with('/') || method.matches('/').count() != 2 {
                return Err(invalid(format!(
                    "rights: {method:?} is no method, which is '/package.Service/Method'"
                )));
            }
            let wrong = "must be a right, true for whoever is known, or null for everyone";
            match rights.value(&method)? {
                // The method is open.
                None if rights.is_null(&method)? => {}
                Some(value) if args::kind(value)? == ValueType::String => {
                    right(&rights, &method)?;
                }
                Some(value)
                    if args::kind(value)? == ValueType::Boolean && rights.flag(&method)? == Some(true) => {}
                _ => return Err(invalid(format!("rights: {method} {wrong}"))),
            }
        }
        Ok(())
    })
}

/// A carrier by its name.
pub(crate) fn carrier(name: Option<&str>) -> Result<Carrier> {
    match name {
        None | Some("header") => Ok(Carrier::AuthorizationHeader),
        Some("metadata") => Ok(Carrier::GrpcMetadata),
        Some(_) => Err(invalid("carrier must be 'header' or 'metadata'")),
    }
}

/// Called by the guards: the names that a carrier reads credentials from, in lower case.
#[napi(catch_unwind, skip_typescript)]
pub fn credential_names(env: &Env, carrier_name: String) -> napi::Result<Vec<&'static str>> {
    guard(env, || Ok(carrier(Some(&carrier_name))?.names().to_vec()))
}
