//! Builds a client: what may be given, what is checked before anything connects.

use std::time::Duration;

use crate::address::Address;
use crate::client::Channel;
use crate::{Client, Credentials, Error, ErrorKind, Result, Transport};

/// The time limit of a call, and of a connection's set-up, unless another is given.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

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

    /// Whether a server at this plaintext address may be called without TLS; not if there is a CA to check it with.
    pub(crate) fn allows_plaintext(&self, address: &str) -> bool {
        let private = |address: Address| address.require_private(self.allow_insecure).is_ok();
        self.ca.is_none() && Address::parse(address).is_ok_and(private)
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
        Ok(Client::new(&address, channel, self.credentials, self.timeout))
    }
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
}
