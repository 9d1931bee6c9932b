//! The messages that carry an error's details over gRPC. They are written here, by themselves, so that what the client
//! reads was not made by the client's own code.

use std::collections::BTreeMap;

use prost::Message;
use serde_json::{Map, Value};

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Status {
    #[prost(int32, tag = "1")]
    pub(crate) code: i32,
    #[prost(string, tag = "2")]
    pub(crate) message: String,
    #[prost(message, repeated, tag = "3")]
    pub(crate) details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Any {
    #[prost(string, tag = "1")]
    pub(crate) type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) value: Vec<u8>,
}

/// `ttn.lorawan.v3.ErrorDetails`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ErrorDetails {
    #[prost(string, tag = "1")]
    pub(crate) namespace: String,
    #[prost(string, tag = "2")]
    pub(crate) name: String,
    #[prost(string, tag = "3")]
    pub(crate) message_format: String,
    #[prost(message, optional, tag = "4")]
    pub(crate) attributes: Option<Struct>,
    #[prost(string, tag = "5")]
    pub(crate) correlation_id: String,
    #[prost(message, optional, boxed, tag = "6")]
    pub(crate) cause: Option<Box<ErrorDetails>>,
    #[prost(uint32, tag = "7")]
    pub(crate) code: u32,
}

/// `google.protobuf.Struct`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Struct {
    #[prost(btree_map = "string, message", tag = "1")]
    pub(crate) fields: BTreeMap<String, StructValue>,
}

/// `google.protobuf.Value`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct StructValue {
    #[prost(oneof = "Kind", tags = "1, 2, 3, 4, 5, 6")]
    pub(crate) kind: Option<Kind>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Kind {
    #[prost(int32, tag = "1")]
    Null(i32),
    #[prost(double, tag = "2")]
    Number(f64),
    #[prost(string, tag = "3")]
    Text(String),
    #[prost(bool, tag = "4")]
    Bool(bool),
    #[prost(message, tag = "5")]
    Struct(Struct),
    #[prost(message, tag = "6")]
    List(List),
}

/// `google.protobuf.ListValue`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct List {
    #[prost(message, repeated, tag = "1")]
    pub(crate) values: Vec<StructValue>,
}

/// JSON as a message.
pub(crate) fn structure(fields: &Map<String, Value>) -> Struct {
    Struct { fields: fields.iter().map(|(name, value)| (name.clone(), structured(value))).collect() }
}

fn structured(value: &Value) -> StructValue {
    let kind = match value {
        Value::Null => Kind::Null(0),
        Value::Bool(yes) => Kind::Bool(*yes),
        Value::Number(number) => Kind::Number(number.as_f64().unwrap_or_default()),
        Value::String(text) => Kind::Text(text.clone()),
        Value::Array(list) => Kind::List(List { values: list.iter().map(structured).collect() }),
        Value::Object(fields) => Kind::Struct(structure(fields)),
    };
    StructValue { kind: Some(kind) }
}
