use super::*;
use proptest::prelude::*;

pub(crate) fn jwt(claims: &str) -> String {
    format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256"}"#), URL_SAFE_NO_PAD.encode(claims))
}

#[test]
fn parse_tells_the_kinds_apart() {
    assert_eq!(Credentials::parse(&jwt("{}")).unwrap().kind(), CredentialsKind::BearerToken);
    assert_eq!(Credentials::parse("ttn-account-v2.abc").unwrap().kind(), CredentialsKind::AccessKey);
    assert_eq!(Credentials::parse("NNSXS.ID.SECRET").unwrap().kind(), CredentialsKind::ApiKey);
    for token in ["MFRWG.ID.SECRET", "ONZW4.ID.SECRET"] {
        assert_eq!(Credentials::parse(token).unwrap().kind(), CredentialsKind::BearerToken);
    }
    for kind in CredentialsKind::ALL {
        assert_eq!(kind.article().split_once(' ').unwrap().1.replace(' ', "-").to_lowercase(), kind.name());
    }
}

#[test]
fn what_is_neither_is_refused_by_name() {
    for (text, wrong) in [
        ("", "empty"),
        (" ", "blank"),
        ("a.b c", "character 4"),
        ("ttn-account-v2.abc\n", "line break"),
        ("Bearer abc", "\"Bearer \" in front"),
        ("bearer abc", "in front"),
        ("Key ttn-account-v2.abc", "\"Key \" in front"),
        ("a.b\0", "control"),
        ("a.bé", "ASCII"),
        ("${TTN_KEY}", "environment variable TTN_KEY is not set"),
        ("garbage", "neither"),
        (".abc", "neither"),
        ("abc.", "neither"),
        ("a.b.c", "neither"),
        ("NNSXS.ABC", "three parts"),
        ("nnsxs.abc.def", "capital letters"),
        ("OJSWM.ABC.DEF", "token source"),
        ("MF2XI.ABC.DEF", "/oauth/token"),
    ] {
        let error = Credentials::parse(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidCredentials, "{text:?}");
        assert!(error.to_string().contains(wrong), "{text:?}: {error}");
    }
}

#[test]
fn a_credential_of_the_other_kind_is_refused() {
    assert!(Credentials::access_key(jwt("{}")).unwrap_err().to_string().contains("bearer token"));
    assert!(Credentials::bearer_token("ttn-account-v2.abc").unwrap_err().to_string().contains("access key"));
    for (text, wrong) in
        [("ttn-account-v2.abc", "NNSXS"), (jwt("{}").as_str(), "NNSXS"), ("MFRWG.A.B", "as a bearer token")]
    {
        assert!(Credentials::api_key(text).unwrap_err().to_string().contains(wrong), "{text}");
    }
    for credential in [Credentials::access_key("NNSXS.A.B"), Credentials::bearer_token("NNSXS.A.B")] {
        assert!(credential.unwrap_err().to_string().contains("as an API key"));
    }
    // Legal, if unusual: a key without its issuer, and a token that is no JWT.
    assert!(Credentials::access_key("abc").is_ok());
    assert!(Credentials::bearer_token("opaque").is_ok());
}

#[test]
fn a_variable_is_read_and_named_when_it_is_no_good() {
    // Cargo sets these for every test.
    let error = Credentials::from_env("CARGO_PKG_NAME", None).unwrap_err();
    assert!(error.message().starts_with("the environment variable CARGO_PKG_NAME is no good: neither"));
    let version = Credentials::from_env("CARGO_PKG_NAME", Some(CredentialsKind::AccessKey)).unwrap();
    assert_eq!(version.secret().expose(), env!("CARGO_PKG_NAME"));
    let error = Credentials::from_env("TTN_AUTH_NEVER_SET", None).unwrap_err();
    assert_eq!(error.message(), "the environment variable TTN_AUTH_NEVER_SET is not set");
    for name in ["", "ttn-account-v2.hunter2", "A=B", "A\0"] {
        let error = Credentials::from_env(name, None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(!error.message().contains("hunter2"));
    }
}

#[test]
fn nothing_prints_the_secret() {
    let key = AccessKey::new("ttn-account-v2.hunter2").unwrap();
    let token = AccessToken::new("hunter2").unwrap();
    let shown = format!(
        "{key:?} {token:?} {:?} {:?}",
        Credentials::Key(key.clone()),
        Credentials::Token(token.clone())
    );
    assert!(!shown.contains("hunter2"), "{shown}");
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused_without_its_secret(text in "\\PC{0,80}|[a-z.]{8,40}") {
        if let Err(error) = Credentials::parse(&text) {
            // Variables are named on purpose; everything else stays unsaid.
            let named = text.starts_with('$');
            prop_assert!(text.len() < 8 || named || !error.to_string().contains(&text), "{}", error);
        }
    }
}
