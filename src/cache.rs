//! Remembers the token of a source: one slot, one load at a time, one pure decision.
//!
//! | there is | not backing off | backing off after a failure |
//! |---|---|---|
//! | a token, before its half | use it | use it |
//! | a token, past its half | use it, and refresh in the background | use it |
//! | none | load one; everyone waits for the same load | the failure, at once |
//!
//! So a thousand first callers make one load, also during an outage; an outage costs nothing while a token is good; a
//! caller that goes away cancels nothing.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::Instrument;

use crate::slot::{Decision, Slot};
use crate::{AccessToken, Error, ErrorKind, Result, TokenSource};

/// How long one load may take: an account server's own limit is 8 s, and another process may be waited for before.
const LOAD_LIMIT: Duration = Duration::from_secs(30);

/// How many loads a caller waits for that are lost, each with its runtime: one that somebody began elsewhere, and its own.
/// More are no accident.
const LOST_LOADS: u32 = 3;

/// A load that has not ended by then is on a runtime that stands still.
const STUCK: Duration = Duration::from_secs(35);

/// What a load ended with, once it has.
type Outcome = Option<Result<AccessToken>>;

/// Remembers the token of a source, refreshes it early, and asks once for any number of callers. Clones share it.
///
/// Needs a tokio runtime with time.
///
/// ```
/// use ttn_auth::{AccessToken, TokenCache, TokenFn, TokenSource};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> ttn_auth::Result<()> {
/// let cache = TokenCache::new(TokenFn::new("my vault", || async { AccessToken::new("opaque") }));
/// assert_eq!(cache.token().await?, cache.token().await?); // asked once
/// # Ok(())
/// # }
/// ```
pub struct TokenCache<S>(Arc<Shared<S>>);

struct Shared<S> {
    state: Mutex<State>,
    source: S,
}

#[derive(Default)]
struct State {
    slot: Slot,
    /// The load in flight. It is under the same lock as the slot, so that nobody starts a load that has just ended.
    load: Option<watch::Receiver<Outcome>>,
}

impl<S: TokenSource> TokenCache<S> {
    /// Remembers what this source gives.
    pub fn new(source: S) -> Self {
        Self(Arc::new(Shared { state: Mutex::default(), source }))
    }

    /// What is behind the cache.
    pub fn source(&self) -> &S {
        &self.0.source
    }

    async fn get(&self) -> Result<AccessToken> {
        for _ in 0..LOST_LOADS {
            let mut load = match self.decide() {
                Ok(outcome) => return outcome,
                Err(load) => load,
            };
            // What it ended with, even if that is no good any more: another round would ask again and again for tokens
            // that are too short-lived.
            let ended =
                async { load.wait_for(Option::is_some).await.ok().and_then(|outcome| outcome.clone()) };
            match tokio::time::timeout(STUCK, ended).await {
                Ok(Some(outcome)) => return outcome,
                // The load was lost: its runtime ended, or the source panicked, which the slot then knows.
                Ok(None) => {}
                // Nobody drives the runtime that it runs on.
                Err(_) => self.0.forget(&load),
            }
        }
        Err(Error::new(ErrorKind::Cancelled, "the runtime has ended"))
    }

    /// What there is for a caller now, or the load to wait for.
    fn decide(&self) -> Result<Result<AccessToken>, watch::Receiver<Outcome>> {
        let mut state = self.0.state();
        match state.slot.decide(Instant::now()) {
            Decision::Use(token) => Ok(Ok(token)),
            Decision::UseAndRefresh(token) => {
                self.load(&mut state);
                Ok(Ok(token))
            }
            Decision::Fail(error) => Ok(Err(error)),
            Decision::Load => Err(self.load(&mut state)),
        }
    }

    /// The load in flight; a new one if there is none. It belongs to no caller.
    fn load(&self, state: &mut State) -> watch::Receiver<Outcome> {
        // One that nobody will end was never begun: its runtime had ended before.
        if let Some(load) = state.load.as_ref().filter(|load| load.has_changed().is_ok()) {
            return load.clone();
        }
        let (done, load) = watch::channel(None);
        let shared = self.0.clone();
        let task = async move {
            // Not before the task runs: a runtime that is ending drops it within `spawn`, while the state is locked.
            let ends = LoadEnds(shared);
            let outcome = ends.0.ask().await;
            drop(ends);
            done.send_replace(Some(outcome));
        };
        let span = tracing::debug_span!(target: "ttn_auth::load", "load", source = ?self.0.source);
        tokio::spawn(task.instrument(span));
        state.load.insert(load).clone()
    }
}

impl<S: TokenSource> Shared<S> {
    async fn ask(&self) -> Result<AccessToken> {
        let started = Instant::now();
        let outcome = tokio::time::timeout(LOAD_LIMIT, self.source.token()).await.unwrap_or_else(|_| {
            let message = format!("no token within {} s", LOAD_LIMIT.as_secs());
            Err(Error::new(ErrorKind::Timeout, message))
        });
        let (outcome, attempt) = self.state().slot.record(Instant::now(), outcome, fastrand::f64());
        let duration_ms = started.elapsed().as_millis() as u64;
        match &outcome {
            Ok(_) => tracing::debug!(target: "ttn_auth::refresh", outcome = "ok", duration_ms, attempt),
            Err(error) => {
                let retry_in_ms = error.retry_after().unwrap_or_default().as_millis() as u64;
                let outcome = error.code();
                tracing::warn!(target: "ttn_auth::refresh", outcome, duration_ms, attempt, retry_in_ms);
            }
        }
        outcome
    }
}

impl<S> Shared<S> {
    /// Makes room for another load in place of this one.
    fn forget(&self, stuck: &watch::Receiver<Outcome>) {
        let mut state = self.state();
        if state.load.as_ref().is_some_and(|load| load.same_channel(stuck)) {
            state.load = None;
        }
    }

    /// Nothing panics while it holds this lock, so what it guards is whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes room for the next load, however this one ends.
struct LoadEnds<S>(Arc<Shared<S>>);

impl<S> Drop for LoadEnds<S> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.load = None;
        if std::thread::panicking() {
            let lost = Err(Error::new(ErrorKind::Internal, "the token source panicked"));
            let _ = state.slot.record(Instant::now(), lost, fastrand::f64());
        }
    }
}

impl<S: TokenSource> TokenSource for TokenCache<S> {
    fn token(&self) -> BoxFuture<'_, Result<AccessToken>> {
        Box::pin(self.get())
    }

    fn invalidate(&self, refused: &AccessToken) {
        if self.0.state().slot.refuse(Instant::now(), refused) {
            self.0.source.invalidate(refused);
        }
    }
}

impl<S> Clone for TokenCache<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S: fmt::Debug> fmt::Debug for TokenCache<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TokenCache").field(&self.0.source).finish()
    }
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
