//! What can go wrong, as a test asks for it. With the OAuth server: the next answers are lost, or refused, or late. With
//! calls: they are refused, or late.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::stack::error::{Refusal, plain};

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
    calls: u32,
    code: i32,
    calls_delay: Option<Duration>,
}

impl Faults {
    /// Refuses so many calls with this gRPC code.
    pub(crate) fn fail_calls(&self, count: u32, code: i32) {
        let mut settings = self.settings();
        (settings.calls, settings.code) = (count, code);
    }

    /// Calls are answered so much later from now on.
    pub(crate) fn delay_calls(&self, time: Duration) {
        self.settings().calls_delay = Some(time).filter(|time| !time.is_zero());
    }

    /// What goes wrong with this call, after it has waited.
    pub(crate) async fn call(&self) -> Result<(), Refusal> {
        let delay = self.settings().calls_delay;
        if let Some(time) = delay {
            tokio::time::sleep(time).await;
        }
        let mut settings = self.settings();
        if settings.calls == 0 {
            return Ok(());
        }
        settings.calls -= 1;
        Err(plain(settings.code, "the sandbox was told to fail"))
    }

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
