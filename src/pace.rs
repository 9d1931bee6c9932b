//! A client's pace: how many calls may start a second. A V2 Handler takes 5 for each token subject and each application
//! (wire.md, section 4), and a call that is refused for that reason was not carried out: it waits here for another turn.
//!
//! Turns are taken in the order of asking. Waiting for one does not count against a call's time limit.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex as Queue;
use tokio::time::Instant;

use crate::{Error, ErrorKind, Result};

const SECOND: Duration = Duration::from_secs(1);

/// The pace after a refusal where none is set: V2's own.
const V2_RATE: u32 = 5;

/// How long that pace is kept after the last refusal. The server may allow more than V2 does.
const CAREFUL: Duration = Duration::from_secs(10);

/// The longest pause after refusals in a row. The first is a second, because a Handler fills its bucket once a second;
/// each further one is twice as long, because others call as well.
const MAX_PAUSE: Duration = Duration::from_secs(32);

/// The longest that a call waits for its turn: 18,000 calls at V2's pace, more than it allows an hour.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(3600);

/// Lets calls start at a pace.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Calls a second, as set.
    rate: Option<u32>,
    /// When the last calls started. Whoever holds it is next; tokio's lock is fair.
    started: Queue<VecDeque<Instant>>,
    refusals: Mutex<Refusals>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Refusals {
    /// No call starts before; `since` is when that was said.
    pause: Option<(Instant, Instant)>,
    /// Pauses in a row.
    count: u32,
}

impl Pace {
    pub(crate) fn new(rate: Option<u32>) -> Self {
        Self { rate, started: Queue::default(), refusals: Mutex::default() }
    }

    /// Whether a call may start at once, and so many others.
    pub(crate) fn is_free(&self) -> bool {
        self.rate.is_none() && self.refusals().pause.is_none()
    }

    /// Waits until a call may start.
    ///
    /// # Errors
    /// [`ErrorKind::RateLimited`] if its turn would not come within an hour.
    pub(crate) async fn turn(&self) -> Result<()> {
        if self.is_free() {
            return Ok(());
        }
        tokio::time::timeout(MAX_WAIT, self.queue()).await.map_err(|_| {
            let message = format!("no turn within {} s: too many calls are waiting", MAX_WAIT.as_secs());
            Error::new(ErrorKind::RateLimited, message).before_sending()
        })
    }

    async fn queue(&self) {
        let mut started = self.started.lock().await;
        loop {
            let now = Instant::now();
            let refusals = self.refusals();
            let careful = refusals.pause.is_some_and(|(_, until)| now < until + CAREFUL);
            let Some(rate) = self.rate.or(careful.then_some(V2_RATE)) else {
                // The server has allowed it for long enough.
                return self.forgive();
            };
            let rate = usize::try_from(rate).unwrap_or(usize::MAX);
            while started.front().is_some_and(|first| *first + SECOND <= now) {
                started.pop_front();
            }
            // In any second no more than `rate`: the one that started so many calls ago makes room.
            let room = started.front().filter(|_| started.len() >= rate).map(|first| *first + SECOND);
            let at = room.max(refusals.pause.map(|(_, until)| until));
            match at.filter(|at| *at > now) {
                Some(at) => tokio::time::sleep_until(at).await,
                None => {
                    started.push_back(now);
                    return;
                }
            }
        }
    }

    /// A call that started at `started` was refused for coming too soon. Calls wait a second, or as long as the server
    /// says.
    pub(crate) fn refused(&self, started: Instant, wait: Option<Duration>) {
        let now = Instant::now();
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        // Many calls that started together are refused together: that is one refusal.
        if refusals.pause.is_some_and(|(since, _)| started <= since) {
            return;
        }
        let pause = wait.unwrap_or_else(|| MAX_PAUSE.min(SECOND * (1 << refusals.count.min(5))));
        let pause = pause.min(MAX_WAIT * 2);
        // Others are refused with this one; they do not all come back in the same instant.
        let pause = pause.mul_f64(1.0 + 0.1 * fastrand::f64());
        refusals.pause = Some((now, now + pause));
        refusals.count = refusals.count.saturating_add(1);
    }

