//! Remembers what access keys were exchanged for, so that a server asks its account server once a key and not once a
//! call. One gate for each key: of many first callers one exchanges, and the others get what it got.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ring::digest::{Context, SHA256};
use tokio::sync::Mutex as Gate;
use tokio::time::Instant;

use crate::{AppId, Error, ErrorKind, Exchanged, Result, Secret};

/// A token is exchanged anew this long before it expires, as a V2 Handler does: calls that it makes with it take time.
const MARGIN: Duration = Duration::from_secs(60);

/// How long a refused key is not tried again: a device in a loop with a wrong key is common.
const REFUSED: Duration = Duration::from_secs(1);

/// How many keys are remembered. Wrong keys count too, so without a limit a stranger could fill the memory.
const CAPACITY: usize = 10_000;

/// Tokens by application and key.
#[derive(Debug, Default)]
pub(crate) struct ExchangeCache(Mutex<HashMap<Id, Arc<Gate<Option<Outcome>>>>>);

/// A digest, so that the cache holds no keys.
type Id = [u8; 32];

#[derive(Debug)]
enum Outcome {
    Token { token: Secret, until: Instant },
    Failure { error: Error, at: Instant },
}

/// A token, and whether it was remembered rather than just exchanged.
pub(crate) struct Found {
    pub(crate) token: Secret,
    pub(crate) remembered: bool,
}

impl ExchangeCache {
    /// The remembered token of the key, or what `exchange` gives.
    pub(crate) async fn get<F>(
        &self,
        app: &AppId,
        key: &Secret,
        exchange: impl FnOnce() -> F,
    ) -> Result<Found>
    where
        F: Future<Output = Result<Exchanged>>,
    {
        let asked = Instant::now();
        let gate = self.gate(id(app, key));
        let mut slot = gate.lock().await;
        match &*slot {
            Some(Outcome::Token { token, until }) if *until > Instant::now() => {
                return Ok(Found { token: token.clone(), remembered: true });
            }
            // It failed while this caller waited for it, or a moment ago for good.
            Some(Outcome::Failure { error, at })
                if *at >= asked || (error.kind() == ErrorKind::InvalidKey && at.elapsed() < REFUSED) =>
            {
                return Err(error.clone());
            }
            _ => {}
        }
        *slot = None;
        let sent = Instant::now();
        match exchange().await {
            Ok(Exchanged { token, expires_in, .. }) => {
                let until = sent.checked_add(expires_in.saturating_sub(MARGIN));
                *slot = until.map(|until| Outcome::Token { token: token.clone(), until });
                Ok(Found { token, remembered: false })
            }
            Err(error) => {
                *slot = Some(Outcome::Failure { error: error.clone(), at: Instant::now() });
                Err(error)
            }
        }
    }

    /// Forgets a token that was refused, unless another has taken its place.
    pub(crate) async fn invalidate(&self, app: &AppId, key: &Secret, refused: &Secret) {
        let gate = self.gate(id(app, key));
        let mut slot = gate.lock().await;
        if matches!(&*slot, Some(Outcome::Token { token, .. }) if token == refused) {
            *slot = None;
        }
    }

    fn gate(&self, id: Id) -> Arc<Gate<Option<Outcome>>> {
        let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if gates.len() >= CAPACITY && !gates.contains_key(&id) {
            // What is in use, or holds a token that still counts, stays.
            let now = Instant::now();
            gates.retain(|_, gate| {
                Arc::strong_count(gate) > 1
                    || gate.try_lock().is_ok_and(
                        |slot| matches!(&*slot, Some(Outcome::Token { until, .. }) if *until > now),
                    )
            });
            if gates.len() >= CAPACITY {
                // Every place is taken: this key is exchanged for this call alone.
                return Arc::default();
            }
        }
        gates.entry(id).or_default().clone()
    }
}

