//! Errors as The Things Stack writes them: a name in a namespace, with details that are the same over HTTP and gRPC;
//! and those of its gateway, which have a text alone. Source: v3/wire.md, section Errors.

use prost::Message;
use serde_json::{Map, Value, json};

use crate::stack::details::{Any, ErrorDetails, Status, structure};
use crate::stack::token::correlation_id;

/// The type of the details.
pub(crate) const DETAILS: &str = "type.googleapis.com/ttn.lorawan.v3.ErrorDetails";

/// Why a request is refused.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) code: i32,
    /// The whole text.
    pub(crate) message: String,
    /// None for what the gateway or gRPC itself refuses.
    pub(crate) details: Option<Box<Details>>,
}

/// `ErrorDetails`.
#[derive(Clone, Debug)]
pub(crate) struct Details {
    namespace: &'static str,
    name: &'static str,
    message_format: String,
    attributes: Map<String, Value>,
    correlation_id: String,
    cause: Option<Box<Details>>,
    code: i32,
}

/// An error by its name. `{attribute}` in the text is filled in by [`Refusal::with`].
pub(crate) fn known(namespace: &'static str, name: &'static str, code: i32, text: &str) -> Refusal {
    let details = Details {
        namespace,
        name,
        message_format: text.to_owned(),
        attributes: Map::new(),
        correlation_id: correlation_id(),
        cause: None,
        code,
    };
    Refusal { code, message: details.message(), details: Some(Box::new(details)) }
}

/// An error that no code defined: Go's own, with its text.
pub(crate) fn unknown(code: i32, text: &str) -> Refusal {
    let mut refusal = known("", "", code, text);
    refusal.message = format!("error:unknown:unknown ({text})");
    refusal
}

/// What the gateway says by itself, or gRPC.
pub(crate) fn plain(code: i32, message: impl Into<String>) -> Refusal {
    Refusal { code, message: message.into(), details: None }
}

/// A field that is not as it must be: `name` is the message's validator, such as `ListApplicationsRequest`.
pub(crate) fn invalid(request: &str, field: &str, reason: &str) -> Refusal {
    known("pkg/errors", "validation", 3, "invalid `{field}`: {reason}")
        .with("field", field)
        .with("name", format!("{request}ValidationError"))
        .with("reason", reason)
}

impl Refusal {
    /// Sets an attribute.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        if let Some(details) = &mut self.details {
            details.attributes.insert(name.to_owned(), value.into());
            self.message = details.message();
        }
        self
    }

    /// Names what caused it.
    pub(crate) fn because(mut self, cause: Refusal) -> Self {
        if let Some(details) = &mut self.details {
            details.cause = cause.details;
        }
        self
    }

    /// The error of a message around the one whose field this is about.
    pub(crate) fn within(self, request: &str, field: &str) -> Self {
        invalid(request, field, "embedded message failed validation").because(self)
    }

    /// The name of the error, if it has one.
    #[cfg(test)]
    pub(crate) fn name(&self) -> &'static str {
        self.details.as_ref().map_or("", |details| details.name)
    }

    /// The body over HTTP.
    pub(crate) fn json(&self) -> Value {
        let mut body = json!({ "code": self.code, "message": self.message });
        if let Some(details) = &self.details {
            let mut details = details.json();
            details["@type"] = DETAILS.into();
            body["details"] = json!([details]);
        }
        body
    }

    /// The HTTP status.
    pub(crate) fn status(&self) -> u16 {
        match self.code {
            3 | 9 | 11 => 400,
            16 => 401,
            7 => 403,
            5 => 404,
            6 | 10 => 409,
            8 => 429,
            1 => 499,
            12 => 501,
            14 => 503,
            4 => 504,
            _ => 500,
        }
    }

    /// `grpc-status-details-bin`: a `google.rpc.Status`.
    pub(crate) fn status_details(&self) -> Option<Vec<u8>> {
        let details = self.details.as_ref()?;
        let any = Any { type_url: DETAILS.to_owned(), value: details.proto().encode_to_vec() };
        let status = Status { code: self.code, message: self.message.clone(), details: vec![any] };
        Some(status.encode_to_vec())
    }
}

