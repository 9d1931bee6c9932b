use super::*;
use crate::vectors::Vector;

const VALID: &str = r#"[["token", "{{token kind=valid}}"]]"#;
const OK: &str = r#"{"code": 0, "message": "", "response": null}"#;

fn grpc(method: &str, app: &str, metadata: &str, expect: &str) -> String {
    format!(
        r#"{{"name": "v", "group": "g", "transport": "grpc", "method": "/handler.ApplicationManager/{method}",
            "request": {{"app_id": "{app}"}}, "metadata": {metadata}, "expect": {expect}}}"#
    )
}

fn status(code: i64, message: &str) -> String {
    format!(r#"{{"code": {code}, "message": "{message}", "response": null}}"#)
}

fn http(path: &str, headers: &str, status: i64, body: &str) -> String {
    let body = Value::from(body);
    format!(
        r#"{{"name": "v", "group": "g", "transport": "http", "method": "GET", "path": "{path}", "headers": {headers},
            "body": null, "expect": {{"status": {status}, "headers": [], "body": {body}}}}}"#
    )
}

async fn verdicts(vectors: &[String], compat: Compat) -> Vec<Verdict> {
    let file = VectorFile::parse(&format!(r#"{{"vectors": [{}]}}"#, vectors.join(","))).unwrap();
    let report = run_authenticator(&file, compat).await.unwrap();
    report.outcomes.into_iter().map(|outcome| outcome.verdict).collect()
}

fn parsed(vector: &str) -> Vector {
    VectorFile::parse(&format!(r#"{{"vectors": [{vector}]}}"#)).unwrap().vectors.remove(0)
}

#[tokio::test]
async fn a_verdict_a_code_and_a_text_that_differ_fail() {
    let denied = r#"permission denied: No \"devices\" rights to Application \"test-app\""#;
    let nodevices = r#"[["token", "{{token kind=nodevices}}"]]"#;
    let vectors = [
        grpc("GetDevice", "test-app", VALID, OK),
        grpc("GetDevice", "test-app", nodevices, &status(7, denied)),
        grpc("GetDevice", "test-app", nodevices, OK),
        grpc("GetDevice", "test-app", VALID, &status(7, denied)),
        grpc("GetDevice", "test-app", nodevices, &status(16, denied)),
        grpc("GetDevice", "test-app", nodevices, &status(7, "permission denied: no")),
        // Not found, after the credential was found good.
        grpc("GetDevice", "test-app", VALID, &status(5, "handler:device:test-app:x not found")),
        grpc("GetDevice", "test-app", "[]", &status(5, "handler:device:test-app:x not found")),
    ];
    let passes = [true, true, false, false, false, false, true, false];
    let found = verdicts(&vectors, Compat::V2).await;
    assert_eq!(
        found.iter().map(|verdict| *verdict == Verdict::Passed(vec![])).collect::<Vec<_>>(),
        passes,
        "{found:?}"
    );
    // By default only who is let in counts.
    let found = verdicts(&vectors, Compat::None).await;
    let passes = [true, true, false, false, true, true, true, false];
    assert_eq!(
        found.iter().map(|verdict| *verdict == Verdict::Passed(vec![])).collect::<Vec<_>>(),
        passes,
        "{found:?}"
    );
}

#[tokio::test]
async fn what_is_no_matter_of_authentication_is_left_out_by_a_rule() {
    let invalid = status(3, "Invalid Device: DevID not valid: can not be empty");
    let auth = r#"[["Authorization", "Bearer {{token kind=valid}}"]]"#;
    let found = verdicts(
        &[
            grpc("DryUplink", "test-app", "[]", OK),
            grpc("SetDevice", "test-app", VALID, &invalid),
            grpc("SetDevice", "test-app", VALID, r#"{"transport_error": true}"#),
            http("/nope", "[]", 404, "Not Found"),
            http("/applications/test-app/devices", "[]", 400, "x"),
            grpc("Unheard", "test-app", VALID, OK),
            http("/nope", "[]", 200, "{}"),
            http("/applications/test-app/devices?limit=1", auth, 200, "{}"),
        ],
        Compat::V2,
    )
    .await;
    use Exception::{BeforeAuthentication as Before, NoCredential};
    assert_eq!(found[..5], [NoCredential, Before, Before, Before, Before].map(Verdict::LeftOut), "{found:?}");
    assert!(matches!(found[5..7], [Verdict::Failed(_), Verdict::Failed(_)]), "{found:?}");
    assert_eq!(found[7], Verdict::Passed(vec![]));
}

#[tokio::test]
async fn only_a_large_token_is_an_exception_by_default() {
    let large = r#"[["token", "{{token kind=valid pad=50000}}"]]"#;
    let expired = r#"[["token", "{{token kind=expired}}"]]"#;
    let vectors = [grpc("GetDevice", "test-app", large, OK), grpc("GetDevice", "test-app", expired, OK)];
    let found = verdicts(&vectors, Compat::None).await;
    assert_eq!(found[0], Verdict::Passed(vec![Exception::LargeToken]));
    assert!(matches!(found[1], Verdict::Failed(_)), "{found:?}");
    assert_eq!(verdicts(&vectors[..1], Compat::V2).await, [Verdict::Passed(vec![])]);
}

#[test]
fn a_refusal_is_told_by_its_words() {
    let of =
        |expect: &str| recorded(parsed(&grpc("GetDevice", "a", "[]", expect)).exchange.as_ref().unwrap());
    let refused = |code, message: &str| Some(Recorded::Refused(Some(code), message.to_owned()));
    for (code, message, expected) in [
        (
            3,
            "Metadata not valid: neither token nor key present",
            refused(3, "Metadata not valid: neither token nor key present"),
        ),
        (2, "invalid access key", refused(2, "invalid access key")),
        (2, "strconv.ParseUint: parsing", Some(Recorded::Accepted)),
        (3, "Invalid Application Identifier: AppID not valid: can not be empty", None),
        (13, "grpc: error unmarshalling request: x", None),
    ] {
        assert_eq!(of(&status(code, message)), expected, "{message}");
    }
}
