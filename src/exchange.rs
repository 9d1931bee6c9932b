//! Remembers what access keys were exchanged for, so that a server asks its account server once a key and not once a
//! call. Of many first callers one exchanges, and the others get what it got.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ring::digest::{Context, SHA256};
use tokio::time::Instant;

use crate::flight::Flight;
use crate::token::claimed_life;
use crate::{AppId, Compat, Error, ErrorKind, Exchanged, Result, Secret};

/// A token is exchanged anew this long before it expires, as a V2 Handler does: calls that it makes with it take time.
const MARGIN: Duration = Duration::from_secs(60);

/// A token of less than ten minutes is exchanged anew when a tenth of its life is left. (V2 never keeps one of a minute.)
const PART: u32 = 10;

/// How long a refused key is not tried again: a device in a loop with a wrong key is common. And how long a failed account
/// server is left alone by those who have a token that is good yet.
const REFUSED: Duration = Duration::from_secs(1);

/// How many keys are remembered. Wrong keys count too, so without a limit a stranger could fill the memory.
const CAPACITY: usize = 10_000;

/// Tokens by application and key.
pub(crate) struct ExchangeCache {
    compat: Compat,
    entries: Mutex<HashMap<Id, Arc<Entry>>>,
}

/// A digest, so that the cache holds no keys, and how long a comparison takes tells nothing of one.
type Id = [u8; 32];

#[derive(Debug, Default)]
struct Entry {
    outcome: Mutex<Option<Outcome>>,
    exchange: Flight<Secret>,
}

#[derive(Debug)]
enum Outcome {
    /// Good until then; from `refresh_at` on, another one is asked for.
    Token {
        token: Secret,
        refresh_at: Instant,
        until: Instant,
    },
    Refused {
        error: Error,
        until: Instant,
    },
}

/// A token, and whether it was remembered rather than just exchanged.
pub(crate) struct Found {
    pub(crate) token: Secret,
    pub(crate) remembered: bool,
}

impl ExchangeCache {
    pub(crate) fn new(compat: Compat) -> Self {
        Self { compat, entries: Mutex::default() }
    }

    /// The remembered token of the key, or what `exchange` gives, which has to have a time limit. It goes on if the caller goes
    /// away.
    pub(crate) async fn get<F>(
        &self,
        app: &AppId,
        key: &Secret,
        exchange: impl FnOnce() -> F,
    ) -> Result<Found>
    where
        F: Future<Output = Result<Exchanged>> + Send + 'static,
    {
        let entry = self.entry(id(app, key));
        let (landing, good) = {
            let outcome = entry.outcome();
            let now = Instant::now();
            let good = match &*outcome {
                Some(Outcome::Token { token, refresh_at, until }) if *until > now => {
                    if *refresh_at > now {
                        return Ok(Found { token: token.clone(), remembered: true });
                    }
                    Some(token.clone())
                }
                Some(Outcome::Refused { error, until }) if *until > now => return Err(error.clone()),
                _ => None,
            };
            // While the outcome is locked, so that nobody begins what has just ended.
            (entry.exchange.begin(|| entry.clone().renew(exchange(), self.compat)), good)
        };
        match good {
            Some(token) => Ok(Found { token, remembered: true }),
            None => landing.wait().await.map(|token| Found { token, remembered: false }),
        }
    }

    /// Does not take a token any more that was just exchanged and is no good: for a moment, its key is as good as refused.
    pub(crate) fn refuse(&self, app: &AppId, key: &Secret, refused: &Secret, error: &Error) {
        let entry = self.entry(id(app, key));
        let mut outcome = entry.outcome();
        if matches!(&*outcome, Some(Outcome::Token { token, .. }) if token == refused) {
            *outcome = Some(Outcome::refused(error));
        }
    }

    /// Forgets a token that was refused, unless another has taken its place.
    pub(crate) fn invalidate(&self, app: &AppId, key: &Secret, refused: &Secret) {
        let entry = self.entry(id(app, key));
        let mut outcome = entry.outcome();
        if matches!(&*outcome, Some(Outcome::Token { token, .. }) if token == refused) {
            *outcome = None;
        }
    }

