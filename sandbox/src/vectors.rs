//! Runs recorded exchanges with a real V2 Handler, or with a real The Things Stack, against a server, and reports every
//! difference.
//!
//! The vectors are facts: what differs is wrong, but for a few [exceptions](Exception), each by a rule. Vectors run in
//! file order, one at a time, each on a connection of its own, because later ones see what earlier ones changed.

mod authenticator;
mod compare;
mod file;
mod fixtures;
mod grpc;
mod http;
mod message;
mod report;
mod stack;
mod stack_compare;
mod stack_file;
mod template;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

pub use authenticator::run_authenticator;
pub use compare::Exception;
pub use file::{
    Exchange, GrpcExpectation, GrpcRequest, HttpExpectation, HttpRequest, Pairs, Vector, VectorFile,
};
pub use fixtures::{FixtureDevice, Fixtures};
pub use report::{Outcome, Report, Verdict};
pub use stack_file::StackExchange;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use compare::{Findings, GrpcStatus};
use template::{expand, expand_values, redact};

use stack::StackTarget;

use crate::{Issuer, Sandbox, SandboxOptions};

/// No recorded exchange took longer than a second; a server that hangs fails its vector after this long.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// Starts a sandbox with the fixtures that the file's `about` names, without a rate limit, and runs the file.
///
/// # Errors
/// What [`Sandbox::start`] gives; fixtures that are not valid.
pub async fn run(file: &VectorFile) -> ttn_auth::Result<Report> {
    let sandbox = sandbox(Fixtures::from_about(&file.about)).await?;
    let ports = sandbox.ports();
    let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let target = Target {
        grpc: at(ports.grpc),
        http: at(ports.http),
        discovery: at(ports.discovery),
        stack_grpc: at(ports.stack_grpc),
        stack_http: at(ports.stack_http),
        issuer: sandbox.issuer(),
    };
    let report = target.run(file).await;
    sandbox.stop().await;
    Ok(report)
}

async fn sandbox(fixtures: Fixtures) -> ttn_auth::Result<Sandbox> {
    Sandbox::start(SandboxOptions {
        rate_limit: None,
        devices: fixtures.devices()?,
        issuer: fixtures.issuer,
        algorithm: fixtures.algorithm,
        applications: fixtures.applications,
        // The recordings of The Things Stack began without any.
        stack_devices: Some(Vec::new()),
        ..SandboxOptions::default()
    })
    .await
}

/// The servers to run vectors against, and who signs their tokens.
#[derive(Debug)]
pub struct Target<'a> {
    /// The Handler's gRPC port, plaintext.
    pub grpc: SocketAddr,
    /// The Handler's HTTP port, plaintext.
    pub http: SocketAddr,
    /// The discovery server's gRPC port, plaintext.
    pub discovery: SocketAddr,
    /// The gRPC port of The Things Stack, plaintext.
    pub stack_grpc: SocketAddr,
    /// Its HTTP port, plaintext.
    pub stack_http: SocketAddr,
    /// Mints the tokens.
    pub issuer: &'a Issuer,
}

impl Target<'_> {
    /// Runs the vectors of a file, in file order.
    pub async fn run(&self, file: &VectorFile) -> Report {
        self.run_within(file, TIME_LIMIT).await
    }

    async fn run_within(&self, file: &VectorFile, limit: Duration) -> Report {
        let mut report = Report::default();
        for vector in &file.vectors {
            let verdict = match &vector.exchange {
                Err(why) => Verdict::Failed(vec![why.clone()]),
                Ok(Exchange::Stack(exchange)) if let Some(rule) = stack::left_out(vector, exchange) => {
                    Verdict::LeftOut(rule)
                }
                Ok(exchange) => match tokio::time::timeout(limit, self.exchange(exchange)).await {
                    Ok(Ok(found)) => found.into(),
                    Ok(Err(why)) => Verdict::Failed(vec![redact(&why)]),
                    Err(_) => Verdict::Failed(vec![format!("no answer within {limit:?}")]),
                },
            };
            report.outcomes.push(Outcome::new(vector, verdict));
        }
        report
    }

    async fn exchange(&self, exchange: &Exchange) -> Result<Findings, String> {
        match exchange {
            Exchange::Grpc(request, expected) => self.grpc(request, expected).await,
            Exchange::Http(request, expected) => self.http(request, expected).await,
            Exchange::Stack(exchange) => {
                let credential = crate::stack::credential;
                StackTarget { grpc: self.stack_grpc, http: self.stack_http, credential }.run(exchange).await
            }
        }
    }

    async fn grpc(&self, request: &GrpcRequest, expected: &GrpcExpectation) -> Result<Findings, String> {
        let method = message::method(&request.method);
        let message = match (&request.request_base64, &method) {
            (Some(bytes), _) => STANDARD.decode(bytes).map_err(|e| format!("request_base64: {e}"))?,
            (None, Some(method)) => (method.encode)(&request.request).map_err(|e| format!("request: {e}"))?,
            (None, None) if request.request.as_object().is_some_and(|fields| fields.is_empty()) => Vec::new(),
            (None, None) => return Err(format!("request: {} is not known here", request.method)),
        };
        let metadata = expand_values(self.issuer, &request.metadata).map_err(|e| e.to_string())?;
        let address = if request.method.starts_with("/discovery.") { self.discovery } else { self.grpc };
        let mut found = Findings::default();
        match (grpc::call(address, &request.method, &metadata, &message).await, expected) {
            (grpc::Ending::CannotSend(_), GrpcExpectation::TransportError) => {
                found.exceptions.push(Exception::CannotSend);
            }
            (grpc::Ending::CannotSend(what), _) => return Err(format!("an http crate cannot send {what}")),
            (grpc::Ending::Broken(_), GrpcExpectation::TransportError) => {}
            (grpc::Ending::Broken(why), _) => found.differ("ending", "a gRPC status", &why),
            (grpc::Ending::Status(came), GrpcExpectation::TransportError) => {
                found.differ("ending", "no gRPC status", &format!("{} {:?}", came.code, came.message));
            }
            (
                grpc::Ending::Status(came),
                GrpcExpectation::Status { code, message, response, response_base64, initial_metadata },
            ) => {
                let expected = GrpcStatus {
                    code: *code,
                    message,
                    response,
                    response_base64: response_base64.as_deref(),
                    initial_metadata,
                };
                found = compare::grpc(request, method.as_ref(), &expected, &came);
            }
        }
        Ok(found)
    }

    async fn http(&self, request: &HttpRequest, expected: &HttpExpectation) -> Result<Findings, String> {
        let text = |text: &str| expand(self.issuer, text).map_err(|e| e.to_string());
        let path = text(&request.path)?;
        let headers = expand_values(self.issuer, &request.headers).map_err(|e| e.to_string())?;
        let body = request.body.as_deref().map(text).transpose()?;
        let came = http::call(self.http, &request.method, &path, &headers, body.as_deref()).await?;
        Ok(compare::http(expected, &came))
    }
}

#[cfg(test)]
#[path = "vectors/run_tests.rs"]
mod tests;
