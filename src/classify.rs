//! What a server's answer means: one function from status and text to a kind.
//!
//! A V2 Handler answers every HTTP error with 500 and `code` 2, and a refused key over gRPC with code 2 and the account
//! server's own words. So the text is looked at first, the same way for both transports, and the status only where the
//! text says nothing. Source: wire.md, section 5; the test below goes through every recorded error.
//!
//! The Things Stack (V3) has proper codes, and a name for each error in its text.

use crate::ErrorKind;

/// How a server refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// A gRPC status code, 1 to 16.
    #[cfg_attr(not(feature = "grpc"), allow(dead_code))]
    Grpc(i32),
    /// An HTTP status, 300 to 599.
    #[cfg_attr(not(feature = "http"), allow(dead_code))]
    Http(u16),
}

pub(crate) fn classify(status: Status, message: &str) -> ErrorKind {
    if let Some((namespace, name)) = the_things_stacks(message) {
        return by_name(namespace, name).unwrap_or_else(|| match status {
            Status::Grpc(code) => by_grpc_code(code),
            // Of a route that is there: what it is about is not.
            Status::Http(404) => ErrorKind::NotFound,
            Status::Http(status) => by_http_status(status),
        });
    }
    by_text(message).unwrap_or_else(|| match status {
        // With any other status it is this server, or a proxy, that speaks for itself.
        Status::Grpc(2) | Status::Http(500) if ACCOUNT_SERVER_FAILS.contains(&message) => {
            ErrorKind::ExchangeUnavailable
        }
        // A code that says nothing, for a refusal that came from elsewhere.
        Status::Grpc(2) | Status::Http(500) if refuses_key(&message.to_ascii_lowercase()) => {
            ErrorKind::InvalidKey
        }
        // As our own servers say it.
        Status::Grpc(16) | Status::Http(401) if message.contains("access key") => ErrorKind::InvalidKey,
        Status::Grpc(code) => by_grpc_code(code),
        Status::Http(status) => by_http_status(status),
    })
}

/// Namespace and name of an error of The Things Stack, whose texts are `error:<namespace>:<name> (<text>)` (v3/wire.md,
/// "Errors").
pub(crate) fn the_things_stacks(message: &str) -> Option<(&str, &str)> {
    let (full_name, _) = message.strip_prefix("error:")?.split_once(" (")?;
    full_name.split_once(':')
}

/// What The Things Stack's codes do not tell: who has to do something about it.
fn by_name(namespace: &str, name: &str) -> Option<ErrorKind> {
    Some(match (namespace, name) {
        ("pkg/identityserver", "unauthenticated") => ErrorKind::MissingCredentials,
        // In another namespace it is a key that somebody asked for.
        ("pkg/identityserver", "api_key_not_found") => ErrorKind::InvalidKey,
        ("pkg/identityserver", "api_key_expired") => ErrorKind::KeyExpired,
        ("pkg/identityserver", "token_expired") => ErrorKind::TokenExpired,
        ("pkg/auth" | "pkg/oauth", "token") => ErrorKind::InvalidToken,
        _ => return None,
    })
}

/// What our own servers say when the account server does not answer them.
pub(crate) const CANNOT_TELL: &str =
    "the credentials cannot be checked now: the account server does not answer";

/// Prefixes that a Handler puts before the texts of other components.
const UNABLE_TO_PARSE: &str = "unable to parse token: ";

fn by_text(message: &str) -> Option<ErrorKind> {
    use ErrorKind::*;
    let has = |part: &str| message.contains(part);
    // grpc-go has the code of a rate limit for this, but no wait makes a message smaller.
    if has("message larger than max") {
        return Some(Protocol);
    }
    // Over HTTP, a code that the Handler itself passes on is in the text: "Internal error: [ResourceExhausted] ...".
    if let Some((name, _)) =
        message.split_once("Internal error: [").and_then(|(_, rest)| rest.split_once(']'))
    {
        return GRPC_CODES.iter().position(|code| *code == name).map(|code| by_grpc_code(code as i32));
    }
    if message == CANNOT_TELL {
        return Some(ExchangeUnavailable);
    }
    if has("neither token nor key present") {
        return Some(MissingCredentials);
    }
    if let Some((_, reason)) = message.split_once(UNABLE_TO_PARSE) {
        return Some(match reason {
            _ if reason.starts_with("token is expired") => TokenExpired,
            _ if reason.starts_with("token is not valid yet") => TokenNotYetValid,
            _ if reason.starts_with("Auth server ") => UnknownIssuer,
            _ => InvalidToken,
        });
    }
    Some(match message {
        _ if message.starts_with("Auth server ") && message.ends_with(" not registered") => UnknownIssuer,
        _ if message.starts_with("permission denied: ") => PermissionDenied,
        _ if message.starts_with("Rate limit for ") => RateLimited,
        // Redis keys: handler:application:<app>, handler:device:<app>:<dev>.
        _ if has("handler:") && message.ends_with(" not found") => NotFound,
        _ if message.ends_with(" already exists") => AlreadyExists,
        _ if has(" not valid: ") || has("strconv.") || has("error unmarshalling request") => InvalidArgument,
        // Go's words for a request of its own, to the account server, that got no answer.
        _ if message.starts_with("Post \"") || message.starts_with("Get \"") => ExchangeUnavailable,
        _ => return None,
    })
}

