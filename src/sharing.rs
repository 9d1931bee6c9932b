//! Connections are shared by all clients of a server that would make them alike: ten thousand clients need no more of them
//! than one. They are made at the first call, and dropped with the last client.
//!
//! Not across runtimes: a connection is driven by the runtime that it was made on, and stands still with it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::{Handle, Id};

use crate::Result;

/// How many runtimes' connections one client holds. A program with more than this has ended the first of them.
const MAX_RUNTIMES: usize = 64;

/// What has to be the same for connections to be shared.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Server {
    /// Scheme, host and port.
    pub(crate) address: String,
    /// The certificates to trust, if they are not the platform's.
    pub(crate) ca: Option<String>,
    pub(crate) connect_timeout: Duration,
}

/// All connections of this process, of one kind, for as long as somebody holds them.
pub(crate) struct Registry<P>(Mutex<Option<Known<P>>>);

type Known<P> = HashMap<(Server, Id), Weak<P>>;

impl<P> Registry<P> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(None))
    }

    fn find(&self, server: &Server, runtime: Id, make: impl FnOnce() -> Result<P>) -> Result<Arc<P>> {
        let mut known = lock(&self.0);
        let known = known.get_or_insert_default();
        let key = (server.clone(), runtime);
        if let Some(found) = known.get(&key).and_then(Weak::upgrade) {
            return Ok(found);
        }
        let made = Arc::new(make()?);
        known.retain(|_, held| held.strong_count() > 0);
        known.insert(key, Arc::downgrade(&made));
        Ok(made)
    }
}

/// One client's hold on the connections to its server.
pub(crate) struct Shared<P: 'static> {
    registry: &'static Registry<P>,
    server: Server,
    held: Mutex<Vec<(Id, Arc<P>)>>,
}

impl<P> Shared<P> {
    pub(crate) fn new(registry: &'static Registry<P>, server: Server) -> Self {
        Self { registry, server, held: Mutex::default() }
    }

    /// The connections on the runtime that this is called on; `make` is for the first client there.
    pub(crate) fn get(&self, make: impl FnOnce() -> Result<P>) -> Result<Arc<P>> {
        let runtime = Handle::current().id();
        let mut held = lock(&self.held);
        if let Some((_, found)) = held.iter().find(|(id, _)| *id == runtime) {
            return Ok(found.clone());
        }
        let found = self.registry.find(&self.server, runtime, make)?;
        if held.len() == MAX_RUNTIMES {
            held.remove(0);
        }
        held.push((runtime, found.clone()));
        Ok(found)
    }

    /// Those that were used, on whichever runtime.
    pub(crate) fn each(&self, act: impl Fn(&P)) {
        lock(&self.held).iter().for_each(|(_, held)| act(held));
    }

    /// Lets go of them. Others keep them.
    pub(crate) fn release(&self) {
        let held = std::mem::take(&mut *lock(&self.held));
        // Outside the lock: the last one closes connections.
        drop(held);
    }
}

impl<P> fmt::Debug for Shared<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Shared").field(&self.server.address).finish()
    }
}

/// Nothing panics while it holds one of these, so what they guard is whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
