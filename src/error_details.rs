//! What The Things Stack says of an error beside its code and text (`ttn.lorawan.v3.ErrorDetails`), the same over both
//! transports: in the body's `details` over HTTP, in `grpc-status-details-bin` over gRPC (v3/wire.md, "Errors").

use std::collections::BTreeMap;

use serde_json::Value;
#[cfg(any(feature = "grpc", feature = "http"))]
use {
    crate::proto::{rpc::Status, stack},
    base64::Engine,
    base64::engine::general_purpose::STANDARD_NO_PAD,
    prost::Message,
};

/// What The Things Stack says of an error.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ErrorDetails {
    /// The part of the server that found it, such as `pkg/auth/rights`.
    pub namespace: String,
    /// What it is called there, such as `insufficient_application_rights`.
    pub name: String,
    /// What the text was made with, such as `missing`: a list of rights.
    pub attributes: BTreeMap<String, Value>,
    /// What the server's operator finds it by in the log.
    pub correlation_id: Option<String>,
}

impl ErrorDetails {
    /// The rights that the credential lacks, if that is what is wrong.
    pub fn missing_rights(&self) -> Vec<&str> {
        let missing = self.attributes.get("missing").and_then(Value::as_array);
        missing.into_iter().flatten().filter_map(Value::as_str).collect()
    }
}

/// What an `Any` of it is called.
#[cfg(any(feature = "grpc", feature = "http"))]
const TYPE: &str = "type.googleapis.com/ttn.lorawan.v3.ErrorDetails";

/// Reads one of the `details` of a body.
#[cfg(any(feature = "grpc", feature = "http"))]
pub(crate) fn read(detail: &Value) -> Option<ErrorDetails> {
    (detail.get("@type")?.as_str()? == TYPE).then(|| from_json(detail))
}

/// Reads `grpc-status-details-bin`: an encoded `google.rpc.Status`, in base64 with or without padding.
#[cfg(any(feature = "grpc", feature = "http"))]
pub(crate) fn decode(value: &[u8]) -> Option<ErrorDetails> {
    let unpadded = value.iter().rposition(|byte| *byte != b'=').map_or(&[][..], |last| &value[..=last]);
    let status = Status::decode(&*STANDARD_NO_PAD.decode(unpadded).ok()?).ok()?;
    let details = status.details.iter().find(|any| any.type_url == TYPE)?;
    let details = stack::ErrorDetails::decode(&*details.value).ok()?;
    serde_json::to_value(&details).ok().map(|json| from_json(&json))
}

#[cfg(any(feature = "grpc", feature = "http"))]
fn from_json(detail: &Value) -> ErrorDetails {
    let text = |name: &str| detail.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let attributes = detail.get("attributes").and_then(Value::as_object);
    ErrorDetails {
        namespace: text("namespace").unwrap_or_default().to_owned(),
        name: text("name").unwrap_or_default().to_owned(),
        attributes: attributes.map(|fields| fields.clone().into_iter().collect()).unwrap_or_default(),
        correlation_id: text("correlation_id").map(str::to_owned),
    }
}

#[cfg(all(test, any(feature = "grpc", feature = "http")))]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;

    const DETAIL: &str = r#"{"@type":"type.googleapis.com/ttn.lorawan.v3.ErrorDetails","namespace":"pkg/auth/rights",
        "name":"insufficient_application_rights","message_format":"x",
        "attributes":{"missing":["RIGHT_APPLICATION_DEVICES_READ"],"uid":"app1"},"correlation_id":"c","code":7}"#;

    #[test]
    fn both_transports_tell_the_same() {
        let json: Value = serde_json::from_str(DETAIL).unwrap();
        let message: stack::ErrorDetails = serde_json::from_value(json.clone()).unwrap();
        let any = |type_url: &str, value| prost_types::Any { type_url: type_url.into(), value };
        let details = vec![any("type.googleapis.com/x", vec![9]), any(TYPE, message.encode_to_vec())];
        let status = Status { code: 7, message: "x".into(), details }.encode_to_vec();
        let told = read(&json).unwrap();
        assert_eq!(told.missing_rights(), ["RIGHT_APPLICATION_DEVICES_READ"]);
        for text in [STANDARD_NO_PAD.encode(&status), STANDARD.encode(&status)] {
            assert_eq!(decode(text.as_bytes()), Some(told.clone()));
        }
        assert_eq!(read(&serde_json::json!({ "@type": "type.googleapis.com/x" })), None);
        for garbage in ["", "=", "%", "AAAA", "CgN4"] {
            assert_eq!(decode(garbage.as_bytes()), None, "{garbage}");
        }
    }
}
