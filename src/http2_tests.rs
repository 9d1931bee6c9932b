use std::net::SocketAddr;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use http::{Response, Uri};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::*;
use crate::address::Address;
use crate::{CallOptions, Client, Credentials, ErrorKind};

const PLENTY: Duration = Duration::from_secs(20);

/// What a server has seen.
#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    held: Notify,
}

/// Answers `/ok`, holds `/held` for ever, and goes away after `/last`.
async fn serve(stream: TcpStream, seen: Arc<Seen>) {
    let mut connection = h2::server::handshake(stream).await.unwrap();
    let mut held = Vec::new();
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        match request.uri().path() {
            "/held" => {
                held.push(respond);
                seen.held.notify_one();
            }
            path => {
                let mut body = respond.send_response(Response::new(()), false).unwrap();
                body.send_data(Bytes::from_static(b"answer"), true).unwrap();
                if path == "/last" {
                    connection.graceful_shutdown();
                }
            }
        }
    }
}

async fn server() -> (Http2, Arc<Seen>) {
    let (address, seen) = listening().await;
    (client(address), seen)
}

fn client(address: SocketAddr) -> Http2 {
    let address = Address::parse(&format!("grpc://{address}")).unwrap();
    let verifier = crate::tls::verifier(None).unwrap();
    Http2::new(Connector::new(&address, &verifier, "h2", PLENTY).unwrap())
}

/// Hands on to a server, and counts the bytes that it is sent.
async fn counted(server: SocketAddr) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counts = count.clone();
    tokio::spawn(async move {
        let (mut from, mut to) = listener.accept().await.unwrap().0.into_split();
        let (mut back, mut on) = TcpStream::connect(server).await.unwrap().into_split();
        tokio::spawn(async move { tokio::io::copy(&mut back, &mut to).await });
        let mut bytes = [0; 4096];
        while let Ok(read @ 1..) = from.read(&mut bytes).await {
            counts.fetch_add(read, Ordering::SeqCst);
            on.write_all(&bytes[..read]).await.unwrap();
        }
    });
    (address, count)
}

async fn listening() -> (SocketAddr, Arc<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::new(Seen::default());
    let count = seen.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            count.connections.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(serve(stream, count.clone()));
        }
    });
    (address, seen)
}

async fn call(to: &Http2, path: &'static str) -> Result<Answer> {
    let mut request = Request::new(());
    *request.uri_mut() =
        Uri::builder().scheme("http").authority("server").path_and_query(path).build().unwrap();
    tokio::time::timeout(PLENTY, to.call(request, Bytes::from_static(b"message"))).await.unwrap()
}

