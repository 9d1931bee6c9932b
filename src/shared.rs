//! One token for many processes: they, and this one when it is started again, find it in a [`Vault`].
//!
//! ```text
//! token() ─> read: there is one, not due ───────────────────────────────> that
//!            none, or due ─> lock ─> read again: somebody was faster ───> that
//!                                    still none, or due ─> ask the source ─> write, unlock ─> that
//! ```
//!
//! The store is never the reason why a call fails: without it the source is asked directly. And a stored token that is
//! alive is better than an error: it is given when the source fails, or when another process is just getting the next.
//!
//! Ages travel between machines, dates do not: a value is written to be kept for the token's life, and how long the store
//! still keeps it tells how much of the life is over.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::store::millis;
use crate::{AccessToken, Error, ErrorKind, Lifetime, Result, Secret, TokenSource, Vault};

/// How long the source may take. An account server is given 8 s. Shorter than a lock in Redis is held.
const LOAD_LIMIT: Duration = Duration::from_secs(12);

/// How long another process may take that is getting the token: as long as this one would.
const LOCK_LIMIT: Duration = LOAD_LIMIT;

/// How long a token of unknown life is kept. It is given until it is refused, by this process; so that a new one does not
/// begin with it for ever, not for longer than V2's tokens usually live.
const UNKNOWN_LIFE: Duration = Duration::from_secs(3600);

/// When to try again for the next token while the last one is still alive: a part of what is left, at least and at most.
const RETRY: (u32, Duration, Duration) = (4, Duration::from_millis(50), Duration::from_secs(10));

/// A source's token, shared through a vault. Usually under a [`TokenCache`](crate::TokenCache), which spares the store:
/// `TokenCache::new(SharedToken::new(source, vault, name))`.
pub struct SharedToken<S> {
    source: S,
    vault: Vault,
    name: Secret,
    seen: Mutex<Seen>,
}

/// What this process knows of tokens, beside the store.
#[derive(Default)]
struct Seen {
    /// The last one that was given.
    given: Option<AccessToken>,
    /// The last one that was refused. The store may have it still.
    refused: Option<AccessToken>,
}

/// What is in the vault. A life without a length is not known.
#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    token: std::borrow::Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    life_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_after_ms: Option<u64>,
}

impl<S: TokenSource> SharedToken<S> {
    /// Shares this source's token by a name that says whose it is: the account server, the application, and the key that
    /// it is got with, so that another key finds another token. The name is only ever hashed.
    pub fn new(source: S, vault: Vault, name: impl Into<String>) -> Self {
        Self { source, vault, name: Secret::new(name), seen: Mutex::default() }
    }

    /// What is asked when the vault has nothing.
    pub fn source(&self) -> &S {
        &self.source
    }

    async fn get(&self) -> Result<AccessToken> {
        let token = self.find().await?;
        self.seen().given = Some(token.clone());
        Ok(token)
    }

    async fn find(&self) -> Result<AccessToken> {
        let Ok(alive) = self.stored().await else { return self.ask().await };
        // One that is due is good enough to begin with: whoever is given it comes back for the next.
        if let Some(token) = &alive
            && (!is_due(token) || self.seen().given.as_ref() != Some(token))
        {
            return Ok(token.clone());
        }
        let patience = if alive.is_some() { Duration::ZERO } else { LOCK_LIMIT };
        let lock = match (self.vault.lock(self.name.expose(), patience).await, &alive) {
            (Ok(Some(lock)), _) => Some(lock),
            // Another process is getting the next one.
            (Ok(None), Some(token)) => return Ok(used_longer(token)),
            (Ok(None), None) => {
                let error = "another process has had the lock for too long; going on without it";
                tracing::warn!(target: "ttn_auth::store", operation = "lock", outcome = ErrorKind::Timeout.code(), error);
                None
            }
            (Err(_), _) => None,
        };
        let alive = if lock.is_some() { self.stored().await.unwrap_or(alive) } else { alive };
        let outcome = match alive {
            Some(token) if !is_due(&token) => Ok(token),
            Some(token) => self.ask().await.or_else(|error| match is_alive(&token) {
                true => Ok(used_longer(&token)),
                false => Err(error),
            }),
            None => self.ask().await,
        };
        if let Some(lock) = lock {
            lock.release().await;
        }
        outcome
    }

