//! OAuth tokens of The Things Stack, whose refresh ends both tokens that were good before: nobody may lose the account to
//! another process, to a caller that went away, or to a program that was killed.

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use support::sandbox;
use ttn_auth::{
    AccessToken, AccountServer, CallOptions, Client, ErrorKind, MemoryStore, RefreshToken, Secret,
    SharedToken, StoreKey, TokenCache, TokenSource, Vault,
};
use ttn_auth_sandbox::{STACK_CLIENT, Sandbox};

fn server(sandbox: &Sandbox) -> AccountServer {
    let (id, secret) = STACK_CLIENT;
    AccountServer::new(&sandbox.stack().http_address()).unwrap().with_client(id, Secret::new(secret))
}

fn refresh(sandbox: &Sandbox) -> RefreshToken {
    RefreshToken::new(server(sandbox), Secret::new(sandbox.stack().refresh_token()))
}

fn vault(store: &Arc<MemoryStore>) -> Vault {
    let key = StoreKey::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8").unwrap();
    Vault::new(store.clone(), key)
}

/// As a process of several has it: the token and the refresh token are shared through the store.
fn member(sandbox: &Sandbox, store: &Arc<MemoryStore>) -> Arc<dyn TokenSource> {
    let source = refresh(sandbox).with_store(vault(store));
    Arc::new(TokenCache::new(SharedToken::new(source, vault(store), "alice")))
}

/// Which entity the server sees, over both transports.
async fn seen(sandbox: &Sandbox, source: Arc<dyn TokenSource>) -> Vec<Result<String, ErrorKind>> {
    let stack = sandbox.stack();
    let mut seen = Vec::new();
    for address in [stack.grpc_address(), stack.http_address()] {
        let client = Client::builder(address).token_source(source.clone()).build().unwrap();
        let info = client.auth_info(&CallOptions::default()).await;
        seen.push(info.map(|info| info.unwrap().entity.unwrap().id).map_err(|error| error.kind()));
    }
    seen
}

fn alice() -> Vec<Result<String, ErrorKind>> {
    vec![Ok("alice".to_owned()); 2]
}

#[tokio::test]
async fn each_trade_ends_both_tokens_before_and_the_next_one_is_made_with_the_new() {
    let sandbox = sandbox().await;
    let kept = Arc::new(Mutex::new(Vec::new()));
    let list = kept.clone();
    let source = refresh(&sandbox).on_rotate(move |next| list.lock().unwrap().push(next.expose().to_owned()));
    let mut before: Option<AccessToken> = None;
    for trades in 1..=3 {
        let token = source.token().await.unwrap();
        assert!(token.secret().expose().starts_with("MFRWG."));
        let life = token.lifetime().unwrap();
        assert_eq!((life.expires_at() - life.obtained()).as_secs(), 3600);
        assert_eq!(kept.lock().unwrap().len(), trades);
        if let Some(before) = before.replace(token.clone()) {
            assert_eq!(seen(&sandbox, Arc::new(before)).await, vec![Err(ErrorKind::InvalidToken); 2]);
        }
        assert_eq!(seen(&sandbox, Arc::new(token)).await, alice());
    }
}

#[tokio::test]
async fn members_that_share_a_store_never_end_each_others_tokens() {
    let sandbox = sandbox().await;
    let store = Arc::new(MemoryStore::new());
    let members: Vec<_> = (0..8).map(|_| member(&sandbox, &store)).collect();
    let asked = members.iter().cloned().map(|member| tokio::spawn(async move { member.token().await }));
    for token in asked.collect::<Vec<_>>() {
        token.await.unwrap().unwrap();
    }
    assert_eq!(sandbox.stack().counts().tokens, 1);
    // One of them is refused, and trades: the others find its token instead of trading the refresh token that it used.
    sandbox.stack().set_clock(3601);
    for member in &members {
        assert_eq!(seen(&sandbox, member.clone()).await, alice());
    }
    assert_eq!(sandbox.stack().counts().tokens, 2);
    // And so does one that is started again with the first refresh token.
    assert_eq!(seen(&sandbox, member(&sandbox, &store)).await, alice());
    assert_eq!(sandbox.stack().counts().tokens, 2);
}

