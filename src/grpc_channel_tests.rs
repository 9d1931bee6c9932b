use super::*;

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
}

/// An answer with an HTTP status, headers, a body and trailers.
fn answer(
    status: u16,
    start: &[(&'static str, &str)],
    body: &'static [u8],
    end: &[(&'static str, &str)],
) -> Answer {
    let (mut head, ()) = http::Response::builder().status(status).body(()).unwrap().into_parts();
    head.headers = headers(start);
    Answer { head, body: Bytes::from_static(body), trailers: headers(end) }
}

#[test]
fn an_answer_is_a_message_between_metadata_and_trailers() {
    let found = answer(200, &[("total", "3")], b"\0\0\0\0\x02ab", &[("grpc-status", "0"), ("x", "y")]);
    let found = read(found).unwrap();
    assert_eq!(
        (&found.message[..], &found.metadata["total"], &found.trailers["x"]),
        (&b"ab"[..], &"3".parse().unwrap(), &"y".parse().unwrap())
    );
    let empty = read(answer(200, &[], b"\0\0\0\0\0", &[("grpc-status", "0")])).unwrap();
    assert!(empty.message.is_empty());
    assert_eq!(framed(b"ab").unwrap(), &b"\0\0\0\0\x02ab"[..]);
}

#[test]
fn an_answer_that_is_no_message_is_an_error() {
    let ok = ("grpc-status", "0");
    for (found, text) in [
        (answer(200, &[], b"", &[ok]), "no message"),
        (answer(200, &[ok], b"", &[]), "no message"),
        (answer(200, &[], b"\0\0\0", &[ok]), "no message"),
        (answer(200, &[], b"\0\0\0\0\x03ab", &[ok]), "cut off"),
        (answer(200, &[], b"\0\xff\xff\xff\xffab", &[ok]), "cut off"),
        (answer(200, &[], b"\x01\0\0\0\x02ab", &[ok]), "compressed"),
        (answer(200, &[], b"\0\0\0\0\x02ab", &[]), "not gRPC's: HTTP status 200"),
        (answer(503, &[("content-type", "text/html")], b"<html>", &[]), "not gRPC's: HTTP status 503"),
    ] {
        let error = read(found).unwrap_err();
        assert!(error.kind() == ErrorKind::Protocol && error.message().contains(text), "{text}: {error:?}");
    }
}

#[test]
fn a_refusal_is_read_from_trailers_or_from_headers() {
    let refusal = [("grpc-status", "5"), ("grpc-message", "handler:device:a:b not found %C3%A9%")];
    for found in [
        answer(200, &refusal, b"", &[]),
        answer(200, &[], b"", &refusal),
        answer(200, &[("grpc-status", "0")], b"\0\0\0\0\0", &refusal),
    ] {
        let error = read(found).unwrap_err();
        assert_eq!((error.kind(), error.grpc_code()), (ErrorKind::NotFound, Some(5)));
        assert_eq!(error.message(), "handler:device:a:b not found é%");
    }
    for (status, code) in [("14", 14), ("17", 2), ("-1", 2), ("x", 2), ("", 2)] {
        let error = read(answer(200, &[("grpc-status", status)], b"", &[])).unwrap_err();
        assert_eq!(error.grpc_code(), Some(code), "{status}");
        assert!(!error.message().is_empty());
    }
    let told = [("grpc-status", "8"), ("grpc-retry-pushback-ms", "250")];
    let error = read(answer(200, &[], b"", &told)).unwrap_err();
    assert_eq!(
        (error.kind(), error.retry_after()),
        (ErrorKind::RateLimited, Some(Duration::from_millis(250)))
    );
}
