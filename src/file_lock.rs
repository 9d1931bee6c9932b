//! A lock that ends with the process that has it: the system's, on a file that is there for nothing else.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// A locked file, which is there for nothing else.
pub(crate) struct FileLock {
    path: PathBuf,
    /// Closed, and so unlocked, after the file was removed.
    _file: File,
}

impl FileLock {
    /// The lock of this file, if nobody has it.
    pub(crate) fn attempt(path: PathBuf) -> io::Result<Option<Self>> {
        Self::take(open(&path)?, path)
    }

    fn take(file: File, path: PathBuf) -> io::Result<Option<Self>> {
        match file.try_lock() {
            // The last holder may have removed it since it was opened: then the path is free for others, and this lock is
            // worth nothing.
            Ok(()) if is_at(&file, &path)? => Ok(Some(Self { path, _file: file })),
            Ok(()) | Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        if cfg!(unix) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    private(OpenOptions::new().write(true).create(true).truncate(false)).open(path)
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let opened = file.metadata()?;
    match fs::metadata(path) {
        Ok(found) => Ok((found.dev(), found.ino()) == (opened.dev(), opened.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Where an open file cannot be removed, it is where it was.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> io::Result<bool> {
    Ok(true)
}

/// From its first moment on, nobody else can open it.
pub(crate) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_its_holder_removed_is_no_lock() {
        let path = std::env::temp_dir().join(format!("ttn-auth-lock-{:016x}", fastrand::u64(..)));
        let lock = |path: &PathBuf| FileLock::attempt(path.clone()).unwrap();
        let holder = lock(&path).unwrap();
        assert!(lock(&path).is_none());
        let waiter = open(&path).unwrap();
        drop(holder);
        if cfg!(unix) {
            assert!(FileLock::take(waiter, path.clone()).unwrap().is_none());
        }
        // Nor is it one beside somebody's who came meanwhile.
        let waiter = open(&path).unwrap();
        let second = lock(&path).unwrap();
        assert!(FileLock::take(waiter, path.clone()).unwrap().is_none());
        drop(second);
        drop(lock(&path).unwrap());
        assert!(cfg!(not(unix)) || !path.exists());
    }
}
