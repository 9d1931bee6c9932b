use super::*;
use crate::{MemoryStore, StoreKey, StoreLock, TokenStore};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

const SECOND: Duration = Duration::from_secs(1);
const LIFE: Duration = Duration::from_secs(100);

/// Gives `token-1`, `token-2` and so on, each after a second, unless it is down.
#[derive(Debug, Default)]
struct Counter {
    asked: AtomicUsize,
    down: AtomicBool,
    hangs: AtomicBool,
    invalidated: AtomicUsize,
    immortal: bool,
}

impl TokenSource for Arc<Counter> {
    fn token(&self) -> BoxFuture<'_, Result<AccessToken>> {
        Box::pin(async move {
            let started = Instant::now();
            let count = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
            tokio::time::sleep(SECOND).await;
            if self.hangs.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
            if self.down.load(Ordering::Relaxed) {
                return Err(Error::new(ErrorKind::ExchangeUnavailable, "the account server is down"));
            }
            let life = (!self.immortal).then(|| Lifetime::new(started, LIFE));
            Ok(AccessToken::new(format!("token-{count}"))?.with_lifetime(life))
        })
    }

    fn invalidate(&self, _: &AccessToken) {
        self.invalidated.fetch_add(1, Ordering::Relaxed);
    }
}

type Shared = SharedToken<Arc<Counter>>;

fn vault() -> (Vault, Arc<MemoryStore>) {
    let store = Arc::new(MemoryStore::new());
    (Vault::new(store.clone(), StoreKey::parse(&"A".repeat(43)).unwrap()), store)
}

/// What a process has: its own source's counter, the common vault.
fn process(vault: &Vault) -> (Shared, Arc<Counter>) {
    let counter = Arc::new(Counter::default());
    (SharedToken::new(counter.clone(), vault.clone(), "key"), counter)
}

async fn text(shared: &Shared) -> String {
    shared.token().await.unwrap().secret().expose().to_owned()
}

fn asked(counter: &Counter) -> usize {
    counter.asked.load(Ordering::Relaxed)
}

