use super::*;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::{Lifetime, TokenFn};
use tokio::sync::Notify;

/// A source whose answers are given beforehand, and which waits to be let go.
#[derive(Debug, Default)]
struct Scripted {
    answers: Mutex<VecDeque<Result<AccessToken>>>,
    calls: AtomicUsize,
    held: AtomicBool,
    go: Notify,
    refused: Mutex<Vec<AccessToken>>,
}

impl Scripted {
    fn answering(answers: impl IntoIterator<Item = Result<AccessToken>>) -> TokenCache<Arc<Self>> {
        let answers = Mutex::new(answers.into_iter().collect());
        TokenCache::new(Arc::new(Self { answers, ..Self::default() }))
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

impl TokenSource for Scripted {
    fn token(&self) -> BoxFuture<'_, Result<AccessToken>> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let asked = Instant::now();
        Box::pin(async move {
            if self.held.load(Ordering::SeqCst) {
                self.go.notified().await;
            }
            let answer = self.answers.lock().unwrap().pop_front().expect("an answer");
            answer.map(|token| token.with_lifetime(Some(Lifetime::new(asked, Duration::from_secs(10)))))
        })
    }

    fn invalidate(&self, refused: &AccessToken) {
        self.refused.lock().unwrap().push(refused.clone());
    }
}

fn token(text: &str) -> Result<AccessToken> {
    AccessToken::new(text)
}

fn down() -> Result<AccessToken> {
    Err(Error::new(ErrorKind::ExchangeUnavailable, "down"))
}

/// Lets every task run that can.
async fn settle() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_first_callers_make_one_load_also_when_it_fails() {
    for answer in [token("a"), down()] {
        let fails = answer.is_err();
        let cache = Scripted::answering([answer]);
        cache.source().held.store(true, Ordering::SeqCst);
        let callers: Vec<_> = (0..1000)
            .map(|_| {
                let cache = cache.clone();
                tokio::spawn(async move { cache.token().await })
            })
            .collect();
        settle().await;
        cache.source().go.notify_one();
        for caller in callers {
            assert_eq!(caller.await.unwrap().is_err(), fails);
        }
        assert_eq!(cache.source().calls(), 1, "fails: {fails}");
        // Those who come later get the same, at once.
        assert_eq!(cache.token().await.is_err(), fails);
        assert_eq!(cache.source().calls(), 1, "fails: {fails}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refresh_delays_nobody_and_an_outage_costs_nothing_while_the_token_is_good() {
    let cache = Scripted::answering([token("a"), down(), token("b")]);
    assert_eq!(cache.token().await.unwrap().secret().expose(), "a");
    cache.source().held.store(true, Ordering::SeqCst);
    tokio::time::advance(Duration::from_secs(5)).await;
    for _ in 0..3 {
        assert_eq!(cache.token().await.unwrap().secret().expose(), "a");
    }
    settle().await;
    assert_eq!(cache.source().calls(), 2, "one refresh for all, in the background");
    cache.source().go.notify_one();
    settle().await;
    assert_eq!(cache.token().await.unwrap().secret().expose(), "a");
    assert_eq!(cache.source().calls(), 2, "it backs off");
    tokio::time::advance(Duration::from_secs(2)).await;
    cache.token().await.unwrap();
    cache.source().go.notify_one();
    settle().await;
    assert_eq!(cache.token().await.unwrap().secret().expose(), "b");
    assert_eq!(cache.source().calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_cancels_nothing() {
    let cache = Scripted::answering([token("a")]);
    cache.source().held.store(true, Ordering::SeqCst);
    let waiter = tokio::spawn({
        let cache = cache.clone();
        async move { cache.token().await }
    });
    settle().await;
    waiter.abort();
    cache.source().go.notify_one();
    assert_eq!(cache.token().await.unwrap().secret().expose(), "a");
    assert_eq!(cache.source().calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_never_answers_is_given_up() {
    let cache = Scripted::answering([token("a")]);
    cache.source().held.store(true, Ordering::SeqCst);
    let error = cache.token().await.unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Timeout, "no token within 30 s"));
    assert!(error.is_unsent() && error.retry_after().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_source_frees_the_way_for_the_next_load() {
    let count = AtomicUsize::new(0);
    let source = TokenFn::new("panics once", move || {
        let first = count.fetch_add(1, Ordering::SeqCst) == 0;
        async move { if first { panic!("on purpose") } else { AccessToken::new("a") } }
    });
    let cache = TokenCache::new(source);
    let error = cache.token().await.unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Internal, "the token source panicked"));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(cache.token().await.unwrap().secret().expose(), "a");
}

#[test]
fn a_load_that_is_lost_with_its_runtime_is_made_again() {
    let cache = Scripted::answering([token("a")]);
    cache.source().held.store(true, Ordering::SeqCst);
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    first.block_on(async {
        let cache = cache.clone();
        tokio::spawn(async move { cache.token().await });
        settle().await;
    });
    drop(first);
    cache.source().held.store(false, Ordering::SeqCst);
    assert_eq!(runtime().block_on(cache.token()).unwrap().secret().expose(), "a");
    assert_eq!(cache.source().calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_replaced_and_the_source_told() {
    let cache = Scripted::answering([token("a"), token("b")]);
    let first = cache.token().await.unwrap();
    // Of many callers that are refused the same token, the first makes the load.
    cache.invalidate(&first);
    cache.invalidate(&first);
    assert_eq!(cache.token().await.unwrap().secret().expose(), "b");
    cache.invalidate(&first);
    assert_eq!(cache.token().await.unwrap().secret().expose(), "b");
    assert_eq!(cache.source().calls(), 2);
    assert_eq!(*cache.source().refused.lock().unwrap(), [first]);
}

#[tokio::test(start_paused = true)]
async fn tokens_that_are_dead_on_arrival_make_no_loop() {
    let source = TokenFn::new("short", || async {
        let life = Lifetime::resumed(Instant::now(), Duration::ZERO, Duration::ZERO, Duration::ZERO);
        AccessToken::new("dead").map(|token| token.with_lifetime(Some(life)))
    });
    assert_eq!(TokenCache::new(source).token().await.unwrap().secret().expose(), "dead");
}

#[tokio::test(start_paused = true)]
async fn debug_shows_no_token() {
    let cache = Scripted::answering([token("hunter2hunter2")]);
    cache.token().await.unwrap();
    let slot = format!("{:?}", cache.0.state().slot);
    assert!(!format!("{cache:?}{slot}").contains("hunter2"));
}

#[test]
fn a_runtime_that_has_ended_is_an_error_and_another_one_goes_on() {
    let cache = Scripted::answering([token("a")]);
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ended = runtime().handle().clone();
    let (done, outcome) = std::sync::mpsc::channel();
    let there = cache.clone();
    std::thread::spawn(move || done.send(ended.block_on(there.token())));
    let outcome = outcome.recv_timeout(Duration::from_secs(10)).expect("it ends");
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Cancelled);
    assert_eq!(runtime().block_on(cache.token()).unwrap().secret().expose(), "a");
}

#[test]
fn a_load_on_a_runtime_that_stands_still_is_given_up() {
    let cache = Scripted::answering([token("a")]);
    cache.source().held.store(true, Ordering::SeqCst);
    let runtime =
        || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let still = runtime();
    still.block_on(async {
        let cache = cache.clone();
        tokio::spawn(async move { cache.token().await });
        settle().await;
    });
    cache.source().held.store(false, Ordering::SeqCst);
    // `still` is there, but nobody drives it.
    assert_eq!(runtime().block_on(cache.token()).unwrap().secret().expose(), "a");
    drop(still);
}
