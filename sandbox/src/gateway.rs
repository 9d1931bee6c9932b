//! The Handler over HTTP: the routes of V2's grpc-gateway, and its habits. Every error of the service is a 500.

#![allow(clippy::result_large_err, reason = "a refusal is an answer like any other, moved once")]

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Method, Request, StatusCode};
use hyper::body::Incoming;
use ttn_auth::proto::handler::{ApplicationIdentifier, DeviceIdentifier};
use ttn_auth::{Error, ErrorKind, Result, gateway_metadata, gateway_timeout, to_json};

use crate::body::{application, application_identifier, device};
use crate::go::page;
use crate::handler::{Call, Handler};
use crate::rest::{bare, body, escaped, is_percent_encoded, json, segments, text};
use crate::serve::{MAX_HTTP1_HEADERS, Reply, Service};
use crate::store::UNKNOWN;

pub(crate) struct Gateway(pub(crate) Arc<Handler>);

impl Service for Gateway {
    async fn call(&self, request: Request<Incoming>) -> Reply {
        self.answer(request).await.unwrap_or_else(|refusal| refusal)
    }
}

/// The routes, whatever the method.
enum Route {
    Applications,
    Application { app_id: String },
    Devices { app_id: String },
    Device { app_id: String, dev_id: String },
}

impl Route {
    fn find(segments: Vec<String>) -> Option<Self> {
        // A colon in the last segment would begin a verb, and no route has one.
        if segments.last().is_some_and(|last| last.contains(':')) {
            return None;
        }
        let names: Vec<&str> = segments.iter().map(String::as_str).collect();
        match *names {
            ["applications"] => Some(Self::Applications),
            ["applications", app] => Some(Self::Application { app_id: app.to_owned() }),
            ["applications", app, "devices"] => Some(Self::Devices { app_id: app.to_owned() }),
            ["applications", app, "devices", dev] => {
                Some(Self::Device { app_id: app.to_owned(), dev_id: dev.to_owned() })
            }
            _ => None,
        }
    }

    fn allows(&self, method: &Method) -> bool {
        let methods: &[Method] = match self {
            Self::Applications => &[Method::POST],
            Self::Devices { .. } => &[Method::GET, Method::POST, Method::PUT],
            Self::Application { .. } | Self::Device { .. } => {
                &[Method::GET, Method::POST, Method::PUT, Method::DELETE]
            }
        };
        methods.contains(method)
    }
}

/// What went well, and the list's totals.
struct Success {
    body: String,
    metadata: Vec<(&'static str, String)>,
}

impl Success {
    fn new(body: Result<String>) -> Result<Self> {
        Ok(Self { body: body?, metadata: Vec::new() })
    }