    /// The token in the vault, if it is alive and was not refused. Failures are told by the vault.
    async fn stored(&self) -> Result<Option<AccessToken>> {
        // The life is counted from before the question, so that it ends here no later than in the store.
        let now = Instant::now();
        let Some(opened) = self.vault.read(self.name.expose()).await? else { return Ok(None) };
        let Some(token) = read(opened.text.expose(), opened.left, now) else {
            let error = "a value has another form; it is replaced";
            tracing::warn!(target: "ttn_auth::store", operation = "read", outcome = ErrorKind::Protocol.code(), error);
            return Ok(None);
        };
        Ok(Some(token).filter(|token| is_alive(token) && self.seen().refused.as_ref() != Some(token)))
    }

    /// Asks the source, and keeps what it gives.
    async fn ask(&self) -> Result<AccessToken> {
        let token = tokio::time::timeout(LOAD_LIMIT, self.source.token()).await.unwrap_or_else(|_| {
            let message = format!("no token within {} s", LOAD_LIMIT.as_secs());
            Err(Error::new(ErrorKind::Timeout, message))
        })?;
        if let Some((text, keep)) = write(&token, Instant::now()) {
            // A failure is told by the vault, and changes nothing here.
            let _ = self.vault.write(self.name.expose(), &text, keep).await;
        }
        Ok(token)
    }
}

impl<S> SharedToken<S> {
    /// Nothing panics while it holds this lock, so what it guards is whole.
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: TokenSource> TokenSource for SharedToken<S> {
    fn token(&self) -> BoxFuture<'_, Result<AccessToken>> {
        Box::pin(self.get())
    }

    fn invalidate(&self, refused: &AccessToken) {
        self.seen().refused = Some(refused.clone());
        self.source.invalidate(refused);
    }
}

impl<S: fmt::Debug> fmt::Debug for SharedToken<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedToken")
            .field("source", &self.source)
            .field("vault", &self.vault)
            .finish_non_exhaustive()
    }
}

fn is_alive(token: &AccessToken) -> bool {
    token.lifetime().is_none_or(|life| life.expires_at() > Instant::now())
}

fn is_due(token: &AccessToken) -> bool {
    token.lifetime().is_some_and(|life| life.refresh_at() <= Instant::now())
}

/// A token that is due, to be used a little longer before the next attempt.
fn used_longer(token: &AccessToken) -> AccessToken {
    let Some(life) = token.lifetime() else { return token.clone() };
    let (part, least, most) = RETRY;
    let now = Instant::now();
    let left = life.expires_at().saturating_duration_since(now);
    // By chance, so that processes do not all come at once.
    let wait = (left / part).clamp(least, most).mul_f64(1.0 - fastrand::f64() / 2.0);
    token.clone().with_lifetime(Some(Lifetime::resumed(now, Duration::ZERO, wait, left)))
}

/// A token as it is stored, and for how long. None if its life is over.
fn write(token: &AccessToken, now: Instant) -> Option<(Secret, Duration)> {
    let until = |at: Instant| millis(at.saturating_duration_since(now));
    let life_ms = token.lifetime().map(|life| until(life.expires_at()));
    if life_ms == Some(0) {
        return None;
    }
    let refresh_after_ms = token.lifetime().map(|life| until(life.refresh_at()));
    let stored = Stored { token: token.secret().expose().into(), life_ms, refresh_after_ms };
    let text = Secret::new(serde_json::to_string(&stored).ok()?);
    Some((text, life_ms.map_or(UNKNOWN_LIFE, Duration::from_millis)))
}

/// A stored token that is still kept for so long.
fn read(text: &str, left: Duration, now: Instant) -> Option<AccessToken> {
    let stored: Stored<'_> = serde_json::from_str(text).ok()?;
    let lifetime = stored.life_ms.map(|life| {
        let life = Duration::from_millis(life);
        let refresh_after = stored.refresh_after_ms.map_or(life / 2, Duration::from_millis);
        Lifetime::resumed(now, life.saturating_sub(left), refresh_after, life)
    });
    Some(AccessToken::new(stored.token).ok()?.with_lifetime(lifetime))
}

#[cfg(test)]
#[path = "shared_tests.rs"]
mod tests;
