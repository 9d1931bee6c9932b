use super::*;
use proptest::prelude::*;

/// Whether it fits, and with which values.
fn fit(pattern: &str, method: &str, path: &str) -> String {
    let method = Method::from_bytes(method.as_bytes()).ok();
    let pattern = Pattern::parse(pattern).unwrap();
    let Some(path) = segments(path) else { return "unreadable".to_owned() };
    match pattern.fit(method.as_ref(), &path) {
        Fit::No => "no".to_owned(),
        Fit::Nearly => "nearly".to_owned(),
        Fit::Fully(values) => {
            let values = values.iter().map(|(name, value)| format!("{name}={value}"));
            values.collect::<Vec<_>>().join(" ")
        }
    }
}

#[test]
fn a_path_fits_by_its_segments() {
    for (pattern, method, path, expected) in [
        ("/", "GET", "/", ""),
        ("/a/b", "GET", "/a/b", ""),
        ("/a/b", "", "/a/b", ""),
        ("/a/{b}", "GET", "/a/x", "b=x"),
        ("/a/{b}", "GET", "/a/%C3%A9%20%2d", "b=é -"),
        ("/{a}/b/{c}", "GET", "/x/b/y", "a=x c=y"),
        ("/a/{*rest}", "GET", "/a/x/y", ""),
        ("GET /a", "GET", "/a", ""),
        ("GET /a", "HEAD", "/a", ""),
        ("/a/b", "GET", "/a/B", "nearly"),
        ("/a/b", "GET", "/a/%62", "nearly"),
        ("/a/b", "GET", "/%41/b", "nearly"),
        ("/{a}/b", "GET", "/x/B", "nearly"),
        ("/a/b", "GET", "/a", "no"),
        ("/a/b", "GET", "/a/b/c", "no"),
        ("/a/{*rest}", "GET", "/a", "no"),
        ("HEAD /a", "GET", "/a", "no"),
        ("GET /a", "POST", "/a", "no"),
        ("GET /a", "POST", "/A", "no"),
        // A gRPC call has a path only.
        ("POST /a", "", "/a", "no"),
    ] {
        assert_eq!(fit(pattern, method, path), expected, "{pattern} {method} {path}");
    }
}

#[test]
fn a_path_that_can_be_read_in_two_ways_fits_nothing() {
    for path in [
        "",
        "*",
        "a",
        "//",
        "/a/",
        "//a",
        "/a//b",
        "/./a",
        "/a/..",
        "/a/%2e%2E/b",
        "/a/%2Fb",
        "/a/%2fb",
        "/%2e",
        "/a%",
        "/a%2",
        "/a%zz",
        "/a%+1",
        "/a%25",
        "/a%2561",
        "/a%5Cb",
        "/a\\b",
        "/a%00",
        "/a%7F",
        "/a%FF",
        "/a%C2%85",
        "/a;b",
        "/a%3Bb",
        "/a b",
        "/a\"",
        "/{a}",
        "/é",
        "/a?b",
        "/a#b",
        "/a\n",
    ] {
        assert_eq!(segments(path), None, "{path}");
    }
    let read = segments("/a.b/..c/~d/e%20f/@g:h/%2e%2ex").unwrap();
    assert_eq!(
        read.iter().map(|given| &*given.decoded).collect::<Vec<_>>().join("/"),
        "a.b/..c/~d/e f/@g:h/..x"
    );
}

#[test]
fn what_is_no_pattern_is_refused() {
    for text in [
        "", "a", "GET", "GET a", "GET  /a", "get /a", " /a", "GET /a b", "/a/", "//", "/a//b", "/.", "/a/..",
        "/{}", "/{a", "/a}", "/{a}{b}", "/x{a}", "/{a}/{a}", "/{a b}", "/{*}", "/{*a}/b", "/a*", "/%61",
        "/a:b", "/é",
    ] {
        let error = Pattern::parse(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{text}");
        assert!(error.message().starts_with(&format!("the pattern \"{text}\" is not valid: ")), "{error}");
    }
}

/// The segments as the most obliging router there could be reads them: decoded till nothing is left to decode, parameters
/// after a semicolon cut off, empty segments and dots resolved, small letters.
fn obliging(path: &str) -> Vec<String> {
    let mut path = path.to_owned();
    loop {
        let decoded = percent_encoding::percent_decode_str(&path).decode_utf8_lossy().into_owned();
        if decoded == path {
            break;
        }
        path = decoded;
    }
    let mut segments = Vec::new();
    for segment in path.split(['/', '\\']) {
        match segment.split(';').next().unwrap_or_default() {
            "" | "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment.to_lowercase()),
        }
    }
    segments
}

/// Paths of what is there to confuse.
fn confusing() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "/", "/", "/", "a", "b", "A", "secret", "SECRET", "%61", "%2f", "%2F", "%5c", "%2e", ".", "..",
        "/..", "%", "%25", "%2561", ";", "%3b", "%00", "%20", "%C3%A9", "\\", "é", ":", "@", "?", "#", "{a}",
        "*",
    ]);
    prop::collection::vec(part, 0..8).prop_map(|parts| format!("/{}", parts.concat()))
}

proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(text in any::<String>(), path in any::<String>()) {
        let _ = Pattern::parse(&text);
        let _ = segments(&path);
        let _ = segments(&format!("/{path}"));
    }

    /// A literal fits by what it says, and a path that is looked at at all is the same one for everybody.
    #[test]
    fn no_router_finds_a_path_that_the_guard_does_not(path in confusing()) {
        let secret = Pattern::parse("/a/secret").unwrap();
        let (any, below) = (Pattern::parse("/a/{x}").unwrap(), Pattern::parse("/{*rest}").unwrap());
        if let Some(own) = segments(&path) {
            let others = obliging(&path);
            prop_assert_eq!(own.len(), others.len(), "{}", path);
            prop_assert_eq!(matches!(below.fit(None, &own), Fit::Fully(_)), !own.is_empty());
            let reaches_secret = others == ["a", "secret"];
            prop_assert_eq!(reaches_secret, secret.fit(None, &own) != Fit::No, "{}", path);
            let is_any = others.len() == 2 && others[0] == "a";
            prop_assert_eq!(is_any, any.fit(None, &own) != Fit::No, "{}", path);
        }
    }

    #[test]
    fn a_pattern_fits_the_path_that_is_made_from_it(
        literals in prop::collection::vec("[a-zA-Z0-9_~-]{1,8}", 1..5),
        values in prop::collection::vec("[a-zA-Z0-9_~-]{1,8}", 5),
    ) {
        let (mut pattern, mut path, mut expected) = (String::new(), String::new(), Vec::new());
        for (index, literal) in literals.iter().enumerate() {
            pattern += &format!("/{literal}/{{p{index}}}");
            path += &format!("/{literal}/{}", values[index]);
            expected.push((format!("p{index}"), values[index].clone()));
        }
        let pattern = Pattern::parse(&pattern).unwrap();
        let given = segments(&path).unwrap();
        let Fit::Fully(found) = pattern.fit(None, &given) else {
            return Err(TestCaseError::fail(path));
        };
        let found: Vec<_> = found.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        prop_assert_eq!(found, expected);
        let longer = format!("{path}/x");
        let longer = segments(&longer).unwrap();
        prop_assert_eq!(pattern.fit(None, &longer), Fit::No);
    }
}