#[tokio::test(start_paused = true)]
async fn processes_with_one_store_make_one_load() {
    let (vault, _) = vault();
    let processes: Vec<_> = (0..10).map(|_| process(&vault)).collect();
    let tokens = futures_util::future::join_all(processes.iter().map(|(shared, _)| shared.token())).await;
    for token in tokens {
        let token = token.unwrap();
        assert_eq!(token.secret().expose(), "token-1");
        let left = token.lifetime().unwrap().expires_at() - Instant::now();
        assert!(left <= LIFE - SECOND && left > LIFE - 3 * SECOND, "{left:?}");
    }
    assert_eq!(processes.iter().map(|(_, counter)| asked(counter)).sum::<usize>(), 1);
    // A key of another name has a token of its own.
    let other = SharedToken::new(Arc::new(Counter::default()), vault.clone(), "other");
    other.token().await.unwrap();
    assert_eq!(asked(other.source()), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_ages_in_the_store() {
    let (vault, _) = vault();
    let written = process(&vault).0.token().await.unwrap().lifetime().unwrap();
    tokio::time::advance(30 * SECOND).await;
    let found = process(&vault).0.token().await.unwrap().lifetime().unwrap();
    let off = |a: Instant, b: Instant| (a.max(b) - a.min(b)).as_millis();
    assert!(off(written.refresh_at(), found.refresh_at()) <= 1);
    assert!(off(written.expires_at(), found.expires_at()) <= 1);
    assert!(found.expires_at() <= written.expires_at());
}

#[tokio::test(start_paused = true)]
async fn one_that_is_due_is_given_first_and_refreshed_then() {
    let (vault, _) = vault();
    process(&vault).0.token().await.unwrap();
    tokio::time::advance(LIFE / 2).await;
    let (shared, counter) = process(&vault);
    let started = Instant::now();
    assert_eq!((text(&shared).await.as_str(), asked(&counter)), ("token-1", 0));
    assert_eq!(started.elapsed(), Duration::ZERO, "a process that starts does not wait");
    let next = shared.token().await.unwrap();
    assert!(next.lifetime().unwrap().expires_at() > Instant::now() + LIFE / 2);
    assert_eq!(asked(&counter), 1);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_alive_is_given_while_the_source_is_down_or_another_process_is_at_it() {
    let (vault, _) = vault();
    let (shared, counter) = process(&vault);
    shared.token().await.unwrap();
    tokio::time::advance(LIFE / 2).await;
    counter.down.store(true, Ordering::Relaxed);
    let (mut attempts, end) = (0, Instant::now() + LIFE / 2 - 5 * SECOND);
    while Instant::now() < end {
        let token = shared.token().await.unwrap();
        assert_eq!(token.secret().expose(), "token-1");
        let wait = token.lifetime().unwrap().refresh_at().saturating_duration_since(Instant::now());
        assert!(wait >= RETRY.1 / 2 && wait <= RETRY.2, "{wait:?}");
        tokio::time::advance(wait).await;
        attempts += 1;
    }
    assert!((4..40).contains(&attempts), "{attempts}");
    tokio::time::advance(LIFE).await;
    assert_eq!(shared.token().await.unwrap_err().message(), "the account server is down");

    counter.down.store(false, Ordering::Relaxed);
    let first = shared.token().await.unwrap();
    tokio::time::advance(LIFE / 2).await;
    let _lock = vault.lock("key", Duration::ZERO).await.unwrap().unwrap();
    let (before, started) = (asked(&counter), Instant::now());
    assert_eq!(shared.token().await.unwrap(), first);
    assert!(asked(&counter) == before && started.elapsed() < SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_cannot_be_had_and_a_source_that_hangs_end_within_their_limits() {
    let (vault, _) = vault();
    let (shared, counter) = process(&vault);
    let lock = vault.lock("key", Duration::ZERO).await.unwrap().unwrap();
    let started = Instant::now();
    assert_eq!(text(&shared).await, "token-1");
    assert!(started.elapsed() <= LOCK_LIMIT + 2 * SECOND);
    lock.release().await;

    tokio::time::advance(LIFE).await;
    counter.hangs.store(true, Ordering::Relaxed);
    let started = Instant::now();
    assert_eq!(shared.token().await.unwrap_err().kind(), ErrorKind::Timeout);
    assert!(started.elapsed() <= LOAD_LIMIT + SECOND);
    // And the lock is free again.
    assert!(vault.lock("key", Duration::ZERO).await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_not_given_again() {
    let (vault, _) = vault();
    let ((one, one_asked), (two, two_asked)) = (process(&vault), process(&vault));
    one_asked.asked.store(100, Ordering::Relaxed);
    let refused = one.token().await.unwrap();
    assert_eq!(two.token().await.unwrap(), refused);
    two.invalidate(&refused);
    assert_eq!(two_asked.invalidated.load(Ordering::Relaxed), 1);
    let next = two.token().await.unwrap();
    assert_eq!((asked(&one_asked), asked(&two_asked)), (101, 1));
    // The other process finds the new one.
    one.invalidate(&refused);
    assert_eq!(one.token().await.unwrap().secret(), next.secret());
    assert_eq!((asked(&one_asked), asked(&two_asked)), (101, 1));
    // Nor while there is no other.
    two.invalidate(&next);
    two_asked.down.store(true, Ordering::Relaxed);
    assert_eq!(two.token().await.unwrap_err().kind(), ErrorKind::ExchangeUnavailable);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_replaced() {
    let (vault, store) = vault();
    for text in ["", "{}", "null", r#"{"token":""}"#, r#"{"token":"a b"}"#, r#"{"token":"x","life_ms":-1}"#] {
        vault.write("key", &Secret::new(text), LIFE).await.unwrap();
        let (shared, counter) = process(&vault);
        assert_eq!(shared.token().await.unwrap().secret().expose(), "token-1", "{text}");
        assert_eq!(asked(&counter), 1);
        assert_eq!(process(&vault).0.token().await.unwrap().secret().expose(), "token-1", "{text}");
    }
    // Whatever a store says of the time that is left, a token gets no older than its life.
    vault.write("key", &Secret::new(r#"{"token":"x","life_ms":5000}"#), Duration::MAX).await.unwrap();
    let life = process(&vault).0.token().await.unwrap().lifetime().unwrap();
    assert_eq!(life.expires_at() - Instant::now(), 5 * SECOND);
    assert_eq!(format!("{store:?}"), "MemoryStore { entries: 1 }");
}

#[tokio::test(start_paused = true)]
async fn a_token_of_unknown_life_is_shared_until_it_is_refused() {
    let (vault, _) = vault();
    let immortal =
        || SharedToken::new(Arc::new(Counter { immortal: true, ..Default::default() }), vault.clone(), "key");
    let (one, two) = (immortal(), immortal());
    let token = one.token().await.unwrap();
    assert_eq!(two.token().await.unwrap(), token);
    assert!(two.token().await.unwrap().lifetime().is_none());
    two.invalidate(&token);
    two.token().await.unwrap();
    assert_eq!((asked(one.source()), asked(two.source())), (1, 1));
    tokio::time::advance(UNKNOWN_LIFE).await;
    immortal().token().await.unwrap();
}

/// The usual stack, ten times: what the account server sees is one process, and no call fails while it is down for
/// less than half a life.
#[tokio::test(start_paused = true)]
async fn caches_of_ten_processes_refresh_once_and_outlive_an_outage() {
    let (vault, _) = vault();
    let counter = Arc::new(Counter::default());
    let caches: Vec<_> = (0..10)
        .map(|_| crate::TokenCache::new(SharedToken::new(counter.clone(), vault.clone(), "key")))
        .collect();
    let (end, mut now_down) = (Instant::now() + 10 * LIFE, false);
    let mut while_up = 0;
    while Instant::now() < end {
        for cache in &caches {
            let life = cache.token().await.unwrap().lifetime().unwrap();
            assert!(life.expires_at() > Instant::now());
        }
        tokio::time::sleep(SECOND / 4).await;
        // The second half of the time, down for 30 s of every 60.
        let down =
            end - Instant::now() < 5 * LIFE && ((end - Instant::now()).as_secs() / 30).is_multiple_of(2);
        if down && !now_down && while_up == 0 {
            while_up = asked(&counter);
        }
        now_down = down;
        counter.down.store(down, Ordering::Relaxed);
    }
    // Every 45 to 50 s one.
    assert!((10..=14).contains(&while_up), "{while_up} loads in {:?}", 5 * LIFE);
    let all = asked(&counter);
    assert!(all < while_up + 60, "{all} attempts");
}

/// A store that is out of order.
#[derive(Debug)]
struct Broken;

fn broken<T>() -> BoxFuture<'static, Result<T>> {
    Box::pin(async { Err(Error::new(ErrorKind::Unavailable, "out of order")) })
}

impl TokenStore for Broken {
    fn read<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<crate::Kept>>> {
        broken()
    }
    fn write<'a>(&'a self, _: &'a str, _: Vec<u8>, _: Duration) -> BoxFuture<'a, Result<()>> {
        broken()
    }
    fn remove<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<()>> {
        broken()
    }
    fn lock<'a>(&'a self, _: &'a str, _: Duration) -> BoxFuture<'a, Result<Option<StoreLock>>> {
        broken()
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_store_the_source_is_asked() {
    let vault = Vault::new(Arc::new(Broken), StoreKey::parse(&"A".repeat(43)).unwrap());
    let (shared, counter) = process(&vault);
    assert_eq!((text(&shared).await.as_str(), text(&shared).await.as_str()), ("token-1", "token-2"));
    counter.down.store(true, Ordering::Relaxed);
    assert_eq!(shared.token().await.unwrap_err().message(), "the account server is down");
}

#[tokio::test]
async fn debug_shows_no_secret() {
    let (vault, _) = vault();
    let shared = SharedToken::new(
        AccessToken::new("hunter2").unwrap(),
        vault,
        "https://account.example app key.hunter3",
    );
    shared.token().await.unwrap();
    let shown = format!("{shared:?} {shared:#?}");
    assert!(shown.contains("MemoryStore") && !shown.contains("hunter"), "{shown}");
}
