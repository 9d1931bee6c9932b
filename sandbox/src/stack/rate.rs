//! Rate limits of a profile: so many calls a minute of each method for each token, refilled evenly (GCRA).
//! Source: v3/wire.md, section Errors. By default there is none.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::stack::error::{Refusal, known};

const MINUTE: Duration = Duration::from_secs(60);

/// From this many keys on, those that are full again are thrown away.
const CAPACITY: usize = 10_000;

/// The limit, and where each key stands.
#[derive(Debug, Default)]
pub(crate) struct Limits(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    limit: Option<u32>,
    /// When a key's quota will be whole again.
    full_at: HashMap<String, Instant>,
}

/// Where a key stands: the headers `x-rate-limit-*`, times in whole seconds, rounded down as a real server does.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) limit: u32,
    pub(crate) available: u32,
    pub(crate) reset: u64,
    pub(crate) retry: u64,
    pub(crate) refusal: Option<Refusal>,
}

impl Standing {
    /// Header names and values.
    pub(crate) fn headers(&self) -> [(&'static str, String); 4] {
        [
            ("x-rate-limit-limit", self.limit.to_string()),
            ("x-rate-limit-available", self.available.to_string()),
            ("x-rate-limit-reset", self.reset.to_string()),
            ("x-rate-limit-retry", self.retry.to_string()),
        ]
    }
}

impl Limits {
    /// So many calls a minute from now on, and everybody's quota is whole.
    pub(crate) fn set(&self, limit: Option<u32>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = State { limit, full_at: HashMap::new() };
    }

    /// Counts a call; `None` without a limit.
    pub(crate) fn take(&self, key: &str) -> Option<Standing> {
        let state = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = state.limit?;
        let now = Instant::now();
        let each = MINUTE / limit.max(1);
        if state.full_at.len() >= CAPACITY {
            state.full_at.retain(|_, full_at| *full_at > now);
        }
        let full_at = state.full_at.get(key).copied().unwrap_or(now).max(now);
        let next = full_at + each;
        let over = if limit == 0 {
            Some(MINUTE)
        } else {
            (next - now).checked_sub(MINUTE).filter(|over| !over.is_zero())
        };
        let full_at = if over.is_some() { full_at } else { next };
        state.full_at.insert(key.to_owned(), full_at);
        let reset = full_at - now;
        let available = (MINUTE.saturating_sub(reset).as_nanos() / each.as_nanos().max(1)).min(limit.into());
        Some(Standing {
            limit,
            available: u32::try_from(available).unwrap_or(limit),
            reset: reset.as_secs(),
            retry: over.unwrap_or_default().as_secs(),
            refusal: over.map(|_| {
                let text = "rate limit of `{rate}` accesses per minute exceeded for resource `{key}`";
                known("pkg/ratelimit", "rate_limit_exceeded", 8, text).with("key", key).with("rate", limit)
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn calls_beyond_the_limit_are_refused_until_the_quota_refills() {
        let limits = Limits::default();
        assert!(limits.take("a").is_none());
        limits.set(Some(60));
        for left in (0..60).rev() {
            let standing = limits.take("a").unwrap();
            assert!(standing.refusal.is_none());
            assert_eq!(standing.available, left);
        }
        let standing = limits.take("a").unwrap();
        assert_eq!((standing.available, standing.reset, standing.retry), (0, 60, 1));
        let refusal = standing.refusal.unwrap();
        assert_eq!((refusal.name(), refusal.status()), ("rate_limit_exceeded", 429));
        assert!(limits.take("b").unwrap().refusal.is_none());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(limits.take("a").unwrap().refusal.is_none());
        limits.set(Some(0));
        assert!(limits.take("a").unwrap().refusal.is_some());
    }
}
