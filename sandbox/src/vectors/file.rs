//! The format of a vector file: recorded requests, and what a real V2 Handler answered. What The Things Stack answered has
//! a form of its own, `stack_file.rs`.
//!
//! Reading is strict where being lax would hide a difference: an expectation that nothing here compares makes its
//! vector fail, instead of passing unseen.

use serde_json::{Map, Value};
use ttn_auth::{Error, ErrorKind, Result};

use super::stack_file::{self, StackExchange};

/// A file of vectors.
#[derive(Debug)]
pub struct VectorFile {
    /// What the recording was made with, in prose: see [`Fixtures`](super::Fixtures).
    pub about: String,
    /// The vectors, in the order they run.
    pub vectors: Vec<Vector>,
}

/// One recorded exchange.
#[derive(Debug)]
pub struct Vector {
    /// What it shows.
    pub name: String,
    /// What it belongs to, such as `http credentials`.
    pub group: String,
    /// The request and what is expected; or what is wrong with them, which fails this vector.
    pub exchange: Result<Exchange, String>,
}

/// What was sent and what came back.
#[derive(Debug)]
pub enum Exchange {
    /// A unary gRPC call.
    Grpc(GrpcRequest, GrpcExpectation),
    /// An HTTP/1.1 request.
    Http(HttpRequest, HttpExpectation),
    /// Either, with The Things Stack.
    Stack(StackExchange),
}

/// Names and values in the order they were recorded.
pub type Pairs = Vec<(String, String)>;

/// A gRPC request as recorded.
#[derive(Debug)]
pub struct GrpcRequest {
    /// `/package.Service/Method`.
    pub method: String,
    /// The message as JSON.
    pub request: Value,
    /// The message's bytes, where JSON cannot say it.
    pub request_base64: Option<String>,
    /// Metadata, templates unexpanded.
    pub metadata: Pairs,
}

/// An HTTP request as recorded.
#[derive(Debug)]
pub struct HttpRequest {
    /// The method.
    pub method: String,
    /// Path and query, templates unexpanded.
    pub path: String,
    /// Headers, templates unexpanded.
    pub headers: Pairs,
    /// The body; `None` is no body at all.
    pub body: Option<String>,
}

/// What a gRPC call is to answer.
#[derive(Debug)]
pub enum GrpcExpectation {
    /// A status.
    Status {
        /// The gRPC code.
        code: i64,
        /// `grpc-message`.
        message: String,
        /// The message as JSON; null with an error.
        response: Value,
        /// The message's bytes.
        response_base64: Option<String>,
        /// Initial metadata.
        initial_metadata: Pairs,
    },
    /// No status: the stream or the connection breaks, or the request cannot be sent at all.
    TransportError,
}

/// What an HTTP request is to answer.
#[derive(Debug)]
pub struct HttpExpectation {
    /// The status.
    pub status: i64,
    /// The headers that were recorded.
    pub headers: Pairs,
    /// The body.
    pub body: String,
}

impl VectorFile {
    /// Reads a file's text.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if it is not a list of named objects under `vectors`.
    pub fn parse(text: &str) -> Result<Self> {
        let odd = |message: String| Error::new(ErrorKind::InvalidArgument, message);
        let file: Value = serde_json::from_str(text).map_err(|e| odd(format!("not JSON: {e}")))?;
        let list = file
            .get("vectors")
            .and_then(Value::as_array)
            .ok_or_else(|| odd("no list named \"vectors\" in it".into()))?;
        if list.is_empty() {
            return Err(odd("its list of vectors is empty".into()));
        }
        let vectors = list
            .iter()
            .enumerate()
            .map(|(index, vector)| {
                let fields =
                    vector.as_object().ok_or_else(|| odd(format!("vector {index} is not an object")))?;
                let name = fields.get("name").and_then(Value::as_str);
                let name = name.map_or_else(|| format!("vector {index}"), str::to_owned);
                let group = fields.get("group").and_then(Value::as_str).unwrap_or_default().to_owned();
                let exchange = match stack_file::is_stack(fields) {
                    true => stack_file::exchange(fields).map(Exchange::Stack),
                    false => exchange(fields),
                };
                Ok(Vector { name, group, exchange })
            })
            .collect::<Result<_>>()?;
        let about = file.get("about").and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(Self { about, vectors })
    }
}

type Read<T> = Result<T, String>;

fn exchange(fields: &Map<String, Value>) -> Read<Exchange> {
    let expect = match fields.get("expect") {
        Some(Value::Object(expect)) => expect,
        _ => return Err("no object named \"expect\" in it".into()),
    };
    match text(fields, "transport")?.as_str() {
        "grpc" => Ok(Exchange::Grpc(
            GrpcRequest {
                method: text(fields, "method")?,
                request: need(fields, "request").or_else(|missing| {
                    if fields.contains_key("request_base64") { Ok(Value::Null) } else { Err(missing) }
                })?,
                request_base64: fields
                    .get("request_base64")
                    .map(|_| text(fields, "request_base64"))
                    .transpose()?,
                metadata: pairs(fields, "metadata")?,
            },
            grpc_expectation(expect)?,
        )),
        "http" => {
            only(expect, &["status", "headers", "body"])?;
            Ok(Exchange::Http(
                HttpRequest {
                    method: text(fields, "method")?,
                    path: text(fields, "path")?,
                    headers: pairs(fields, "headers")?,
                    body: if need(fields, "body")?.is_null() { None } else { Some(text(fields, "body")?) },
                },
                HttpExpectation {
                    status: integer(expect, "status")?,
                    headers: pairs(expect, "headers")?,
                    body: text(expect, "body")?,
                },
            ))
        }
        other => Err(format!("unknown transport {other:?}")),
    }
}

fn grpc_expectation(expect: &Map<String, Value>) -> Read<GrpcExpectation> {
    if expect.get("transport_error") == Some(&Value::Bool(true)) {
        only(expect, &["transport_error"])?;
        return Ok(GrpcExpectation::TransportError);
    }
    only(expect, &["code", "message", "response", "response_base64", "initial_metadata"])?;
    Ok(GrpcExpectation::Status {
        code: integer(expect, "code")?,
        message: text(expect, "message")?,
        response: need(expect, "response")?,
        response_base64: expect
            .get("response_base64")
            .map(|_| text(expect, "response_base64"))
            .transpose()?,
        // Absent is the same as none: what a Handler adds to a list, it adds to nothing else.
        initial_metadata: match expect.get("initial_metadata") {
            None => Pairs::new(),
            Some(_) => pairs(expect, "initial_metadata")?,
        },
    })
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

fn integer(fields: &Map<String, Value>, name: &str) -> Read<i64> {
    need(fields, name)?.as_i64().ok_or_else(|| format!("{name:?} is not a whole number"))
}

fn pairs(fields: &Map<String, Value>, name: &str) -> Read<Pairs> {
    let wrong = || format!("{name:?} is not a list of [name, value]");
    need(fields, name)?
        .as_array()
        .ok_or_else(wrong)?
        .iter()
        .map(|pair| match pair.as_array().map(Vec::as_slice) {
            Some([Value::String(name), Value::String(value)]) => Ok((name.clone(), value.clone())),
            _ => Err(wrong()),
        })
        .collect()
}
