//! The routes of the gateway, and how a request over HTTP becomes a message. Source: v3/wire.md, section CRUD.

use http::Method as Verb;
use serde_json::{Value, json};

use crate::stack::error::{Refusal, plain};
use crate::stack::rights::right;
use crate::stack::service::Method;
use crate::stack::state::Fields;
use crate::stack::time;

/// A route: verb, path, method, and where the names of the path go in the message.
struct Route {
    verb: Verb,
    /// `*` is any one segment.
    path: &'static str,
    method: Method,
    /// One for each `*`.
    names: &'static [&'static str],
}

const fn route(verb: Verb, path: &'static str, method: Method, names: &'static [&'static str]) -> Route {
    Route { verb, path, method, names }
}

const APP: &str = "application_ids.application_id";
const APP_HERE: &str = "application_id";
const IN_APP: &str = "application.ids.application_id";
const DEV: [&str; 2] = ["end_device_ids.application_ids.application_id", "end_device_ids.device_id"];
const IN_DEV: [&str; 2] = ["end_device.ids.application_ids.application_id", "end_device.ids.device_id"];
const DEV_HERE: [&str; 2] = ["application_ids.application_id", "device_id"];
const USER: &str = "collaborator.user_ids.user_id";

static ROUTES: [Route; 25] = [
    route(Verb::GET, "auth_info", Method::AuthInfo, &[]),
    route(Verb::GET, "applications", Method::ListApplications, &[]),
    route(Verb::GET, "users/*/applications", Method::ListApplications, &[USER]),
    route(Verb::POST, "users/*/applications", Method::CreateApplication, &[USER]),
    route(Verb::GET, "applications/*", Method::GetApplication, &[APP]),
    route(Verb::PUT, "applications/*", Method::UpdateApplication, &[IN_APP]),
    route(Verb::DELETE, "applications/*", Method::DeleteApplication, &[APP_HERE]),
    route(Verb::POST, "applications/*/restore", Method::RestoreApplication, &[APP_HERE]),
    route(Verb::DELETE, "applications/*/purge", Method::PurgeApplication, &[APP_HERE]),
    route(Verb::GET, "applications/*/rights", Method::ListRights, &[APP_HERE]),
    route(Verb::GET, "applications/*/api-keys", Method::ListKeys, &[APP]),
    route(Verb::POST, "applications/*/api-keys", Method::CreateKey, &[APP]),
    route(Verb::GET, "applications/*/api-keys/*", Method::GetKey, &[APP, "key_id"]),
    route(Verb::PUT, "applications/*/api-keys/*", Method::UpdateKey, &[APP, "api_key.id"]),
    route(Verb::DELETE, "applications/*/api-keys/*", Method::DeleteKey, &[APP, "key_id"]),
    route(Verb::GET, "applications/*/devices", Method::ListDevices, &[APP]),
    route(Verb::POST, "applications/*/devices/filter", Method::ListDevices, &[APP]),
    route(Verb::POST, "applications/*/devices", Method::CreateDevice, &[IN_DEV[0]]),
    route(Verb::GET, "applications/*/devices/*", Method::GetDevice, &DEV),
    route(Verb::PUT, "applications/*/devices/*", Method::UpdateDevice, &IN_DEV),
    route(Verb::DELETE, "applications/*/devices/*", Method::DeleteDevice, &DEV_HERE),
    route(Verb::GET, "ns/applications/*/devices/*", Method::NsGetDevice, &DEV),
    route(Verb::GET, "as/applications/*/devices/*", Method::AsGetDevice, &DEV),
    route(Verb::GET, "as/applications/*/link", Method::AsGetLink, &[APP]),
    route(Verb::POST, "events", Method::StreamEvents, &[]),
];

impl Route {
    /// What stands for each `*`, if the path is this route's.
    fn values<'a>(&self, segments: &[&'a str]) -> Option<Vec<&'a str>> {
        let parts: Vec<&str> = self.path.split('/').collect();
        let fits = parts.len() == segments.len()
            && parts
                .iter()
                .zip(segments)
                .all(|(part, segment)| part == segment || *part == "*" && !segment.is_empty());
        let values =
            parts.iter().zip(segments).filter(|(part, _)| **part == "*").map(|(_, segment)| *segment);
        fits.then(|| values.collect())
    }
}

/// The method of a request under `/api/v3/`, and the message that its path and query make.
pub(crate) fn find(verb: &Verb, segments: &[&str], query: &str) -> Result<(Method, Value), Refusal> {
    let here = || ROUTES.iter().filter_map(|route| Some((route, route.values(segments)?)));
    let Some((route, values)) = here().find(|(route, _)| route.verb == *verb) else {
        let somewhere = here().next().is_some();
        return Err(if somewhere { plain(12, "Method Not Allowed") } else { plain(5, "Not Found") });
    };
    let mut message = if *verb == Verb::GET { parameters(query)? } else { json!({}) };
    for (name, value) in route.names.iter().zip(values) {
        set(&mut message, name, value);
    }
    Ok((route.method, message))
}

/// Adds a body to the message of a path. The path's names win.
pub(crate) fn with_body(message: Value, body: &[u8]) -> Result<Value, Refusal> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(message);
    }
    let mut sent: Value = serde_json::from_slice(body).map_err(|e| {
        plain(3, if e.is_eof() { "unexpected EOF".to_owned() } else { format!("invalid JSON: {e}") })
    })?;
    if !sent.is_object() {
        return Err(plain(3, "unmarshal error: expected an object"));
    }
    check(&sent)?;
    merge(&mut sent, message);
    Ok(sent)
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

