//! A client of one server: an address, credentials, a time limit. The address's scheme chooses gRPC or HTTP.
//!
//! Connections are made on the first call, and again when they broke or stopped answering. Credentials go to this one
//! origin and never over plaintext to another machine, unless that was allowed.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use tokio::sync::watch;

use crate::address::Address;
use crate::{Credentials, Error, ErrorKind, Result, Transport, UnaryAnswer};

/// The time limit of a call, and of a connection's set-up, unless another is given.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// What one call may do differently.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CallOptions {
    /// The time limit, instead of the client's.
    pub timeout: Option<Duration>,
}

impl CallOptions {
    /// With this time limit, instead of the client's.
    pub fn timeout(limit: Duration) -> Self {
        Self { timeout: Some(limit) }
    }
}

/// Builds a [`Client`].
#[derive(Clone, Debug)]
pub struct ClientBuilder {
    address: String,
    credentials: Option<Credentials>,
    ca: Option<String>,
    timeout: Duration,
    connect_timeout: Duration,
    allow_insecure: bool,
}

impl ClientBuilder {
    /// Sends these credentials with every call.
    #[must_use]
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// Trusts these certificates (PEM) instead of the platform's roots: each as a CA, and as the server's own.
    #[must_use]
    pub fn ca(mut self, pem: impl Into<String>) -> Self {
        self.ca = Some(pem.into());
        self
    }

    /// The time limit of a call, connection included. Default: [`DEFAULT_TIMEOUT`].
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self
    }

    /// The time limit of a connection's set-up. Default: [`DEFAULT_TIMEOUT`].
    #[must_use]
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// Allows `grpc://` and `http://` to other machines, where anyone between can read the credentials.
    #[must_use]
    pub fn allow_insecure(mut self, allow: bool) -> Self {
        self.allow_insecure = allow;
        self
    }

    pub(crate) fn at(mut self, address: String) -> Self {
        self.address = address;
        self
    }

    pub(crate) fn without_credentials(mut self) -> Self {
        self.credentials = None;
        self
    }

    /// Checks everything; connects to nothing.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for an address, CA or time limit that is not valid,
    /// [`ErrorKind::InsecureTransport`] for plaintext to another machine, [`ErrorKind::Unimplemented`] for a transport
    /// whose feature is off.
    pub fn build(self) -> Result<Client> {
        let address = Address::parse(&self.address)?;
        address.require_private(self.allow_insecure)?;
        if self.timeout.is_zero() || self.connect_timeout.is_zero() {
            return Err(Error::new(ErrorKind::InvalidArgument, "a time limit must be more than zero"));
        }
        // Also for plaintext, so that a bad CA is found whatever the address is.
        let verifier = crate::tls::verifier(self.ca.as_deref())?;
        let channel = match address.transport {
            #[cfg(feature = "grpc")]
            Transport::Grpc => Channel::Grpc(Box::new(crate::grpc_channel::GrpcChannel::new(
                &address,
                self.credentials.as_ref(),
                verifier,
                self.connect_timeout,
            )?)),
            #[cfg(feature = "http")]
            Transport::Http => Channel::Http(Box::new(crate::http_channel::HttpChannel::new(
                &address,
                self.credentials.clone(),
                verifier,
                self.connect_timeout,
            )?)),
            #[cfg(not(all(feature = "grpc", feature = "http")))]
            other => {
                let message =
                    format!("this build has no {0} transport; enable the feature {0}", other.name());
                return Err(Error::new(ErrorKind::Unimplemented, message));
            }
        };
        Ok(Client {
            shared: Arc::new(Shared {
                address: address.to_string(),
                transport: address.transport,
                channel,
                credentials: self.credentials,
                timeout: self.timeout,
                closed: watch::Sender::new(false),
            }),
        })
    }
}

/// A client of one server. Cheap to clone; clones share connections, and are closed together.
///
/// ```no_run
/// use ttn_auth::{Client, Credentials, proto::handler::DeviceIdentifier};
/// # async fn example() -> ttn_auth::Result<()> {
/// let client = Client::builder("grpcs://handler.example:1904")
///     .credentials(Credentials::access_key("ttn-account-v2.abc")?)
///     .build()?;
/// let id = DeviceIdentifier { app_id: "my-app".into(), dev_id: "my-device".into() };
/// let device = client.application_manager().get_device(&id).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    address: String,
    transport: Transport,
    channel: Channel,
    credentials: Option<Credentials>,
    timeout: Duration,
    closed: watch::Sender<bool>,
}

#[derive(Debug)]
enum Channel {
    #[cfg(feature = "grpc")]
    Grpc(Box<crate::grpc_channel::GrpcChannel>),
    #[cfg(feature = "http")]
    Http(Box<crate::http_channel::HttpChannel>),
}

