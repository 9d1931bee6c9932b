//! What a [`TokenCache`](crate::TokenCache) remembers, and what it decides on it. Nothing here waits, asks or tells the
//! time: the instant and the chance are given, so that every rule can be tested as a table.

use std::time::Duration;

use tokio::time::Instant;

use crate::{AccessToken, Error, ErrorKind, Result};

/// The first wait after a failure, and the longest: an outage is noticed to be over within half a minute, and is not
/// prolonged by clients that ask all the time.
const WAIT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(32));

/// The wait after a failure that will not pass by itself, such as a refused key. Not for ever: keys are put right, and an
/// account server may be wrong.
const WAIT_PERMANENT: Duration = Duration::from_secs(60);

/// No wait is longer than this part of what is left of the token's life, so that there are attempts enough before it ends:
/// with an account server that is away half of the time, in spells of up to 2 s, one token of 10 s in 60,000 is not replaced
/// in time. With a quarter it would be one in 3,000.
const PART_OF_LIFE: u32 = 8;

/// Below this a wait would be a busy loop, however little life is left.
const SHORTEST_WAIT: Duration = Duration::from_millis(50);

/// A token that was not refused for so long was good, even if nobody has said so.
const QUIET: Duration = Duration::from_secs(64);

/// The token and the last failure.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    token: Option<Held>,
    failure: Option<Failure>,
    /// Tokens refused in a row, none of which was ever good.
    refusals: u32,
    /// When a token was last dropped.
    dropped: Option<Instant>,
    /// How many tokens that were good may be dropped at once.
    free: Free,
}

#[derive(Debug)]
struct Held {
    token: AccessToken,
    since: Instant,
}

#[derive(Debug)]
struct Failure {
    error: Error,
    /// The first one in a row, and how many.
    since: Instant,
    count: u32,
    /// No load before.
    until: Instant,
}

/// What to do for a caller.
#[derive(Debug)]
pub(crate) enum Decision {
    Use(AccessToken),
    UseAndRefresh(AccessToken),
    Fail(Error),
    Load,
}

impl Slot {
    pub(crate) fn decide(&self, now: Instant) -> Decision {
        let backing_off = self.failure.as_ref().filter(|failure| now < failure.until);
        match (self.token.as_ref().filter(|held| held.is_alive(now)), backing_off) {
            (Some(held), None) if held.is_due(now) => Decision::UseAndRefresh(held.token.clone()),
            (Some(held), _) => Decision::Use(held.token.clone()),
            (None, Some(failure)) => {
                Decision::Fail(failure.error.clone().with_retry_after(failure.until - now))
            }
            (None, None) => Decision::Load,
        }
    }

    /// Takes what a load ended with. `chance`, from 0 to 1, spreads the waits of many clients. Gives the outcome for those
    /// who waited, and the number of the attempt.
    pub(crate) fn record(
        &mut self,
        now: Instant,
        outcome: Result<AccessToken>,
        chance: f64,
    ) -> (Result<AccessToken>, u32) {
        let before = self.failure.take();
        let attempt = before.as_ref().map_or(0, |failure| failure.count).saturating_add(1);
        let error = match outcome {
            Ok(token) => {
                self.token = Some(Held { token: token.clone(), since: now });
                return (Ok(token), attempt);
            }
            Err(error) => error.before_sending(),
        };
        let since = before.map_or(now, |failure| failure.since);
        let left = self.token.as_ref().and_then(|held| held.left(now));
        let wait = back_off(&error, now - since, left, chance);
        self.failure = Some(Failure { error: error.clone(), since, count: attempt, until: now + wait });
        (Err(error.with_retry_after(wait)), attempt)
    }

    /// Drops the token that a server refused; whether it did. A token that was good before is always dropped, and so is the
    /// first one that never was. When the one that came instead is refused as well, something else is wrong (the server
    /// checks with another key), and exchanging at every call would help nobody: then a token is kept at least 1, 2, 4 ..
    /// 32 s.
    pub(crate) fn refuse(&mut self, now: Instant, refused: &AccessToken) -> bool {
        let Some(held) = self.token.as_ref().filter(|held| held.token == *refused) else { return false };
        let age = now - held.since;
        let was_good = held.token.was_accepted() || age >= QUIET;
        // Asked for before the last one was taken back: it may have been taken back with it.
        let asked = held.token.lifetime().map(|life| life.obtained());
        let overtaken = asked.zip(self.dropped).is_some_and(|(asked, dropped)| asked < dropped);
        if was_good {
            self.refusals = 0;
        }
        let hold = match self.refusals {
            _ if overtaken || (was_good && self.free.take(now)) => Duration::ZERO,
            0 if !was_good => Duration::ZERO,
            count => WAIT.0.saturating_mul(1 << count.saturating_sub(1).min(5)),
        };
        if age < hold {
            return false;
        }
        self.refusals = self.refusals.saturating_add(1);
        self.dropped = Some(now);
        self.token = None;
        true
    }
}

/// Ten at once, and then one a second: of two servers that share a cache, one may refuse whatever the other takes.
#[derive(Debug)]
struct Free {
    left: f64,
    at: Option<Instant>,
}

const FREE: f64 = 10.0;

impl Default for Free {
    fn default() -> Self {
        Self { left: FREE, at: None }
    }
}

impl Free {
    fn take(&mut self, now: Instant) -> bool {
        let gained = self.at.map_or(FREE, |at| (now - at).as_secs_f64());
        self.left = (self.left + gained).min(FREE);
        self.at = Some(now);
        let enough = self.left >= 1.0;
        if enough {
            self.left -= 1.0;
        }
        enough
    }
}

impl Held {
    /// A token of unknown life is good until it is refused.
    fn is_alive(&self, now: Instant) -> bool {
        self.left(now).is_none_or(|left| !left.is_zero())
    }

    fn is_due(&self, now: Instant) -> bool {
        self.token.lifetime().is_some_and(|life| life.refresh_at() <= now)
    }

    fn left(&self, now: Instant) -> Option<Duration> {
        self.token.lifetime().map(|life| life.expires_at().saturating_duration_since(now))
    }
}

/// How long not to try again: as long as the failing has lasted, which doubles each time, from 1 to 32 s.
fn back_off(error: &Error, lasted: Duration, left: Option<Duration>, chance: f64) -> Duration {
    let wait = if passes(error) { lasted.clamp(WAIT.0, WAIT.1) } else { WAIT_PERMANENT };
    // Later than asked for, by chance, so that not everyone who was sent away comes back in the same instant.
    let asked = error.retry_after().unwrap_or_default().min(WAIT_PERMANENT).mul_f64(1.0 + chance / 10.0);
    let wait = wait.mul_f64(1.0 - chance / 2.0).max(asked);
    // Whoever has a token that still counts asks oftener, because otherwise calls will fail soon.
    match left.filter(|left| !left.is_zero()) {
        Some(left) => wait.min(left / PART_OF_LIFE).max(SHORTEST_WAIT),
        None => wait.min(WAIT_PERMANENT),
    }
}

/// Whether a failure may pass without anyone doing anything: outages, and what stands in for an account server meanwhile.
fn passes(error: &Error) -> bool {
    error.is_transient()
        || matches!(
            error.kind(),
            ErrorKind::Protocol | ErrorKind::Server | ErrorKind::Cancelled | ErrorKind::Internal
        )
}

#[cfg(test)]
#[path = "slot_tests.rs"]
mod tests;
