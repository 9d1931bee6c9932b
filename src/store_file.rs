//! A store in a file: the processes of one machine share their tokens, and find them again when they are started anew.
//!
//! | file | what |
//! |---|---|
//! | `PATH` | JSON, `id -> { value (base64), written_at, keep (milliseconds) }`; only ever replaced as a whole |
//! | `PATH.tmp` | the next one, while it is written |
//! | `PATH.lock` | locked while one process reads the file, changes it and puts the next one in its place |
//! | `PATH.<hash of id>.lock` | locked by whoever has the lock of this id |
//!
//! Locks are the system's (`flock` on Unix), so they end with their holder. On Unix a lock's file is removed with it.
//!
//! A path may be mistyped, and lead to a private key: a file with anything else in it is left as it is, and refused.
//!
//! Here, unlike between machines, dates count: a process that starts has nothing else to tell a value's age by. A clock
//! that jumps can make a token seem younger, but no younger than new, and older.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt::{self, Write as _};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind as Io, Read, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::BoxFuture;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use crate::file_lock::{FileLock, private};
use crate::store::{Kept, MAX_BYTES, OPERATION_LIMIT, StoreLock, TokenStore, make_room, millis, poll};
use crate::{Clock, Error, ErrorKind, Result};

/// How much of a file is read: what fits into a store, in base64. A larger one is not ours.
const MAX_FILE: u64 = 2 * MAX_BYTES as u64;

/// How many threads a store may have busy, or stuck in a file system that hangs.
const THREADS: usize = 4;

/// Keeps values in a file that only its owner can read. Clones share it.
#[derive(Clone)]
pub struct FileStore(Arc<Inner>);

struct Inner {
    path: PathBuf,
    clock: Clock,
    threads: Arc<Semaphore>,
}

type Entries = HashMap<String, Entry>;

#[derive(Serialize, Deserialize)]
struct Entry {
    value: String,
    written_at: u64,
    keep: u64,
}

impl Entry {
    /// Nothing is older than its time, and nothing is from the future.
    fn left(&self, now: u64) -> Duration {
        Duration::from_millis(self.keep.saturating_sub(now.saturating_sub(self.written_at)))
    }
}

impl FileStore {
    /// A store in this file. Its folder has to be there; the file need not. Nothing is opened yet. A file that is neither
    /// empty nor a store is never changed: each operation gives [`ErrorKind::InvalidArgument`] then.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if the path does not end with a file's name.
    pub fn new(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        if path.file_name().is_none() {
            let message = "the token store's path is not that of a file";
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        let threads = Arc::new(Semaphore::new(THREADS));
        Ok(Self(Arc::new(Inner { path, clock: Arc::new(SystemTime::now), threads })))
    }

    /// The same by another clock.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        let Inner { path, threads, .. } = &*self.0;
        Self(Arc::new(Inner { path: path.clone(), clock, threads: threads.clone() }))
    }

    /// Does work that may block, on a thread for that, and waits no longer than [`OPERATION_LIMIT`] for it.
    async fn blocking<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Inner) -> Result<T> + Send + 'static,
    {
        let inner = self.0.clone();
        // Whoever listens to this thread's events listens to the other's too.
        let events = tracing::dispatcher::get_default(Clone::clone);
        let work = async move {
            // Kept until the work is done, even if nobody waits for it any more.
            let permit = inner.threads.clone().acquire_owned().await;
            tokio::task::spawn_blocking(move || {
                let _permit = permit;
                tracing::dispatcher::with_default(&events, || work(&inner))
            })
            .await
        };
        match tokio::time::timeout(OPERATION_LIMIT, work).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(lost)) => {
                Err(Error::new(ErrorKind::Internal, "the token store's work was lost").with_source(lost))
            }
            Err(_) => Err(Error::new(ErrorKind::Timeout, format!("{} did not answer in time", self.0))),
        }
    }

    async fn lock_file(&self, suffix: String, limit: Duration) -> Result<Option<FileLock>> {
        let path = with_suffix(&self.0.path, &suffix);
        poll(limit, || {
            let path = path.clone();
            self.blocking(move |inner| {
                FileLock::attempt(path).map_err(|error| inner.failed("cannot be locked", error))
            })
        })
        .await
    }

    /// Reads the file, changes what is in it and replaces it, while no other process does.
    async fn change(&self, change: impl FnOnce(&mut Entries, u64) + Send + 'static) -> Result<()> {
        let Some(lock) = self.lock_file(".lock".to_owned(), OPERATION_LIMIT).await? else {
            return Err(Error::new(ErrorKind::Timeout, format!("{} is being written by others", self.0)));
        };
        self.blocking(move |inner| {
            // Until it is written, even if nobody waits for it any more.
            let _lock = lock;
            let mut entries = inner.load()?;
            change(&mut entries, inner.now());
            inner.save(&entries).map_err(|error| inner.failed("cannot be written", error))
        })
        .await
    }
}

impl Inner {
    /// Milliseconds since 1970.
    fn now(&self) -> u64 {
        (self.clock)().duration_since(UNIX_EPOCH).map_or(0, millis)
    }

    fn failed(&self, what: &str, error: io::Error) -> Error {
        let (kind, hint) = match error.kind() {
            Io::NotFound => (ErrorKind::InvalidArgument, "; make its folder first"),
            Io::PermissionDenied | Io::IsADirectory | Io::NotADirectory | Io::ReadOnlyFilesystem => {
                (ErrorKind::InvalidArgument, "")
            }
            _ => (ErrorKind::Unavailable, ""),
        };
        Error::new(kind, format!("{self} {what}: {error}{hint}")).with_source(error)
    }

