//! The account server's task, which can be stopped and started while the rest of the network goes on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use ttn_auth::{Error, ErrorKind, Result};

use crate::account::Account;
use crate::serve::{Versions, bind, spawn};

/// The account server, running or not.
pub(crate) struct AccountTask {
    account: Arc<Account>,
    state: Mutex<State>,
    /// One start at a time.
    gate: tokio::sync::Mutex<()>,
}

enum State {
    /// Listens, or is closing since it was told to stop.
    Started {
        stop: watch::Sender<bool>,
        task: JoinHandle<()>,
    },
    Stopped,
    /// With the whole network.
    Ended,
}

impl AccountTask {
    pub(crate) fn new(listener: TcpListener, account: Arc<Account>) -> Self {
        let state = Mutex::new(started(listener, account.clone()));
        Self { account, state, gate: tokio::sync::Mutex::default() }
    }

    /// No request is answered from now on; the port is closed a moment later.
    pub(crate) fn stop(&self) {
        if let State::Started { stop, .. } = &*self.state() {
            stop.send_replace(true);
        }
    }

    /// Listens on `port`; does nothing if it does already.
    pub(crate) async fn start(&self, port: u16) -> Result<()> {
        let _one = self.gate.lock().await;
        let old = {
            let mut state = self.state();
            match &*state {
                State::Started { stop, .. } if !*stop.borrow() => return Ok(()),
                State::Ended => return Err(ended()),
                _ => std::mem::replace(&mut *state, State::Stopped),
            }
        };
        if let State::Started { task, .. } = old {
            // A server that panicked has stopped too.
            let _ = task.await;
        }
        let listener = bind(port).await?;
        let mut state = self.state();
        if matches!(*state, State::Ended) {
            return Err(ended());
        }
        *state = started(listener, self.account.clone());
        Ok(())
    }

    /// Stops for good, and waits for it.
    pub(crate) async fn end(&self) {
        self.stop();
        let old = std::mem::replace(&mut *self.state(), State::Ended);
        if let State::Started { task, .. } = old {
            let _ = task.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn started(listener: TcpListener, account: Arc<Account>) -> State {
    let (stop, stopped) = watch::channel(false);
    State::Started { stop, task: spawn(listener, None, Versions::Both, account, stopped) }
}

fn ended() -> Error {
    Error::new(ErrorKind::Unavailable, "the sandbox is stopped")
}
