//! What a server's refusal says, over either transport: status, text and headers become one [`Error`].

use std::time::Duration;

use http::header::LOCATION;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use percent_encoding::percent_decode;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::classify::{Status, classify, the_things_stacks};
use crate::{Error, ErrorDetails, ErrorKind};

const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
/// How a server asks to be left alone for so many milliseconds (gRPC proposal A6).
const PUSHBACK: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");
/// What else it says: an encoded `google.rpc.Status`.
const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

/// gRPC's code of what has none.
const UNKNOWN: i32 = 2;

/// A refusal over HTTP. Its text is taken from a JSON body of V2's or The Things Stack's form; any other body stays unsaid.
pub(crate) fn http(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Error {
    let body = Body::read(body);
    let text = body.text();
    // The Things Stack's codes say more than their statuses: of two that have the same one, one is to be tried again.
    let said = match body.code() {
        Some(code) if the_things_stacks(&text).is_some() => Status::Grpc(code),
        _ => Status::Http(status.as_u16()),
    };
    let kind = match classify(said, &text) {
        // Many a proxy says "Internal Server Error" in JSON. It does not mean an account server, and the call may have
        // been carried out.
        ErrorKind::ExchangeUnavailable if body.code.is_none() => ErrorKind::Server,
        kind => kind,
    };
    let message = match kind {
        ErrorKind::Redirect => {
            let target = headers.get(LOCATION).and_then(|location| location.to_str().ok());
            let origin = target
                .and_then(|target| Url::parse(target).ok())
                .map(|url| url.origin().ascii_serialization());
            format!("the server redirects to {}", origin.as_deref().unwrap_or("another address"))
        }
        _ if text.is_empty() => format!("the server answered {status}"),
        _ => text,
    };
    let error = Error::new(kind, message).with_http_status(status.as_u16());
    finished(error, body.details(), crate::retry_after::read(headers))
}

/// A refusal over gRPC, by the `grpc-status` in `end`, which are the trailers if there are any.
#[cfg_attr(not(feature = "grpc"), allow(dead_code))]
pub(crate) fn of_grpc(status: &HeaderValue, headers: &HeaderMap, end: &HeaderMap) -> Error {
    let code = status.to_str().ok().and_then(|code| code.parse().ok()).filter(|code| (0..=16).contains(code));
    let text = end.get(GRPC_MESSAGE).map(|text| percent_decode(text.as_bytes()).decode_utf8_lossy());
    grpc(code.unwrap_or(UNKNOWN), &text.unwrap_or_default(), headers, end)
}

/// A refusal over gRPC, with its text decoded.
pub(crate) fn grpc(code: i32, text: &str, headers: &HeaderMap, end: &HeaderMap) -> Error {
    let kind = classify(Status::Grpc(code), text);
    let error = Error::new(kind, if text.is_empty() { kind.name() } else { text }).with_grpc_code(code);
    let pushback = end.get(PUSHBACK).and_then(|wait| wait.to_str().ok()?.parse().ok());
    let wait = pushback.map(Duration::from_millis).or_else(|| crate::retry_after::read(headers));
    let details = end.get(DETAILS).and_then(|value| crate::error_details::decode(value.as_bytes()));
    finished(error, details, wait)
}

fn finished(error: Error, details: Option<ErrorDetails>, wait: Option<Duration>) -> Error {
    let error = match details {
        Some(details) => {
            let missing = details.missing_rights().join(", ");
            let error = match missing.as_str() {
                "" => error,
                missing => error.map_message(|text| format!("{text}; missing: {missing}")),
            };
            error.with_details(details)
        }
        None => error,
    };
    match wait {
        Some(wait) => error.with_retry_after(wait),
        None => error,
    }
}

/// The body of a refusal, as far as its form is known.
#[derive(Default, Deserialize)]
struct Body {
    message: Option<String>,
    /// V2's text, or what The Things Stack wraps a stream's refusal in.
    error: Option<Value>,
    code: Option<Value>,
    #[serde(default)]
    details: Option<Value>,
}

impl Body {
    fn read(body: &[u8]) -> Self {
        let body: Self = serde_json::from_slice(body).unwrap_or_default();
        match body.error {
            Some(wrapped @ Value::Object(_)) if body.message.is_none() => {
                serde_json::from_value(wrapped).unwrap_or_default()
            }
            _ => body,
        }
    }

    fn text(&self) -> String {
        let error = || self.error.as_ref().and_then(Value::as_str);
        self.message.as_deref().or_else(error).unwrap_or_default().to_owned()
    }

    fn code(&self) -> Option<i32> {
        let code = self.code.as_ref()?.as_i64()?;
        i32::try_from(code).ok().filter(|code| (1..=16).contains(code))
    }

    fn details(&self) -> Option<ErrorDetails> {
        self.details.as_ref()?.as_array()?.iter().find_map(crate::error_details::read)
    }
}

#[cfg(test)]
#[path = "refusal_tests.rs"]
mod tests;
