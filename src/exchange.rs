//! Remembers what access keys were exchanged for, so that a server asks its account server once a key and not once a
//! call. Of many first callers one exchanges, and the others get what it got.

use std::collections::HashMap;
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

/// How long a refused key is not tried again: a device in a loop with a wrong key is common.
const REFUSED: Duration = Duration::from_secs(1);

/// How many keys are remembered. Wrong keys count too, so without a limit a stranger could fill the memory.
const CAPACITY: usize = 10_000;

/// Tokens by application and key.
#[derive(Debug)]
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
    Token { token: Secret, until: Instant },
    Refused { error: Error, until: Instant },
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
        let landing = {
            let outcome = entry.outcome();
            let now = Instant::now();
            match &*outcome {
                Some(Outcome::Token { token, until }) if *until > now => {
                    return Ok(Found { token: token.clone(), remembered: true });
                }
                Some(Outcome::Refused { error, until }) if *until > now => return Err(error.clone()),
                _ => {}
            }
            // While the outcome is locked, so that nobody begins what has just ended.
            entry.exchange.begin(|| {
                let (work, entry, compat) = (exchange(), entry.clone(), self.compat);
                async move {
                    let sent = Instant::now();
                    let exchanged = work.await;
                    *entry.outcome() = Outcome::of(&exchanged, sent, compat);
                    exchanged.map(|exchanged| exchanged.token)
                }
            })
        };
        landing.wait().await.map(|token| Found { token, remembered: false })
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

impl Entry {
    fn outcome(&self) -> MutexGuard<'_, Option<Outcome>> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outcome {
    /// What is remembered of an exchange that was asked for at `sent`. An outage is not: it may be over.
    fn of(exchanged: &Result<Exchanged>, sent: Instant, compat: Compat) -> Option<Self> {
        match exchanged {
            Ok(Exchanged { token, expires_in, .. }) => {
                let keep = match compat {
                    Compat::V2 => expires_in.saturating_sub(MARGIN),
                    Compat::None => {
                        let said = Some(*expires_in).filter(|life| !life.is_zero());
                        let life = said.into_iter().chain(claimed_life(token)).min().unwrap_or_default();
                        life.saturating_sub(MARGIN.min(life / PART))
                    }
                };
                let until = sent.checked_add(keep)?;
                Some(Self::Token { token: token.clone(), until })
            }
            Err(error) if error.kind() == ErrorKind::InvalidKey => {
                Some(Self::Refused { error: error.clone(), until: Instant::now() + REFUSED })
            }
            Err(_) => None,
        }
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
