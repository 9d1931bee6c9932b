//! The threads that calls run on.
//!
//! napi can bring a tokio runtime of its own, but builds it while the addon loads and again after the last environment
//! ended, by tokio's defaults: `TOKIO_WORKER_THREADS` set to "", 0 or junk then ends the process. This one is made on
//! the first use, with a fixed number of threads, and its failure is an error like any other.

use std::sync::OnceLock;

use tokio::runtime::{Builder, Runtime};
use ttn_auth::{Error, ErrorKind, Result};

/// One thread is enough for a client, whose calls mostly wait; the second keeps a sandbox in the same process answering
/// while the first one signs or verifies.
const THREADS: usize = 2;

/// The runtime of this process. Never shut down: ending threads from a destructor while the process exits is a race,
/// and idle ones cost nothing.
pub(crate) fn runtime() -> Result<&'static Runtime> {
    static RUNTIME: OnceLock<Result<Runtime>> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("ttn-auth")
            .enable_all()
            .build()
            .map_err(|error| {
                Error::new(ErrorKind::Internal, "cannot start the threads for network calls")
                    .with_source(error)
            })
    });
    runtime.as_ref().map_err(Clone::clone)
}
