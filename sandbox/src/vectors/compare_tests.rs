//! What counts as the same, and what as different.

use super::*;
use serde_json::json;

fn pairs(pairs: &[(&str, &str)]) -> Pairs {
    pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

fn sent(method: &str, request: Value) -> GrpcRequest {
    GrpcRequest { method: method.into(), request, request_base64: None, metadata: Pairs::new() }
}

fn error(code: i64, message: &str) -> GrpcAnswer {
    GrpcAnswer { code, message: message.into(), ..GrpcAnswer::default() }
}

fn compare_error(expected: (i64, &str), came: &GrpcAnswer) -> Findings {
    let expected = GrpcStatus {
        code: expected.0,
        message: expected.1,
        response: &Value::Null,
        response_base64: None,
        initial_metadata: &Pairs::new(),
    };
    grpc(&sent("/a.B/C", json!({})), None, &expected, came)
}

fn body(status: i64, expected: &str, came: &str) -> Findings {
    let headers = pairs(&[("content-type", "application/json")]);
    let expected = HttpExpectation { status, headers: headers.clone(), body: expected.into() };
    http(&expected, &HttpAnswer { status, headers, body: came.into() })
}

#[test]
fn errors_are_compared_by_code_and_text() {
    assert!(compare_error((3, "a"), &error(3, "a")).differences.is_empty());
    assert_eq!(compare_error((3, "a"), &error(4, "b")).differences.len(), 2);
}

#[test]
fn an_unreadable_token_is_compared_up_to_its_details() {
    let found = compare_error((7, &format!("{UNREADABLE}x")), &error(7, &format!("{UNREADABLE}y")));
    assert_eq!((found.differences.len(), found.exceptions), (0, vec![Exception::UnreadableToken]));
    let same = compare_error((7, &format!("{UNREADABLE}x")), &error(7, &format!("{UNREADABLE}x")));
    assert_eq!((same.differences.len(), same.exceptions.len()), (0, 0));
    let cut = compare_error(
        (7, "permission denied: unable to parse Token: x"),
        &error(7, &format!("{UNREADABLE}x")),
    );
    assert_eq!(cut.differences.len(), 1);
}

#[test]
fn initial_metadata_is_compared_by_the_recorded_names() {
    let method = message::method("/handler.ApplicationManager/GetDevicesForApplication").unwrap();
    let list = |recorded: Pairs, came: Pairs| {
        let expected = GrpcStatus {
            code: 0,
            message: "",
            response: &json!({}),
            response_base64: None,
            initial_metadata: &recorded,
        };
        let answer = GrpcAnswer { response: Some(vec![]), initial_metadata: came, ..GrpcAnswer::default() };
        grpc(&sent("/x", json!({})), Some(&method), &expected, &answer).differences.len()
    };
    let recorded = || pairs(&[("selected", "1"), ("total", "2")]);
    assert_eq!(list(recorded(), pairs(&[("content-type", "x"), ("total", "2"), ("selected", "1")])), 0);
    assert_eq!(list(recorded(), pairs(&[("total", "1"), ("selected", "1")])), 1);
    assert_eq!(list(recorded(), pairs(&[("total", "2")])), 1);
    assert_eq!(list(pairs(&[]), pairs(&[("total", "2")])), 1);
}

#[test]
fn a_response_is_compared_as_json_and_as_bytes() {
    let method = message::method("/handler.ApplicationManager/GetApplication").unwrap();
    let read = |json: Value, base64: Option<&str>, bytes: Option<&[u8]>| {
        let expected = GrpcStatus {
            code: 0,
            message: "",
            response: &json,
            response_base64: base64,
            initial_metadata: &Pairs::new(),
        };
        let answer = GrpcAnswer { response: bytes.map(<[u8]>::to_vec), ..GrpcAnswer::default() };
        let found = grpc(&sent("/x", json!({})), Some(&method), &expected, &answer);
        (found.differences.len(), found.exceptions)
    };
    let bytes: &[u8] = &[0x0a, 1, b'a'];
    assert_eq!(read(json!({"app_id": "a"}), Some("CgFh"), Some(bytes)).0, 0);
    assert_eq!(read(json!({"app_id": "b"}), Some("CgFh"), Some(bytes)).0, 1);
    assert_eq!(read(json!({"app_id": "a"}), Some("CgFi"), Some(bytes)).0, 1);
    assert_eq!(read(json!({"app_id": "a"}), Some("!"), Some(bytes)).0, 1);
    assert_eq!(read(json!({"app_id": "a"}), None, None).0, 1);
    assert_eq!(read(Value::Null, None, Some(bytes)).0, 1);

    let key = |text: &str| [&[0x3a, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let leak = || json!({ ACCESS_KEY: "zzz.<...>" });
    assert_eq!(read(leak(), Some("Og=="), Some(&key("<...>"))), (0, vec![Exception::HiddenKey]));
    assert_eq!(read(leak(), None, Some(&key("zzx.<...>"))).0, 1);
}

#[test]
fn a_payload_function_gives_12_unless_the_request_is_wrong() {
    let request = json!({"app": {"decoder": "function"}});
    let run = |expected: i64, came: &GrpcAnswer| {
        let expected = GrpcStatus {
            code: expected,
            message: "",
            response: &Value::Null,
            response_base64: None,
            initial_metadata: &Pairs::new(),
        };
        grpc(&sent("/handler.ApplicationManager/DryUplink", request.clone()), None, &expected, came)
    };
    let found = run(0, &error(12, "no JavaScript engine"));
    assert_eq!((found.differences.len(), found.exceptions), (0, vec![Exception::PayloadFunction]));
    assert_eq!(run(0, &error(12, "")).differences.len(), 1);
    assert_eq!(run(0, &error(0, "x")).differences.len(), 1);
    assert_eq!(run(3, &error(12, "x")).differences.len(), 2);
}

#[test]
fn http_errors_are_compared_by_their_text_and_400_by_code() {
    let error = |code: i64, text: &str| json!({"error": text, "code": code, "message": text}).to_string();
    assert_eq!(body(500, &error(2, "a"), &error(2, "a")).differences.len(), 0);
    assert_eq!(body(500, &error(2, "a"), &error(2, "b")).differences.len(), 2);
    assert_eq!(body(500, &error(2, "a"), &error(3, "a")).differences.len(), 1);
    assert_eq!(body(500, &error(2, "a"), r#"{"error":"a","code":2}"#).differences.len(), 1);
    assert_eq!(body(500, r#"{"error":"a","code":2}"#, &error(2, "a")).differences.len(), 1);
    assert_eq!(body(500, "{", "{}").differences.len(), 1);
    let bad = body(400, &error(3, "a"), &error(3, "b"));
    assert_eq!((bad.differences.len(), bad.exceptions), (0, vec![Exception::BadRequestText]));
    assert_eq!(body(400, &error(3, "a"), &error(2, "b")).differences.len(), 1);
    let token = |details: &str| error(2, &format!("{UNREADABLE}{details}"));
    assert_eq!(body(500, &token("x"), &token("y")).exceptions, [Exception::UnreadableToken]);
}

#[test]
fn headers_are_compared_in_both_directions() {
    let compare = |recorded: Pairs, came: Pairs| {
        let expected = HttpExpectation { status: 404, headers: recorded, body: "x".into() };
        http(&expected, &HttpAnswer { status: 404, headers: came, body: b"x".to_vec() }).differences.len()
    };
    let text = ("content-type", "text/plain");
    assert_eq!(
        compare(pairs(&[text, ("trailer", "x")]), pairs(&[text, ("date", "now"), ("x-other", "1")])),
        0
    );
    assert_eq!(compare(pairs(&[text]), pairs(&[("content-type", "text/html")])), 1);
    assert_eq!(compare(pairs(&[]), pairs(&[text])), 1);
    assert_eq!(compare(pairs(&[text]), pairs(&[text, ("grpc-metadata-total", "1")])), 1);
    assert_eq!(compare(pairs(&[text, ("Grpc-Metadata-Total", "1")]), pairs(&[text])), 1);
    assert_eq!(compare(pairs(&[text, ("X-Content-Type-Options", "nosniff")]), pairs(&[text])), 1);
}

#[test]
fn numbers_are_compared_by_value() {
    assert!(same_json(&json!({"a": [1.0, null]}), &json!({"a": [1, null]})));
    assert!(!same_json(&json!({"a": 1}), &json!({"a": "1"})));
    assert!(!same_json(&json!({"a": 1}), &json!({"a": 1, "b": 0})));
    assert!(!same_json(&json!([1]), &json!([1, 2])));
}
