//! What can be changed while a sandbox runs, seen by callers over both transports.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use ttn_auth::proto::handler::DeviceIdentifier;
use ttn_auth::{AccountServer, AppId, CallOptions, Client, Credentials, Error, ErrorKind, Result, Secret};
use ttn_auth_sandbox::{Algorithm, ClockOf, ExpiresIn, Mint, Sandbox, SandboxOptions};

/// More than any of the wrong clocks here is off by.
const HOUR: i64 = 3600;

async fn start(options: SandboxOptions) -> Sandbox {
    Sandbox::start(SandboxOptions { rate_limit: None, ..options }).await.unwrap()
}

fn account(sandbox: &Sandbox) -> AccountServer {
    AccountServer::new(&sandbox.account_server()).unwrap()
}

fn app() -> AppId {
    AppId::new("test-app").unwrap()
}

/// Reads the device with this over gRPC and HTTP, which must agree.
async fn read(sandbox: &Sandbox, secret: &str) -> Result<(), Error> {
    let mut results = Vec::new();
    for address in [sandbox.grpc_address(), sandbox.http_address()] {
        let credentials = Credentials::parse(secret).unwrap();
        let client = Client::builder(address).credentials(credentials).build().unwrap();
        let device = DeviceIdentifier { app_id: "test-app".into(), dev_id: "dev-1".into() };
        results.push(client.application_manager().get_device(&device).await.map(|_| ()));
    }
    let http = results.pop().unwrap();
    let grpc = results.pop().unwrap();
    match (&grpc, &http) {
        (Ok(()), Ok(())) => {}
        (Err(grpc), Err(http)) => {
            assert_eq!(grpc.kind(), http.kind(), "{grpc} {http}");
            assert_eq!(http.http_status(), Some(500));
            assert!(http.message().contains(grpc.message()), "{grpc} {http}");
        }
        _ => panic!("{grpc:?} {http:?}"),
    }
    grpc
}

async fn refused(sandbox: &Sandbox, secret: &str, kind: ErrorKind) -> Error {
    let error = read(sandbox, secret).await.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    error
}

