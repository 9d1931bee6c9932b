//! Every error becomes JavaScript's `AuthError`, thrown or rejected with.

use std::any::Any;
use std::error::Error as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

use napi::Env;
use napi::bindgen_prelude::Unknown;
use ttn_auth::{Answers, Error, ErrorDetails, ErrorKind};

use crate::hooks;
use crate::kept::Thrown;

/// No honest chain of causes is longer.
const MAX_CAUSES: usize = 8;

/// An argument that is not what the documentation says. The value stays out of the message: it may be a secret.
pub(crate) fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidArgument, message)
}

/// A defect, in the shape of any other error.
pub(crate) fn internal(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Internal, message)
}

/// What Node says of a value that cannot be converted.
pub(crate) fn unreadable(what: &str, error: &napi::Error) -> Error {
    invalid(format!("{what}: {}", error.reason))
}

/// Runs what JavaScript called and throws its error as an `AuthError`; a panic becomes one too.
pub(crate) fn guard<T>(env: &Env, body: impl FnOnce() -> Result<T, Error>) -> napi::Result<T> {
    contained(body).map_err(|error| thrown(env, &error, None))
}

/// Turns a panic into an error.
pub(crate) fn contained<T>(body: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    // Nothing that the body borrows is looked at again after a panic, other than through its own locks.
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| Err(panicked(panic)))
}

/// The text stays out of the message, because a panic's text may quote what it worked on; the panic hook has printed
/// where it happened.
pub(crate) fn panicked(panic: Box<dyn Any + Send>) -> Error {
    // The payload's own destructor might panic as well.
    let _ = catch_unwind(AssertUnwindSafe(move || drop(panic)));
    internal("a defect in ttn-auth ended this call")
}

/// The `AuthError` as an exception. `cause` is a JavaScript value, such as a signal's reason.
pub(crate) fn thrown(env: &Env, error: &Error, cause: Option<Unknown>) -> napi::Error {
    match build(env, error, cause) {
        // `From` would turn its cause into text, which a symbol cannot be.
        Ok(value) => napi::Error::from_unknown_without_coercion(value),
        // No AuthError could be made: an exception of the caller's own is pending, or the environment ends.
        Err(other) => other,
    }
}

/// The same with how a caller is told.
pub(crate) fn answered(env: &Env, error: &Error, answers: &Answers) -> napi::Error {
    let (http, grpc) = (answers.http(error), answers.grpc(error));
    let headers = http.headers.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
    let built = build(env, error, None).and_then(|built| {
        hooks::answered(env, (built, http.status, headers, http.body, grpc.code, grpc.message))
    });
    built.map_or_else(|other| other, napi::Error::from_unknown_without_coercion)
}

/// What The Things Stack says of an error, as JSON under JavaScript's names.
fn details(details: &ErrorDetails) -> String {
    let mut shown = serde_json::json!({ "namespace": details.namespace, "name": details.name });
    if !details.attributes.is_empty() {
        shown["attributes"] =
            details.attributes.clone().into_iter().collect::<serde_json::Map<_, _>>().into();
    }
    if let Some(id) = &details.correlation_id {
        shown["correlationId"] = id.as_str().into();
    }
    shown.to_string()
}

/// The `AuthError` itself.
pub(crate) fn build<'a>(
    env: &'a Env,
    error: &Error,
    cause: Option<Unknown<'a>>,
) -> napi::Result<Unknown<'a>> {
    let mut causes = Vec::new();
    let mut next = error.source();
    let mut cause = cause;
    while let Some(source) = next.filter(|_| causes.len() < MAX_CAUSES) {
        // An exception of JavaScript's is the cause as it is.
        if let Some(thrown) = source.downcast_ref::<Thrown>().and_then(|thrown| thrown.0.number()) {
            cause = Some(hooks::kept(env, thrown)?);
            break;
        }
        causes.push(source.to_string());
        next = source.source();
    }
    hooks::error(
        env,
        (
            error.code(),
            error.kind().name(),
            error.message().to_owned(),
            error.hint(),
            error.is_transient(),
            error.grpc_code(),
            error.http_status().map(u32::from),
            causes,
            cause,
            error.details().map(details),
        ),
    )
}
