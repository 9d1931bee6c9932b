//! What the account server has given out: access keys and refresh tokens.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use ttn_auth::{AppId, Error, ErrorKind, Result};

use crate::journal::{Entry, Journal};
use crate::mint::APPLICATION_RIGHTS;

/// How many tokens can be waiting to be refreshed; the oldest go first.
const MAX_REFRESH: usize = 1000;

pub(crate) struct Grants {
    journal: Arc<Journal>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    applications: BTreeSet<String>,
    /// By what stands behind the dot.
    keys: HashMap<String, AccessKey>,
    refresh: VecDeque<String>,
}

/// An access key.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct AccessKey {
    /// What stands behind the dot.
    pub(crate) secret: String,
    pub(crate) app_id: String,
    pub(crate) rights: Vec<String>,
    /// Who its tokens are issued to: always the same, because the rate limit counts per subject.
    pub(crate) subject: String,
}

impl Grants {
    pub(crate) fn new(journal: Arc<Journal>) -> Self {
        Self { journal, state: Mutex::default() }
    }

    pub(crate) fn add_key(&self, key: AccessKey) -> Result<()> {
        self.state().write(&self.journal, Entry::AddAccessKey(key))
    }

    pub(crate) fn remove_key(&self, secret: &str) -> Result<()> {
        let mut state = self.state();
        if !state.keys.contains_key(secret) {
            return Err(unknown_key());
        }
        state.write(&self.journal, Entry::RemoveAccessKey { secret: secret.to_owned() })
    }

    pub(crate) fn key(&self, secret: &str) -> Option<AccessKey> {
        self.state().keys.get(secret).cloned()
    }

    /// Gives a refresh token out.
    pub(crate) fn add_refresh(&self, issued: String) -> Result<()> {
        self.state().write(&self.journal, Entry::Refresh { issued, used: None })
    }

    /// Replaces a refresh token, which is good for one use. False if it is not known.
    pub(crate) fn replace_refresh(&self, used: &str, issued: String) -> Result<bool> {
        let mut state = self.state();
        if !state.refresh.iter().any(|token| token == used) {
            return Ok(false);
        }
        state.write(&self.journal, Entry::Refresh { issued, used: Some(used.to_owned()) })?;
        Ok(true)
    }

    pub(crate) fn knows(&self, app: &str) -> bool {
        self.state().applications.contains(app)
    }

    /// Every right on every application.
    pub(crate) fn everything(&self) -> BTreeMap<String, Vec<String>> {
        let all = APPLICATION_RIGHTS.map(str::to_owned).to_vec();
        self.state().applications.iter().map(|app| (app.clone(), all.clone())).collect()
    }

    /// What a journal says of them.
    pub(crate) fn apply(&self, entry: &Entry) {
        self.state().apply(entry);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Everything that changes goes through here: written down first, then done.
    fn write(&mut self, journal: &Journal, entry: Entry) -> Result<()> {
        journal.append(&entry)?;
        self.apply(&entry);
        Ok(())
    }

    fn apply(&mut self, entry: &Entry) {
        match entry {
            Entry::AddAccessKey(key) => {
                self.applications.insert(key.app_id.clone());
                self.keys.insert(key.secret.clone(), key.clone());
            }
            Entry::RemoveAccessKey { secret } => {
                self.keys.remove(secret);
            }
            Entry::Refresh { issued, used } => {
                self.refresh.retain(|token| Some(token) != used.as_ref());
                if self.refresh.len() >= MAX_REFRESH {
                    self.refresh.pop_front();
                }
                self.refresh.push_back(issued.clone());
            }
            _ => {}
        }
    }
}

/// V2's fixtures of keys for an application: `full-`, `nodev-`, `noset-` and `k0-` to `k99-`, with their rights.
pub(crate) fn fixtures(app: &AppId) -> Vec<(String, &'static [&'static str])> {
    let mut keys: Vec<(String, &'static [&'static str])> = vec![
        (format!("full-{app}"), &APPLICATION_RIGHTS),
        (format!("nodev-{app}"), &["settings", "messages:up:r"]),
        (format!("noset-{app}"), &["devices"]),
    ];
    keys.extend((0..100).map(|n| (format!("k{n}-{app}"), &APPLICATION_RIGHTS[..])));
    keys
}

/// For a key that cannot be removed. The key is not repeated.
pub(crate) fn unknown_key() -> Error {
    Error::new(ErrorKind::InvalidArgument, "the account server has no such access key")
}
