//! Which handler serves an application, where it is, and which certificate it shows.
//!
//! Discovery decides where credentials go, so it is asked over TLS unless it is on this machine or plaintext was allowed,
//! and it is never sent credentials.

use bytes::Bytes;
use http::{HeaderMap, Request};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use prost::Message;

use crate::proto::discovery::{
    Announcement, AnnouncementsResponse, GetByAppIdRequest, GetRequest, GetServiceRequest,
};
use crate::{CallOptions, Client, ClientBuilder, Error, ErrorKind, Result, Transport, from_json};

/// The public V2 network's discovery service (closed since 2021).
pub const DEFAULT_DISCOVERY: &str = "grpcs://discovery.thethings.network:1900";

/// A client of a discovery service, and of the handlers that it names.
///
/// ```
/// use ttn_auth::{Client, Credentials, Discovery, Transport};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> ttn_auth::Result<()> {
/// # let sandbox = ttn_auth_sandbox::Sandbox::start(Default::default()).await?;
/// # let (discovery, key) = (sandbox.discovery(), sandbox.access_key());
/// let settings = Client::builder(discovery).credentials(Credentials::access_key(key)?);
/// let client = Discovery::new(settings)?.client("test-app", Transport::Grpc).await?;
/// assert!(client.address().starts_with("grpcs://"));
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
        let address = announced_address(&found, transport, &self.settings).ok_or_else(|| {
            let message = format!("the handler {:?} announces no {} address", found.id, transport.name());
            Error::new(ErrorKind::Protocol, message)
        })?;
        let settings = self.settings.clone().at(address);
        certificate(&found).into_iter().fold(settings, ClientBuilder::ca).build()
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

/// The certificate to trust, if the announcement has one.
fn certificate(found: &Announcement) -> Option<&str> {
    Some(found.certificate.as_str()).filter(|certificate| !certificate.trim().is_empty())
}

/// Where the announcement says that the API is. Leaving the certificate out does not make it plaintext: that takes
/// settings which allow plaintext there and give no CA.
fn announced_address(found: &Announcement, transport: Transport, settings: &ClientBuilder) -> Option<String> {
    match transport {
        Transport::Grpc => {
            let address = Some(&found.net_address).filter(|address| !address.is_empty())?;
            let plain = format!("grpc://{address}");
            let is_plain = certificate(found).is_none() && settings.allows_plaintext(&plain);
            Some(if is_plain { plain } else { format!("grpcs://{address}") })
        }
        Transport::Http => {
            let address = Some(&found.api_address).filter(|address| !address.is_empty())?;
            let has_scheme = address.contains("://");
            Some(if has_scheme {
                address.trim_end_matches('/').to_owned()
            } else {
                format!("https://{address}")
            })
        }
    }
}

fn encode(part: &str) -> String {
    utf8_percent_encode(part, NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announcement(net_address: &str, api_address: &str, certificate: &str) -> Announcement {
        Announcement {
            net_address: net_address.into(),
            api_address: api_address.into(),
            certificate: certificate.into(),
            ..Default::default()
        }
    }

    #[test]
    fn plaintext_is_never_the_announcements_choice() {
        let strict = Client::builder("grpcs://discovery.example");
        let lax = strict.clone().allow_insecure(true);
        let with_ca = lax.clone().ca("PEM");
        for (settings, net_address, certificate, expected) in [
            (&strict, "h:1904", "PEM", "grpcs://h:1904"),
            (&strict, "h:1904", "", "grpcs://h:1904"),
            (&strict, "127.0.0.1:1904", "", "grpc://127.0.0.1:1904"),
            (&strict, "127.0.0.1:1904", "PEM", "grpcs://127.0.0.1:1904"),
            (&lax, "h:1904", "", "grpc://h:1904"),
            (&lax, "h:1904", " \n", "grpc://h:1904"),
            (&lax, "h:1904", "PEM", "grpcs://h:1904"),
            (&with_ca, "h:1904", "", "grpcs://h:1904"),
        ] {
            let found = announcement(net_address, "", certificate);
            assert_eq!(announced_address(&found, Transport::Grpc, settings).as_deref(), Some(expected));
        }
    }

    #[test]
    fn an_http_address_may_lack_its_scheme_and_may_be_missing() {
        let settings = Client::builder("grpcs://discovery.example");
        for (api_address, expected) in [
            ("https://h:8094/", Some("https://h:8094")),
            ("h:8094", Some("https://h:8094")),
            ("http://h:8084", Some("http://h:8084")), // refused when the client is built
            ("", None),
        ] {
            let found = announcement("", api_address, "");
            assert_eq!(announced_address(&found, Transport::Http, &settings).as_deref(), expected);
            assert_eq!(announced_address(&found, Transport::Grpc, &settings), None);
        }
    }
}
