//! The discovery service: says where the sandbox's Handler is, and which certificate it has. gRPC and HTTP on one port.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use hyper::body::Incoming;
use ttn_auth::proto::discovery::{
    Announcement, AnnouncementsResponse, GetByAppIdRequest, GetRequest, GetServiceRequest,
};
use ttn_auth::{Error, ErrorKind, Result, to_json};

use crate::grpc::{Answer, decode, is_grpc, unary, unknown};
use crate::handler::Handler;
use crate::options::Ports;
use crate::rest::{escaped, json, segments, text};
use crate::serve::{Reply, Service};
use crate::tls::Identity;

/// The Handler's name. One that is called `dev` answers `GetStatus` without a credential.
const HANDLER_ID: &str = "dev";

pub(crate) struct Discovery {
    pub(crate) announcement: Announcement,
    pub(crate) handler: Arc<Handler>,
}

impl Service for Discovery {
    async fn call(&self, request: Request<Incoming>) -> Reply {
        if is_grpc(&request) {
            unary(request, |path, _, message| async move { self.dispatch(&path, message) }).await
        } else {
            self.http(&request)
        }
    }
}

impl Discovery {
    fn dispatch(&self, path: &str, message: Bytes) -> Result<Answer> {
        Ok(match path {
            "/discovery.Discovery/Get" => {
                let request: GetRequest = decode(message)?;
                Answer::new(self.get(&request.service_name, &request.id)?)
            }
            "/discovery.Discovery/GetByAppID" => {
                let request: GetByAppIdRequest = decode(message)?;
                if !self.handler.store.lock().contains(&request.app_id) {
                    return Err(not_found(&format!("handler for app {}", request.app_id)));
                }
                Answer::new(&self.announcement)
            }
            "/discovery.Discovery/GetAll" => {
                let request: GetServiceRequest = decode(message)?;
                Answer::new(&self.all(&request.service_name))
            }
            _ => return Err(unknown(path, &["discovery.Discovery"])),
        })
    }

    fn http(&self, request: &Request<Incoming>) -> Reply {
        let segments = segments(request.uri());
        let names: Vec<&str> = segments.iter().map(String::as_str).collect();
        let found = match *names {
            ["announcements", service] => to_json(&self.all(service)),
            ["announcements", service, id] => self.get(service, id).and_then(to_json),
            _ => return text(StatusCode::NOT_FOUND, "Not Found"),
        };
        if request.method() != Method::GET {
            return text(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
        }
        match found {
            Ok(body) => json(StatusCode::OK, escaped(&body)),
            Err(error) => {
                let message = error.message();
                let body = serde_json::json!({"error": message, "code": 2, "message": message});
                json(StatusCode::INTERNAL_SERVER_ERROR, escaped(&body.to_string()))
            }
        }
    }

    fn get(&self, service: &str, id: &str) -> Result<&Announcement> {
        if service == self.announcement.service_name && id == self.announcement.id {
            Ok(&self.announcement)
        } else {
            Err(not_found(&format!("discovery:announcement:{service}:{id}")))
        }
    }

    fn all(&self, service: &str) -> AnnouncementsResponse {
        let services = Some(&self.announcement).filter(|found| found.service_name == service);
        AnnouncementsResponse { services: services.into_iter().cloned().collect() }
    }
}

fn not_found(what: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("{what} not found")).with_grpc_code(5)
}

/// What the Handler announces of itself.
pub(crate) fn announcement(ports: &Ports, identity: &Identity) -> Announcement {
    Announcement {
        id: HANDLER_ID.into(),
        service_name: "handler".into(),
        service_version: concat!(env!("CARGO_PKG_VERSION"), "-sandbox").into(),
        description: "Stand-in Handler on loopback".into(),
        net_address: format!("localhost:{}", ports.grpcs),
        certificate: identity.certificate().into(),
        api_address: format!("https://localhost:{}", ports.https),
        ..Default::default()
    }
}
