//! The calls in flight of one environment (the main thread, each worker): begun on its thread, run on the runtime's,
//! settled on its thread again.
//!
//! What costs is waking another thread, so nobody is woken twice. JavaScript's thread wakes the runtime only if that has
//! read all it was sent before; what ends is kept, and JavaScript is woken when everything that could go on has gone on, or
//! enough has ended. Where both threads share a core, a thread that is woken by the first of many takes the core from the
//! others. With many calls in flight one wake-up serves dozens.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use napi::bindgen_prelude::{Function, Object, Unknown};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Status};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use ttn_auth::Result;

use crate::deferred::{Deferred, keep_alive};
use crate::error::{internal, panicked};
use crate::outcome::{Ended, Outcome, Waiting};
use crate::promise::aborted;
use crate::runtime::runtime;

/// How many calls are settled in one go. What follows a call, such as the next one, runs after it: with hundreds in flight
/// the runtime's thread would wait for all of them, then JavaScript's for all of the next.
const AT_ONCE: usize = 32;

/// How many messages the runtime's thread reads in one go.
const MESSAGES: usize = 64;

pub(crate) type Task = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// Makes a task, on the thread that runs it: the largest thing that a call allocates is not handed across.
pub(crate) type Begin = Box<dyn FnOnce() -> Task + Send>;

/// What the runtime's thread is told.
enum Message {
    Start(u32, Begin),
    Cancel(u32),
    /// By itself, behind all that is ready to run: calls have ended.
    Ended,
}

type Wake = ThreadsafeFunction<(), Unknown<'static>, (), Status, false, true>;

/// What the threads share.
struct Shared {
    wake: Wake,
    /// Weak, because the environment's end is the end of them.
    messages: mpsc::WeakUnboundedSender<Message>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: HashMap<u32, AbortHandle>,
    /// [`AT_ONCE`] in each.
    ended: VecDeque<Ended>,
    /// The runtime's thread is about to wake JavaScript's.
    waking: bool,
    /// JavaScript's thread knows that it has to look.
    woken: bool,
    closed: bool,
}

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
    let shared = Arc::new(Shared { wake, messages: messages.downgrade(), state: Mutex::default() });
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

/// On the runtime's thread: does what JavaScript's says, until its environment ends.
async fn run(shared: Arc<Shared>, mut messages: mpsc::UnboundedReceiver<Message>) {
    let mut batch = Vec::with_capacity(MESSAGES);
    while messages.recv_many(&mut batch, MESSAGES).await > 0 {
        let (mut started, mut ended) = (false, false);
        for message in batch.drain(..) {
            match message {
                Message::Start(number, begin) => {
                    started = true;
                    shared.spawn(number, begin);
                }
                Message::Cancel(number) => shared.cancel(number),
                Message::Ended => ended = true,
            }
        }
        if ended && started {
            // What was started is sent first.
            tokio::task::yield_now().await;
        }
        if ended {
            shared.tell();
        }
    }
    shared.close();
}

impl Shared {
    /// Nothing panics while it holds this lock, so what it guards is whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spawn(self: &Arc<Self>, number: u32, begin: Begin) {
        let running = Running { shared: Some(Arc::clone(self)), number };
        let mut state = self.state();
        let task = tokio::spawn(async move { running.end(without_panic(begin()).await) });
        state.running.insert(number, task.abort_handle());
    }

    fn cancel(&self, number: u32) {
        let Some(task) = self.state().running.get(&number).cloned() else { return };
        self.end(number, Err(aborted()));
        task.abort();
    }

    /// Keeps how a call ended, which it does once, and sees to it that JavaScript's thread is woken.
    fn end(&self, number: u32, outcome: Outcome) {
        let mut state = self.state();
        if state.running.remove(&number).is_none() || state.closed {
            drop(state);
            return;
        }
        match state.ended.back_mut() {
            Some(ended) if ended.len() < AT_ONCE => ended.push(number, outcome),
            _ => {
                let mut ended = Ended::default();
                ended.push(number, outcome);
                state.ended.push_back(ended);
            }
        }
        if state.woken {
            return;
        }
        let enough = state.ended.front().is_some_and(|ended| ended.len() == AT_ONCE);
        if enough {
            state.woken = true;
            drop(state);
            self.wake();
        } else {
            self.wake_later(state);
        }
    }

    /// Wakes JavaScript's thread when the runtime's has come to the end of what is ready to run.
    fn wake_later(&self, mut state: MutexGuard<'_, State>) {
        if std::mem::replace(&mut state.waking, true) {
            return;
        }
        drop(state);
        // Without its sender the environment has ended.
        if let Some(messages) = self.messages.upgrade() {
            let _ = messages.send(Message::Ended);
        }
    }

    /// Wakes JavaScript's thread if nobody has.
    fn tell(&self) {
        let mut state = self.state();
        state.waking = false;
        if state.ended.is_empty() || std::mem::replace(&mut state.woken, true) {
            return;
        }
        drop(state);
        self.wake();
    }

    fn wake(&self) {
        if self.wake.call((), ThreadsafeFunctionCallMode::NonBlocking) != Status::Ok {
            // The environment ends: nobody waits for anything any more.
            self.close();
        }
    }

    /// What JavaScript's thread is to settle now. It is woken again for the rest, after the calls that it begins meanwhile:
    /// these are on their way to the server then, which otherwise had nothing to do.
    fn take(&self) -> Ended {
        let mut state = self.state();
        let now = state.ended.pop_front().unwrap_or_default();
        state.woken = false;
        if !state.ended.is_empty() {
            self.wake_later(state);
        }
        now
    }

    /// Ends what runs: nobody would be told.
    fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        let (running, ended) = (std::mem::take(&mut state.running), std::mem::take(&mut state.ended));
        drop(state);
        running.into_values().for_each(|task| task.abort());
        drop(ended);
    }
}

/// A call that has not ended. If its task is lost it ends here, so that no promise stays pending.
struct Running {
    shared: Option<Arc<Shared>>,
    number: u32,
}

impl Running {
    fn end(mut self, outcome: Outcome) {
        if let Some(shared) = self.shared.take() {
            shared.end(self.number, outcome);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.take() {
            shared.end(self.number, Err(internal("the call was lost")));
        }
    }
}

/// The future, whose panic is an error.
async fn without_panic<T>(mut future: Pin<Box<dyn Future<Output = Result<T>> + Send>>) -> Result<T> {
    poll_fn(|context| {
        catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)))
            .unwrap_or_else(|panic| Poll::Ready(Err(panicked(panic))))
    })
    .await
}