    /// A call that started at `started` went through.
    pub(crate) fn accepted(&self, started: Instant) {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        if refusals.pause.is_some_and(|(since, _)| started > since) {
            refusals.count = 0;
        }
    }

    fn forgive(&self) {
        *self.refusals.lock().unwrap_or_else(PoisonError::into_inner) = Refusals::default();
    }

    fn refusals(&self) -> Refusals {
        *self.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    /// When each of so many calls that ask together starts, in ms.
    async fn starts(pace: &Arc<Pace>, calls: usize) -> Vec<u128> {
        let start = Instant::now();
        let calls: Vec<_> = (0..calls)
            .map(|_| {
                let pace = pace.clone();
                tokio::spawn(async move {
                    pace.turn().await.unwrap();
                    start.elapsed().as_millis()
                })
            })
            .collect();
        let mut times = Vec::new();
        for call in calls {
            times.push(call.await.unwrap());
        }
        times
    }

    fn most_in_a_second(times: &[u128]) -> usize {
        times
            .iter()
            .map(|from| times.iter().filter(|at| (*from..*from + 1000).contains(*at)).count())
            .max()
            .unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn no_second_has_more_calls_than_were_set_and_the_order_is_kept() {
        let pace = Arc::new(Pace::new(Some(5)));
        let times = starts(&pace, 23).await;
        assert!(times.is_sorted(), "{times:?}");
        assert_eq!(most_in_a_second(&times), 5, "{times:?}");
        assert!((4000..4100).contains(times.last().unwrap()), "{times:?}");
        // A rest gives room for five again, not for more.
        tokio::time::advance(Duration::from_secs(60)).await;
        let times = starts(&pace, 11).await;
        assert_eq!((times[4], most_in_a_second(&times)), (0, 5), "{times:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_is_remembered_than_a_second() {
        let pace = Pace::new(Some(u32::MAX));
        for _ in 0..100 {
            pace.turn().await.unwrap();
            tokio::time::advance(Duration::from_millis(100)).await;
        }
        assert!(pace.started.lock().await.len() <= 10);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_pace_nothing_waits_until_a_refusal_and_then_for_a_while() {
        let pace = Arc::new(Pace::new(None));
        assert_eq!(starts(&pace, 1000).await.last(), Some(&0));
        let refused = Instant::now();
        for _ in 0..500 {
            pace.refused(refused, None);
        }
        let times = starts(&pace, 12).await;
        assert!((1000..1102).contains(&times[0]), "{times:?}");
        assert_eq!(most_in_a_second(&times), 5, "{times:?}");
        tokio::time::advance(CAREFUL).await;
        assert_eq!(starts(&pace, 1000).await.last(), Some(&0));
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_in_a_row_make_longer_pauses_and_a_success_ends_the_row() {
        let pace = Arc::new(Pace::new(None));
        for seconds in [1, 2, 4, 8, 16, 32, 32] {
            pace.refused(Instant::now(), None);
            let waited = starts(&pace, 1).await[0];
            let expected = seconds * 1000;
            assert!((expected..=expected + expected / 10 + 2).contains(&waited), "{seconds} s: {waited} ms");
        }
        pace.accepted(Instant::now());
        pace.refused(Instant::now(), Some(Duration::from_secs(7)));
        assert!((7000..7702).contains(&starts(&pace, 1).await[0]), "as the server says");
        pace.accepted(Instant::now());
        pace.refused(Instant::now(), None);
        assert!((1000..1102).contains(&starts(&pace, 1).await[0]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiter_that_goes_away_leaves_its_turn_to_the_next() {
        let pace = Arc::new(Pace::new(Some(1)));
        pace.turn().await.unwrap();
        let waiter = tokio::spawn({
            let pace = pace.clone();
            async move { pace.turn().await }
        });
        tokio::task::yield_now().await;
        waiter.abort();
        assert_eq!(starts(&pace, 1).await, [1000]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_that_would_not_come_within_an_hour_is_an_error() {
        let pace = Pace::new(None);
        pace.refused(Instant::now(), Some(MAX_WAIT * 2));
        let error = pace.turn().await.unwrap_err();
        assert!(error.kind() == ErrorKind::RateLimited && error.is_unsent());
    }
}
