//! A promise and its other end, both on JavaScript's thread.
//!
//! napi's own `JsDeferred` may be settled from any thread, for which each one makes a threadsafe function of its own. Ours
//! share one (`calls.rs`), so that many calls cost one wake-up.

use napi::bindgen_prelude::{FromNapiValue, Object, Unknown};
use napi::{Env, JsValue, Result, Status, sys};

/// The end that settles a promise. One that is dropped leaves it pending.
pub(crate) struct Deferred(sys::napi_deferred);

fn done(status: sys::napi_status) -> Result<()> {
    match Status::from(status) {
        Status::Ok => Ok(()),
        status => Err(napi::Error::new(status, "Node could not do it")),
    }
}

#[allow(unsafe_code, reason = "napi has no safe promise without a threadsafe function of its own")]
impl Deferred {
    /// A promise, and what settles it.
    pub(crate) fn new(env: &Env) -> Result<(Self, Object<'_>)> {
        let (mut deferred, mut promise) = (std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: `env` is that of the thread we are on, for an `Env` does not leave its own; both pointers are to locals.
        done(unsafe { sys::napi_create_promise(env.raw(), &raw mut deferred, &raw mut promise) })?;
        // SAFETY: Node has just made this value, in this environment.
        let promise = unsafe { Object::from_napi_value(env.raw(), promise) }?;
        Ok((Self(deferred), promise))
    }

    /// Settles the promise. It can only fail while the environment ends.
    pub(crate) fn settle(self, env: &Env, outcome: std::result::Result<Unknown, Unknown>) -> Result<()> {
        // SAFETY: as above; a deferred is settled once, because this takes it.
        done(unsafe {
            match outcome {
                Ok(value) => sys::napi_resolve_deferred(env.raw(), self.0, value.raw()),
                Err(reason) => sys::napi_reject_deferred(env.raw(), self.0, reason.raw()),
            }
        })
    }
}

/// Whether Node waits for this function, rather than ending.
#[allow(unsafe_code, reason = "napi's own functions for it need the only reference, and are deprecated")]
pub(crate) fn keep_alive(env: &Env, function: sys::napi_threadsafe_function, waits: bool) -> Result<()> {
    // SAFETY: we are on the environment's thread, and it has not ended: somebody here refers to the function.
    done(unsafe {
        if waits {
            sys::napi_ref_threadsafe_function(env.raw(), function)
        } else {
            sys::napi_unref_threadsafe_function(env.raw(), function)
        }
    })
}
