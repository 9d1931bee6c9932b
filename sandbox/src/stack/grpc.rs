//! The servers over gRPC: which method reads which message, and how an error carries its details.
//! Source: v3/wire.md, sections Errors and Events.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use hyper::body::Incoming;
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use ttn_auth::proto::{Empty, stack};

use crate::grpc::{framed, is_grpc, percent_encoded, read};
use crate::serve::{Frames, Reply, Service as Server};
use crate::stack::error::{Refusal, plain};
use crate::stack::rate::Standing;
use crate::stack::service::{Method, Service};
use crate::stack::token::ulid;

/// The package of every service.
const PACKAGE: &str = "/ttn.lorawan.v3.";

pub(crate) struct GrpcSide(pub(crate) Arc<Service>);

/// How the messages of a method are read and written.
struct Codec {
    read: fn(Bytes) -> Result<Value, Refusal>,
    check: fn(&Value) -> Result<(), Refusal>,
    write: fn(&Value) -> Bytes,
}

/// Finds a method by its path, `/ttn.lorawan.v3.EntityAccess/AuthInfo`.
fn find(path: &str) -> Option<(Method, Codec)> {
    let name = path.strip_prefix(PACKAGE)?;
    known().into_iter().find(|(method, _)| method.name() == name)
}

/// Refuses JSON that is not the message of a method.
pub(crate) fn check(method: Method, message: &Value) -> Result<(), Refusal> {
    let codec = known().into_iter().find(|(known, _)| *known == method);
    codec.map_or(Ok(()), |(_, codec)| (codec.check)(message))
}

fn known() -> [(Method, Codec); 23] {
    use Method::{
        AsGetDevice, AuthInfo, CreateApplication, CreateDevice, CreateKey, DeleteApplication, DeleteDevice,
        DeleteKey, DeviceByEuis, GetApplication, GetDevice, GetKey, ListApplications, ListDevices, ListKeys,
        ListRights, NsGetDevice, PurgeApplication, RestoreApplication, StreamEvents, UpdateApplication,
        UpdateDevice, UpdateKey,
    };
    use stack::{
        ApiKey, ApiKeys, Application, ApplicationIdentifiers, Applications, AuthInfoResponse,
        CreateApplicationApiKeyRequest, CreateApplicationRequest, CreateEndDeviceRequest, EndDevice,
        EndDeviceIdentifiers, EndDevices, Event, GetApplicationApiKeyRequest, GetApplicationRequest,
        GetEndDeviceIdentifiersForEuIsRequest, GetEndDeviceRequest, ListApplicationApiKeysRequest,
        ListApplicationsRequest, ListEndDevicesRequest, Rights, StreamEventsRequest,
        UpdateApplicationApiKeyRequest, UpdateApplicationRequest, UpdateEndDeviceRequest,
    };
    [
        (AuthInfo, codec::<Empty, AuthInfoResponse>()),
        (CreateApplication, codec::<CreateApplicationRequest, Application>()),
        (GetApplication, codec::<GetApplicationRequest, Application>()),
        (ListApplications, codec::<ListApplicationsRequest, Applications>()),
        (UpdateApplication, codec::<UpdateApplicationRequest, Application>()),
        (DeleteApplication, codec::<ApplicationIdentifiers, Empty>()),
        (RestoreApplication, codec::<ApplicationIdentifiers, Empty>()),
        (PurgeApplication, codec::<ApplicationIdentifiers, Empty>()),
        (ListRights, codec::<ApplicationIdentifiers, Rights>()),
        (CreateKey, codec::<CreateApplicationApiKeyRequest, ApiKey>()),
        (ListKeys, codec::<ListApplicationApiKeysRequest, ApiKeys>()),
        (GetKey, codec::<GetApplicationApiKeyRequest, ApiKey>()),
        (UpdateKey, codec::<UpdateApplicationApiKeyRequest, ApiKey>()),
        // Its request has the same fields.
        (DeleteKey, codec::<GetApplicationApiKeyRequest, Empty>()),
        (CreateDevice, codec::<CreateEndDeviceRequest, EndDevice>()),
        (GetDevice, codec::<GetEndDeviceRequest, EndDevice>()),
        (ListDevices, codec::<ListEndDevicesRequest, EndDevices>()),
        (UpdateDevice, codec::<UpdateEndDeviceRequest, EndDevice>()),
        (DeleteDevice, codec::<EndDeviceIdentifiers, Empty>()),
        (DeviceByEuis, codec::<GetEndDeviceIdentifiersForEuIsRequest, EndDeviceIdentifiers>()),
        (NsGetDevice, codec::<GetEndDeviceRequest, EndDevice>()),
        (AsGetDevice, codec::<GetEndDeviceRequest, EndDevice>()),
        (StreamEvents, codec::<StreamEventsRequest, Event>()),
    ]
}

