//! Signing keys in files: one that an operator put there, and those that were read from account servers and are kept for
//! the next start.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::file_lock::private;
use crate::{Error, ErrorKind, PublicKey, Result};

/// A key of 16384 bits takes 3 KB.
const MAX_FILE: u64 = 64 << 10;

/// A file on a disk that does not answer must hold nobody up.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// Where the key of `issuer` is kept. No issuer's name can lead out of the directory.
pub(crate) fn path(directory: &Path, issuer: &str) -> PathBuf {
    directory.join(format!("{}.json", utf8_percent_encode(issuer, NON_ALPHANUMERIC)))
}

/// The key in an operator's file.
pub(crate) async fn read(path: PathBuf) -> Result<PublicKey> {
    let shown = path.display().to_string();
    let read = blocking(move || text(File::open(path)?)).await;
    let failed = |error: io::Error| {
        let message = format!("the key file {shown} cannot be read: {error}");
        Error::new(ErrorKind::ExchangeUnavailable, message).with_source(error)
    };
    PublicKey::read(&read.map_err(failed)?).map_err(|error| {
        let message = format!("the key file {shown}: {error}");
        Error::new(ErrorKind::Protocol, message)
    })
}

/// The key that was kept, if there is one that nobody but this user can have written.
pub(crate) async fn kept(path: PathBuf) -> io::Result<Option<PublicKey>> {
    blocking(move || match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        file => {
            let file = file?;
            check_mode(&file.metadata()?)?;
            // In a folder that others may write, the file need not be this user's, whatever its mode is.
            if let Some(directory) = path.parent() {
                check_mode(&directory.metadata()?)?;
            }
            PublicKey::read(&text(file)?).map(Some).map_err(io::Error::other)
        }
    })
    .await
}

/// Keeps a key: a reader sees the old file or the new one, whoever else writes it.
pub(crate) async fn keep(path: PathBuf, key: &PublicKey) -> io::Result<()> {
    let json = key.to_json();
    blocking(move || {
        if let Some(directory) = path.parent() {
            create(directory)?;
        }
        let next = path.with_extension(format!("{:016x}.tmp", fastrand::u64(..)));
        let write = || {
            let mut file = private(OpenOptions::new().write(true).create_new(true)).open(&next)?;
            file.write_all(json.as_bytes())?;
            file.sync_all()?;
            fs::rename(&next, &path)
        };
        write().inspect_err(|_| {
            let _ = fs::remove_file(&next);
        })
    })
    .await
}

/// From its first moment on, nobody else can write into it.
fn create(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(directory)
}

fn text(file: File) -> io::Result<String> {
    let mut text = String::new();
    file.take(MAX_FILE).read_to_string(&mut text)?;
    Ok(text)
}

/// Whoever can write the file could have every token believed that he signs.
#[cfg(unix)]
fn check_mode(of: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    if of.permissions().mode() & 0o022 == 0 {
        return Ok(());
    }
    let what = if of.is_dir() { "its folder" } else { "it" };
    Err(io::Error::other(format!(
        "others may write {what}, so it is not believed: chmod go-w, or another folder"
    )))
}

#[cfg(not(unix))]
fn check_mode(_: &fs::Metadata) -> io::Result<()> {
    Ok(())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    match tokio::time::timeout(TIME_LIMIT, tokio::task::spawn_blocking(work)).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err(io::Error::other("the work was lost with its runtime")),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Algorithm;

    fn key() -> PublicKey {
        let pair = rcgen::KeyPair::generate().unwrap();
        PublicKey::from_pem(Algorithm::Es256, &pair.public_key_pem()).unwrap()
    }

    #[tokio::test]
    async fn a_key_is_kept_and_replaced_and_no_issuer_leads_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("not/there/yet");
        let path = path(&directory, "../../ttn account/v2");
        assert_eq!(path.parent(), Some(directory.as_path()));
        assert!(kept(path.clone()).await.unwrap().is_none());
        for key in [key(), key()] {
            keep(path.clone(), &key).await.unwrap();
            assert!(kept(path.clone()).await.unwrap().is_some_and(|kept| kept == key));
            assert_eq!(read(path.clone()).await.unwrap(), key);
        }
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1, "nothing is left beside it");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn what_others_may_write_is_not_believed() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = path(folder.path(), "i");
        keep(path.clone(), &key()).await.unwrap();
        let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        mode(&path, 0o620);
        assert!(kept(path.clone()).await.unwrap_err().to_string().contains("others may write it"));
        mode(&path, 0o644);
        assert!(kept(path.clone()).await.unwrap().is_some());
        // As /tmp: another user's file has a mode of his choice.
        mode(folder.path(), 0o1777);
        assert!(kept(path).await.unwrap_err().to_string().contains("others may write its folder"));
    }

    #[tokio::test]
    async fn a_file_that_holds_no_key_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        let error = read(path.clone()).await.unwrap_err();
        assert!(error.message().contains("key.pem cannot be read"), "{error}");
        fs::write(&path, "secret").unwrap();
        let error = read(path).await.unwrap_err();
        assert!(error.message().contains("expected PEM") && !error.message().contains("secret"), "{error}");
    }
}
