//! Whether a call that failed is made again, and when.
//!
//! | what happened | made again |
//! |---|---|
//! | it was not sent: no connection, no token yet | yes |
//! | the server could not tell who is calling, because its account server is down | yes: it was not carried out |
//! | the connection broke, the server is unavailable | if it is idempotent: it may have been carried out |
//! | anything else | no |
//!
//! The waits grow exponentially, with full jitter (by chance between nothing and the whole wait); `Retry-After` lengthens
//! them. Refused tokens and rate limits have rules of their own, see [`Client`](crate::Client).

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::{Error, ErrorKind};

/// No call's time limit is longer, and no arithmetic overflows.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// When calls are made again. All within the call's time limit.
///
/// ```
/// use std::time::Duration;
/// use ttn_auth::RetryPolicy;
/// // For a server that restarts: try for as long as the call's time limit lets it.
/// let patient = RetryPolicy::default().attempts(50).max_delay(Duration::from_millis(500));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    attempts: u32,
    base_delay: Duration,
    max_delay: Duration,
}

impl Default for RetryPolicy {
    /// 4 attempts, with waits of up to 100, 200 and 400 ms: enough for a connection that broke, and an address that is
    /// wrong is still told within a second.
    fn default() -> Self {
        Self { attempts: 4, base_delay: Duration::from_millis(100), max_delay: Duration::from_secs(2) }
    }
}

impl RetryPolicy {
    /// Every call is made once, also one that met a rate limit. A refused token is still replaced.
    pub const fn never() -> Self {
        Self { attempts: 1, base_delay: Duration::ZERO, max_delay: Duration::ZERO }
    }

    /// At most so many attempts, the first one included.
    #[must_use]
    pub const fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// The longest wait before the second attempt; it doubles from one to the next.
    #[must_use]
    pub const fn base_delay(mut self, delay: Duration) -> Self {
        self.base_delay = delay;
        self
    }

    /// No wait is longer, except where the server asks for it.
    #[must_use]
    pub const fn max_delay(mut self, delay: Duration) -> Self {
        self.max_delay = delay;
        self
    }

    /// Whether calls are made again at all.
    pub(crate) const fn is_on(&self) -> bool {
        self.attempts > 1
    }

    /// How long to wait after so many attempts, of which the last ended with this error; none: give up. `chance` is from
    /// 0 to 1.
    pub(crate) fn wait(
        &self,
        error: &Error,
        attempts: u32,
        idempotent: bool,
        chance: f64,
    ) -> Option<Duration> {
        if attempts >= self.attempts || !may_repeat(error, idempotent) {
            return None;
        }
        let doubled = self.base_delay.saturating_mul(1 << (attempts.saturating_sub(1)).min(20));
        let wait = self.max_delay.min(doubled).min(LONGEST).mul_f64(chance);
        // Up to a tenth later than asked for: not everyone who was sent away comes back in the same instant.
        let asked = error.retry_after().unwrap_or_default().min(LONGEST).mul_f64(1.0 + chance / 10.0);
        Some(wait.max(asked))
    }
}

fn may_repeat(error: &Error, idempotent: bool) -> bool {
    match error.kind() {
        ErrorKind::ExchangeUnavailable => true,
        ErrorKind::Unavailable | ErrorKind::Timeout => error.is_unsent() || idempotent,
        // A source of tokens that met a rate limit.
        ErrorKind::RateLimited => error.is_unsent(),
        _ => false,
    }
}

/// Whether the call may have been carried out although it failed.
pub(crate) fn may_be_done(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout) && !error.is_unsent()
}

/// How much a client may burden a failing server: each repeated call that was sent takes one, each success gives a tenth
/// back. So in a long outage at most one call in ten is made twice; what was never sent is no burden.
#[derive(Debug)]
pub(crate) struct RetryBudget(Mutex<f64>);

/// Room for the calls in flight when a server restarts.
const BUDGET: f64 = 200.0;

const REFUND: f64 = 0.1;

impl Default for RetryBudget {
    fn default() -> Self {
        Self(Mutex::new(BUDGET))
    }
}

impl RetryBudget {
    /// Takes one; false if there is none left.
    pub(crate) fn take(&self) -> bool {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let enough = *left >= 1.0;
        if enough {
            *left -= 1.0;
        }
        enough
    }

    pub(crate) fn refund(&self) {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *left = (*left + REFUND).min(BUDGET);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_repeated_is_a_table() {
        use ErrorKind::*;
        for kind in ErrorKind::ALL {
            // (sent, not idempotent), (sent, idempotent), (not sent, not idempotent)
            let expected = match kind {
                ExchangeUnavailable => (true, true, true),
                Unavailable | Timeout => (false, true, true),
                RateLimited => (false, false, true),
                _ => (false, false, false),
            };
            let error = Error::new(*kind, "x");
            let found = (
                may_repeat(&error, false),
                may_repeat(&error, true),
                may_repeat(&error.clone().before_sending(), false),
            );
            assert_eq!(found, expected, "{kind}");
        }
    }

    #[test]
    fn waits_double_up_to_the_longest_with_full_jitter() {
        let policy = RetryPolicy::default().attempts(9).max_delay(Duration::from_secs(1));
        let error = Error::new(ErrorKind::Unavailable, "x");
        for (attempts, chance, expected) in [
            (1, 1.0, Some(100)),
            (2, 1.0, Some(200)),
            (3, 1.0, Some(400)),
            (3, 0.25, Some(100)),
            (3, 0.0, Some(0)),
            (8, 1.0, Some(1000)),
            (9, 1.0, None),
        ] {
            let wait = policy.wait(&error, attempts, true, chance).map(|wait| wait.as_millis());
            assert_eq!(wait, expected, "{attempts} {chance}");
        }
        let asked = error.clone().with_retry_after(Duration::from_secs(3));
        assert_eq!(policy.wait(&asked, 1, true, 0.0), Some(Duration::from_secs(3)));
        assert_eq!(RetryPolicy::never().wait(&error, 1, true, 1.0), None);
        let huge =
            RetryPolicy::default().attempts(u32::MAX).base_delay(Duration::MAX).max_delay(Duration::MAX);
        assert_eq!(huge.wait(&error, u32::MAX - 1, true, 0.0), Some(Duration::ZERO));
    }

    #[test]
    fn the_budget_bounds_what_a_failing_server_is_sent() {
        let budget = RetryBudget::default();
        assert_eq!((0..1000).filter(|_| budget.take()).count(), BUDGET as usize);
        for _ in 0..25 {
            budget.refund();
        }
        assert_eq!((0..1000).filter(|_| budget.take()).count(), 2);
        for _ in 0..10_000 {
            budget.refund();
        }
        assert_eq!((0..1000).filter(|_| budget.take()).count(), BUDGET as usize);
    }
}
