//! Callers with credentials of The Things Stack: who gets in, over HTTP and gRPC, and how often it is asked.

mod support;

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::routing::any;
use axum::{Extension, Router};
use bytes::Bytes;
use http::Request;
use tokio::net::TcpListener;
use ttn_auth::{
    Access, AccountServer, AppId, Authenticator, Carrier, Claims, Client, Credentials, ErrorKind, GuardLayer,
    Policy, Presented, Result, Right, Secret,
};
use ttn_auth_sandbox::{ISSUER, Sandbox};

use support::sandbox;

/// One that asks over gRPC, and one over HTTP.
fn authenticators(sandbox: &Sandbox) -> [Authenticator; 2] {
    let stack = sandbox.stack();
    [stack.grpc_address(), stack.http_address()].map(|address| {
        Authenticator::builder()
            .auth_server(ISSUER, AccountServer::new(&sandbox.account_server()).unwrap())
            .things_stack(Client::builder(address).build().unwrap())
            .build()
    })
}

fn app(id: &str) -> AppId {
    AppId::new(id).unwrap()
}

/// What a caller with this credential presents, either way.
fn presented(sandbox: &Sandbox, key: &str) -> [Presented; 2] {
    let key = Credentials::parse(&sandbox.stack().key(key).unwrap()).unwrap();
    [Carrier::AuthorizationHeader, Carrier::GrpcMetadata].map(|carrier| {
        let mut headers = HeaderMap::new();
        carrier.insert(&key, &mut headers).unwrap();
        carrier.extract(&headers)
    })
}

/// The claims of a caller, which are the same however they come and whichever way is asked.
async fn claims(sandbox: &Sandbox, key: &str, app: Option<&AppId>) -> Result<Arc<Claims>> {
    let mut all = Vec::new();
    for authenticator in authenticators(sandbox) {
        for presented in presented(sandbox, key) {
            all.push(authenticator.authenticate(&presented, app).await);
        }
    }
    let first = all.remove(0);
    for other in all {
        match (&first, other) {
            (Ok(first), Ok(other)) => assert_eq!(*first, other),
            (Err(first), Err(other)) => {
                assert_eq!((first.kind(), first.grpc_code()), (other.kind(), other.grpc_code()));
                assert_eq!(first.message(), other.message());
            }
            (first, other) => panic!("{key}: {first:?} and {other:?}"),
        }
    }
    first
}

#[tokio::test]
async fn a_key_has_its_rights_on_its_application_alone() {
    let sandbox = sandbox().await;
    let (app1, app2) = (app("app1"), app("app2"));
    for (key, allowed, refused) in [
        (
            "app1_all",
            &[Right::Devices, Right::Settings, Right::ReadUplink, Right::Delete, Right::StackReadDeviceKeys]
                [..],
            &[][..],
        ),
        (
            "app1_devices",
            &[Right::Devices, Right::StackReadDevices],
            &[Right::Settings, Right::StackReadDeviceKeys],
        ),
        // Half of what V2's right stands for is not enough.
        ("app1_read_only", &[Right::StackReadDevices, Right::StackInfo], &[Right::Devices, Right::Settings]),
        // It implies others.
        (
            "app1_link_only",
            &[Right::ReadUplink, Right::WriteDownlink, Right::StackInfo],
            &[Right::WriteUplink, Right::Devices],
        ),
        // A user's key, and a token of one, have the rights that the user has there.
        ("alice_user_all", &[Right::Devices, Right::Delete], &[]),
        ("oauth_access", &[Right::Devices], &[]),
        ("alice_user_apps_list", &[], &[Right::StackReadDevices, Right::Devices]),
        ("app2_all", &[], &[Right::StackInfo, Right::Devices]),
    ] {
        let claims = claims(&sandbox, key, Some(&app1)).await.unwrap();
        for right in allowed {
            claims.require(&app1, *right).unwrap();
        }
        for right in refused {
            let error = claims.require(&app1, *right).expect_err(&format!("{key} {right} {:?}", claims.apps));
            assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{key} {right}");
        }
        // Rights on one application are none on another.
        assert!(!claims.allows(&app2, Right::StackInfo), "{key}");
    }
    let elsewhere = claims(&sandbox, "app1_all", Some(&app2)).await.unwrap();
    assert!(Right::ALL.iter().all(|right| !elsewhere.allows(&app2, *right)), "{elsewhere:?}");
    let nowhere = claims(&sandbox, "alice_user_all", Some(&app("no-such-app"))).await.unwrap();
    assert!(nowhere.apps.is_empty(), "{nowhere:?}");
}

