//! Reads request bodies as grpc-gateway does: the first JSON value counts, an empty body is an empty message, and a key
//! that is sent as `""` is sent: it is all zero, where an absent one would be kept.

use serde::de::DeserializeOwned;
use serde_json::Value;
use ttn_auth::proto::handler;
use ttn_auth::{Error, ErrorKind, from_json};

use crate::gateway::Refusal;

/// The keys and the address in their two spellings, and their lengths.
const MAY_BE_UNSET: [(&str, &str, usize); 4] = [
    ("dev_addr", "devAddr", 4),
    ("nwk_s_key", "nwkSKey", 16),
    ("app_s_key", "appSKey", 16),
    ("app_key", "appKey", 16),
];

pub(crate) fn application_identifier(body: &[u8]) -> Result<handler::ApplicationIdentifier, Refusal> {
    read(body).map(|(message, _)| message)
}

pub(crate) fn application(body: &[u8]) -> Result<handler::Application, Refusal> {
    read(body).map(|(message, _)| message)
}

pub(crate) fn device(body: &[u8]) -> Result<handler::Device, Refusal> {
    let (mut device, value): (handler::Device, Value) = read(body)?;
    let sent = value.get("lorawan_device").or_else(|| value.get("lorawanDevice"));
    if let (Some(lorawan), Some(sent)) = (&mut device.lorawan_device, sent) {
        let fields =
            [&mut lorawan.dev_addr, &mut lorawan.nwk_s_key, &mut lorawan.app_s_key, &mut lorawan.app_key];
        for (field, (snake, camel, length)) in fields.into_iter().zip(MAY_BE_UNSET) {
            if [snake, camel].iter().any(|name| sent.get(name).is_some_and(|value| value == "")) {
                *field = vec![0; length];
            }
        }
    }
    Ok(device)
}

fn read<T: DeserializeOwned + Default>(body: &[u8]) -> Result<(T, Value), Refusal> {
    let wrong = |message: String| Refusal::Body(Error::new(ErrorKind::InvalidArgument, message));
    let mut values = serde_json::Deserializer::from_slice(body).into_iter::<Value>();
    let mut value = match values.next() {
        None => return Ok((T::default(), Value::Null)),
        Some(Err(error)) => return Err(wrong(format!("invalid JSON: {error}"))),
        Some(Ok(value)) => value,
    };
    prefer_camel_case(&mut value);
    let message = match &value {
        Value::Null => T::default(),
        // Written anew: of a name that comes twice, the last value is left.
        Value::Object(_) => from_json(value.to_string().as_bytes()).map_err(Refusal::Body)?,
        _ => return Err(wrong("json: cannot unmarshal the body into an object".to_owned())),
    };
    Ok((message, value))
}

/// Of a field that comes in both spellings, camelCase counts.
fn prefer_camel_case(value: &mut Value) {
    let Value::Object(fields) = value else { return };
    let camel: Vec<String> =
        fields.keys().filter(|name| name.contains(|c: char| c.is_ascii_uppercase())).cloned().collect();
    for name in camel {
        let snake = name.chars().fold(String::new(), |mut snake, c| {
            if c.is_ascii_uppercase() {
                snake.push('_');
            }
            snake.push(c.to_ascii_lowercase());
            snake
        });
        fields.remove(&snake);
    }
    // Attributes have names of their own.
    fields
        .iter_mut()
        .filter(|(name, _)| *name != "attributes")
        .for_each(|(_, value)| prefer_camel_case(value));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_value_counts_and_nothing_is_an_empty_message() {
        for (body, expected) in [
            ("", Some("")),
            (" \n", Some("")),
            ("null", Some("")),
            (r#"{"app_id":"a"} trailing"#, Some("a")),
            (r#"{"appId":"a"}"#, Some("a")),
            (r#"{"appId":"a","app_id":"b"}"#, Some("a")),
            (r#"{"app_id":"a","app_id":"b"}"#, Some("b")),
            (r#"{"AppID":"a"}"#, Some("")),
            ("{nope", None),
            ("[]", None),
            ("7", None),
            (r#"{"app_id":7}"#, None),
        ] {
            let found = application_identifier(body.as_bytes()).ok().map(|message| message.app_id);
            assert_eq!(found.as_deref(), expected, "{body}");
        }
    }

    #[test]
    fn an_empty_key_is_sent_and_an_absent_one_is_not() {
        let key = |body: &str| device(body.as_bytes()).ok().and_then(|d| d.lorawan_device).map(|l| l.app_key);
        assert_eq!(key(r#"{"lorawan_device":{"app_key":""}}"#), Some(vec![0; 16]));
        assert_eq!(key(r#"{"lorawanDevice":{"appKey":""}}"#), Some(vec![0; 16]));
        assert_eq!(key(r#"{"lorawan_device":{"app_key":null}}"#), Some(vec![]));
        assert_eq!(key(r#"{"lorawan_device":{}}"#), Some(vec![]));
    }
}
