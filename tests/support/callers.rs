//! Who calls a guarded server, and what comes of it: the same over gRPC and HTTP, in whatever way the server answers.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]

use ttn_auth::ErrorKind::{self, *};
use ttn_auth::{
    AccountServer, Answers, Authenticator, Client, Credentials, Error, RetryPolicy,
    proto::handler::DeviceIdentifier,
};
use ttn_auth_sandbox::{ISSUER, Sandbox};

/// Every way to answer.
pub const ANSWERS: [Answers; 3] =
    [Answers::standard(), Answers::standard().with_unauthenticated(), Answers::v2()];

pub fn authenticator(sandbox: &Sandbox) -> Authenticator {
    let account_server = AccountServer::new(&sandbox.account_server()).unwrap();
    Authenticator::builder().auth_server(ISSUER, account_server).build()
}

/// Callers by their secret, and why they are kept out of `test-app`'s devices, if they are.
pub fn callers(sandbox: &Sandbox) -> Vec<(Option<String>, Option<ErrorKind>)> {
    let mint = |kind: &str| Some(super::mint(sandbox, kind));
    let key = |secret: &str| Some(format!("{ISSUER}.{secret}"));
    vec![
        (mint("kind=valid"), None),
        (key("full-test-app"), None),
        (key("nodev-test-app"), Some(PermissionDenied)),
        (mint("kind=nodevices"), Some(PermissionDenied)),
        (mint("kind=noscope"), Some(PermissionDenied)),
        (mint("kind=otherapp"), Some(PermissionDenied)),
        (key("full-other-app"), Some(InvalidKey)),
        (key("nothing"), Some(InvalidKey)),
        (Some("nobody.full-test-app".to_owned()), Some(UnknownIssuer)),
        (None, Some(MissingCredentials)),
        (mint("kind=expired"), Some(TokenExpired)),
        (mint("kind=future"), Some(TokenNotYetValid)),
        (mint("kind=wrongissuer"), Some(UnknownIssuer)),
        (mint("kind=badsig"), Some(InvalidToken)),
        (mint("kind=tampered"), Some(InvalidToken)),
        (mint("kind=wrongalg"), Some(InvalidToken)),
        (mint("kind=none"), Some(InvalidToken)),
        (mint("kind=hs256"), Some(InvalidToken)),
        (mint("kind=noexp"), Some(InvalidToken)),
    ]
}

pub fn client(address: &str, secret: Option<&str>) -> Client {
    // What is told is told at once.
    let builder = Client::builder(address).retry(RetryPolicy::never());
    match secret {
        Some(secret) => builder.credentials(Credentials::parse(secret).unwrap()),
        None => builder,
    }
    .build()
    .unwrap()
}

/// Reads a device, and is told who did.
pub async fn get_device(address: &str, secret: Option<&str>) -> Result<String, Error> {
    let id = DeviceIdentifier { app_id: "test-app".into(), dev_id: "dev-1".into() };
    let device = client(address, secret).application_manager().get_device(&id).await?;
    assert_eq!((device.app_id, device.dev_id), (id.app_id, id.dev_id));
    Ok(device.description)
}

/// All of them call, and each learns what they must.
pub async fn everyone_calls(sandbox: &Sandbox, address: &str, how: &str) {
    for (secret, expected) in callers(sandbox) {
        let result = get_device(address, secret.as_deref()).await;
        match (&result, expected) {
            (Ok(description), None) => assert!(description.starts_with("read by "), "{description}"),
            (Err(error), Some(kind)) => assert_eq!(error.kind(), kind, "{how}: {secret:?}: {error:?}"),
            _ => panic!("{how}: {secret:?}: {result:?}, expected {expected:?}"),
        }
    }
}
