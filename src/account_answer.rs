//! What an account server's answers mean: a token, a refusal, or nothing. Real ones differ: an error may be in `error`
//! or `description`, a lifetime may be missing or nonsense, a body may be a proxy's HTML (wire.md, section 3).

use std::error::Error as StdError;
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{Error, ErrorKind, Secret};

/// How much of the account server's own text an error repeats, in characters.
const MAX_TEXT: usize = 200;

/// No longer `Retry-After` is believed: whoever wrote it may have been wrong, and nobody should have to restart for that.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// What an access key was exchanged for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Exchanged {
    /// The bearer token.
    pub token: Secret,
    /// How long it is valid from when it was asked for. Zero if the account server does not say.
    pub expires_in: Duration,
}

/// What a refresh token was traded for (RFC 6749, section 6).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Refreshed {
    /// The bearer token.
    pub token: Secret,
    /// How long it is valid from when it was asked for. Zero if the account server does not say.
    pub expires_in: Duration,
    /// The refresh token to use next time. None: the same one again.
    pub refresh_token: Option<Secret>,
}

/// A token. Whatever stands beside it, it is not refused for that.
#[derive(Deserialize)]
pub(crate) struct TokenAnswer {
    access_token: String,
    /// Raw, because a number that is none would be an error before it could be left out.
    #[serde(default)]
    expires_in: Option<Box<RawValue>>,
    #[serde(default)]
    refresh_token: Option<String>,
}

impl TokenAnswer {
    pub(crate) fn access_token(self) -> Secret {
        Secret::new(self.access_token)
    }

    /// Zero if it is missing, negative, no number or beyond all measure. A number as a string is one.
    pub(crate) fn expires_in(&self) -> Duration {
        self.expires_in
            .as_ref()
            .and_then(|raw| raw.get().trim_matches('"').trim().parse().ok())
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .unwrap_or_default()
    }

    pub(crate) fn refresh_token(&self) -> Option<Secret> {
        self.refresh_token.clone().filter(|token| !token.is_empty()).map(Secret::new)
    }
}

/// The error for an answer that is no success. `refused` tells its kind if the account server understood, and says no;
/// `redact` takes what was sent out of its text.
pub(crate) fn refusal(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    refused: impl Fn(StatusCode, &str) -> ErrorKind,
    redact: impl FnOnce(&str) -> String,
) -> Error {
    let text = text(status, body);
    let kind = match status.as_u16() {
        300..=399 => ErrorKind::Redirect,
        408 | 429 | 500..=599 => ErrorKind::ExchangeUnavailable,
        410 => ErrorKind::Server,
        _ => refused(status, &text),
    };
    // In this order: of a secret that was cut in two, the first half would not be found.
    let error = Error::new(kind, redact(&text).chars().take(MAX_TEXT).collect::<String>());
    match crate::retry_after::read(headers) {
        Some(wait) => error.with_retry_after(wait.min(LONGEST_WAIT)),
        None => error,
    }
}

/// The account server's own text, from `error` or `description` (V2's) or `message` (The Things Stack's), or else what the status is called.
fn text(status: StatusCode, body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Body {
        error: Option<String>,
        description: Option<String>,
        message: Option<String>,
    }
    let body: Option<Body> = serde_json::from_slice(body).ok();
    let text = body
        .and_then(|body| body.error.filter(|text| !text.is_empty()).or(body.description).or(body.message))
        .filter(|text| !text.is_empty())
        .unwrap_or_else(|| status.canonical_reason().unwrap_or("unknown status").to_owned());
    text.chars().filter(|c| !c.is_control()).collect()
}

/// The error for a request that got no whole answer.
pub(crate) fn unavailable(request: &str, error: reqwest::Error, limit: Duration) -> Error {
    let error = error.without_url();
    let (kind, reason) = reason(&error, limit);
    Error::new(kind, format!("{request}: {reason}")).with_source(error)
}

/// Why there is no answer, in the words that Go has for the common case.
fn reason(error: &reqwest::Error, limit: Duration) -> (ErrorKind, String) {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(current) = cause {
        let io = current.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        if io == Some(std::io::ErrorKind::ConnectionRefused) {
            return (ErrorKind::ExchangeUnavailable, "connect: connection refused".to_owned());
        }
        cause = current.source();
    }
    if error.is_timeout() {
        return (ErrorKind::ExchangeUnavailable, format!("no answer within {limit:?}"));
    }
    match crate::network::read(error) {
        // A certificate that is not trusted stays so, until someone does something.
        (ErrorKind::Tls, reason) => (ErrorKind::Tls, reason),
        (_, reason) => (ErrorKind::ExchangeUnavailable, reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_taken_whatever_its_lifetime_says() {
        for (expires_in, seconds) in [
            ("3600", 3600),
            ("3600.0", 3600),
            ("\"3600\"", 3600),
            ("0", 0),
            ("-5", 0),
            ("null", 0),
            ("\"NaN\"", 0),
            ("\"\"", 0),
            ("true", 0),
            ("{\"s\":1}", 0),
            ("1e300", 0),
            // Beyond what a float holds, which serde_json alone would refuse.
            ("1e999", 0),
            ("-1e999", 0),
        ] {
            let body = format!(r#"{{"access_token":"t","expires_in":{expires_in},"x":1}}"#);
            let answer: TokenAnswer = serde_json::from_str(&body).unwrap();
            assert_eq!(answer.expires_in().as_secs(), seconds, "{expires_in}");
        }
        let answer: TokenAnswer = serde_json::from_str(r#"{"access_token":"t"}"#).unwrap();
        assert_eq!((answer.expires_in(), answer.refresh_token().is_none()), (Duration::ZERO, true));
        assert_eq!(answer.access_token().expose(), "t");
    }

    #[test]
    fn a_refusal_is_told_in_the_account_servers_words() {
        let read = |status: u16, body: &str| {
            let status = StatusCode::from_u16(status).unwrap();
            let error = refusal(
                status,
                &HeaderMap::new(),
                body.as_bytes(),
                |_, _| ErrorKind::InvalidKey,
                str::to_owned,
            );
            (error.kind(), error.message().to_owned())
        };
        use ErrorKind::*;
        for (status, body, kind, message) in [
            (401, r#"{"code":401,"error":"bad key"}"#, InvalidKey, "bad key"),
            (401, r#"{"error":"","description":"no\r\n key"}"#, InvalidKey, "no key"),
            (401, "<html>hunter2", InvalidKey, "Unauthorized"),
            (401, r#"{"error":{"code":1}}"#, InvalidKey, "Unauthorized"),
            (429, "", ExchangeUnavailable, "Too Many Requests"),
            (503, "", ExchangeUnavailable, "Service Unavailable"),
            (410, "", Server, "Gone"),
            (599, "", ExchangeUnavailable, "unknown status"),
        ] {
            assert_eq!(read(status, body), (kind, message.to_owned()));
        }
        let long = format!(r#"{{"error":"{}"}}"#, "é".repeat(1000));
        assert_eq!(read(401, &long).1.chars().count(), MAX_TEXT);
    }
}
