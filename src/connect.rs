//! Connections: TCP, and TLS on it where the address has it. One time limit for the whole of a connection's set-up.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tower_service::Service;

use crate::address::Address;
use crate::{Error, ErrorKind, Result};

/// TCP keep-alive, so that an idle connection through a router that forgets it is found broken. Not HTTP/2 pings alone: a
/// grpc-go server closes a connection that is pinged more often than every 5 minutes.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// How long between probes that are not answered, and how many of them. A stream waits for long, and has to know.
const PROBE: Duration = Duration::from_secs(10);
const PROBES: u32 = 3;

/// A connection, with or without TLS.
pub(crate) trait Connection: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Connection for T {}

/// Connects to one server.
pub(crate) struct Connector {
    origin: Uri,
    tcp: HttpConnector,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    limit: Duration,
}

impl Connector {
    /// Connects nothing yet. `protocol` is what is spoken, as TLS names it: `h2` or `http/1.1`.
    pub(crate) fn new(
        address: &Address,
        verifier: &Arc<dyn ServerCertVerifier>,
        protocol: &str,
        limit: Duration,
    ) -> Result<Self> {
        let wrong = "the address is not valid";
        let origin = address
            .origin()
            .parse()
            .map_err(|error| Error::new(ErrorKind::InvalidArgument, wrong).with_source(error))?;
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        // Calls are small: none waits for the one before to be acknowledged.
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(KEEP_ALIVE));
        tcp.set_keepalive_interval(Some(PROBE));
        tcp.set_keepalive_retries(Some(PROBES));
        // Shared out among a host's addresses, so that a dead one does not use up all of it.
        tcp.set_connect_timeout(Some(limit));
        let tls = if address.tls {
            let name = ServerName::try_from(address.name().to_owned())
                .map_err(|error| Error::new(ErrorKind::InvalidArgument, wrong).with_source(error))?;
            let config = crate::tls::config(verifier.clone(), &[protocol])?;
            Some((TlsConnector::from(Arc::new(config)), name))
        } else {
            None
        };
        Ok(Self { origin, tcp, tls, limit })
    }

    /// A new connection.
    ///
    /// # Errors
    /// What the network or the time limit says; nothing has been sent then.
    pub(crate) async fn connect(&self) -> Result<Box<dyn Connection>> {
        let set_up = tokio::time::timeout(self.limit, self.set_up()).await;
        let late = || Err(Error::new(ErrorKind::Timeout, "the server did not answer in time"));
        set_up.unwrap_or_else(|_| late()).map_err(Error::before_sending)
    }

    async fn set_up(&self) -> Result<Box<dyn Connection>> {
        let tcp = self.tcp.clone().call(self.origin.clone()).await.map_err(crate::network::failed)?;
        let tcp = tcp.into_inner();
        Ok(match &self.tls {
            Some((tls, name)) => {
                Box::new(tls.connect(name.clone(), tcp).await.map_err(crate::network::failed)?)
            }
            None => Box::new(tcp),
        })
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connector").field(&self.origin).finish()
    }
}
