//! A V2 Handler's ApplicationManager: eleven typed calls, the same over gRPC and HTTP. Three have no HTTP route.
//!
//! Messages are in [`proto::handler`](crate::proto::handler); their documented JSON is their serde form. Ids are checked
//! here, by the server's own rule, so that a bad one fails the same way over both transports and never shapes a path.

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::proto::handler::{
    Application, ApplicationIdentifier, Device, DeviceIdentifier, DeviceList, DryDownlinkMessage,
    DryDownlinkResult, DryUplinkMessage, DryUplinkResult, SimulatedUplinkMessage,
};
use crate::proto::{Empty, Named};
use crate::{AppId, CallOptions, Client, DevId, Error, ErrorKind, Result, Transport, from_json, to_json};

/// Which part of a list to get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page {
    /// At most this many; 0 or absent: all.
    pub limit: Option<u64>,
    /// Leave out this many first.
    pub offset: Option<u64>,
}

impl Page {
    /// At most `limit` items, after the first `offset`.
    pub fn new(limit: u64, offset: u64) -> Self {
        Self { limit: Some(limit), offset: Some(offset) }
    }
}

/// A part of an application's devices.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DevicePage {
    /// The devices, by id.
    pub devices: Vec<Device>,
    /// How many devices the application has.
    pub total: u64,
    /// How many of them are here.
    pub selected: u64,
}

/// The calls of a V2 Handler's ApplicationManager.
///
/// Every call fails with [`ErrorKind::InvalidArgument`] for an id that is not valid, and otherwise with what the server,
/// the network or the time limit says.
#[derive(Clone, Debug)]
pub struct ApplicationManager {
    client: Client,
    options: CallOptions,
}

/// What a binding makes of an answer, such as its JSON.
pub trait WriteAnswer {
    /// What it makes.
    type Written;

    /// Makes it.
    ///
    /// # Errors
    /// If the answer cannot be written.
    fn write<T: Serialize>(self, answer: &T) -> Result<Self::Written>;
}

/// Writes an answer as V2's documented JSON.
#[derive(Clone, Copy, Debug)]
pub struct ToJson;

impl WriteAnswer for ToJson {
    type Written = String;

    fn write<T: Serialize>(self, answer: &T) -> Result<String> {
        to_json(answer)
    }
}

