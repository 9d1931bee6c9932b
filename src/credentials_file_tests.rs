use std::fs;
use std::path::PathBuf;

use futures_util::FutureExt;
use tempfile::TempDir;
use tokio::time::advance;

use super::*;
use crate::credentials::tests::jwt;

const SECOND: Duration = Duration::from_secs(1);

/// A folder with a file in it that has this content, and its path.
fn file(content: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("credential");
    fs::write(&path, content).unwrap();
    (folder, path)
}

async fn secret(file: &CredentialsFile) -> String {
    file.credentials().await.unwrap().secret().expose().to_owned()
}

#[tokio::test(start_paused = true)]
async fn whatever_is_around_the_credential_is_left_out() {
    let token = jwt("{}");
    for content in ["i.key", "i.key\n", "\r\n\t i.key \r\n\r\n", "\u{feff}i.key\r\n"] {
        let (_folder, path) = file(content);
        assert_eq!(secret(&CredentialsFile::new(&path, None)).await, "i.key", "{content:?}");
    }
    let (_folder, path) = file(format!("{token}\n"));
    assert_eq!(CredentialsFile::new(path, None).token().await.unwrap().secret().expose(), token);
}

#[tokio::test(start_paused = true)]
async fn a_change_is_seen_after_a_second_or_when_it_is_asked_for() {
    let (_folder, path) = file("i.a");
    let file = CredentialsFile::new(&path, None);
    assert_eq!(secret(&file).await, "i.a");
    fs::write(&path, "i.b").unwrap();
    advance(SECOND - Duration::from_millis(1)).await;
    assert_eq!(secret(&file).await, "i.a");
    advance(Duration::from_millis(1)).await;
    assert_eq!(secret(&file).await, "i.b");
    fs::write(&path, "i.c").unwrap();
    let clone = file.clone();
    clone.invalidate();
    assert_eq!(secret(&file).await, "i.c");
    fs::write(&path, "i.d").unwrap();
    assert_eq!(file.read_now().unwrap().secret().expose(), "i.d");
    assert_eq!(secret(&clone).await, "i.d");
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_renamed_over_it_is_seen() {
    let (folder, path) = file("i.a");
    let file = CredentialsFile::new(&path, None);
    assert_eq!(secret(&file).await, "i.a");
    let next = folder.path().join("next");
    fs::write(&next, "i.b").unwrap();
    // As long, and as old: what one tick of a clock can hide.
    let then = fs::metadata(&path).unwrap().modified().unwrap();
    File::options().write(true).open(&next).unwrap().set_modified(then).unwrap();
    fs::rename(&next, &path).unwrap();
    advance(SECOND).await;
    assert_eq!(secret(&file).await, "i.b");
}

/// As Kubernetes does it: key -> ..data/key, ..data -> ..1, and ..data is replaced.
#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn a_folder_that_is_swapped_behind_symbolic_links_is_seen() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (version, key) in [("..1", "i.a"), ("..2", "i.b")] {
        fs::create_dir(at(version)).unwrap();
        fs::write(at(version).join("key"), key).unwrap();
    }
    symlink("..1", at("..data")).unwrap();
    symlink("..data/key", at("key")).unwrap();
    let file = CredentialsFile::new(at("key"), None);
    assert_eq!(secret(&file).await, "i.a");
    symlink("..2", at("..new")).unwrap();
    fs::rename(at("..new"), at("..data")).unwrap();
    advance(SECOND).await;
    assert_eq!(secret(&file).await, "i.b");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_good_does_not_replace_what_was() {
    let (_folder, path) = file("i.a");
    let file = CredentialsFile::new(&path, Some(CredentialsKind::AccessKey));
    assert_eq!(secret(&file).await, "i.a");
    let token = jwt("{}");
    for content in ["", " \r\n", "two words", &token, "i.\u{e9}"] {
        fs::write(&path, content).unwrap();
        advance(SECOND).await;
        assert_eq!(secret(&file).await, "i.a", "{content:?}");
    }
    fs::remove_file(&path).unwrap();
    advance(SECOND).await;
    assert_eq!(secret(&file).await, "i.a");
    // Truncated in between, then whole.
    File::create(&path).unwrap();
    advance(SECOND).await;
    assert_eq!(secret(&file).await, "i.a");
    fs::write(&path, "i.b").unwrap();
    advance(SECOND).await;
    assert_eq!(secret(&file).await, "i.b");
}

