//! What JavaScript asks a sandbox for, read.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use napi::bindgen_prelude::Unknown;
use napi::{JsValue, ValueType};
use ttn_auth::{Result, Secret};
use ttn_auth_sandbox::{Algorithm, ClockOf, ExpiresIn, Mint, Ports, RATE_LIMIT, SandboxOptions};

use crate::args::{self, Fields};
use crate::error::invalid;

pub(super) fn sandbox_options(options: &Fields) -> Result<SandboxOptions> {
    let mut set = SandboxOptions { rate_limit: rate_limit(options)?, ..SandboxOptions::default() };
    if let Some(seconds) = options.count::<u32>("tokenLifetime")? {
        set.token_lifetime = Duration::from_secs(u64::from(seconds));
    }
    if let Some(seconds) = options.count::<u32>("tokenAge")? {
        set.token_age = Duration::from_secs(u64::from(seconds));
    }
    set.algorithm = match options.text("algorithm")?.as_deref() {
        None | Some("ES256") => Algorithm::Es256,
        Some("RS256") => Algorithm::Rs256,
        Some(_) => return Err(invalid("algorithm must be 'ES256' or 'RS256'")),
    };
    let port = |name| match options.count::<u16>(name) {
        Ok(port) => Ok(port.unwrap_or_default()),
        Err(_) => Err(invalid(format!("{name} must be a port from 0 (any free one) to 65535"))),
    };
    set.ports = Ports {
        grpc: port("grpcPort")?,
        grpcs: port("grpcsPort")?,
        http: port("httpPort")?,
        https: port("httpsPort")?,
        account: port("accountPort")?,
        discovery: port("discoveryPort")?,
        stack_grpc: port("stackGrpcPort")?,
        stack_grpcs: port("stackGrpcsPort")?,
        stack_http: port("stackHttpPort")?,
        stack_https: port("stackHttpsPort")?,
    };
    set.expires_in = expires_in(options.value("expiresIn")?)?;
    let clock = Fields::optional(options.value("clock")?, "clock")?;
    for (of, seconds) in clocks(&clock)? {
        match of {
            ClockOf::AccountServer => set.account_server_clock = seconds,
            ClockOf::Handler => set.handler_clock = seconds,
        }
    }
    set.client = match (options.text("clientId")?, options.text("clientSecret")?) {
        (Some(id), Some(secret)) => Some((id, Secret::new(secret))),
        (None, None) => None,
        _ => return Err(invalid("clientId and clientSecret belong together")),
    };
    set.journal = options.text("journal")?.map(PathBuf::from);
    Ok(set)
}

/// What answers say of a token's lifetime: `true` or nothing is the truth, `false` is nothing.
pub(super) fn expires_in(value: Option<Unknown>) -> Result<ExpiresIn> {
    let wrong = || invalid("expiresIn must be true, false, a number of seconds or a string");
    let Some(value) = value else { return Ok(ExpiresIn::True) };
    match args::kind(value)? {
        ValueType::Undefined | ValueType::Null => Ok(ExpiresIn::True),
        ValueType::Boolean => match value.coerce_to_bool().map_err(|_| wrong())? {
            true => Ok(ExpiresIn::True),
            false => Ok(ExpiresIn::Missing),
        },
        ValueType::Number => {
            let number = value.coerce_to_number().and_then(|number| number.get_double());
            number.map(ExpiresIn::Number).map_err(|_| wrong())
        }
        ValueType::String => args::text(value, "expiresIn").map(ExpiresIn::Text),
        _ => Err(wrong()),
    }
}

/// The clocks that are named, and by how many seconds each is ahead.
pub(super) fn clocks(clock: &Fields) -> Result<Vec<(ClockOf, i64)>> {
    let mut set = Vec::new();
    for (name, of) in [("accountServer", ClockOf::AccountServer), ("handler", ClockOf::Handler)] {
        if let Some(seconds) = whole(clock, name)? {
            set.push((of, seconds));
        }
    }
    Ok(set)
}

/// A whole number of seconds, negative too.
fn whole(options: &Fields, name: &str) -> Result<Option<i64>> {
    match options.number(name)? {
        // 2^53: above, not every whole number has its own double.
        Some(seconds) if seconds.fract() != 0.0 || seconds.abs() > 9_007_199_254_740_992.0 => {
            Err(invalid(format!("{name} must be a whole number of seconds")))
        }
        seconds => Ok(seconds.map(|seconds| seconds as i64)),
    }
}

/// A number of seconds from 0 on.
pub(super) fn seconds(value: Unknown, name: &str) -> Result<Duration> {
    let wrong = |_| invalid(format!("{name} must be a whole number of seconds from 0 on"));
    count(value, name).map(|seconds| Duration::from_secs(u64::from(seconds))).map_err(wrong)
}

/// A whole number from 0 on.
pub(super) fn count(value: Unknown, name: &str) -> Result<u32> {
    let wrong = |_| invalid(format!("{name} must be a whole number from 0 on"));
    let number = whole_number(value, name).map_err(wrong)?;
    u32::try_from(number).map_err(|_| invalid(format!("{name} must be a whole number from 0 on")))
}

/// A whole number, negative too.
pub(super) fn whole_number(value: Unknown, name: &str) -> Result<i64> {
    let wrong = || invalid(format!("{name} must be a whole number"));
    match number(value)? {
        Some(number) if number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0 => Ok(number as i64),
        _ => Err(wrong()),
    }
}

fn number(value: Unknown) -> Result<Option<f64>> {
    if args::kind(value)? != ValueType::Number {
        return Ok(None);
    }
    Ok(value.coerce_to_number().and_then(|number| number.get_double()).ok())
}

/// A `Date`, or milliseconds since 1970; nothing is none.
pub(super) fn time(value: Unknown, name: &str) -> Result<Option<SystemTime>> {
    let wrong = || invalid(format!("{name} must be a Date, or milliseconds since 1970"));
    let millis = match args::kind(value)? {
        ValueType::Undefined | ValueType::Null => return Ok(None),
        ValueType::Object if value.is_date().unwrap_or_default() => {
            value.coerce_to_number().and_then(|number| number.get_double()).ok()
        }
        _ => number(value)?,
    };
    millis.and_then(super::stack::at).map(Some).ok_or_else(wrong)
}

/// A number of calls a second, or `false`.
fn rate_limit(options: &Fields) -> Result<Option<u32>> {
    let wrong = |_| invalid("rateLimit must be a number of calls a second above 0, or false");
    if options.flag("rateLimit").is_ok_and(|flag| flag == Some(false)) {
        return Ok(None);
    }
    match options.count::<u32>("rateLimit").map_err(wrong)? {
        None => Ok(Some(RATE_LIMIT)),
        Some(0) => Err(wrong(invalid(""))),
        limit => Ok(limit),
    }
}

pub(super) fn mint(options: &Fields) -> Result<Mint> {
    let mut mint = Mint {
        issuer: options.text("issuer")?,
        subject: options.text("subject")?,
        app_id: options.text("appId")?,
        rights: options.texts("rights")?,
        scope: options.texts("scope")?,
        component: options.text("component")?,
        ..Mint::default()
    };
    if let Some(kind) = options.text("kind")? {
        mint.kind = kind.parse()?;
    }
    mint.expires_in = whole(options, "expiresIn")?;
    Ok(mint)
}
