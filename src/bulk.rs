//! Many calls: so many at once, each result in its place, progress told.
//!
//! What a bulk job must not lose is the business of the client that makes the calls: its
//! [pace](crate::ClientBuilder::rate_limit) keeps to the server's limit, its [retries](crate::RetryPolicy) outlast a
//! restart.

use std::future::Future;

use futures_util::stream::{StreamExt, iter};

use crate::Result;

/// How many calls are under way at once, if nothing else is said: more than V2's pace of 5 a second needs, and few enough
/// for any server.
pub const DEFAULT_CONCURRENCY: usize = 16;

/// How far a bulk job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Calls that have ended, well or not.
    pub done: usize,
    /// Those of them that failed.
    pub failed: usize,
    /// The place of the one that has just ended, from 0.
    pub index: usize,
}

/// Makes a call for each item, at most `concurrency` at once (at least one), and gives every result in its item's place.
/// `progress` is called after each call. Items are taken as they are needed. Dropping the future ends the calls that are
/// under way.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use ttn_auth::{Error, ErrorKind, bulk};
/// let call = async |n: u32| match n {
///     2 => Err(Error::new(ErrorKind::NotFound, "no device 2")),
///     n => Ok(n * 10),
/// };
/// let results = bulk([1, 2, 3], 16, call, |progress| println!("{} done", progress.done)).await;
/// assert_eq!(results.iter().flatten().collect::<Vec<_>>(), [&10, &30]);
/// assert!(results[1].is_err());
/// # }
/// ```
pub async fn bulk<T, R, F>(
    items: impl IntoIterator<Item = T>,
    concurrency: usize,
    call: impl Fn(T) -> F,
    mut progress: impl FnMut(Progress),
) -> Vec<Result<R>>
where
    F: Future<Output = Result<R>>,
{
    let call = &call;
    let calls = items.into_iter().enumerate().map(|(index, item)| async move { (index, call(item).await) });
    let mut ended = iter(calls).buffer_unordered(concurrency.max(1));
    let mut results = Vec::new();
    let mut failed = 0;
    while let Some((index, result)) = ended.next().await {
        failed += usize::from(result.is_err());
        results.push((index, result));
        progress(Progress { done: results.len(), failed, index });
    }
    results.sort_unstable_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::{Cell, RefCell};
    use std::time::Duration;

    use crate::{Error, ErrorKind};

    #[tokio::test(start_paused = true)]
    async fn results_are_in_place_and_no_more_calls_run_than_may() {
        let (running, most) = (Cell::new(0), Cell::new(0));
        let call = async |n: u64| {
            running.set(running.get() + 1);
            most.set(most.get().max(running.get()));
            // Later items end earlier.
            tokio::time::sleep(Duration::from_millis(1000 - n)).await;
            running.set(running.get() - 1);
            if n.is_multiple_of(7) { Err(Error::new(ErrorKind::NotFound, n.to_string())) } else { Ok(n) }
        };
        let told = RefCell::new(Vec::new());
        let results = bulk(0..100, 8, call, |progress| told.borrow_mut().push(progress)).await;
        assert_eq!(most.get(), 8);
        for (n, result) in results.iter().enumerate() {
            assert_eq!(result.is_err(), n % 7 == 0, "{n}");
            let place = result.as_ref().map_or_else(|error| error.message().parse().unwrap(), |n| *n);
            assert_eq!(place, n as u64);
        }
        let told = told.into_inner();
        assert_eq!(told.len(), 100);
        assert_eq!(told.last().map(|last| (last.done, last.failed)), Some((100, 15)));
        assert!(told.iter().enumerate().all(|(at, each)| each.done == at + 1));
        assert_ne!(told[0].index, 0, "in the order of their ends");
    }

    #[tokio::test]
    async fn nothing_to_do_and_no_concurrency_are_fine() {
        assert!(bulk([], 16, async |n: u8| Ok(n), |_| ()).await.is_empty());
        assert_eq!(bulk([1, 2], 0, async |n: u8| Ok(n), |_| ()).await.len(), 2);
    }
}
