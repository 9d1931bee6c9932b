//! The Handler's rate limit: so many calls a second for each token subject and for each application.
//!
//! A bucket is filled up once a second. A call that finds it empty waits for the next filling if that is at most half a
//! second away, and is refused otherwise. Source: wire.md, section 4.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use ttn_auth::{AppId, Error, ErrorKind, Result};

const PERIOD: Duration = Duration::from_secs(1);

/// The longest that a call waits for the next filling.
const MAX_WAIT: Duration = Duration::from_millis(500);

/// Beyond so many buckets the full ones are thrown away: a full bucket is as good as none.
const CAPACITY: usize = 10_000;

/// The buckets of clients and of applications.
#[derive(Debug)]
pub(crate) struct Rates {
    /// Calls a second; none is no limit.
    limit: Option<u32>,
    clients: Mutex<HashMap<String, Bucket>>,
    applications: Mutex<HashMap<String, Bucket>>,
}

impl Rates {
    pub(crate) fn new(limit: Option<u32>) -> Self {
        Self { limit, clients: Mutex::default(), applications: Mutex::default() }
    }

    /// Takes one call of the client, then one of the application, waiting where that is allowed.
    pub(crate) async fn take(&self, subject: &str, app: &AppId) -> Result<()> {
        let Some(limit) = self.limit else { return Ok(()) };
        for (buckets, kind, id) in
            [(&self.clients, "client", subject), (&self.applications, "application", app.as_str())]
        {
            match take(buckets, id, limit, Instant::now()) {
                Some(wait) if wait.is_zero() => {}
                Some(wait) => tokio::time::sleep(wait).await,
                None => {
                    let message = format!("Rate limit for {kind} {id:?} reached");
                    return Err(Error::new(ErrorKind::RateLimited, message).with_grpc_code(8));
                }
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// When it was first used; it is filled every whole second after that.
    since: Instant,
    /// How many fillings have been seen.
    fillings: u32,
    /// What is left; below zero, calls wait for the next filling.
    left: i64,
}

impl Bucket {
    fn fill(&mut self, limit: u32, now: Instant) {
        let fillings = u32::try_from((now - self.since).as_secs()).unwrap_or(u32::MAX);
        if fillings > self.fillings {
            let gained = i64::from(fillings - self.fillings) * i64::from(limit);
            self.left = self.left.saturating_add(gained).min(i64::from(limit));
            self.fillings = fillings;
        }
    }
}

/// How long to wait for the call, or nothing if that is too long.
fn take(buckets: &Mutex<HashMap<String, Bucket>>, id: &str, limit: u32, now: Instant) -> Option<Duration> {
    let mut buckets = buckets.lock().unwrap_or_else(PoisonError::into_inner);
    if buckets.len() >= CAPACITY {
        buckets.retain(|_, bucket| {
            bucket.fill(limit, now);
            bucket.left < i64::from(limit)
        });
    }
    let bucket =
        buckets.entry(id.to_owned()).or_insert(Bucket { since: now, fillings: 0, left: limit.into() });
    bucket.fill(limit, now);
    if bucket.left > 0 {
        bucket.left -= 1;
        return Some(Duration::ZERO);
    }
    let debt = u32::try_from(-bucket.left).unwrap_or(u32::MAX);
    // The filling that pays for this call and for those that wait already.
    let filling = debt.checked_div(limit)?.checked_add(1)?.checked_add(bucket.fillings)?;
    let wait = (bucket.since + PERIOD * filling) - now;
    (wait <= MAX_WAIT).then(|| {
        bucket.left -= 1;
        wait
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn calls_beyond_the_limit_wait_half_a_second_or_are_refused() {
        let rates = Rates::new(Some(5));
        let app = AppId::new("test-app").unwrap();
        let start = Instant::now();
        for _ in 0..5 {
            rates.take("s", &app).await.unwrap();
        }
        let error = rates.take("s", &app).await.unwrap_err();
        assert_eq!(error.message(), r#"Rate limit for client "s" reached"#);
        assert_eq!((error.kind(), error.grpc_code()), (ErrorKind::RateLimited, Some(8)));
        // Another client of the same application: the application's own bucket is empty as well.
        let error = rates.take("t", &app).await.unwrap_err();
        assert_eq!(error.message(), r#"Rate limit for application "test-app" reached"#);
        assert_eq!(start.elapsed(), Duration::ZERO);

        tokio::time::advance(Duration::from_millis(500)).await;
        rates.take("s", &app).await.unwrap();
        assert_eq!(start.elapsed(), Duration::from_millis(1000));
        for _ in 0..4 {
            rates.take("s", &app).await.unwrap();
        }
        assert!(rates.take("s", &app).await.is_err());
        assert_eq!(start.elapsed(), Duration::from_millis(1000));
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_calls_count_too() {
        let rates = Rates::new(Some(1));
        tokio::time::advance(Duration::from_secs(10)).await;
        let app = AppId::new("test-app").unwrap();
        rates.take("s", &app).await.unwrap();
        tokio::time::advance(Duration::from_millis(600)).await;
        let (first, second) = tokio::join!(rates.take("s", &app), rates.take("s", &app));
        assert!(first.is_ok() && second.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_limit_and_with_none_allowed() {
        let app = AppId::new("test-app").unwrap();
        let free = Rates::new(None);
        for _ in 0..1000 {
            free.take("s", &app).await.unwrap();
        }
        assert!(Rates::new(Some(0)).take("s", &app).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn full_buckets_are_thrown_away() {
        let rates = Rates::new(Some(1));
        for n in 0..CAPACITY * 2 {
            assert!(take(&rates.clients, &n.to_string(), 1, Instant::now()).is_some());
            if n == CAPACITY - 1 {
                tokio::time::advance(PERIOD).await;
            }
        }
        assert!(rates.clients.lock().unwrap().len() <= CAPACITY);
    }
}
