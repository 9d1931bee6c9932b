//! A server's exchanges of its callers' keys: how many, how long, and whose fault.

mod support;

use std::time::Duration;

use futures_util::future::join_all;
use support::start;
use tokio::net::TcpListener;
use ttn_auth::{AccountServer, AppId, Authenticator, Compat, ErrorKind, Presented, Secret};
use ttn_auth_sandbox::SandboxOptions;

fn app() -> AppId {
    AppId::new("test-app").unwrap()
}

fn key(key: &str) -> Presented {
    Presented { token: None, key: Some(Secret::new(key)) }
}

#[tokio::test]
async fn an_account_server_that_does_not_answer_is_asked_by_few_and_nobody_waits_longer_than_the_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = AccountServer::new(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let limit = Duration::from_millis(300);
    let authenticator =
        Authenticator::builder().auth_server("i", server).max_exchanges(2).timeout(limit).build();
    let keys: Vec<_> = (0..100).map(|n| key(&format!("i.key-{n}"))).collect();
    let app = app();
    let calls = keys.iter().map(|key| authenticator.authenticate(key, &app));
    for refused in join_all(calls).await {
        let error = refused.unwrap_err();
        assert_eq!((error.kind(), error.grpc_code()), (ErrorKind::ExchangeUnavailable, Some(2)));
        assert!(error.message().ends_with("did not answer within 300ms"), "{error}");
    }
    let mut connections = Vec::new();
    while let Ok(Ok(connection)) = tokio::time::timeout(Duration::ZERO, listener.accept()).await {
        connections.push(connection);
    }
    assert_eq!(connections.len(), 2);
}

#[tokio::test]
async fn a_server_that_the_account_server_refuses_does_not_blame_its_caller() {
    let options = SandboxOptions {
        client: Some(("handler".to_owned(), Secret::new("client-secret"))),
        ..Default::default()
    };
    let sandbox = start(options).await;
    let address = sandbox.account_server();
    let presented = key(&sandbox.access_key());
    let with = |address: &str, compat| {
        let server = AccountServer::new(address).unwrap();
        Authenticator::builder().auth_server("ttn-account-v2", server).compat(compat).build()
    };
    for (compat, kind) in [(Compat::None, ErrorKind::Server), (Compat::V2, ErrorKind::InvalidKey)] {
        let error = with(&address, compat).authenticate(&presented, &app()).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
    let configured = address.replacen("://", "://handler:client-secret@", 1);
    with(&configured, Compat::None).authenticate(&presented, &app()).await.unwrap();
}

#[tokio::test]
async fn a_key_is_not_exchanged_again_because_a_signing_key_is_missing() {
    let sandbox = start(SandboxOptions::default()).await;
    let server = AccountServer::new(&sandbox.account_server()).unwrap();
    let authenticator = Authenticator::builder()
        .auth_server("ttn-account-v2", server)
        .key_file("ttn-account-v2", "no/such/file")
        .build();
    let presented = key(&sandbox.access_key());
    let before = sandbox.counts().exchanges;
    for _ in 0..3 {
        let error = authenticator.authenticate(&presented, &app()).await.unwrap_err();
        assert!(error.message().contains("no/such/file"), "{error}");
    }
    assert_eq!(sandbox.counts().exchanges, before + 1);
}