fn id(app: &AppId, key: &Secret) -> Id {
    let mut digest = Context::new(&SHA256);
    digest.update(app.as_str().as_bytes());
    // No id has a zero byte in it, so no two pairs have the same digest.
    digest.update(&[0]);
    digest.update(key.expose().as_bytes());
    let mut id = [0; 32];
    id.copy_from_slice(digest.finish().as_ref());
    id
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn app() -> AppId {
        AppId::new("test-app").unwrap()
    }

    fn answer(token: &str, seconds: u64) -> Result<Exchanged> {
        Ok(Exchanged { token: Secret::new(token), expires_in: Duration::from_secs(seconds) })
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_remembered_until_a_minute_before_it_expires() {
        let app = app();
        let (cache, key) = (ExchangeCache::default(), Secret::new("i.k"));
        let get = |token, seconds| cache.get(&app, &key, move || async move { answer(token, seconds) });
        assert_eq!(get("a", 3600).await.unwrap().token.expose(), "a");
        tokio::time::advance(Duration::from_secs(3539)).await;
        assert!(get("b", 3600).await.unwrap().remembered);
        tokio::time::advance(Duration::from_secs(1)).await;
        let found = get("b", 60).await.unwrap();
        assert_eq!((found.token.expose(), found.remembered), ("b", false));
        // 60 s or less: never remembered.
        assert_eq!(get("c", 0).await.unwrap().token.expose(), "c");
        assert_eq!(get("d", 0).await.unwrap().token.expose(), "d");
    }

    #[tokio::test(start_paused = true)]
    async fn many_first_callers_make_one_exchange_also_when_it_fails() {
        let app = app();
        for fails in [false, true] {
            let (cache, count) = (ExchangeCache::default(), AtomicUsize::new(0));
            let key = Secret::new("i.k");
            let calls = (0..50).map(|_| {
                cache.get(&app, &key, || async {
                    count.fetch_add(1, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                    if fails {
                        Err(Error::new(ErrorKind::ExchangeUnavailable, "down"))
                    } else {
                        answer("a", 3600)
                    }
                })
            });
            let mut set = Vec::from_iter(calls.map(Box::pin));
            std::future::poll_fn(|cx| {
                set.retain_mut(|call| match call.as_mut().poll(cx) {
                    std::task::Poll::Ready(result) => {
                        assert_eq!(result.is_err(), fails);
                        false
                    }
                    std::task::Poll::Pending => true,
                });
                if set.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
            })
            .await;
            assert_eq!(count.load(Ordering::SeqCst), 1, "fails: {fails}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_remembered_shortly_and_an_outage_is_not() {
        let app = app();
        let (cache, key) = (ExchangeCache::default(), Secret::new("i.k"));
        let fail = |kind| cache.get(&app, &key, move || async move { Err(Error::new(kind, "no")) });
        let get = || cache.get(&app, &key, || async { answer("a", 3600) });
        assert!(fail(ErrorKind::InvalidKey).await.is_err());
        tokio::time::advance(Duration::from_millis(900)).await;
        assert!(get().await.is_err());
        tokio::time::advance(Duration::from_millis(200)).await;
        assert!(fail(ErrorKind::ExchangeUnavailable).await.is_err());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(get().await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_refused_token_is_forgotten() {
        let app = app();
        let (cache, key) = (ExchangeCache::default(), Secret::new("i.k"));
        let get = |token| cache.get(&app, &key, move || async move { answer(token, 3600) });
        get("a").await.unwrap();
        cache.invalidate(&app, &key, &Secret::new("older")).await;
        assert!(get("b").await.unwrap().remembered);
        cache.invalidate(&app, &key, &Secret::new("a")).await;
        assert_eq!(get("b").await.unwrap().token.expose(), "b");
    }

    #[tokio::test(start_paused = true)]
    async fn strangers_do_not_fill_the_memory() {
        let app = app();
        let cache = ExchangeCache::default();
        let good = Secret::new("i.good");
        cache.get(&app, &good, || async { answer("a", 3600) }).await.unwrap();
        for n in 0..CAPACITY + 100 {
            let key = Secret::new(format!("i.{n}"));
            let refuse = || async { Err(Error::new(ErrorKind::InvalidKey, "no")) };
            assert!(cache.get(&app, &key, refuse).await.is_err());
        }
        assert!(cache.0.lock().unwrap().len() <= CAPACITY);
        assert!(cache.get(&app, &good, || async { answer("b", 3600) }).await.unwrap().remembered);
    }
}
