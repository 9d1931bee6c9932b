//! The public keys of the auth servers whose tokens count, by issuer: given, in a file, or read from the account server
//! when they are first needed, and again when they may have been replaced.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::flight::Flight;
use crate::key_slot::{Decision, KeySlot};
use crate::{AccountServer, Error, ErrorKind, PublicKey, Result, key_file};

/// How old a key may be before it is read again, unless another age is given. A V2 Handler never does.
const MAX_AGE: Duration = Duration::from_secs(3600);

/// The keys of the auth servers whose tokens count.
///
/// Needs a tokio runtime with time. A key that is read from an account server or a file is read when it is first needed; again when a signature fails by it
/// (at most every 10 s, and a second after a failure); and in the background when it is an hour old. While that fails, the
/// one that is known goes on being used.
///
/// ```
/// use ttn_auth::{AccountServer, KeySet};
/// let keys = KeySet::new()
///     .with_account_server("ttn-account-v2", AccountServer::new("https://account.thethingsnetwork.org")?)
///     .with_directory("/var/lib/my-server/keys"); // so that it starts while the account server is down
/// # Ok::<(), ttn_auth::Error>(())
/// ```
#[derive(Debug)]
pub struct KeySet {
    issuers: BTreeMap<String, Arc<Issuer>>,
    directory: Option<PathBuf>,
    max_age: Option<Duration>,
    changes: Arc<AtomicU32>,
}

struct Issuer {
    name: String,
    origin: Origin,
    slot: Mutex<KeySlot>,
    reading: Flight<Arc<PublicKey>>,
    /// Whether it was looked for a key that an earlier run has kept.
    looked: AtomicBool,
    /// Those of all issuers.
    changes: Arc<AtomicU32>,
}

#[derive(Debug)]
enum Origin {
    Given,
    File(PathBuf),
    Server(AccountServer),
}

impl Default for KeySet {
    fn default() -> Self {
        Self { issuers: BTreeMap::new(), directory: None, max_age: Some(MAX_AGE), changes: Arc::default() }
    }
}

impl KeySet {
    /// No issuer yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tokens of `issuer` are verified with `key`.
    #[must_use]
    pub fn with_key(self, issuer: impl Into<String>, key: PublicKey) -> Self {
        let mut slot = KeySlot::default();
        slot.put(key);
        self.with(issuer.into(), Origin::Given, slot)
    }

    /// Tokens of `issuer` are verified with the key in this file, in PEM or as `GET /key` answers (see
    /// [`PublicKey::read`]).
    #[must_use]
    pub fn with_key_file(self, issuer: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        self.with(issuer.into(), Origin::File(path.into()), KeySlot::default())
    }

    /// Tokens of `issuer` are verified with the key that the account server tells (`GET /key`).
    #[must_use]
    pub fn with_account_server(self, issuer: impl Into<String>, server: AccountServer) -> Self {
        self.with(issuer.into(), Origin::Server(server), KeySlot::default())
    }

    /// Keeps what account servers tell in this directory, one file an issuer, so that the next start needs none of them. A
    /// file that others may write, or in a folder that they may write, is not believed.
    #[must_use]
    pub fn with_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Reads a key again when it is as old as this. Default: an hour. `None`: never, not even when a signature fails, as
    /// a V2 Handler.
    #[must_use]
    pub fn with_max_age(mut self, age: impl Into<Option<Duration>>) -> Self {
        self.max_age = age.into();
        self
    }

    fn with(mut self, name: String, origin: Origin, slot: KeySlot) -> Self {
        let issuer = Issuer {
            name: name.clone(),
            origin,
            slot: Mutex::new(slot),
            reading: Flight::default(),
            looked: AtomicBool::new(false),
            changes: self.changes.clone(),
        };
        self.issuers.insert(name, Arc::new(issuer));
        self
    }

    /// The issuer's key, or nothing if the issuer is not known.
    ///
    /// # Errors
    /// Those of [`AccountServer::key`]. [`ErrorKind::ExchangeUnavailable`](crate::ErrorKind::ExchangeUnavailable) or
    /// [`ErrorKind::Protocol`](crate::ErrorKind::Protocol) for a key file.
    pub async fn get(&self, issuer: &str) -> Result<Option<Arc<PublicKey>>> {
        self.find(issuer, None).await
    }

    /// Counts how often a key was replaced by another one: while it stays the same, so does what was verified.
    pub fn changes(&self) -> &Arc<AtomicU32> {
        &self.changes
    }

    /// The issuer's key, and how long it is used without being read again; nothing if that is due.
    pub(crate) fn fresh(&self, issuer: &str) -> Option<(Arc<PublicKey>, Duration)> {
        let issuer = self.issuers.get(issuer)?;
        issuer.slot().fresh(Instant::now(), self.max_age_of(issuer))
    }

