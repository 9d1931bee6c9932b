//! A store in this process's memory: several clients share their tokens.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use crate::Result;
use crate::store::{Kept, StoreLock, TokenStore, make_room, millis};

/// Keeps values as long as the process lives. Bounded: what expires next makes room.
#[derive(Default)]
pub struct MemoryStore {
    entries: Mutex<HashMap<String, Entry>>,
    locks: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

struct Entry {
    value: Vec<u8>,
    written: Instant,
    keep: Duration,
}

impl Entry {
    fn left(&self) -> Duration {
        self.keep.saturating_sub(self.written.elapsed())
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// The lock of an id. Locks that nobody has or waits for are forgotten.
    fn lock_of(&self, id: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = whole(&self.locks);
        locks.retain(|_, lock| Arc::strong_count(lock) > 1);
        locks.entry(id.to_owned()).or_default().clone()
    }
}

/// Nothing panics while it holds one of these, so what they guard is whole.
fn whole<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl TokenStore for MemoryStore {
    fn read<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Kept>>> {
        Box::pin(async move {
            let entries = whole(&self.entries);
            let kept = entries.get(id).map(|entry| Kept { value: entry.value.clone(), left: entry.left() });
            Ok(kept.filter(|kept| !kept.left.is_zero()))
        })
    }

    fn write<'a>(&'a self, id: &'a str, value: Vec<u8>, keep: Duration) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let mut entries = whole(&self.entries);
            make_room(&mut entries, (id, value.len()), |entry| entry.value.len(), Entry::left);
            let keep = Duration::from_millis(millis(keep));
            entries.insert(id.to_owned(), Entry { value, written: Instant::now(), keep });
            Ok(())
        })
    }

    fn remove<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            whole(&self.entries).remove(id);
            Ok(())
        })
    }

    fn lock<'a>(&'a self, id: &'a str, limit: Duration) -> BoxFuture<'a, Result<Option<StoreLock>>> {
        Box::pin(async move {
            let guard = tokio::time::timeout(limit, self.lock_of(id).lock_owned()).await.ok();
            Ok(guard.map(|guard| StoreLock::new(async move { drop(guard) })))
        })
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("entries", &whole(&self.entries).len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_value_is_kept_as_long_as_was_said() {
        let store = MemoryStore::new();
        assert_eq!(store.read("a").await.unwrap(), None);
        store.write("a", b"1".to_vec(), 10 * SECOND).await.unwrap();
        store.write("a", b"2".to_vec(), 5 * SECOND).await.unwrap();
        tokio::time::advance(2 * SECOND).await;
        assert_eq!(store.read("a").await.unwrap(), Some(Kept { value: b"2".to_vec(), left: 3 * SECOND }));
        tokio::time::advance(3 * SECOND).await;
        assert_eq!(store.read("a").await.unwrap(), None);
        store.write("b", vec![], Duration::MAX).await.unwrap();
        assert_eq!(format!("{store:?}"), "MemoryStore { entries: 1 }");
        store.remove("b").await.unwrap();
        assert_eq!(store.read("b").await.unwrap(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lock_is_had_by_one_and_waited_for_no_longer_than_the_limit() {
        let store = Arc::new(MemoryStore::new());
        let lock = store.lock("a", Duration::ZERO).await.unwrap().unwrap();
        assert!(store.lock("a", SECOND).await.unwrap().is_none());
        assert!(store.lock("b", Duration::ZERO).await.unwrap().is_some());
        let waiter = tokio::spawn({
            let store = store.clone();
            async move { store.lock("a", 10 * SECOND).await }
        });
        tokio::task::yield_now().await;
        lock.release().await;
        drop(waiter.await.unwrap().unwrap().unwrap());
        tokio::task::yield_now().await;
        assert!(store.lock("a", Duration::ZERO).await.unwrap().is_some());
        store.lock_of("c");
        assert!(whole(&store.locks).len() <= 2, "locks that nobody has are forgotten");
    }
}
