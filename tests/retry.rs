//! Calls that are made again, and calls that are not, with real sockets.

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use support::{addresses, app, builder, client, id, sandbox, start};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use ttn_auth::{CallOptions, Client, ErrorKind, RetryPolicy};
use ttn_auth_sandbox::SandboxOptions;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";

/// An HTTP server that gives these answers one after the other, each on a connection of its own; none is a connection that
/// breaks once the request is there. Then it answers with `OK`.
async fn server(answers: &[&str]) -> (Client, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let answers = Mutex::new(answers.iter().rev().map(|answer| (*answer).to_owned()).collect::<Vec<_>>());
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = requests.clone();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_request(&mut stream).await;
            counted.fetch_add(1, Ordering::SeqCst);
            let answer = answers.lock().unwrap().pop().unwrap_or_else(|| OK.to_owned());
            let answer = answer.replacen("\r\n", "\r\nconnection: close\r\n", 1);
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (Client::builder(address).build().unwrap(), requests)
}

async fn read_request(stream: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
}

async fn request(client: &Client, method: Method, options: &CallOptions) -> Result<(), ErrorKind> {
    let request = Request::builder().method(method).uri("/x").body(Bytes::new()).unwrap();
    client.request(request, options).await.map(|_| ()).map_err(|error| error.kind())
}

const BROKEN: &str = "";
const UNAVAILABLE: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";

#[tokio::test]
async fn what_may_have_been_carried_out_is_repeated_only_if_that_does_no_harm() {
    use ErrorKind::Unavailable;
    let default = CallOptions::default();
    for (method, options, broken, expected, requests) in [
        (Method::GET, &default, BROKEN, Ok(()), 3),
        (Method::PUT, &default, BROKEN, Ok(()), 3),
        (Method::DELETE, &default, UNAVAILABLE, Ok(()), 3),
        (Method::POST, &default, BROKEN, Err(Unavailable), 1),
        (Method::POST, &default, UNAVAILABLE, Err(Unavailable), 1),
        (Method::POST, &CallOptions::default().idempotent(true), BROKEN, Ok(()), 3),
        (Method::GET, &CallOptions::default().idempotent(false), BROKEN, Err(Unavailable), 1),
    ] {
        let (client, count) = server(&[broken, broken]).await;
        assert_eq!(request(&client, method.clone(), options).await, expected, "{method} {options:?}");
        assert_eq!(count.load(Ordering::SeqCst), requests, "{method} {options:?}");
    }
}

#[tokio::test]
async fn what_a_proxy_says_of_the_server_behind_it_is_not_of_an_account_server() {
    for (status, expected) in [
        ("502 Bad Gateway", ErrorKind::Unavailable),
        ("504 Gateway Timeout", ErrorKind::Timeout),
        ("500 Internal Server Error", ErrorKind::Server),
    ] {
        let body = format!(r#"{{"status":0,"error":"{}"}}"#, &status[4..]);
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let (client, count) = server(&[&answer]).await;
        assert_eq!(request(&client, Method::POST, &CallOptions::default()).await, Err(expected));
        assert_eq!(count.load(Ordering::SeqCst), 1, "{status}: it may have been carried out");
    }
}

#[tokio::test]
async fn a_call_whose_last_attempt_was_not_sent_may_have_been_carried_out_before() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::builder(format!("http://{}", listener.local_addr().unwrap())).build().unwrap();
    let once = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        // Before the answer is lost, so that nobody listens any more then.
        drop(listener);
        read_request(&mut stream).await;
    });
    let request = Request::get("/x").body(Bytes::new()).unwrap();
    let error = client.request(request, &CallOptions::default()).await.unwrap_err();
    once.await.unwrap();
    assert!(error.message().contains("nothing listens") && !error.is_unsent(), "{error:?}");
}

