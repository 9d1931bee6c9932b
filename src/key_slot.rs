//! What is known of one issuer's signing key, and when it is read again. Nothing here waits, asks or tells the time, so
//! that every rule can be tested as a table.
//!
//! | there is | wanted: any key | wanted: another one, because a signature failed |
//! |---|---|---|
//! | no key, and no failure lately | read it | - |
//! | no key, and a failure lately | that failure | - |
//! | a key | use it; past its age, read it in the background | read it, unless it was read lately |

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::{Error, PublicKey, Result};

/// How long a key that was just read is believed although signatures fail: whoever sends forged tokens must not make this
/// server ask the account server each time. Signing keys are replaced once in years.
pub(crate) const PAUSE: Duration = Duration::from_secs(10);

/// The pause after a failure: an outage is over for the callers a second after it is over.
pub(crate) const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(crate) struct KeySlot {
    key: Option<Arc<PublicKey>>,
    /// When the key was read; never, if it is one that was kept from an earlier run.
    read: Option<Instant>,
    failure: Option<(Instant, Error)>,
}

/// What to do for a caller.
#[derive(Debug)]
pub(crate) enum Decision {
    Use(Arc<PublicKey>),
    UseAndRead(Arc<PublicKey>),
    Fail(Error),
    Read,
}

impl KeySlot {
    /// `failed` is the key that a signature was found false by, if one was. `max_age` is how old a key may be, if it is ever
    /// read again at all.
    pub(crate) fn decide(
        &self,
        now: Instant,
        failed: Option<&Arc<PublicKey>>,
        max_age: Option<Duration>,
    ) -> Decision {
        let failure = self.failure.as_ref().and_then(|(at, error)| {
            let left = (*at + PAUSE_AFTER_FAILURE).checked_duration_since(now)?;
            (!left.is_zero()).then(|| error.clone().with_retry_after(left))
        });
        let older = |limit| self.read.is_none_or(|at| now - at >= limit);
        match (&self.key, failed, failure) {
            (None, _, Some(error)) => Decision::Fail(error),
            (None, _, None) => Decision::Read,
            (Some(key), Some(failed), _) if !Arc::ptr_eq(failed, key) => Decision::Use(key.clone()),
            // The issuer may have another key by now, and does not say.
            (Some(_), Some(_), Some(error)) if max_age.is_some() => Decision::Fail(error),
            (Some(_), Some(_), None) if max_age.is_some() && older(PAUSE) => Decision::Read,
            (Some(key), None, None) if max_age.is_some_and(older) => Decision::UseAndRead(key.clone()),
            (Some(key), ..) => Decision::Use(key.clone()),
        }
    }

    /// The key that is known.
    pub(crate) fn key(&self) -> Option<Arc<PublicKey>> {
        self.key.clone()
    }

    /// The key, and how long `decide` goes on to say that it is used and not read again; nothing if it does not say so now.
    pub(crate) fn fresh(
        &self,
        now: Instant,
        max_age: Option<Duration>,
    ) -> Option<(Arc<PublicKey>, Duration)> {
        let left = match (max_age, self.read) {
            (None, _) => Duration::MAX,
            (Some(age), Some(read)) => age.saturating_sub(now - read),
            (Some(_), None) => Duration::ZERO,
        };
        self.key().filter(|_| !left.is_zero()).map(|key| (key, left))
    }

    /// Takes what was read. The same key again stays the same [`Arc`], and what was verified with it stays so.
    pub(crate) fn record(&mut self, now: Instant, outcome: Result<PublicKey>) -> Result<Arc<PublicKey>> {
        match outcome {
            Ok(key) => {
                (self.read, self.failure) = (Some(now), None);
                Ok(self.put(key))
            }
            Err(error) => {
                self.failure = Some((now, error.clone()));
                Err(error)
            }
        }
    }