#[tokio::test(start_paused = true)]
async fn without_anything_good_the_error_says_what_is_wrong() {
    use ErrorKind::*;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ttn-account-v2.hunter2");
    let error = |kind| {
        let file = CredentialsFile::new(&path, kind);
        async move { file.credentials().await.unwrap_err() }
    };
    let missing = error(None).await;
    assert_eq!((missing.kind(), missing.message()), (InvalidArgument, "the credentials file does not exist"));
    let token = jwt("{}");
    let large = "a".repeat(1 << 20);
    for (content, kind, wrong, part) in [
        (b"".as_slice(), None, InvalidCredentials, "is empty"),
        (b"\xff\xfei\0.\0", None, InvalidCredentials, "UTF-8"),
        (b"i.hunter2 hunter2", None, InvalidCredentials, "at character 10"),
        (b"hunter2", None, InvalidCredentials, "neither"),
        (b"i.hunter2", Some(CredentialsKind::BearerToken), InvalidCredentials, "looks like an access key"),
        (token.as_bytes(), Some(CredentialsKind::AccessKey), InvalidCredentials, "looks like a bearer token"),
        (format!("{large}\n").as_bytes(), None, InvalidArgument, "larger than 1 MiB"),
    ] {
        fs::write(&path, content).unwrap();
        let error = error(kind).await;
        assert_eq!(error.kind(), wrong, "{error}");
        assert!(
            error.message().starts_with("the credentials file ") && error.message().contains(part),
            "{error}"
        );
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
    fs::write(&path, &large).unwrap();
    let kind = Some(CredentialsKind::AccessKey);
    assert_eq!(secret(&CredentialsFile::new(&path, kind)).await.len(), 1 << 20);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(error(None).await.message(), "the credentials file is a directory");
    let file = CredentialsFile::new(&path, None);
    assert!(!format!("{file:?} {:?}", file.read_now()).contains("hunter2"));
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn a_pipe_is_not_waited_for_and_a_file_of_others_not_read() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, path) = file("i.a");
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let error = CredentialsFile::new(&pipe, None).credentials().await.unwrap_err();
    assert_eq!(error.message(), "the credentials file is not a regular file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    match (File::open(&path), CredentialsFile::new(&path, None).credentials().await) {
        // Root may read everything.
        (Ok(_), outcome) => assert!(outcome.is_ok()),
        (Err(_), outcome) => {
            assert_eq!(outcome.unwrap_err().message(), "the credentials file may not be read by this user");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_is_not_made_of_a_key() {
    let (_folder, path) = file("i.hunter2");
    let error = CredentialsFile::new(&path, None).token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidCredentials);
    assert!(error.message().contains("exchanged"), "{error}");
}

/// Lets everyone get as far as they can, also threads.
async fn until(done: impl Fn() -> bool) {
    let started = std::time::Instant::now();
    while !done() {
        assert!(started.elapsed() < SECOND * 20, "it never happens");
        tokio::task::yield_now().await;
    }
}

#[allow(clippy::await_holding_lock, reason = "that is how a disk stands still here")]
#[tokio::test(start_paused = true)]
async fn a_disk_that_does_not_answer_is_waited_for_once() {
    let (_folder, path) = file("i.a");
    for known in [false, true] {
        let file = CredentialsFile::new(&path, None);
        if known {
            assert_eq!(secret(&file).await, "i.a");
            file.invalidate();
        }
        // Whoever reads gets no further than this.
        let inner = file.0.clone();
        let dead = inner.reading.lock().unwrap();
        let calls: Vec<_> = (0..10)
            .map(|_| {
                let file = file.clone();
                tokio::spawn(async move { file.credentials().await })
            })
            .collect();
        until(|| file.0.turn.try_lock().is_err()).await;
        // A thread is under way, so the clock does not move by itself.
        advance(TIME_LIMIT).await;
        for call in calls {
            match call.await.unwrap() {
                Ok(credentials) => assert!(known && credentials.secret().expose() == "i.a"),
                Err(error) => {
                    assert!(!known);
                    assert_eq!(error.kind(), ErrorKind::Unavailable);
                    assert!(error.message().contains("within 5 s"), "{error}");
                }
            }
        }
        // No further call waits, however long it goes on, and none starts another thread.
        for _ in 0..3 {
            advance(SECOND * 60).await;
            let outcome = file.credentials().now_or_never().expect("waits");
            assert_eq!(outcome.is_ok(), known);
        }
        drop(dead);
        until(|| file.0.turn.try_lock().is_ok() && !file.0.state().overdue).await;
        assert_eq!(secret(&file).await, "i.a");
    }
}
