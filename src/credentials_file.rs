//! Credentials in a file that somebody else replaces: a mounted secret, or what another program keeps fresh.
//!
//! The file is read again by its path whenever it is due, and not only when its date has changed: it is small, a read
//! sees what was renamed over it or behind a symbolic link, and two writes within one tick of a clock look the same from
//! outside. A writer that is half done does no harm, because the last good content counts until there is a new one.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::{AccessToken, Credentials, CredentialsKind, Error, ErrorKind, Result, TokenSource};

/// For so long the file is not looked at again. A second is soon enough for a person, and costs nothing.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long a look may take. A disk needs milliseconds; a network mount whose server is gone never answers.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// No credential is longer (tokens of 667 KB have been seen): it is another file.
const MAX_BYTES: u64 = 1 << 20;

/// Credentials in a file. Clones share what was read.
///
/// Blanks and line breaks around the credential are left out. An empty or wrong new content, or a missing file, does not
/// replace what was good: that is told as an event `ttn_auth::file`, and is an error only if there is nothing yet.
///
/// As a [`TokenSource`] it gives bearer tokens, and remembers by itself: it needs no [`TokenCache`](crate::TokenCache).
///
/// ```
/// use ttn_auth::{CredentialsFile, CredentialsKind};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("ttn");
/// # std::fs::write(&path, "ttn-account-v2.abc\n")?;
/// let file = CredentialsFile::new(path, None); // such as "/run/secrets/ttn"
/// assert_eq!(file.credentials().await?.kind(), CredentialsKind::AccessKey);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct CredentialsFile(Arc<Inner>);

struct Inner {
    path: PathBuf,
    kind: Option<CredentialsKind>,
    state: Mutex<State>,
    /// Held while the file is read, so that nothing older replaces something newer.
    reading: Mutex<()>,
    /// Whose turn it is to have a thread that reads.
    turn: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Default)]
struct State {
    good: Option<Credentials>,
    /// What was wrong at the last look.
    failure: Option<Error>,
    looked: Option<Instant>,
    /// A look has taken too long, and goes on.
    overdue: bool,
}

impl CredentialsFile {
    /// A file with a credential of this kind, or of the kind that its shape tells. Nothing is read yet.
    pub fn new(path: impl Into<PathBuf>, kind: Option<CredentialsKind>) -> Self {
        Self(Arc::new(Inner {
            path: path.into(),
            kind,
            state: Mutex::default(),
            reading: Mutex::default(),
            turn: Arc::default(),
        }))
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// What is in the file: as it was read a second ago at most, or the last that was good. Needs a tokio runtime.
    ///
    /// # Errors
    /// Only if nothing good has been read yet: [`ErrorKind::InvalidArgument`] if there is no such file, or none that may
    /// be read; [`ErrorKind::InvalidCredentials`] if what is in it is no credential of the kind;
    /// [`ErrorKind::Unavailable`] if the disk fails or takes more than 5 s.
    pub async fn credentials(&self) -> Result<Credentials> {
        if let Some(known) = self.0.known() {
            return known;
        }
        let look = async {
            let turn = Turn(self.0.clone(), Some(self.0.turn.clone().lock_owned().await));
            // Somebody may have looked meanwhile.
            if let Some(known) = self.0.known() {
                return known;
            }
            // The turn ends with the thread, however long it takes: one that hangs gets no company.
            let looking = tokio::task::spawn_blocking(move || turn.0.look());
            looking.await.unwrap_or_else(|_| Err(Error::new(ErrorKind::Cancelled, "the runtime has ended")))
        };
        tokio::time::timeout(TIME_LIMIT, look).await.unwrap_or_else(|_| self.0.give_up())
    }

    /// Reads the file now, and blocks until it is read.
    ///
    /// # Errors
    /// Those of [`credentials`](Self::credentials).
    pub fn read_now(&self) -> Result<Credentials> {
        self.0.look()
    }

    /// Looks at the file when it is needed next, even if that is within the second: what it gave was refused.
    pub fn invalidate(&self) {
        self.0.state().looked = None;
    }
}

impl Inner {
    /// What there is without a look at the file.
    fn known(&self) -> Option<Result<Credentials>> {
        let state = self.state();
        let recent = state.looked.is_some_and(|looked| looked.elapsed() < INTERVAL);
        (recent || state.overdue).then(|| state.outcome())
    }

