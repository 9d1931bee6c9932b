//! An axum server that is guarded: who gets in, what the handlers see, and what the others are told.

#[path = "support/callers.rs"]
mod callers;
#[path = "../examples/rust/guard_axum.rs"]
#[allow(dead_code, reason = "the example's own main")]
mod example;
mod support;

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::routing::{any, get};
use axum::{Extension, Router};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use ttn_auth::{Access, AppId, Claims, Error, ErrorKind, GuardLayer, Policy, Right, Secret};
use ttn_auth_sandbox::{ISSUER, Sandbox};

use callers::{ANSWERS, authenticator, everyone_calls, get_device};
use support::{mint, sandbox};

/// Serves, and tells where.
async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// What a handler sees: the caller, and the names of the headers.
async fn seen(caller: Option<Extension<Arc<Claims>>>, headers: HeaderMap) -> String {
    let mut names: Vec<_> = headers.keys().map(|name| name.as_str()).filter(|name| *name != "host").collect();
    names.sort_unstable();
    format!("{} {}", caller.map_or("nobody".to_owned(), |caller| caller.subject.clone()), names.join(","))
}

/// A guard with a policy, before a server that answers everything.
async fn guarded(sandbox: &Sandbox, policy: Policy) -> String {
    serve(Router::new().fallback(seen).layer(GuardLayer::new(authenticator(sandbox), policy))).await
}

