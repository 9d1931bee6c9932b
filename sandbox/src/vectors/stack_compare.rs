//! What counts as the same answer of The Things Stack. Everything does, but for what is another each time: times, ids of
//! what the server made itself, and correlation ids have to have the form; rights are a set.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use prost::Message;
use serde_json::{Map, Value};
use ttn_auth::proto::rpc::Status;

use super::compare::Findings;
use super::file::Pairs;
use super::grpc::GrpcAnswer;
use super::http::HttpAnswer;
use super::stack_file::pairs;

/// How an answer is framed is the HTTP library's business; a cookie's value and a time are another each time.
const NOT_COMPARED: [&str; 6] =
    ["connection", "content-length", "date", "set-cookie", "transfer-encoding", REQUEST_ID];

/// What a server gives each request, or gives back.
const REQUEST_ID: &str = "x-request-id";

/// What is in place of a value that has the form of its kind.
fn form(text: &str) -> Option<&'static str> {
    let all = |set: fn(&u8) -> bool| text.bytes().all(|byte| set(&byte));
    let base32 = |byte: &u8| byte.is_ascii_uppercase() || (b'2'..=b'7').contains(byte);
    let uuid = || {
        let parts: Vec<usize> = text.split('-').map(str::len).collect();
        parts == [8, 4, 4, 4, 12]
            && all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase() || *byte == b'-')
    };
    match text.len() {
        32 if all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte)) => Some("<correlation id>"),
        36 if uuid() => Some("<session>"),
        // All the same letter is an id of the recording's own, which nobody has.
        39 if text.bytes().all(|byte| base32(&byte)) && !all(|byte| *byte == b'A') => Some("<id>"),
        _ if crate::stack::is_time(text) => Some("<time>"),
        _ => None,
    }
}

/// Which fields hold what is another each time.
fn varies(name: &str, within: &str) -> bool {
    match name {
        "correlation_id" | "created_at" | "updated_at" | "session_id" | "user_session_id" | "api_key_id"
        | "access_token_id" => true,
        // A key's is what it was made with.
        "id" | "expires_at" => within == "oauth_access_token" || name == "id",
        _ => false,
    }
}

/// The same JSON with what varies replaced by its form, and rights in order.
fn normal(value: &Value, name: &str, within: &str) -> Value {
    match value {
        Value::String(text) if varies(name, within) => match form(text) {
            Some(form) => form.into(),
            None => value.clone(),
        },
        Value::Array(list) => {
            let mut list: Vec<Value> = list.iter().map(|item| normal(item, name, within)).collect();
            if name == "rights" {
                list.sort_by_key(Value::to_string);
            }
            list.into()
        }
        Value::Object(fields) => {
            let inner = |(field, value): (&String, &Value)| (field.clone(), normal(value, field, name));
            fields.iter().map(inner).collect::<Map<_, _>>().into()
        }
        _ => value.clone(),
    }
}

fn json(found: &mut Findings, what: &str, expected: &Value, came: &Value) {
    found.json(what, &normal(expected, "", ""), &normal(came, "", ""));
}

/// A request's id is the one that was sent, or a ULID. Over HTTP it was not recorded.
fn request_id(found: &mut Findings, recorded: &Pairs, sent: &Pairs, came: &Pairs) {
    let of = |pairs: &Pairs| pairs.iter().find(|(name, _)| name.eq_ignore_ascii_case(REQUEST_ID)).cloned();
    let expected = of(recorded).or_else(|| of(sent)).map(|(_, id)| id).filter(|id| !is_ulid(id));
    match (expected, of(came)) {
        (Some(expected), Some((_, came))) => found.same(REQUEST_ID, &expected, &came),
        (None, Some((_, came))) if is_ulid(&came) => {}
        (_, came) => found.differ(REQUEST_ID, "one", &format!("{came:?}")),
    }
}

fn is_ulid(text: &str) -> bool {
    text.len() == 26 && text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
}

/// Names in lower case and in order, with what is compared.
fn comparable(pairs: &Pairs) -> Pairs {
    let lower = |(name, value): &(String, String)| (name.to_ascii_lowercase(), value.clone());
    let mut kept: Pairs =
        pairs.iter().map(lower).filter(|(name, _)| !NOT_COMPARED.contains(&&**name)).collect();
    kept.sort_by(|(a, _), (b, _)| a.cmp(b));
    kept
}

pub(super) fn http(expect: &Map<String, Value>, sent: &Pairs, came: &HttpAnswer) -> Findings {
    let mut found = Findings::default();
    found.same("status", &expect["status"].as_i64(), &Some(came.status));
    let recorded = match pairs(expect, "headers") {
        Ok(recorded) => recorded,
        Err(why) => {
            found.differ("headers", "a list", &why);
            return found;
        }
    };
    found.same("headers", &comparable(&recorded), &comparable(&came.headers));
    let text = String::from_utf8_lossy(&came.body);
    match &expect["body"] {
        Value::String(body) => found.same("body", &&**body, &&*text),
        body => match serde_json::from_str(&text) {
            Ok(came) => json(&mut found, "body", body, &came),
            Err(_) => found.differ("body", &body.to_string(), &text),
        },
    }
    // What Go's server refuses by itself has no id.
    if came.status != 431 {
        request_id(&mut found, &recorded, sent, &came.headers);
        let cookie =
            came.headers.iter().any(|(name, value)| name == "set-cookie" && value.starts_with("_csrf="));
        let varies =
            recorded.iter().any(|(name, value)| name.eq_ignore_ascii_case("vary") && value == "Cookie");
        found.same("set-cookie: _csrf", &varies, &cookie);
    }
    found
}

