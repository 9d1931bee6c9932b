//! What `new Authenticator` can be told.

use std::time::Duration;

use napi::ValueType;
use ttn_auth::{
    AccountServer, Answers, Authenticator, AuthenticatorBuilder, Client, Compat, Error, PublicKey, Result,
};

use crate::args::{self, Fields};
use crate::error::invalid;
use crate::exchange;

const OPTIONS: [&str; 11] = [
    "allowMissingExpiry",
    "answers",
    "authServers",
    "compat",
    "keyDirectory",
    "leeway",
    "maxExchanges",
    "maxKeyAge",
    "maxTokenSize",
    "stack",
    "timeout",
];

const STACK: [&str; 4] = ["address", "allowInsecure", "ca", "timeout"];

const SERVER: [&str; 8] =
    ["address", "bearerToken", "ca", "clientId", "clientSecret", "key", "keyFile", "timeout"];

/// A builder with all that was set, and the issuers.
pub(crate) fn builder(options: &Fields) -> Result<(AuthenticatorBuilder, Vec<String>)> {
    options.only(&OPTIONS)?;
    let missing = || {
        invalid(
            "authServers are missing, such as { 'ttn-account-v2': 'https://account.thethingsnetwork.org' }",
        )
    };
    let stack = stack(options)?;
    let servers = Fields::optional(options.value("authServers")?, "authServers")?;
    let issuers = if options.value("authServers")?.is_some() { servers.names()? } else { Vec::new() };
    if issuers.is_empty() && stack.is_none() {
        return Err(missing());
    }
    let mut builder = Authenticator::builder();
    if let Some(client) = stack {
        builder = builder.things_stack(client);
    }
    for issuer in &issuers {
        // Which one, because there may be several.
        let named =
            |error: Error| Error::new(error.kind(), format!("authServers[{issuer:?}]: {}", error.message()));
        builder = auth_server(builder, &servers, issuer).map_err(named)?;
    }
    if let Some(path) = options.text("keyDirectory")? {
        builder = builder.key_directory(a_path(path, "keyDirectory")?);
    }
    if let Some(age) = options.millis("maxKeyAge")? {
        builder = builder.max_key_age(age);
    }
    // 0, unlike a limit, is right.
    match options.number("leeway")? {
        Some(0.0) | None => {}
        Some(_) => builder = builder.leeway(options.millis("leeway")?.unwrap_or(Duration::ZERO)),
    }
    if let Some(bytes) = at_least_one(options, "maxTokenSize")? {
        builder = builder.max_token_size(bytes);
    }
    if let Some(allow) = options.flag("allowMissingExpiry")? {
        builder = builder.allow_missing_expiry(allow);
    }
    builder = match options.text("compat")?.as_deref() {
        None => builder,
        Some("v2") => builder.compat(Compat::V2),
        Some(_) => return Err(invalid("compat must be 'v2', or left out")),
    };
    if let Some(limit) = options.millis("timeout")? {
        builder = builder.timeout(limit);
    }
    if let Some(exchanges) = at_least_one(options, "maxExchanges")? {
        builder = builder.max_exchanges(exchanges);
    }
    Ok((builder, issuers))
}

/// How callers are told.
pub(crate) fn answers(options: &Fields) -> Result<Answers> {
    match options.text("answers")?.as_deref() {
        None | Some("standard") => Ok(Answers::standard()),
        Some("v2") => Ok(Answers::v2()),
        Some("unauthenticated") => Ok(Answers::standard().with_unauthenticated()),
        Some(_) => Err(invalid("answers must be 'standard', 'v2' or 'unauthenticated'")),
    }
}

/// Who is asked about credentials of The Things Stack.
fn stack(options: &Fields) -> Result<Option<Client>> {
    let Some(value) = options.value("stack")? else { return Ok(None) };
    let settings = Fields::required(value, "stack")?;
    settings.only(&STACK)?;
    let address = settings
        .text("address")?
        .ok_or_else(|| invalid("stack.address is missing, such as https://eu1.cloud.thethings.network"))?;
    let mut builder = Client::builder(address);
    if let Some(ca) = settings.text("ca")? {
        builder = builder.ca(ca);
    }
    if let Some(limit) = settings.millis("timeout")? {
        builder = builder.timeout(limit);
    }
    let client = builder.allow_insecure(settings.flag("allowInsecure")?.unwrap_or_default()).build();
    client.map(Some).map_err(|error| Error::new(error.kind(), format!("stack: {}", error.message())))
}

fn at_least_one(options: &Fields, field: &str) -> Result<Option<usize>> {
    match options.count::<usize>(field)? {
        Some(0) => Err(invalid(format!("{field} must be 1 or more"))),
        count => Ok(count),
    }
}

fn auth_server(
    builder: AuthenticatorBuilder,
    servers: &Fields,
    issuer: &str,
) -> Result<AuthenticatorBuilder> {
    let wrong = || invalid("must be an address, or an object");
    let value = servers.value(issuer)?.ok_or_else(wrong)?;
    let server = match args::kind(value)? {
        ValueType::String => {
            let address = args::text(value, "the address")?;
            return Ok(builder.auth_server(issuer, AccountServer::new(&address)?));
        }
        ValueType::Object => Fields::required(value, "it")?,
        _ => return Err(wrong()),
    };
    server.only(&SERVER)?;
    let key = server.text("key")?.map(|text| PublicKey::read(&text)).transpose()?;
    let file = server.text("keyFile")?.map(|path| a_path(path, "keyFile")).transpose()?;
    let builder = match (account_server(&server, issuer, key.is_some() || file.is_some())?, &key, &file) {
        (_, Some(_), Some(_)) => return Err(invalid("give either a key or a keyFile")),
        (Some(account), ..) => builder.auth_server(issuer, account),
        (None, ..) => builder,
    };
    Ok(match (key, file) {
        (Some(key), _) => builder.public_key(issuer, key),
        (_, Some(path)) => builder.key_file(issuer, path),
        _ => builder,
    })
}

/// The issuer's account server; none where only tokens are to be taken, because there is a key and no address.
fn account_server(server: &Fields, issuer: &str, has_key: bool) -> Result<Option<AccountServer>> {
    let ca = server.text("ca")?;
    let account = match server.text("address")? {
        Some(address) => AccountServer::with_ca(&address, ca.as_deref())?,
        None => {
            for field in ["ca", "bearerToken", "clientId", "clientSecret", "timeout"] {
                // Whom would it be told to, or whose certificate is it?
                if (has_key || field == "ca") && server.value(field)?.is_some() {
                    return Err(invalid(format!("{field} needs an address")));
                }
            }
            if has_key {
                return Ok(None);
            }
            AccountServer::of_issuer(issuer)?
        }
    };
    let account = exchange::login(account, server)?;
    Ok(Some(match server.millis("timeout")? {
        Some(limit) => account.with_timeout(limit),
        None => account,
    }))
}

fn a_path(path: String, field: &str) -> Result<String> {
    if path.is_empty() || path.contains('\0') {
        return Err(invalid(format!("{field} must be a path")));
    }
    Ok(path)
}
