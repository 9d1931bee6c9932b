//! Plain requests to the V3 side, over sockets of their own: nothing here is the client's code but the messages.

#![allow(dead_code, reason = "not every test needs all of it")]

use std::net::{Ipv4Addr, SocketAddr};

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use ttn_auth_sandbox::{Sandbox, SandboxOptions, Stack};

/// A sandbox with the fixtures.
pub(crate) async fn sandbox() -> Sandbox {
    Sandbox::start(SandboxOptions::default()).await.unwrap()
}

/// The same without devices, as the recordings began.
pub(crate) async fn empty() -> Sandbox {
    let options = SandboxOptions { stack_devices: Some(Vec::new()), ..Default::default() };
    Sandbox::start(options).await.unwrap()
}

pub(crate) fn address(address: &str) -> SocketAddr {
    let port = address.rsplit(':').next().unwrap().parse().unwrap();
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) text: String,
    /// Null if it is not JSON.
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The name of the error, or its text if it has none.
    pub(crate) fn error(&self) -> &str {
        let name = self.body["details"][0]["name"].as_str();
        name.or(self.body["message"].as_str()).unwrap_or_default()
    }
}

pub(crate) struct Http(SocketAddr);

impl Http {
    pub(crate) fn new(stack: &Stack) -> Self {
        Self(address(&stack.http_address()))
    }

    /// With an API key; without one if it is empty.
    pub(crate) async fn get(&self, key: &str, path: &str) -> Answer {
        self.send("GET", key, path, "").await
    }

    /// With a JSON body; none if it is empty.
    pub(crate) async fn send(&self, method: &str, key: &str, path: &str, body: &str) -> Answer {
        let bearer = format!("Bearer {key}");
        let headers: &[(&str, &str)] = if key.is_empty() { &[] } else { &[("Authorization", &bearer)] };
        self.request(method, path, headers, body).await.unwrap()
    }

    /// Opens a stream of events.
    pub(crate) async fn stream(&self, key: &str, accept: &str, body: &str) -> HttpStream {
        let io = TokioIo::new(TcpStream::connect(self.0).await.unwrap());
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
        let mut connections = JoinSet::new();
        connections.spawn(async { drop(connection.await) });
        let request = http::Request::post("/api/v3/events")
            .header("host", self.0.to_string())
            .header("accept", accept)
            .header("authorization", format!("Bearer {key}"))
            .body(Full::new(Bytes::from(body.to_owned())))
            .unwrap();
        let answer = sender.send_request(request).await.unwrap();
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        HttpStream { kind, body: answer.into_body(), text: String::new(), _connections: connections }
    }

    pub(crate) async fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> hyper::Result<Answer> {
        let io = TokioIo::new(TcpStream::connect(self.0).await.unwrap());
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await?;
        let mut connections = JoinSet::new();
        connections.spawn(connection);
        let mut request =
            http::Request::builder().method(method).uri(path).header("host", self.0.to_string());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::from(body.to_owned()))).unwrap();
        let (parts, body) = sender.send_request(request).await?.into_parts();
        let text = String::from_utf8(body.collect().await?.to_bytes().to_vec()).unwrap();
        let body = serde_json::from_str(&text).unwrap_or_default();
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, text, body })
    }
}

/// Events over HTTP.
pub(crate) struct HttpStream {
    pub(crate) kind: String,
    body: hyper::body::Incoming,
    text: String,
    _connections: JoinSet<()>,
}

impl HttpStream {
    /// The next one; each has this at its end.
    pub(crate) async fn next(&mut self, end: &str) -> Result<Value, String> {
        loop {
            if let Some((line, rest)) = self.text.split_once(end) {
                let value = serde_json::from_str(line).map_err(|e| e.to_string());
                self.text = rest.to_owned();
                return value;
            }
            let frame = self.body.frame().await.ok_or("the end")?.map_err(|e| e.to_string())?;
            self.text.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
        }
    }
}

/// Events over gRPC.
pub(crate) struct GrpcStream {
    headers: http::HeaderMap,
    body: h2::RecvStream,
    bytes: Vec<u8>,
    _connections: JoinSet<()>,
}

