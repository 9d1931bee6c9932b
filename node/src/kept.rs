//! JavaScript values that Rust refers to: token functions, listeners, and what they threw. They stay in JavaScript, under a
//! number, and are let go when Rust no longer has that number.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use napi::Env;
use napi::bindgen_prelude::Unknown;
use napi_derive::napi;
use ttn_auth::{Error, ErrorKind, Result, Secret};

use crate::bridge::{Bridge, Given};
use crate::error::{guard, internal};
use crate::hooks;

/// A JavaScript value that JavaScript keeps until this is dropped, on whatever thread.
pub(crate) struct Kept {
    bridge: Arc<Bridge>,
    number: u32,
}

impl Kept {
    /// What JavaScript keeps under this number.
    pub(crate) fn new(number: u32) -> Result<Self> {
        Ok(Self { bridge: Bridge::here()?, number })
    }

    /// Its number, in its own environment.
    pub(crate) fn number(&self) -> Option<u32> {
        Bridge::here().is_ok_and(|here| Arc::ptr_eq(&here, &self.bridge)).then_some(self.number)
    }

    /// Calls it with a text, and waits for nothing.
    pub(crate) fn tell(&self, text: Secret) {
        self.bridge.tell(self.number, text);
    }

    /// Calls it, as a token function.
    pub(crate) async fn ask(&self) -> Result<Given> {
        self.bridge.ask(self.number).await
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.bridge.release(self.number);
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Kept").field(&self.number).finish()
    }
}

/// An exception of JavaScript's, as the cause of an error. Its text stays in JavaScript.
#[derive(Debug)]
pub(crate) struct Thrown(pub(crate) Kept);

impl fmt::Display for Thrown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an exception of JavaScript's")
    }
}

impl std::error::Error for Thrown {}

/// Keeps a JavaScript value.
pub(crate) fn keep(env: &Env, value: Unknown) -> Result<Kept> {
    let number = hooks::keep(env, value).map_err(|error| internal(error.reason.clone()))?;
    Kept::new(number)
}

/// Called by bridge.js: a token function's answer. No token: it gave something else.
#[napi(catch_unwind, skip_typescript)]
pub fn settle(env: &Env, request: u32, token: Option<String>, expires_in: Option<f64>) -> napi::Result<()> {
    guard(env, || {
        let given = match token {
            // What is no length of time says nothing, as in an account server's answer.
            Some(token) => Ok(Given {
                token: Secret::new(token),
                expires_in: expires_in.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
            }),
            None => Err(Error::new(
                ErrorKind::InvalidCredentials,
                "the token source must give a string, { token, expiresIn } or Credentials of kind bearer-token",
            )),
        };
        Bridge::here()?.answer(request, given);
        Ok(())
    })
}

/// Called by bridge.js: a token function threw what is kept under this number; with its code if it was an `AuthError`.
#[napi(catch_unwind, skip_typescript)]
pub fn fail(env: &Env, request: u32, exception: u32, code: Option<String>) -> napi::Result<()> {
    guard(env, || {
        let thrown = Thrown(Kept::new(exception)?);
        let kind = ErrorKind::ALL.iter().find(|kind| code.as_deref() == Some(kind.code()));
        let kind = kind.copied().unwrap_or(ErrorKind::ExchangeUnavailable);
        // Not the exception's text: it may hold a secret.
        let error = Error::new(kind, "the token source failed").with_source(thrown);
        Bridge::here()?.answer(request, Err(error));
        Ok(())
    })
}