/// `decode` reads the answer's message.
pub(super) fn grpc(
    expect: &Map<String, Value>,
    sent: &Pairs,
    came: &GrpcAnswer,
    decode: impl Fn(&[u8]) -> Result<Value, String>,
) -> Findings {
    let mut found = Findings::default();
    found.same("code_num", &expect["code_num"].as_i64(), &Some(came.code));
    if let Some(code) = expect.get("code") {
        found.same("code", &code.as_str(), &Some(code_name(came.code)));
    }
    found.same("message", &text(expect.get("message")), &came.message.as_str());
    let listed = |name: &str| lists(expect.get(name));
    found.same("header", &comparable(&listed("header")), &comparable(&came.initial_metadata));
    request_id(&mut found, &listed("header"), sent, &came.initial_metadata);
    let sizes: Pairs = came
        .trailers
        .iter()
        .filter(|(name, _)| !name.starts_with("grpc-status") || name.ends_with("-bin"))
        .cloned()
        .collect();
    let sizes: Pairs = sizes.into_iter().filter(|(name, _)| name != "grpc-message").map(sized).collect();
    found.same("trailer", &listed("trailer"), &sizes);
    let details = details(came).unwrap_or_else(|why| why.into());
    json(&mut found, "details", expect.get("details").unwrap_or(&Value::Null), &details);
    let response = match came.response.as_deref() {
        None => Value::Null,
        Some(bytes) => decode(bytes).map_or_else(Value::from, |message| vec![message].into()),
    };
    json(&mut found, "response", expect.get("response").unwrap_or(&Value::Null), &response);
    found
}

fn text(value: Option<&Value>) -> &str {
    value.and_then(Value::as_str).unwrap_or_default()
}

/// Metadata as a map of lists.
fn lists(map: Option<&Value>) -> Pairs {
    let mut pairs = Pairs::new();
    for (name, values) in map.and_then(Value::as_object).into_iter().flatten() {
        match values.as_array() {
            Some(values) => pairs.extend(values.iter().map(|value| {
                (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            })),
            None => pairs.push((name.clone(), values.to_string())),
        }
    }
    pairs
}

/// Of binary metadata, its length was recorded.
fn sized((name, value): (String, String)) -> (String, String) {
    let value = match STANDARD_NO_PAD.decode(&value) {
        Ok(bytes) if name.ends_with("-bin") => format!("<{} bytes>", bytes.len()),
        _ => value,
    };
    (name, value)
}

/// What `grpc-status-details-bin` holds, which says the same as code and message.
fn details(came: &GrpcAnswer) -> Result<Value, String> {
    let Some((_, text)) = came.trailers.iter().find(|(name, _)| name == "grpc-status-details-bin") else {
        return Ok(Value::Null);
    };
    let bytes = STANDARD_NO_PAD.decode(text).map_err(|e| e.to_string())?;
    let status = Status::decode(bytes.as_slice()).map_err(|e| e.to_string())?;
    if (i64::from(status.code), &status.message) != (came.code, &came.message) {
        return Err("another code or message than grpc-status has".into());
    }
    serde_json::to_value(status).map(|status| status["details"].clone()).map_err(|e| e.to_string())
}

/// gRPC's codes by their names.
fn code_name(code: i64) -> &'static str {
    const NAMES: [&str; 17] = [
        "OK",
        "Canceled",
        "Unknown",
        "InvalidArgument",
        "DeadlineExceeded",
        "NotFound",
        "AlreadyExists",
        "PermissionDenied",
        "ResourceExhausted",
        "FailedPrecondition",
        "Aborted",
        "OutOfRange",
        "Unimplemented",
        "Internal",
        "Unavailable",
        "DataLoss",
        "Unauthenticated",
    ];
    usize::try_from(code).ok().and_then(|code| NAMES.get(code)).copied().unwrap_or("none")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_varies_counts_by_its_form_and_rights_as_a_set() {
        let answer = |time: &str, rights: Value, name: &str| json!({ "id": "K", "created_at": time, "rights": rights, "name": name });
        let same = |a: &Value, b: &Value| normal(a, "", "") == normal(b, "", "");
        let recorded = answer("2026-11-24T09:43:10.079817Z", json!(["B", "A"]), "n");
        assert!(same(&recorded, &answer("2030-01-01T00:00:00Z", json!(["A", "B"]), "n")));
        assert!(!same(&recorded, &answer("soon", json!(["A", "B"]), "n")));
        assert!(!same(&recorded, &answer("2030-01-01T00:00:00Z", json!(["A"]), "n")));
        assert!(!same(&recorded, &answer("2030-01-01T00:00:00Z", json!(["A", "B"]), "m")));
        // A key says when it expires, an OAuth token when it was made.
        let within = |name: &str, time: &str| json!({ name: { "expires_at": time } });
        assert!(same(
            &within("oauth_access_token", "2030-01-01T00:00:00Z"),
            &within("oauth_access_token", "2031-01-01T00:00:00Z")
        ));
        assert!(!same(
            &within("api_key", "2030-01-01T00:00:00Z"),
            &within("api_key", "2031-01-01T00:00:00Z")
        ));
    }

    #[test]
    fn an_id_that_nobody_has_is_itself() {
        assert_eq!(form(&"A".repeat(39)), None);
        assert_eq!(form("4ADWA5MVOMQKGM6FV6T2GOONP2JFKRSZTKA53II"), Some("<id>"));
        assert_eq!(form("4ADWA5MVOMQKGM6FV6T2GOONP2JFKRSZTKA53I!"), None);
        assert_eq!(form("e4a49853-edb1-41e6-a6d1-2b64ee21cc69"), Some("<session>"));
    }
}
