//! What token sources tell (tracing), and that no secret is in it. In a process of its own: files are read by other
//! threads, so the subscriber is everyone's.

#[path = "support/accounts.rs"]
mod accounts;
mod support;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use accounts::{account, shown, sign_in, test_app};
use support::sandbox;
use ttn_auth::{
    CredentialsFile, KeyExchange, MemoryStore, RefreshToken, RestrictedToken, Secret, StoreKey, TokenSource,
    Vault,
};

/// Every line that a subscriber prints.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn sources_tell_what_they_do_and_no_secret() {
    let lines = Lines::default();
    let written = lines.clone();
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || written.clone())
        .init();
    let sandbox = sandbox().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    std::fs::write(&path, sandbox.access_key()).unwrap();
    let file = CredentialsFile::new(&path, None);
    let (wide, first) = sign_in(&sandbox).await;
    let store_key = StoreKey::generate().unwrap();
    let vault = Vault::new(Arc::new(MemoryStore::new()), StoreKey::parse(store_key.expose()).unwrap());
    let rotated: Arc<Mutex<Vec<String>>> = Arc::default();
    let list = rotated.clone();

    let exchange = KeyExchange::new(
        account(&sandbox).with_client("my-client", Secret::new("client-secret-1")),
        test_app(),
        file.clone(),
    );
    let component = account(&sandbox).with_bearer_token(Secret::new(sandbox.bearer_token().unwrap()));
    let restricted = RestrictedToken::new(component, Arc::new(wide.clone()), &[test_app()]).unwrap();
    let refresh = RefreshToken::new(account(&sandbox), first.clone()).with_store(vault);
    let refresh = refresh.on_rotate(move |next| list.lock().unwrap().push(next.expose().to_owned()));
    let mut secrets = vec![
        sandbox.access_key(),
        wide.secret().expose().to_owned(),
        first.expose().to_owned(),
        "client-secret-1".to_owned(),
    ];
    let sources: [&dyn TokenSource; 3] = [&exchange, &restricted, &refresh];
    for source in sources {
        secrets.push(source.token().await.unwrap().secret().expose().to_owned());
    }
    std::fs::write(&path, "hunter2-hunter2 hunter2-hunter2").unwrap();
    file.read_now().unwrap();
    sandbox.stop_account_server();
    let mut shows = format!("{file:?} {:?} {sources:?} {sources:#?}", file.credentials().await);
    for source in sources {
        shows += &shown(&source.token().await.unwrap_err());
    }
    secrets.extend(rotated.lock().unwrap().clone());
    secrets.push(store_key.expose().to_owned());
    secrets.push("hunter2-hunter2".to_owned());

    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    for source in ["key-exchange", "restricted", "refresh-token"] {
        for (outcome, rest) in [("ok", " expires_in_ms=3600000"), ("AUTH_EXCHANGE_UNAVAILABLE", "")] {
            let start = format!(r#"ttn_auth::exchange: source="{source}" outcome="{outcome}" duration_ms="#);
            let line = text.lines().find(|line| line.contains(&start));
            assert!(line.is_some_and(|line| line.ends_with(rest)), "no {start}..{rest} in\n{text}");
        }
    }
    for outcome in ["ok", "AUTH_INVALID_CREDENTIALS"] {
        let expected = format!(r#"ttn_auth::file: outcome="{outcome}""#);
        assert!(text.contains(&expected), "no {expected} in\n{text}");
    }
    let parts = secrets.iter().flat_map(|secret| secret.split('.').skip(1).chain([secret.as_str()]));
    for secret in parts {
        assert!(!text.contains(secret), "a secret is in the events\n{text}");
        assert!(!shows.contains(secret), "a secret is in\n{shows}");
    }
    let path = folder.path().display().to_string();
    assert!(!text.contains(&path) && !shows.contains(&path));
}