#[tokio::test]
async fn a_trade_goes_on_when_its_caller_has_gone_and_what_it_brings_is_kept_first() {
    let sandbox = sandbox().await;
    let store = Arc::new(MemoryStore::new());
    sandbox.stack().delay_tokens(Duration::from_millis(300));
    let impatient = refresh(&sandbox).with_store(vault(&store));
    let gone = tokio::time::timeout(Duration::from_millis(50), impatient.token()).await;
    assert!(gone.is_err());
    drop(impatient);
    sandbox.stack().delay_tokens(Duration::ZERO);
    // A program that begins with the first refresh token again, which the server has ended, waits for its turn.
    let token = refresh(&sandbox).with_store(vault(&store)).token().await.unwrap();
    assert_eq!(seen(&sandbox, Arc::new(token)).await, alice());
    assert_eq!(sandbox.stack().counts().granted, 2);
}

#[tokio::test]
async fn while_the_server_fails_nothing_is_lost() {
    let sandbox = sandbox().await;
    let source = refresh(&sandbox);
    for status in [500, 502, 503, 429] {
        sandbox.stack().fail_tokens(1, status);
        assert_eq!(source.token().await.unwrap_err().kind(), ErrorKind::ExchangeUnavailable, "{status}");
    }
    source.token().await.unwrap();
}

#[tokio::test]
async fn an_answer_that_was_lost_on_the_way_is_told_as_what_it_is() {
    let sandbox = sandbox().await;
    let source = refresh(&sandbox);
    sandbox.stack().lose_token_answers(1);
    assert_eq!(source.token().await.unwrap_err().kind(), ErrorKind::ExchangeUnavailable);
    for _ in 0..2 {
        let error = source.token().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidToken);
        assert!(error.message().contains("sign in again") && error.message().contains("was lost on the way"));
    }
}

#[tokio::test]
async fn who_is_refused_is_told_apart_and_no_error_holds_a_secret() {
    let sandbox = sandbox().await;
    let stack = sandbox.stack();
    let good = stack.refresh_token();
    let wrong =
        format!("{}{}", &good[..good.len() - 4], if good.ends_with("AAAA") { "BBBB" } else { "AAAA" });
    let (id, secret) = STACK_CLIENT;
    for (token, client, kind, told) in [
        (good.clone(), None, ErrorKind::InvalidArgument, "only with the id and secret"),
        (good.clone(), Some((id, "hunter2hunter2")), ErrorKind::InvalidArgument, "id or secret"),
        (good.clone(), Some(("nobody", secret)), ErrorKind::InvalidArgument, "id or secret"),
        (wrong, Some((id, secret)), ErrorKind::InvalidToken, "sign in again"),
        (
            stack.key("oauth_access").unwrap().replace("MFRWG", "OJSWM"),
            Some((id, secret)),
            ErrorKind::InvalidToken,
            "sign in",
        ),
        ("OJSWM.UNKNOWN.HUNTER2HUNTER2".into(), Some((id, secret)), ErrorKind::InvalidToken, "sign in again"),
    ] {
        let mut server = AccountServer::new(&stack.http_address()).unwrap();
        if let Some((id, secret)) = client {
            server = server.with_client(id, Secret::new(secret));
        }
        let error = RefreshToken::new(server, Secret::new(token.clone())).token().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error:?}");
        assert!(error.message().contains(told), "{error}");
        let shown = format!("{error:?} {error}");
        for hidden in ["hunter2hunter2", "HUNTER2HUNTER2", secret, token.rsplit('.').next().unwrap()] {
            assert!(!shown.contains(hidden), "{shown}");
        }
    }
    // None of it has ended the refresh token.
    assert!(RefreshToken::new(server(&sandbox), Secret::new(good)).token().await.is_ok());
}