fn set(message: &mut Value, path: &str, value: &str) {
    let mut place = message;
    for name in path.split('.') {
        place = &mut place[name];
    }
    *place = value.into();
}

/// What the messages have in their query; other names are ignored.
fn parameters(query: &str) -> Result<Value, Refusal> {
    let mut message = Fields::new();
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let values = |name: &str| -> Vec<String> {
        pairs.iter().filter(|(other, _)| other == name).map(|(_, value)| value.clone()).collect()
    };
    let one = |name: &str| match &values(name)[..] {
        [] => Ok(None),
        [value] => Ok(Some(value.clone())),
        several => {
            let message = format!("too many values for field {name:?}: {}", several.join(", "));
            Err(plain(3, message))
        }
    };
    if let Some(mask) = one("field_mask")? {
        message.insert("field_mask".into(), mask.into());
    }
    let paths = values("field_mask.paths");
    if !paths.is_empty() {
        message.insert("field_mask".into(), json!({ "paths": paths }));
    }
    for name in ["limit", "page"] {
        if let Some(text) = one(name)? {
            message.insert(name.into(), number(name, &text)?.into());
        }
    }
    if let Some(order) = one("order")? {
        message.insert("order".into(), order.into());
    }
    if let Some(text) = one("deleted")? {
        let deleted = match text.as_str() {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => true,
            "0" | "f" | "F" | "false" | "FALSE" | "False" => false,
            _ => {
                let why =
                    format!("parsing field \"deleted\": strconv.ParseBool: parsing {text:?}: invalid syntax");
                return Err(plain(3, why));
            }
        };
        message.insert("deleted".into(), deleted.into());
    }
    Ok(message.into())
}

/// As Go's `strconv.ParseUint` reads 32 bits.
fn number(name: &str, text: &str) -> Result<u32, Refusal> {
    let wrong =
        |why: &str| plain(3, format!("parsing field {name:?}: strconv.ParseUint: parsing {text:?}: {why}"));
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong("invalid syntax"));
    }
    text.parse().map_err(|_| wrong("value out of range"))
}

/// Values that JSON can say and the messages cannot: names of rights, times, EUIs, numbers.
fn check(body: &Value) -> Result<(), Refusal> {
    let Value::Object(fields) = body else { return Ok(()) };
    for (name, value) in fields {
        let wrong = || plain(3, format!("unmarshal error: invalid value for {name}: {value}"));
        match (name.as_str(), value) {
            ("rights", Value::Array(list)) => {
                if let Some(odd) = list.iter().filter_map(Value::as_str).find(|name| right(name).is_none()) {
                    return Err(plain(3, format!("unmarshal error: unknown value for enum: {odd:?}")));
                }
            }
            ("expires_at" | "after", Value::String(text)) if time::read(text).is_none() => {
                return Err(wrong());
            }
            ("dev_eui" | "join_eui", Value::String(text)) => {
                let sound =
                    text.is_empty() || text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
                if !sound {
                    return Err(wrong());
                }
            }
            ("limit" | "page" | "tail", value) if value.as_u64().is_none() => return Err(wrong()),
            ("name" | "description" | "device_id" | "application_id", value) if !value.is_string() => {
                return Err(wrong());
            }
            (_, inner) => check(inner)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_become_messages() {
        let (method, message) =
            find(&Verb::GET, &["applications", "app1", "devices", "dev1"], "field_mask=a,b&x=1").unwrap();
        assert_eq!(method, Method::GetDevice);
        let ids = json!({ "application_ids": { "application_id": "app1" }, "device_id": "dev1" });
        assert_eq!(message, json!({ "end_device_ids": ids, "field_mask": "a,b" }));
        let (_, message) = find(&Verb::PUT, &["applications", "app1"], "").unwrap();
        let message =
            with_body(message, br#"{"application":{"ids":{"application_id":"other"},"name":"n"}}"#).unwrap();
        assert_eq!(message, json!({ "application": { "ids": { "application_id": "app1" }, "name": "n" } }));
        let (method, _) = find(&Verb::POST, &["applications", "app1", "devices", "filter"], "").unwrap();
        assert_eq!(method, Method::ListDevices);
    }

    #[test]
    fn what_is_not_there_is_told_from_what_is_not_allowed() {
        let message = |verb: Verb, path: &str| {
            find(&verb, &path.split('/').collect::<Vec<_>>(), "").unwrap_err().message
        };
        assert_eq!(message(Verb::GET, "nope"), "Not Found");
        assert_eq!(message(Verb::GET, "applications/"), "Not Found");
        assert_eq!(message(Verb::HEAD, "applications"), "Method Not Allowed");
        assert_eq!(message(Verb::PATCH, "applications/app1"), "Method Not Allowed");
    }

    #[test]
    fn queries_and_bodies_that_cannot_be_read_are_refused() {
        for (query, message) in [
            ("field_mask=a&field_mask=b", "too many values for field \"field_mask\": a, b"),
            ("limit=-1", "parsing field \"limit\": strconv.ParseUint: parsing \"-1\": invalid syntax"),
            (
                "page=4294967296",
                "parsing field \"page\": strconv.ParseUint: parsing \"4294967296\": value out of range",
            ),
        ] {
            assert_eq!(parameters(query).unwrap_err().message, message);
        }
        for (body, message) in [
            ("{\"application\": ", "unexpected EOF"),
            (r#"{"rights":["RIGHT_NOPE"]}"#, "unmarshal error: unknown value for enum: \"RIGHT_NOPE\""),
        ] {
            assert_eq!(with_body(json!({}), body.as_bytes()).unwrap_err().message, message);
        }
        assert!(with_body(json!({}), br#"{"end_device":{"ids":{"dev_eui":"12"}}}"#).is_err());
    }
}
