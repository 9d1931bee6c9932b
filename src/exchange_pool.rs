//! How many exchanges a server has under way at one account server, so that one that does not answer holds up only those
//! who need it, and few of those.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{Error, ErrorKind, Result};

/// How many exchanges at once, unless another number is given: an account server answers in milliseconds, so this is a
/// thousand keys a second.
pub(crate) const SIZE: usize = 16;

/// How many wait for a place: as many keys as are remembered. More would not be served within anybody's time limit.
const QUEUE: usize = 10_000;

#[derive(Debug)]
pub(crate) struct ExchangePool {
    places: Semaphore,
    waiting: AtomicUsize,
}

/// Leaves the queue, however the wait ends.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl ExchangePool {
    pub(crate) fn new(size: usize) -> Self {
        let size = size.clamp(1, Semaphore::MAX_PERMITS);
        Self { places: Semaphore::new(size), waiting: AtomicUsize::new(0) }
    }

    /// A place, once there is one.
    ///
    /// # Errors
    /// [`ErrorKind::ExchangeUnavailable`] if there is none within `limit`, or if too many wait already.
    pub(crate) async fn place(&self, limit: Duration) -> Result<SemaphorePermit<'_>> {
        let full = || Error::new(ErrorKind::ExchangeUnavailable, "too many access keys are being exchanged");
        let waiting = Waiting(&self.waiting);
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= QUEUE {
            return Err(full());
        }
        let place = tokio::time::timeout(limit, self.places.acquire()).await;
        drop(waiting);
        place.ok().and_then(Result::ok).ok_or_else(full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test(start_paused = true)]
    async fn a_place_is_waited_for_but_not_for_ever_and_not_by_everyone() {
        let (pool, limit) = (ExchangePool::new(1), Duration::from_secs(8));
        let place = pool.place(limit).await.unwrap();
        assert_eq!(pool.place(limit).await.unwrap_err().kind(), ErrorKind::ExchangeUnavailable);
        let mut queue: Vec<_> = (0..QUEUE).map(|_| Box::pin(pool.place(limit))).collect();
        for waiting in &mut queue {
            assert!(waiting.now_or_never().is_none());
        }
        assert!(matches!(pool.place(limit).now_or_never(), Some(Err(_))), "the queue is full");
        queue.pop();
        drop(place);
        assert!(queue.remove(0).await.is_ok());
        drop(queue);
        assert!(pool.place(limit).await.is_ok());
    }
}
