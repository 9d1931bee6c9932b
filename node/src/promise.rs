//! A promise for each call: the future runs on our thread, JavaScript's values are made on its own.
//!
//! A call ends once, by its answer, its error, a panic, or the abort of its signal; each of them stops the listening to
//! the signal. napi's own `AbortSignal` is not used: it overwrites the caller's `onabort` and misses a signal that is
//! aborted already.

use std::future::Future;

use napi::bindgen_prelude::{Object, PromiseRaw, Unknown};
use napi::{Env, JsValue};
use ttn_auth::{Error, ErrorKind, Result};

use crate::calls;
use crate::outcome::{Answer, Outcome};
use crate::running::{Begin, Task};
use crate::{error, hooks};

/// A call that is ready to run, and the signal that may abort it.
pub(crate) struct Call<'a, F> {
    pub(crate) future: F,
    pub(crate) signal: Option<Unknown<'a>>,
}

/// A promise of what `prepare` asks for. Whatever goes wrong rejects it; `convert` makes the value, on JavaScript's
/// thread.
pub(crate) fn promise<'a, T, F>(
    env: &'a Env,
    prepare: impl FnOnce() -> Result<Call<'a, F>>,
    convert: impl for<'e> FnOnce(&'e Env, T) -> napi::Result<Unknown<'e>> + Send + 'static,
) -> napi::Result<Object<'a>>
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    start(env, || {
        let Call { future, signal } = prepare()?;
        let begin = move || {
            Box::pin(async move {
                let value = future.await?;
                Ok(Answer::Made(Box::new(move |env| convert(env, value))))
            }) as Task
        };
        Ok((Box::new(begin), signal))
    })
}

/// The same for a call that makes its answer itself, and its future only when it runs.
pub(crate) fn promise_answer<'a, B, F>(
    env: &'a Env,
    prepare: impl FnOnce() -> Result<Call<'a, B>>,
) -> napi::Result<Object<'a>>
where
    B: FnOnce() -> F + Send + 'static,
    F: Future<Output = Outcome> + Send + 'static,
{
    start(env, || {
        let Call { future: begin, signal } = prepare()?;
        Ok((Box::new(move || Box::pin(begin()) as Task), signal))
    })
}

fn start<'a>(
    env: &'a Env,
    prepare: impl FnOnce() -> Result<(Begin, Option<Unknown<'a>>)>,
) -> napi::Result<Object<'a>> {
    let (begin, signal) = match error::contained(prepare) {
        Ok(ready) => ready,
        Err(error) => return rejected(env, error::thrown(env, &error, None)),
    };
    let number = calls::number();
    let watched = signal.is_some();
    if let Some(signal) = signal {
        match hooks::watch(env, signal, number) {
            Ok(false) => {}
            Ok(true) => {
                let reason = hooks::unwatch(env, number).ok();
                return rejected(env, error::thrown(env, &aborted(), reason));
            }
            Err(error) => {
                return rejected(env, error::thrown(env, &error::unreadable("signal", &error), None));
            }
        }
    }
    calls::start(env, number, watched, begin).or_else(|error| {
        if watched {
            // Nothing will abort what has not begun.
            let _ = hooks::unwatch(env, number);
        }
        rejected(env, error)
    })
}

/// How a call ends that its signal aborted.
pub(crate) fn aborted() -> Error {
    Error::new(ErrorKind::Cancelled, "the call was aborted by its signal")
}

fn rejected(env: &Env, error: napi::Error) -> napi::Result<Object<'_>> {
    let promise = PromiseRaw::<()>::reject(env, error)?;
    Ok(Object::from_raw(env.raw(), promise.raw()))
}
