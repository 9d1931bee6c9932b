//! Which handler serves an application, where it is, and which certificate it shows.
//!
//! Discovery decides where credentials go, so it is asked over TLS unless it is on this machine or plaintext was allowed,
//! and it is never sent credentials.

use bytes::Bytes;
use http::{HeaderMap, Request};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use prost::Message;

use crate::client::ClientBuilder;
use crate::proto::discovery::{
    Announcement, AnnouncementsResponse, GetByAppIdRequest, GetRequest, GetServiceRequest,
};
use crate::{CallOptions, Client, Error, ErrorKind, Result, Transport, from_json};

/// The public V2 network's discovery service (closed since 2021).
pub const DEFAULT_DISCOVERY: &str = "grpcs://discovery.thethings.network:1900";

/// A client of a discovery service, and of the handlers that it names.
///
/// ```no_run
/// use ttn_auth::{Client, Credentials, DEFAULT_DISCOVERY, Discovery, Transport};
/// # async fn example() -> ttn_auth::Result<()> {
/// let settings = Client::builder(DEFAULT_DISCOVERY).credentials(Credentials::access_key("ttn-account-v2.abc")?);
/// let client = Discovery::new(settings)?.client("my-app", Transport::Grpc).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Discovery {
    client: Client,
    settings: ClientBuilder,
}

impl Discovery {
    /// A discovery service at the builder's address. Credentials in it are for the handlers; discovery never sees them.
    ///
    /// # Errors
    /// Those of [`ClientBuilder::build`].
    pub fn new(settings: ClientBuilder) -> Result<Self> {
        Ok(Self { client: settings.clone().without_credentials().build()?, settings })
    }

    /// One announcement.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is none; otherwise what the server, the network or the time limit says.
    pub async fn get(&self, service_name: &str, id: &str) -> Result<Announcement> {
        let request = GetRequest { id: id.to_owned(), service_name: service_name.to_owned() };
        self.call("Get", &request, Some(format!("/announcements/{}/{}", encode(service_name), encode(id))))
            .await
    }

    /// Every announcement of a service, such as `handler`.
    ///
    /// # Errors
    /// What the server, the network or the time limit says.
    pub async fn get_all(&self, service_name: &str) -> Result<Vec<Announcement>> {
        let request = GetServiceRequest { service_name: service_name.to_owned() };
        let path = format!("/announcements/{}", encode(service_name));
        self.call::<_, AnnouncementsResponse>("GetAll", &request, Some(path))
            .await
            .map(|answer| answer.services)
    }

    /// The handler that serves an application. gRPC only.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if no handler announces it, [`ErrorKind::Unimplemented`] over HTTP; otherwise what the
    /// server, the network or the time limit says.
    pub async fn get_by_app_id(&self, app_id: &str) -> Result<Announcement> {
        self.call("GetByAppID", &GetByAppIdRequest { app_id: app_id.to_owned() }, None).await
    }

    /// A client of the handler that serves an application, with the credentials, time limits and `allow_insecure` that
    /// were given to [`new`](Self::new). It trusts the certificate that the handler announces, or else the CA given.
    ///
    /// # Errors
    /// Those of [`get_by_app_id`](Self::get_by_app_id) and [`ClientBuilder::build`]; [`ErrorKind::Protocol`] if the
    /// announcement has no address for this transport.
    pub async fn client(&self, app_id: &str, transport: Transport) -> Result<Client> {
        let found = self.get_by_app_id(app_id).await?;
        let certificate =
            Some(found.certificate.as_str()).filter(|certificate| !certificate.trim().is_empty());
        let missing = || {
            let message = format!("the handler {:?} announces no {} address", found.id, transport.name());
            Error::new(ErrorKind::Protocol, message)
        };
        let address =
            match transport {
                Transport::Grpc => {
                    let scheme = if certificate.is_some() { "grpcs" } else { "grpc" };
                    Some(&found.net_address)
                        .filter(|address| !address.is_empty())
                        .map(|a| format!("{scheme}://{a}"))
                }
                Transport::Http => Some(&found.api_address).filter(|address| !address.is_empty()).map(|a| {
                    match a.contains("://") {
                        true => a.trim_end_matches('/').to_owned(),
                        false => format!("https://{a}"),
                    }
                }),
            };
        let settings = self.settings.clone().at(address.ok_or_else(missing)?);
        certificate.into_iter().fold(settings, ClientBuilder::ca).build()
    }

    async fn call<Q, A>(&self, name: &str, request: &Q, path: Option<String>) -> Result<A>
    where
        Q: Message,
        A: Message + Default + serde::de::DeserializeOwned,
    {
        let options = CallOptions::default();
        match self.client.transport() {
            Transport::Grpc => {
                let method = format!("/discovery.Discovery/{name}");
                let answer = self
                    .client
                    .unary(&method, request.encode_to_vec().into(), HeaderMap::new(), &options)
                    .await?;
                A::decode(answer.message).map_err(|e| {
                    Error::new(ErrorKind::Protocol, "the answer is no announcement").with_source(e)
                })
            }
            Transport::Http => {
                let path = path.ok_or_else(|| {
                    Error::new(
                        ErrorKind::Unimplemented,
                        format!("{name} has no HTTP route; use a grpcs:// address"),
                    )
                })?;
                let request = Request::get(path).body(Bytes::new()).map_err(|e| {
                    Error::new(ErrorKind::InvalidArgument, "the name or id is not valid").with_source(e)
                })?;
                let answer = self.client.request(request, &options).await?;
                from_json(answer.body()).map_err(|e| {
                    Error::new(ErrorKind::Protocol, format!("the answer is no announcement: {e}"))
                })
            }
        }
    }
}

fn encode(part: &str) -> String {
    utf8_percent_encode(part, NON_ALPHANUMERIC).to_string()
}