fn codec<Q, A>() -> Codec
where
    Q: Message + Default + Serialize + DeserializeOwned,
    A: Message + Default + DeserializeOwned,
{
    Codec {
        read: |bytes| {
            let unreadable = |why: String| plain(13, format!("grpc: error unmarshalling request: {why}"));
            let message = Q::decode(bytes).map_err(|e| unreadable(format!("proto: {e}")))?;
            serde_json::to_value(message).map_err(|e| unreadable(e.to_string()))
        },
        check: |message| {
            Q::deserialize(message).map(drop).map_err(|e| plain(3, format!("unmarshal error: {e}")))
        },
        // What the sandbox itself wrote is a message, and an event that a test emits was looked at.
        write: |message| framed(&A::deserialize(message).unwrap_or_default().encode_to_vec()),
    }
}

/// The last counts, if there are several.
fn authorization(metadata: &HeaderMap) -> Option<String> {
    let value = metadata.get_all(header::AUTHORIZATION).iter().next_back()?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

impl Server for GrpcSide {
    async fn call(&self, request: Request<Incoming>) -> Reply {
        if !is_grpc(&request) {
            let mut reply = Reply::default();
            *reply.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return reply;
        }
        let (parts, body) = request.into_parts();
        let Some((method, codec)) = find(parts.uri.path()) else {
            return trailers_only(&unknown(parts.uri.path()));
        };
        let message = match read(body).await {
            Ok(message) => message,
            Err(error) => return trailers_only(&plain(error.grpc_code().unwrap_or(13), error.message())),
        };
        let mut headers = Headers::new(&parts.headers);
        let message = (codec.read)(message);
        let answer = self.0.faults.call().await.and(message).and_then(|message| {
            self.answer(method, authorization(&parts.headers).as_deref(), &message, codec.write, &mut headers)
        });
        headers.reply(answer)
    }
}

impl GrpcSide {
    fn answer(
        &self,
        method: Method,
        authorization: Option<&str>,
        message: &Value,
        write: fn(&Value) -> Bytes,
        headers: &mut Headers,
    ) -> Result<Frames, Refusal> {
        if let Some(standing) = self.0.limit(method.name(), authorization) {
            headers.stand(&standing);
            if let Some(refusal) = standing.refusal {
                return Err(refusal);
            }
        }
        if method == Method::StreamEvents {
            if message["tail"].as_u64().is_some_and(|tail| tail > 0) {
                headers.add("warning", "Events storage is not enabled");
            }
            let parts = self.0.subscribe(authorization, message, Box::new(write))?;
            // Only a server that stops ends a stream.
            return Ok(Frames::coming(parts).with_trailers(refused(&plain(14, "the stream has ended"))));
        }
        let answer = self.0.call(method, authorization, message)?;
        if let Some(total) = answer.total {
            headers.add("x-total-count", &total.to_string());
        }
        Ok(Frames::data(write(&answer.message)).with_trailers(status(0)))
    }
}

/// Initial metadata.
struct Headers(HeaderMap);

impl Headers {
    fn new(sent: &HeaderMap) -> Self {
        let mut headers = Self(HeaderMap::new());
        headers.0.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        match sent.get("x-request-id") {
            Some(id) => drop(headers.0.insert("x-request-id", id.clone())),
            None => headers.add("x-request-id", &ulid()),
        }
        headers
    }

    fn add(&mut self, name: &'static str, value: &str) {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.0.insert(name, value);
        }
    }

    fn stand(&mut self, standing: &Standing) {
        for (name, value) in standing.headers() {
            self.add(name, &value);
        }
    }

    /// An error has initial metadata as well, and its status in trailers.
    fn reply(self, answer: Result<Frames, Refusal>) -> Reply {
        let frames = answer.unwrap_or_else(|refusal| Frames::default().with_trailers(refused(&refusal)));
        let mut reply = Reply::new(frames);
        *reply.headers_mut() = self.0;
        reply
    }
}

fn status(code: i32) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", code.into());
    trailers
}

fn refused(refusal: &Refusal) -> HeaderMap {
    let mut trailers = status(refusal.code);
    if let Ok(message) = HeaderValue::try_from(percent_encoded(&refusal.message)) {
        trailers.insert("grpc-message", message);
    }
    if let Some(details) = refusal.status_details()
        && let Ok(details) = HeaderValue::try_from(STANDARD_NO_PAD.encode(details))
    {
        trailers.insert("grpc-status-details-bin", details);
    }
    trailers
}

fn trailers_only(refusal: &Refusal) -> Reply {
    let mut reply = Reply::default();
    *reply.headers_mut() = refused(refusal);
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    reply
}

fn unknown(path: &str) -> Refusal {
    let (service, method) = path.trim_start_matches('/').rsplit_once('/').unwrap_or((path, ""));
    let served = ["EntityAccess", "ApplicationRegistry", "ApplicationAccess", "EndDeviceRegistry", "Events"];
    let is_served = service.strip_prefix("ttn.lorawan.v3.").is_some_and(|name| served.contains(&name));
    plain(
        12,
        match is_served {
            true => format!("unknown method {method} for service {service}"),
            false => format!("unknown service {service}"),
        },
    )
}
