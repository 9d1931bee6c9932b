//! What is told to the outside (tracing), and that no secret is in it.

mod support;

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use support::{app, builder, id, mint, start};
use tracing::Level;
use ttn_auth::{
    AccessKey, AccessToken, AccountServer, AppId, Credentials, KeyExchange, Lifetime, TokenCache, TokenFn,
};
use ttn_auth_sandbox::SandboxOptions;

/// Every line that a subscriber prints.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// On this thread, which is that of the whole test.
fn listen(lines: &Lines) -> tracing::subscriber::DefaultGuard {
    let lines = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_max_level(Level::TRACE);
    tracing::subscriber::set_default(subscriber.with_writer(move || lines.clone()).finish())
}

#[tokio::test]
async fn exchanges_refusals_retries_and_refreshes_are_told_without_secrets() {
    let lines = Lines::default();
    let _listening = listen(&lines);
    let sandbox = start(SandboxOptions::default()).await;
    let mut secrets = vec![sandbox.access_key()];

    // An exchange, and a pace.
    let server = AccountServer::new(&sandbox.account_server()).unwrap();
    let key = AccessKey::new(sandbox.access_key()).unwrap();
    let exchange = KeyExchange::new(server.clone(), AppId::new("test-app").unwrap(), key);
    let cache = TokenCache::new(exchange);
    let client = builder(&sandbox, &sandbox.grpc_address()).token_source(Arc::new(cache.clone()));
    let client = client.build().unwrap();
    for _ in 0..7 {
        client.application_manager().get_application(&app()).await.unwrap();
    }
    secrets.push(ttn_auth::TokenSource::token(&cache).await.unwrap().secret().expose().to_owned());

    // A refused token.
    let tokens = [mint(&sandbox, "kind=expired"), mint(&sandbox, "kind=valid")];
    secrets.extend(tokens.clone());
    let left = Mutex::new(Vec::from(tokens));
    let source = TokenFn::new("list", move || {
        let token = left.lock().unwrap().remove(0);
        async move { AccessToken::new(token) }
    });
    let client = builder(&sandbox, &sandbox.http_address()).token_source(Arc::new(TokenCache::new(source)));
    client.build().unwrap().application_manager().get_device(&id("dev-1")).await.unwrap();

    // An outage: a refresh that fails, calls that are made again.
    sandbox.stop_account_server();
    let down = KeyExchange::new(
        server,
        AppId::new("test-app").unwrap(),
        AccessKey::new("ttn-account-v2.k1-test-app").unwrap(),
    );
    secrets.push("k1-test-app".to_owned());
    let client = builder(&sandbox, &sandbox.grpc_address()).timeout(Duration::from_millis(1500));
    let client = client.token_source(Arc::new(TokenCache::new(down))).build().unwrap();
    let error = client.application_manager().get_device(&id("dev-1")).await.unwrap_err();
    assert_eq!(error.code(), "AUTH_EXCHANGE_UNAVAILABLE", "{error:?}");

    let text = lines.text();
    for expected in [
        r#"ttn_auth::exchange: source="key-exchange" outcome="ok""#,
        r#"ttn_auth::exchange: source="key-exchange" outcome="AUTH_EXCHANGE_UNAVAILABLE""#,
        r#"ttn_auth::refresh: outcome="ok""#,
        r#"ttn_auth::refresh: outcome="AUTH_EXCHANGE_UNAVAILABLE""#,
        r#"ttn_auth::refused: code="AUTH_TOKEN_EXPIRED" dropped=true"#,
        r#"ttn_auth::retry: code="AUTH_RATE_LIMITED""#,
        r#"ttn_auth::retry: code="AUTH_EXCHANGE_UNAVAILABLE" attempt=1"#,
    ] {
        assert!(text.contains(expected), "no {expected} in\n{text}");
    }
    for secret in secrets.iter().flat_map(|secret| secret.split('.').skip(1).chain([secret.as_str()])) {
        assert!(!text.contains(secret), "a secret is in\n{text}");
    }
}

#[tokio::test]
async fn a_grep_for_secrets_finds_one_that_is_there() {
    let lines = Lines::default();
    let _listening = listen(&lines);
    let token = AccessToken::new("hunter2hunter2")
        .unwrap()
        .with_lifetime(Some(Lifetime::new(tokio::time::Instant::now(), Duration::from_secs(1))));
    tracing::info!(token = token.secret().expose(), credentials = ?Credentials::Token(token.clone()), ?token);
    assert_eq!(lines.text().matches("hunter2hunter2").count(), 1, "{}", lines.text());
}
