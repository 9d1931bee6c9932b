//! The account server and discovery, and what the core's authenticator makes of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde_json::{Value, json};
use ttn_auth::{
    AccountServer, AppId, Authenticator, CallOptions, Client, Clock, Credentials, Discovery, ErrorKind,
    KeySet, Presented, Right, Secret, Transport, Verifier,
};
use ttn_auth_sandbox::{Algorithm, ISSUER, Sandbox, SandboxOptions};

async fn start() -> (Sandbox, AccountServer) {
    let sandbox = Sandbox::start(SandboxOptions { rate_limit: None, ..Default::default() }).await.unwrap();
    let server = AccountServer::new(&sandbox.account_server()).unwrap();
    (sandbox, server)
}

fn app() -> AppId {
    AppId::new("test-app").unwrap()
}

async fn call(
    sandbox: &Sandbox,
    method: &str,
    path: &str,
    credentials: Option<Credentials>,
    body: Value,
) -> Value {
    let mut client = Client::builder(sandbox.account_server());
    if let Some(credentials) = credentials {
        client = client.credentials(credentials);
    }
    let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
    let request = http::Request::builder().method(method).uri(path).body(body).unwrap();
    match client.build().unwrap().request(request, &CallOptions::default()).await {
        Ok(answer) => serde_json::from_slice(answer.body()).unwrap(),
        Err(error) => json!({"status": error.http_status(), "error": error.message()}),
    }
}

#[tokio::test]
async fn exchanged_tokens_verify_with_the_key_that_the_account_server_tells() {
    for algorithm in [Algorithm::Es256, Algorithm::Rs256] {
        let options = SandboxOptions { algorithm, rate_limit: None, ..Default::default() };
        let sandbox = Sandbox::start(options).await.unwrap();
        let server = AccountServer::new(&sandbox.account_server()).unwrap();
        let verifier = Verifier::new(KeySet::new().with_account_server(ISSUER, server.clone()));
        let exchanged = server.exchange(&app(), &Secret::new(sandbox.access_key())).await.unwrap();
        assert_eq!(exchanged.expires_in, Duration::from_secs(3600));
        let claims = verifier.verify(&exchanged.token).await.unwrap();
        assert_eq!(claims.issuer, ISSUER);
        for right in Right::ALL {
            claims.require(&app(), *right).unwrap();
        }
        let narrow = server.restrict(&exchanged.token, &["apps:test-app"]).await.unwrap();
        assert_eq!(verifier.verify(&narrow).await.unwrap().subject, claims.subject);
        let error = server.restrict(&exchanged.token, &["apps:other-app"]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    }
}

#[tokio::test]
async fn keys_have_the_rights_they_were_made_with_for_their_application_only() {
    let (sandbox, server) = start().await;
    let key = Secret::new(sandbox.add_access_key("test-app", &["devices"]).unwrap());
    let authenticator = Authenticator::builder().auth_server(ISSUER, server).build();
    let presented = Presented { token: None, key: Some(key) };
    let claims = authenticator.authenticate(&presented, &app()).await.unwrap();
    assert!(claims.allows(&app(), Right::Devices) && !claims.allows(&app(), Right::Settings));
    let other = AppId::new("other-app").unwrap();
    let error = authenticator.authenticate(&presented, &other).await.unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::InvalidKey, "invalid access key"));
    assert!(sandbox.add_access_key("Not Valid", &[]).is_err());
}

#[tokio::test]
async fn a_remembered_token_that_is_refused_is_exchanged_once_more() {
    let (sandbox, server) = start().await;
    let ahead = Arc::new(AtomicU64::new(0));
    let clock: Clock = {
        let ahead = ahead.clone();
        Arc::new(move || SystemTime::now() + Duration::from_secs(ahead.load(Ordering::SeqCst)))
    };
    let authenticator = Authenticator::builder().auth_server(ISSUER, server).clock(clock).build();
    let presented = Presented { token: None, key: Some(Secret::new(sandbox.access_key())) };
    authenticator.authenticate(&presented, &app()).await.unwrap();
    authenticator.authenticate(&presented, &app()).await.unwrap();
    assert_eq!(sandbox.exchanges(), 1);
    ahead.store(7200, Ordering::SeqCst);
    let error = authenticator.authenticate(&presented, &app()).await.unwrap_err();
    assert_eq!((error.kind(), sandbox.exchanges()), (ErrorKind::TokenExpired, 2));
    ahead.store(0, Ordering::SeqCst);
    authenticator.authenticate(&presented, &app()).await.unwrap();
    assert_eq!(sandbox.exchanges(), 2);
}

