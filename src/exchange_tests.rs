use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;

use super::*;
use crate::credentials::tests::jwt;

fn app() -> AppId {
    AppId::new("test-app").unwrap()
}

fn answer(token: &str, seconds: u64) -> Result<Exchanged> {
    Ok(Exchanged { token: Secret::new(token), expires_in: Duration::from_secs(seconds) })
}

#[tokio::test(start_paused = true)]
async fn as_v2_a_token_is_remembered_until_a_minute_before_it_expires() {
    let app = app();
    let (cache, key) = (ExchangeCache::new(Compat::V2), Secret::new("i.k"));
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
async fn a_token_is_remembered_for_most_of_the_shorter_of_its_lives() {
    let app = app();
    for (expires_in, claims, seconds) in [
        (3600, "{}", 3540),
        (10, "{}", 9),
        (0, r#"{"iat":1000,"exp":1100}"#, 90),
        (3600, r#"{"iat":1000,"exp":1100}"#, 90),
        (100, r#"{"iat":1000,"exp":4600}"#, 90),
    ] {
        let (cache, key) = (ExchangeCache::new(Compat::None), Secret::new("i.k"));
        let get = || cache.get(&app, &key, move || async move { answer(&jwt(claims), expires_in) });
        assert!(!get().await.unwrap().remembered);
        tokio::time::advance(Duration::from_secs(seconds) - Duration::from_millis(1)).await;
        assert!(get().await.unwrap().remembered, "{expires_in} {claims}");
        // From then on another one is asked for, and nobody waits for it.
        let again = || cache.get(&app, &key, || async { answer("again", 3600) });
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_ne!(again().await.unwrap().token.expose(), "again", "{expires_in} {claims}");
        tokio::task::yield_now().await;
        assert_eq!(again().await.unwrap().token.expose(), "again", "{expires_in} {claims}");
    }
}

#[tokio::test(start_paused = true)]
async fn many_first_callers_make_one_exchange_also_when_it_fails() {
    let app = app();
    for fails in [false, true] {
        let (cache, count) = (ExchangeCache::new(Compat::None), Arc::new(AtomicUsize::new(0)));
        let key = Secret::new("i.k");
        let calls = (0..50).map(|_| {
            let count = count.clone();
            cache.get(&app, &key, move || async move {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                if fails {
                    Err(Error::new(ErrorKind::ExchangeUnavailable, "down"))
                } else {
                    answer("a", 3600)
                }
            })
        });
        assert!(join_all(calls).await.iter().all(|outcome| outcome.is_err() == fails));
        assert_eq!(count.load(Ordering::SeqCst), 1, "fails: {fails}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_remembered_shortly_and_an_outage_is_not() {
    let app = app();
    let (cache, key) = (ExchangeCache::new(Compat::None), Secret::new("i.k"));
    let fail = |kind| cache.get(&app, &key, move || async move { Err(Error::new(kind, "no")) });
    let get = || cache.get(&app, &key, || async { answer("a", 3600) });
    assert!(fail(ErrorKind::InvalidKey).await.is_err());
    tokio::time::advance(Duration::from_millis(900)).await;
    assert!(get().await.is_err());
    tokio::time::advance(Duration::from_millis(200)).await;
    assert!(fail(ErrorKind::ExchangeUnavailable).await.is_err());
    assert!(get().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_outage_costs_nothing_while_the_token_is_good_and_is_not_prolonged() {
    let app = app();
    let (cache, key) = (ExchangeCache::new(Compat::None), Secret::new("i.k"));
    cache.get(&app, &key, || async { answer("a", 100) }).await.unwrap();
    tokio::time::advance(Duration::from_secs(90)).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let fail = |kind| {
        let asked = asked.clone();
        cache.get(&app, &key, move || async move {
            asked.fetch_add(1, Ordering::SeqCst);
            Err(Error::new(kind, "no"))
        })
    };
    for attempts in 1..=9 {
        for _ in 0..10 {
            assert_eq!(fail(ErrorKind::ExchangeUnavailable).await.unwrap().token.expose(), "a");
            tokio::task::yield_now().await;
        }
        assert_eq!(asked.load(Ordering::SeqCst), attempts);
        tokio::time::advance(REFUSED).await;
    }
    tokio::time::advance(REFUSED).await;
    assert!(fail(ErrorKind::ExchangeUnavailable).await.is_err(), "it is over");
    // A key that was withdrawn is refused, good token or not.
    cache.get(&app, &key, || async { answer("b", 100) }).await.unwrap();
    tokio::time::advance(Duration::from_secs(90)).await;
    assert!(fail(ErrorKind::InvalidKey).await.is_ok(), "not known yet");
    tokio::task::yield_now().await;
    assert_eq!(fail(ErrorKind::ExchangeUnavailable).await.err().unwrap().kind(), ErrorKind::InvalidKey);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_no_good_is_not_asked_for_again_at_every_call() {
    let app = app();
    let (cache, key) = (ExchangeCache::new(Compat::None), Secret::new("i.k"));
    let get = |token| cache.get(&app, &key, move || async move { answer(token, 3600) });
    let error = Error::new(ErrorKind::TokenNotYetValid, "token is not valid yet");
    get("a").await.unwrap();
    cache.refuse(&app, &key, &Secret::new("older"), &error);
    assert!(get("b").await.unwrap().remembered);
    cache.refuse(&app, &key, &Secret::new("a"), &error);
    assert_eq!(get("b").await.err().unwrap().kind(), ErrorKind::TokenNotYetValid);
    tokio::time::advance(REFUSED).await;
    assert_eq!(get("b").await.unwrap().token.expose(), "b");
}

#[tokio::test(start_paused = true)]
async fn only_the_refused_token_is_forgotten() {
    let app = app();
    let (cache, key) = (ExchangeCache::new(Compat::None), Secret::new("i.k"));
    let get = |token| cache.get(&app, &key, move || async move { answer(token, 3600) });
    get("a").await.unwrap();
    cache.invalidate(&app, &key, &Secret::new("older"));
    assert!(get("b").await.unwrap().remembered);
    cache.invalidate(&app, &key, &Secret::new("a"));
    assert_eq!(get("b").await.unwrap().token.expose(), "b");
    let other = AppId::new("other-app").unwrap();
    let found = cache.get(&other, &key, || async { answer("of another", 3600) }).await.unwrap();
    assert_eq!(found.token.expose(), "of another", "a key is one of an application");
    cache.clear();
    assert_eq!(get("c").await.unwrap().token.expose(), "c");
}

#[tokio::test(start_paused = true)]
async fn strangers_do_not_fill_the_memory() {
    let app = app();
    let cache = ExchangeCache::new(Compat::None);
    let good = Secret::new("i.good");
    cache.get(&app, &good, || async { answer("a", 3600) }).await.unwrap();
    for n in 0..CAPACITY + 100 {
        let key = Secret::new(format!("i.{n}"));
        let refuse = || async { Err(Error::new(ErrorKind::InvalidKey, "no")) };
        assert!(cache.get(&app, &key, refuse).await.is_err());
    }
    assert!(cache.entries().len() <= CAPACITY);
    assert!(cache.get(&app, &good, || async { answer("b", 3600) }).await.unwrap().remembered);
}