    fn look(&self) -> Result<Credentials> {
        let _reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let started = Instant::now();
        let found = read(&self.path, self.kind);
        let mut state = self.state();
        state.looked = Some(started);
        state.record(found);
        state.outcome()
    }

    fn give_up(&self) -> Result<Credentials> {
        let mut state = self.state();
        // Unless the turn has just ended.
        state.overdue = self.turn.try_lock().is_err();
        let message = format!("the credentials file could not be read within {} s", TIME_LIMIT.as_secs());
        state.record(Err(Error::new(ErrorKind::Unavailable, message)));
        state.outcome()
    }

    /// Nothing panics while it holds this lock, so what it guards is whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes what a look ended with, and tells what is new.
    fn record(&mut self, found: Result<Credentials>) {
        match found {
            Ok(credentials) => {
                if self.failure.take().is_some() || self.good.as_ref() != Some(&credentials) {
                    tracing::debug!(target: "ttn_auth::file", outcome = "ok");
                }
                self.good = Some(credentials);
            }
            Err(error) => {
                if self.failure.as_ref().map(Error::message) != Some(error.message()) {
                    let (outcome, error) = (error.code(), error.message());
                    tracing::warn!(target: "ttn_auth::file", outcome, error);
                }
                self.failure = Some(error);
            }
        }
    }

    fn outcome(&self) -> Result<Credentials> {
        match (&self.good, &self.failure) {
            (Some(credentials), _) => Ok(credentials.clone()),
            (None, Some(error)) => Err(error.clone()),
            (None, None) => Err(Error::new(ErrorKind::Internal, "the credentials file was not looked at")),
        }
    }
}

/// The right to have a thread that reads.
struct Turn(Arc<Inner>, Option<OwnedMutexGuard<()>>);

impl Drop for Turn {
    fn drop(&mut self) {
        // In this order: whoever finds the turn taken, and says that it is overdue, does so before this.
        self.1 = None;
        self.0.state().overdue = false;
    }
}

fn read(path: &Path, kind: Option<CredentialsKind>) -> Result<Credentials> {
    let wrong = |kind, what: &str| Error::new(kind, format!("the credentials file {what}"));
    let failed = |error: io::Error| {
        // Without its path, in whose place the credential itself may have been given.
        let (kind, what) = match error.kind() {
            io::ErrorKind::NotFound => (ErrorKind::InvalidArgument, "does not exist"),
            io::ErrorKind::PermissionDenied => (ErrorKind::InvalidArgument, "may not be read by this user"),
            _ => (ErrorKind::Unavailable, "cannot be read"),
        };
        wrong(kind, what).with_source(error)
    };
    let about = std::fs::metadata(path).map_err(failed)?;
    if !about.is_file() {
        // A pipe would be empty the second time.
        let what = if about.is_dir() { "is a directory" } else { "is not a regular file" };
        return Err(wrong(ErrorKind::InvalidArgument, what));
    }
    // With room for all of it, so that no copy stays behind when it grows.
    let mut bytes = Zeroizing::new(Vec::with_capacity(about.len().min(MAX_BYTES) as usize + 1));
    File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(wrong(ErrorKind::InvalidArgument, "is larger than 1 MiB: it must be another file"));
    }
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| wrong(ErrorKind::InvalidCredentials, "is not text in UTF-8"))?;
    // Some editors put a byte order mark in front.
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Err(wrong(ErrorKind::InvalidCredentials, "is empty"));
    }
    Credentials::of_kind(kind, text)
        .map_err(|error| wrong(error.kind(), &format!("has no good credential in it: {}", error.message())))
}

impl TokenSource for CredentialsFile {
    fn token(&self) -> BoxFuture<'_, Result<AccessToken>> {
        Box::pin(async {
            match self.credentials().await? {
                Credentials::Token(token) => Ok(token),
                Credentials::Key(_) => Err(Error::new(
                    ErrorKind::InvalidCredentials,
                    "the credentials file has an access key in it, which has to be exchanged for a bearer token",
                )),
                Credentials::ApiKey(_) => Err(Error::new(
                    ErrorKind::InvalidCredentials,
                    "the credentials file has an API key in it, which is no token: give the file as credentials",
                )),
            }
        })
    }

    fn invalidate(&self, _refused: &AccessToken) {
        self.invalidate();
    }
}

impl fmt::Debug for CredentialsFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialsFile").field("kind", &self.0.kind).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "credentials_file_tests.rs"]
mod tests;