#[tokio::test]
async fn a_caller_is_known_by_what_the_server_says() {
    let sandbox = sandbox().await;
    for (key, subject, kind, username) in [
        ("app1_all", "app1", "api-key", ""),
        ("alice_user_all", "alice", "api-key", "alice"),
        ("oauth_access", "alice", "oauth-access-token", "alice"),
        ("session_token", "alice", "user-session", "alice"),
    ] {
        let claims = claims(&sandbox, key, None).await.unwrap();
        assert_eq!((claims.subject.as_str(), claims.token_type.as_str()), (subject, kind), "{key}");
        assert_eq!((claims.username.as_str(), claims.apps.len()), (username, 0), "{key}");
    }
    assert!(claims(&sandbox, "app1_expires_2030", None).await.unwrap().expires_at.is_some());
}

#[tokio::test]
async fn what_the_server_refuses_is_refused_with_its_reason() {
    let sandbox = sandbox().await;
    for (key, kind, text) in [
        ("app1_expired", ErrorKind::KeyExpired, "api_key_expired"),
        ("app1_wrong_secret", ErrorKind::InvalidKey, "invalid_authorization"),
        ("unknown_id", ErrorKind::InvalidKey, "api_key_not_found"),
        ("oauth_access_expired", ErrorKind::TokenExpired, "token_expired"),
    ] {
        let error = claims(&sandbox, key, Some(&app("app1"))).await.unwrap_err();
        assert_eq!((error.kind(), error.grpc_code()), (kind, Some(16)), "{key}");
        assert!(
            error.message().starts_with("error:pkg/identityserver:") && error.message().contains(text),
            "{error}"
        );
    }
    // What cannot be one is not asked about.
    let before = sandbox.stack().counts().calls;
    let [authenticator, _] = authenticators(&sandbox);
    let long = format!("NNSXS.A.{}", "B".repeat(2000));
    for text in ["NNSXS.A", "nnsxs.a.b", "OJSWM.A.B", "MF2XI.A.B", long.as_str()] {
        let presented = Presented { token: Some(Secret::new(text)), key: None };
        let error = authenticator.authenticate(&presented, None).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidToken, "{error}");
    }
    assert_eq!(sandbox.stack().counts().calls, before);
}

#[tokio::test]
async fn many_callers_with_one_credential_are_one_question() {
    let sandbox = sandbox().await;
    let app1 = app("app1");
    for authenticator in authenticators(&sandbox) {
        for (key, questions) in [("app1_all", 1), ("alice_user_all", 2), ("app1_wrong_secret", 1)] {
            let before = sandbox.stack().counts().calls;
            let [presented, _] = presented(&sandbox, key);
            let callers = (0..100).map(|_| authenticator.authenticate(&presented, &app1));
            let all = futures_util::future::join_all(callers).await;
            assert!(all.iter().all(|answer| answer.is_ok() == (key != "app1_wrong_secret")), "{key}");
            let again = authenticator.authenticate(&presented, &app1).await;
            assert_eq!(again.is_ok(), key != "app1_wrong_secret");
            assert_eq!(sandbox.stack().counts().calls, before + questions, "{key}");
            // Until it is told to forget.
            authenticator.forget_exchanged();
            let _ = authenticator.authenticate(&presented, &app1).await;
            assert_eq!(sandbox.stack().counts().calls, before + 2 * questions, "{key}");
        }
    }
}

#[tokio::test]
async fn nobody_remembers_more_than_it_may() {
    let sandbox = sandbox().await;
    for authenticator in authenticators(&sandbox) {
        for presented in presented(&sandbox, "app1_all") {
            for _ in 0..3 {
                let known = authenticator.know(&presented, None).await.unwrap();
                assert!(!known.is_again() && authenticator.good_for(&known).is_zero());
            }
        }
    }
}