/// What a Handler says when the account server answers without a text of its own: the status in words.
const ACCOUNT_SERVER_FAILS: [&str; 6] = [
    "Bad Gateway",
    "Gateway Timeout",
    "Internal Server Error",
    "Request Timeout",
    "Service Unavailable",
    "Too Many Requests",
];

/// A refused key comes in the account server's own words, which differ from one to the next ("invalid access key" is the
/// stand-in's): what they have in common is what they speak of.
fn refuses_key(message: &str) -> bool {
    ["access key", "credentials", "forbidden", "invalid key", "no such key", "password", "unauthorized"]
        .iter()
        .any(|words| message.contains(words))
}

/// The names of gRPC's codes as grpc-go prints them, by number.
const GRPC_CODES: [&str; 17] = [
    "OK",
    "Canceled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
];

fn by_grpc_code(code: i32) -> ErrorKind {
    match code {
        1 => ErrorKind::Cancelled,
        3 | 9 | 11 => ErrorKind::InvalidArgument,
        4 => ErrorKind::Timeout,
        5 => ErrorKind::NotFound,
        6 => ErrorKind::AlreadyExists,
        7 => ErrorKind::PermissionDenied,
        8 => ErrorKind::RateLimited,
        12 => ErrorKind::Unimplemented,
        14 => ErrorKind::Unavailable,
        16 => ErrorKind::InvalidToken,
        _ => ErrorKind::Server,
    }
}

