//! What The Things Stack has answered about callers, for a moment: it is asked about a busy caller twice a minute, and once for
//! all calls that come meanwhile. A yes that is older is none, and when in doubt it is asked again.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use ring::digest::{Context, SHA256};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::time::Instant;

use crate::flight::Flight;
use crate::stack_callers::is_refusal;
use crate::{Clock, Error, Result};

/// How old a yes may be, counted from the question: so long a key that was taken back may still be let in.
const GOOD: Duration = Duration::from_secs(30);

/// How long a refused credential is not asked about again: a device in a loop with a wrong key is common.
const REFUSED: Duration = Duration::from_secs(5);

/// How many are remembered. Wrong ones count too, so without a limit a stranger could fill the memory.
const CAPACITY: usize = 10_000;

/// Answers by what was asked.
pub(crate) struct IntrospectionCache<T> {
    clock: Clock,
    /// Makes the digests tell nothing to whoever reads memory, but not what was presented.
    salt: [u8; 32],
    entries: Mutex<HashMap<Id, Arc<Entry<T>>>>,
}

/// A digest, so that the cache holds no secrets, and how long a comparison takes tells nothing of one.
type Id = [u8; 32];

#[derive(Debug)]
struct Entry<T> {
    outcome: Mutex<Option<Outcome<T>>>,
    question: Flight<T>,
}

/// A yes or a no, and when it was asked for: by a clock that nobody sets, and by the one that times are told by.
#[derive(Debug)]
struct Outcome<T> {
    answer: Result<T>,
    asked: (Instant, SystemTime),
}

impl<T: Clone + Send + Sync + 'static> IntrospectionCache<T> {
    pub(crate) fn new(clock: Clock) -> Self {
        let mut salt = [0; 32];
        // Without randomness a digest still tells nothing: the secrets have 260 bits of it.
        let _ = SystemRandom::new().fill(&mut salt);
        Self { clock, salt, entries: Mutex::default() }
    }

    /// What was answered lately, or what `ask` gives, which has to have a time limit. It goes on if the caller goes away.
    pub(crate) async fn get<F>(&self, about: &[&str], ask: impl FnOnce() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let entry = self.entry(self.id(about));
        let landing = {
            let outcome = entry.outcome();
            let now = (Instant::now(), (self.clock)());
            if let Some(outcome) = outcome.as_ref().filter(|outcome| outcome.counts(now)) {
                return outcome.answer.clone();
            }
            // While the outcome is locked, so that nobody begins what has just ended.
            entry.question.begin(|| entry.clone().learn(ask(), now))
        };
        landing.wait().await
    }

    /// Forgets every answer.
    pub(crate) fn clear(&self) {
        self.entries().clear();
    }

    fn entry(&self, id: Id) -> Arc<Entry<T>> {
        let mut entries = self.entries();
        if entries.len() >= CAPACITY && !entries.contains_key(&id) {
            // What is in use, or is a yes that still counts, stays.
            let now = (Instant::now(), (self.clock)());
            entries.retain(|_, entry| {
                let is_yes = |outcome: &Outcome<T>| outcome.answer.is_ok() && outcome.counts(now);
                Arc::strong_count(entry) > 1 || entry.outcome().as_ref().is_some_and(is_yes)
            });
            if entries.len() >= CAPACITY {
                // Every place is taken: it is asked for this call alone.
                return Arc::default();
            }
        }
        entries.entry(id).or_default().clone()
    }

    fn id(&self, about: &[&str]) -> Id {
        let mut digest = Context::new(&SHA256);
        digest.update(&self.salt);
        for part in about {
            digest.update(part.as_bytes());
            // Neither a credential nor an id has a zero byte in it, so no two questions have the same digest.
            digest.update(&[0]);
        }
        let mut id = [0; 32];
        id.copy_from_slice(digest.finish().as_ref());
        id
    }

    /// Nothing panics while it holds this lock, so what it guards is whole.
    fn entries(&self) -> MutexGuard<'_, HashMap<Id, Arc<Entry<T>>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Default for Entry<T> {
    fn default() -> Self {
        Self { outcome: Mutex::default(), question: Flight::default() }
    }
}

impl<T: Clone> Entry<T> {
    async fn learn(
        self: Arc<Self>,
        question: impl Future<Output = Result<T>>,
        asked: (Instant, SystemTime),
    ) -> Result<T> {
        let answer = question.await;
        // An outage is not remembered: it may be over.
        let is_one = answer.as_ref().err().is_none_or(|error: &Error| is_refusal(error.kind()));
        *self.outcome() = is_one.then(|| Outcome { answer: answer.clone(), asked });
        answer
    }

    fn outcome(&self) -> MutexGuard<'_, Option<Outcome<T>>> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Outcome<T> {
    /// By both clocks: one of them may stand still while a machine sleeps, the other one may be set back.
    fn counts(&self, (now, time): (Instant, SystemTime)) -> bool {
        let life = if self.answer.is_ok() { GOOD } else { REFUSED };
        let (asked, asked_at) = self.asked;
        now.duration_since(asked) < life && time.duration_since(asked_at).is_ok_and(|age| age < life)
    }
}

impl<T> fmt::Debug for IntrospectionCache<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.entries.lock().unwrap_or_else(PoisonError::into_inner).len();
        f.debug_struct("IntrospectionCache").field("entries", &count).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "introspection_cache_tests.rs"]
mod tests;
