//! The same vectors for the core's [`Authenticator`] alone, as any server has it: `Carrier::extract`, `authenticate`,
//! `require`. There is no Handler behind it; only an account server, as each vector's own had one.
//!
//! Which vectors are about authentication is a rule, not a list: those of a call that needs a right, and that the Handler
//! did not answer before it looked at the credential. Where it was content with the credential and refused something else,
//! the authenticator must accept.

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use ttn_auth::{AccountServer, Answers, AppId, Authenticator, Carrier, Compat, Right};

use super::compare::{Exception, Findings};
use super::file::{Exchange, GrpcExpectation, GrpcRequest, HttpExpectation, HttpRequest, Pairs, VectorFile};
use super::report::{Outcome, Report, Verdict};
use super::template::{expand_values, redact};
use super::{Fixtures, sandbox};
use crate::Sandbox;

/// The largest token of the default mode, in bytes.
const MAX_TOKEN: usize = 64 << 10;

/// Runs a file's vectors against an authenticator, with the account server of a sandbox that has the file's fixtures.
///
/// With [`Compat::V2`] the verdict, the code and the text are to be the recorded ones. By default the verdict is: whoever
/// was accepted is, and whoever was refused is not, but for exceptions with a rule.
///
/// # Errors
/// Those of [`run`](super::run).
pub async fn run_authenticator(file: &VectorFile, compat: Compat) -> ttn_auth::Result<Report> {
    let sandbox = sandbox(Fixtures::from_about(&file.about)).await?;
    let server = AccountServer::new(&sandbox.account_server())?;
    let authenticator =
        Authenticator::builder().auth_server(sandbox.issuer().id(), server).compat(compat).build();
    let judge = Judge { sandbox: &sandbox, authenticator, compat };
    let mut report = Report::default();
    for vector in &file.vectors {
        let verdict = match &vector.exchange {
            Ok(exchange) => {
                judge.verdict(exchange).await.unwrap_or_else(|why| Verdict::Failed(vec![redact(&why)]))
            }
            Err(why) => Verdict::Failed(vec![why.clone()]),
        };
        report.outcomes.push(Outcome::new(vector, verdict));
    }
    sandbox.stop().await;
    Ok(report)
}

struct Judge<'a> {
    sandbox: &'a Sandbox,
    authenticator: Authenticator,
    compat: Compat,
}

/// What a recorded answer says of the credential.
#[derive(Debug, PartialEq)]
enum Recorded {
    /// It was good; or what came after it was not.
    Accepted,
    /// In these words, and over gRPC with this code; over HTTP every error is a 500.
    Refused(Option<i64>, String),
}

impl Judge<'_> {
    async fn verdict(&self, exchange: &Exchange) -> Result<Verdict, String> {
        let needed = match exchange {
            Exchange::Grpc(request, _) => grpc_right(request)?,
            Exchange::Http(request, expected) => http_right(request, expected)?,
            Exchange::Stack(_) => return Ok(Verdict::LeftOut(Exception::OtherNetwork)),
        };
        let Some(recorded) = recorded(exchange) else {
            return Ok(Verdict::LeftOut(Exception::BeforeAuthentication));
        };
        let Some((app, right)) = needed else { return Ok(Verdict::LeftOut(Exception::NoCredential)) };
        let app = AppId::new(app).map_err(|error| error.to_string())?;
        let (carrier, sent) = match exchange {
            Exchange::Grpc(request, _) => (Carrier::GrpcMetadata, &request.metadata),
            Exchange::Http(request, _) => (Carrier::AuthorizationHeader, &request.headers),
            Exchange::Stack(_) => return Ok(Verdict::LeftOut(Exception::OtherNetwork)),
        };
        let sent = expand_values(self.sandbox.issuer(), sent).map_err(|error| error.to_string())?;
        let presented = carrier.extract(&headers(&sent, carrier)?);
        let came = match self.authenticator.authenticate(&presented, &app).await {
            Ok(claims) => claims.require(&app, right),
            Err(error) => Err(error),
        };
        let mut found = Findings::default();
        match (recorded, came) {
            (Recorded::Accepted, Ok(())) => {}
            (Recorded::Accepted, Err(error)) => {
                let large = presented.token.is_some_and(|token| token.expose().len() > MAX_TOKEN);
                if large && self.compat != Compat::V2 {
                    return Ok(Verdict::Passed(vec![Exception::LargeToken]));
                }
                found.differ("verdict", "accepted", &format!("{error}"));
            }
            (Recorded::Refused(_, message), Ok(())) => found.differ("verdict", &message, "accepted"),
            (Recorded::Refused(..), Err(_)) if self.compat != Compat::V2 => {}
            (Recorded::Refused(code, message), Err(error)) => match code {
                Some(code) => {
                    let answer = Answers::v2().grpc(&error);
                    found.same("code", &code, &i64::from(answer.code));
                    found.message("message", &message, &answer.message);
                }
                None => {
                    let answer = Answers::v2().http(&error);
                    found.same("status", &500, &answer.status);
                    let body: Value =
                        serde_json::from_str(&answer.body).map_err(|error| error.to_string())?;
                    found.same("code", &Some(2), &body["code"].as_i64());
                    for name in ["error", "message"] {
                        found.message(name, &message, body[name].as_str().unwrap_or_default());
                    }
                }
            },
        }
        Ok(found.into())
    }
}