    /// Takes a key that was read in an earlier run, however long ago that was.
    pub(crate) fn put(&mut self, key: PublicKey) -> Arc<PublicKey> {
        match &self.key {
            Some(known) if **known == key => known.clone(),
            _ => self.key.insert(Arc::new(key)).clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Algorithm, ErrorKind};

    const HOUR: Option<Duration> = Some(Duration::from_secs(3600));

    fn key() -> PublicKey {
        let pair = rcgen::KeyPair::generate().unwrap();
        PublicKey::from_pem(Algorithm::Es256, &pair.public_key_pem()).unwrap()
    }

    fn down() -> Result<PublicKey> {
        Err(Error::new(ErrorKind::ExchangeUnavailable, "down"))
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_key_it_is_read_and_a_failure_is_remembered_for_a_second() {
        let (mut slot, now) = (KeySlot::default(), Instant::now());
        let at = |ms| now + Duration::from_millis(ms);
        assert!(matches!(slot.decide(now, None, HOUR), Decision::Read));
        assert!(slot.record(now, down()).is_err());
        let Decision::Fail(error) = slot.decide(at(400), None, HOUR) else { panic!("asked again at once") };
        assert_eq!(error.retry_after(), Some(Duration::from_millis(600)));
        assert!(matches!(slot.decide(at(1000), None, HOUR), Decision::Read));
        slot.record(at(1000), Ok(key())).unwrap();
        assert!(matches!(slot.decide(at(1000), None, HOUR), Decision::Use(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_key_is_used_and_read_again_and_kept_while_that_fails() {
        let (mut slot, now) = (KeySlot::default(), Instant::now());
        let at = |seconds| now + Duration::from_secs(seconds);
        slot.record(now, Ok(key())).unwrap();
        assert!(matches!(slot.decide(at(3599), None, HOUR), Decision::Use(_)));
        assert_eq!(slot.fresh(at(3599), HOUR).unwrap().1, Duration::from_secs(1));
        assert!(matches!(slot.decide(at(3600), None, HOUR), Decision::UseAndRead(_)));
        assert!(slot.fresh(at(3600), HOUR).is_none());
        assert_eq!(slot.fresh(at(999_999), None).unwrap().1, Duration::MAX);
        assert!(matches!(slot.decide(at(999_999), None, None), Decision::Use(_)));
        assert!(slot.record(at(3600), down()).is_err());
        assert!(matches!(slot.decide(at(3600), None, HOUR), Decision::Use(_)));
        assert!(matches!(slot.decide(at(3601), None, HOUR), Decision::UseAndRead(_)));
        // One from an earlier run is old at once.
        let mut slot = KeySlot::default();
        assert!(slot.fresh(now, HOUR).is_none());
        slot.put(key());
        assert!(matches!(slot.decide(now, None, HOUR), Decision::UseAndRead(_)));
        assert!(slot.fresh(now, HOUR).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_signature_has_the_key_read_but_not_each_time() {
        let (mut slot, now) = (KeySlot::default(), Instant::now());
        let at = |seconds| now + Duration::from_secs(seconds);
        let (first, second) = (key(), key());
        let old = slot.record(now, Ok(first.clone())).unwrap();
        assert!(
            matches!(slot.decide(at(9), Some(&old), HOUR), Decision::Use(key) if Arc::ptr_eq(&key, &old))
        );
        assert!(matches!(slot.decide(at(10), Some(&old), HOUR), Decision::Read));
        assert!(matches!(slot.decide(at(10), Some(&old), None), Decision::Use(_)), "never read again");
        // It may have another key, and does not say: that cannot be told, and not for long.
        assert!(slot.record(at(10), down()).is_err());
        assert!(matches!(slot.decide(at(10), Some(&old), HOUR), Decision::Fail(_)));
        assert!(matches!(slot.decide(at(11), Some(&old), HOUR), Decision::Read));
        // The same key again: what was verified with it stays.
        assert!(Arc::ptr_eq(&slot.record(at(11), Ok(first)).unwrap(), &old));
        assert!(matches!(slot.decide(at(12), Some(&old), HOUR), Decision::Use(_)));
        let new = slot.record(at(30), Ok(second)).unwrap();
        assert!(!Arc::ptr_eq(&new, &old));
        assert!(
            matches!(slot.decide(at(30), Some(&old), HOUR), Decision::Use(key) if Arc::ptr_eq(&key, &new))
        );
    }
}