#[tokio::test]
async fn after_a_rotation_the_handler_takes_old_tokens_until_it_reads_the_new_key() {
    for algorithm in [Algorithm::Es256, Algorithm::Rs256] {
        let sandbox = start(SandboxOptions { algorithm, ..Default::default() }).await;
        let (old, key) = (sandbox.bearer_token().unwrap(), sandbox.access_key());
        read(&sandbox, &key).await.unwrap();
        let pem = sandbox.issuer().public_pem();
        sandbox.rotate_signing_key().unwrap();
        assert_ne!(sandbox.issuer().public_pem(), pem);
        let new = sandbox.bearer_token().unwrap();

        read(&sandbox, &old).await.unwrap();
        // The token that it has for this key is an old one; for the other it gets a new one.
        read(&sandbox, &key).await.unwrap();
        for secret in [new.as_str(), "ttn-account-v2.k1-test-app"] {
            let error = refused(&sandbox, secret, ErrorKind::InvalidToken).await;
            assert!(error.message().ends_with("verification error"), "{error}");
        }
        // The account server itself knows at once.
        let restrict =
            async |token: &str| account(&sandbox).restrict(&Secret::new(token), &["apps:test-app"]).await;
        restrict(&new).await.unwrap();
        assert_eq!(restrict(&old).await.unwrap_err().kind(), ErrorKind::InvalidToken);

        sandbox.reload_keys().await.unwrap();
        refused(&sandbox, &old, ErrorKind::InvalidToken).await;
        for secret in [&new, &key, "ttn-account-v2.k1-test-app"] {
            read(&sandbox, secret).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_handler_that_cannot_read_the_key_keeps_the_one_it_has() {
    let sandbox = start(SandboxOptions::default()).await;
    sandbox.stop_account_server();
    assert_eq!(sandbox.reload_keys().await.unwrap_err().kind(), ErrorKind::ExchangeUnavailable);
    read(&sandbox, &sandbox.bearer_token().unwrap()).await.unwrap();
}

#[tokio::test]
async fn tokens_that_were_taken_back_are_refused_and_new_ones_are_good() {
    let sandbox = start(SandboxOptions::default()).await;
    let (one, other) = (sandbox.bearer_token().unwrap(), sandbox.bearer_token().unwrap());
    let key = sandbox.access_key();
    read(&sandbox, &key).await.unwrap();
    sandbox.revoke(&one).unwrap();
    let error = refused(&sandbox, &one, ErrorKind::InvalidToken).await;
    let message = "permission denied: unable to parse token: token is revoked";
    assert_eq!((error.grpc_code(), error.message()), (Some(7), message));
    read(&sandbox, &other).await.unwrap();

    sandbox.revoke_tokens().unwrap();
    refused(&sandbox, &other, ErrorKind::InvalidToken).await;
    let restricted = account(&sandbox).restrict(&Secret::new(other), &["apps:test-app"]).await;
    assert_eq!(restricted.unwrap_err().kind(), ErrorKind::InvalidToken);
    let exchanges = sandbox.exchanges();
    read(&sandbox, &key).await.unwrap();
    assert_eq!(sandbox.exchanges(), exchanges + 1, "its token was taken back as well");
    read(&sandbox, &sandbox.bearer_token().unwrap()).await.unwrap();
    let exchanged = account(&sandbox).exchange(&app(), &Secret::new(key)).await.unwrap();
    read(&sandbox, exchanged.token.expose()).await.unwrap();
    // What is not genuine says so, taken back or not.
    let forged = sandbox.mint(&Mint { expires_in: Some(-5), ..Mint::default() }).unwrap();
    sandbox.revoke_tokens().unwrap();
    refused(&sandbox, &forged, ErrorKind::TokenExpired).await;
}

#[tokio::test]
async fn a_token_is_written_by_one_clock_and_checked_by_another() {
    let options = SandboxOptions { handler_clock: 2 * HOUR, ..Default::default() };
    let sandbox = start(options).await;
    refused(&sandbox, &sandbox.bearer_token().unwrap(), ErrorKind::TokenExpired).await;
    refused(&sandbox, &sandbox.access_key(), ErrorKind::TokenExpired).await;
    sandbox.set_clock(ClockOf::AccountServer, 2 * HOUR);
    read(&sandbox, &sandbox.bearer_token().unwrap()).await.unwrap();
    // As V2: what a key was exchanged for is kept, good or bad.
    refused(&sandbox, &sandbox.access_key(), ErrorKind::TokenExpired).await;
    sandbox.reload_keys().await.unwrap();
    read(&sandbox, &sandbox.access_key()).await.unwrap();
    sandbox.set_clock(ClockOf::Handler, 0);
    let ahead = sandbox.bearer_token().unwrap();
    read(&sandbox, &ahead).await.unwrap();
    let expires = Credentials::parse(&ahead).unwrap().describe().expires_at.unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    assert!((expires - now - 3.0 * 3600.0).abs() < 60.0, "{expires} {now}");

    sandbox.set_clock(ClockOf::AccountServer, -2 * HOUR);
    refused(&sandbox, &sandbox.bearer_token().unwrap(), ErrorKind::TokenExpired).await;
    // The account server takes its own tokens by its own clock.
    let late = Secret::new(sandbox.bearer_token().unwrap());
    account(&sandbox).restrict(&late, &["apps:test-app"]).await.unwrap();
    sandbox.set_clock(ClockOf::Handler, -2 * HOUR);
    read(&sandbox, late.expose()).await.unwrap();
}

#[tokio::test]
async fn tokens_of_another_life_or_age_and_what_is_said_of_them() {
    let options = SandboxOptions { token_age: Duration::from_secs(7200), ..Default::default() };
    let sandbox = start(options).await;
    let key = Secret::new(sandbox.access_key());
    let exchange = async || account(&sandbox).exchange(&app(), &key).await.unwrap();
    let expired = exchange().await;
    assert_eq!(expired.expires_in, Duration::from_secs(3600));
    refused(&sandbox, expired.token.expose(), ErrorKind::TokenExpired).await;
    sandbox.set_token_age(Duration::from_secs(3000));
    read(&sandbox, exchange().await.token.expose()).await.unwrap();
    sandbox.set_token_lifetime(Duration::from_secs(2000));
    refused(&sandbox, exchange().await.token.expose(), ErrorKind::TokenExpired).await;
    sandbox.set_token_age(Duration::ZERO);
    for (expires_in, seconds) in
        [(ExpiresIn::Number(7.0), 7), (ExpiresIn::Missing, 0), (ExpiresIn::True, 2000)]
    {
        sandbox.set_expires_in(expires_in);
        let exchanged = exchange().await;
        assert_eq!(exchanged.expires_in, Duration::from_secs(seconds));
        read(&sandbox, exchanged.token.expose()).await.unwrap();
    }
}

#[tokio::test]
async fn a_key_that_was_withdrawn_is_refused_where_it_is_exchanged() {
    let sandbox = start(SandboxOptions::default()).await;
    let key = sandbox.add_access_key("test-app", &["devices"]).unwrap();
    read(&sandbox, &key).await.unwrap();
    let exchanged = account(&sandbox).exchange(&app(), &Secret::new(key.as_str())).await.unwrap();
    sandbox.remove_access_key(&key).unwrap();
    let error = account(&sandbox).exchange(&app(), &Secret::new(key.as_str())).await.unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::InvalidKey, "invalid access key"));
    // The Handler has a token for it, and that is good.
    read(&sandbox, &key).await.unwrap();
    read(&sandbox, exchanged.token.expose()).await.unwrap();
    sandbox.reload_keys().await.unwrap();
    refused(&sandbox, &key, ErrorKind::InvalidKey).await;
    for unknown in [key.as_str(), "nobody.full-test-app", "full-test-app", ""] {
        let error = sandbox.remove_access_key(unknown).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert_eq!(error.message(), "the account server has no such access key");
    }
    sandbox.remove_access_key(&sandbox.access_key()).unwrap();
}

#[tokio::test]
async fn an_outage_ends_where_it_began() {
    let sandbox = start(SandboxOptions::default()).await;
    let key = Secret::new(sandbox.access_key());
    let exchange = async || account(&sandbox).exchange(&app(), &key).await;
    // A connection that is kept open ends too.
    let kept = Client::builder(sandbox.account_server()).build().unwrap();
    let get = async || {
        let request = http::Request::get("/key").body(Bytes::new()).unwrap();
        kept.request(request, &CallOptions::default()).await
    };
    for _ in 0..5 {
        get().await.unwrap();
        sandbox.stop_account_server();
        sandbox.stop_account_server();
        assert_eq!(get().await.unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(exchange().await.unwrap_err().kind(), ErrorKind::ExchangeUnavailable);
        let (one, other) = tokio::join!(sandbox.start_account_server(), sandbox.start_account_server());
        one.and(other).unwrap();
        sandbox.start_account_server().await.unwrap();
        exchange().await.unwrap();
    }
    sandbox.stop_account_server();
    let port = sandbox.ports().account;
    // Closed a moment after it was stopped.
    let taken = loop {
        match tokio::net::TcpListener::bind(("127.0.0.1", port)).await {
            Ok(listener) => break listener,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    assert_eq!(sandbox.start_account_server().await.unwrap_err().kind(), ErrorKind::Unavailable);
    drop(taken);
    sandbox.start_account_server().await.unwrap();
    sandbox.stop().await;
    let error = sandbox.start_account_server().await.unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Unavailable, "the sandbox is stopped"));
    sandbox.stop().await;
}
