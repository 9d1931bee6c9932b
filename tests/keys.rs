//! The keys of auth servers, from a real account server: read when they are needed, and not more often; and without one.

mod support;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use support::{mint, sandbox};
use ttn_auth::{
    AccountServer, AppId, Authenticator, Claims, Compat, Credentials, ErrorKind, KeySet, Presented,
    PublicKey, Result, Secret, Verifier,
};
use ttn_auth_sandbox::Sandbox;

const ISSUER: &str = "ttn-account-v2";

fn keys(sandbox: &Sandbox) -> KeySet {
    KeySet::new().with_account_server(ISSUER, AccountServer::new(&sandbox.account_server()).unwrap())
}

async fn verify(verifier: &Verifier, token: &str) -> Result<Arc<Claims>> {
    verifier.verify(&Secret::new(token)).await
}

fn reads(sandbox: &Sandbox) -> usize {
    sandbox.counts().keys
}

#[tokio::test]
async fn a_key_is_read_once_for_everyone_and_not_for_strangers() {
    let sandbox = sandbox().await;
    let (verifier, before) = (Verifier::new(keys(&sandbox)), reads(&sandbox));
    let tokens: Vec<_> = (0..100).map(|_| mint(&sandbox, "kind=valid")).collect();
    assert!(join_all(tokens.iter().map(|token| verify(&verifier, token))).await.iter().all(Result::is_ok));
    assert_eq!(reads(&sandbox), before + 1);
    let forged: Vec<_> = (0..100).map(|_| mint(&sandbox, "kind=badsig")).collect();
    for refused in join_all(forged.iter().map(|token| verify(&verifier, token))).await {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidToken);
    }
    for kind in ["kind=none", "kind=hs256", "kind=wrongissuer"] {
        assert!(verify(&verifier, &mint(&sandbox, kind)).await.is_err());
    }
    assert_eq!(reads(&sandbox), before + 1, "it was read a moment ago");
}

#[tokio::test]
async fn a_key_that_was_replaced_is_read_when_a_signature_fails_but_not_as_v2() {
    let sandbox = sandbox().await;
    let server = || AccountServer::new(&sandbox.account_server()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let old = mint(&sandbox, "kind=valid");
    let builder = || Authenticator::builder().auth_server(ISSUER, server());
    // A key from an earlier run is not one that was just read, so it may be read again at once.
    builder().key_directory(directory.path()).build().reload().await.unwrap();
    sandbox.rotate_signing_key().unwrap();
    let new = mint(&sandbox, "kind=valid");
    let present = |token: &str| Presented { token: Some(Secret::new(token)), key: None };

    let repaired = builder().key_directory(directory.path()).build();
    repaired.authenticate(&present(&old), None).await.unwrap();
    repaired.authenticate(&present(&new), None).await.unwrap();
    // Anew is not from where it is kept.
    sandbox.rotate_signing_key().unwrap();
    let reloaded = builder().key_directory(directory.path()).build();
    reloaded.reload().await.unwrap();
    let before = reads(&sandbox);
    reloaded.authenticate(&present(&mint(&sandbox, "kind=valid")), None).await.unwrap();
    assert_eq!(reads(&sandbox), before);
    let new = mint(&sandbox, "kind=valid");
    let refused = repaired.authenticate(&present(&old), None).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidToken, "what was remembered by the old key is not");

    let v2 = builder().compat(Compat::V2).build();
    v2.authenticate(&present(&new), None).await.unwrap();
    sandbox.rotate_signing_key().unwrap();
    let newest = mint(&sandbox, "kind=valid");
    let before = reads(&sandbox);
    assert!(v2.authenticate(&present(&newest), None).await.is_err());
    v2.authenticate(&present(&new), None).await.unwrap();
    assert_eq!(reads(&sandbox), before);
    v2.reload().await.unwrap();
    v2.authenticate(&present(&newest), None).await.unwrap();
}

#[tokio::test]
async fn a_server_starts_with_the_keys_it_kept_and_without_any_it_lets_nobody_in() {
    let sandbox = sandbox().await;
    let directory = tempfile::tempdir().unwrap();
    let token = mint(&sandbox, "kind=valid");
    let with = || Verifier::new(keys(&sandbox).with_directory(directory.path()));
    verify(&with(), &token).await.unwrap();
    sandbox.stop_account_server();
    let started = with();
    verify(&started, &token).await.unwrap();
    assert_eq!(
        verify(&started, &mint(&sandbox, "kind=expired")).await.unwrap_err().kind(),
        ErrorKind::TokenExpired
    );
    // Perhaps the issuer has another key by now: that cannot be told.
    let forged = verify(&started, &mint(&sandbox, "kind=badsig")).await.unwrap_err();
    assert_eq!(forged.kind(), ErrorKind::ExchangeUnavailable);
    verify(&started, &token).await.unwrap();
    // No issuer has such keys, so nothing has to be asked.
    for kind in ["kind=none", "kind=hs256"] {
        assert_eq!(
            verify(&started, &mint(&sandbox, kind)).await.unwrap_err().kind(),
            ErrorKind::InvalidToken
        );
    }

    let without = Verifier::new(keys(&sandbox));
    let down = verify(&without, &token).await.unwrap_err();
    assert_eq!((down.kind(), down.is_transient()), (ErrorKind::ExchangeUnavailable, true));
    assert!(down.retry_after().is_none_or(|wait| wait <= Duration::from_secs(1)));

    std::fs::write(directory.path().join("ttn%2Daccount%2Dv2.json"), "{").unwrap();
    assert_eq!(verify(&with(), &token).await.unwrap_err().kind(), ErrorKind::ExchangeUnavailable);
    sandbox.start_account_server().await.unwrap();
    verify(&with(), &token).await.unwrap();
    sandbox.stop_account_server();
    verify(&with(), &token).await.unwrap();
}

