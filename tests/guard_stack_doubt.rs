//! Callers of The Things Stack when it is not sure any more that they may: keys taken back and expired, servers that are gone, and
//! answers that are none.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use tokio::net::TcpListener;
use ttn_auth::{
    AccountServer, AppId, Authenticator, Carrier, Client, Clock, ErrorKind, Presented, RetryPolicy, Right,
    Secret,
};
use ttn_auth_sandbox::{ISSUER, NewKey, Owner, Sandbox};

use support::sandbox;

/// An authenticator, and how many seconds its clock is ahead. It stands still otherwise.
fn authenticator(address: &str) -> (Authenticator, Arc<AtomicU64>, SystemTime) {
    let client = Client::builder(address).retry(RetryPolicy::never()).build().unwrap();
    let (seconds, start) = (Arc::new(AtomicU64::new(0)), SystemTime::now());
    let told = seconds.clone();
    let clock: Clock = Arc::new(move || start + Duration::from_secs(told.load(Ordering::SeqCst)));
    (Authenticator::builder().things_stack(client).clock(clock).build(), seconds, start)
}

fn presented(token: &str) -> Presented {
    Presented { token: Some(Secret::new(token)), key: None }
}

fn add_key(sandbox: &Sandbox, owner: Owner, expires_at: Option<SystemTime>) -> String {
    let right = if matches!(owner, Owner::User(_)) { "RIGHT_ALL" } else { "RIGHT_APPLICATION_ALL" };
    let new = NewKey { owner, name: String::new(), rights: vec![right.to_owned()], expires_at };
    sandbox.stack().add_api_key(new).unwrap()
}

fn app() -> AppId {
    AppId::new("app1").unwrap()
}

#[tokio::test]
async fn a_key_that_was_taken_back_is_let_in_for_30_seconds_and_its_refusal_stays_for_5() {
    let sandbox = sandbox().await;
    for owner in [Owner::Application("app1".into()), Owner::User("alice".into())] {
        let (authenticator, seconds, _) = authenticator(&sandbox.stack().http_address());
        let secret = add_key(&sandbox, owner, None);
        let now = async || match authenticator.authenticate(&presented(&secret), &app()).await {
            Ok(claims) => claims.require(&app(), Right::Devices).map_err(|error| error.kind()),
            Err(error) => Err(error.kind()),
        };
        assert_eq!(now().await, Ok(()));
        sandbox.stack().revoke(&secret).unwrap();
        seconds.store(29, Ordering::SeqCst);
        assert_eq!(now().await, Ok(()));
        seconds.store(30, Ordering::SeqCst);
        assert_eq!(now().await, Err(ErrorKind::InvalidKey));
        let asked = sandbox.stack().counts().calls;
        seconds.store(34, Ordering::SeqCst);
        assert_eq!(now().await, Err(ErrorKind::InvalidKey));
        assert_eq!(sandbox.stack().counts().calls, asked);
        seconds.store(35, Ordering::SeqCst);
        assert_eq!(now().await, Err(ErrorKind::InvalidKey));
        assert_eq!(sandbox.stack().counts().calls, asked + 1);
    }
}

#[tokio::test]
async fn a_key_ends_when_it_expires_whatever_is_remembered() {
    let sandbox = sandbox().await;
    let (authenticator, seconds, start) = authenticator(&sandbox.stack().grpc_address());
    let secret = add_key(&sandbox, Owner::User("alice".into()), Some(start + Duration::from_secs(10)));
    for (second, expected) in [(0, None), (9, None), (11, Some(ErrorKind::KeyExpired))] {
        seconds.store(second, Ordering::SeqCst);
        let answer = authenticator.authenticate(&presented(&secret), &app()).await;
        assert_eq!(answer.err().map(|error| error.kind()), expected, "{second}");
    }
}

#[tokio::test]
async fn an_outage_lets_in_who_is_known_and_nobody_after_30_seconds() {
    let sandbox = sandbox().await;
    let (authenticator, seconds, _) = authenticator(&sandbox.stack().http_address());
    let (known, stranger) = (sandbox.stack().api_key(), sandbox.stack().key("app1_devices").unwrap());
    authenticator.authenticate(&presented(&known), &app()).await.unwrap();
    sandbox.stop().await;
    authenticator.authenticate(&presented(&known), &app()).await.unwrap();
    seconds.store(29, Ordering::SeqCst);
    authenticator.authenticate(&presented(&known), &app()).await.unwrap();
    seconds.store(30, Ordering::SeqCst);
    for secret in [&known, &stranger] {
        let error = authenticator.authenticate(&presented(secret), &app()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ExchangeUnavailable);
        assert!(!format!("{error:?} {authenticator:?}").contains(secret.rsplit('.').next().unwrap()));
    }
}

#[tokio::test]
async fn an_answer_that_does_not_fit_is_none() {
    let of_app1 = r#""entity_ids":{"application_ids":{"application_id":"app1"}}"#;
    for (answer, good) in [
        (
            format!(
                r#"{{"api_key":{{"api_key":{{"id":"ID","rights":["RIGHT_APPLICATION_ALL"]}},{of_app1}}}}}"#
            ),
            true,
        ),
        ("{}".to_owned(), false),
        ("no JSON".to_owned(), false),
        // Another key's, no key's, another kind's, nobody's.
        (
            format!(
                r#"{{"api_key":{{"api_key":{{"id":"OTHER","rights":["RIGHT_APPLICATION_ALL"]}},{of_app1}}}}}"#
            ),
            false,
        ),
        (format!(r#"{{"api_key":{{"api_key":{{"rights":["RIGHT_APPLICATION_ALL"]}},{of_app1}}}}}"#), false),
        (r#"{"user_session":{"user_ids":{"user_id":"alice"},"session_id":"ID"}}"#.to_owned(), false),
        (r#"{"api_key":{"api_key":{"id":"ID","rights":["RIGHT_APPLICATION_ALL"]}}}"#.to_owned(), false),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let body = answer.clone();
        let answers = move || async move { ([("content-type", "application/json")], body) };
        tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(answers)).await });
        let (authenticator, ..) = authenticator(&address);
        let told = authenticator.authenticate(&presented("NNSXS.ID.SECRET"), &app()).await;
        let expected = (!good).then_some(ErrorKind::ExchangeUnavailable);
        assert_eq!(told.err().map(|error| error.kind()), expected, "{answer}");
    }
}

#[tokio::test]
async fn none_goes_to_an_account_server_of_v2() {
    let sandbox = sandbox().await;
    let account_server = || AccountServer::new(&sandbox.account_server()).unwrap();
    let v2 = Authenticator::builder().auth_server(ISSUER, account_server()).build();
    let client = Client::builder(sandbox.stack().http_address()).build().unwrap();
    let both = Authenticator::builder().auth_server(ISSUER, account_server()).things_stack(client).build();
    let key = sandbox.stack().api_key();
    let mut headers = http::HeaderMap::new();
    headers.insert("authorization", format!("Key {key}").parse().unwrap());
    let mut metadata = http::HeaderMap::new();
    metadata.insert("key", key.parse().unwrap());
    for authenticator in [v2, both] {
        for presented in
            [Carrier::AuthorizationHeader.extract(&headers), Carrier::GrpcMetadata.extract(&metadata)]
        {
            let error = authenticator.authenticate(&presented, &app()).await.unwrap_err();
            assert_eq!((error.kind(), error.grpc_code()), (ErrorKind::InvalidKey, Some(16)), "{error}");
            assert!(error.message().contains("bearer token"), "{error}");
        }
    }
    assert_eq!(sandbox.exchanges(), 0);
}
