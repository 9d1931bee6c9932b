//! What counts as the same answer, and the few exceptions, each by a rule with a name.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::file::{GrpcRequest, HttpExpectation, Pairs};
use super::grpc::GrpcAnswer;
use super::http::HttpAnswer;
use super::message::{self, Method};

/// What a Handler says before the details of a token that it cannot read; the details are its JWT library's.
const UNREADABLE: &str = "permission denied: unable to parse token: ";

/// `Unimplemented`.
const UNIMPLEMENTED: i64 = 12;

/// `InvalidArgument`: found before a payload function would run.
const INVALID_ARGUMENT: i64 = 3;

/// Why an answer that differs from the recorded one is right all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exception {
    /// A message about a token that cannot be parsed is compared up to its details.
    UnreadableToken,
    /// The text of a 400 is compared by its code.
    BadRequestText,
    /// `GetStatus` is compared by its code: load and memory differ.
    GetStatus,
    /// A payload function would run: 12 is expected, as there is no JavaScript engine.
    PayloadFunction,
    /// A Handler shows the secret half of `register_on_join_access_key`; the sandbox does not.
    HiddenKey,
    /// Left out: an http crate cannot send this metadata.
    CannotSend,
    /// Left out for an authenticator: answered before anybody was asked who they are.
    BeforeAuthentication,
    /// Left out for an authenticator: the call needs no credential.
    NoCredential,
    /// An authenticator that is not to be as V2 refuses a token of this size.
    LargeToken,
    /// Left out: a step of a sequence with The Things Stack, whose tokens are not in the file.
    Sequence,
    /// Left out: the client that The Things Stack was recorded with refused to send it.
    RecorderRefused,
    /// Left out for an authenticator: it is about The Things Stack, which is asked itself who is calling.
    OtherNetwork,
}

impl Exception {
    /// The rule, in words.
    pub const fn rule(self) -> &'static str {
        match self {
            Self::UnreadableToken => "compared up to \"permission denied: unable to parse token: \"",
            Self::BadRequestText => "a 400's text compared by its code",
            Self::GetStatus => "GetStatus compared by its code",
            Self::PayloadFunction => "would run a payload function: 12 Unimplemented expected",
            Self::HiddenKey => "the secret half of register_on_join_access_key is not shown",
            Self::CannotSend => "left out: an http crate cannot send this metadata",
            Self::BeforeAuthentication => {
                "left out: answered before the credential is looked at (no such route or method, nothing that can be \
                 decoded or sent, an id that is none)"
            }
            Self::NoCredential => "left out: needs no credential",
            Self::LargeToken => "accepted by V2, refused by default: a token of more than 64 KiB",
            Self::Sequence => {
                "left out as groups: sequences whose tokens are redacted, to be played again by tests"
            }
            Self::RecorderRefused => {
                "left out: the recording client refused to send it, the server answered nothing"
            }
            Self::OtherNetwork => "left out: of The Things Stack, not V2",
        }
    }
}

/// What was found in one comparison.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) differences: Vec<String>,
    pub(super) exceptions: Vec<Exception>,
}

impl Findings {
    pub(super) fn differ(&mut self, what: &str, expected: &str, came: &str) {
        self.differences.push(format!("{what}: expected {expected}, came {came}"));
    }

    pub(super) fn same<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, expected: &T, came: &T) {
        if expected != came {
            self.differ(what, &format!("{expected:?}"), &format!("{came:?}"));
        }
    }

    fn except(&mut self, exception: Exception) {
        if !self.exceptions.contains(&exception) {
            self.exceptions.push(exception);
        }
    }

    /// An error's text; the details of an unreadable token do not count.
    pub(super) fn message(&mut self, what: &str, expected: &str, came: &str) {
        if expected != came && expected.starts_with(UNREADABLE) && came.starts_with(UNREADABLE) {
            self.except(Exception::UnreadableToken);
        } else {
            self.same(what, &expected, &came);
        }
    }

    pub(super) fn json(&mut self, what: &str, expected: &Value, came: &Value) {
        if !same_json(expected, came) {
            self.differ(what, &expected.to_string(), &came.to_string());
        }
    }
}

/// The recorded half of a gRPC comparison.
pub(super) struct GrpcStatus<'a> {
    pub(super) code: i64,
    pub(super) message: &'a str,
    pub(super) response: &'a Value,
    pub(super) response_base64: Option<&'a str>,
    pub(super) initial_metadata: &'a Pairs,
}

pub(super) fn grpc(
    sent: &GrpcRequest,
    method: Option<&Method>,
    expected: &GrpcStatus<'_>,
    came: &GrpcAnswer,
) -> Findings {
    let mut found = Findings::default();
    if sent.method == "/handler.HandlerManager/GetStatus" {
        found.except(Exception::GetStatus);
        found.same("code", &expected.code, &came.code);
        return found;
    }
    if expected.code != INVALID_ARGUMENT && message::runs_function(&sent.method, &sent.request) {
        found.except(Exception::PayloadFunction);
        found.same("code", &UNIMPLEMENTED, &came.code);
        if came.message.is_empty() {
            found.differ("message", "a clear text", "nothing");
        }
        return found;
    }
    found.same("code", &expected.code, &came.code);
    found.message("message", expected.message, &came.message);
    // What a server or library adds for itself (content-type, date) is not recorded.
    let names = |pairs: &Pairs| -> Vec<String> { pairs.iter().map(|(name, _)| name.clone()).collect() };
    let mut compared = names(expected.initial_metadata);
    compared.extend(["total".to_owned(), "selected".to_owned()]);
    let (wanted, got) = (only(expected.initial_metadata, &compared), only(&came.initial_metadata, &compared));
    found.same("initial metadata", &wanted, &got);
    response(&mut found, method, expected, came.response.as_deref());
    found
}

