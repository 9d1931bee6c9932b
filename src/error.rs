//! One error for everything that can go wrong, with a kind that callers can decide on.
//!
//! The same cause gives the same [`ErrorKind`] over gRPC and HTTP, although a V2 Handler answers every HTTP error with
//! 500; what tells them apart is in [`classify`](crate::classify).

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::{ErrorDetails, ErrorKind};

/// A [`std::result::Result`] with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong: a kind to decide on, a message to read, and what the server said where it said anything.
///
/// Cheap to clone, so that everyone who waits for one answer can have it. Never holds a credential.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: String,
    grpc_code: Option<i32>,
    http_status: Option<u16>,
    retry_after: Option<Duration>,
    details: Option<Arc<ErrorDetails>>,
    unsent: bool,
    #[cfg(any(feature = "grpc", feature = "http"))]
    after_lost_answer: bool,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of this side.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Arc::new(Inner {
            kind,
            message: message.into(),
            grpc_code: None,
            http_status: None,
            retry_after: None,
            details: None,
            unsent: false,
            #[cfg(any(feature = "grpc", feature = "http"))]
            after_lost_answer: false,
            source: None,
        }))
    }

    /// The same with the gRPC status code that carried it.
    #[must_use]
    pub fn with_grpc_code(mut self, code: i32) -> Self {
        Arc::make_mut(&mut self.0).grpc_code = Some(code);
        self
    }

    /// The same with the HTTP status that carried it.
    #[must_use]
    pub fn with_http_status(mut self, status: u16) -> Self {
        Arc::make_mut(&mut self.0).http_status = Some(status);
        self
    }

    /// The same with how long to wait before another attempt.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        Arc::make_mut(&mut self.0).retry_after = Some(wait);
        self
    }

    /// The same with what The Things Stack says of it.
    #[must_use]
    pub fn with_details(mut self, details: ErrorDetails) -> Self {
        Arc::make_mut(&mut self.0).details = Some(Arc::new(details));
        self
    }

    /// The same with another kind.
    #[cfg(any(feature = "grpc", feature = "http"))]
    pub(crate) fn with_kind(mut self, kind: ErrorKind) -> Self {
        Arc::make_mut(&mut self.0).kind = kind;
        self
    }

    /// The same, of a request that has not left this side.
    #[must_use]
    pub fn before_sending(mut self) -> Self {
        Arc::make_mut(&mut self.0).unsent = true;
        self
    }

    /// The same, of a call that was made again because its first answer was lost: it may have been carried out then, even
    /// if its last attempt was not sent.
    #[cfg(any(feature = "grpc", feature = "http"))]
    #[must_use]
    pub(crate) fn after_lost_answer(mut self) -> Self {
        let inner = Arc::make_mut(&mut self.0);
        (inner.after_lost_answer, inner.unsent) = (true, false);
        self
    }

    /// The same with its cause.
    #[must_use]
    pub fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        Arc::make_mut(&mut self.0).source = Some(Arc::new(source));
        self
    }

    /// The same with another message; unchanged, and not copied, where the messages are equal.
    #[cfg(any(feature = "grpc", feature = "http"))]
    pub(crate) fn map_message(mut self, change: impl FnOnce(&str) -> String) -> Self {
        let message = change(self.message());
        if message != self.message() {
            Arc::make_mut(&mut self.0).message = message;
        }
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The stable code, such as `AUTH_TOKEN_EXPIRED`.
    pub fn code(&self) -> &'static str {
        self.kind().code()
    }

    /// What happened, without the hint.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        self.kind().hint()
    }

    /// The gRPC status code (0 to 16), if the answer came over gRPC.
    pub fn grpc_code(&self) -> Option<i32> {
        self.0.grpc_code
    }

    /// The HTTP status, if the answer came over HTTP.
    pub fn http_status(&self) -> Option<u16> {
        self.0.http_status
    }

    /// How long to wait before another attempt, if the server said so (`Retry-After`, RFC 9110, section 10.2.3), or if it
    /// is known here: an account server that failed is not asked again at once.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// What The Things Stack says of it beside its text: its name, and what it is about.
    pub fn details(&self) -> Option<&ErrorDetails> {
        self.0.details.as_deref()
    }

    /// Whether the request cannot have been carried out, because it has not left this side: there was no connection, or no
    /// token.
    pub fn is_unsent(&self) -> bool {
        self.0.unsent
    }

    #[cfg(any(feature = "grpc", feature = "http"))]
    pub(crate) fn is_after_lost_answer(&self) -> bool {
        self.0.after_lost_answer
    }

    /// Whether a server refused the bearer token itself, rather than what was asked for: another token may be taken.
    pub fn refuses_token(&self) -> bool {
        matches!(
            self.kind(),
            ErrorKind::TokenExpired
                | ErrorKind::TokenNotYetValid
                | ErrorKind::InvalidToken
                | ErrorKind::UnknownIssuer
        )
    }

    /// Whether the same call may succeed later, unchanged.
    pub fn is_transient(&self) -> bool {
        matches!(
            self.kind(),
            ErrorKind::RateLimited
                | ErrorKind::ExchangeUnavailable
                | ErrorKind::Unavailable
                | ErrorKind::Timeout
        )
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Error");
        shown.field("code", &self.code()).field("message", &self.message());
        if let Some(code) = self.grpc_code() {
            shown.field("grpc_code", &code);
        }
        if let Some(status) = self.http_status() {
            shown.field("http_status", &status);
        }
        if let Some(source) = &self.0.source {
            shown.field("source", source);
        }
        shown.finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_keeps_everything() {
        let error = Error::new(ErrorKind::Unavailable, "connection refused")
            .with_grpc_code(14)
            .with_source(std::io::Error::from(std::io::ErrorKind::ConnectionRefused));
        let clone = error.clone();
        assert_eq!((clone.grpc_code(), clone.http_status(), clone.is_transient()), (Some(14), None, true));
        assert!(clone.source().is_some());
        assert_eq!(clone.to_string(), "connection refused");
    }
}
