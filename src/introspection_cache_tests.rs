use super::*;
use crate::ErrorKind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

/// A cache, the seconds of its clock, and how often it asked.
fn cache() -> (IntrospectionCache<u64>, Arc<AtomicU64>, AtomicU64) {
    let seconds = Arc::new(AtomicU64::new(1000));
    let told = seconds.clone();
    let clock: Clock = Arc::new(move || UNIX_EPOCH + Duration::from_secs(told.load(Ordering::SeqCst)));
    (IntrospectionCache::new(clock), seconds, AtomicU64::new(0))
}

#[tokio::test(start_paused = true)]
async fn an_answer_counts_for_its_time_by_either_clock() {
    let refusal = || Error::new(ErrorKind::InvalidKey, "no");
    for (answer, life) in [(Ok(()), 30), (Err(refusal()), 5)] {
        let (cache, seconds, asked) = cache();
        let get = async || {
            let answer = answer.clone();
            let count = asked.fetch_add(1, Ordering::SeqCst) + 1;
            let mut begun = false;
            let _ = cache
                .get(&["key"], || {
                    begun = true;
                    async move { answer.map(|()| count) }
                })
                .await;
            begun
        };
        assert!(get().await && !get().await);
        seconds.store(1000 + life - 1, Ordering::SeqCst);
        assert!(!get().await);
        seconds.store(1000 + life, Ordering::SeqCst);
        assert!(get().await, "the clock says so");
        seconds.store(999, Ordering::SeqCst);
        assert!(get().await, "the clock was set back");
        tokio::time::advance(Duration::from_secs(life - 1)).await;
        assert!(!get().await);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(get().await, "the clock stood still");
        cache.clear();
        assert!(get().await);
    }
}

#[tokio::test]
async fn what_cannot_be_told_is_asked_again_and_forgets_nothing_good() {
    let (cache, _, _) = cache();
    for _ in 0..2 {
        let down =
            cache.get(&["key"], || async { Err(Error::new(ErrorKind::ExchangeUnavailable, "")) }).await;
        assert_eq!(down.unwrap_err().kind(), ErrorKind::ExchangeUnavailable);
    }
    assert_eq!(cache.get(&["key"], || async { Ok(1) }).await.unwrap(), 1);
    assert_eq!(cache.get(&["key"], || async { Ok(2) }).await.unwrap(), 1);
    // What is asked about is all of it.
    assert_eq!(cache.get(&["key", "app"], || async { Ok(3) }).await.unwrap(), 3);
    assert_eq!(cache.get(&["keyapp"], || async { Ok(4) }).await.unwrap(), 4);
}

#[tokio::test]
async fn strangers_do_not_fill_it_nor_push_out_who_is_known() {
    let (cache, _, _) = cache();
    cache.get(&["known"], || async { Ok(1) }).await.unwrap();
    for n in 0..CAPACITY + 10 {
        let key = format!("wrong {n}");
        let _ = cache.get(&[&key], || async { Err(Error::new(ErrorKind::InvalidKey, "")) }).await;
        assert!(cache.entries().len() <= CAPACITY);
    }
    assert_eq!(cache.get(&["known"], || async { Ok(2) }).await.unwrap(), 1);
    assert!(!format!("{cache:?}").contains("wrong"));
}
