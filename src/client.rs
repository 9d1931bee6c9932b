//! A client of one server: an address, credentials, a time limit. The address's scheme chooses gRPC or HTTP.
//!
//! Connections are made on the first call, and again when they broke or stopped answering. Credentials go to this one
//! origin and never over plaintext to another machine, unless that was allowed.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, Request, Response};
use tokio::sync::watch;
use tracing::Instrument;

use crate::attempt::Calls;
use crate::{Credentials, Error, ErrorKind, Result, Transport, UnaryAnswer};

/// What one call may do differently.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CallOptions {
    /// The time limit, instead of the client's.
    pub timeout: Option<Duration>,
    /// Whether the call may be carried out twice, so that it is made again when its answer was lost. Known for the named
    /// calls: all but `RegisterApplication` and `SimulateUplink` are. Of raw calls, HTTP's `GET`, `HEAD`, `PUT`, `DELETE`
    /// and `OPTIONS` are (RFC 9110, section 9.2.2), gRPC's are not.
    pub idempotent: Option<bool>,
}

impl CallOptions {
    /// With this time limit, instead of the client's.
    pub fn timeout(limit: Duration) -> Self {
        Self { timeout: Some(limit), ..Self::default() }
    }

    /// The same for a call that may, or may not, be carried out twice, if nothing was said of that.
    pub(crate) fn idempotent_unless_set(mut self, idempotent: bool) -> Self {
        self.idempotent = self.idempotent.or(Some(idempotent));
        self
    }

    /// The same for a call that may, or may not, be carried out twice.
    #[must_use]
    pub fn idempotent(mut self, idempotent: bool) -> Self {
        self.idempotent = Some(idempotent);
        self
    }
}

/// A client of one server. Cheap to clone; clones share connections, and are closed together.
///
/// ```
/// use ttn_auth::{Client, Credentials, proto::handler::DeviceIdentifier};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> ttn_auth::Result<()> {
/// # let sandbox = ttn_auth_sandbox::Sandbox::start(Default::default()).await?;
/// # let (address, key) = (sandbox.grpc_address(), sandbox.access_key());
/// let client = Client::builder(address) // such as "grpcs://handler.example:1904"
///     .credentials(Credentials::access_key(key)?)
///     .build()?;
/// let id = DeviceIdentifier { app_id: "test-app".into(), dev_id: "dev-1".into() };
/// let device = client.application_manager().get_device(&id).await?;
/// assert_eq!(device.dev_id, "dev-1");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    transport: Transport,
    channel: Arc<Channel>,
    calls: Calls,
    closed: watch::Sender<bool>,
}

/// The connections, of one transport or the other.
#[derive(Debug)]
pub(crate) enum Channel {
    #[cfg(feature = "grpc")]
    Grpc(Box<crate::grpc_channel::GrpcChannel>),
    #[cfg(feature = "http")]
    Http(Box<crate::http_channel::HttpChannel>),
}

impl Client {
    pub(crate) fn new(transport: Transport, channel: Channel, calls: Calls) -> Self {
        let (channel, closed) = (Arc::new(channel), watch::Sender::new(false));
        Self { shared: Arc::new(Shared { transport, channel, calls, closed }) }
    }

    /// The same server, by the same connections and closed with this client, for somebody else.
    pub(crate) fn with_credentials(&self, credentials: Credentials) -> Self {
        let Shared { transport, channel, calls, closed } = &*self.shared;
        let (channel, closed) = (channel.clone(), closed.clone());
        Self {
            shared: Arc::new(Shared {
                transport: *transport,
                channel,
                calls: calls.with_credentials(credentials),
                closed,
            }),
        }
    }

    /// The address, with its port.
    pub fn address(&self) -> &str {
        &self.shared.calls.address
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
        self.unary_at(&method_path(method)?, message, metadata, options).await
    }

    pub(crate) async fn unary_at(
        &self,
        method: &PathAndQuery,
        message: Bytes,
        metadata: HeaderMap,
        options: &CallOptions,
    ) -> Result<UnaryAnswer> {
        match &*self.shared.channel {
            #[cfg(feature = "grpc")]
            Channel::Grpc(channel) => {
                crate::reserved::refuse_reserved(&metadata)?;
                let attempt = |credentials| channel.unary(method, &message, &metadata, credentials);
                self.run(options, false, attempt).await
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
        match &*self.shared.channel {
            #[cfg(feature = "http")]
            Channel::Http(channel) => {
                let attempt = |credentials| channel.request(&request, credentials);
                self.run(options, request.method().is_idempotent(), attempt).await
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
        self.shared.channel.close();
    }

    pub(crate) fn channel(&self) -> &Channel {
        &self.shared.channel
    }

    /// Comes back when the client is closed.
    pub(crate) async fn closed(&self) -> Error {
        let mut closed = self.shared.closed.subscribe();
        // This client has the other end, so it is not gone.
        let _ = closed.wait_for(|closed| *closed).await;
        Error::new(ErrorKind::Cancelled, "the client is closed")
    }

    /// Makes a call, unless the client is closed, or until it is.
    pub(crate) async fn run<T, F>(
        &self,
        options: &CallOptions,
        idempotent: bool,
        attempt: impl Fn(Option<Credentials>) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let Shared { calls, channel, .. } = &*self.shared;
        let span = tracing::debug_span!(target: "ttn_auth::call", "call", address = calls.address);
        tokio::select! {
            biased;
            error = self.closed() => Err(error),
            answer = calls.run(options, idempotent, attempt).instrument(span) => {
                // A connection on which a call ran out of time may be dead without having said so (a router that forgot
                // it); the next call makes a new one. Calls still waiting on the old one keep it.
                if answer.as_ref().is_err_and(|error| error.kind() == ErrorKind::Timeout && !error.is_unsent()) {
                    channel.reset();
                }
                answer
            }
        }
    }
}

impl Channel {
    /// Lets go of the connections. Other clients keep them.
    fn close(&self) {
        match self {
            #[cfg(feature = "grpc")]
            Self::Grpc(channel) => channel.close(),
            #[cfg(feature = "http")]
            Self::Http(channel) => channel.close(),
        }
    }

    /// The next call connects anew.
    fn reset(&self) {
        match self {
            #[cfg(feature = "grpc")]
            Self::Grpc(channel) => channel.reset(),
            #[cfg(feature = "http")]
            Self::Http(channel) => channel.reset(),
        }
    }
}

/// The path of a method that a caller named.
pub(crate) fn method_path(method: &str) -> Result<PathAndQuery> {
    let is_name = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'_')
    };
    method
        .strip_prefix('/')
        .and_then(|rest| rest.split_once('/'))
        .filter(|(service, name)| is_name(service) && is_name(name))
        .and_then(|_| method.parse().ok())
        .ok_or_else(|| Error::new(ErrorKind::InvalidArgument, "a gRPC method is /package.Service/Method"))
}

pub(crate) fn wrong_transport(message: &str) -> Error {
    Error::new(ErrorKind::Unimplemented, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_names_a_service_and_a_method() {
        assert!(method_path("/handler.ApplicationManager/GetDevice").is_ok());
        for bad in [
            "",
            "/",
            "GetDevice",
            "/a",
            "//b",
            "/a/b/c",
            "/a/../b",
            "http://evil/a/b",
            "/a/b?c",
            "/a b/c",
            "/a/é",
        ] {
            assert_eq!(method_path(bad).unwrap_err().kind(), ErrorKind::InvalidArgument, "{bad}");
        }
    }
}
