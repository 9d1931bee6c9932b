use super::*;

fn channel() -> HttpChannel {
    let address = Address::parse("https://handler.example").unwrap();
    let server = Server { address: address.to_string(), ca: None, connect_timeout: Duration::from_secs(1) };
    HttpChannel::new(&address, server, crate::tls::verifier(None).unwrap()).unwrap()
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
