//! The ports that a sandbox listens on.

use tokio::net::TcpListener;
use ttn_auth::{Error, ErrorKind, Result};

use crate::options::Ports;
use crate::serve::bind;

pub(crate) struct Listeners {
    pub(crate) grpc: TcpListener,
    pub(crate) grpcs: TcpListener,
    pub(crate) http: TcpListener,
    pub(crate) https: TcpListener,
    pub(crate) account: TcpListener,
    pub(crate) discovery: TcpListener,
    pub(crate) stack: StackListeners,
}

/// Those of the V3 side.
pub(crate) struct StackListeners {
    pub(crate) grpc: TcpListener,
    pub(crate) grpcs: TcpListener,
    pub(crate) http: TcpListener,
    pub(crate) https: TcpListener,
}

impl Listeners {
    pub(crate) async fn bind(ports: Ports) -> Result<Self> {
        Ok(Self {
            grpc: bind(ports.grpc).await?,
            grpcs: bind(ports.grpcs).await?,
            http: bind(ports.http).await?,
            https: bind(ports.https).await?,
            account: bind(ports.account).await?,
            discovery: bind(ports.discovery).await?,
            stack: StackListeners {
                grpc: bind(ports.stack_grpc).await?,
                grpcs: bind(ports.stack_grpcs).await?,
                http: bind(ports.stack_http).await?,
                https: bind(ports.stack_https).await?,
            },
        })
    }

    pub(crate) fn ports(&self) -> Result<Ports> {
        let port = |listener: &TcpListener| {
            listener
                .local_addr()
                .map(|address| address.port())
                .map_err(|e| Error::new(ErrorKind::Internal, "a listener has no address").with_source(e))
        };
        Ok(Ports {
            grpc: port(&self.grpc)?,
            grpcs: port(&self.grpcs)?,
            http: port(&self.http)?,
            https: port(&self.https)?,
            account: port(&self.account)?,
            discovery: port(&self.discovery)?,
            stack_grpc: port(&self.stack.grpc)?,
            stack_grpcs: port(&self.stack.grpcs)?,
            stack_http: port(&self.stack.http)?,
            stack_https: port(&self.stack.https)?,
        })
    }
}
