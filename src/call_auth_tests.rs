use std::sync::Mutex;

use super::*;
use crate::{AccessToken, Client, RetryPolicy, TokenFn};
use futures_util::future::BoxFuture;

const ADDRESS: &str = "https://eu1.cloud.thethings.network";

fn refused(code: i32, message: &str) -> Failure {
    Failure::Grpc { code, message: message.to_owned(), headers: HeaderMap::new(), trailers: HeaderMap::new() }
}

fn expired() -> Failure {
    refused(16, "error:pkg/identityserver:token_expired (token expired)")
}

/// Gives these tokens, one after the other.
#[derive(Debug)]
struct Tokens(Mutex<Vec<&'static str>>);

impl crate::TokenSource for Tokens {
    fn token(&self) -> BoxFuture<'_, Result<AccessToken>> {
        let token = *self.0.lock().unwrap().last().unwrap();
        Box::pin(async move { AccessToken::new(token) })
    }

    fn invalidate(&self, _: &AccessToken) {
        self.0.lock().unwrap().pop();
    }
}

fn of_tokens(tokens: &[&'static str]) -> CallAuth {
    let tokens = Tokens(Mutex::new(tokens.iter().rev().copied().collect()));
    Client::builder(ADDRESS).token_source(Arc::new(tokens)).call_auth().unwrap()
}

async fn sent(call: &mut AuthCall) -> String {
    call.next().await.unwrap().credentials.unwrap().secret().expose().to_owned()
}

#[tokio::test]
async fn a_refused_token_is_replaced_once() {
    let auth = of_tokens(&["MFRWG.A.1", "MFRWG.A.2", "MFRWG.A.3"]);
    let mut call = auth.begin(&CallOptions::default());
    assert_eq!(sent(&mut call).await, "MFRWG.A.1");
    call.failed(expired()).await.unwrap();
    assert_eq!(sent(&mut call).await, "MFRWG.A.2");
    let error = call.failed(expired()).await.unwrap_err();
    assert_eq!((error.kind(), error.grpc_code()), (ErrorKind::TokenExpired, Some(16)));
    // The next call begins with what is current.
    let mut call = auth.begin(&CallOptions::default());
    assert_eq!(sent(&mut call).await, "MFRWG.A.2");
    call.succeeded();
}

#[tokio::test]
async fn what_cannot_be_replaced_is_an_error_at_once_and_says_nothing_secret() {
    let key = Credentials::api_key("NNSXS.ID.HUNTER2HUNTER2").unwrap();
    let auth = Client::builder("").credentials(key).call_auth().unwrap();
    let mut call = auth.begin(&CallOptions::default());
    assert_eq!(sent(&mut call).await, "NNSXS.ID.HUNTER2HUNTER2");
    let text = "error:pkg/identityserver:invalid_authorization (HUNTER2HUNTER2)";
    let error = call.failed(refused(16, text)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidKey);
    assert_eq!(error.message(), "error:pkg/identityserver:invalid_authorization (<redacted>)");
    assert!(!format!("{auth:?} {call:?} {error:?}").contains("HUNTER2"));
}

#[tokio::test(start_paused = true)]
async fn a_call_is_repeated_as_a_clients_is() {
    let auth = of_tokens(&["t"]);
    let unavailable = || refused(14, "connection reset");
    let mut once = auth.begin(&CallOptions::default());
    sent(&mut once).await;
    assert_eq!(once.failed(unavailable()).await.unwrap_err().kind(), ErrorKind::Unavailable);
    let mut often = auth.begin(&CallOptions::default().idempotent(true));
    for attempt in 1..=4 {
        sent(&mut often).await;
        assert_eq!(often.failed(unavailable()).await.is_ok(), attempt < 4, "{attempt}");
    }
    // What was not sent may be repeated in any case.
    let mut unsent = auth.begin(&CallOptions::default());
    sent(&mut unsent).await;
    let failure = Error::new(ErrorKind::Unavailable, "nothing listens").before_sending();
    unsent.failed(Failure::Lost(failure)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_rate_limit_is_waited_for_and_everyone_keeps_to_it() {
    let auth = of_tokens(&["t"]);
    let begun = Instant::now();
    let mut call = auth.begin(&CallOptions::default());
    sent(&mut call).await;
    let mut headers = HeaderMap::new();
    headers.insert("x-rate-limit-available", "0".parse().unwrap());
    headers.insert("x-rate-limit-retry", "4".parse().unwrap());
    let status = StatusCode::TOO_MANY_REQUESTS;
    let body = r#"{"code":8,"message":"error:pkg/ratelimit:rate_limit_exceeded (rate limit of 1 exceeded)"}"#;
    call.failed(Failure::Http { status, headers, body: body.into() }).await.unwrap();
    sent(&mut auth.begin(&CallOptions::default())).await;
    assert!((5..7).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_takes_too_long_ends() {
    let auth = of_tokens(&["t"]);
    let mut call = auth.begin(&CallOptions::timeout(Duration::from_secs(3)).idempotent(true));
    assert_eq!(call.next().await.unwrap().time_left, Duration::from_secs(3));
    tokio::time::advance(Duration::from_secs(3)).await;
    let error = call.timed_out().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.message().contains("eu1.cloud.thethings.network") && error.message().contains("3000 ms"));
}

#[tokio::test]
async fn a_source_that_fails_ends_the_call() {
    let source = TokenFn::new("none", || async { Err(Error::new(ErrorKind::InvalidToken, "sign in again")) });
    let builder = Client::builder(ADDRESS).token_source(Arc::new(source)).retry(RetryPolicy::never());
    let error = builder.call_auth().unwrap().begin(&CallOptions::default()).next().await.unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::InvalidToken, "sign in again"));
}

#[test]
fn credentials_go_to_their_origin_only_and_never_in_clear() {
    let auth = |address: &str| Client::builder(address).call_auth().unwrap();
    for (own, to, expected) in [
        (ADDRESS, "https://eu1.cloud.thethings.network/api/v3/auth_info?x#y", Ok(())),
        (ADDRESS, "https://eu1.cloud.thethings.network:443?x", Ok(())),
        (ADDRESS, "https://EU1.cloud.thethings.network", Ok(())),
        (ADDRESS, "https://eu1.cloud.thethings.network.evil.example/", Err(ErrorKind::InvalidArgument)),
        (ADDRESS, "https://eu1.cloud.thethings.network@evil.example/", Err(ErrorKind::InvalidArgument)),
        (ADDRESS, "https://eu1.cloud.thethings.network:8443/", Err(ErrorKind::InvalidArgument)),
        (ADDRESS, "http://eu1.cloud.thethings.network/", Err(ErrorKind::InsecureTransport)),
        (ADDRESS, "http://localhost/", Err(ErrorKind::InvalidArgument)),
        ("", "http://localhost:1885/x", Ok(())),
        ("", "grpc://[::1]:1884", Ok(())),
        ("", "https://anywhere.example/", Ok(())),
        ("", "http://anywhere.example/", Err(ErrorKind::InsecureTransport)),
        ("", "ftp://localhost/", Err(ErrorKind::InvalidArgument)),
        ("", "/x", Err(ErrorKind::InvalidArgument)),
        ("grpcs://nam1.example:8884", "https://nam1.example:8884/ttn.lorawan.v3.EntityAccess", Ok(())),
    ] {
        assert_eq!(auth(own).check(to).map_err(|error| error.kind()), expected, "{own} {to}");
    }
    let private = Client::builder("").allow_insecure(true).call_auth().unwrap();
    assert!(private.check("http://anywhere.example/").is_ok());
}
