//! The format of a file that was recorded from The Things Stack (V3): a vector's request and answer each have their fields
//! in an object of their own, and bodies are JSON. Reading is as strict as of V2's.

use serde_json::{Map, Value};

use super::file::Pairs;

/// An exchange with The Things Stack.
#[derive(Debug)]
pub struct StackExchange {
    pub(super) request: StackRequest,
    /// The transport's own answer, compared field by field.
    pub(super) expect: Map<String, Value>,
}

/// What was sent.
#[derive(Debug)]
pub(super) enum StackRequest {
    Grpc {
        /// `ttn.lorawan.v3.Service/Method`.
        method: String,
        metadata: Pairs,
        message: Value,
    },
    Http {
        method: String,
        path: String,
        headers: Pairs,
        body: Option<String>,
    },
}

impl StackExchange {
    pub(super) const fn transport(&self) -> &'static str {
        match self.request {
            StackRequest::Grpc { .. } => "grpc",
            StackRequest::Http { .. } => "http",
        }
    }
}

type Read<T> = Result<T, String>;

/// Whether a vector is of this form: V2's have their method outside.
pub(super) fn is_stack(fields: &Map<String, Value>) -> bool {
    !fields.contains_key("method")
        && fields.get("request").is_some_and(|request| request.get("method").is_some())
}

/// Reads an exchange.
pub(super) fn exchange(fields: &Map<String, Value>) -> Read<StackExchange> {
    let part = |name: &str| match fields.get(name) {
        Some(Value::Object(part)) => Ok(part),
        _ => Err(format!("no object named {name:?} in it")),
    };
    let (request, expect) = (part("request")?, part("expect")?.clone());
    let request = match text(fields, "transport")?.as_str() {
        "grpc" => {
            only(&expect, &["code", "code_num", "message", "details", "header", "trailer", "response"])?;
            need(&expect, "code_num")?;
            StackRequest::Grpc {
                method: text(request, "method")?,
                metadata: pairs(request, "metadata")?,
                message: need(request, "message")?,
            }
        }
        "http" => {
            only(&expect, &["status", "headers", "body"])?;
            for name in ["status", "headers", "body"] {
                need(&expect, name)?;
            }
            pairs(&expect, "headers")?;
            StackRequest::Http {
                method: text(request, "method")?,
                path: text(request, "path")?,
                headers: pairs(request, "headers")?,
                body: match request.get("body") {
                    None | Some(Value::Null) => None,
                    Some(Value::String(text)) => Some(text.clone()),
                    Some(json) => Some(json.to_string()),
                },
            }
        }
        other => return Err(format!("unknown transport {other:?}")),
    };
    Ok(StackExchange { request, expect })
}

fn only(fields: &Map<String, Value>, known: &[&str]) -> Read<()> {
    match fields.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(format!("nothing compares the expected {name:?}")),
        None => Ok(()),
    }
}

fn need(fields: &Map<String, Value>, name: &str) -> Read<Value> {
    fields.get(name).cloned().ok_or_else(|| format!("no {name:?} in it"))
}

fn text(fields: &Map<String, Value>, name: &str) -> Read<String> {
    need(fields, name)?.as_str().map(str::to_owned).ok_or_else(|| format!("{name:?} is not a text"))
}

/// A list of names and values.
pub(super) fn pairs(fields: &Map<String, Value>, name: &str) -> Read<Pairs> {
    let wrong = || format!("{name:?} is not a list of [name, value]");
    let pair = |pair: &Value| match pair.as_array().map(Vec::as_slice) {
        Some([Value::String(name), Value::String(value)]) => Ok((name.clone(), value.clone())),
        _ => Err(wrong()),
    };
    need(fields, name)?.as_array().ok_or_else(wrong)?.iter().map(pair).collect()
}