/// One call: its gRPC name, alone and as a path, and its route, if there is one.
struct Rpc {
    name: &'static str,
    method: &'static str,
    route: Option<(Method, &'static str)>,
}

macro_rules! method {
    ($name:expr) => {
        concat!("/handler.ApplicationManager/", $name)
    };
}

macro_rules! rpcs {
    ($(
        $(#[$doc:meta])*
        $function:ident $name:ident($request:ident) -> $answer:ident $(, $method:ident $path:literal)?;
    )*) => {
        impl ApplicationManager {
            $(
                $(#[$doc])*
                pub async fn $function(&self, request: &$request) -> Result<$answer> {
                    let route = None$(.or(Some((Method::$method, $path))))?;
                    let rpc = Rpc { name: stringify!($name), method: method!(stringify!($name)), route };
                    self.made(rpc, request, &Page::default()).await.map(|(answer, _)| answer)
                }
            )*

            /// A call by its gRPC name, such as `GetDevice`, with its request as V2's documented JSON. For bindings.
            ///
            /// # Errors
            /// [`ErrorKind::InvalidArgument`] for JSON that is not the message, [`ErrorKind::Unimplemented`] for an unknown
            /// name; otherwise those of the call, and of `to`.
            pub async fn call<W: WriteAnswer>(
                &self,
                name: &str,
                request: &str,
                page: Page,
                to: W,
            ) -> Result<W::Written> {
                match name {
                    $(stringify!($name) => {
                        to.write(&self.$function(&from_json(request.as_bytes())?).await?)
                    })*
                    "GetDevicesForApplication" => {
                        to.write(&self.get_devices(&from_json(request.as_bytes())?, page).await?)
                    }
                    _ => Err(Error::new(ErrorKind::Unimplemented, format!("ApplicationManager has no call {name:?}"))),
                }
            }
        }
    };
}

rpcs! {
    /// Registers an application with this Handler. Needs the right `settings`.
    register_application RegisterApplication(ApplicationIdentifier) -> Empty, POST "/applications";
    /// An application and its payload functions. Needs the right `settings`.
    get_application GetApplication(ApplicationIdentifier) -> Application, GET "/applications/{app_id}";
    /// Replaces an application's settings. Needs the right `settings`.
    set_application SetApplication(Application) -> Empty, POST "/applications/{app_id}";
    /// Deletes an application and its devices. Needs the right `delete`.
    delete_application DeleteApplication(ApplicationIdentifier) -> Empty, DELETE "/applications/{app_id}";
    /// A device. Needs the right `devices`.
    get_device GetDevice(DeviceIdentifier) -> Device, GET "/applications/{app_id}/devices/{dev_id}";
    /// Creates or replaces a device. Needs the right `devices`.
    set_device SetDevice(Device) -> Empty, POST "/applications/{app_id}/devices/{dev_id}";
    /// Deletes a device. Needs the right `devices`.
    delete_device DeleteDevice(DeviceIdentifier) -> Empty, DELETE "/applications/{app_id}/devices/{dev_id}";
    /// Tries an encoder on fields. gRPC only.
    dry_downlink DryDownlink(DryDownlinkMessage) -> DryDownlinkResult;
    /// Tries payload functions on a payload. gRPC only.
    dry_uplink DryUplink(DryUplinkMessage) -> DryUplinkResult;
    /// Handles an uplink as if a device had sent it. gRPC only. Needs the right `devices`.
    simulate_uplink SimulateUplink(SimulatedUplinkMessage) -> Empty;
}

impl ApplicationManager {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, options: CallOptions::default() }
    }

    /// The same calls with other options.
    #[must_use]
    pub fn with_options(mut self, options: CallOptions) -> Self {
        self.options = options;
        self
    }

    /// An application's devices, or a page of them. Needs the right `devices`.
    pub async fn get_devices(&self, application: &ApplicationIdentifier, page: Page) -> Result<DevicePage> {
        let route = Some((Method::GET, "/applications/{app_id}/devices"));
        let rpc =
            Rpc { name: "GetDevicesForApplication", method: method!("GetDevicesForApplication"), route };
        let (DeviceList { devices }, headers) = self.made(rpc, application, &page).await?;
        let count = |names: [&str; 2]| {
            let value = names.iter().find_map(|name| headers.get(*name))?;
            value.to_str().ok()?.parse().ok()
        };
        // A proxy may drop what it does not know.
        let here = devices.len() as u64;
        let selected = count(["selected", "grpc-metadata-selected"]).unwrap_or(here);
        Ok(DevicePage { devices, total: count(["total", "grpc-metadata-total"]).unwrap_or(here), selected })
    }

    async fn made<Q, A>(&self, rpc: Rpc, request: &Q, page: &Page) -> Result<(A, HeaderMap)>
    where
        Q: Message + Serialize + Named,
        A: Message + DeserializeOwned + Default,
    {
        if rpc.route.is_some() || rpc.name == "SimulateUplink" {
            check_ids(request)?;
        }
        match self.send(&rpc, request, page).await {
            // It was deleted the first time, when the answer was lost.
            Err(error)
                if rpc.name.starts_with("Delete")
                    && error.kind() == ErrorKind::NotFound
                    && error.is_after_lost_answer() =>
            {
                Ok(Default::default())
            }
            answer => answer,
        }
    }

    async fn send<Q, A>(&self, rpc: &Rpc, request: &Q, page: &Page) -> Result<(A, HeaderMap)>
    where
        Q: Message + Serialize + Named,
        A: Message + DeserializeOwned + Default,
    {
        // To register an application again, or to simulate an uplink again, is something else.
        let once = matches!(rpc.name, "RegisterApplication" | "SimulateUplink");
        let options = CallOptions { idempotent: self.options.idempotent.or(Some(!once)), ..self.options };
        match self.client.transport() {
            Transport::Grpc => {
                let method = PathAndQuery::from_static(rpc.method);
                let mut metadata = HeaderMap::new();
                for (name, value) in [("limit", page.limit), ("offset", page.offset)] {
                    metadata.extend(
                        value.map(|value| (http::HeaderName::from_static(name), HeaderValue::from(value))),
                    );
                }
                let answer =
                    self.client.unary_at(&method, request.encode_to_vec().into(), metadata, &options).await?;
                let message = A::decode(answer.message).map_err(|e| {
                    Error::new(ErrorKind::Protocol, "the answer is not the message it should be")
                        .with_source(e)
                })?;
                Ok((message, answer.metadata))
            }
            Transport::Http => {
                let answer = self.client.request(http_request(rpc, request, page)?, &options).await?;
                let status = answer.status().as_u16();
                let message = from_json(answer.body()).map_err(|e| {
                    let message = format!("the answer is not the message it should be: {e}");
                    Error::new(ErrorKind::Protocol, message).with_http_status(status)
                })?;
                Ok((message, answer.headers().clone()))
            }
        }
    }
}

#[cfg(feature = "http")]
fn http_request<Q: Serialize + Named>(rpc: &Rpc, request: &Q, page: &Page) -> Result<Request<Bytes>> {
    let (method, path) = rpc.route.clone().ok_or_else(|| {
        let message = format!("{} has no HTTP route; use a grpc:// or grpcs:// address", rpc.name);
        Error::new(ErrorKind::Unimplemented, message)
    })?;
    let encode = |id: &str| utf8_percent_encode(id, NON_ALPHANUMERIC).to_string();
    let mut uri = path
        .replace("{app_id}", &encode(request.app_id()))
        .replace("{dev_id}", &encode(request.dev_id().unwrap_or_default()));
    let query: Vec<_> = [("limit", page.limit), ("offset", page.offset)]
        .iter()
        // A gateway reads a signed integer; no list is longer than that.
        .filter_map(|(name, value)| value.map(|value| format!("{name}={}", value.min(i64::MAX as u64))))
        .collect();
    if !query.is_empty() {
        uri = format!("{uri}?{}", query.join("&"));
    }
    let body =
        if method == Method::POST { crate::json::to_request_json(request)?.into() } else { Bytes::new() };
    Request::builder()
        .method(method)
        .uri(uri)
        .body(body)
        .map_err(|e| Error::new(ErrorKind::Internal, "cannot build the request").with_source(e))
}

#[cfg(not(feature = "http"))]
fn http_request<Q>(rpc: &Rpc, _: &Q, _: &Page) -> Result<Request<Bytes>> {
    let _ = (&rpc.route, NON_ALPHANUMERIC, utf8_percent_encode);
    Err(Error::new(ErrorKind::Unimplemented, "this build has no http transport"))
}

/// By the server's own rule, and in its words. A bad id never reaches a path.
fn check_ids(request: &impl Named) -> Result<()> {
    // No server said so, so no gRPC code.
    let here = |error: Error| Error::new(error.kind(), error.message());
    AppId::new(request.app_id()).map_err(here)?;
    request.dev_id().map_or(Ok(()), |id| DevId::new(id).map(|_| ()).map_err(here))
}
