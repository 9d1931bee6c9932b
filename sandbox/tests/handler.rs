//! What the recorded vectors do not cover of the Handler: the rate limit, masking, undecodable messages, headers that are
//! too large, TLS, restarts.

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use ttn_auth::proto::handler::{Application, ApplicationIdentifier, DeviceIdentifier};
use ttn_auth::{CallOptions, Client, Credentials, Error, ErrorKind, Page, Result, RetryPolicy};
use ttn_auth_sandbox::{Mint, Sandbox, SandboxOptions};

fn free() -> SandboxOptions {
    SandboxOptions { rate_limit: None, ..Default::default() }
}

fn client(sandbox: &Sandbox, address: String, credentials: Credentials) -> Client {
    Client::builder(address).credentials(credentials).ca(sandbox.ca()).build().unwrap()
}

fn key(key: &str) -> Credentials {
    Credentials::access_key(key).unwrap()
}

fn token(sandbox: &Sandbox) -> Credentials {
    Credentials::bearer_token(sandbox.bearer_token().unwrap()).unwrap()
}

fn app() -> ApplicationIdentifier {
    ApplicationIdentifier { app_id: "test-app".into() }
}

fn device() -> DeviceIdentifier {
    DeviceIdentifier { app_id: "test-app".into(), dev_id: "dev-1".into() }
}

#[tokio::test]
async fn a_device_is_read_with_both_credentials_at_every_address() {
    let sandbox = Sandbox::start(free()).await.unwrap();
    let large = Mint { pad: 500_000, ..Default::default() };
    let large = Credentials::bearer_token(sandbox.mint(&large).unwrap()).unwrap();
    for address in
        [sandbox.grpc_address(), sandbox.grpcs_address(), sandbox.http_address(), sandbox.https_address()]
    {
        for credentials in [token(&sandbox), key(&sandbox.access_key()), large.clone()] {
            let client = client(&sandbox, address.clone(), credentials);
            let found = client.application_manager().get_device(&device()).await.unwrap();
            assert_eq!(found.lorawan_device.unwrap().dev_eui, [0, 0, 0, 0, 0, 0, 0, 1], "{address}");
        }
    }
    // One key, one exchange, whatever the transport.
    assert_eq!(sandbox.exchanges(), 1);
}

#[tokio::test]
async fn calls_beyond_five_a_second_are_refused_over_both_transports() {
    for over_http in [false, true] {
        let sandbox = Sandbox::start(SandboxOptions::default()).await.unwrap();
        let (address, prefix) = if over_http {
            (sandbox.http_address(), "Internal error: [ResourceExhausted] Rate limit for ")
        } else {
            (sandbox.grpc_address(), "Rate limit for ")
        };
        // One that waits for its turn would not be refused.
        let client = Client::builder(address).credentials(token(&sandbox)).retry(RetryPolicy::never());
        let manager = client.build().unwrap().application_manager();
        let mut calls = JoinSet::new();
        // Five at once, and at most five more that wait for the next filling.
        for _ in 0..20 {
            let manager = manager.clone();
            calls.spawn(async move { manager.get_device(&device()).await });
        }
        let results: Vec<Result<_>> = calls.join_all().await;
        let refused: Vec<&Error> = results.iter().filter_map(|result| result.as_ref().err()).collect();
        assert!(refused.len() >= 10 && refused.len() < 20, "{}", refused.len());
        assert_eq!(sandbox.counts().rate_limited, refused.len());
        for error in refused {
            assert_eq!(error.kind(), ErrorKind::RateLimited, "{error}");
            assert!(error.message().starts_with(prefix), "{error}");
        }
    }
}

#[tokio::test]
async fn a_join_key_is_shown_in_full_only_with_the_devices_right() {
    let sandbox = Sandbox::start(free()).await.unwrap();
    for address in [sandbox.grpc_address(), sandbox.http_address()] {
        let full = client(&sandbox, address.clone(), key(&sandbox.access_key())).application_manager();
        let nodev = client(&sandbox, address, key("ttn-account-v2.nodev-test-app")).application_manager();
        let set = |secret: &str| Application {
            app_id: "test-app".into(),
            register_on_join_access_key: secret.into(),
            ..Default::default()
        };
        full.set_application(&set("ttn-account-v2.join-secret")).await.unwrap();
        // Without the right it cannot be replaced either.
        nodev.set_application(&set("ttn-account-v2.other")).await.unwrap();
        let shown = full.get_application(&app()).await.unwrap().register_on_join_access_key;
        assert_eq!(shown, "ttn-account-v2.join-secret");
        assert_eq!(nodev.get_application(&app()).await.unwrap().register_on_join_access_key, "<...>");
        full.set_application(&set("")).await.unwrap();
        assert_eq!(nodev.get_application(&app()).await.unwrap().register_on_join_access_key, "");
    }
}

#[tokio::test]
async fn what_cannot_be_decoded_is_refused_before_the_caller_is_looked_at() {
    let sandbox = Sandbox::start(free()).await.unwrap();
    let client = Client::builder(sandbox.grpc_address()).build().unwrap();
    let options = CallOptions::default();
    for (method, message, why) in [
        // lorawan_device { app_key: "" }
        ("SetDevice", &[0x1a, 2, 0x42, 0][..], "ttn/core: Invalid length for AES128Key"),
        // lorawan_device { app_eui: one byte }
        ("SetDevice", &[0x1a, 3, 0x0a, 1, 7], "ttn/core: Invalid length for EUI64"),
        ("GetDevice", &[0x0a, 9, b'x'], "unexpected EOF"),
        ("GetApplication", &[0x0b], "proto: "),
    ] {
        let method = format!("/handler.ApplicationManager/{method}");
        let result = client.unary(&method, Bytes::copy_from_slice(message), Default::default(), &options);
        let error = result.await.unwrap_err();
        assert_eq!(error.grpc_code(), Some(13), "{error}");
        let expected = format!("grpc: error unmarshalling request: {why}");
        assert!(error.message().starts_with(&expected), "{error}");
    }
    let unknown = "/handler.ApplicationManager/Nope";
    let error = client.unary(unknown, Bytes::new(), Default::default(), &options).await.unwrap_err();
    assert_eq!((error.kind(), error.grpc_code()), (ErrorKind::Unimplemented, Some(12)));
}