    /// Forgets every token.
    pub(crate) fn clear(&self) {
        self.entries().clear();
    }

    fn entry(&self, id: Id) -> Arc<Entry> {
        let mut entries = self.entries();
        if entries.len() >= CAPACITY && !entries.contains_key(&id) {
            // What is in use, or holds a token that still counts, stays.
            let now = Instant::now();
            entries.retain(|_, entry| {
                Arc::strong_count(entry) > 1
                    || matches!(&*entry.outcome(), Some(Outcome::Token { until, .. }) if *until > now)
            });
            if entries.len() >= CAPACITY {
                // Every place is taken: this key is exchanged for this call alone.
                return Arc::default();
            }
        }
        entries.entry(id).or_default().clone()
    }

    /// Nothing panics while it holds this lock, so what it guards is whole.
    fn entries(&self) -> MutexGuard<'_, HashMap<Id, Arc<Entry>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many, and no digests: of a weak key they tell enough to guess it.
impl fmt::Debug for ExchangeCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExchangeCache").field("keys", &self.entries().len()).finish_non_exhaustive()
    }
}

impl Entry {
    async fn renew<F>(self: Arc<Self>, exchange: F, compat: Compat) -> Result<Secret>
    where
        F: Future<Output = Result<Exchanged>>,
    {
        let sent = Instant::now();
        let exchanged = exchange.await;
        let mut outcome = self.outcome();
        *outcome = remember(outcome.take(), &exchanged, sent, compat);
        drop(outcome);
        exchanged.map(|exchanged| exchanged.token)
    }

    fn outcome(&self) -> MutexGuard<'_, Option<Outcome>> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is remembered after an exchange that was asked for at `sent`.
fn remember(
    before: Option<Outcome>,
    exchanged: &Result<Exchanged>,
    sent: Instant,
    compat: Compat,
) -> Option<Outcome> {
    match (exchanged, before) {
        (Ok(Exchanged { token, expires_in, .. }), _) => {
            let (refresh_after, life) = lives(token, *expires_in, compat);
            let (refresh_at, until) = (sent.checked_add(refresh_after)?, sent.checked_add(life)?);
            Some(Outcome::Token { token: token.clone(), refresh_at, until })
        }
        (Err(error), _) if error.kind() == ErrorKind::InvalidKey => Some(Outcome::refused(error)),
        // An outage says nothing of the token that there is.
        (Err(_), Some(Outcome::Token { token, until, .. })) => {
            Some(Outcome::Token { token, refresh_at: Instant::now() + REFUSED, until })
        }
        // Nor is it remembered: it may be over.
        (Err(_), _) => None,
    }
}

/// After how long another token is asked for, and how long this one is good.
fn lives(token: &Secret, expires_in: Duration, compat: Compat) -> (Duration, Duration) {
    match compat {
        Compat::V2 => {
            let kept = expires_in.saturating_sub(MARGIN);
            (kept, kept)
        }
        Compat::None => {
            let said = Some(expires_in).filter(|life| !life.is_zero());
            let life = said.into_iter().chain(claimed_life(token)).min().unwrap_or_default();
            (life.saturating_sub(MARGIN.min(life / PART)), life)
        }
    }
}

impl Outcome {
    fn refused(error: &Error) -> Self {
        Self::Refused { error: error.clone(), until: Instant::now() + REFUSED }
    }
}

fn id(app: &AppId, key: &Secret) -> Id {
    let mut digest = Context::new(&SHA256);
    digest.update(app.as_str().as_bytes());
    // No id has a zero byte in it, so no two pairs have the same digest.
    digest.update(&[0]);
    digest.update(key.expose().as_bytes());
    let mut id = [0; 32];
    id.copy_from_slice(digest.finish().as_ref());
    id
}

#[cfg(test)]
#[path = "exchange_tests.rs"]
mod tests;
