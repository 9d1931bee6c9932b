//! The calls in flight of one environment (the main thread, each worker): begun on its thread, run on the runtime's
//! (`running.rs`), settled on its thread again.
//!
//! What costs is waking another thread, so nobody is woken twice. JavaScript's thread wakes the runtime only if that has
//! read all it was sent before; what ends is kept, and JavaScript is woken when everything that could go on has gone on, or
//! enough has ended. Where both threads share a core, a thread that is woken by the first of many takes the core from the
//! others. With many calls in flight one wake-up serves dozens.

use std::cell::RefCell;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use napi::Env;
use napi::bindgen_prelude::{Function, Object, Unknown};
use tokio::sync::mpsc;

use crate::deferred::{Deferred, keep_alive};
use crate::error::panicked;
use crate::outcome::Waiting;
use crate::running::{Begin, Message, Shared, run};
use crate::runtime::runtime;

/// The environment's own side.
struct Calls {
    shared: Arc<Shared>,
    messages: mpsc::UnboundedSender<Message>,
    promises: HashMap<u32, Waiting>,
    last: u32,
}

thread_local! {
    static CALLS: RefCell<Option<Calls>> = const { RefCell::new(None) };
}

/// Makes this environment ready for calls. `nothing` is a function that does nothing, for Node wants one to call.
pub(crate) fn open(nothing: &Function<(), Unknown<'static>>) -> napi::Result<()> {
    if CALLS.with_borrow(Option::is_some) {
        // Its index.js was loaded once more; calls may be in flight.
        return Ok(());
    }
    let wake =
        nothing.build_threadsafe_function::<()>().weak::<true>().callee_handled::<false>().build_callback(
            |context| {
                // A panic here would end the process.
                if let Err(panic) = catch_unwind(AssertUnwindSafe(|| settle(&context.env))) {
                    drop(panicked(panic));
                }
                Ok(())
            },
        )?;
    let (messages, received) = mpsc::unbounded_channel();
    let shared = Shared::new(wake, messages.downgrade());
    CALLS.set(Some(Calls { shared: Arc::clone(&shared), messages, promises: HashMap::new(), last: 0 }));
    UNREAD.set(Some((shared, received)));
    Ok(())
}

thread_local! {
    /// The other end of the messages, until the first call: the runtime is made for that.
    static UNREAD: RefCell<Option<(Arc<Shared>, mpsc::UnboundedReceiver<Message>)>> = const { RefCell::new(None) };
}

/// A number for the next call of this environment.
pub(crate) fn number() -> u32 {
    CALLS.with_borrow_mut(|calls| {
        let Some(calls) = calls else { return 0 };
        loop {
            calls.last = calls.last.wrapping_add(1);
            if !calls.promises.contains_key(&calls.last) {
                return calls.last;
            }
        }
    })
}

/// Runs a call under this number, and promises what it ends with. `watched`: it has a signal.
pub(crate) fn start<'a>(env: &'a Env, number: u32, watched: bool, begin: Begin) -> napi::Result<Object<'a>> {
    let runtime = runtime().map_err(|error| crate::error::thrown(env, &error, None))?;
    if let Some((shared, messages)) = UNREAD.take() {
        runtime.spawn(run(shared, messages));
    }
    let (deferred, promise) = Deferred::new(env)?;
    CALLS.with_borrow_mut(|calls| {
        let calls = calls
            .as_mut()
            .ok_or_else(|| napi::Error::from_reason("the addon is used without its index.js"))?;
        if calls.promises.is_empty() {
            keep_alive(env, calls.shared.wake.raw(), true)?;
        }
        calls.promises.insert(number, Waiting { deferred, watched });
        // Its reader ends with this environment.
        let _ = calls.messages.send(Message::Start(number, begin));
        Ok(promise)
    })
}

/// Ends the call of this number with `AUTH_CANCELLED`, if it is still in flight.
pub(crate) fn cancel(number: u32) {
    CALLS.with_borrow(|calls| {
        if let Some(calls) = calls {
            let _ = calls.messages.send(Message::Cancel(number));
        }
    });
}

/// Settles what has ended since the last time.
fn settle(env: &Env) {
    let Some(shared) = CALLS.with_borrow(|calls| calls.as_ref().map(|calls| Arc::clone(&calls.shared)))
    else {
        return;
    };
    // JavaScript may run meanwhile, and begin other calls.
    shared
        .take()
        .settle(env, |number| CALLS.with_borrow_mut(|calls| calls.as_mut()?.promises.remove(&number)));
    CALLS.with_borrow(|calls| {
        if calls.as_ref().is_some_and(|calls| calls.promises.is_empty()) {
            // It can only fail while the environment ends.
            let _ = keep_alive(env, shared.wake.raw(), false);
        }
    });
}
