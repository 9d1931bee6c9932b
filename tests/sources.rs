//! Sources of tokens against a sandbox, and against account servers that answer as none should.

#[path = "support/accounts.rs"]
mod accounts;
mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use accounts::{account, shown, sign_in, test_app};
use futures_util::future::BoxFuture;
use support::{APP, client, id, sandbox, start};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use ttn_auth::{
    AccessKey, AccessToken, AccountServer, AppId, CredentialsFile, Error, ErrorKind, Kept, KeyExchange,
    MemoryStore, RefreshToken, RestrictedToken, Secret, StoreKey, StoreLock, TokenFn, TokenSource,
    TokenStore, Vault,
};
use ttn_auth_sandbox::{ExpiresIn, Mint, Sandbox, SandboxOptions};

const PLENTY: Duration = Duration::from_secs(20);

fn exchange(sandbox: &Sandbox) -> KeyExchange {
    KeyExchange::new(account(sandbox), test_app(), AccessKey::new(sandbox.access_key()).unwrap())
}

/// How many seconds a token is good for, from when it was asked for.
fn life(token: &AccessToken) -> Option<u64> {
    token.lifetime().map(|life| (life.expires_at() - life.obtained()).as_secs())
}

/// What a Handler says to a token that asks for the device of the fixtures.
async fn try_token(sandbox: &Sandbox, token: &AccessToken) -> Result<(), Error> {
    let client = client(sandbox, &sandbox.grpc_address(), token.secret().expose());
    client.application_manager().get_device(&id("dev-1")).await.map(|_| ())
}

#[tokio::test]
async fn a_key_is_exchanged_each_time_for_a_token_that_a_handler_takes() {
    let sandbox = sandbox().await;
    let source = exchange(&sandbox);
    let token = source.token().await.unwrap();
    try_token(&sandbox, &token).await.unwrap();
    assert_eq!(life(&token), Some(3600));
    source.token().await.unwrap();
    assert_eq!(sandbox.counts().exchanges, 2);
}

#[tokio::test]
async fn whatever_is_said_of_its_life_a_token_is_a_token() {
    let sandbox = sandbox().await;
    let source = exchange(&sandbox);
    for (said, seconds) in [
        (ExpiresIn::True, 3600),
        (ExpiresIn::Number(60.0), 60),
        (ExpiresIn::Text("60".into()), 60),
        // Nothing, and nonsense: then what the token says of itself counts.
        (ExpiresIn::Missing, 3600),
        (ExpiresIn::Number(0.0), 3600),
        (ExpiresIn::Number(-5.0), 3600),
        (ExpiresIn::Number(1e300), 3600),
        (ExpiresIn::Number(f64::NAN), 3600),
        (ExpiresIn::Text("NaN".into()), 3600),
        (ExpiresIn::Text("soon".into()), 3600),
        (ExpiresIn::Text(String::new()), 3600),
        // Wrong: the shorter one counts.
        (ExpiresIn::Number(86_400.0), 3600),
    ] {
        sandbox.set_expires_in(said.clone());
        let token = source.token().await.unwrap_or_else(|e| panic!("{said:?}: {e:?}"));
        assert_eq!(life(&token), Some(seconds), "{said:?}");
        try_token(&sandbox, &token).await.unwrap();
    }
}