/// One HTTP/1.1 request as it is, and the whole answer.
async fn raw(sandbox: &Sandbox, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", sandbox.ports().http)).await.unwrap();
    let (mut read, mut write) = stream.split();
    let mut answer = Vec::new();
    // The answer can come before everything is sent.
    let (_, read) = tokio::join!(write.write_all(request), read.read_to_end(&mut answer));
    read.unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn go_refuses_large_and_malformed_headers_in_its_own_words() {
    let sandbox = Sandbox::start(free()).await.unwrap();
    let get = |headers: &str| {
        format!(
            "GET /applications/test-app/devices HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n\r\n"
        )
    };
    for size in [1_060_000, 3 << 20] {
        let large = get(&format!("Authorization: Bearer {}", "x".repeat(size)));
        let answer = raw(&sandbox, large.as_bytes()).await.to_lowercase();
        assert!(answer.starts_with("http/1.1 431 request header fields too large\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\n431 request header fields too large"), "{answer}");
        assert!(answer.contains("content-type: text/plain; charset=utf-8\r\n"), "{answer}");
    }

    let answer = raw(&sandbox, get("Authorization: Bearer a\u{1}b").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain"), "{answer}");

    let answer =
        raw(&sandbox, b"GET /applications/%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain"), "{answer}");
    // Just below the limit it is a token, if a bad one.
    let answer =
        raw(&sandbox, get(&format!("Authorization: Bearer {}", "x".repeat(1_000_000))).as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 500 Internal Server Error\r\n"), "{}", &answer[..100]);
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_refused_as_one_that_cannot_be_parsed() {
    let sandbox = Sandbox::start(free()).await.unwrap();
    let request = b"POST /applications HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
        Transfer-Encoding: chunked\r\n\r\nzz\r\n";
    let answer = raw(&sandbox, request).await;
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n") && answer.contains(r#""code":3"#), "{answer}");
}

#[tokio::test]
async fn a_deadline_is_kept_over_http() {
    let sandbox = Sandbox::start(free()).await.unwrap();
    for (timeout, status) in [("-1S", "500"), ("1n", "500"), ("1.5S", "400"), ("10S", "500")] {
        let request = format!(
            "GET /applications/test-app/devices HTTP/1.1\r\nHost: x\r\nConnection: close\r\nGrpc-Timeout: {timeout}\r\n\r\n"
        );
        let answer = raw(&sandbox, request.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert_eq!(answer.contains("[DeadlineExceeded]"), ["-1S", "1n"].contains(&timeout), "{answer}");
    }
}

#[tokio::test]
async fn a_stopped_sandbox_is_gone_and_can_come_back_at_the_same_place() {
    let sandbox = Sandbox::start(free()).await.unwrap();
    let (ports, identity, ca) = (sandbox.ports(), sandbox.identity().clone(), sandbox.ca().to_owned());
    // A connection that is open when it stops.
    let mut idle = TcpStream::connect(("127.0.0.1", ports.http)).await.unwrap();
    let manager = client(&sandbox, sandbox.grpcs_address(), key(&sandbox.access_key())).application_manager();
    manager.get_device(&device()).await.unwrap();

    sandbox.stop().await;
    sandbox.stop().await;
    assert_eq!(idle.read(&mut [0; 1]).await.unwrap_or(0), 0);
    assert_eq!(manager.get_device(&device()).await.unwrap_err().kind(), ErrorKind::Unavailable);
    for port in [ports.grpc, ports.grpcs, ports.http, ports.https, ports.account, ports.discovery] {
        assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
    }

    let again = Sandbox::start(SandboxOptions { ports, identity: Some(identity), ..free() }).await.unwrap();
    assert_eq!((again.ports(), again.ca()), (ports, ca.as_str()));
    // The same client, the same connection settings, the same trust.
    manager.get_device(&device()).await.unwrap();
    let taken = Sandbox::start(SandboxOptions { ports, ..free() }).await.unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_dropped_sandbox_stops() {
    let sandbox = Sandbox::start(free()).await.unwrap();
    let mut idle = TcpStream::connect(("127.0.0.1", sandbox.ports().http)).await.unwrap();
    idle.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert!(idle.read(&mut [0; 1]).await.unwrap() > 0);
    drop(sandbox);
    let mut rest = Vec::new();
    // Ends because the server closes.
    let _ = idle.read_to_end(&mut rest).await;
}

#[tokio::test]
async fn lists_come_in_pages() {
    let sandbox = Sandbox::start(free()).await.unwrap();
    for address in [sandbox.grpc_address(), sandbox.http_address()] {
        let manager = client(&sandbox, address, token(&sandbox)).application_manager();
        for (limit, offset, selected) in [(0, 0, 1), (1, 0, 1), (1, 1, 0), (0, u64::from(u32::MAX), 0)] {
            let page = manager.get_devices(&app(), Page::new(limit, offset)).await.unwrap();
            assert_eq!((page.total, page.selected, page.devices.len()), (1, selected, selected as usize));
        }
    }
}