    fn empty((): ()) -> Result<Self> {
        Self::new(Ok("{}".to_owned()))
    }
}

impl Gateway {
    async fn answer(&self, request: Request<Incoming>) -> Result<Reply, Reply> {
        // hyper reads in large pieces and looks at its limit between them, so that more than that comes through.
        if head_size(&request) > MAX_HTTP1_HEADERS {
            return Err(bare(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
        }
        if !is_percent_encoded(request.uri().path()) {
            return Err(bare(StatusCode::BAD_REQUEST));
        }
        // Paging is looked at before the route, whatever it is.
        let offset = page(request.uri(), "offset")?;
        let limit = page(request.uri(), "limit")?;
        let route =
            Route::find(segments(request.uri())).ok_or_else(|| text(StatusCode::NOT_FOUND, "Not Found"))?;
        if !route.allows(request.method()) {
            return Err(text(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed"));
        }
        let (parts, incoming) = request.into_parts();
        let timeout = gateway_timeout(&parts.headers)
            .map_err(|error| refused(StatusCode::BAD_REQUEST, 3, error.message()))?;
        let call = Call::new(&gateway_metadata(&parts.headers));
        let call = Call { limit: limit.or(call.limit), offset: offset.or(call.offset), ..call };
        let content = body(incoming).await?;
        let work = self.dispatch(&parts.method, route, &call, &content);
        let result = match timeout {
            None => work.await,
            // Over before it began; polled even once, the work could be done.
            // tokio's timers have steps of a millisecond.
            Some(limit) if limit < Duration::from_millis(1) => Err(late().into()),
            Some(limit) => tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(late().into())),
        };
        result.map(success).map_err(|refusal| match refusal {
            Refusal::Body(error) => refused(StatusCode::BAD_REQUEST, 3, error.message()),
            Refusal::Service(error) => {
                refused(StatusCode::INTERNAL_SERVER_ERROR, UNKNOWN, &http_message(&error))
            }
        })
    }

    async fn dispatch(
        &self,
        method: &Method,
        route: Route,
        call: &Call,
        content: &[u8],
    ) -> Result<Success, Refusal> {
        let handler = &*self.0;
        let get = *method == Method::GET;
        let delete = *method == Method::DELETE;
        let answer = match route {
            Route::Applications => {
                Success::empty(handler.register_application(call, application_identifier(content)?).await?)
            }
            Route::Application { app_id } if get => {
                let found = handler.get_application(call, ApplicationIdentifier { app_id }).await?;
                Success::new(to_json(&found))
            }
            Route::Application { app_id } if delete => {
                Success::empty(handler.delete_application(call, ApplicationIdentifier { app_id }).await?)
            }
            Route::Application { app_id } => {
                let mut request = application(content)?;
                request.app_id = app_id;
                Success::empty(handler.set_application(call, request).await?)
            }
            Route::Devices { app_id } if get => {
                let found = handler.get_devices(call, ApplicationIdentifier { app_id }).await?;
                let metadata = vec![
                    ("grpc-metadata-selected", found.list.devices.len().to_string()),
                    ("grpc-metadata-total", found.total.to_string()),
                ];
                Success::new(to_json(&found.list)).map(|success| Success { metadata, ..success })
            }
            Route::Devices { app_id } => {
                let mut request = device(content)?;
                request.app_id = app_id;
                Success::empty(handler.set_device(call, request).await?)
            }
            Route::Device { app_id, dev_id } if get => {
                let found = handler.get_device(call, DeviceIdentifier { app_id, dev_id }).await?;
                Success::new(to_json(&found))
            }
            Route::Device { app_id, dev_id } if delete => {
                Success::empty(handler.delete_device(call, DeviceIdentifier { app_id, dev_id }).await?)
            }
            Route::Device { app_id, dev_id } => {
                let mut request = device(content)?;
                (request.app_id, request.dev_id) = (app_id, dev_id);
                Success::empty(handler.set_device(call, request).await?)
            }
        };
        Ok(answer?)
    }
}

/// Why there is no good answer: the body, or the service.
pub(crate) enum Refusal {
    Body(Error),
    Service(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Service(error)
    }
}

fn success(success: Success) -> Reply {
    let mut reply = json(StatusCode::OK, escaped(&success.body));
    let headers = reply.headers_mut();
    headers.insert("grpc-metadata-content-type", HeaderValue::from_static("application/grpc"));
    for (name, value) in success.metadata {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
    reply
}

fn refused(status: StatusCode, code: i32, message: &str) -> Reply {
    let quoted = serde_json::Value::from(message).to_string();
    json(status, escaped(&format!(r#"{{"error":{quoted},"code":{code},"message":{quoted}}}"#)))
}

/// The text of an error over HTTP: codes that V2 has no words of its own for are named in it.
fn http_message(error: &Error) -> String {
    let name = match error.grpc_code() {
        Some(1) => "Canceled",
        Some(4) => "DeadlineExceeded",
        Some(8) => "ResourceExhausted",
        Some(12) => "Unimplemented",
        Some(14) => "Unavailable",
        _ => return error.message().to_owned(),
    };
    format!("Internal error: [{name}] {}", error.message())
}

/// The bytes of a request's line and headers, as HTTP/1.1 has them.
pub(crate) fn head_size<B>(request: &Request<B>) -> usize {
    let headers = request.headers().iter();
    request.uri().to_string().len()
        + headers.map(|(name, value)| name.as_str().len() + value.len() + 4).sum::<usize>()
}

fn late() -> Error {
    Error::new(ErrorKind::Timeout, "context deadline exceeded").with_grpc_code(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_and_methods() {
        let status = |method: Method, path: &str| {
            let uri: http::Uri = path.parse().unwrap();
            Route::find(segments(&uri)).map(|route| route.allows(&method))
        };
        for (method, path, expected) in [
            (Method::POST, "/applications", Some(true)),
            (Method::GET, "/applications", Some(false)),
            (Method::GET, "/applications/", Some(true)),
            (Method::DELETE, "/applications/a/devices", Some(false)),
            (Method::DELETE, "/applications/a/devices/", Some(true)),
            (Method::PATCH, "/applications/a", Some(false)),
            (Method::GET, "/applications/a/devices/d/x", None),
            (Method::GET, "/applications/a:b", None),
            (Method::GET, "/", None),
        ] {
            assert_eq!(status(method, path), expected, "{path}");
        }
    }
}
