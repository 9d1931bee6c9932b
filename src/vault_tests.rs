use super::*;
use crate::{Kept, MemoryStore};
use futures_util::future::BoxFuture;
use std::sync::atomic::{AtomicUsize, Ordering};

const SECOND: Duration = Duration::from_secs(1);

fn key() -> StoreKey {
    StoreKey::parse(StoreKey::generate().unwrap().expose()).unwrap()
}

#[test]
fn a_key_is_base64_of_32_bytes_however_it_is_written() {
    let bytes = [0xFB; 32];
    let standard = base64::engine::general_purpose::STANDARD.encode(bytes);
    let url_safe = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    assert!(standard.contains('+') && url_safe.contains('-'));
    let id = |text: &str| StoreKey::parse(text).unwrap().id("name");
    assert_eq!(id(&standard), id(&url_safe));
    assert_eq!(id(&standard), id(&format!(" {standard}\n")));
    let short = base64::engine::general_purpose::STANDARD.encode([1; 31]);
    for text in
        ["", "secret passphrase", &short, &"A".repeat(44), &standard[..40], "hunter2hunter2hunter2hunter2"]
    {
        let error = StoreKey::parse(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{text}");
        assert!(error.message().contains("openssl rand -base64 32"));
        assert!(text.is_empty() || !format!("{error:?}").contains(text));
    }
}

/// Known values, computed with Python's hmac, hashlib and cryptography: another version of this crate, and whoever has
/// to look into a store, must find the same.
#[test]
fn ids_and_values_have_a_fixed_form() {
    let key = StoreKey::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap();
    assert_eq!(key.id("name"), "e55861b16ab25d861a39ce5a8289f015f86690a8e5f869db25357f72fbeef0e7");
    let sealed = base64::engine::general_purpose::STANDARD
        .decode("AQABAgMEBQYHCAkKC+8l4M6D7nL4pQlAtR8zLgltnIc6")
        .unwrap();
    assert_eq!(key.open(&key.id("name"), sealed).unwrap().expose(), "text");
}

#[tokio::test]
async fn what_was_changed_or_moved_or_sealed_with_another_key_is_as_good_as_none() {
    let store = Arc::new(MemoryStore::new());
    let vault = Vault::new(store.clone(), key());
    let text = Secret::new("a token");
    vault.write("a", &text, SECOND).await.unwrap();
    assert_eq!(vault.read("a").await.unwrap().unwrap().text, text);
    let (a, b) = (vault.0.key.id("a"), vault.0.key.id("b"));
    let sealed = store.read(&a).await.unwrap().unwrap().value;
    assert!(!sealed.windows(7).any(|part| part == b"a token"));
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        store.write(&a, changed, SECOND).await.unwrap();
        assert!(vault.read("a").await.unwrap().is_none(), "byte {at}");
        store.write(&a, sealed[..at].to_vec(), SECOND).await.unwrap();
        assert!(vault.read("a").await.unwrap().is_none(), "first {at} bytes");
    }
    store.write(&b, sealed.clone(), SECOND).await.unwrap();
    assert!(vault.read("b").await.unwrap().is_none());
    // Another key has other ids; put under its id all the same, the value does not open.
    let other = Vault::new(store.clone(), key());
    assert!(other.read("a").await.unwrap().is_none());
    store.write(&other.0.key.id("a"), sealed, SECOND).await.unwrap();
    assert!(other.read("a").await.unwrap().is_none());
    other.write("a", &text, SECOND).await.unwrap();
    assert_eq!(other.read("a").await.unwrap().unwrap().text, text);
    other.remove("a").await.unwrap();
    assert!(other.read("a").await.unwrap().is_none());
    assert_eq!(format!("{other:?}"), "Vault(MemoryStore { entries: 2 })");
}

/// Fails, or does not answer at all.
#[derive(Debug, Default)]
struct Broken {
    asked: AtomicUsize,
    silent: bool,
}

impl Broken {
    fn answer<T: Send + 'static>(&self) -> BoxFuture<'_, Result<T>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        match self.silent {
            true => Box::pin(std::future::pending()),
            false => Box::pin(async { Err(Error::new(ErrorKind::Unavailable, "out of order")) }),
        }
    }
}

impl TokenStore for Broken {
    fn read<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<Kept>>> {
        self.answer()
    }
    fn write<'a>(&'a self, _: &'a str, _: Vec<u8>, _: Duration) -> BoxFuture<'a, Result<()>> {
        self.answer()
    }
    fn remove<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<()>> {
        self.answer()
    }
    fn lock<'a>(&'a self, _: &'a str, _: Duration) -> BoxFuture<'a, Result<Option<StoreLock>>> {
        self.answer()
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_failed_is_left_alone_for_a_second() {
    let store = Arc::new(Broken::default());
    let vault = Vault::new(store.clone(), key());
    for _ in 0..100 {
        assert_eq!(vault.read("a").await.unwrap_err().message(), "out of order");
        vault.lock("a", SECOND).await.unwrap_err();
        vault.write("a", &Secret::default(), SECOND).await.unwrap_err();
        vault.remove("a").await.unwrap_err();
    }
    assert_eq!(store.asked.load(Ordering::Relaxed), 1);
    tokio::time::advance(DOWN).await;
    vault.read("a").await.unwrap_err();
    assert_eq!(store.asked.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_never_answers_is_given_up() {
    let store = Arc::new(Broken { silent: true, ..Default::default() });
    let vault = Vault::new(store.clone(), key());
    let started = Instant::now();
    assert_eq!(vault.read("a").await.unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(started.elapsed(), NET);
    assert_eq!(vault.lock("a", SECOND).await.unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(started.elapsed(), NET);
}
