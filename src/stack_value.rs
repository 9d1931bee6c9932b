//! `google.protobuf.Struct` and `Value`: JSON that protobuf carries.

use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value as Json;

/// Any JSON object.
pub(crate) mod structure {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(fields: &Option<Struct>, to: S) -> Result<S::Ok, S::Error> {
        fields.as_ref().map(struct_to_json).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Struct>, D::Error> {
        match Json::deserialize(from)? {
            Json::Null => Ok(None),
            Json::Object(fields) => Ok(Some(struct_from_json(fields))),
            _ => Err(D::Error::custom("expected an object")),
        }
    }
}

/// Whole numbers without a fraction, as The Things Stack writes them.
pub(crate) fn number_to_json(value: f64) -> Json {
    // Up to here every whole number is exact.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() < EXACT { (value as i64).into() } else { value.into() }
}

pub(crate) fn struct_to_json(fields: &Struct) -> Json {
    fields.fields.iter().map(|(name, value)| (name.clone(), value_to_json(value))).collect()
}

pub(crate) fn value_to_json(value: &Value) -> Json {
    match &value.kind {
        None | Some(Kind::NullValue(_)) => Json::Null,
        Some(Kind::NumberValue(value)) => number_to_json(*value),
        Some(Kind::StringValue(text)) => text.as_str().into(),
        Some(Kind::BoolValue(value)) => (*value).into(),
        Some(Kind::StructValue(fields)) => struct_to_json(fields),
        Some(Kind::ListValue(list)) => list.values.iter().map(value_to_json).collect(),
    }
}

pub(crate) fn struct_from_json(fields: serde_json::Map<String, Json>) -> Struct {
    Struct { fields: fields.into_iter().map(|(name, value)| (name, value_from_json(value))).collect() }
}

pub(crate) fn value_from_json(json: Json) -> Value {
    let kind = match json {
        Json::Null => Kind::NullValue(0),
        Json::Bool(value) => Kind::BoolValue(value),
        Json::Number(value) => Kind::NumberValue(value.as_f64().unwrap_or_default()),
        Json::String(text) => Kind::StringValue(text),
        Json::Array(values) => {
            Kind::ListValue(ListValue { values: values.into_iter().map(value_from_json).collect() })
        }
        Json::Object(fields) => Kind::StructValue(struct_from_json(fields)),
    };
    Value { kind: Some(kind) }
}
