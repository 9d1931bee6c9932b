//! Where tokens are kept for other processes, and for this one when it is started again.
//!
//! A store knows nothing of tokens: it keeps bytes under an id for a time, and gives out locks. What it is given is
//! sealed, by a [`Vault`](crate::Vault): nobody who can read the store learns a token, a key, or whose they are.
//!
//! Times between machines are durations, never dates: a store tells how long an entry is still kept, and clocks that
//! differ by hours do no harm.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::runtime::Handle;

use crate::Result;

/// How long one operation may take. A store is there to save a second; whoever waits longer had better ask the account
/// server.
pub(crate) const OPERATION_LIMIT: Duration = Duration::from_secs(2);

/// How often a lock that somebody has is tried again: much less than an exchange takes, and 20 times a second costs
/// nothing.
const POLL: Duration = Duration::from_millis(50);

/// What a store may hold in memory or in a file, in bytes: thousands of usual entries of 1 KB, or four of the largest
/// that an account server may send.
pub(crate) const MAX_BYTES: usize = 8 << 20;

/// What an entry costs beside its id and its value.
const ENTRY_BYTES: usize = 128;

/// Keeps values by id. An operation gives up by itself after about two seconds.
///
/// Entries may vanish early: whoever reads them can do without.
pub trait TokenStore: fmt::Debug + Send + Sync + 'static {
    /// The value, if there is one that has not expired.
    fn read<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Kept>>>;

    /// Puts a value in the place of what there is, and keeps it that long.
    fn write<'a>(&'a self, id: &'a str, value: Vec<u8>, keep: Duration) -> BoxFuture<'a, Result<()>>;

    /// Removes the value, if there is one.
    fn remove<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<()>>;

    /// Waits until nobody else, in this process or another, has this id's lock; no longer than `limit`, zero to try once.
    /// None if somebody still has it then. Reading and writing ask for no lock.
    fn lock<'a>(&'a self, id: &'a str, limit: Duration) -> BoxFuture<'a, Result<Option<StoreLock>>>;
}

/// A value, and how long it is still kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Kept {
    /// As it was written.
    pub value: Vec<u8>,
    /// Never longer than it was to be kept.
    pub left: Duration,
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("bytes", &self.value.len()).field("left", &self.left).finish()
    }
}

/// An id's lock. Freed when it is released or dropped, and when its holder dies.
#[must_use = "it is freed when it is dropped"]
pub struct StoreLock(Option<Pin<Box<dyn Future<Output = ()> + Send>>>);

impl StoreLock {
    /// A lock that this future frees, when it is polled to its end or dropped before.
    pub fn new(free: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(Some(Box::pin(free)))
    }

    /// Frees it, and returns when it is free, or after two seconds.
    pub async fn release(mut self) {
        let Some(free) = &mut self.0 else { return };
        // Still in its place while it is polled: whatever is not done then is left to drop.
        if tokio::time::timeout(OPERATION_LIMIT, free.as_mut()).await.is_ok() {
            self.0 = None;
        }
    }
}

impl Drop for StoreLock {
    fn drop(&mut self) {
        if let (Some(free), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(free);
        }
    }
}

impl fmt::Debug for StoreLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreLock")
    }
}

/// Tries until it gives something, or until `limit` has passed.
pub(crate) async fn poll<T, F>(limit: Duration, mut attempt: impl FnMut() -> F) -> Result<Option<T>>
where
    F: Future<Output = Result<Option<T>>>,
{
    let started = tokio::time::Instant::now();
    loop {
        if let Some(found) = attempt().await? {
            return Ok(Some(found));
        }
        let left = limit.saturating_sub(started.elapsed());
        if left.is_zero() {
            return Ok(None);
        }
        // By chance, so that those who wait do not all come at once.
        tokio::time::sleep(POLL.mul_f64(0.5 + fastrand::f64()).min(left)).await;
    }
}

/// Milliseconds; a century is as good as for ever, and fits every format.
pub(crate) fn millis(time: Duration) -> u64 {
    const CENTURY: u64 = 100 * 365 * 86_400 * 1000;
    u64::try_from(time.as_millis()).unwrap_or(CENTURY).min(CENTURY)
}

/// Drops entries that have expired, and those that expire next until there is room for a new one.
pub(crate) fn make_room<E>(
    entries: &mut HashMap<String, E>,
    (id, value): (&str, usize),
    size: impl Fn(&E) -> usize,
    left: impl Fn(&E) -> Duration,
) {
    entries.remove(id);
    entries.retain(|_, entry| !left(entry).is_zero());
    let cost = |id: &str, value: usize| id.len() + value + ENTRY_BYTES;
    let mut total = cost(id, value) + entries.iter().map(|(id, entry)| cost(id, size(entry))).sum::<usize>();
    while total > MAX_BYTES {
        let Some(next) = entries.iter().min_by_key(|(_, entry)| left(entry)).map(|(id, _)| id.clone()) else {
            return;
        };
        if let Some(entry) = entries.remove(&next) {
            total -= cost(&next, size(&entry));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::time::Instant;

    #[test]
    fn what_expires_next_makes_room() {
        let (size, left) =
            (|entry: &(usize, u64)| entry.0, |entry: &(usize, u64)| Duration::from_secs(entry.1));
        let third = MAX_BYTES / 3;
        let mut entries: HashMap<_, _> =
            [("past", (9, 0)), ("soon", (third, 5)), ("late", (third, 9)), ("old", (third, 1))]
                .map(|(id, entry)| (id.to_owned(), entry))
                .into();
        make_room(&mut entries, ("old", third), size, left);
        assert_eq!(entries.keys().collect::<Vec<_>>(), ["late"]);
        // More than there can be room for: everything goes, and it ends.
        make_room(&mut entries, ("new", MAX_BYTES), size, left);
        assert!(entries.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn polling_ends_with_its_limit_and_tries_once_without_one() {
        let tries = AtomicUsize::new(0);
        let attempt = || {
            tries.fetch_add(1, Ordering::Relaxed);
            async { Ok(None::<()>) }
        };
        assert_eq!(poll(Duration::ZERO, attempt).await.unwrap(), None);
        assert_eq!(tries.load(Ordering::Relaxed), 1);
        let started = Instant::now();
        assert_eq!(poll(Duration::from_secs(1), attempt).await.unwrap(), None);
        assert!((1000..1010).contains(&started.elapsed().as_millis()), "{:?}", started.elapsed());
        assert_eq!(poll(Duration::MAX, || async { Ok(Some(1)) }).await.unwrap(), Some(1));
    }

    #[tokio::test]
    async fn a_lock_is_freed_once_however_it_ends() {
        let freed = Arc::new(AtomicUsize::new(0));
        let lock = || {
            let freed = freed.clone();
            StoreLock::new(async move {
                tokio::task::yield_now().await;
                freed.fetch_add(1, Ordering::Relaxed);
            })
        };
        lock().release().await;
        assert_eq!(freed.load(Ordering::Relaxed), 1);
        drop(lock());
        while freed.load(Ordering::Relaxed) < 2 {
            tokio::task::yield_now().await;
        }
        // Given up half way.
        assert!(futures_util::FutureExt::now_or_never(lock().release()).is_none());
        while freed.load(Ordering::Relaxed) < 3 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lock_that_cannot_be_freed_holds_nobody_up() {
        let started = Instant::now();
        StoreLock::new(std::future::pending()).release().await;
        assert_eq!(started.elapsed(), OPERATION_LIMIT);
    }

    #[test]
    fn a_century_is_for_ever() {
        assert_eq!(millis(Duration::MAX), 3_153_600_000_000);
    }
}
