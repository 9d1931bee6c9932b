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
    let no_location =
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
        (answer("500 Internal Server Error", ""), ExchangeUnavailable, "Internal Server Error"),
        (answer("410 Gone", ""), Server, "Gone"),
        (no_location.to_owned(), Redirect, "Temporary Redirect"),
        (answer("200 OK", "{}"), Protocol, "the account server's answer cannot be understood"),
    ] {
        let (server, _sent) = serve(answer).await;
        let error = server.exchange(&app(), &Secret::new("i.secret-key")).await.unwrap_err();
        assert_eq!((error.kind(), error.message(), error.grpc_code()), (kind, message, Some(2)));
        assert!(!format!("{error:?}").contains("secret-key"), "{error:?}");
    }
}

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
        ("http://user:secret@127.0.0.1", ErrorKind::InvalidArgument),
        ("account.example", ErrorKind::InvalidArgument),
    ] {
        let error = AccountServer::new(address).unwrap_err();
        assert_eq!(error.kind(), kind, "{address}");
        assert!(!error.to_string().contains("secret"));
    }
}
