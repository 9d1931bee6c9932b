//! A refused token is replaced and the call made once more; never twice, and never for a right that is missing.

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use support::{addresses, app, builder, id, mint, sandbox};
use ttn_auth::{
    AccessKey, AccessToken, AccountServer, AppId, Client, CredentialsFile, Error, ErrorKind, KeyExchange,
    TokenCache, TokenSource,
};
use ttn_auth_sandbox::Sandbox;

/// Gives its tokens one after the other, the last one for ever.
#[derive(Debug)]
struct List {
    tokens: Mutex<Vec<AccessToken>>,
    asked: AtomicUsize,
}

impl TokenSource for List {
    fn token(&self) -> BoxFuture<'_, Result<AccessToken, Error>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut tokens = self.tokens.lock().unwrap();
        let next = if tokens.len() > 1 { tokens.remove(0) } else { tokens[0].clone() };
        Box::pin(async move { Ok(next) })
    }
}

/// A client with a cached source of tokens by a vector's words each.
fn client(sandbox: &Sandbox, address: &str, kinds: &[&str]) -> (Client, Arc<List>) {
    let tokens = kinds.iter().map(|kind| AccessToken::new(mint(sandbox, kind)).unwrap()).collect();
    let list = Arc::new(List { tokens: Mutex::new(tokens), asked: AtomicUsize::new(0) });
    let cache = TokenCache::new(list.clone());
    (builder(sandbox, address).token_source(Arc::new(cache)).build().unwrap(), list)
}

#[tokio::test]
async fn a_refused_token_is_replaced_and_nobody_notices() {
    let sandbox = sandbox().await;
    for address in addresses(&sandbox) {
        for bad in ["kind=expired", "kind=badsig", "kind=future", "kind=wrongissuer", "kind=wrongalg"] {
            let (client, list) = client(&sandbox, &address, &[bad, "kind=valid", "kind=expired"]);
            for _ in 0..3 {
                let answer = client.application_manager().get_device(&id("dev-1")).await;
                assert_eq!(answer.unwrap_or_else(|e| panic!("{address} {bad}: {e:?}")).dev_id, "dev-1");
            }
            assert_eq!(list.asked.load(Ordering::SeqCst), 2, "{address} {bad}");
        }
    }
}

#[tokio::test]
async fn calls_that_must_not_be_repeated_are_made_with_the_next_token_too() {
    let sandbox = sandbox().await;
    for (n, address) in addresses(&sandbox).iter().enumerate() {
        let words = format!("kind=valid app=new-{n}");
        let (client, _) = client(&sandbox, address, &["kind=expired", &words]);
        let app = ttn_auth::proto::handler::ApplicationIdentifier { app_id: format!("new-{n}") };
        client.application_manager().register_application(&app).await.unwrap();
    }
}

#[tokio::test]
async fn a_second_refusal_is_the_callers_and_is_not_asked_for_again_and_again() {
    let sandbox = sandbox().await;
    for address in addresses(&sandbox) {
        let (client, list) = client(&sandbox, &address, &["kind=expired", "kind=expired", "kind=expired"]);
        for _ in 0..20 {
            let error = client.application_manager().get_device(&id("dev-1")).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TokenExpired, "{address}: {error:?}");
        }
        assert_eq!(list.asked.load(Ordering::SeqCst), 2, "{address}");
    }
}

#[tokio::test]
async fn many_calls_that_are_refused_together_make_one_load() {
    let sandbox = sandbox().await;
    for address in addresses(&sandbox) {
        let (client, list) = client(&sandbox, &address, &["kind=expired", "kind=valid", "kind=valid"]);
        let calls: Vec<_> = (0..50)
            .map(|_| {
                let manager = client.application_manager();
                tokio::spawn(async move { manager.get_device(&id("dev-1")).await })
            })
            .collect();
        for call in calls {
            call.await.unwrap().unwrap_or_else(|e| panic!("{address}: {e:?}"));
        }
        assert_eq!(list.asked.load(Ordering::SeqCst), 2, "{address}");
    }
}

#[tokio::test]
async fn a_missing_right_is_not_the_tokens_fault() {
    let sandbox = sandbox().await;
    for address in addresses(&sandbox) {
        for words in ["kind=nodevices", "kind=otherapp", "kind=noscope"] {
            let (client, list) = client(&sandbox, &address, &[words, "kind=valid"]);
            let error = client.application_manager().get_device(&id("dev-1")).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{address} {words}: {error:?}");
            assert_eq!(list.asked.load(Ordering::SeqCst), 1, "{address} {words}");
        }
    }
}

#[tokio::test]
async fn a_token_that_was_given_as_it_is_is_sent_once() {
    let sandbox = sandbox().await;
    for address in addresses(&sandbox) {
        let expired = AccessToken::new(mint(&sandbox, "kind=expired")).unwrap();
        let client = builder(&sandbox, &address).token_source(Arc::new(expired)).build().unwrap();
        let error = client.application_manager().get_application(&app()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TokenExpired, "{address}: {error:?}");
    }
}

#[tokio::test]
async fn a_credential_in_a_file_is_replaced_when_it_is_refused() {
    let sandbox = sandbox().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    for address in addresses(&sandbox) {
        for kind in ["token", "key"] {
            let fresh = || match kind {
                "token" => mint(&sandbox, "kind=valid"),
                _ => sandbox.add_access_key("test-app", &["devices"]).unwrap(),
            };
            let old = fresh();
            std::fs::write(&path, &old).unwrap();
            let client = builder(&sandbox, &address).credentials_file(CredentialsFile::new(&path, None));
            let manager = client.build().unwrap().application_manager();
            manager.get_device(&id("dev-1")).await.unwrap();
            // Taken back, and replaced within the second in which the file is not looked at again.
            if kind == "key" {
                sandbox.remove_access_key(&old).unwrap();
            }
            sandbox.revoke_tokens().unwrap();
            std::fs::write(&path, format!("{}\n", fresh())).unwrap();
            manager.get_device(&id("dev-1")).await.unwrap_or_else(|e| panic!("{address} {kind}: {e:?}"));
        }
    }
}

#[tokio::test]
async fn tokens_that_are_taken_back_again_and_again_lose_no_call() {
    let sandbox = sandbox().await;
    for address in addresses(&sandbox) {
        // What shows that a token is good: an answer, or an error about something else.
        for (device, expected) in [("dev-1", None), ("no-such-device", Some(ErrorKind::NotFound))] {
            let server = AccountServer::new(&sandbox.account_server()).unwrap();
            let key = AccessKey::new(sandbox.access_key()).unwrap();
            let source = TokenCache::new(KeyExchange::new(server, AppId::new("test-app").unwrap(), key));
            let client = builder(&sandbox, &address).token_source(Arc::new(source)).build().unwrap();
            for round in 0..5 {
                let answer = client.application_manager().get_device(&id(device)).await;
                assert_eq!(answer.err().map(|e| e.kind()), expected, "{address} {device} {round}");
                sandbox.revoke_tokens().unwrap();
            }
        }
    }
}
