//! The sandbox's certificate: a self-signed leaf marked as a CA, which is what V2 Handlers have.

use std::fmt;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use ttn_auth::{Error, ErrorKind, Result, Secret};

/// A certificate and its private key. Start a sandbox again with the same one, and clients that trust it go on.
#[derive(Clone)]
pub struct Identity {
    certificate: String,
    key: Secret,
}

impl Identity {
    /// A fresh one for `localhost`, `127.0.0.1` and `::1`.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] if the system has no randomness.
    pub fn generate() -> Result<Self> {
        let failed =
            |e: rcgen::Error| Error::new(ErrorKind::Internal, "cannot make a certificate").with_source(e);
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let mut params = CertificateParams::new(names).map_err(failed)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "ttn-auth sandbox");
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.self_signed(&key).map_err(failed)?;
        Ok(Self { certificate: certificate.pem(), key: Secret::new(key.serialize_pem()) })
    }

    /// A given one, both as PEM.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if they cannot be read or do not belong together.
    pub fn from_pem(certificate: impl Into<String>, key: Secret) -> Result<Self> {
        let identity = Self { certificate: certificate.into(), key };
        identity.server_config(&[])?;
        Ok(identity)
    }

    /// The certificate as PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Its private key as PEM.
    pub(crate) fn key(&self) -> &Secret {
        &self.key
    }

    /// What a listener needs to speak TLS and these application protocols.
    pub(crate) fn server_config(&self, protocols: &[&str]) -> Result<Arc<ServerConfig>> {
        let wrong =
            || Error::new(ErrorKind::InvalidArgument, "the sandbox's certificate or its key is not valid");
        let chain: Vec<_> = CertificateDer::pem_slice_iter(self.certificate.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|e| wrong().with_source(e))?;
        let key = PrivateKeyDer::from_pem_slice(self.key.expose().as_bytes())
            .map_err(|e| wrong().with_source(e))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .map_err(|e| wrong().with_source(e))?;
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Ok(Arc::new(config))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(<redacted>)")
    }
}