    fn load(&self) -> Result<Entries> {
        let unreadable = |error| self.failed("cannot be read", error);
        // Before it is opened: opening a pipe would wait for somebody to write.
        match fs::metadata(&self.path) {
            Ok(found) if !found.is_file() => {
                return Err(Error::new(ErrorKind::InvalidArgument, format!("{self} is not a file")));
            }
            Ok(_) => {}
            Err(error) if error.kind() == Io::NotFound => return Ok(Entries::new()),
            Err(error) => return Err(unreadable(error)),
        }
        let file = File::open(&self.path).map_err(unreadable)?;
        let mut text = Vec::new();
        (&file).take(MAX_FILE + 1).read_to_end(&mut text).map_err(unreadable)?;
        // Before its mode is changed: that of somebody else's file is not ours to change.
        let entries = entries(&text).ok_or_else(|| {
            // Without the parser's words, which may quote what is in the file.
            let message = format!("{self} is not a token store; choose another path, or delete it");
            Error::new(ErrorKind::InvalidArgument, message)
        })?;
        self.check_mode(&file)?;
        Ok(entries)
    }

    /// Whoever can write to the file can take its values away or bring old ones back, so that is refused. Whoever can read
    /// it learns nothing, because values are sealed; from then on he cannot.
    #[cfg(unix)]
    fn check_mode(&self, file: &File) -> Result<()> {
        use std::os::unix::fs::PermissionsExt;
        let failed = |error| self.failed("cannot be made private", error);
        let mode = file.metadata().map_err(failed)?.permissions().mode();
        if mode & 0o022 != 0 {
            let message = format!("{self} may be written by others; make it private with: chmod 600");
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        if mode & 0o077 != 0 {
            file.set_permissions(fs::Permissions::from_mode(0o600)).map_err(failed)?;
        }
        Ok(())
    }

    #[cfg(not(unix))]
    fn check_mode(&self, _: &File) -> Result<()> {
        Ok(())
    }

    /// A reader sees the old file or the new one, and so does whoever comes after a loss of power.
    fn save(&self, entries: &Entries) -> io::Result<()> {
        let next = with_suffix(&self.path, ".tmp");
        // What a process that was killed left behind: nobody else writes now.
        match fs::remove_file(&next) {
            Err(error) if error.kind() != Io::NotFound => return Err(error),
            _ => {}
        }
        let write = || {
            let mut file = private(OpenOptions::new().write(true).create_new(true)).open(&next)?;
            file.write_all(&serde_json::to_vec(entries)?)?;
            file.sync_all()?;
            fs::rename(&next, &self.path)
        };
        write().inspect_err(|_| {
            let _ = fs::remove_file(&next);
        })
    }
}

impl fmt::Display for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the token store {}", self.path.display())
    }
}

impl TokenStore for FileStore {
    fn read<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Kept>>> {
        let id = id.to_owned();
        Box::pin(self.blocking(move |inner| {
            let Some(entry) = inner.load()?.remove(&id) else { return Ok(None) };
            let left = entry.left(inner.now());
            // A value that is no base64 is as good as one that was changed: the vault tells.
            let value = STANDARD.decode(entry.value).unwrap_or_default();
            Ok(Some(Kept { value, left }).filter(|kept| !kept.left.is_zero()))
        }))
    }

    fn write<'a>(&'a self, id: &'a str, value: Vec<u8>, keep: Duration) -> BoxFuture<'a, Result<()>> {
        let id = id.to_owned();
        let (value, keep) = (STANDARD.encode(value), millis(keep));
        // From now on, not from when it is this process's turn.
        let written_at = self.0.now();
        Box::pin(self.change(move |entries, now| {
            make_room(entries, (&id, value.len()), |entry| entry.value.len(), |entry| entry.left(now));
            entries.insert(id, Entry { value, written_at, keep });
        }))
    }

    fn remove<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<()>> {
        let id = id.to_owned();
        Box::pin(self.change(move |entries, _| {
            entries.remove(&id);
        }))
    }

    fn lock<'a>(&'a self, id: &'a str, limit: Duration) -> BoxFuture<'a, Result<Option<StoreLock>>> {
        // Ids are anything; 64 bits of a hash are enough to tell those of one file apart.
        let mut suffix = ".".to_owned();
        for byte in &digest(&SHA256, id.as_bytes()).as_ref()[..8] {
            let _ = write!(suffix, "{byte:02x}");
        }
        Box::pin(async move {
            let lock = self.lock_file(suffix + ".lock", limit).await?;
            Ok(lock.map(|lock| {
                StoreLock::new(async move {
                    let _ = tokio::task::spawn_blocking(move || drop(lock)).await;
                })
            }))
        })
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FileStore").field(&self.0.path).finish()
    }
}

/// What is in a file, if it is a store's. An empty file is one without entries: it may have been made for its mode.
fn entries(text: &[u8]) -> Option<Entries> {
    match text.len() {
        0 => Some(Entries::new()),
        length if length as u64 > MAX_FILE => None,
        _ => serde_json::from_slice(text).ok(),
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut path = OsString::from(path);
    path.push(suffix);
    path.into()
}

#[cfg(test)]
#[path = "store_file_tests.rs"]
mod tests;
