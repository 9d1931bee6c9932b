//! Servers that misbehave, and requests that cannot be sent: each fails its vector and none stops the run.

use super::*;
use crate::{Algorithm, ISSUER};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn file(vectors: &str) -> VectorFile {
    VectorFile::parse(&format!(r#"{{"vectors": [{vectors}]}}"#)).unwrap()
}

fn get(path: &str, status: u16) -> String {
    format!(
        r#"{{"name": "{path}", "transport": "http", "method": "GET", "path": "{path}", "headers": [], "body": null,
            "expect": {{"status": {status}, "headers": [], "body": ""}}}}"#
    )
}

fn call(metadata: &str, expect: &str) -> String {
    format!(
        r#"{{"name": "call", "transport": "grpc", "method": "/handler.ApplicationManager/GetApplication",
            "request": {{"app_id": "a"}}, "metadata": {metadata}, "expect": {expect}}}"#
    )
}

async fn run(address: SocketAddr, vectors: &str, limit: Duration) -> Vec<Verdict> {
    let issuer = Issuer::new(ISSUER, Algorithm::Es256).unwrap();
    let target = Target {
        grpc: address,
        http: address,
        discovery: address,
        stack_grpc: address,
        stack_http: address,
        issuer: &issuer,
    };
    let report = target.run_within(&file(vectors), limit).await;
    report.outcomes.into_iter().map(|outcome| outcome.verdict).collect()
}

fn failed_with(verdict: &Verdict, text: &str) -> bool {
    matches!(verdict, Verdict::Failed(lines) if lines.iter().any(|line| line.contains(text)))
}

/// Answers every connection with these bytes, after reading something.
async fn stub(answer: &'static [u8]) -> (SocketAddr, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut some = [0; 1024];
            let _ = socket.read(&mut some).await;
            let _ = socket.write_all(answer).await;
        }
    });
    (address, task)
}

#[tokio::test]
async fn a_server_that_never_answers_fails_its_vectors_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap(); // Never accepts.
    let vectors = format!("{}, {}", get("/a", 200), call("[]", r#"{"code":0,"message":"","response":null}"#));
    let verdicts = run(listener.local_addr().unwrap(), &vectors, Duration::from_millis(50)).await;
    assert_eq!(verdicts.len(), 2);
    assert!(verdicts.iter().all(|verdict| failed_with(verdict, "no answer within 50ms")), "{verdicts:?}");
}

#[tokio::test]
async fn an_answer_that_is_not_the_protocol_fails_its_vector() {
    let (address, task) = stub(b"220 mail\r\n\r\n").await;
    let vectors = format!("{}, {}", get("/a", 200), call("[]", r#"{"code":0,"message":"","response":null}"#));
    let verdicts = run(address, &vectors, TIME_LIMIT).await;
    assert!(failed_with(&verdicts[0], "no HTTP/1.1 status line"), "{verdicts:?}");
    assert!(failed_with(&verdicts[1], "ending: expected a gRPC status"), "{verdicts:?}");
    let broken = run(address, &call("[]", r#"{"transport_error": true}"#), TIME_LIMIT).await;
    assert_eq!(broken, [Verdict::Passed(vec![])]);
    task.abort();
}

#[tokio::test]
async fn one_character_of_a_status_line_is_a_difference() {
    let (address, task) = stub(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await;
    let verdicts = run(address, &format!("{}, {}", get("/a", 404), get("/b", 405)), TIME_LIMIT).await;
    assert_eq!(verdicts[0], Verdict::Passed(vec![]));
    assert!(failed_with(&verdicts[1], "status: expected 405, came 404"), "{verdicts:?}");
    task.abort();
}

#[tokio::test]
async fn what_cannot_be_sent_is_left_out_only_where_no_status_is_expected() {
    let (address, task) = stub(b"").await;
    let upper = r#"[["Token", "{{token kind=valid}}"]]"#;
    let vectors = format!(
        "{}, {}, {}",
        call(upper, r#"{"transport_error": true}"#),
        call(upper, r#"{"code":0,"message":"","response":null}"#),
        call(r#"[["token", "{{token kind=odd}}"]]"#, r#"{"transport_error": true}"#),
    );
    let verdicts = run(address, &vectors, TIME_LIMIT).await;
    assert_eq!(verdicts[0], Verdict::LeftOut(Exception::CannotSend));
    assert!(failed_with(&verdicts[1], "cannot send the name \"Token\""), "{verdicts:?}");
    assert!(failed_with(&verdicts[2], "unknown token kind"), "{verdicts:?}");
    task.abort();
}

#[test]
fn files_that_are_not_vectors_are_refused_and_odd_vectors_fail() {
    for (text, message) in [
        ("", "not JSON"),
        ("[]", "no list named \"vectors\""),
        (r#"{"vectors": {}}"#, "no list named \"vectors\""),
        (r#"{"vectors": []}"#, "empty"),
        (r#"{"vectors": [1]}"#, "vector 0 is not an object"),
    ] {
        let error = VectorFile::parse(text).unwrap_err();
        assert!(error.message().contains(message), "{text}: {error}");
    }
    let whole = call("[]", r#"{"code": 0, "message": "", "response": null}"#);
    for (from, to, message) in [
        ("grpc", "grpd", "unknown transport \"grpd\""),
        ("\"metadata\"", "\"metadatb\"", "no \"metadata\""),
        ("\"message\"", "\"messagf\"", "nothing compares the expected \"messagf\""),
        ("\"code\": 0", "\"code\": \"\"", "\"code\" is not a whole number"),
        ("\"expect\"", "\"expecu\"", "no object named \"expect\""),
        ("[]", "[1]", "\"metadata\" is not a list of [name, value]"),
    ] {
        let changed = file(&whole.replace(from, to));
        let why = changed.vectors[0].exchange.as_ref().unwrap_err();
        assert!(why.contains(message), "{to}: {why}");
    }
}