#[tokio::test]
async fn a_given_key_and_one_in_a_file_need_no_account_server() {
    let sandbox = sandbox().await;
    let server = AccountServer::new(&sandbox.account_server()).unwrap();
    let (key, token) = (server.key().await.unwrap(), mint(&sandbox, "kind=valid"));
    let directory = tempfile::tempdir().unwrap();
    keys(&sandbox).with_directory(directory.path()).get(ISSUER).await.unwrap();
    let file = directory.path().join("ttn%2Daccount%2Dv2.json");
    assert_eq!(PublicKey::read(&std::fs::read_to_string(&file).unwrap()).unwrap(), key);
    sandbox.stop_account_server();
    verify(&Verifier::new(KeySet::new().with_key(ISSUER, key)), &token).await.unwrap();
    verify(&Verifier::new(KeySet::new().with_key_file(ISSUER, file)), &token).await.unwrap();
    let missing = Verifier::new(KeySet::new().with_key_file(ISSUER, directory.path().join("no-such")));
    let error = verify(&missing, &token).await.unwrap_err();
    assert!(error.message().contains("no-such cannot be read"), "{error}");
}

#[tokio::test]
async fn a_key_that_is_read_again_is_no_excuse_and_an_old_one_is_read_in_the_background() {
    let sandbox = sandbox().await;
    let directory = tempfile::tempdir().unwrap();
    let kept = || keys(&sandbox).with_directory(directory.path());
    kept().get(ISSUER).await.unwrap();
    let old = mint(&sandbox, "kind=valid");
    sandbox.rotate_signing_key().unwrap();
    let forged = verify(&Verifier::new(kept()), &mint(&sandbox, "kind=badsig")).await.unwrap_err();
    assert_eq!(forged.kind(), ErrorKind::InvalidToken);

    let verifier = Verifier::new(keys(&sandbox).with_max_age(Duration::ZERO));
    let old = [old, mint(&sandbox, "kind=valid")];
    verify(&verifier, &old[1]).await.unwrap();
    sandbox.rotate_signing_key().unwrap();
    let found_out = async {
        while verify(&verifier, &old[1]).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), found_out).await.expect("the key is never read again");
    assert_eq!(verify(&verifier, &old[0]).await.unwrap_err().kind(), ErrorKind::InvalidToken);
}

#[tokio::test]
async fn what_is_set_arrives_and_what_v2_does_differently() {
    let sandbox = sandbox().await;
    let directory = tempfile::tempdir().unwrap();
    let builder = || {
        let server = AccountServer::new(&sandbox.account_server()).unwrap();
        Authenticator::builder().auth_server(ISSUER, server).key_directory(directory.path())
    };
    let two_hours = Duration::from_secs(7200);
    for (kind, default, v2, set) in [
        ("kind=valid", true, true, true),
        ("kind=noexp", false, true, true),
        ("kind=valid pad=60000", false, true, true),
        ("kind=expired", false, false, true),
        ("kind=future", false, false, true),
        ("kind=badsig", false, false, false),
    ] {
        let presented = Presented { token: Some(Secret::new(mint(&sandbox, kind))), key: None };
        let lenient = builder().allow_missing_expiry(true).max_token_size(1 << 17).leeway(two_hours);
        for (builder, accepted) in [(builder(), default), (builder().compat(Compat::V2), v2), (lenient, set)]
        {
            let outcome = builder.build().authenticate(&presented, None).await;
            assert_eq!(outcome.is_ok(), accepted, "{kind}: {outcome:?}");
        }
    }
    // A key from an earlier run could be read again at once; a Handler does not.
    sandbox.rotate_signing_key().unwrap();
    let presented = Presented { token: Some(Secret::new(mint(&sandbox, "kind=valid"))), key: None };
    assert!(builder().compat(Compat::V2).build().authenticate(&presented, None).await.is_err());
    builder().build().authenticate(&presented, None).await.unwrap();
}

#[tokio::test]
async fn an_exchanged_token_that_is_refused_is_exchanged_once_more_but_not_as_v2() {
    let sandbox = sandbox().await;
    let key = Credentials::access_key(sandbox.access_key()).unwrap();
    let presented = Presented { token: None, key: Some(key.secret().clone()) };
    let app = AppId::new("test-app").unwrap();
    for compat in [Compat::None, Compat::V2] {
        sandbox.set_token_age(Duration::ZERO);
        let server = AccountServer::new(&sandbox.account_server()).unwrap();
        let authenticator = Authenticator::builder().auth_server(ISSUER, server).compat(compat).build();
        // Expired when it arrives, although the answer says otherwise.
        sandbox.set_token_age(Duration::from_secs(7200));
        let before = sandbox.counts().exchanges;
        assert_eq!(
            authenticator.authenticate(&presented, &app).await.unwrap_err().kind(),
            ErrorKind::TokenExpired
        );
        sandbox.set_token_age(Duration::ZERO);
        // Not at once: an account server that hands such tokens out is not asked at every call.
        let again = authenticator.authenticate(&presented, &app).await;
        let asked = || sandbox.counts().exchanges - before;
        assert_eq!((again.unwrap_err().kind(), asked()), (ErrorKind::TokenExpired, 1));
        if compat != Compat::V2 {
            let good = async {
                while authenticator.authenticate(&presented, &app).await.is_err() {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(Duration::from_secs(10), good).await.expect("it stays refused");
            assert_eq!(asked(), 2);
        }
    }
}
