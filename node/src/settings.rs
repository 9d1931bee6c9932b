//! What `new Client` and `Client.discover` can be told.

use std::sync::Arc;

use napi::bindgen_prelude::ClassInstance;
use napi::{Env, ValueType};
use ttn_auth::{ClientBuilder, Result, RetryPolicy};

use crate::args::{self, Fields};
use crate::credentials::Origin;
use crate::error::invalid;
use crate::exchange;
use crate::source::TokenSource;

/// What is sent with every call: credentials, or what a source of tokens gives.
fn supply(
    env: &Env,
    builder: ClientBuilder,
    options: &Fields,
) -> Result<(ClientBuilder, Option<TokenSource>)> {
    let credentials = exchange::credentials(options, "credentials")?;
    let source = token_source(env, options)?;
    let exchange = exchange_settings(options)?;
    let source = match (&credentials, exchange, source) {
        (Some(_), _, Some(_)) => return Err(invalid("give either credentials or a tokenSource")),
        (None, Some(_), _) => return Err(invalid("exchange needs credentials: those of kind access-key")),
        (Some(credentials), Some(settings), None) => Some(exchange::key_exchange(credentials, &settings)?),
        (_, None, source) => source,
    };
    let builder = match (&source, &credentials) {
        (Some(source), _) => builder.token_source(Arc::clone(&source.inner)),
        (None, Some(credentials)) => match &credentials.origin {
            Origin::Here(inner) => builder.credentials(inner.clone()),
            Origin::File { file, .. } => builder.credentials_file(file.clone()),
        },
        (None, None) => builder,
    };
    Ok((builder, source))
}

fn token_source(env: &Env, options: &Fields) -> Result<Option<TokenSource>> {
    let Some(value) = options.value("tokenSource")? else { return Ok(None) };
    if args::kind(value)? == ValueType::Function {
        return TokenSource::of_function(env, value).map(Some);
    }
    let expected = "a TokenSource, or a function that gives a token";
    let given = options.typed::<ClassInstance<TokenSource>>("tokenSource", expected)?;
    Ok(given.map(|source| source.share()))
}

/// Settings of the exchange; none if there is to be none.
fn exchange_settings<'a>(options: &Fields<'a>) -> Result<Option<Fields<'a>>> {
    let Some(value) = options.value("exchange")? else { return Ok(None) };
    if args::kind(value)? == ValueType::Boolean {
        let on = options.flag("exchange")? == Some(true);
        return on.then(|| Fields::optional(None, "exchange")).transpose();
    }
    Fields::required(value, "exchange").map(Some)
}

/// When calls that failed are made again.
fn retry(options: &Fields) -> Result<Option<RetryPolicy>> {
    let Some(value) = options.value("retry")? else { return Ok(None) };
    if args::kind(value)? == ValueType::Boolean {
        return Ok((options.flag("retry")? == Some(false)).then(RetryPolicy::never));
    }
    let settings = Fields::required(value, "retry")?;
    let mut policy = RetryPolicy::default();
    match settings.count::<u32>("attempts")? {
        Some(0) => return Err(invalid("attempts must be 1 or more: the first one counts")),
        Some(attempts) => policy = policy.attempts(attempts),
        None => {}
    }
    if let Some(delay) = settings.millis("baseDelay")? {
        policy = policy.base_delay(delay);
    }
    if let Some(delay) = settings.millis("maxDelay")? {
        policy = policy.max_delay(delay);
    }
    Ok(Some(policy))
}

/// A builder with all that was set; and the source of its tokens, if it has one.
pub(crate) fn builder(
    env: &Env,
    options: &Fields,
    address: String,
) -> Result<(ClientBuilder, Option<TokenSource>)> {
    let (mut builder, source) = supply(env, ttn_auth::Client::builder(address), options)?;
    if let Some(policy) = retry(options)? {
        builder = builder.retry(policy);
    }
    if let Some(calls) = options.count::<u32>("rateLimit")? {
        builder = builder.rate_limit(calls);
    }
    if let Some(ca) = options.text("ca")? {
        builder = builder.ca(ca);
    }
    if let Some(limit) = options.millis("timeout")? {
        builder = builder.timeout(limit);
    }
    if let Some(limit) = options.millis("connectTimeout")? {
        builder = builder.connect_timeout(limit);
    }
    Ok((builder.allow_insecure(options.flag("allowInsecure")?.unwrap_or_default()), source))
}