#[tokio::test]
async fn a_client_is_asked_for_where_the_account_server_wants_one() {
    let options = SandboxOptions {
        rate_limit: None,
        client: Some(("my client".into(), Secret::new("hunter2&hunter2"))),
        ..Default::default()
    };
    let sandbox = start(options).await;
    let key = || AccessKey::new(sandbox.access_key()).unwrap();
    let as_whom = |server: AccountServer| KeyExchange::new(server, test_app(), key());
    let good = account(&sandbox).with_client("my client", Secret::new("hunter2&hunter2"));
    as_whom(good).token().await.unwrap();
    let component = Mint { component: Some("handler/dev".into()), ..Default::default() };
    let component = account(&sandbox).with_bearer_token(Secret::new(sandbox.mint(&component).unwrap()));
    as_whom(component).token().await.unwrap();
    for (wrong, kind) in [
        (account(&sandbox), ErrorKind::InvalidArgument),
        (
            account(&sandbox).with_client("my client", Secret::new("hunter3hunter3")),
            ErrorKind::InvalidArgument,
        ),
        (account(&sandbox).with_bearer_token(Secret::new("hunter3hunter3")), ErrorKind::InvalidKey),
    ] {
        let error = as_whom(wrong).token().await.unwrap_err();
        assert_eq!((error.kind(), error.grpc_code()), (kind, None), "{error:?}");
        assert!(!shown(&error).contains("hunter3"), "{error:?}");
    }
}

#[tokio::test]
async fn a_key_in_a_file_may_be_replaced_in_the_very_second_that_it_is_refused() {
    let sandbox = sandbox().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let rights = ["settings", "devices"];
    let old = sandbox.add_access_key(APP, &rights).unwrap();
    std::fs::write(&path, format!("{old}\n")).unwrap();
    let source = KeyExchange::new(account(&sandbox), test_app(), CredentialsFile::new(&path, None));
    try_token(&sandbox, &source.token().await.unwrap()).await.unwrap();

    let new = sandbox.add_access_key(APP, &rights).unwrap();
    sandbox.remove_access_key(&old).unwrap();
    std::fs::write(&path, format!("{new}\n")).unwrap();
    try_token(&sandbox, &source.token().await.unwrap()).await.unwrap();

    // No other key there: one refusal, and no second request for the same.
    sandbox.remove_access_key(&new).unwrap();
    let before = sandbox.counts().exchanges;
    let error = source.token().await.unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::InvalidKey, "invalid access key"));
    assert_eq!(sandbox.counts().exchanges, before + 1);

    let token = Mint { app_id: Some(APP.into()), ..Default::default() };
    std::fs::write(&path, sandbox.mint(&token).unwrap()).unwrap();
    let source = KeyExchange::new(account(&sandbox), test_app(), CredentialsFile::new(&path, None));
    let error = source.token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidCredentials);
    assert!(error.message().contains("bearer token"), "{error}");
}

#[tokio::test]
async fn an_account_server_that_is_away_is_unavailable_and_back_when_it_is_back() {
    let sandbox = sandbox().await;
    let source = exchange(&sandbox);
    source.token().await.unwrap();
    sandbox.stop_account_server();
    let error = source.token().await.unwrap_err();
    assert_eq!((error.kind(), error.grpc_code()), (ErrorKind::ExchangeUnavailable, None), "{error:?}");
    assert!(error.is_transient() && error.message().starts_with("Post \"http://127.0.0.1:"), "{error}");
    sandbox.start_account_server().await.unwrap();
    source.token().await.unwrap();
}

/// Reads a whole request: its head, and as many bytes as that says. None if the connection ended before.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut buffer).await {
            Ok(read @ 1..) => request.extend_from_slice(&buffer[..read]),
            _ => return None,
        }
        let text = String::from_utf8_lossy(&request);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length =
            head.to_lowercase().split("content-length: ").nth(1).map_or(0, |rest| {
                rest.lines().next().and_then(|length| length.parse().ok()).unwrap_or_default()
            });
        if body.len() >= length {
            return Some(text.into_owned());
        }
    }
}