/// As a server's HTTP library gives them.
fn headers(sent: &Pairs, carrier: Carrier) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in sent {
        // HTTP/1.1 does not count blanks around a value (RFC 9110, section 5.5); HTTP/2 sends what it is given.
        let value = if carrier == Carrier::GrpcMetadata { value } else { value.trim_matches([' ', '\t']) };
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("the name {name:?}"))?;
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| format!("the value of {name}"))?;
        headers.try_append(name, value).map_err(|error| error.to_string())?;
    }
    Ok(headers)
}

/// What the Handler's answer says of the credential; nothing, if it was given before the credential was looked at: no such
/// route or method, nothing that can be decoded, an id that is none (wire.md, section 5).
fn recorded(exchange: &Exchange) -> Option<Recorded> {
    let (code, message) = match exchange {
        Exchange::Grpc(_, GrpcExpectation::TransportError) => return None,
        Exchange::Grpc(_, GrpcExpectation::Status { code: 12 | 13, .. }) => return None,
        Exchange::Grpc(_, GrpcExpectation::Status { code: 0, .. }) => return Some(Recorded::Accepted),
        Exchange::Grpc(_, GrpcExpectation::Status { code, message, .. }) => (Some(*code), message.clone()),
        Exchange::Http(_, HttpExpectation { status: 200, .. }) => return Some(Recorded::Accepted),
        Exchange::Http(_, HttpExpectation { status: 500, body, .. }) => {
            let body: Value = serde_json::from_str(body).ok()?;
            (None, body["message"].as_str()?.to_owned())
        }
        Exchange::Http(..) | Exchange::Stack(_) => return None,
    };
    /// How a Handler begins what it says of a credential, and the account server's words of the recordings.
    const REFUSALS: [&str; 4] =
        ["Metadata not valid: ", "permission denied: ", "Auth server \"", "invalid access key"];
    if REFUSALS.iter().any(|start| message.starts_with(start)) {
        return Some(Recorded::Refused(code, message));
    }
    (!message.contains(" not valid: ")).then_some(Recorded::Accepted)
}

type Needed = Option<(String, Right)>;

/// The application and the right that a method needs, if it needs one (wire.md, section 6).
fn grpc_right(request: &GrpcRequest) -> Result<Needed, String> {
    let right = match request.method.strip_prefix("/handler.ApplicationManager/") {
        Some("RegisterApplication" | "GetApplication" | "SetApplication") => Right::Settings,
        Some("DeleteApplication") => Right::Delete,
        Some("GetDevice" | "SetDevice" | "DeleteDevice" | "GetDevicesForApplication" | "SimulateUplink") => {
            Right::Devices
        }
        Some("DryUplink" | "DryDownlink") | None => return Ok(None),
        Some(unknown) => return Err(format!("{unknown} is not known here")),
    };
    Ok(Some((request.request["app_id"].as_str().unwrap_or_default().to_owned(), right)))
}

/// The same of a route. A path overrides the body.
fn http_right(request: &HttpRequest, expected: &HttpExpectation) -> Result<Needed, String> {
    let path = request.path.split('?').next().unwrap_or_default();
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let (app, right) = match (segments.as_slice(), request.method.as_str()) {
        (["applications"], _) => {
            let body = request.body.as_deref().unwrap_or_default();
            let body: Value = serde_json::from_str(body).unwrap_or_default();
            let id = body.get("app_id").or_else(|| body.get("appId"));
            (id.and_then(Value::as_str).unwrap_or_default().to_owned(), Right::Settings)
        }
        (["applications", app], "DELETE") => ((*app).to_owned(), Right::Delete),
        (["applications", app], _) => ((*app).to_owned(), Right::Settings),
        (["applications", app, "devices", ..], _) => ((*app).to_owned(), Right::Devices),
        _ if expected.status == 404 => return Ok(None),
        _ => return Err(format!("{path} is not known here")),
    };
    Ok(Some((app, right)))
}

#[cfg(test)]
#[path = "authenticator_tests.rs"]
mod tests;