impl Details {
    /// `error:<namespace>:<name> (<text>)`.
    fn message(&self) -> String {
        let mut text = self.message_format.clone();
        for (name, value) in &self.attributes {
            let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            text = text.replace(&format!("{{{name}}}"), &shown);
        }
        format!("error:{}:{} ({text})", self.namespace, self.name)
    }

    fn json(&self) -> Value {
        let mut fields = Map::new();
        for (name, text) in [
            ("namespace", self.namespace),
            ("name", self.name),
            ("message_format", &self.message_format),
            ("correlation_id", &self.correlation_id),
        ] {
            if !text.is_empty() {
                fields.insert(name.to_owned(), text.into());
            }
        }
        if !self.attributes.is_empty() {
            fields.insert("attributes".to_owned(), self.attributes.clone().into());
        }
        if let Some(cause) = &self.cause {
            fields.insert("cause".to_owned(), cause.json());
        }
        fields.insert("code".to_owned(), self.code.into());
        fields.into()
    }

    fn proto(&self) -> ErrorDetails {
        ErrorDetails {
            namespace: self.namespace.to_owned(),
            name: self.name.to_owned(),
            message_format: self.message_format.clone(),
            attributes: (!self.attributes.is_empty()).then(|| structure(&self.attributes)),
            correlation_id: self.correlation_id.clone(),
            cause: self.cause.as_ref().map(|cause| Box::new(cause.proto())),
            code: self.code.unsigned_abs(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::details::{Kind, Struct, StructValue};

    impl Struct {
        fn json(&self) -> Value {
            self.fields.iter().map(|(name, value)| (name.clone(), value.json())).collect::<Map<_, _>>().into()
        }
    }

    impl StructValue {
        fn json(&self) -> Value {
            match &self.kind {
                None | Some(Kind::Null(_)) => Value::Null,
                #[allow(clippy::cast_possible_truncation, reason = "it has no fraction and is small")]
                Some(Kind::Number(number)) if number.fract() == 0.0 && number.abs() < 1e15 => {
                    (*number as i64).into()
                }
                Some(Kind::Number(number)) => (*number).into(),
                Some(Kind::Text(text)) => text.as_str().into(),
                Some(Kind::Bool(yes)) => (*yes).into(),
                Some(Kind::Struct(fields)) => fields.json(),
                Some(Kind::List(list)) => list.values.iter().map(Self::json).collect::<Vec<_>>().into(),
            }
        }
    }

    #[test]
    fn an_error_is_the_same_over_both_transports() {
        let missing = json!(["RIGHT_APPLICATION_DEVICES_READ"]);
        let error = known(
            "pkg/auth/rights",
            "insufficient_application_rights",
            7,
            "insufficient rights for application `{uid}`",
        )
        .with("uid", "app1")
        .with("missing", missing);
        let text = "error:pkg/auth/rights:insufficient_application_rights (insufficient rights for application `app1`)";
        assert_eq!((error.message.as_str(), error.status()), (text, 403));
        let status = Status::decode(error.status_details().unwrap().as_slice()).unwrap();
        assert_eq!((status.code, status.message.as_str()), (7, text));
        let details = ErrorDetails::decode(status.details[0].value.as_slice()).unwrap();
        let body = error.json();
        assert_eq!(details.attributes.unwrap().json(), body["details"][0]["attributes"]);
        assert_eq!(details.correlation_id, body["details"][0]["correlation_id"]);
        assert_eq!(body["details"][0]["@type"], DETAILS);
    }

    #[test]
    fn causes_are_nested_and_gateway_errors_are_bare() {
        let cause = invalid("ApplicationIdentifiers", "application_id", "no");
        let error = cause.within("Application", "ids").within("CreateApplicationRequest", "application");
        assert_eq!(error.json()["details"][0]["cause"]["cause"]["attributes"]["reason"], "no");
        assert_eq!(
            plain(12, "Method Not Allowed").json(),
            json!({"code": 12, "message": "Method Not Allowed"})
        );
        assert_eq!(unknown(13, "x").json()["details"][0].get("name"), None);
    }
}
