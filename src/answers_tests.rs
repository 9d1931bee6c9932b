use super::*;

fn expired() -> Error {
    Error::new(ErrorKind::TokenExpired, "permission denied: unable to parse token: token is expired by 1s")
        .with_grpc_code(7)
}

#[test]
fn each_cause_has_its_status_and_code() {
    use ErrorKind::*;
    for (kind, given, http, grpc, unauthenticated, v2) in [
        (MissingCredentials, Some(3), 401, 3, 16, 3),
        (InvalidToken, Some(7), 401, 7, 16, 7),
        (TokenExpired, Some(7), 401, 7, 16, 7),
        (TokenNotYetValid, Some(7), 401, 7, 16, 7),
        (UnknownIssuer, Some(7), 401, 7, 16, 7),
        (UnknownIssuer, Some(2), 401, 2, 16, 2),
        (InvalidKey, Some(2), 401, 2, 16, 2),
        (InvalidCredentials, None, 401, 7, 16, 7),
        (PermissionDenied, Some(7), 403, 7, 7, 7),
        (InvalidArgument, None, 400, 3, 3, 3),
        (NotFound, None, 404, 5, 5, 5),
        (AlreadyExists, None, 409, 6, 6, 6),
        (RateLimited, None, 429, 8, 8, 8),
        (ExchangeUnavailable, Some(2), 503, 14, 14, 2),
        (Timeout, None, 503, 14, 14, 2),
        (Tls, Some(2), 503, 14, 14, 2),
        (Redirect, Some(2), 503, 14, 14, 2),
        (Protocol, None, 503, 14, 14, 2),
        (Server, None, 503, 14, 14, 2),
        (Internal, None, 503, 14, 14, 2),
    ] {
        let error = Error::new(kind, "m");
        let error = given.map_or(error.clone(), |code| error.with_grpc_code(code));
        let standard = Answers::standard();
        assert_eq!((standard.http(&error).status, standard.grpc(&error).code), (http, grpc), "{kind}");
        assert_eq!(standard.with_unauthenticated().grpc(&error).code, unauthenticated, "{kind}");
        assert_eq!((Answers::v2().http(&error).status, Answers::v2().grpc(&error).code), (500, v2));
    }
}

#[test]
fn headers_are_those_of_rfc_6750() {
    let header = |error: &Error, name: &str| {
        let headers = Answers::standard().http(error).headers;
        headers.into_iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    };
    let challenge = |error: &Error| header(error, "www-authenticate").unwrap();
    assert_eq!(
        challenge(&expired()),
        "Bearer error=\"invalid_token\", \
         error_description=\"permission denied: unable to parse token: token is expired by 1s\""
    );
    let missing = Error::new(ErrorKind::MissingCredentials, "neither token nor key present");
    assert_eq!(challenge(&missing), "Bearer realm=\"The Things Network\"");
    let denied = Error::new(ErrorKind::PermissionDenied, "No \"devices\" rights\\\r\nX: é");
    assert_eq!(
        challenge(&denied),
        "Bearer error=\"insufficient_scope\", error_description=\"No 'devices' rights'??X: ?\""
    );
    let limited = Error::new(ErrorKind::RateLimited, "m");
    assert_eq!(header(&limited, "retry-after").unwrap(), "1");
    let down = Error::new(ErrorKind::ExchangeUnavailable, "m");
    assert_eq!(
        header(&down.clone().with_retry_after(Duration::from_millis(2001)), "retry-after").unwrap(),
        "3"
    );
    assert_eq!(header(&down, "www-authenticate"), None);
    assert_eq!(Answers::v2().http(&expired()).headers, [("content-type", "application/json".to_owned())]);
}

#[test]
fn bodies_are_v2s_and_say_nothing_of_the_account_server() {
    let message = expired().message().to_owned();
    let body = |answers: Answers, error: &Error| {
        serde_json::from_str::<serde_json::Value>(&answers.http(error).body).unwrap()
    };
    for (answers, code) in [(Answers::standard(), 7), (Answers::v2(), 2)] {
        let expected = serde_json::json!({"error": message, "code": code, "message": message});
        assert_eq!(body(answers, &expired()), expected);
    }
    let down = Error::new(ErrorKind::ExchangeUnavailable, "Post \"http://10.0.0.1/\": connection refused");
    assert_eq!(body(Answers::standard(), &down)["message"], CANNOT_TELL);
    assert_eq!(Answers::standard().grpc(&down).message, CANNOT_TELL);
    assert_eq!(Answers::v2().grpc(&down).message, down.message());
}

#[test]
fn a_client_tells_the_same_cause_from_either_answer() {
    use crate::classify::{Status, classify};
    use ErrorKind::*;
    let errors = [
        Error::new(MissingCredentials, "Metadata not valid: neither token nor key present").with_grpc_code(3),
        expired(),
        Error::new(InvalidKey, "bad").with_grpc_code(2),
        Error::new(InvalidKey, "invalid access key").with_grpc_code(2),
        Error::new(UnknownIssuer, "Auth server \"x\" not registered").with_grpc_code(2),
        Error::new(PermissionDenied, "permission denied: No \"devices\" rights to Application \"a\""),
        Error::new(InvalidArgument, "an access key belongs to an application: say which"),
        Error::new(RateLimited, "m"),
        Error::new(ExchangeUnavailable, "down"),
    ];
    for answers in [Answers::standard(), Answers::standard().with_unauthenticated()] {
        for error in &errors {
            let (http, grpc) = (answers.http(error), answers.grpc(error));
            let kind = classify(Status::Grpc(grpc.code), &grpc.message);
            assert_eq!(kind, error.kind(), "{error}");
            assert_eq!(kind, classify(Status::Http(http.status), &grpc.message), "{error}");
        }
    }
}
