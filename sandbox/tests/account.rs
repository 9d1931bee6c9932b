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
use ttn_auth_sandbox::{Algorithm, ISSUER, Mint, Sandbox, SandboxOptions};

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
        for right in Right::ALL.iter().filter(|right| !right.is_of_the_things_stack()) {
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
    // And not at every call: for a moment, the key is as good as refused.
    let again = authenticator.authenticate(&presented, &app()).await;
    assert_eq!((again.unwrap_err().kind(), sandbox.exchanges()), (ErrorKind::TokenExpired, 2));
    ahead.store(0, Ordering::SeqCst);
    let good = async {
        while authenticator.authenticate(&presented, &app()).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), good).await.expect("it stays refused");
    assert_eq!(sandbox.exchanges(), 3);
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

/// A sandbox that grants tokens to one client only, and that client.
async fn with_client() -> (Sandbox, AccountServer) {
    let client = Some(("the client".to_owned(), Secret::new("s3cr&t:%")));
    let sandbox =
        Sandbox::start(SandboxOptions { client, rate_limit: None, ..Default::default() }).await.unwrap();
    let server = AccountServer::new(&sandbox.account_server()).unwrap();
    (sandbox, server.with_client("the client", Secret::new("s3cr&t:%")))
}

/// What a person gets who signs in with a form.
async fn sign_in(sandbox: &Sandbox, authorization: Option<&str>, form: &str) -> Value {
    let client = Client::builder(sandbox.account_server()).build().unwrap();
    let request = http::Request::post("/users/token")
        .header("content-type", "application/x-www-form-urlencoded; charset=utf-8");
    let request = match authorization {
        Some(value) => request.header("authorization", value),
        None => request,
    };
    let request = request.body(Bytes::copy_from_slice(form.as_bytes())).unwrap();
    match client.request(request, &CallOptions::default()).await {
        Ok(answer) => serde_json::from_slice(answer.body()).unwrap(),
        Err(error) => json!(error.http_status()),
    }
}

const PASSWORD: &str = "grant_type=password&username=sandbox&password=sandbox";

#[tokio::test]
async fn a_form_is_as_good_as_json_and_a_refresh_token_is_good_for_one_use() {
    let (sandbox, server) = start().await;
    let answer = sign_in(&sandbox, None, PASSWORD).await;
    let first = Secret::new(answer["refresh_token"].as_str().unwrap());
    let second = server.refresh(&first).await.unwrap();
    assert_eq!(second.expires_in, Duration::from_secs(3600));
    let refused = server.refresh(&first).await.unwrap_err();
    assert!(!refused.is_transient(), "{refused}");
    server.refresh(&second.refresh_token.unwrap()).await.unwrap();
    for (wrong, status) in
        [(format!("{PASSWORD}&username=x"), 400), (String::new(), 400), (PASSWORD.replace("=s", "=x"), 401)]
    {
        assert_eq!(sign_in(&sandbox, None, &wrong).await, json!(status), "{wrong}");
    }
    let counts = sandbox.counts();
    assert_eq!((counts.sign_ins, counts.refreshes), (3, 3), "the repeated field was not even read");
}

#[tokio::test]
async fn tokens_are_granted_to_the_client_only_if_there_is_one() {
    let (sandbox, server) = with_client().await;
    let anyone = AccountServer::new(&sandbox.account_server()).unwrap();
    let wrong = anyone.clone().with_client("the client", Secret::new("guess"));
    // The Handler is the client too.
    let key = Secret::new(sandbox.access_key());
    let client =
        Client::builder(sandbox.grpc_address()).credentials(Credentials::parse(key.expose()).unwrap());
    let app_id = ttn_auth::proto::handler::ApplicationIdentifier { app_id: "test-app".into() };
    client.build().unwrap().application_manager().get_application(&app_id).await.unwrap();

    // "the client:s3cr&t:%", as it is.
    let basic = "Basic dGhlIGNsaWVudDpzM2NyJnQ6JQ==";
    assert_eq!(sign_in(&sandbox, None, PASSWORD).await, json!(401));
    let answer = sign_in(&sandbox, Some(basic), PASSWORD).await;
    let refresh = Secret::new(answer["refresh_token"].as_str().unwrap());
    for server in [&anyone, &wrong] {
        let error = server.exchange(&app(), &key).await.unwrap_err();
        assert_eq!(error.message(), "invalid_client");
        server.refresh(&refresh).await.unwrap_err();
    }
    server.exchange(&app(), &key).await.unwrap();
    // It was not used up by those who may not use it.
    server.refresh(&refresh).await.unwrap();
}

#[tokio::test]
async fn a_components_token_exchanges_keys_in_place_of_the_client() {
    let (sandbox, _) = with_client().await;
    let exchange = async |mint: &Mint| {
        let token = Secret::new(sandbox.mint(mint).unwrap());
        let server = AccountServer::new(&sandbox.account_server()).unwrap().with_bearer_token(token);
        server.exchange(&app(), &Secret::new(sandbox.access_key())).await
    };
    let component = Mint { component: Some("handler/dev".into()), ..Default::default() };
    exchange(&component).await.unwrap();
    let expired = Mint { expires_in: Some(-5), ..component };
    for refused in [expired, Mint::default()] {
        assert!(!exchange(&refused).await.unwrap_err().is_transient());
    }
}

#[tokio::test]
async fn a_refresh_token_and_its_end_outlive_a_restart() {
    let path = std::env::temp_dir().join(format!("ttn-auth-refresh-{}", std::process::id()));
    let options = SandboxOptions { journal: Some(path.clone()), ..Default::default() };
    let sandbox = Sandbox::start(options.clone()).await.unwrap();
    let first = sign_in(&sandbox, None, PASSWORD).await;
    let first = Secret::new(first["refresh_token"].as_str().unwrap());
    let server = AccountServer::new(&sandbox.account_server()).unwrap();
    let second = server.refresh(&first).await.unwrap().refresh_token.unwrap();
    let ports = sandbox.ports();
    sandbox.stop().await;
    let again = Sandbox::start(SandboxOptions { ports, ..options }).await.unwrap();
    assert!(server.refresh(&first).await.is_err());
    server.refresh(&second).await.unwrap();
    again.stop().await;
    std::fs::remove_file(path).unwrap();
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
