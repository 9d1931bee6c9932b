//! The runtime's side of the calls in flight of one environment (`calls.rs`): it runs them, keeps how they ended, and wakes
//! JavaScript's thread.

use std::collections::{HashMap, VecDeque};
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use napi::Status;
use napi::bindgen_prelude::Unknown;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use ttn_auth::Result;

use crate::error::{internal, panicked};
use crate::outcome::{Ended, Outcome};
use crate::promise::aborted;

/// How many calls are settled in one go. What follows a call, such as the next one, runs after it: with hundreds in flight
/// the runtime's thread would wait for all of them, then JavaScript's for all of the next.
const AT_ONCE: usize = 32;

/// How many messages the runtime's thread reads in one go.
const MESSAGES: usize = 64;

pub(crate) type Task = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// Makes a task, on the thread that runs it: the largest thing that a call allocates is not handed across.
pub(crate) type Begin = Box<dyn FnOnce() -> Task + Send>;

/// What the runtime's thread is told.
pub(crate) enum Message {
    Start(u32, Begin),
    Cancel(u32),
    /// By itself, behind all that is ready to run: calls have ended.
    Ended,
}

pub(crate) type Wake = ThreadsafeFunction<(), Unknown<'static>, (), Status, false, true>;

/// What the threads share.
pub(crate) struct Shared {
    pub(crate) wake: Wake,
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

/// On the runtime's thread: does what JavaScript's says, until its environment ends.
pub(crate) async fn run(shared: Arc<Shared>, mut messages: mpsc::UnboundedReceiver<Message>) {
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
    pub(crate) fn new(wake: Wake, messages: mpsc::WeakUnboundedSender<Message>) -> Arc<Self> {
        Arc::new(Self { wake, messages, state: Mutex::default() })
    }

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
    pub(crate) fn take(&self) -> Ended {
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
