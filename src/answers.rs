//! How a server tells a caller why it is not let in, over HTTP and over gRPC.
//!
//! | cause | HTTP | gRPC |
//! |---|---|---|
//! | no credentials | 401, `WWW-Authenticate: Bearer realm=".."` | 3 |
//! | token refused | 401, `Bearer error="invalid_token"` | 7 |
//! | access key refused, or its issuer unknown | 401, `Bearer error="invalid_token"` | 2 |
//! | right missing | 403, `Bearer error="insufficient_scope"` | 7 |
//! | an id that is none | 400 | 3 |
//! | too many calls | 429, `Retry-After` | 8 |
//! | it cannot be told, because the account server does not answer | 503, `Retry-After` | 14 |
//!
//! The gRPC codes are V2's but for the last one; the texts are V2's, and clients tell errors apart by them (wire.md,
//! section 5). The headers are RFC 6750's, section 3.

use std::time::Duration;

use crate::classify::CANNOT_TELL;
use crate::{Error, ErrorKind};

/// What a caller is told to wait when nothing better is known: an account server that failed is asked again after a second.
const WAIT: Duration = Duration::from_secs(1);

/// gRPC's codes, as far as they occur here.
const UNKNOWN: i32 = 2;
const RESOURCE_EXHAUSTED: i32 = 8;
const UNAVAILABLE: i32 = 14;
const UNAUTHENTICATED: i32 = 16;

/// How refusals are told.
///
/// ```
/// use ttn_auth::{Answers, Error, ErrorKind};
/// let answer = Answers::standard().http(&Error::new(ErrorKind::TokenExpired, "token is expired by 1s"));
/// assert_eq!(answer.status, 401);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    v2: bool,
    unauthenticated: bool,
}

/// A refusal over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpAnswer {
    /// The status, 400 to 599.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// JSON as V2's: `{"error": message, "code": gRPC code, "message": message}`.
    pub body: String,
}

/// A refusal over gRPC.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GrpcAnswer {
    /// The status code, 1 to 16.
    pub code: i32,
    /// The status message, not percent-encoded.
    pub message: String,
}

impl Answers {
    /// HTTP's own statuses; V2's gRPC codes, and 14 when it cannot be told.
    pub const fn standard() -> Self {
        Self { v2: false, unauthenticated: false }
    }

    /// As a V2 Handler: every HTTP status 500, and the account server's own words to everyone.
    pub const fn v2() -> Self {
        Self { v2: true, unauthenticated: false }
    }

    /// The same with gRPC code 16, Unauthenticated, for whoever is not known: credentials missing or refused.
    #[must_use]
    pub const fn with_unauthenticated(mut self) -> Self {
        self.unauthenticated = true;
        self
    }

    /// The refusal over HTTP.
    pub fn http(&self, error: &Error) -> HttpAnswer {
        let message = self.message(error);
        let (status, code) = if self.v2 { (500, UNKNOWN) } else { (status(error), self.code(error)) };
        let body = serde_json::json!({ "error": message, "code": code, "message": message }).to_string();
        let mut headers = vec![("content-type", "application/json".to_owned())];
        match status {
            401 | 403 => headers.push(("www-authenticate", challenge(error.kind(), &message))),
            429 | 503 => {
                let wait = error.retry_after().unwrap_or(WAIT).max(WAIT);
                headers.push(("retry-after", wait.as_millis().div_ceil(1000).to_string()));
            }
            _ => {}
        }
        HttpAnswer { status, headers, body }
    }

    /// The refusal over gRPC.
    pub fn grpc(&self, error: &Error) -> GrpcAnswer {
        GrpcAnswer { code: self.code(error), message: self.message(error) }
    }

    fn code(&self, error: &Error) -> i32 {
        let given = error.grpc_code();
        match cause(error.kind()) {
            Cause::Missing | Cause::Refused if self.unauthenticated => UNAUTHENTICATED,
            Cause::Missing | Cause::Malformed => given.unwrap_or(3),
            Cause::Refused | Cause::Forbidden => given.unwrap_or(7),
            Cause::Absent => given.unwrap_or(5),
            Cause::Present => given.unwrap_or(6),
            Cause::TooMany => given.unwrap_or(RESOURCE_EXHAUSTED),
            Cause::CannotTell if self.v2 => given.unwrap_or(UNKNOWN),
            Cause::CannotTell => UNAVAILABLE,
        }
    }

    fn message(&self, error: &Error) -> String {
        let message = error.message();
        match error.kind() {
            _ if self.v2 => message.to_owned(),
            // Why, and at which address, is the operator's business.
            kind if cause(kind) == Cause::CannotTell => CANNOT_TELL.to_owned(),
            // The account server's own words may not say what they are about; The Things Stack's do.
            ErrorKind::InvalidKey
                if !message.contains("access key") && !message.starts_with("error:pkg/") =>
            {
                format!("access key refused: {message}")
            }
            _ => message.to_owned(),
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Cause {
    Missing,
    Refused,
    Forbidden,
    Malformed,
    Absent,
    Present,
    TooMany,
    CannotTell,
}

/// What is not known to be the caller's doing is not told as if it were.
fn cause(kind: ErrorKind) -> Cause {
    match kind {
        ErrorKind::MissingCredentials => Cause::Missing,
        ErrorKind::InvalidCredentials
        | ErrorKind::TokenExpired
        | ErrorKind::TokenNotYetValid
        | ErrorKind::InvalidToken
        | ErrorKind::UnknownIssuer
        | ErrorKind::InvalidKey
        | ErrorKind::KeyExpired => Cause::Refused,
        ErrorKind::PermissionDenied => Cause::Forbidden,
        ErrorKind::InvalidArgument => Cause::Malformed,
        ErrorKind::NotFound => Cause::Absent,
        ErrorKind::AlreadyExists => Cause::Present,
        ErrorKind::RateLimited => Cause::TooMany,
        _ => Cause::CannotTell,
    }
}

fn status(error: &Error) -> u16 {
    match cause(error.kind()) {
        Cause::Missing | Cause::Refused => 401,
        Cause::Forbidden => 403,
        Cause::Malformed => 400,
        Cause::Absent => 404,
        Cause::Present => 409,
        Cause::TooMany => 429,
        Cause::CannotTell => 503,
    }
}

/// The value of `WWW-Authenticate`. Without a credential there is no `error` (RFC 6750, section 3.1).
fn challenge(kind: ErrorKind, message: &str) -> String {
    let error = match cause(kind) {
        Cause::Missing => return "Bearer realm=\"The Things Network\"".to_owned(),
        Cause::Forbidden => "insufficient_scope",
        _ => "invalid_token",
    };
    // Section 3: neither quotes nor backslashes, and nothing beyond printable ASCII.
    let description: String = message
        .chars()
        .map(|c| match c {
            '"' | '\\' => '\'',
            ' '..='~' => c,
            _ => '?',
        })
        .collect();
    format!("Bearer error=\"{error}\", error_description=\"{description}\"")
}

#[cfg(test)]
#[path = "answers_tests.rs"]
mod tests;
