//! Tests of http_stream.rs: lines, however they come and end.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::{CallOptions, Client, Error, ErrorKind};

/// What a client reads of an answer whose body comes in these pieces, each sent when the one before has been.
async fn read(pieces: &'static [&'static str], is_whole: bool) -> (Vec<String>, Option<Error>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).await.unwrap();
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        for piece in pieces {
            let chunk = format!("{:x}\r\n{piece}\r\n", piece.len());
            stream.write_all(chunk.as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
        }
        if is_whole {
            stream.write_all(b"0\r\n\r\n").await.unwrap();
        }
    });
    let client = Client::builder(address).build().unwrap();
    let request = http::Request::get("/stream").body(bytes::Bytes::new()).unwrap();
    let mut messages = Vec::new();
    let mut stream = match client.stream_request(request, &CallOptions::default()).await {
        Ok(stream) => stream,
        Err(error) => return (messages, Some(error)),
    };
    loop {
        match stream.next().await {
            Some(Ok(message)) => messages.push(String::from_utf8(message.to_vec()).unwrap()),
            Some(Err(error)) => return (messages, Some(error)),
            None => return (messages, None),
        }
    }
}

#[tokio::test]
async fn lines_end_with_one_or_two_line_feeds_or_with_the_body() {
    let pieces =
        &["{\"result\":{\"a\":1}}\n", "{\"result\":2}\n\n{\"res", "ult\":3}\n\n\n", "{\"result\":\"\\n\"}"];
    let (messages, error) = read(pieces, true).await;
    assert_eq!(
        (messages, error.map(|e| e.kind())),
        (["{\"a\":1}", "2", "3", "\"\\n\""].map(String::from).to_vec(), None)
    );
    assert!(matches!(read(&[], true).await, (messages, None) if messages.is_empty()));
}

#[tokio::test]
async fn an_error_ends_them_wherever_it_comes() {
    let (messages, error) =
        read(&["{\"result\":1}\n", "{\"error\":{\"code\":14,\"message\":\"going away\"}}\n"], true).await;
    let error = error.unwrap();
    assert_eq!((messages.len(), error.kind(), error.message()), (1, ErrorKind::Unavailable, "going away"));
    let (messages, error) = read(&["{\"result\":1}\n"], false).await;
    assert_eq!((messages.len(), error.unwrap().kind()), (1, ErrorKind::Unavailable));
    for strange in
        [&["{\"result\":1}\n", "what\n"], &["{\"result\":1}\n", "{}\n"], &["{\"result\":1}\n", "{\"resul"]]
    {
        let (messages, error) = read(strange, true).await;
        assert_eq!((messages.len(), error.unwrap().kind()), (1, ErrorKind::Protocol), "{strange:?}");
    }
}