#[tokio::test]
async fn a_call_is_made_so_often_and_no_oftener() {
    let (client, count) = server(&[BROKEN; 9]).await;
    assert_eq!(request(&client, Method::GET, &CallOptions::default()).await, Err(ErrorKind::Unavailable));
    assert_eq!(count.load(Ordering::SeqCst), 4);
    // What the server says for good is not asked again.
    let (client, count) = server(&["HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n"]).await;
    assert_eq!(request(&client, Method::GET, &CallOptions::default()).await, Err(ErrorKind::Server));
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn the_server_says_when_to_come_again() {
    let asks = |seconds| format!("HTTP/1.1 503 Busy\r\nretry-after: {seconds}\r\ncontent-length: 0\r\n\r\n");
    let (client, count) = server(&[&asks(1)]).await;
    let started = Instant::now();
    assert_eq!(request(&client, Method::GET, &CallOptions::default()).await, Ok(()));
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!(count.load(Ordering::SeqCst), 2);
    // Later than the call may take: the error, at once.
    let (client, count) = server(&[&asks(3600)]).await;
    let started = Instant::now();
    assert_eq!(request(&client, Method::GET, &CallOptions::default()).await, Err(ErrorKind::Unavailable));
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_rate_limit_is_waited_for_outside_the_time_limit() {
    let (client, count) = server(&["HTTP/1.1 429 Too Many\r\ncontent-length: 0\r\n\r\n"]).await;
    // A POST too: it was not carried out.
    let limit = CallOptions::timeout(Duration::from_millis(900));
    let started = Instant::now();
    assert_eq!(request(&client, Method::POST, &limit).await, Ok(()));
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!(count.load(Ordering::SeqCst), 2);
    let (client, count) = server(&["HTTP/1.1 429 x\r\nretry-after: 3600\r\ncontent-length: 0\r\n\r\n"]).await;
    assert_eq!(request(&client, Method::GET, &limit).await, Err(ErrorKind::RateLimited));
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_handlers_own_limit_loses_no_call() {
    let sandbox = start(SandboxOptions::default()).await;
    for address in [sandbox.grpc_address(), sandbox.http_address()] {
        for rate in [None, Some(5)] {
            let builder = builder(&sandbox, &address);
            let builder = match rate {
                None => builder,
                Some(rate) => builder.rate_limit(rate),
            };
            let key = sandbox.add_access_key("other-app", &["settings"]).unwrap();
            let client = builder.credentials(ttn_auth::Credentials::parse(&key).unwrap()).build().unwrap();
            let calls: Vec<_> = (0..9)
                .map(|_| {
                    let manager = client.application_manager();
                    let app = ttn_auth::proto::handler::ApplicationIdentifier { app_id: "other-app".into() };
                    tokio::spawn(async move { manager.get_application(&app).await })
                })
                .collect();
            for call in calls {
                call.await.unwrap().unwrap_or_else(|e| panic!("{address} {rate:?}: {e:?}"));
            }
        }
    }
}

#[tokio::test]
async fn without_retries_every_call_is_made_once() {
    let sandbox = start(SandboxOptions::default()).await;
    let client = builder(&sandbox, &sandbox.grpc_address()).retry(RetryPolicy::never());
    let key = ttn_auth::Credentials::parse(&sandbox.access_key()).unwrap();
    let client = client.credentials(key).build().unwrap();
    let mut kinds = Vec::new();
    for _ in 0..30 {
        kinds.extend(client.application_manager().get_application(&app()).await.err().map(|e| e.kind()));
    }
    assert!(kinds.contains(&ErrorKind::RateLimited), "{kinds:?}");
}

#[tokio::test]
async fn a_server_that_comes_back_in_time_was_never_away() {
    let first = sandbox().await;
    let patient = RetryPolicy::default().attempts(1000).max_delay(Duration::from_millis(20));
    let clients = addresses(&first).map(|address| {
        let key = ttn_auth::Credentials::parse(&first.access_key()).unwrap();
        builder(&first, &address).credentials(key).retry(patient).build().unwrap()
    });
    for client in &clients {
        client.application_manager().get_device(&id("dev-1")).await.unwrap();
    }
    let (ports, identity) = (first.ports(), Some(first.identity().clone()));
    first.stop().await;
    let calls = clients.map(|client| {
        tokio::spawn(async move {
            // Not idempotent, but it cannot be sent.
            let answer =
                client.unary("/a.B/C", Bytes::new(), HeaderMap::new(), &CallOptions::default()).await;
            (client.application_manager().get_device(&id("dev-1")).await, answer.err().map(|e| e.kind()))
        })
    });
    let second = start(SandboxOptions { rate_limit: None, ports, identity, ..Default::default() }).await;
    for call in calls {
        let (device, raw) = call.await.unwrap();
        assert_eq!(device.unwrap().dev_id, "dev-1");
        assert_eq!(raw, Some(ErrorKind::Unimplemented));
    }
    second.stop().await;
}

/// Hands connections on to a server, and breaks the one on which an answer to the first request comes back.
async fn losing_one_answer(server: &str) -> String {
    let (scheme, server) = server.split_once("://").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("{scheme}://{}", listener.local_addr().unwrap());
    let server = server.to_owned();
    tokio::spawn(async move {
        let mut lost = false;
        loop {
            let (mut near, _) = listener.accept().await.unwrap();
            let mut far = TcpStream::connect(&server).await.unwrap();
            if lost {
                tokio::spawn(async move { tokio::io::copy_bidirectional(&mut near, &mut far).await });
                continue;
            }
            let (mut near_read, mut near_write) = near.split();
            let (mut far_read, mut far_write) = far.split();
            let back = async {
                let mut buffer = [0; 4096];
                loop {
                    let count = far_read.read(&mut buffer).await.unwrap();
                    if is_answer(&buffer[..count]) {
                        return;
                    }
                    near_write.write_all(&buffer[..count]).await.unwrap();
                }
            };
            tokio::select! {
                () = back => lost = true,
                _ = tokio::io::copy(&mut near_read, &mut far_write) => {}
            }
        }
    });
    address
}

/// Whether these bytes are an HTTP/1.1 answer, or hold an HTTP/2 frame of headers.
fn is_answer(mut bytes: &[u8]) -> bool {
    if bytes.starts_with(b"HTTP/1.1") {
        return true;
    }
    while let [a, b, c, kind, ..] = bytes {
        if *kind == 1 {
            return true;
        }
        let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
        bytes = bytes.get(9 + length..).unwrap_or_default();
    }
    false
}

#[tokio::test]
async fn a_registration_whose_answer_was_lost_is_not_made_again() {
    let sandbox = sandbox().await;
    for (n, server) in [sandbox.grpc_address(), sandbox.http_address()].iter().enumerate() {
        let app = ttn_auth::proto::handler::ApplicationIdentifier { app_id: format!("once-{n}") };
        let key = sandbox.add_access_key(&app.app_id, &["settings"]).unwrap();
        let through = losing_one_answer(server).await;
        let error = client(&sandbox, &through, &key).application_manager().register_application(&app).await;
        // Made again, it would exist already.
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Unavailable, "{server}");
        let direct = client(&sandbox, server, &key);
        direct.application_manager().get_application(&app).await.unwrap();
    }
}

#[tokio::test]
async fn a_deletion_whose_answer_was_lost_has_succeeded() {
    let sandbox = sandbox().await;
    for (n, server) in [sandbox.grpc_address(), sandbox.http_address()].iter().enumerate() {
        let direct = client(&sandbox, server, &sandbox.access_key());
        let name = format!("gone-{n}");
        direct.application_manager().set_device(&support::device(&name, n as u8)).await.unwrap();
        let through = losing_one_answer(server).await;
        let client = client(&sandbox, &through, &sandbox.access_key());
        client.application_manager().delete_device(&id(&name)).await.unwrap();
        let error = direct.application_manager().get_device(&id(&name)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        // One that was not there before is an error still.
        let error = client.application_manager().delete_device(&id(&name)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_of_tokens_is_waited_for_within_the_time_limit() {
    use std::future::pending;
    use ttn_auth::{Error, TokenFn};
    let client = |source: Arc<dyn ttn_auth::TokenSource>| {
        Client::builder("http://127.0.0.1:1").token_source(source).build().unwrap()
    };
    let get = || Request::get("/x").body(Bytes::new()).unwrap();
    let limit = CallOptions::timeout(Duration::from_millis(700));
    let silent = client(Arc::new(TokenFn::new("silent", pending)));
    let error = silent.request(get(), &limit).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.message(), error.is_unsent()),
        (ErrorKind::Timeout, "the token source did not answer within 700 ms", true)
    );
    // One that failed before: that error says more.
    let asked = AtomicUsize::new(0);
    let failing = client(Arc::new(TokenFn::new("failing", move || {
        let first = asked.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            match first {
                true => Err(Error::new(ErrorKind::ExchangeUnavailable, "down")),
                false => pending().await,
            }
        }
    })));
    let error = failing.request(get(), &limit).await.unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::ExchangeUnavailable, "down"));
}

#[tokio::test]
async fn a_refused_call_is_made_once_more_and_only_with_another_token() {
    use ttn_auth::{AccessToken, TokenFn};
    const REFUSED: &str = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n";
    for (changes, requests) in [(false, 1), (true, 2)] {
        let (client, count) = server(&[REFUSED; 9]).await;
        let tokens = AtomicUsize::new(0);
        let source = TokenFn::new("counting", move || {
            let token = format!("token-{}", if changes { tokens.fetch_add(1, Ordering::SeqCst) } else { 0 });
            async move { AccessToken::new(token) }
        });
        let client = Client::builder(client.address()).token_source(Arc::new(source)).build().unwrap();
        let outcome = request(&client, Method::GET, &CallOptions::default()).await;
        assert_eq!(outcome, Err(ErrorKind::InvalidToken), "changes: {changes}");
        assert_eq!(count.load(Ordering::SeqCst), requests, "changes: {changes}");
    }
}

#[tokio::test]
async fn a_failing_server_is_not_sent_ten_times_as_much() {
    let (client, count) = server(&[BROKEN; 1000]).await;
    let eager = RetryPolicy::default().attempts(10).base_delay(Duration::ZERO);
    let client = Client::builder(client.address()).retry(eager).build().unwrap();
    for _ in 0..60 {
        let outcome = request(&client, Method::GET, &CallOptions::default()).await;
        assert_eq!(outcome, Err(ErrorKind::Unavailable));
    }
    assert_eq!(count.load(Ordering::SeqCst), 60 + 200, "each call once, and the budget");
}

#[tokio::test]
async fn the_pace_holds_after_a_token_that_took_its_time() {
    use ttn_auth::{AccessToken, TokenCache, TokenFn};
    let (client, _) = server(&[]).await;
    let source = TokenFn::new("slow", || async {
        tokio::time::sleep(Duration::from_millis(1200)).await;
        AccessToken::new("token")
    });
    let source = Arc::new(TokenCache::new(source));
    let client = Client::builder(client.address()).token_source(source).rate_limit(5).build().unwrap();
    let started = Instant::now();
    let calls: Vec<_> = (0..10)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { request(&client, Method::GET, &CallOptions::default()).await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), Ok(()));
    }
    assert!(started.elapsed() >= Duration::from_millis(2200), "five, and five a second later");
}
