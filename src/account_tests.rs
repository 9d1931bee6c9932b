use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// A server that gives each connection one answer, and hands over what it was sent.
async fn serve(answer: impl Into<String>) -> (AccountServer, tokio::task::JoinHandle<String>) {
    let answer = answer.into();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        let mut buffer = [0; 4096];
        // Headers, then as many bytes as they say.
        loop {
            let n = stream.read(&mut buffer).await.unwrap();
            request.extend_from_slice(&buffer[..n]);
            let text = String::from_utf8_lossy(&request);
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head
                .to_lowercase()
                .split("content-length: ")
                .nth(1)
                .map_or(0, |rest| rest.lines().next().unwrap().parse().unwrap());
            if body.len() >= length {
                break;
            }
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8(request).unwrap()
    });
    (AccountServer::new(&address).unwrap(), task)
}

fn answer(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

fn app() -> AppId {
    AppId::new("test-app").unwrap()
}

#[tokio::test]
async fn a_key_is_exchanged_as_a_handler_does_it() {
    let (server, sent) = serve(answer("200 OK", r#"{"access_token":"t","expires_in":3600}"#)).await;
    let server = server.with_client("handler", Secret::new("client-secret"));
    assert!(!format!("{server:?}").contains("client-secret"));
    let exchanged = server.exchange(&app(), &Secret::new("i.key")).await.unwrap();
    assert_eq!((exchanged.token.expose(), exchanged.expires_in.as_secs()), ("t", 3600));
    let sent = sent.await.unwrap();
    assert!(sent.starts_with("POST /api/v2/applications/token HTTP/1.1\r\n"), "{sent}");
    assert!(sent.contains("authorization: Basic aGFuZGxlcjpjbGllbnQtc2VjcmV0\r\n"), "{sent}");
    let body: serde_json::Value = serde_json::from_str(sent.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!(body, serde_json::json!({"username": "test-app", "password": "i.key"}));
}

#[tokio::test]
async fn a_token_is_restricted() {
    let (server, sent) = serve(answer("200 OK", r#"{"access_token":"r"}"#)).await;
    let restricted = server.restrict(&Secret::new("wide-token"), &["apps:test-app"]).await.unwrap();
    assert_eq!(restricted.expose(), "r");
    let sent = sent.await.unwrap();
    assert!(
        sent.starts_with("POST /users/restrict-token HTTP/1.1\r\n") && sent.contains("Bearer wide-token")
    );
    assert!(sent.ends_with(r#"{"scope":["apps:test-app"]}"#), "{sent}");
}

#[tokio::test]
async fn refusals_keep_the_account_servers_text_and_lose_the_secret() {
    use ErrorKind::*;
    let redirect =
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    for (answer, kind, message) in [
        (
            answer("401 Unauthorized", r#"{"code":401,"error":"invalid access key"}"#),
            InvalidKey,
            "invalid access key",
        ),
        (answer("401 Unauthorized", r#"{"description":"no such key"}"#), InvalidKey, "no such key"),
        (
            answer("403 Forbidden", r#"{"error":"key i.secret-key is bad\n"}"#),
            InvalidKey,
            "key <redacted> is bad",
        ),
        (answer("401 Unauthorized", "<html>"), InvalidKey, "Unauthorized"),
        // A Handler passes it on as it is.
        (answer("401 Unauthorized", r#"{"error":"invalid_client"}"#), InvalidKey, "invalid_client"),
        (answer("500 Internal Server Error", ""), ExchangeUnavailable, "Internal Server Error"),
        (answer("410 Gone", ""), Server, "Gone"),
        (redirect.to_owned(), Redirect, "Temporary Redirect"),
        (answer("200 OK", "{}"), Protocol, "the account server's answer cannot be understood"),
    ] {
        let (server, _sent) = serve(answer).await;
        let error = server.exchange(&app(), &Secret::new("i.secret-key")).await.unwrap_err();
        assert_eq!((error.kind(), error.message(), error.grpc_code()), (kind, message, Some(2)));
        assert!(!format!("{error:?}").contains("secret-key"), "{error:?}");
    }
}

#[tokio::test]
async fn a_refresh_token_is_traded_as_a_form() {
    let body = r#"{"access_token":"t","expires_in":"3600","refresh_token":"r2"}"#;
    let (server, sent) = serve(answer("200 OK", body)).await;
    let server = server.with_client("my client", Secret::new("s:1"));
    let refreshed = server.refresh(&Secret::new("r+1/=")).await.unwrap();
    assert_eq!((refreshed.token.expose(), refreshed.expires_in.as_secs()), ("t", 3600));
    assert_eq!(refreshed.refresh_token.unwrap().expose(), "r2");
    let sent = sent.await.unwrap();
    assert!(sent.starts_with("POST /users/token HTTP/1.1\r\n"), "{sent}");
    assert!(sent.contains("content-type: application/x-www-form-urlencoded\r\n"), "{sent}");
    // my+client:s%3A1
    assert!(sent.contains("authorization: Basic bXkrY2xpZW50OnMlM0Ex\r\n"), "{sent}");
    assert!(sent.ends_with("\r\n\r\ngrant_type=refresh_token&refresh_token=r%2B1%2F%3D"), "{sent}");
    // The same one again.
    for body in [r#"{"access_token":"t"}"#, r#"{"access_token":"t","refresh_token":""}"#] {
        let (server, _sent) = serve(answer("200 OK", body)).await;
        assert!(server.refresh(&Secret::new("r1")).await.unwrap().refresh_token.is_none());
    }
}

#[tokio::test]
async fn a_refused_refresh_says_whose_fault_it_is() {
    use ErrorKind::*;
    for (status, body, kind, part) in [
        ("400 Bad Request", r#"{"error":"invalid_grant"}"#, InvalidToken, "sign in again"),
        (
            "401 Unauthorized",
            r#"{"error":"r.secret-token is used up"}"#,
            InvalidToken,
            "(<redacted> is used up)",
        ),
        ("401 Unauthorized", "", InvalidToken, "(Unauthorized)"),
        ("401 Unauthorized", r#"{"error":"invalid_client"}"#, InvalidArgument, "the client's id or secret"),
        ("400 Bad Request", r#"{"error":"unsupported_grant_type"}"#, Protocol, "unsupported_grant_type"),
        ("503 Service Unavailable", "", ExchangeUnavailable, "Service Unavailable"),
        ("404 Not Found", "", Protocol, "Not Found"),
    ] {
        let (server, _sent) = serve(answer(status, body)).await;
        let error = server.refresh(&Secret::new("r.secret-token")).await.unwrap_err();
        assert_eq!((error.kind(), error.grpc_code()), (kind, None), "{body}");
        assert!(error.message().contains(part), "{error}");
    }
}

#[tokio::test]
async fn a_component_shows_its_token_instead() {
    let (server, sent) = serve(answer("200 OK", r#"{"access_token":"t"}"#)).await;
    let server = server.with_client("c", Secret::new("s")).with_bearer_token(Secret::new("component-token"));
    assert!(!format!("{server:?}").contains("component-token"));
    let exchanged = server.exchange_own(&app(), &Secret::new("i.key")).await.unwrap();
    assert!(exchanged.expires_in.is_zero());
    let sent = sent.await.unwrap();
    assert!(sent.contains("authorization: Bearer component-token\r\n"), "{sent}");
    let body: serde_json::Value = serde_json::from_str(sent.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!(
        body,
        serde_json::json!({"grant_type": "password", "username": "test-app", "password": "i.key"})
    );
}

#[tokio::test]
async fn a_token_that_may_not_is_told_from_one_that_is_no_good() {
    for (status, kind) in
        [("401 Unauthorized", ErrorKind::InvalidToken), ("403 Forbidden", ErrorKind::PermissionDenied)]
    {
        let (server, _sent) = serve(answer(status, r#"{"error":"not this one"}"#)).await;
        let error = server.restrict(&Secret::new("wide"), &["apps:b"]).await.unwrap_err();
        assert_eq!((error.kind(), error.message()), (kind, "not this one"));
        let error = server.restrict(&Secret::new("wi\nde"), &[]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    }
}

#[tokio::test]
async fn the_time_limit_is_that_of_the_whole_call() {
    let headers_only = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{";
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = AccountServer::new(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let accepted = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_u8().await.unwrap();
        stream.write_all(headers_only.as_bytes()).await.unwrap();
        // Until the client gives up.
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    let server = server.with_timeout(Duration::from_millis(150));
    let error = server.exchange_own(&app(), &Secret::new("i.key")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ExchangeUnavailable);
    assert!(error.message().ends_with("no answer within 150ms"), "{error}");
    accepted.await.unwrap();
}

#[tokio::test]
async fn a_busy_account_server_says_when_to_come_back_but_not_tomorrow() {
    for (after, seconds) in [("7", Some(7)), ("86400", Some(300)), ("soon", None)] {
        let text =
            format!("HTTP/1.1 503 Service Unavailable\r\nretry-after: {after}\r\ncontent-length: 0\r\n\r\n");
        let (server, _sent) = serve(text).await;
        let error = server.exchange_own(&app(), &Secret::new("i.key")).await.unwrap_err();
        assert_eq!(error.retry_after().map(|wait| wait.as_secs()), seconds);
    }
}

#[tokio::test]
async fn a_client_that_is_repeated_is_not_repeated_further() {
    // What stands behind Basic, and the secret in it.
    let body = r#"{"error":"aGFuZGxlcjpjbGllbnQtc2VjcmV0 means client-secret"}"#;
    let (server, _sent) = serve(answer("401 Unauthorized", body)).await;
    let server = server.with_client("handler", Secret::new("client-secret"));
    let error = server.exchange(&app(), &Secret::new("i.key")).await.unwrap_err();
    assert_eq!(error.message(), "<redacted> means <redacted>");
}

#[tokio::test]
async fn a_long_text_is_cut_and_not_in_the_middle_of_a_secret() {
    let body = format!(r#"{{"error":"{}i.hunter2hunter2"}}"#, "x".repeat(185));
    let (server, _sent) = serve(answer("401 Unauthorized", &body)).await;
    let error = server.exchange(&app(), &Secret::new("i.hunter2hunter2")).await.unwrap_err();
    assert!(!error.message().contains("hunter2") && error.message().len() <= 200, "{error}");
}

#[test]
fn only_the_public_networks_issuer_has_a_known_address() {
    let server = AccountServer::of_issuer("ttn-account-v2").unwrap();
    assert!(format!("{server:?}").contains("https://account.thethingsnetwork.org"), "{server:?}");
    let error = AccountServer::of_issuer("hunter2").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.message().contains("give the address") && !error.message().contains("hunter2"), "{error}");
}

#[cfg(feature = "server")]
#[tokio::test]
async fn the_public_key_is_read() {
    let pem = rcgen::KeyPair::generate().unwrap().public_key_pem();
    let body = |algorithm: &str| serde_json::json!({"algorithm": algorithm, "key": pem}).to_string();
    let (server, _sent) = serve(answer("200 OK", &body("ES256"))).await;
    assert_eq!(server.key().await.unwrap().algorithm(), crate::Algorithm::Es256);
    for algorithm in ["RS256", "HS256"] {
        let (server, _sent) = serve(answer("200 OK", &body(algorithm))).await;
        assert_eq!(server.key().await.unwrap_err().kind(), ErrorKind::Protocol);
    }
}

#[tokio::test]
async fn keys_are_not_sent_in_clear_or_to_no_address() {
    for (address, kind) in [
        ("http://account.example", ErrorKind::InsecureTransport),
        ("ftp://127.0.0.1", ErrorKind::InvalidArgument),
        ("http://hunter2@127.0.0.1", ErrorKind::InvalidArgument),
        ("http://:hunter2@127.0.0.1", ErrorKind::InvalidArgument),
        ("http://a:hunter2%ff@127.0.0.1", ErrorKind::InvalidArgument),
        ("account.example", ErrorKind::InvalidArgument),
    ] {
        let error = AccountServer::new(address).unwrap_err();
        assert_eq!(error.kind(), kind, "{address}");
        assert!(!format!("{error:?}").contains("hunter2"));
    }
}

#[test]
fn an_address_as_v2_configures_it_has_the_client_in_it() {
    let server = AccountServer::new("https://ttn-handler:p%40ss%3Ahunter2@account.example/base/").unwrap();
    assert_eq!(server.address(), "https://account.example/base");
    assert!(!format!("{server:?}").contains("hunter2"));
    assert!(matches!(&*server.login, Login::Client { id, secret }
        if id == "ttn-handler" && secret.expose() == "p@ss:hunter2"));
}

#[tokio::test]
async fn a_client_that_is_refused_is_not_the_keys_fault() {
    let (server, _sent) = serve(answer("401 Unauthorized", r#"{"error":"invalid_client"}"#)).await;
    let app = AppId::new("test-app").unwrap();
    let error = server.exchange_own(&app, &Secret::new("i.secret-key")).await.unwrap_err();
    let expected = "the account server refuses the client's id or secret (invalid_client)";
    assert_eq!((error.kind(), error.message()), (ErrorKind::InvalidArgument, expected));
}
