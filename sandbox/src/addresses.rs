//! Where a sandbox listens, and whom to trust there.

use crate::issuer::Issuer;
use crate::options::Ports;
use crate::sandbox::Sandbox;
use crate::stack::Stack;
use crate::tls::Identity;

impl Sandbox {
    /// The Handler's gRPC API: `grpc://127.0.0.1:<port>`.
    pub fn grpc_address(&self) -> String {
        format!("grpc://127.0.0.1:{}", self.ports.grpc)
    }

    /// The Handler's gRPC API with TLS: `grpcs://localhost:<port>`.
    pub fn grpcs_address(&self) -> String {
        format!("grpcs://localhost:{}", self.ports.grpcs)
    }

    /// The Handler's HTTP API: `http://127.0.0.1:<port>`.
    pub fn http_address(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.http)
    }

    /// The Handler's HTTP API with TLS: `https://localhost:<port>`.
    pub fn https_address(&self) -> String {
        format!("https://localhost:{}", self.ports.https)
    }

    /// The account server: `http://127.0.0.1:<port>`.
    pub fn account_server(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.account)
    }

    /// Discovery: `grpc://127.0.0.1:<port>`; the same port has its HTTP API.
    pub fn discovery(&self) -> String {
        format!("grpc://127.0.0.1:{}", self.ports.discovery)
    }

    /// The V3 side: The Things Stack.
    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// Every port.
    pub fn ports(&self) -> Ports {
        self.ports
    }

    /// The certificate to trust, as PEM: a self-signed leaf.
    pub fn ca(&self) -> &str {
        self.identity.certificate()
    }

    /// The certificate with its key, for another sandbox.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The auth server's id and keys.
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }
}