#[tokio::test]
async fn without_an_answer_nobody_gets_in() {
    // Nothing listens there.
    for address in ["grpc://127.0.0.1:1", "http://127.0.0.1:1"] {
        let client = Client::builder(address).build().unwrap();
        let authenticator = Authenticator::builder().things_stack(client).build();
        let presented = Presented { token: Some(Secret::new("NNSXS.A.B")), key: None };
        let error = authenticator.authenticate(&presented, None).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ExchangeUnavailable, "{error:?}");
        let answers = ttn_auth::Answers::standard();
        assert_eq!((answers.http(&error).status, answers.grpc(&error).code), (503, 14));
        // Not remembered.
        assert_eq!(authenticator.authenticate(&presented, None).await.unwrap_err().kind(), error.kind());
    }
}

#[tokio::test]
async fn without_a_server_to_ask_such_a_key_is_no_credential() {
    let sandbox = sandbox().await;
    let authenticator = Authenticator::builder()
        .auth_server(ISSUER, AccountServer::new(&sandbox.account_server()).unwrap())
        .build();
    for presented in presented(&sandbox, "app1_all") {
        let error = authenticator.authenticate(&presented, &app("app1")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidToken);
    }
    // V2's callers are V2's, with one to ask as without.
    for authenticator in authenticators(&sandbox) {
        let token = Some(Secret::new(sandbox.bearer_token().unwrap()));
        let app = app(support::APP);
        let claims = authenticator.authenticate(&Presented { token, key: None }, &app).await.unwrap();
        claims.require(&app, Right::Devices).unwrap();
        assert!(!claims.allows(&app, Right::StackReadDevices));
        let key = Some(Secret::new(sandbox.access_key()));
        authenticator.authenticate(&Presented { token: None, key }, &app).await.unwrap();
    }
    assert_eq!(sandbox.stack().counts().calls, 0);
}

#[tokio::test]
async fn a_guard_lets_them_in_and_handlers_do_not_see_their_keys() {
    let sandbox = sandbox().await;
    for authenticator in authenticators(&sandbox) {
        let policy = Policy::new()
            .rule("GET /me", Access::Authenticated)
            .and_then(|policy| policy.rule("GET /applications/{app_id}/v2", Right::Devices))
            .and_then(|policy| policy.rule("GET /applications/{app_id}/v3", Right::StackReadDevices))
            .unwrap();
        let seen = async |Extension(caller): Extension<Arc<Claims>>, headers: HeaderMap| {
            assert!(!headers.contains_key("authorization"));
            format!("{{\"caller\":\"{}\"}}", caller.subject)
        };
        let router = Router::new().fallback(any(seen)).layer(GuardLayer::new(authenticator, policy));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        for (key, path, expected) in [
            ("app1_all", "/me", Ok("app1")),
            ("oauth_access", "/me", Ok("alice")),
            ("app1_all", "/applications/app1/v2", Ok("app1")),
            ("app1_read_only", "/applications/app1/v3", Ok("app1")),
            ("app1_read_only", "/applications/app1/v2", Err((403, ErrorKind::PermissionDenied))),
            ("app1_all", "/applications/app2/v3", Err((403, ErrorKind::PermissionDenied))),
            ("app1_wrong_secret", "/me", Err((401, ErrorKind::InvalidKey))),
            ("app1_expired", "/me", Err((401, ErrorKind::KeyExpired))),
        ] {
            let credentials = Credentials::parse(&sandbox.stack().key(key).unwrap()).unwrap();
            let client = Client::builder(&address).credentials(credentials).build().unwrap();
            let request = Request::get(path).body(Bytes::new()).unwrap();
            let answer = client.request(request, &Default::default()).await;
            match (answer, expected) {
                (Ok(answer), Ok(caller)) => {
                    assert_eq!(*answer.body(), format!("{{\"caller\":\"{caller}\"}}"));
                }
                (Err(error), Err((status, kind))) => {
                    assert_eq!(
                        (error.http_status(), error.kind()),
                        (Some(status), kind),
                        "{key} {path}: {error}"
                    );
                }
                (answer, _) => panic!("{key} {path}: {answer:?}"),
            }
        }
    }
}
