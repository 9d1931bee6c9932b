//! What can go wrong with the OAuth server, as a test asks for it: the next answers are lost, or refused, or late.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What goes wrong with one request for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is carried out, and the connection closed without an answer.
    Lose,
    /// It is answered with this status, and not carried out.
    Fail(u16),
    /// It is carried out after this time.
    Slow(Duration),
}

#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Settings>);

#[derive(Debug, Default)]
struct Settings {
    lose: u32,
    fail: u32,
    status: u16,
    delay: Option<Duration>,
    life: Option<Duration>,
}

impl Faults {
    /// Loses the answers to so many requests.
    pub(crate) fn lose(&self, count: u32) {
        self.settings().lose = count;
    }

    /// Fails so many requests.
    pub(crate) fn fail(&self, count: u32, status: u16) {
        let mut settings = self.settings();
        (settings.fail, settings.status) = (count, status);
    }

    /// Is late from now on.
    pub(crate) fn delay(&self, time: Duration) {
        self.settings().delay = Some(time).filter(|time| !time.is_zero());
    }

    /// How long tokens live that are granted from now on.
    pub(crate) fn set_life(&self, life: Duration) {
        self.settings().life = Some(life);
    }

    pub(crate) fn life(&self, usual: Duration) -> Duration {
        self.settings().life.unwrap_or(usual)
    }

    /// What goes wrong with this request.
    pub(crate) fn next(&self) -> Option<Fault> {
        let mut settings = self.settings();
        if settings.fail > 0 {
            settings.fail -= 1;
            return Some(Fault::Fail(settings.status));
        }
        if settings.lose > 0 {
            settings.lose -= 1;
            return Some(Fault::Lose);
        }
        settings.delay.map(Fault::Slow)
    }

    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
