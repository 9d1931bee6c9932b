//! The same cause gives the same code over both transports, from the sandbox's real answers.

mod support;

use support::{addresses, builder, client, device, id, sandbox, start};
use ttn_auth::proto::handler::DeviceIdentifier;
use ttn_auth::{Credentials, Error, ErrorKind, RetryPolicy, Transport};
use ttn_auth_sandbox::SandboxOptions;

/// The error over each transport, which must be of this kind.
fn check(cause: &str, kind: ErrorKind, errors: &[(Transport, Error)]) {
    assert_eq!(errors.len(), 4, "{cause}");
    // By how much a token is expired may be a second more by the next call.
    let said = |error: &Error| error.message().split("token is expired by").next().map(str::to_owned);
    for (transport, error) in errors {
        assert_eq!(error.kind(), kind, "{cause} over {}: {error:?}", transport.name());
        assert_eq!(said(error), said(&errors[0].1), "{cause}");
        let from_server = (error.grpc_code().is_some(), error.http_status());
        match transport {
            Transport::Grpc => assert_eq!(from_server, (true, None), "{cause}: {error:?}"),
            _ => assert_eq!(from_server, (false, Some(500)), "{cause}: {error:?}"),
        }
    }
}

#[tokio::test]
async fn credentials_that_are_refused() {
    let sandbox = sandbox().await;
    let mint = |kind: &str| support::mint(&sandbox, &format!("kind={kind}"));
    for (cause, secret, kind) in [
        ("expired", mint("expired"), ErrorKind::TokenExpired),
        ("not yet valid", mint("future"), ErrorKind::TokenNotYetValid),
        ("bad signature", mint("badsig"), ErrorKind::InvalidToken),
        ("tampered with", mint("tampered"), ErrorKind::InvalidToken),
        ("alg none", mint("none"), ErrorKind::InvalidToken),
        ("HS256", mint("hs256"), ErrorKind::InvalidToken),
        ("RS256", mint("wrongalg"), ErrorKind::InvalidToken),
        ("unknown issuer", mint("wrongissuer"), ErrorKind::UnknownIssuer),
        ("right missing", mint("nodevices"), ErrorKind::PermissionDenied),
        ("other application", mint("otherapp"), ErrorKind::PermissionDenied),
        ("scope missing", mint("noscope"), ErrorKind::PermissionDenied),
        ("wrong key", "ttn-account-v2.wrong".to_owned(), ErrorKind::InvalidKey),
        ("key of another application", "ttn-account-v2.full-other-app".to_owned(), ErrorKind::InvalidKey),
        ("key of an unknown issuer", "nobody.full-test-app".to_owned(), ErrorKind::UnknownIssuer),
        ("key without the right", "ttn-account-v2.nodev-test-app".to_owned(), ErrorKind::PermissionDenied),
    ] {
        let mut errors = Vec::new();
        for address in addresses(&sandbox) {
            let client = client(&sandbox, &address, &secret);
            let error = client.application_manager().get_device(&id("dev-1")).await.unwrap_err();
            assert!(!format!("{error:?}").contains(&secret), "{cause}");
            errors.push((client.transport(), error));
        }
        check(cause, kind, &errors);
    }
}

#[tokio::test]
async fn no_credentials() {
    let sandbox = sandbox().await;
    let mut errors = Vec::new();
    for address in addresses(&sandbox) {
        let client = builder(&sandbox, &address).build().unwrap();
        errors.push((
            client.transport(),
            client.application_manager().get_device(&id("dev-1")).await.unwrap_err(),
        ));
    }
    check("none", ErrorKind::MissingCredentials, &errors);
}

#[tokio::test]
async fn what_is_not_there_or_there_already() {
    let sandbox = sandbox().await;
    let ghost = DeviceIdentifier { app_id: "ghost-app".into(), dev_id: "dev-1".into() };
    let ghost_token = support::mint(&sandbox, "kind=valid app=ghost-app");
    let (mut devices, mut applications, mut euis) = (Vec::new(), Vec::new(), Vec::new());
    for address in addresses(&sandbox) {
        let known = client(&sandbox, &address, &sandbox.access_key());
        let manager = known.application_manager();
        devices.push((known.transport(), manager.get_device(&id("no-such-device")).await.unwrap_err()));
        manager.set_device(&device("dev-x", 1)).await.unwrap();
        euis.push((known.transport(), manager.set_device(&device("dev-other", 1)).await.unwrap_err()));
        let unknown = client(&sandbox, &address, &ghost_token);
        applications
            .push((known.transport(), unknown.application_manager().get_device(&ghost).await.unwrap_err()));
    }
    check("device", ErrorKind::NotFound, &devices);
    check("application", ErrorKind::NotFound, &applications);
    check("EUIs", ErrorKind::AlreadyExists, &euis);
}

#[tokio::test]
async fn bad_ids_and_messages_never_leave_or_are_refused_alike() {
    let sandbox = sandbox().await;
    for (_, client) in support::clients(&sandbox) {
        let manager = client.application_manager();
        for bad in ["", "Dev A", "../dev-1", "dev-1/../../x", "a", &"x".repeat(37)] {
            let error = manager.get_device(&id(bad)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{bad}");
            assert!(error.message().starts_with("DevID not valid: "), "{error}");
            assert_eq!((error.grpc_code(), error.http_status()), (None, None), "no server was asked");
        }
        let mut bare = device("dev-x", 1);
        bare.lorawan_device = None;
        assert_eq!(manager.set_device(&bare).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
        let mut short = device("dev-x", 1);
        short.lorawan_device.as_mut().unwrap().app_key = vec![1; 15];
        assert_eq!(manager.set_device(&short).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
}

#[tokio::test]
async fn a_rate_limit() {
    let sandbox = start(SandboxOptions { rate_limit: Some(1), ..Default::default() }).await;
    for address in addresses(&sandbox) {
        let token = Credentials::parse(&sandbox.bearer_token().unwrap()).unwrap();
        let once = builder(&sandbox, &address).retry(RetryPolicy::never());
        let client = once.credentials(token).build().unwrap();
        let calls = (0..12).map(|_| {
            let manager = client.application_manager();
            tokio::spawn(async move { manager.get_device(&id("dev-1")).await })
        });
        let mut kinds = Vec::new();
        for call in calls.collect::<Vec<_>>() {
            kinds.extend(call.await.unwrap().err());
        }
        assert!(!kinds.is_empty(), "{address}: no call was refused");
        for error in kinds {
            assert_eq!(error.kind(), ErrorKind::RateLimited, "{address}: {error:?}");
            assert!(error.is_transient());
        }
    }
}

#[tokio::test]
async fn an_account_server_that_is_down() {
    let sandbox = sandbox().await;
    // The Handler has read the signing key when it started.
    let known = client(&sandbox, &sandbox.http_address(), &sandbox.bearer_token().unwrap());
    sandbox.stop_account_server();
    let mut errors = Vec::new();
    for address in addresses(&sandbox) {
        let client = client(&sandbox, &address, "ttn-account-v2.k7-test-app");
        errors.push((
            client.transport(),
            client.application_manager().get_device(&id("dev-1")).await.unwrap_err(),
        ));
    }
    check("account server", ErrorKind::ExchangeUnavailable, &errors);
    assert!(errors.iter().all(|(_, error)| error.is_transient()));
    known.application_manager().get_device(&id("dev-1")).await.unwrap();
}