impl Client {
    /// A client of the server at `grpc://`, `grpcs://`, `http://` or `https://` host and port.
    pub fn builder(address: impl Into<String>) -> ClientBuilder {
        ClientBuilder {
            address: address.into(),
            credentials: None,
            ca: None,
            timeout: DEFAULT_TIMEOUT,
            connect_timeout: DEFAULT_TIMEOUT,
            allow_insecure: false,
        }
    }

    /// The address, with its port.
    pub fn address(&self) -> &str {
        &self.shared.address
    }

    /// How calls travel.
    pub fn transport(&self) -> Transport {
        self.shared.transport
    }

    /// The application and device calls of a V2 Handler.
    pub fn application_manager(&self) -> crate::ApplicationManager {
        crate::ApplicationManager::new(self.clone())
    }

    /// Any gRPC method, `/package.Service/Method`, with its message encoded by the caller.
    ///
    /// # Errors
    /// [`ErrorKind::Unimplemented`] for a client over HTTP; otherwise what the server, the network or the time limit says.
    pub async fn unary(
        &self,
        method: &str,
        message: Bytes,
        metadata: HeaderMap,
        options: &CallOptions,
    ) -> Result<UnaryAnswer> {
        match &self.shared.channel {
            #[cfg(feature = "grpc")]
            Channel::Grpc(channel) => {
                let answer = self.limit(options, channel.unary(method, message, metadata)).await;
                self.heal(&answer, || channel.reset());
                answer
            }
            #[cfg(feature = "http")]
            Channel::Http(_) => {
                let _ = (method, message, metadata, options);
                Err(wrong_transport("unary calls need a grpc:// or grpcs:// address"))
            }
        }
    }

    /// Any HTTP route. The request's URI is a path with an optional query, `/applications/my-app?limit=1`; the host is
    /// always the client's.
    ///
    /// # Errors
    /// [`ErrorKind::Unimplemented`] for a client over gRPC, [`ErrorKind::InvalidArgument`] for a URI with a host or with
    /// `..` in it; otherwise what the server, the network or the time limit says. A status of 300 and more is an error.
    pub async fn request(&self, request: Request<Bytes>, options: &CallOptions) -> Result<Response<Bytes>> {
        match &self.shared.channel {
            #[cfg(feature = "http")]
            Channel::Http(channel) => {
                let answer = self.limit(options, channel.request(request)).await;
                self.heal(&answer, || channel.reset());
                answer
            }
            #[cfg(feature = "grpc")]
            Channel::Grpc(_) => {
                let _ = (request, options);
                Err(wrong_transport("HTTP requests need an http:// or https:// address"))
            }
        }
    }

    /// Cancels what is in flight, refuses what comes later, and drops the connections.
    pub fn close(&self) {
        self.shared.closed.send_replace(true);
        match &self.shared.channel {
            #[cfg(feature = "grpc")]
            Channel::Grpc(channel) => channel.reset(),
            #[cfg(feature = "http")]
            Channel::Http(channel) => channel.reset(),
        }
    }

    /// Runs one call: not after `close`, not beyond its time limit, no secret in its error.
    async fn limit<T>(&self, options: &CallOptions, call: impl Future<Output = Result<T>>) -> Result<T> {
        let mut closed = self.shared.closed.subscribe();
        let limit = options.timeout.unwrap_or(self.shared.timeout);
        tokio::select! {
            biased;
            _ = closed.wait_for(|closed| *closed) => Err(Error::new(ErrorKind::Cancelled, "the client is closed")),
            answer = tokio::time::timeout(limit, call) => match answer {
                Ok(answer) => answer.map_err(|error| self.without_secret(error)),
                Err(_) => {
                    let message = format!("{} did not answer within {} ms", self.shared.address, limit.as_millis());
                    Err(Error::new(ErrorKind::Timeout, message))
                }
            },
        }
    }

    /// A connection on which a call ran out of time may be dead without having said so (a router that forgot it); the
    /// next call makes a new one. Calls still waiting on the old one keep it.
    fn heal<T>(&self, answer: &Result<T>, reset: impl FnOnce()) {
        if answer.as_ref().is_err_and(|error| error.kind() == ErrorKind::Timeout) {
            reset();
        }
    }

    /// A server may repeat in its error what it was sent.
    fn without_secret(&self, error: Error) -> Error {
        match &self.shared.credentials {
            Some(credentials) => error.map_message(|message| credentials.secret().redact(message)),
            None => error,
        }
    }
}

fn wrong_transport(message: &str) -> Error {
    Error::new(ErrorKind::Unimplemented, message)
}
