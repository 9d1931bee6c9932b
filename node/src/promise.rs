//! A promise for each call: the future runs on our threads, JavaScript's values are made on its own.
//!
//! A call ends once, by its answer, its error, a panic, or the abort of its signal; each of them stops the listening to
//! the signal. napi's own `AbortSignal` is not used: it overwrites the caller's `onabort` and misses a signal that is
//! aborted already.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use napi::bindgen_prelude::{Object, PromiseRaw, ToNapiValue, Unknown};
use napi::{Env, JsDeferred, JsValue, sys};
use tokio::sync::oneshot;
use ttn_auth::{Error, ErrorKind, Result};

use crate::runtime::runtime;
use crate::{error, hooks};

thread_local! {
    /// What cancels each call in flight that has a signal, or that must not outlive its environment: these senders are
    /// dropped with the thread, and a dropped sender cancels too.
    static CALLS: RefCell<HashMap<u32, oneshot::Sender<()>>> = RefCell::new(HashMap::new());
    static LAST: Cell<u32> = const { Cell::new(0) };
}

/// Ends the call of this number with `AUTH_CANCELLED`.
pub(crate) fn cancel(call: u32) {
    let sender = CALLS.with(|calls| calls.borrow_mut().remove(&call));
    if let Some(sender) = sender {
        // Its receiver is gone when the call has just ended.
        let _ = sender.send(());
    }
}

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
    let call = match error::contained(prepare) {
        Ok(call) => call,
        Err(error) => return rejected(env, &error, None),
    };
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return rejected(env, &error, None),
    };
    let number = next_number();
    let watched = call.signal.is_some();
    if let Some(signal) = call.signal {
        match hooks::watch(env, signal, number) {
            Ok(false) => {}
            Ok(true) => return rejected(env, &cancelled(), hooks::unwatch(env, number).ok()),
            Err(error) => return rejected(env, &error::unreadable("signal", &error), None),
        }
    }
    let (cancel, cancelled_by_caller) = oneshot::channel();
    CALLS.with(|calls| calls.borrow_mut().insert(number, cancel));
    let (deferred, promise) = match env.create_deferred() {
        Ok(made) => made,
        Err(error) => {
            release(env, number, watched);
            return Err(error);
        }
    };
    let deferred = Deferred { inner: Some(deferred), number, watched };
    runtime.spawn(async move {
        let outcome = tokio::select! {
            biased;
            _ = cancelled_by_caller => Err(cancelled()),
            outcome = without_panic(call.future) => outcome,
        };
        deferred.settle(move |env, reason| match outcome {
            Ok(answer) => convert(env, answer).map(|value| Raw(value.raw())),
            Err(error) => {
                let cause = reason.filter(|_| error.kind() == ErrorKind::Cancelled);
                Err(error::thrown(env, &error, cause))
            }
        });
    });
    Ok(promise)
}

fn next_number() -> u32 {
    LAST.with(|last| {
        last.set(last.get().wrapping_add(1));
        last.get()
    })
}

fn cancelled() -> Error {
    Error::new(ErrorKind::Cancelled, "the call was aborted by its signal")
}

fn rejected<'a>(env: &'a Env, error: &Error, cause: Option<Unknown>) -> napi::Result<Object<'a>> {
    let promise = PromiseRaw::<()>::reject(env, error::thrown(env, error, cause))?;
    Ok(Object::from_raw(env.raw(), promise.raw()))
}

/// Forgets a call; its signal's reason, if that is aborted.
fn release<'a>(env: &'a Env, number: u32, watched: bool) -> Option<Unknown<'a>> {
    let sender = CALLS.with(|calls| calls.borrow_mut().remove(&number));
    drop(sender);
    if !watched {
        return None;
    }
    hooks::unwatch(env, number).ok()
}

/// The future, whose panic is an error.
async fn without_panic<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let mut future = pin!(future);
    poll_fn(|context| {
        catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)))
            .unwrap_or_else(|panic| Poll::Ready(Err(error::panicked(panic))))
    })
    .await
}

/// A value of JavaScript's on its way into a promise.
struct Raw(sys::napi_value);

#[allow(unsafe_code, reason = "the trait's function is unsafe to call; this one only hands its value on")]
impl ToNapiValue for Raw {
    unsafe fn to_napi_value(_: sys::napi_env, value: Self) -> napi::Result<sys::napi_value> {
        Ok(value.0)
    }
}

type Resolver = Box<dyn FnOnce(Env) -> napi::Result<Raw> + Send>;

/// A promise's other end, which settles it even if the task that owns it is lost.
struct Deferred {
    inner: Option<JsDeferred<Raw, Resolver>>,
    number: u32,
    watched: bool,
}

impl Deferred {
    fn settle(mut self, make: impl FnOnce(&Env, Option<Unknown>) -> napi::Result<Raw> + Send + 'static) {
        self.resolve(Box::new(make));
    }

    #[expect(clippy::type_complexity, reason = "named once, used once")]
    fn resolve(&mut self, make: Box<dyn FnOnce(&Env, Option<Unknown>) -> napi::Result<Raw> + Send>) {
        let (number, watched) = (self.number, self.watched);
        let Some(deferred) = self.inner.take() else { return };
        deferred.resolve(Box::new(move |env| {
            catch_unwind(AssertUnwindSafe(|| make(&env, release(&env, number, watched))))
                .unwrap_or_else(|panic| Err(error::thrown(&env, &error::panicked(panic), None)))
        }));
    }
}

impl Drop for Deferred {
    fn drop(&mut self) {
        self.resolve(Box::new(|env, _| Err(error::thrown(env, &error::internal("the call was lost"), None))));
    }
}