    /// How old the issuer's key may be, if it is ever read again.
    fn max_age_of(&self, issuer: &Issuer) -> Option<Duration> {
        self.max_age.filter(|_| !matches!(issuer.origin, Origin::Given))
    }

    /// The key of the issuer instead of one that a signature was false by: the same again, if it has no other.
    pub(crate) async fn instead_of(
        &self,
        failed: &Arc<PublicKey>,
        issuer: &str,
    ) -> Result<Option<Arc<PublicKey>>> {
        self.find(issuer, Some(failed)).await
    }

    async fn find(&self, issuer: &str, failed: Option<&Arc<PublicKey>>) -> Result<Option<Arc<PublicKey>>> {
        let Some(issuer) = self.issuers.get(issuer) else { return Ok(None) };
        let max_age = self.max_age_of(issuer);
        let reading = {
            let slot = issuer.slot();
            let read = || issuer.clone().read(self.directory.clone(), false);
            match slot.decide(Instant::now(), failed, max_age) {
                Decision::Use(key) => return Ok(Some(key)),
                Decision::Fail(error) => return Err(error),
                Decision::UseAndRead(key) => {
                    issuer.reading.begin(read);
                    return Ok(Some(key));
                }
                // While the slot is locked, so that nobody begins what has just ended.
                Decision::Read => issuer.reading.begin(read),
            }
        };
        reading.wait().await.map(Some)
    }

    /// Reads every key anew that is not given, all at once.
    ///
    /// # Errors
    /// Those of [`get`](Self::get); of several, any. The keys that were known stay.
    pub async fn reload(&self) -> Result<()> {
        let issuers = self.issuers.values().filter(|issuer| !matches!(issuer.origin, Origin::Given));
        let reading: Vec<_> = issuers
            .map(|issuer| issuer.reading.begin(|| issuer.clone().read(self.directory.clone(), true)))
            .collect();
        for reading in reading {
            reading.wait().await?;
        }
        Ok(())
    }
}

impl Issuer {
    /// `anew`: not from where an earlier run kept it.
    async fn read(self: Arc<Self>, directory: Option<PathBuf>, anew: bool) -> Result<Arc<PublicKey>> {
        let kept = directory
            .filter(|_| matches!(self.origin, Origin::Server(_)))
            .map(|directory| key_file::path(&directory, &self.name));
        let warn = |operation, error: std::io::Error| {
            let outcome = ErrorKind::Unavailable.code();
            tracing::warn!(target: "ttn_auth::keys", issuer = self.name, operation, outcome, error = %error);
        };
        if let Some(path) = &kept
            && !anew
            && !self.looked.swap(true, Ordering::SeqCst)
        {
            match key_file::kept(path.clone()).await {
                // It is old at once, so the next caller has it read in the background.
                Ok(Some(key)) => return Ok(self.learn(|slot| slot.put(key))),
                Ok(None) => {}
                Err(error) => warn("restore", error),
            }
        }
        let read = match self.ask().await {
            Ok(read) => read,
            Err(error) => return self.learn(|slot| slot.record(Instant::now(), Err(error))),
        };
        self.looked.store(true, Ordering::SeqCst);
        if let Some(path) = kept
            && let Err(error) = key_file::keep(path, &read).await
        {
            warn("keep", error);
        }
        self.learn(|slot| slot.record(Instant::now(), Ok(read)))
    }

    async fn ask(&self) -> Result<PublicKey> {
        let read = match &self.origin {
            Origin::Server(server) => server.key().await,
            Origin::File(path) => key_file::read(path.clone()).await,
            Origin::Given => Err(Error::new(ErrorKind::Internal, "a key that was given is not read")),
        };
        match &read {
            Ok(_) => {
                tracing::debug!(target: "ttn_auth::keys", issuer = self.name, operation = "read", outcome = "ok")
            }
            Err(error) => {
                tracing::warn!(target: "ttn_auth::keys", issuer = self.name, operation = "read", outcome = error.code());
            }
        }
        read
    }

    /// Takes what was read. A key that is replaced is counted before anyone can see the new one.
    fn learn<T>(&self, take: impl FnOnce(&mut KeySlot) -> T) -> T {
        let mut slot = self.slot();
        let before = slot.key();
        let taken = take(&mut slot);
        let changed = match (before, slot.key()) {
            (Some(before), Some(now)) => !Arc::ptr_eq(&before, &now),
            (before, now) => before.is_some() != now.is_some(),
        };
        if changed {
            self.changes.fetch_add(1, Ordering::SeqCst);
        }
        taken
    }

    /// Nothing panics while it holds this lock, so what it guards is whole.
    fn slot(&self) -> MutexGuard<'_, KeySlot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.origin.fmt(f)
    }
}