impl Seen {
    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn an_answer_comes_as_a_whole_on_one_connection() {
    let (http2, seen) = server().await;
    for _ in 0..3 {
        let answer = call(&http2, "/ok").await.unwrap();
        assert_eq!(
            (&answer.body[..], answer.head.status.as_u16(), answer.trailers.len()),
            (&b"answer"[..], 200, 0)
        );
    }
    assert_eq!(seen.connections(), 1);
}

/// What a caller has marked as sensitive is sent whole each time, because it may be short enough to be guessed.
#[tokio::test]
async fn a_credential_is_sent_once_on_a_connection_and_what_is_sensitive_always() {
    let sizes = async |credentials: Credentials, metadata: HeaderMap| {
        let (server, seen) = listening().await;
        let (address, count) = counted(server).await;
        let client = Client::builder(format!("grpc://{address}")).credentials(credentials).build().unwrap();
        let mut sizes = Vec::new();
        for _ in 0..3 {
            let before = count.load(Ordering::SeqCst);
            // The server speaks HTTP/2, and no gRPC.
            let answer =
                client.unary("/a.B/C", Bytes::new(), metadata.clone(), &CallOptions::default()).await;
            assert_eq!(answer.unwrap_err().kind(), ErrorKind::Protocol);
            sizes.push(count.load(Ordering::SeqCst) - before);
        }
        assert_eq!(seen.connections(), 1);
        sizes
    };
    let long = "x".repeat(1000);
    let key = format!("ttn-account-v2.{long}");
    for credentials in [Credentials::bearer_token(long.as_str()), Credentials::access_key(key)] {
        let sizes = sizes(credentials.unwrap(), HeaderMap::new()).await;
        assert!(sizes[0] > 500 && sizes[1] < 100 && sizes[2] < 100, "{sizes:?}");
    }
    let mut value = http::HeaderValue::try_from(long).unwrap();
    value.set_sensitive(true);
    let metadata = HeaderMap::from_iter([(http::HeaderName::from_static("mine"), value)]);
    let sizes = sizes(Credentials::bearer_token("abc").unwrap(), metadata).await;
    assert!(sizes.iter().all(|size| *size > 500), "{sizes:?}");
}

#[tokio::test]
async fn a_server_that_says_goodbye_is_connected_to_anew() {
    let (http2, seen) = server().await;
    for connections in 1..=3 {
        call(&http2, "/last").await.unwrap();
        assert_eq!(seen.connections(), connections);
        // Until the goodbye has come: a connection that is told so takes no further request.
        let connection = lock(&http2.slots).first.open.clone().unwrap();
        let gone = async {
            while connection.requests.clone().ready().await.is_ok() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PLENTY, gone).await.unwrap();
    }
}

#[tokio::test]
async fn a_call_that_is_given_up_costs_the_connection_only_if_nothing_else_came_on_it() {
    let (http2, seen) = server().await;
    let http2 = Arc::new(http2);
    for (others, connections) in [(1, 1), (0, 1), (0, 2)] {
        let held = tokio::spawn({
            let http2 = http2.clone();
            async move { call(&http2, "/held").await.map(|_| ()) }
        });
        tokio::time::timeout(PLENTY, seen.held.notified()).await.unwrap();
        assert_eq!(seen.connections(), connections);
        for _ in 0..others {
            call(&http2, "/ok").await.unwrap();
        }
        held.abort();
        assert!(held.await.unwrap_err().is_cancelled());
        http2.reset();
    }
    call(&http2, "/ok").await.unwrap();
    assert_eq!(seen.connections(), 3);
}

#[tokio::test]
async fn callers_wait_for_one_connection_and_for_one_refusal() {
    let (http2, seen) = server().await;
    let calls = (0..10).map(|_| call(&http2, "/ok"));
    for answer in futures_util::future::join_all(calls).await {
        answer.unwrap();
    }
    assert_eq!(seen.connections(), 1);

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("grpc://{}", listener.local_addr().unwrap());
    drop(listener);
    let verifier = crate::tls::verifier(None).unwrap();
    let connector = Connector::new(&Address::parse(&address).unwrap(), &verifier, "h2", PLENTY).unwrap();
    let nobody = Http2::new(connector);
    for refused in futures_util::future::join_all((0..10).map(|_| call(&nobody, "/ok"))).await {
        let error = refused.err().unwrap();
        assert!(error.kind() == ErrorKind::Unavailable && error.is_unsent(), "{error:?}");
    }
}

/// Answers `/stream` with a body that does not end. The connection is read no more after it, and so no ping is answered.
async fn falls_silent(listener: TcpListener) {
    let (stream, _) = listener.accept().await.unwrap();
    let mut connection = h2::server::handshake(stream).await.unwrap();
    let (_, mut respond) = connection.accept().await.unwrap().unwrap();
    let mut body = respond.send_response(Response::new(()), false).unwrap();
    body.send_data(Bytes::from_static(b"first"), false).unwrap();
    // Until that has been written; then never again.
    let _ = std::future::poll_fn(|context| {
        let _ = connection.poll_accept(context);
        std::task::Poll::Ready(())
    })
    .await;
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_stream_on_a_connection_that_answers_no_ping_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = Address::parse(&format!("grpc://{}", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(falls_silent(listener));
    let connector = Connector::new(&address, &crate::tls::verifier(None).unwrap(), "h2", PLENTY).unwrap();
    let settings = Settings {
        window: STREAM_WINDOW,
        whole_window: STREAMS_WINDOW,
        ping: Some(Duration::from_millis(20)),
    };
    let streams = Http2::with(connector, settings);
    let request = Request::post("http://x/stream").body(()).unwrap();
    let read = async {
        let mut receiving = streams.stream(request, Bytes::new()).await.unwrap();
        assert_eq!(receiving.data().await.unwrap().unwrap(), "first");
        receiving.data().await
    };
    let ended = tokio::time::timeout(PLENTY, read).await.unwrap().unwrap().unwrap_err();
    assert_eq!(ended.kind(), ErrorKind::Unavailable, "{ended:?}");
}