impl GrpcStream {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) async fn next(&mut self) -> Result<ttn_auth::proto::stack::Event, String> {
        loop {
            if let Some((prefix, rest)) = self.bytes.split_first_chunk::<5>() {
                let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]) as usize;
                if let Some(message) = rest.get(..length) {
                    let event = ttn_auth::proto::stack::Event::decode(message).map_err(|e| e.to_string());
                    self.bytes.drain(..5 + length);
                    return event;
                }
            }
            let chunk = self.body.data().await.ok_or("the end")?.map_err(|e| e.to_string())?;
            self.bytes.extend_from_slice(&chunk);
        }
    }
}

impl GrpcStream {
    /// The code at the end.
    pub(crate) async fn status(&mut self) -> i32 {
        let trailers = self.body.trailers().await.unwrap().unwrap();
        trailers["grpc-status"].to_str().unwrap().parse().unwrap()
    }
}

/// Opens a stream of events.
pub(crate) async fn grpc_stream(stack: &Stack, method: &str, key: &str, request: &Value) -> GrpcStream {
    let request = serde_json::from_value::<ttn_auth::proto::stack::StreamEventsRequest>(request.clone());
    let (head, body, connections) = begin(stack, method, key, &request.unwrap().encode_to_vec()).await;
    GrpcStream { headers: head.headers, body, bytes: Vec::new(), _connections: connections }
}

/// An answer over gRPC.
#[derive(Debug)]
pub(crate) struct GrpcAnswer<A> {
    pub(crate) code: i32,
    pub(crate) headers: http::HeaderMap,
    pub(crate) message: Option<A>,
    pub(crate) text: String,
    /// The name of the error.
    pub(crate) error: String,
}

impl<A> GrpcAnswer<A> {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// One call: the request as JSON, the answer as a message.
pub(crate) async fn grpc<Q, A>(stack: &Stack, method: &str, key: &str, request: Value) -> GrpcAnswer<A>
where
    Q: Message + DeserializeOwned,
    A: Message + Default + Serialize,
{
    let message = serde_json::from_value::<Q>(request).unwrap().encode_to_vec();
    let (head, mut body, _connections) = begin(stack, method, key, &message).await;
    let mut bytes = Vec::new();
    while let Some(chunk) = body.data().await {
        bytes.extend_from_slice(&chunk.unwrap());
    }
    let trailers = body.trailers().await.unwrap().unwrap_or_else(|| head.headers.clone());
    let text = |name: &str| trailers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    let message = bytes.get(5..).map(|message| A::decode(message).unwrap());
    let details = STANDARD_NO_PAD.decode(text("grpc-status-details-bin")).unwrap();
    let details = ttn_auth::proto::rpc::Status::decode(details.as_slice()).unwrap().details;
    let error = details
        .first()
        .map(|any| ttn_auth::proto::stack::ErrorDetails::decode(any.value.as_slice()).unwrap().name);
    let code = text("grpc-status").parse().unwrap();
    GrpcAnswer {
        code,
        headers: head.headers,
        message,
        text: text("grpc-message"),
        error: error.unwrap_or_default(),
    }
}

async fn begin(
    stack: &Stack,
    method: &str,
    key: &str,
    message: &[u8],
) -> (http::response::Parts, h2::RecvStream, JoinSet<()>) {
    let address = address(&stack.grpc_address());
    let io = TcpStream::connect(address).await.unwrap();
    let (sender, connection) = h2::client::handshake(io).await.unwrap();
    let mut connections = JoinSet::new();
    connections.spawn(async { drop(connection.await) });
    let mut call = http::Request::builder()
        .method("POST")
        .uri(format!("http://{address}/ttn.lorawan.v3.{method}"))
        .header("content-type", "application/grpc");
    if !key.is_empty() {
        call = call.header("authorization", format!("Bearer {key}"));
    }
    let mut sender = sender.ready().await.unwrap();
    let (answer, mut body) = sender.send_request(call.body(()).unwrap(), false).unwrap();
    let length = u32::try_from(message.len()).unwrap();
    body.send_data([&[0][..], &length.to_be_bytes(), message].concat().into(), true).unwrap();
    let (head, body) = answer.await.unwrap().into_parts();
    (head, body, connections)
}
