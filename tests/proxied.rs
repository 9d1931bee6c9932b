//! HTTP where the system has a proxy. Proxies are named by environment variables, so the calls are made in a process of
//! their own: this same test, started again.

use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use ttn_auth::{CallOptions, Client, Credentials, ErrorKind};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
const ELSEWHERE: &str = "HTTP/1.1 307 Temporary Redirect\r\nLocation: /moved\r\nContent-Length: 0\r\n\r\n";

async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

async fn call(address: &str) -> Result<(), ttn_auth::Error> {
    let key = Credentials::access_key("ttn-account-v2.hunter2-hunter2").unwrap();
    let client = Client::builder(address).credentials(key).allow_insecure(true).build().unwrap();
    client.request(Request::get("/x").body(Bytes::new()).unwrap(), &CallOptions::default()).await.map(|_| ())
}

#[tokio::test]
async fn a_proxy_of_the_system_is_used_but_not_for_this_machine() {
    const LOCAL: &str = "TTN_AUTH_TEST_LOCAL_PORT";
    if let Ok(port) = std::env::var(LOCAL) {
        call("http://handler.example").await.unwrap();
        let refused = call("https://handler.example").await.unwrap_err();
        assert!(refused.kind() == ErrorKind::Unavailable && refused.is_unsent(), "{refused:?}");
        return call(&format!("http://127.0.0.1:{port}")).await.unwrap();
    }
    tokio::time::timeout(Duration::from_secs(60), told_by_a_proxy(LOCAL)).await.unwrap();
}

/// Starts this test again with a proxy in its environment, and is that proxy.
async fn told_by_a_proxy(variable: &str) {
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let local = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let name = format!("http://{}", proxy.local_addr().unwrap());
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["a_proxy_of_the_system_is_used_but_not_for_this_machine", "--exact"])
        .envs([("http_proxy", &name), ("https_proxy", &name)])
        .env_remove("no_proxy")
        .env_remove("NO_PROXY")
        .env(variable, local.local_addr().unwrap().port().to_string())
        .spawn()
        .unwrap();
    let (mut stream, _) = proxy.accept().await.unwrap();
    for (path, answer) in [("x", ELSEWHERE), ("moved", OK)] {
        let head = head(&mut stream).await.to_ascii_lowercase();
        assert!(head.starts_with(&format!("get http://handler.example/{path} http/1.1\r\n")), "{head}");
        assert!(head.contains("authorization: key ttn-account-v2.hunter2-hunter2"), "{head}");
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
    let at_the_proxy = tokio::spawn(async move {
        loop {
            let (mut stream, _) = proxy.accept().await.unwrap();
            let head = head(&mut stream).await;
            assert!(head.starts_with("CONNECT handler.example:443 "), "{head}");
            assert!(!head.contains("hunter2"), "{head}");
            stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        }
    });
    let (mut stream, _) = local.accept().await.unwrap();
    assert!(head(&mut stream).await.starts_with("GET /x HTTP/1.1\r\n"));
    stream.write_all(OK.as_bytes()).await.unwrap();
    let ended = tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap();
    assert!(ended.success() && !at_the_proxy.is_finished());
}
