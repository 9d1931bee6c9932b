use super::*;

fn channel() -> HttpChannel {
    let address = Address::parse("https://handler.example").unwrap();
    let server = Server { address: address.to_string(), ca: None, connect_timeout: Duration::from_secs(1) };
    HttpChannel::new(&address, server, crate::tls::verifier(None).unwrap()).unwrap()
}

fn failure(body: &'static [u8]) -> Error {
    let mut answer = Response::new(Bytes::from_static(body));
    *answer.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
    from_answer(&answer)
}

#[test]
fn a_path_never_changes_the_host() {
    let channel = channel();
    let joined = channel.join(&"/applications/a%2Fb?limit=1".parse().unwrap()).unwrap();
    assert_eq!(joined, "/applications/a%2Fb?limit=1");
    for bad in [
        "//evil.example/x",
        "https://evil.example/x",
        "evil.example",
        "/../x",
        "/a/../../x",
        "/a/%2e%2E/x",
        "/./x",
        "/a/..",
        "*",
    ] {
        let error = channel.join(&bad.parse().unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{bad}");
    }
    for (path, expected) in [
        ("/@evil.example", "/@evil.example"),
        ("/a..b/c", "/a..b/c"),
        ("/a%20b/{c}?d=|", "/a%20b/%7Bc%7D?d=|"),
        ("/a?b=/../c", "/a?b=/../c"),
    ] {
        assert_eq!(channel.join(&path.parse().unwrap()).unwrap(), expected);
    }
}

#[test]
fn bodies_that_are_not_v2s_json_stay_unsaid() {
    let error = failure(b"<html>hunter2</html>");
    assert_eq!(
        (error.kind(), error.message()),
        (ErrorKind::Server, "the server answered 500 Internal Server Error")
    );
    let body = br#"{"error":"E","code":2,"message":"handler:device:a:b not found"}"#;
    let error = failure(body);
    assert_eq!((error.kind(), error.http_status()), (ErrorKind::NotFound, Some(500)));
}

#[test]
fn only_a_handler_speaks_of_its_account_server() {
    for (body, kind) in [
        (&br#"{"error":"Bad Gateway","code":2,"message":"Bad Gateway"}"#[..], ErrorKind::ExchangeUnavailable),
        (br#"{"status":500,"error":"Internal Server Error","path":"/x"}"#, ErrorKind::Server),
        (br#"{"message":"Internal Server Error"}"#, ErrorKind::Server),
    ] {
        assert_eq!(failure(body).kind(), kind);
    }
}