fn by_http_status(status: u16) -> ErrorKind {
    match status {
        300..=399 => ErrorKind::Redirect,
        401 => ErrorKind::InvalidToken,
        403 => ErrorKind::PermissionDenied,
        // A V2 Handler's 404 is an unknown route; what is not found there is a 500 with a text.
        404 | 405 | 501 => ErrorKind::Unimplemented,
        408 | 504 => ErrorKind::Timeout,
        409 => ErrorKind::AlreadyExists,
        429 => ErrorKind::RateLimited,
        502 | 503 => ErrorKind::Unavailable,
        400..=499 => ErrorKind::InvalidArgument,
        _ => ErrorKind::Server,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::HashMap;

    /// Every recorded error: its status and its text.
    fn recorded() -> Vec<(String, Status, String)> {
        let file: Value = serde_json::from_str(include_str!("../tests/vectors/v2.json")).unwrap();
        let vectors = file["vectors"].as_array().unwrap();
        let errors = vectors.iter().filter_map(|vector| {
            let (name, expect) = (vector["name"].as_str().unwrap().to_owned(), &vector["expect"]);
            if let Some(code) = expect["code"].as_i64() {
                let message = expect["message"].as_str().unwrap().to_owned();
                return (code != 0).then_some((name, Status::Grpc(code as i32), message));
            }
            let status = expect["status"].as_u64()? as u16;
            let body = expect["body"].as_str().unwrap();
            let json: Option<Value> = serde_json::from_str(body).ok();
            let message = json.and_then(|json| Some(json.get("message")?.as_str()?.to_owned()));
            (status >= 300).then_some((name, Status::Http(status), message.unwrap_or_default()))
        });
        errors.collect()
    }

    #[test]
    fn every_recorded_error_has_the_kind_of_its_cause() {
        use ErrorKind::*;
        // The cause, told from the vector's name and text by hand; what is not listed must not occur.
        let table: &[(&str, ErrorKind)] = &[
            ("Metadata not valid: neither token nor key present", MissingCredentials),
            ("permission denied: unable to parse token: token is expired by", TokenExpired),
            ("permission denied: unable to parse token: token is not valid yet", TokenNotYetValid),
            ("permission denied: unable to parse token: Auth server", UnknownIssuer),
            ("permission denied: unable to parse token: ", InvalidToken),
            ("permission denied: No \"", PermissionDenied),
            ("Auth server \"", UnknownIssuer),
            ("invalid access key", InvalidKey),
            ("Application not registered to this Handler: ", NotFound),
            ("handler:application:", NotFound),
            ("handler:device:", NotFound),
            ("Application already exists", AlreadyExists),
            ("Device with AppEUI and DevEUI already exists", AlreadyExists),
            ("Invalid Application Identifier: ", InvalidArgument),
            ("Invalid Device Identifier: ", InvalidArgument),
            ("Invalid Device: ", InvalidArgument),
            ("Downlink not valid: ", InvalidArgument),
            ("strconv.ParseUint: ", InvalidArgument),
        ];
        let mut kinds: HashMap<&str, Vec<Status>> = HashMap::new();
        let recorded = recorded();
        assert!(recorded.len() > 100, "{} recorded errors", recorded.len());
        for (name, status, message) in &recorded {
            let kind = classify(*status, message);
            match (table.iter().find(|(start, _)| message.starts_with(start)), status) {
                (Some((start, expected)), _) => {
                    assert_eq!(kind, *expected, "{name}: {message}");
                    kinds.entry(start).or_default().push(*status);
                }
                (None, Status::Http(400)) => assert_eq!(kind, InvalidArgument, "{name}"),
                (None, Status::Http(404 | 405)) => assert_eq!(kind, Unimplemented, "{name}"),
                _ => panic!("{name}: a cause that the table does not name: {status:?} {message}"),
            }
        }
        // The table is no list of wishes: what it names was recorded.
        assert_eq!(kinds.len(), table.len(), "{:?}", kinds.keys());
    }

    #[test]
    fn causes_that_were_described_but_not_recorded() {
        use ErrorKind::*;
        for (grpc, text, http_text, kind) in [
            (
                8,
                "Rate limit for client \"x\" reached",
                "Internal error: [ResourceExhausted] Rate limit",
                RateLimited,
            ),
            (14, "connection refused", "Internal error: [Unavailable] x", Unavailable),
            (2, "Internal Server Error", "Internal Server Error", ExchangeUnavailable),
            (2, "Service Unavailable", "Service Unavailable", ExchangeUnavailable),
            (2, "Get \"http://a/key\": EOF", "Get \"http://a/key\": EOF", ExchangeUnavailable),
            (2, "Unauthorized", "Unauthorized", InvalidKey),
            (2, "Access key revoked", "Access key revoked", InvalidKey),
            (2, "Invalid credentials", "Invalid credentials", InvalidKey),
            (2, "EOF", "EOF", Server),
            (
                2,
                "Post \"http://a/b\": dial tcp 127.0.0.1:1: connect: connection refused",
                "Post \"http://a/b\": dial tcp 127.0.0.1:1: connect: connection refused",
                ExchangeUnavailable,
            ),
            (
                13,
                "grpc: error unmarshalling request: x",
                "grpc: error unmarshalling request: x",
                InvalidArgument,
            ),
            (13, "x", "Internal error: [Internal] x", Server),
        ] {
            assert_eq!(classify(Status::Grpc(grpc), text), kind, "{text}");
            assert_eq!(classify(Status::Http(500), http_text), kind, "{http_text}");
        }
        assert_eq!(
            classify(Status::Http(401), "Unauthorized"),
            InvalidToken,
            "this server speaks for itself"
        );
        // A proxy's words, whose server may have carried the call out.
        for (status, text, kind) in [
            (502, "Bad Gateway", Unavailable),
            (503, "Service Unavailable", Unavailable),
            (504, "Gateway Timeout", Timeout),
        ] {
            assert_eq!(classify(Status::Http(status), text), kind);
        }
        assert_eq!(classify(Status::Grpc(14), "Bad Gateway"), Unavailable);
        for text in
            ["grpc: received message larger than max (5 vs. 4)", "trying to send message larger than max"]
        {
            assert_eq!(classify(Status::Grpc(8), text), Protocol);
            let text = format!("Internal error: [ResourceExhausted] {text}");
            assert_eq!(classify(Status::Http(500), &text), Protocol);
        }
        for (status, kind) in
            [(307, Redirect), (401, InvalidToken), (403, PermissionDenied), (429, RateLimited)]
        {
            assert_eq!(classify(Status::Http(status), ""), kind);
        }
        for code in 0..=16 {
            let over_http =
                classify(Status::Http(500), &format!("Internal error: [{}] x", GRPC_CODES[code as usize]));
            assert_eq!(classify(Status::Grpc(code), "x"), over_http, "{code}");
        }
    }
}