/// An account server that answers each request with the next of these texts, and then ends. Gives what it was asked.
async fn answers(texts: Vec<String>, reset: bool) -> (AccountServer, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = AccountServer::new(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let task = tokio::spawn(async move {
        let mut asked = Vec::new();
        for text in texts {
            let (mut stream, _) = listener.accept().await.unwrap();
            asked.push(read_request(&mut stream).await.unwrap());
            stream.write_all(text.as_bytes()).await.unwrap();
            if reset {
                // RST instead of FIN.
                stream.set_zero_linger().unwrap();
            }
        }
        asked
    });
    (server, task)
}

fn answer(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn what_is_no_token_is_one_clear_error() {
    use ErrorKind::*;
    const KEY: &str = "ttn-account-v2.hunter2-hunter2";
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"access_token\":\"hunter4-hun";
    let redirect = "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:1/hunter4\r\n\
                    content-length: 0\r\n\r\n";
    for (text, reset, kind, part) in [
        (
            answer("401 Unauthorized", r#"{"error":"no key hunter2-hunter2"}"#),
            false,
            InvalidKey,
            "no key <redacted>",
        ),
        (redirect.to_owned(), false, Redirect, "Redirect"),
        (answer("500 Internal Server Error", "hunter4"), false, ExchangeUnavailable, "Internal Server Error"),
        (answer("503 Service Unavailable", ""), false, ExchangeUnavailable, "Service Unavailable"),
        (cut.to_owned(), false, ExchangeUnavailable, "Post \"http://127.0.0.1"),
        (cut.to_owned(), true, ExchangeUnavailable, "Post \"http://127.0.0.1"),
        (String::new(), false, ExchangeUnavailable, "Post \"http://127.0.0.1"),
        (String::new(), true, ExchangeUnavailable, "Post \"http://127.0.0.1"),
        (answer("200 OK", "<html>hunter4</html>"), false, Protocol, "cannot be understood"),
        (answer("200 OK", ""), false, Protocol, "cannot be understood"),
        (answer("200 OK", r#"{"token":"hunter4"}"#), false, Protocol, "cannot be understood"),
        (answer("200 OK", r#"{"access_token":4}"#), false, Protocol, "cannot be understood"),
        (
            answer("200 OK", r#"{"access_token":"hunter4","expires_in":NaN}"#),
            false,
            Protocol,
            "cannot be understood",
        ),
        (answer("200 OK", r#"{"access_token":""}"#), false, Protocol, "no token"),
        (answer("200 OK", r#"{"access_token":"hunter4\r\nX: y"}"#), false, Protocol, "no token"),
        (answer("200 OK", r#"{"access_token":"${hunter4}"}"#), false, Protocol, "no token"),
    ] {
        let (server, _asked) = answers(vec![text.clone()], reset).await;
        let source = KeyExchange::new(server, test_app(), AccessKey::new(KEY).unwrap());
        let error = source.token().await.unwrap_err();
        assert_eq!((error.kind(), error.grpc_code()), (kind, None), "{text:?}: {error:?}");
        assert!(error.message().contains(part), "{text:?}: {error}");
        assert!(!shown(&error).contains("hunter"), "{text:?}: {error:?}");
    }
}

#[tokio::test]
async fn a_key_does_not_follow_a_redirect() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = elsewhere.local_addr().unwrap();
    let redirect = format!("HTTP/1.1 307 R\r\nlocation: http://{to}/x\r\ncontent-length: 0\r\n\r\n");
    let (server, _asked) = answers(vec![redirect], false).await;
    let source = KeyExchange::new(server, test_app(), AccessKey::new("i.k").unwrap());
    let error = tokio::select! {
        outcome = source.token() => outcome.unwrap_err(),
        _ = elsewhere.accept() => panic!("the redirect was followed"),
    };
    assert_eq!(error.kind(), ErrorKind::Redirect);
}

#[tokio::test]
async fn the_documented_request_is_sent_and_an_opaque_token_is_good_until_it_is_refused() {
    let (server, asked) = answers(vec![answer("200 OK", r#"{"access_token":"opaque"}"#)], false).await;
    let source = KeyExchange::new(server, test_app(), AccessKey::new("i.k").unwrap());
    let token = source.token().await.unwrap();
    assert_eq!((token.secret().expose(), life(&token)), ("opaque", None));
    let asked = asked.await.unwrap().remove(0);
    assert!(asked.starts_with("POST /api/v2/applications/token HTTP/1.1\r\n"), "{asked}");
    assert!(!asked.to_lowercase().contains("authorization"), "{asked}");
    assert!(asked.contains(r#""grant_type":"password""#), "{asked}");
}

#[tokio::test]
async fn a_restricted_token_opens_what_it_is_for_and_nothing_else() {
    let sandbox = sandbox().await;
    let (wide, _) = sign_in(&sandbox).await;
    let restricted = |app: &str| {
        let apps = [AppId::new(app).unwrap()];
        RestrictedToken::new(account(&sandbox), Arc::new(wide.clone()), &apps).unwrap()
    };
    let token = restricted(APP).token().await.unwrap();
    // Nothing is said of its life but what it says of itself.
    assert_eq!(life(&token), Some(3600));
    try_token(&sandbox, &token).await.unwrap();
    let other = restricted("other-app").token().await.unwrap();
    assert_eq!(try_token(&sandbox, &other).await.unwrap_err().kind(), ErrorKind::PermissionDenied);
    // Not this token's to give: asking for another one would not help.
    let error = restricted("ghost-app").token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error:?}");
    assert_eq!(sandbox.counts().restricts, 3);
}

/// Gives its tokens one after the other, the next one when the last was refused.
#[derive(Debug)]
struct List {
    tokens: Vec<AccessToken>,
    refused: AtomicUsize,
}

impl TokenSource for List {
    fn token(&self) -> BoxFuture<'_, Result<AccessToken, Error>> {
        let at = self.refused.load(Ordering::SeqCst).min(self.tokens.len() - 1);
        Box::pin(async move { Ok(self.tokens[at].clone()) })
    }

    fn invalidate(&self, _refused: &AccessToken) {
        self.refused.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_wide_token_that_is_refused_is_replaced_once() {
    let sandbox = sandbox().await;
    let (old, _) = sign_in(&sandbox).await;
    sandbox.revoke(old.secret().expose()).unwrap();
    let (new, _) = sign_in(&sandbox).await;
    for (tokens, good) in [(vec![old.clone(), new], true), (vec![old.clone(), old.clone()], false)] {
        let list = Arc::new(List { tokens, refused: AtomicUsize::new(0) });
        let source = RestrictedToken::new(account(&sandbox), list.clone(), &[test_app()]).unwrap();
        match source.token().await {
            Ok(token) => {
                assert!(good);
                try_token(&sandbox, &token).await.unwrap();
            }
            Err(error) => {
                assert!(!good);
                assert_eq!(error.kind(), ErrorKind::InvalidToken, "{error:?}");
                assert!(!shown(&error).contains(old.secret().expose().rsplit('.').next().unwrap()));
            }
        }
        assert_eq!(list.refused.load(Ordering::SeqCst), 1);
    }
    // The parent's own failure is what is told.
    let down = TokenFn::new("down", || async { Err(Error::new(ErrorKind::Unavailable, "my vault is away")) });
    let source = RestrictedToken::new(account(&sandbox), Arc::new(down), &[test_app()]).unwrap();
    assert_eq!(source.token().await.unwrap_err().message(), "my vault is away");
}

/// What `on_rotate` is given.
#[derive(Clone, Default)]
struct Rotated(Arc<Mutex<Vec<String>>>);

impl Rotated {
    fn listen(&self, source: RefreshToken) -> RefreshToken {
        let list = self.0.clone();
        source.on_rotate(move |next| list.lock().unwrap().push(next.expose().to_owned()))
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn refresh_tokens_rotate_and_none_is_used_twice() {
    let sandbox = sandbox().await;
    let (_, first) = sign_in(&sandbox).await;
    let rotated = Rotated::default();
    let source = rotated.listen(RefreshToken::new(account(&sandbox), first.clone()));
    for n in 1..=3 {
        let token = source.token().await.unwrap();
        assert_eq!((life(&token), rotated.all().len()), (Some(3600), n));
        try_token(&sandbox, &token).await.unwrap();
    }
    // All at once, also through a clone: the sandbox refuses a refresh token that was used.
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let source = source.clone();
            tokio::spawn(async move { source.token().await })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!((rotated.all().len(), sandbox.counts().refreshes), (23, 23));
    // The first one is worth nothing by now.
    let error = RefreshToken::new(account(&sandbox), first.clone()).token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidToken, "{error:?}");
    assert!(error.message().contains("sign in again"), "{error}");
    for secret in rotated.all().iter().map(String::as_str).chain([first.expose()]) {
        assert!(!format!("{source:?} {}", shown(&error)).contains(secret));
    }
}

#[tokio::test]
async fn what_an_outage_leaves_unanswered_is_tried_with_the_same_refresh_token() {
    let body = |n: u32| format!(r#"{{"access_token":"t{n}","refresh_token":"refresh-{n}"}}"#);
    let texts = vec![
        answer("500 Internal Server Error", ""),
        answer("200 OK", &body(1)),
        // Without a token that can be sent: the refresh token that came with it counts all the same.
        answer("200 OK", r#"{"access_token":"","refresh_token":"refresh-2"}"#),
        // Without another refresh token: the same one again.
        answer("200 OK", r#"{"access_token":"t3"}"#),
        answer("200 OK", &body(4)),
    ];
    let (server, asked) = answers(texts, false).await;
    let source = RefreshToken::new(server, Secret::new("refresh-0"));
    let mut kinds = Vec::new();
    for _ in 0..5 {
        kinds.push(source.token().await.map_err(|e| e.kind()).map(|t| t.secret().expose().to_owned()));
    }
    assert_eq!(
        kinds,
        [
            Err(ErrorKind::ExchangeUnavailable),
            Ok("t1".into()),
            Err(ErrorKind::Protocol),
            Ok("t3".into()),
            Ok("t4".into())
        ]
    );
    let sent: Vec<_> = asked.await.unwrap().iter().map(|text| text.chars().last().unwrap()).collect();
    assert_eq!(sent, ['0', '0', '1', '2', '2']);
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_take_the_next_refresh_token_along() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = AccountServer::new(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let source = RefreshToken::new(server, Secret::new("refresh-0"));
    let caller = source.clone();
    let caller = tokio::spawn(async move { caller.token().await });
    let (mut stream, _) = listener.accept().await.unwrap();
    read_request(&mut stream).await.unwrap();
    // The account server has made the trade.
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    let next = tokio::spawn(async move { source.token().await });
    stream
        .write_all(answer("200 OK", r#"{"access_token":"t1","refresh_token":"refresh-1"}"#).as_bytes())
        .await
        .unwrap();
    drop(stream);
    let (mut stream, _) = tokio::time::timeout(PLENTY, listener.accept()).await.unwrap().unwrap();
    let asked = read_request(&mut stream).await.unwrap();
    assert!(asked.ends_with("refresh_token=refresh-1"), "{asked}");
    stream.write_all(answer("200 OK", r#"{"access_token":"t2"}"#).as_bytes()).await.unwrap();
    assert_eq!(next.await.unwrap().unwrap().secret().expose(), "t2");
}

#[tokio::test]
async fn a_listener_that_panics_costs_no_token() {
    let sandbox = sandbox().await;
    let (_, first) = sign_in(&sandbox).await;
    let source = RefreshToken::new(account(&sandbox), first).on_rotate(|_| panic!("on purpose"));
    source.token().await.unwrap();
    source.token().await.unwrap();
}

/// A store in memory that can fail.
#[derive(Debug, Default)]
struct Shaky {
    store: MemoryStore,
    reads_fail: AtomicUsize,
    writes_fail: AtomicUsize,
}

impl Shaky {
    fn check(flag: &AtomicUsize) -> Result<(), Error> {
        match flag.load(Ordering::SeqCst) {
            0 => Ok(()),
            _ => Err(Error::new(ErrorKind::Unavailable, "the disk is full")),
        }
    }
}

impl TokenStore for Shaky {
    fn read<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Kept>, Error>> {
        Box::pin(async move {
            Self::check(&self.reads_fail)?;
            self.store.read(id).await
        })
    }

    fn write<'a>(&'a self, id: &'a str, value: Vec<u8>, keep: Duration) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            Self::check(&self.writes_fail)?;
            self.store.write(id, value, keep).await
        })
    }

    fn remove<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), Error>> {
        self.store.remove(id)
    }

    fn lock<'a>(&'a self, id: &'a str, limit: Duration) -> BoxFuture<'a, Result<Option<StoreLock>, Error>> {
        self.store.lock(id, limit)
    }
}

fn vault(store: &Arc<Shaky>) -> Vault {
    // A new one each time, as in another process: a vault remembers for a second that its store failed.
    let key = StoreKey::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8").unwrap();
    Vault::new(store.clone(), key)
}

#[tokio::test]
async fn a_store_keeps_the_last_refresh_token_over_a_restart_and_among_processes() {
    let sandbox = sandbox().await;
    let (_, first) = sign_in(&sandbox).await;
    let store = Arc::new(Shaky::default());
    let process = || RefreshToken::new(account(&sandbox), first.clone()).with_store(vault(&store));
    process().token().await.unwrap();
    // Started again, with the first one, which is used up.
    process().token().await.unwrap();
    let calls: Vec<_> = (0..10)
        .map(|_| {
            let process = process();
            tokio::spawn(async move {
                process.token().await?;
                process.token().await
            })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(sandbox.counts().refreshes, 22);
    // Somebody signs in again: nothing of before is in the way.
    let (_, again) = sign_in(&sandbox).await;
    RefreshToken::new(account(&sandbox), again).with_store(vault(&store)).token().await.unwrap();
}

#[tokio::test]
async fn nothing_is_traded_while_the_store_cannot_be_read_and_nothing_lost_while_it_cannot_be_written() {
    let sandbox = sandbox().await;
    let (_, first) = sign_in(&sandbox).await;
    let store = Arc::new(Shaky::default());
    let source = |source: &RefreshToken| source.clone().with_store(vault(&store));
    let process = RefreshToken::new(account(&sandbox), first);
    source(&process).token().await.unwrap();

    store.reads_fail.store(1, Ordering::SeqCst);
    let error = source(&process).token().await.unwrap_err();
    assert_eq!((error.kind(), sandbox.counts().refreshes), (ErrorKind::Unavailable, 1), "{error:?}");
    store.reads_fail.store(0, Ordering::SeqCst);

    store.writes_fail.store(1, Ordering::SeqCst);
    source(&process).token().await.unwrap();
    // The store has an older one now, which would be refused.
    source(&process).token().await.unwrap();
    store.writes_fail.store(0, Ordering::SeqCst);
    source(&process).token().await.unwrap();
    source(&process).token().await.unwrap();
    assert_eq!(sandbox.counts().refreshes, 5);
}

#[tokio::test]
async fn what_could_not_be_written_is_written_before_the_next_trade_although_nothing_rotates_then() {
    let rotates = answer("200 OK", r#"{"access_token":"a","refresh_token":"second"}"#);
    let stays = || answer("200 OK", r#"{"access_token":"a"}"#);
    let (server, asked) = answers(vec![rotates, stays(), stays(), stays()], false).await;
    let store = Arc::new(Shaky::default());
    let process = RefreshToken::new(server.clone(), Secret::new("first"));
    let get = async |process: &RefreshToken| {
        process.clone().with_store(vault(&store)).token().await.unwrap();
    };
    store.writes_fail.store(1, Ordering::SeqCst);
    get(&process).await;
    get(&process).await;
    store.writes_fail.store(0, Ordering::SeqCst);
    get(&process).await;
    // Another process, which begins with the first.
    get(&RefreshToken::new(server, Secret::new("first"))).await;
    let used = asked.await.unwrap().into_iter().map(|request| {
        let (_, token) = request.split_once("refresh_token=").unwrap();
        token.split('&').next().unwrap().to_owned()
    });
    assert_eq!(used.collect::<Vec<_>>(), ["first", "second", "second", "second"]);
}
