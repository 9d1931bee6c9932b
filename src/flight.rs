//! One piece of work at a time, for everyone who wants its result. It belongs to no caller: one that goes away cancels
//! nothing, and those who come meanwhile wait for the same end.

use std::future::Future;
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

use crate::{Error, ErrorKind, Result};

/// Work in flight, if there is any.
#[derive(Debug)]
pub(crate) struct Flight<T>(Mutex<Option<watch::Receiver<Option<Result<T>>>>>);

impl<T> Default for Flight<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

/// The end of some work, to be waited for.
#[derive(Debug)]
pub(crate) struct Landing<T>(watch::Receiver<Option<Result<T>>>);

impl<T: Clone + Send + Sync + 'static> Flight<T> {
    /// The work in flight; `work` is begun if there is none. It has to have a time limit of its own. Nothing waits here, so a
    /// caller can hold the lock that told it that work is wanted.
    pub(crate) fn begin<F>(&self, work: impl FnOnce() -> F) -> Landing<T>
    where
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let mut flight = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Its sender is dropped when it ends, however it ends.
        if let Some(flight) = flight.as_ref().filter(|flight| flight.has_changed().is_ok()) {
            return Landing(flight.clone());
        }
        let (end, waiting) = watch::channel(None);
        let work = work();
        tokio::spawn(async move {
            let outcome = work.await;
            end.send_replace(Some(outcome));
        });
        Landing(flight.insert(waiting).clone())
    }
}

impl<T: Clone> Landing<T> {
    /// What the work ends with.
    ///
    /// # Errors
    /// Those of the work; [`ErrorKind::Internal`] if it panicked, or if its runtime ended.
    pub(crate) async fn wait(mut self) -> Result<T> {
        let ended = self.0.wait_for(Option::is_some).await.ok().and_then(|end| end.clone());
        ended.unwrap_or_else(|| Err(Error::new(ErrorKind::Internal, "the work was lost with its runtime")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::Notify;

    #[tokio::test]
    async fn everyone_waits_for_one_and_a_caller_that_goes_away_cancels_nothing() {
        let flight = Flight::default();
        let (count, go) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let work = || {
            let (count, go) = (count.clone(), go.clone());
            async move {
                go.notified().await;
                Ok(count.fetch_add(1, Ordering::SeqCst))
            }
        };
        let mut first = Box::pin(flight.begin(work).wait());
        assert!((&mut first).now_or_never().is_none());
        drop(first);
        let mut others: Vec<_> = (0..100).map(|_| Box::pin(flight.begin(work).wait())).collect();
        for other in &mut others {
            assert!(other.now_or_never().is_none());
        }
        go.notify_one();
        for other in others {
            assert_eq!(other.await.unwrap(), 0);
        }
        go.notify_one();
        assert_eq!(flight.begin(work).wait().await.unwrap(), 1, "the next one begins anew");
    }

    #[tokio::test]
    async fn a_panic_is_an_error_and_the_next_one_begins_anew() {
        let flight = Flight::<()>::default();
        let lost = flight.begin(|| async { panic!("on purpose") }).wait().await.unwrap_err();
        assert_eq!(lost.kind(), ErrorKind::Internal);
        assert!(flight.begin(|| async { Ok(()) }).wait().await.is_ok());
    }
}
