//! `google.protobuf.Any` as JSON: a message of any type, with its name beside it.
//!
//! Messages of this crate show their fields; those with a JSON of their own, as it, in `value`. Of any other type only its
//! bytes are known over gRPC (`value`, as base64), and only its fields over HTTP, which are left out: there is nothing to
//! encode them with.

use ::base64::Engine;
use ::base64::engine::general_purpose::STANDARD;
use prost::{DecodeError, Message};
use prost_types::{Any, Struct, Value};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value as Json};

use crate::proto::stack;
use crate::stack_value::{struct_from_json, struct_to_json, value_from_json, value_to_json};

const TYPE: &str = "@type";

macro_rules! known {
    ($($name:ident $text:literal),* $(,)?) => {
        /// The fields of a message that this crate knows, or nothing.
        fn fields_of(name: &str, bytes: &[u8]) -> Option<Map<String, Json>> {
            match name {
                $(concat!("ttn.lorawan.v3.", $text) => fields::<stack::$name>(bytes),)*
                _ => None,
            }
        }

        /// The bytes of a message that this crate knows, or nothing.
        fn bytes_of(name: &str, json: &Json) -> Option<serde_json::Result<Vec<u8>>> {
            match name {
                $(concat!("ttn.lorawan.v3.", $text) => Some(bytes::<stack::$name>(json)),)*
                _ => None,
            }
        }
    };
}

known! {
    ApiKey "APIKey",
    Application "Application",
    ApplicationIdentifiers "ApplicationIdentifiers",
    EndDevice "EndDevice",
    EndDeviceIdentifiers "EndDeviceIdentifiers",
    EntityIdentifiers "EntityIdentifiers",
    ErrorDetails "ErrorDetails",
    GatewayIdentifiers "GatewayIdentifiers",
    OrganizationIdentifiers "OrganizationIdentifiers",
    Rights "Rights",
    UserIdentifiers "UserIdentifiers",
}

fn fields<T: Message + Default + Serialize>(bytes: &[u8]) -> Option<Map<String, Json>> {
    match serde_json::to_value(T::decode(bytes).ok()?).ok()? {
        Json::Object(fields) => Some(fields),
        _ => None,
    }
}

fn bytes<T: Message + DeserializeOwned>(json: &Json) -> serde_json::Result<Vec<u8>> {
    T::deserialize(json).map(|message| message.encode_to_vec())
}

pub(crate) fn to_json(message: &Any) -> Json {
    let name = message.type_url.rsplit('/').next().unwrap_or_default();
    let bytes = message.value.as_slice();
    let mut json = fields_of(name, bytes).unwrap_or_else(|| {
        let value = own_json(name, bytes).and_then(|read| read.ok());
        Map::from_iter([("value".to_owned(), value.unwrap_or_else(|| STANDARD.encode(bytes).into()))])
    });
    json.insert(TYPE.to_owned(), message.type_url.as_str().into());
    Json::Object(json)
}

/// Of a type that has a JSON of its own.
fn own_json(name: &str, bytes: &[u8]) -> Option<Result<Json, DecodeError>> {
    Some(match name {
        "google.protobuf.Value" => Value::decode(bytes).map(|value| value_to_json(&value)),
        "google.protobuf.Struct" => Struct::decode(bytes).map(|fields| struct_to_json(&fields)),
        "google.protobuf.StringValue" => String::decode(bytes).map(Json::String),
        _ => return None,
    })
}

/// The name, and whatever of the rest can be encoded.
pub(crate) fn from_json<E: serde::de::Error>(json: Json) -> Result<Any, E> {
    let Json::Object(mut fields) = json else { return Err(E::custom("expected an object with \"@type\"")) };
    let Some(Json::String(type_url)) = fields.remove(TYPE) else {
        return Err(E::custom("expected a text in \"@type\""));
    };
    let name = type_url.rsplit('/').next().unwrap_or_default().to_owned();
    let only = fields.get("value").cloned().unwrap_or_default();
    let fields = Json::Object(fields);
    let value = match (name.as_str(), only) {
        ("google.protobuf.Value", value) => value_from_json(value).encode_to_vec(),
        ("google.protobuf.Struct", Json::Object(value)) => struct_from_json(value).encode_to_vec(),
        ("google.protobuf.StringValue", Json::String(text)) => text.encode_to_vec(),
        (name, only) => match (bytes_of(name, &fields), only) {
            (Some(bytes), _) => bytes.map_err(E::custom)?,
            (None, Json::String(text)) => STANDARD.decode(text).unwrap_or_default(),
            (None, _) => Vec::new(),
        },
    };
    Ok(Any { type_url, value })
}

/// A message of any type, or `null` for none.
pub(crate) mod any {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(message: &Option<Any>, to: S) -> Result<S::Ok, S::Error> {
        message.as_ref().map(to_json).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Any>, D::Error> {
        Option::<Json>::deserialize(from)?.map(from_json).transpose()
    }
}

/// A list of them.
pub(crate) mod anys {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(messages: &[Any], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(messages.iter().map(to_json))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Any>, D::Error> {
        let read = Option::<Vec<Json>>::deserialize(from)?.unwrap_or_default();
        read.into_iter().map(from_json).collect()
    }
}
