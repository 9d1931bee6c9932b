//! A CA, and a certificate of it for this server.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio_rustls::TlsAcceptor;
use ttn_auth_bench::Outcome;

pub(crate) struct Identity {
    /// The CA's certificate as PEM. The server's own is no CA, as some clients take nothing else.
    pub(crate) ca: String,
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Identity {
    pub(crate) fn generate() -> Outcome<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "ttn-auth bench CA");
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let names = ["localhost", "127.0.0.1"].map(str::to_owned);
        let certificate = CertificateParams::new(names)?.signed_by(&key, &ca)?;
        Ok(Self { ca: ca.pem(), certificate, key })
    }

    pub(crate) fn acceptor(&self, protocol: &str) -> Outcome<TlsAcceptor> {
        let key = PrivateKeyDer::try_from(self.key.serialize_der())?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.der().clone()], key)?;
        config.alpn_protocols = vec![protocol.into()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}
