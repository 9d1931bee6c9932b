//! What the network does to a call, with real sockets: no answer, no server, redirects, nonsense, cancellation.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use ttn_auth::{CallOptions, Client, Credentials, Error, ErrorKind};

const KEY: &str = "ttn-account-v2.hunter2-hunter2";

fn client(scheme: &str, port: u16) -> Client {
    Client::builder(format!("{scheme}://127.0.0.1:{port}"))
        .credentials(Credentials::access_key(KEY).unwrap())
        .build()
        .unwrap()
}

async fn call(client: &Client, limit: Duration) -> Result<(), Error> {
    let options = CallOptions::timeout(limit);
    match client.transport() {
        ttn_auth::Transport::Grpc => {
            client.unary("/a.B/C", Bytes::new(), HeaderMap::new(), &options).await.map(|_| ())
        }
        _ => client.request(Request::get("/x").body(Bytes::new()).unwrap(), &options).await.map(|_| ()),
    }
}

const PLENTY: Duration = Duration::from_secs(20);

async fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Reads a request's head, and answers with this text.
async fn answer(stream: &mut TcpStream, text: &str) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    stream.write_all(text.as_bytes()).await.unwrap();
    String::from_utf8(head).unwrap()
}

#[tokio::test]
async fn a_server_that_never_answers_ends_in_a_timeout() {
    for scheme in ["grpc", "http", "grpcs", "https"] {
        let (listener, port) = listen().await;
        let server = tokio::spawn(async move {
            let mut open = Vec::new();
            loop {
                open.push(listener.accept().await.unwrap());
            }
        });
        let started = Instant::now();
        let error = call(&client(scheme, port), Duration::from_millis(150)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{scheme}: {error:?}");
        assert!(error.is_transient() && error.message().contains("150 ms"), "{error}");
        assert!(!error.is_unsent(), "{scheme}: it may have arrived");
        assert!(started.elapsed() < PLENTY);
        server.abort();
    }
}

#[tokio::test]
async fn nobody_listening_is_unavailable() {
    for scheme in ["grpc", "http", "grpcs", "https"] {
        let (listener, port) = listen().await;
        drop(listener);
        let error = call(&client(scheme, port), PLENTY).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{scheme}: {error:?}");
        assert!(error.is_transient() && error.message().contains("refused"), "{scheme}: {error}");
        assert!(error.is_unsent(), "{scheme}: {error:?}");
    }
}

#[tokio::test]
async fn a_server_of_another_protocol_is_named_as_such() {
    for (scheme, greeting) in [
        ("grpc", "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"),
        ("http", "SSH-2.0-OpenSSH_9.2\r\n"),
        ("grpcs", "HTTP/1.1 400 Bad Request\r\n\r\n"),
        ("https", "SSH-2.0-OpenSSH_9.2\r\n"),
    ] {
        let (listener, port) = listen().await;
        let server = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let _ = stream.write_all(greeting.as_bytes()).await;
                    // Until the client gives up.
                    let _ = stream.read_to_end(&mut Vec::new()).await;
                });
            }
        });
        let error = call(&client(scheme, port), PLENTY).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{scheme}: {error:?}");
        server.abort();
    }
}

#[tokio::test]
async fn credentials_do_not_follow_a_redirect_to_another_origin() {
    let (elsewhere, other_port) = listen().await;
    let (listener, port) = listen().await;
    let location = format!("http://127.0.0.1:{other_port}/stolen");
    let redirect =
        format!("HTTP/1.1 307 Temporary Redirect\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        answer(&mut stream, &redirect).await
    });
    let client = client("http", port);
    let error = tokio::select! {
        result = call(&client, PLENTY) => result.unwrap_err(),
        _ = elsewhere.accept() => panic!("the redirect was followed"),
    };
    assert_eq!((error.kind(), error.http_status()), (ErrorKind::Redirect, Some(307)));
    assert!(error.message().contains(&format!("http://127.0.0.1:{other_port}")), "{error}");
    assert!(!error.message().contains("stolen"), "the path may hold a secret: {error}");
    assert!(server.await.unwrap().contains(&format!("authorization: Key {KEY}")));
}

#[tokio::test]
async fn a_redirect_within_the_origin_is_followed_but_not_for_ever() {
    let (listener, port) = listen().await;
    let server = tokio::spawn(async move {
        let mut seen = 0;
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            seen += 1;
            let head = answer(
                &mut stream,
                "HTTP/1.1 307 Temporary Redirect\r\nLocation: /x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            )
            .await;
            assert!(head.contains(&format!("authorization: Key {KEY}")), "{head}");
            assert!(seen < 20, "a redirect loop");
        }
    });
    let error = call(&client("http", port), PLENTY).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Redirect, "{error:?}");
    assert!(!server.is_finished());
    server.abort();
}

#[tokio::test]
async fn a_redirect_that_would_turn_a_write_into_a_read_is_an_error() {
    for status in ["301 Moved Permanently", "302 Found", "303 See Other"] {
        let (listener, port) = listen().await;
        let redirect = format!("HTTP/1.1 {status}\r\nLocation: /x/\r\nContent-Length: 0\r\n\r\n");
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            answer(&mut stream, &redirect).await;
            // A second request would hang here, and the call with it.
            listener
        });
        let request = Request::post("/x").body(Bytes::from_static(b"{}")).unwrap();
        let error = client("http", port).request(request, &CallOptions::timeout(PLENTY)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Redirect, "{status}: {error:?}");
        drop(server.await.unwrap());
    }
}