/// Status, headers and body, for a request line and headers as they are.
async fn raw(address: &str, request: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = request.replace('\n', "\r\n");
    stream.write_all(format!("{request}\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_owned(), body.to_owned())
}

async fn status(address: &str, request: &str) -> u16 {
    raw(address, request).await.0
}

#[tokio::test]
async fn the_example_lets_in_who_may() {
    let sandbox = sandbox().await;
    let address = serve(example::router(authenticator(&sandbox)).unwrap()).await;
    everyone_calls(&sandbox, &format!("http://{address}"), "the example").await;
    assert_eq!(raw(&address, "GET /healthz HTTP/1.1").await.2, "ok");
}

#[tokio::test]
async fn a_client_is_told_the_cause_however_the_server_answers() {
    let sandbox = sandbox().await;
    for answers in ANSWERS {
        let guard =
            GuardLayer::new(authenticator(&sandbox), Policy::application_manager()).with_answers(answers);
        let device = get(|Extension(caller): Extension<Arc<Claims>>| async move {
            format!(r#"{{"app_id":"test-app","dev_id":"dev-1","description":"read by {}"}}"#, caller.subject)
        });
        let router = Router::new().route("/applications/{app_id}/devices/{dev_id}", device).layer(guard);
        let address = format!("http://{}", serve(router).await);
        everyone_calls(&sandbox, &address, &format!("{answers:?}")).await;

        // No route: V2's own answer, and no rule of ours.
        let client = callers::client(&address, Some(&sandbox.access_key()));
        let app = support::app();
        assert_eq!(
            client.application_manager().register_application(&app).await.unwrap_err().kind(),
            ErrorKind::Unimplemented
        );

        sandbox.stop_account_server();
        for secret in [sandbox.access_key().replace("full", "k1"), sandbox.access_key().replace("full", "k2")]
        {
            let error = get_device(&address, Some(&secret)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ExchangeUnavailable, "{answers:?}: {error:?}");
        }
        // What is known goes on working.
        assert!(get_device(&address, Some(&sandbox.access_key())).await.is_ok());
        sandbox.start_account_server().await.unwrap();
    }
}

#[tokio::test]
async fn refusals_have_their_status_and_headers() {
    let sandbox = sandbox().await;
    let address = guarded(&sandbox, Policy::application_manager()).await;
    let with = |secret: &str| format!("GET /applications/test-app/devices HTTP/1.1\nauthorization: {secret}");
    let expired = mint(&sandbox, "kind=expired");
    let nodevices = mint(&sandbox, "kind=nodevices");
    for (request, expected, challenge) in [
        (with("Basic x"), 401, Some("Bearer realm=\"The Things Network\"")),
        (with(&format!("Bearer {expired}")), 401, Some("Bearer error=\"invalid_token\", error_description=")),
        (with(&format!("Bearer {nodevices}")), 403, Some("Bearer error=\"insufficient_scope\"")),
        (with(&format!("Key {ISSUER}.wrong")), 401, Some("Bearer error=\"invalid_token\"")),
        // An id that is none is refused before anyone asks who sent it.
        ("GET /applications/A HTTP/1.1".to_owned(), 400, None),
        ("GET /other HTTP/1.1".to_owned(), 404, None),
    ] {
        let (status, head, body) = raw(&address, &request).await;
        assert_eq!(status, expected, "{request}: {body}");
        let found = head.lines().find_map(|line| line.strip_prefix("www-authenticate: "));
        assert_eq!(found.is_some(), challenge.is_some(), "{head}");
        assert!(found.unwrap_or_default().starts_with(challenge.unwrap_or_default()), "{head}");
        for secret in [&expired, &nodevices] {
            assert!(!head.contains(&**secret) && !body.contains(&**secret));
        }
    }
    sandbox.stop_account_server();
    let (status, head, body) = raw(&address, &with(&format!("Key {ISSUER}.k1-test-app"))).await;
    assert_eq!(status, 503);
    assert!(head.contains("\r\nretry-after: "), "{head}");
    assert!(!body.contains("127.0.0.1"), "{body}");
}

#[tokio::test]
async fn handlers_see_the_caller_and_no_credentials() {
    let sandbox = sandbox().await;
    let policy = Policy::application_manager().rule("/open", Access::Open).unwrap();
    let address = guarded(&sandbox, policy.rule("/me", Access::Authenticated).unwrap()).await;
    let token = mint(&sandbox, "kind=valid");
    let subject = Claims::read_unverified(&Secret::new(token.as_str())).unwrap().subject;
    let authorization = format!("authorization: Bearer {token}\ngrpc-metadata-key: k\nx-other: 1");
    for (path, expected) in [
        ("/applications/test-app/devices", format!("{subject} connection,x-other")),
        ("/me", format!("{subject} connection,x-other")),
        // An open route's credentials are not the guard's.
        ("/open", "nobody authorization,connection,grpc-metadata-key,x-other".to_owned()),
    ] {
        let (status, _, body) = raw(&address, &format!("GET {path} HTTP/1.1\n{authorization}")).await;
        assert_eq!((status, body), (200, expected), "{path}");
    }
    let gateways = format!("grpc-metadata-token: {token}");
    let (_, _, body) = raw(&address, &format!("GET /me HTTP/1.1\n{gateways}")).await;
    assert_eq!(body, format!("{subject} connection"));
    // A key is good for one application, and here is none.
    let key = format!("GET /me HTTP/1.1\nauthorization: Key {}", sandbox.access_key());
    assert_eq!(status(&address, &key).await, 400);
}

#[tokio::test]
async fn a_path_that_is_written_in_another_way_gets_nobody_in() {
    let sandbox = sandbox().await;
    let policy = Policy::new().rule("/applications/{app_id}", Right::Devices).unwrap();
    let address = guarded(&sandbox, policy.rule("/public/{name}", Access::Open).unwrap()).await;
    let authorization = format!("authorization: Bearer {}", mint(&sandbox, "kind=valid"));
    for path in [
        "//applications/test-app",
        "/applications//test-app",
        "/applications/test-app/",
        "/applications/./test-app",
        "/public/../applications/test-app",
        "/public/..%2fapplications%2ftest-app",
        "/public/%2e%2e/applications/test-app",
        "/public/%2e%2e",
        "/public/a%2fb",
        "/public/a%5cb",
        "/public/%252e",
        "/public/a;b",
        "/Public/a",
        "/PUBLIC/a",
        "/applications%2ftest-app",
        "/%61pplications/test-app",
        "/APPLICATIONS/test-app",
        "/applications/test-app/x",
        "*",
    ] {
        let request = format!("GET {path} HTTP/1.1\n{authorization}");
        assert!(matches!(status(&address, &request).await, 400 | 404), "{path}");
    }
    for (path, expected) in [
        ("/applications/test-app", 200),
        ("/applications/test-app?x=/../y", 200),
        ("http://elsewhere/applications/test-app", 200),
        ("/applications/test%2Dapp", 200),
        ("/applications/other-app", 403),
        ("/public/%C3%A9%20", 200),
    ] {
        assert_eq!(
            status(&address, &format!("GET {path} HTTP/1.1\n{authorization}")).await,
            expected,
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_route_can_have_a_guard_of_its_own() {
    let sandbox = sandbox().await;
    let guard = GuardLayer::new(authenticator(&sandbox), Policy::new());
    let fixed = guard.clone().with_app(AppId::new("test-app").unwrap());
    let query = guard.clone().with_app_from(|parts| {
        let query = parts.uri.query().unwrap_or_default();
        AppId::new(query).map_err(|_| Error::new(ErrorKind::InvalidArgument, "which application?"))
    });
    let inner =
        Router::new().route("/applications/{app_id}", any(seen)).layer(guard.require(Right::Settings));
    let router = Router::new()
        .route("/applications/{app_id}/devices", get(seen))
        .route("/devices/{app_id}", get(seen))
        .route_layer(guard.require(Right::Devices))
        .merge(Router::new().route("/fixed", get(seen)).route_layer(fixed.require(Right::Devices)))
        .merge(Router::new().route("/query", get(seen)).route_layer(query.require(Right::Devices)))
        .nest("/api", inner)
        .route("/open", get(seen));
    let address = serve(router).await;
    let devices = mint(&sandbox, "kind=nosettings");
    let settings = mint(&sandbox, "kind=nodevices");
    for (token, path, expected) in [
        (&devices, "/applications/test-app/devices", 200),
        (&settings, "/applications/test-app/devices", 403),
        (&devices, "/applications/other-app/devices", 403),
        // The guard finds no application where V2 has none.
        (&devices, "/devices/test-app", 404),
        (&devices, "/fixed", 200),
        (&settings, "/fixed", 403),
        (&devices, "/query?test-app", 200),
        (&devices, "/query?other-app", 403),
        (&devices, "/query", 400),
        (&settings, "/api/applications/test-app", 200),
        (&devices, "/api/applications/test-app", 403),
    ] {
        let request = format!("GET {path} HTTP/1.1\nauthorization: Bearer {token}");
        assert_eq!(status(&address, &request).await, expected, "{path}");
    }
    assert_eq!(status(&address, "GET /fixed HTTP/1.1").await, 401);
    assert_eq!(status(&address, "GET /open HTTP/1.1").await, 200);
    let key = format!("GET /fixed HTTP/1.1\nauthorization: Key {}", sandbox.access_key());
    assert_eq!(status(&address, &key).await, 200);
}

#[tokio::test]
async fn a_guard_within_a_guard_knows_the_caller_too() {
    let sandbox = sandbox().await;
    let (token, other) = (mint(&sandbox, "kind=valid"), mint(&sandbox, "kind=otherapp"));
    let policy = Policy::new().rule("/{*rest}", Access::Authenticated).unwrap();
    let guard = GuardLayer::new(authenticator(&sandbox), policy);
    let inner = Router::new()
        .route("/applications/{app_id}/devices", get(seen))
        .route_layer(guard.require(Right::Devices));
    let address = serve(inner.layer(guard)).await;
    for (token, expected) in [(&token, 200), (&other, 403), (&"x".to_owned(), 401)] {
        for header in ["authorization: Bearer", "grpc-metadata-token:"] {
            let request = format!("GET /applications/test-app/devices HTTP/1.1\n{header} {token}");
            let (status, _, body) = raw(&address, &request).await;
            assert_eq!(status, expected, "{body}");
            assert!(status != 200 || body.ends_with(" connection"), "no other header is left: {body}");
        }
    }
}