fn response(found: &mut Findings, method: Option<&Method>, expected: &GrpcStatus<'_>, came: Option<&[u8]>) {
    let Some(bytes) = came else {
        return if !expected.response.is_null() || expected.response_base64.is_some() {
            found.differ("response", &expected.response.to_string(), "none");
        };
    };
    let Some(method) = method else {
        return found.differ("response", &expected.response.to_string(), "a message of an unknown method");
    };
    let decoded = match (method.decode)(bytes) {
        Ok(decoded) => decoded,
        Err(why) => return found.differ("response", &expected.response.to_string(), &why),
    };
    if hides_key(expected.response, &decoded.json) {
        // The bytes differ in the same field only: the JSON says all there is.
        found.except(Exception::HiddenKey);
        let key = decoded.json.get(ACCESS_KEY).cloned().unwrap_or_default();
        let mut adjusted = expected.response.clone();
        adjusted[ACCESS_KEY] = key;
        return found.json("response", &adjusted, &decoded.json);
    }
    found.json("response", expected.response, &decoded.json);
    if let Some(text) = expected.response_base64 {
        let recorded =
            STANDARD.decode(text).map_err(|e| e.to_string()).and_then(|recorded| (method.decode)(&recorded));
        match recorded {
            Ok(recorded) if recorded.canonical == decoded.canonical => {}
            Ok(_) => found.differ("response_base64", text, &STANDARD.encode(bytes)),
            Err(why) => found.differ("response_base64", &format!("{text} ({why})"), &STANDARD.encode(bytes)),
        }
    }
}

const ACCESS_KEY: &str = "register_on_join_access_key";

/// Whether the recorded answer leaks the secret half of a key (`SECRET.<...>`) and ours shows `<...>` alone.
fn hides_key(recorded: &Value, came: &Value) -> bool {
    let key = |value: &Value| value.get(ACCESS_KEY).and_then(Value::as_str).map(str::to_owned);
    key(recorded).is_some_and(|key| key.ends_with(".<...>")) && key(came).as_deref() == Some("<...>")
}

pub(super) fn http(expected: &HttpExpectation, came: &HttpAnswer) -> Findings {
    /// How an answer is framed is the HTTP library's business; an HTTP/1.1 gateway announces trailers it never fills.
    const NOT_COMPARED: [&str; 5] = ["connection", "content-length", "date", "trailer", "transfer-encoding"];
    let mut found = Findings::default();
    found.same("status", &expected.status, &came.status);
    let lower: Pairs =
        expected.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
    let mut names: Vec<&str> = vec!["content-type"];
    names.extend(lower.iter().chain(&came.headers).map(|(name, _)| name.as_str()).filter(|name| {
        name.starts_with("grpc-metadata-") || lower.iter().any(|(recorded, _)| recorded == name)
    }));
    names.sort_unstable();
    names.dedup();
    for name in names.into_iter().filter(|name| !NOT_COMPARED.contains(name)) {
        let values = |pairs: &Pairs| -> Vec<String> {
            pairs.iter().filter(|(other, _)| other == name).map(|(_, value)| value.clone()).collect()
        };
        found.same(name, &values(&lower), &values(&came.headers));
    }
    let is_json =
        lower.iter().any(|(name, value)| name == "content-type" && value.starts_with("application/json"));
    let text = String::from_utf8_lossy(&came.body);
    match serde_json::from_str::<Value>(&expected.body) {
        _ if !is_json => {
            if expected.body != text && expected.status == 400 && !text.is_empty() {
                found.except(Exception::BadRequestText);
            } else {
                found.same("body", &&*expected.body, &&*text);
            }
        }
        Err(_) => found.differ("body", &format!("JSON, which {:?} is not", expected.body), &text),
        Ok(recorded) => match serde_json::from_str::<Value>(&text) {
            Ok(came) => http_json(&mut found, expected.status, &recorded, &came),
            Err(_) => found.differ("body", &expected.body, &text),
        },
    }
    found
}

/// A JSON body; an error's `error` and `message` are compared as texts.
fn http_json(found: &mut Findings, status: i64, recorded: &Value, came: &Value) {
    if hides_key(recorded, came) {
        found.except(Exception::HiddenKey);
        let mut adjusted = recorded.clone();
        adjusted[ACCESS_KEY] = came[ACCESS_KEY].clone();
        return found.json("body", &adjusted, came);
    }
    let (mut recorded, mut came) = (recorded.clone(), came.clone());
    let is_error = status >= 400 && ["error", "message"].iter().all(|name| came[*name].is_string());
    if is_error {
        for name in ["error", "message"] {
            let take = |value: &mut Value| value.as_object_mut().and_then(|fields| fields.remove(name));
            let (Some(expected), Some(text)) = (take(&mut recorded), take(&mut came)) else {
                return found.differ("body", &format!("no {name:?} in it"), &came.to_string());
            };
            if status == 400 && expected.is_string() {
                if expected != text {
                    found.except(Exception::BadRequestText);
                }
            } else {
                found.message(name, expected.as_str().unwrap_or_default(), text.as_str().unwrap_or_default());
            }
        }
    }
    found.json("body", &recorded, &came);
}

/// The pairs with one of these names, sorted: the order of different names does not count.
fn only(pairs: &Pairs, names: &[String]) -> Pairs {
    let mut kept: Pairs = pairs.iter().filter(|(name, _)| names.contains(name)).cloned().collect();
    kept.sort_by(|(a, _), (b, _)| a.cmp(b));
    kept
}

/// Equal JSON: the order of an object's fields does not count, nor whether a number is written 1 or 1.0.
fn same_json(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_json(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| same_json(a, b)))
        }
        _ => a == b,
    }
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