#[tokio::test]
async fn a_connections_set_up_has_its_own_limit_with_its_handshake() {
    for scheme in ["grpcs", "https"] {
        let (listener, port) = listen().await;
        let server = tokio::spawn(async move {
            let mut open = Vec::new();
            loop {
                open.push(listener.accept().await.unwrap());
            }
        });
        let client = Client::builder(format!("{scheme}://127.0.0.1:{port}"))
            .connect_timeout(Duration::from_millis(150))
            .timeout(PLENTY)
            .build()
            .unwrap();
        let started = Instant::now();
        let error = call(&client, PLENTY).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{scheme}: {error:?}");
        assert!(started.elapsed() < PLENTY / 2, "{scheme}: {:?}", started.elapsed());
        server.abort();
    }
}

#[tokio::test]
async fn headers_of_the_connection_are_not_the_callers() {
    for scheme in ["grpc", "http"] {
        let client = client(scheme, 9);
        for name in ["host", "content-length", "transfer-encoding"] {
            let mut headers = HeaderMap::new();
            headers.insert(name, "7".parse().unwrap());
            let error = if scheme == "grpc" {
                client.unary("/a.B/C", Bytes::new(), headers, &CallOptions::default()).await.unwrap_err()
            } else {
                let mut request = Request::get("/x").body(Bytes::new()).unwrap();
                *request.headers_mut() = headers;
                client.request(request, &CallOptions::default()).await.unwrap_err()
            };
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{scheme} {name}: {error:?}");
        }
    }
}

#[tokio::test]
async fn after_a_timeout_the_next_call_connects_anew() {
    let (listener, port) = listen().await;
    let server = tokio::spawn(async move {
        let (silent, _) = listener.accept().await.unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        answer(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await;
        drop(silent);
    });
    let client = client("http", port);
    assert_eq!(call(&client, Duration::from_millis(100)).await.unwrap_err().kind(), ErrorKind::Timeout);
    call(&client, PLENTY).await.unwrap();
    server.await.unwrap();
}

#[tokio::test]
async fn a_dropped_call_closes_its_connection() {
    let (listener, port) = listen().await;
    let client = client("http", port);
    let pending = tokio::spawn(async move { call(&client, PLENTY).await });
    let (mut stream, _) = listener.accept().await.unwrap();
    stream.read_u8().await.unwrap();
    pending.abort();
    // Ends only when the client closes.
    tokio::time::timeout(PLENTY, stream.read_to_end(&mut Vec::new())).await.unwrap().unwrap();
}

#[tokio::test]
async fn close_cancels_what_is_in_flight_and_refuses_what_comes_later() {
    for scheme in ["grpc", "http"] {
        let (listener, port) = listen().await;
        let client = client(scheme, port);
        let other = client.clone();
        let pending = tokio::spawn(async move { call(&other, PLENTY).await });
        let (mut stream, _) = listener.accept().await.unwrap();
        client.close();
        client.close();
        assert_eq!(pending.await.unwrap().unwrap_err().kind(), ErrorKind::Cancelled, "{scheme}");
        assert_eq!(call(&client, PLENTY).await.unwrap_err().kind(), ErrorKind::Cancelled, "{scheme}");
        tokio::time::timeout(PLENTY, stream.read_to_end(&mut Vec::new())).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn many_requests_at_once_share_a_bounded_number_of_connections() {
    let (listener, port) = listen().await;
    let (most, all) = (256, 600);
    let accepted = Arc::new(AtomicUsize::new(0));
    let opened = accepted.clone();
    // Nothing is answered before as many requests wait as may be under way; by then, all connections were made.
    let full = Arc::new(tokio::sync::Semaphore::new(0));
    let server = tokio::spawn(async move {
        let waiting = Arc::new(AtomicUsize::new(0));
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            opened.fetch_add(1, Ordering::SeqCst);
            let (waiting, full) = (waiting.clone(), full.clone());
            tokio::spawn(async move {
                loop {
                    if stream.peek(&mut [0]).await.unwrap_or(0) == 0 {
                        return;
                    }
                    if waiting.fetch_add(1, Ordering::SeqCst) + 1 == most {
                        full.add_permits(all);
                    }
                    full.acquire().await.unwrap().forget();
                    answer(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await;
                }
            });
        }
    });
    let client = client("http", port);
    let calls: Vec<_> = (0..all)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { call(&client, PLENTY).await })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert!(accepted.load(Ordering::SeqCst) <= most, "{} connections", accepted.load(Ordering::SeqCst));
    server.abort();
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let (listener, port) = listen().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        answer(&mut stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n").await;
        let block = vec![b' '; 1 << 20];
        while stream.write_all(&block).await.is_ok() {}
    });
    let error = call(&client("http", port), PLENTY).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol, "{error:?}");
    assert!(error.message().contains("larger than"), "{error}");
    tokio::time::timeout(PLENTY, server).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_server_that_repeats_the_secret_does_not_get_it_into_an_error() {
    let (listener, port) = listen().await;
    let body = format!(r#"{{"error":"bad key {KEY}","code":2,"message":"bad key {KEY}"}}"#);
    let text = format!("HTTP/1.1 500 Internal Server Error\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        answer(&mut stream, &text).await
    });
    let error = call(&client("http", port), PLENTY).await.unwrap_err();
    assert!(!format!("{error:?} {error}").contains("hunter2"), "{error:?}");
    assert!(error.message().contains("<redacted>"), "{error}");
    server.await.unwrap();
}

#[tokio::test]
async fn plaintext_to_another_machine_is_refused_before_any_packet() {
    for address in ["grpc://192.0.2.1:1904", "http://192.0.2.1:8084"] {
        let builder = Client::builder(address).credentials(Credentials::access_key(KEY).unwrap());
        let error = builder.clone().build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InsecureTransport);
        assert!(error.hint().contains("allow"));
        builder.allow_insecure(true).build().unwrap();
    }
}