#[tokio::test]
async fn a_person_signs_in_and_refreshes_once() {
    let (sandbox, server) = start().await;
    let sign_in = json!({"grant_type": "password", "username": "sandbox", "password": "sandbox"});
    let answer = call(&sandbox, "POST", "/users/token", None, sign_in).await;
    let verifier = Verifier::new(KeySet::new().with_account_server(ISSUER, server));
    let token = Secret::new(answer["access_token"].as_str().unwrap());
    verifier.verify(&token).await.unwrap().require(&app(), Right::Delete).unwrap();
    let refresh = json!({"grant_type": "refresh_token", "refresh_token": answer["refresh_token"]});
    assert!(call(&sandbox, "POST", "/users/token", None, refresh.clone()).await["access_token"].is_string());
    assert_eq!(call(&sandbox, "POST", "/users/token", None, refresh).await["status"], 401);
    let code = json!({"grant_type": "authorization_code", "code": "sandbox-code"});
    assert!(call(&sandbox, "POST", "/users/token", None, code).await["access_token"].is_string());
    for wrong in [
        json!({"grant_type": "password", "username": "sandbox", "password": "x"}),
        json!({"grant_type": "authorization_code"}),
        json!({"grant_type": "refresh_token"}),
        json!({"grant_type": "other"}),
    ] {
        assert!(call(&sandbox, "POST", "/users/token", None, wrong).await["access_token"].is_null());
    }
}

#[tokio::test]
async fn an_application_is_told_with_the_callers_rights() {
    let (sandbox, _) = start().await;
    let token = Credentials::bearer_token(sandbox.bearer_token().unwrap()).unwrap();
    let key = Credentials::access_key("ttn-account-v2.noset-test-app").unwrap();
    for (credentials, rights) in [(token.clone(), 7), (key, 1)] {
        for path in ["/applications/test-app", "/api/v2/applications/test-app"] {
            let answer = call(&sandbox, "GET", path, Some(credentials.clone()), Value::Null).await;
            assert_eq!(
                (&answer["id"], answer["rights"].as_array().unwrap().len()),
                (&json!("test-app"), rights)
            );
        }
    }
    assert_eq!(call(&sandbox, "GET", "/applications/test-app", None, Value::Null).await["status"], 401);
    assert_eq!(
        call(&sandbox, "GET", "/applications/other-app", Some(token), Value::Null).await["status"],
        401
    );
}

#[tokio::test]
async fn discovery_names_the_handler_over_grpc_and_http() {
    let (sandbox, _) = start().await;
    let settings = Client::builder(sandbox.discovery())
        .credentials(Credentials::access_key(sandbox.access_key()).unwrap());
    let discovery = Discovery::new(settings).unwrap();
    let found = discovery.get_by_app_id("test-app").await.unwrap();
    assert_eq!(found.certificate, sandbox.ca());
    assert_eq!(discovery.get("handler", "dev").await.unwrap(), found);
    assert_eq!(discovery.get_all("handler").await.unwrap(), [found]);
    assert!(discovery.get_all("router").await.unwrap().is_empty());
    for error in [discovery.get_by_app_id("no-app").await, discovery.get("handler", "x").await] {
        assert_eq!(error.unwrap_err().kind(), ErrorKind::NotFound);
    }
    for transport in [Transport::Grpc, Transport::Http] {
        let manager = discovery.client("test-app", transport).await.unwrap().application_manager();
        let app = ttn_auth::proto::handler::ApplicationIdentifier { app_id: "test-app".into() };
        assert_eq!(manager.get_application(&app).await.unwrap().app_id, "test-app");
    }

    let client = Client::builder(sandbox.discovery().replace("grpc://", "http://")).build().unwrap();
    let get = async |path: &str| {
        let request = http::Request::get(path).body(Bytes::new()).unwrap();
        client.request(request, &CallOptions::default()).await
    };
    let answer: Value =
        serde_json::from_slice(get("/announcements/handler/dev").await.unwrap().body()).unwrap();
    assert_eq!(answer["certificate"], sandbox.ca());
    let answer: Value = serde_json::from_slice(get("/announcements/handler").await.unwrap().body()).unwrap();
    assert_eq!(answer["services"][0]["id"], "dev");
    assert_eq!(get("/announcements/handler/x").await.unwrap_err().kind(), ErrorKind::NotFound);
}
