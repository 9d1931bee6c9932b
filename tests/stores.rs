//! One token for several processes through a file: real processes, which are killed as well.

#[path = "support/share.rs"]
mod share;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use share::{Accounts, NAME, TOKEN, events, has_secret, kill, line, process, ten_processes, vault};
use ttn_auth::{FileStore, MemoryStore, TokenSource, TokenStore};

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("ttn-auth-stores-{:016x}", fastrand::u64(..)));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn path(&self) -> String {
        self.0.join("tokens.json").to_str().unwrap().to_owned()
    }

    fn store(&self) -> Arc<FileStore> {
        Arc::new(FileStore::new(self.path()).unwrap())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
#[ignore = "the other tests start it as a process of its own"]
async fn child() {
    share::run_task(|path| Arc::new(FileStore::new(path).unwrap())).await;
}

#[tokio::test]
async fn ten_processes_make_one_load() {
    let (folder, accounts) = (Folder::new(), Accounts::start().await);
    assert_eq!(ten_processes(&folder.path(), &accounts).await, vec![format!("{TOKEN}1"); 10]);
    // And one that comes later.
    let token = accounts.shared(folder.store()).token().await.unwrap();
    assert_eq!(token.secret().expose(), format!("{TOKEN}1"));
    assert!(
        token.lifetime().unwrap().expires_at() <= tokio::time::Instant::now() + Duration::from_secs(3600)
    );
    assert_eq!(accounts.loads(), 1);
}

#[tokio::test]
async fn a_lock_ends_with_its_holder() {
    let folder = Folder::new();
    let mut holder = process("hold", &folder.path(), "");
    assert_eq!(line(&mut holder).await, "locked");
    let vault = vault(folder.store());
    assert!(vault.lock(NAME, Duration::from_millis(100)).await.unwrap().is_none());
    kill(holder);
    assert!(vault.lock(NAME, Duration::from_millis(100)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_writer_that_is_killed_leaves_a_whole_file() {
    let folder = Folder::new();
    for _ in 0..20 {
        let mut writer = process("write", &folder.path(), "");
        assert_eq!(line(&mut writer).await, "writing");
        // Anywhere in its work.
        tokio::time::sleep(Duration::from_micros(fastrand::u64(..60_000))).await;
        kill(writer);
        if let Ok(text) = fs::read(folder.path()) {
            serde_json::from_slice::<serde_json::Value>(&text).unwrap();
        }
    }
    let store = folder.store();
    store.write("last", vec![1], Duration::from_secs(60)).await.unwrap();
    assert!(store.read("last").await.unwrap().is_some());
    let most = ["tokens.json"];
    let left: Vec<_> = fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, most, "the next writer tidies up");
}

#[tokio::test]
async fn no_secret_is_in_the_folder_nor_in_an_event() {
    let (folder, accounts) = (Folder::new(), Accounts::start().await);
    let (events, _guard) = events();
    let shared = accounts.shared(folder.store());
    shared.token().await.unwrap();
    for entry in fs::read_dir(&folder.0).unwrap() {
        let path = entry.unwrap().path();
        assert!(!has_secret(&fs::read(&path).unwrap()), "{}", path.display());
    }
    // A value that was changed, a file that is not a store, and none at all.
    let text = fs::read_to_string(folder.path()).unwrap();
    fs::write(folder.path(), text.replace("\"value\":\"", "\"value\":\"AAAA")).unwrap();
    accounts.shared(folder.store()).token().await.unwrap();
    let key = "-----BEGIN PRIVATE KEY-----\nhunter2\n";
    fs::write(folder.path(), key).unwrap();
    let loads = accounts.loads();
    accounts.shared(folder.store()).token().await.unwrap();
    assert_eq!((accounts.loads(), fs::read_to_string(folder.path()).unwrap()), (loads + 1, key.to_owned()));
    fs::remove_file(folder.path()).unwrap();
    fs::create_dir(folder.path()).unwrap();
    accounts.shared(folder.store()).token().await.unwrap();
    let text = events.text();
    for expected in [
        "DEBUG ttn_auth::store operation=\"write\" outcome=\"ok\"",
        "a value was changed, or sealed with another key; it is replaced",
        "is not a token store; choose another path, or delete it",
        "WARN ttn_auth::store operation=\"read\" outcome=\"AUTH_INVALID_ARGUMENT\"",
        "is not a file",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(!has_secret(text.as_bytes()), "{text}");
    assert!(!has_secret(format!("{shared:?}").as_bytes()));
    assert!(has_secret(TOKEN.as_bytes()) && has_secret(share::STORE_KEY.as_bytes()));
}

#[tokio::test]
async fn clients_of_one_process_share_a_token_in_memory() {
    let (store, accounts) = (Arc::new(MemoryStore::new()), Accounts::start().await);
    let clients: Vec<_> = (0..10).map(|_| accounts.shared(store.clone())).collect();
    let tokens =
        futures_util::future::try_join_all(clients.iter().map(|client| client.token())).await.unwrap();
    assert!(tokens.iter().all(|token| token.secret().expose() == format!("{TOKEN}1")));
    assert_eq!(accounts.loads(), 1);
}
