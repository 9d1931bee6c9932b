//! Clocks that can be wrong: the account server writes a token's times by one, the Handler checks them by another.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ttn_auth::Clock;

/// Whose clock it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockOf {
    /// The account server's: claims `iat`, `nbf` and `exp` of the tokens that it issues.
    AccountServer,
    /// The Handler's: whether a token has expired.
    Handler,
}

/// The system's clock, so many seconds ahead; behind, if negative.
#[derive(Debug, Default)]
pub(crate) struct OffClock(AtomicI64);

impl OffClock {
    pub(crate) fn new(seconds: i64) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(seconds)))
    }

    pub(crate) fn set(&self, seconds: i64) {
        self.0.store(seconds, Ordering::Relaxed);
    }

    /// By how many seconds.
    pub(crate) fn ahead(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Seconds since 1970.
    pub(crate) fn seconds(&self) -> i64 {
        // Before 1970 is a broken clock; it then is 1970.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
        now.saturating_add(self.0.load(Ordering::Relaxed))
    }

    /// The same for the core.
    pub(crate) fn clock(self: &Arc<Self>) -> Clock {
        let this = self.clone();
        Arc::new(move || {
            let seconds = u64::try_from(this.seconds()).unwrap_or_default();
            UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap_or(UNIX_EPOCH)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_off_by_what_it_is_set_to_and_never_overflows() {
        let clock = OffClock::new(0);
        let right = clock.seconds();
        for offset in [600, -600, i64::MAX, i64::MIN] {
            clock.set(offset);
            assert!(clock.seconds() - right.saturating_add(offset) <= 5, "{offset}");
            let core = clock.clock()().duration_since(UNIX_EPOCH).unwrap().as_secs();
            let expected = u64::try_from(right.saturating_add(offset)).unwrap_or_default();
            assert!(core.abs_diff(expected) <= 5, "{offset}: {core}");
        }
    }
}
