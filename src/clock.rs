//! The wall clock, which tests replace. Only times that others wrote are compared with it: a token's `exp` where tokens
//! are verified, and when an entry was written to a file. Everything else is counted by the monotonic clock.

use std::sync::Arc;
use std::time::SystemTime;

/// Tells the wall-clock time. `Arc::new(SystemTime::now)` is the system's.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;
