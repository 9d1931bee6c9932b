//! Exports that panic on purpose, one of each kind of item, to prove that the process lives. Only in builds with the
//! feature `test-panics`, which tests/node/panic.test.mjs makes for itself.

use napi::Env;
use napi::bindgen_prelude::{Object, ToNapiValue};
use napi_derive::napi;

use crate::contained::Contained;
use crate::error::guard;
use crate::promise::{Call, promise};

struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("on purpose: drop");
    }
}

/// A function whose panic napi's own `catch_unwind` has to catch.
#[napi(catch_unwind)]
pub fn panic_bare() {
    panic!("on purpose: bare function");
}

/// A function whose panic our own guard makes an `AuthError`.
#[napi(catch_unwind)]
pub fn panic_guarded(env: &Env) -> napi::Result<()> {
    guard(env, || panic!("on purpose: guarded function"))
}

/// A panic at the place that `at` names, on the way of a promise.
#[napi(catch_unwind)]
pub fn panic_promise(env: &Env, at: String) -> napi::Result<Object<'_>> {
    let (in_future, in_convert) = (at == "future", at == "convert");
    let left_behind = (at == "drop").then(|| PanicsWhenDropped);
    let prepare = || {
        assert!(at != "prepare", "on purpose: prepare");
        let future = async move {
            let _left_behind = left_behind;
            tokio::task::yield_now().await;
            assert!(!in_future, "on purpose: future");
            Ok(())
        };
        Ok(Call { future, signal: None })
    };
    promise(env, prepare, move |env, ()| {
        assert!(!in_convert, "on purpose: convert");
        ().into_unknown(env)
    })
}

/// A class each of whose items panics.
#[napi]
pub struct PanicClass {
    _value: Contained<PanicsWhenDropped>,
}

#[napi]
impl PanicClass {
    /// Panics if told to; otherwise the object's destructor will.
    #[napi(constructor, catch_unwind)]
    pub fn new(panics: bool) -> Self {
        assert!(!panics, "on purpose: constructor");
        Self { _value: Contained::new(PanicsWhenDropped) }
    }

    /// A getter.
    #[napi(getter, catch_unwind)]
    pub fn value(&self) -> u32 {
        panic!("on purpose: getter");
    }

    /// A method.
    #[napi(catch_unwind)]
    pub fn method(&self) {
        panic!("on purpose: method");
    }

    /// A static method.
    #[napi(catch_unwind)]
    pub fn function() {
        panic!("on purpose: static method");
    }
}

/// A message to JavaScript that panics on its way.
#[napi(catch_unwind)]
pub fn panic_message() {
    crate::bridge::send_panic();
}
