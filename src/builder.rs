//! Builds a client: what may be given, what is checked before anything connects.

use std::sync::Arc;
use std::time::Duration;

use crate::address::Address;
use crate::attempt::Calls;
use crate::client::Channel;
use crate::pace::Pace;
use crate::retry::RetryBudget;
use crate::sharing::Server;
use crate::supply::Supply;
use crate::{
    CallAuth, Carrier, Client, Credentials, CredentialsFile, Error, ErrorKind, Result, RetryPolicy,
    TokenSource, Transport,
};

/// The time limit of a call, and of a connection's set-up, unless another is given.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// Builds a [`Client`].
#[derive(Clone, Debug)]
pub struct ClientBuilder {
    address: String,
    supply: Supply,
    retry: RetryPolicy,
    rate_limit: Option<u32>,
    ca: Option<String>,
    timeout: Duration,
    connect_timeout: Duration,
    allow_insecure: bool,
}

impl ClientBuilder {
    /// Sends these credentials with every call.
    #[must_use]
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.supply = Supply::Fixed(credentials);
        self
    }

    /// Sends what this source gives at the time of each call, such as a [`TokenCache`](crate::TokenCache). A token that the
    /// server refuses is replaced, and the call made once more. A source that remembers nothing, such as a bare
    /// [`KeyExchange`](crate::KeyExchange), is asked at every call.
    #[must_use]
    pub fn token_source(mut self, source: Arc<dyn TokenSource>) -> Self {
        self.supply = Supply::Source(source);
        self
    }

    /// Sends the bearer token or access key that is in this file at the time of each call.
    #[must_use]
    pub fn credentials_file(mut self, file: CredentialsFile) -> Self {
        self.supply = Supply::File(file);
        self
    }

    /// When calls that failed are made again.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Starts at most so many calls a second; the others wait their turn, in order, which does not count against their
    /// time limit. A V2 Handler takes 5 for each token subject and each application. Default: no limit, until the server
    /// refuses a call for coming too soon.
    #[must_use]
    pub fn rate_limit(mut self, calls: u32) -> Self {
        self.rate_limit = Some(calls);
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
        self.supply = Supply::Nothing;
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
        self.check()?;
        // Also for plaintext, so that a bad CA is found whatever the address is.
        let verifier = crate::tls::verifier(self.ca.as_deref())?;
        let server = Server {
            address: address.to_string(),
            ca: self.ca.clone(),
            connect_timeout: self.connect_timeout,
        };
        let channel = match address.transport {
            #[cfg(feature = "grpc")]
            Transport::Grpc => {
                Channel::Grpc(Box::new(crate::grpc_channel::GrpcChannel::new(&address, server, verifier)?))
            }
            #[cfg(feature = "http")]
            Transport::Http => {
                Channel::Http(Box::new(crate::http_channel::HttpChannel::new(&address, server, verifier)?))
            }
            #[cfg(not(all(feature = "grpc", feature = "http")))]
            other => {
                let message =
                    format!("this build has no {0} transport; enable the feature {0}", other.name());
                return Err(Error::new(ErrorKind::Unimplemented, message));
            }
        };
        Ok(Client::new(address.transport, channel, self.calls(address.to_string())))
    }

    /// What decides for calls that another library makes to this address, with the same credentials and rules as a client
    /// of this builder. With an empty address they may go to any server, over TLS or to this machine.
    ///
    /// # Errors
    /// Those of [`build`](Self::build).
    pub fn call_auth(self) -> Result<CallAuth> {
        let origin = match self.address.as_str() {
            "" => None,
            address => {
                let address = Address::parse(address)?;
                address.require_private(self.allow_insecure)?;
                Some(address)
            }
        };
        self.check()?;
        let allow_insecure = self.allow_insecure;
        let name = origin.as_ref().map_or_else(|| "the server".to_owned(), Address::to_string);
        Ok(CallAuth::new(self.calls(name), origin, allow_insecure))
    }

    fn check(&self) -> Result<()> {
        if self.timeout.is_zero() || self.connect_timeout.is_zero() {
            return Err(Error::new(ErrorKind::InvalidArgument, "a time limit must be more than zero"));
        }
        if self.rate_limit == Some(0) {
            return Err(Error::new(ErrorKind::InvalidArgument, "a rate limit must be more than zero"));
        }
        if let Supply::Fixed(credentials) = &self.supply {
            // What cannot be sent is found before anything is.
            Carrier::AuthorizationHeader.insert(credentials, &mut http::HeaderMap::new())?;
        }
        Ok(())
    }

    fn calls(self, address: String) -> Calls {
        Calls {
            address,
            supply: self.supply,
            timeout: self.timeout,
            retry: self.retry,
            pace: Pace::new(self.rate_limit),
            budget: RetryBudget::default(),
        }
    }
}

impl Client {
    /// A client of the server at `grpc://`, `grpcs://`, `http://` or `https://` host and port.
    pub fn builder(address: impl Into<String>) -> ClientBuilder {
        ClientBuilder {
            address: address.into(),
            supply: Supply::Nothing,
            retry: RetryPolicy::default(),
            rate_limit: None,
            ca: None,
            timeout: DEFAULT_TIMEOUT,
            connect_timeout: DEFAULT_TIMEOUT,
            allow_insecure: false,
        }
    }
}
