//! The thread that calls run on.
//!
//! napi can bring a tokio runtime of its own, but builds it while the addon loads and again after the last environment
//! ended, by tokio's defaults: `TOKIO_WORKER_THREADS` set to "", 0 or junk then ends the process. This one is made on
//! the first use, and its failure is an error like any other.

use std::future::pending;
use std::sync::OnceLock;
use std::thread;

use tokio::runtime::{Builder, Handle};
use ttn_auth::{Error, ErrorKind, Result};

/// The runtime of this process: one thread, because calls mostly wait, and threads that steal each other's tasks cost more
/// than they gain (docs/benchmarks.md). Never shut down: ending threads from a destructor while the process exits is a
/// race, and an idle one costs nothing.
pub(crate) fn runtime() -> Result<&'static Handle> {
    static RUNTIME: OnceLock<Result<Handle>> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        begin().map_err(|error| {
            Error::new(ErrorKind::Internal, "cannot start the thread for network calls").with_source(error)
        })
    });
    runtime.as_ref().map_err(Clone::clone)
}

fn begin() -> std::io::Result<Handle> {
    let runtime = Builder::new_current_thread().thread_name("ttn-auth").enable_all().build()?;
    let handle = runtime.handle().clone();
    // A panic of a task is its own, and does not end this thread.
    thread::Builder::new().name("ttn-auth".to_owned()).spawn(move || runtime.block_on(pending::<()>()))?;
    Ok(handle)
}
