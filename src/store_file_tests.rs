use super::*;
use std::sync::Mutex;

const SECOND: Duration = Duration::from_secs(1);

/// A folder of its own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("ttn-auth-store-{:016x}", fastrand::u64(..)));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn path(&self) -> PathBuf {
        self.0.join("tokens.json")
    }

    fn store(&self) -> FileStore {
        FileStore::new(self.path()).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A clock that is set, and the setting.
fn clock() -> (Clock, Arc<Mutex<SystemTime>>) {
    let time = Arc::new(Mutex::new(UNIX_EPOCH + Duration::from_secs(1_700_000_000)));
    let shown = time.clone();
    (Arc::new(move || *shown.lock().unwrap()), time)
}

async fn left(store: &FileStore, id: &str) -> Option<Duration> {
    store.read(id).await.unwrap().map(|kept| kept.left)
}

#[tokio::test]
async fn values_survive_the_store() {
    let folder = Folder::new();
    assert_eq!(folder.store().read("a").await.unwrap(), None);
    folder.store().write("a", b"1".to_vec(), 1000 * SECOND).await.unwrap();
    folder.store().write("b/..\"", vec![0, 255], Duration::MAX).await.unwrap();
    folder.store().write("a", b"2".to_vec(), 1000 * SECOND).await.unwrap();
    let kept = folder.store().read("a").await.unwrap().unwrap();
    assert_eq!(kept.value, b"2");
    assert!(kept.left <= 1000 * SECOND && kept.left > 900 * SECOND);
    assert_eq!(folder.store().read("b/..\"").await.unwrap().unwrap().value, [0, 255]);
    folder.store().remove("a").await.unwrap();
    assert_eq!(folder.store().read("a").await.unwrap(), None);
    assert_eq!(folder.names(), ["tokens.json"], "nothing is left beside it");
}

#[tokio::test]
async fn clocks_that_jump_make_nothing_younger_than_new() {
    let folder = Folder::new();
    let (clock, time) = clock();
    let store = folder.store().with_clock(clock);
    let set = |change: &dyn Fn(SystemTime) -> SystemTime| {
        let mut time = time.lock().unwrap();
        *time = change(*time);
    };
    store.write("a", vec![], 100 * SECOND).await.unwrap();
    set(&|time| time + 40 * SECOND);
    assert_eq!(left(&store, "a").await, Some(60 * SECOND));
    set(&|time| time - 600 * SECOND);
    assert_eq!(left(&store, "a").await, Some(100 * SECOND));
    set(&|_| UNIX_EPOCH - SECOND);
    assert_eq!(left(&store, "a").await, Some(100 * SECOND));
    set(&|_| UNIX_EPOCH + Duration::from_secs(1_700_000_100));
    assert_eq!(left(&store, "a").await, None);
    // What has expired goes with the next write.
    store.write("b", vec![], SECOND).await.unwrap();
    assert!(!fs::read_to_string(folder.path()).unwrap().contains("\"a\""));
}

/// What tells whether a file was touched: its mode, where there are modes, and its length.
fn touched(path: &Path) -> (u32, u64) {
    let found = fs::metadata(path).unwrap();
    #[cfg(unix)]
    let mode = std::os::unix::fs::PermissionsExt::mode(&found.permissions());
    #[cfg(not(unix))]
    let mode = 0;
    (mode, found.len())
}

#[tokio::test]
async fn a_file_that_is_not_a_store_is_left_as_it_is() {
    let folder = Folder::new();
    let refused = async |text: &str| {
        let before = touched(&folder.path());
        let store = folder.store();
        for error in [
            store.read("a").await.unwrap_err(),
            store.write("a", vec![], SECOND).await.unwrap_err(),
            store.remove("a").await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{text}");
            let hint = "tokens.json is not a token store; choose another path, or delete it";
            assert!(error.message().ends_with(hint), "{error}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
        assert_eq!(touched(&folder.path()), before, "{text}");
        assert_eq!(folder.names(), ["tokens.json"]);
    };
    for text in [
        "-----BEGIN PRIVATE KEY-----\nhunter2\n",
        "{",
        "[]",
        "null",
        "\"hunter2\"",
        " ",
        "\u{0}",
        r#"{"a":1}"#,
        r#"{"hunter2":{"value":"hunter2"}}"#,
        r#"{"a":{"value":"","written_at":1,"keep":5}} hunter2"#,
    ] {
        fs::write(folder.path(), text).unwrap();
        #[cfg(unix)]
        fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        refused(text).await;
        assert_eq!(fs::read_to_string(folder.path()).unwrap(), text);
    }
    // Larger than ours can be, whatever it begins with.
    fs::write(folder.path(), " ".repeat(MAX_FILE as usize - 2) + "{} hunter2").unwrap();
    refused("large").await;
    File::create(folder.path()).unwrap().set_len(1 << 40).unwrap();
    refused("huge").await;
}

#[tokio::test]
async fn a_file_without_entries_and_one_without_anything_are_stores() {
    let folder = Folder::new();
    for text in ["", "{}"] {
        fs::write(folder.path(), text).unwrap();
        let store = folder.store();
        assert_eq!(left(&store, "a").await, None, "{text}");
        store.write("a", vec![], SECOND * 100).await.unwrap();
        assert!(left(&store, "a").await.is_some(), "{text}");
    }
    // A value that is not ours is given as it is not, for the vault to tell.
    fs::write(folder.path(), r#"{"a":{"value":"?","written_at":9999999999999,"keep":5}}"#).unwrap();
    assert_eq!(
        folder.store().read("a").await.unwrap(),
        Some(Kept { value: vec![], left: Duration::from_millis(5) })
    );
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let mode = || fs::metadata(folder.path()).unwrap().permissions().mode() & 0o777;
    let set = |mode| fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
    let store = folder.store();
    store.write("a", vec![], SECOND * 100).await.unwrap();
    assert_eq!(mode(), 0o600);
    set(0o644);
    assert!(left(&store, "a").await.is_some());
    assert_eq!(mode(), 0o600);
    for open in [0o620, 0o602, 0o666] {
        set(open);
        let errors =
            [store.read("a").await.unwrap_err(), store.write("a", vec![], SECOND).await.unwrap_err()];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            assert!(error.message().ends_with("chmod 600"), "{error}");
        }
    }
}

#[tokio::test]
async fn what_cannot_be_a_store_gets_a_clear_error() {
    let folder = Folder::new();
    for path in ["", "/", ".."] {
        assert_eq!(FileStore::new(path).unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
    let store = FileStore::new(folder.0.join("missing/tokens.json")).unwrap();
    assert_eq!(store.read("a").await.unwrap(), None);
    let error = store.write("a", vec![], SECOND).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.message().ends_with("make its folder first"), "{error}");
    let store = FileStore::new(&folder.0).unwrap();
    assert!(store.read("a").await.unwrap_err().message().ends_with("is not a file"));
}

#[tokio::test]
async fn a_lock_is_had_by_one_and_ends_with_it() {
    let folder = Folder::new();
    let (one, two) = (folder.store(), folder.store());
    let lock = one.lock("a", Duration::ZERO).await.unwrap().unwrap();
    assert!(two.lock("a", Duration::from_millis(100)).await.unwrap().is_none());
    // Neither another id's lock nor a write waits for it.
    two.lock("b", Duration::ZERO).await.unwrap().unwrap().release().await;
    two.write("a", vec![], SECOND).await.unwrap();
    let waiter =
        tokio::spawn(async move { two.lock("a", 10 * SECOND).await.unwrap().unwrap().release().await });
    lock.release().await;
    waiter.await.unwrap();
    assert_eq!(folder.names(), ["tokens.json"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_lock_is_exclusive_although_its_file_is_removed_each_time() {
    let folder = Folder::new();
    let inside = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let tasks = (0..8).map(|_| {
        let (store, inside) = (folder.store(), inside.clone());
        tokio::spawn(async move {
            for _ in 0..30 {
                let lock = store.lock("a", 60 * SECOND).await.unwrap().unwrap();
                assert_eq!(inside.fetch_add(1, std::sync::atomic::Ordering::SeqCst), 0);
                tokio::task::yield_now().await;
                inside.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                lock.release().await;
            }
        })
    });
    futures_util::future::try_join_all(tasks).await.unwrap();
}

#[tokio::test]
async fn what_a_killed_writer_left_is_overwritten_and_concurrent_writes_are_all_there() {
    let folder = Folder::new();
    fs::write(with_suffix(&folder.path(), ".tmp"), "half").unwrap();
    fs::write(with_suffix(&folder.path(), ".lock"), "").unwrap();
    let stores: Vec<_> = (0..10).map(|number| (folder.store(), number.to_string())).collect();
    let writes = stores.iter().map(|(store, id)| store.write(id, vec![7], 100 * SECOND));
    futures_util::future::try_join_all(writes).await.unwrap();
    for (store, id) in &stores {
        assert_eq!(store.read(id).await.unwrap().unwrap().value, [7]);
    }
    assert_eq!(folder.names(), ["tokens.json"]);
}
