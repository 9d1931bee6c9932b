//! Whom to trust over TLS: the platform's roots, webpki-roots where it has none, or a certificate that was given.
//!
//! V2 Handlers, and the announcements that name them, use a self-signed *leaf* marked as a CA. webpki refuses such a
//! certificate as a server's own (`CaUsedAsEndEntity`). So a given certificate counts in two ways: as a CA that the
//! server's certificate is verified against, or, when the server presents exactly that certificate, as a pin: same DER,
//! with its name, its dates and the handshake's signature still checked.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme};
use x509_cert::Version;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::BasicConstraints;

use crate::{Error, ErrorKind, Result};

/// The one crypto provider of this crate. Passed along instead of installed: a process-wide default is not ours to set.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER.get_or_init(|| Arc::new(rustls::crypto::ring::default_provider())).clone()
}

/// Verifies servers against the certificates in `ca` (PEM), or against the platform's roots.
pub(crate) fn verifier(ca: Option<&str>) -> Result<Arc<dyn ServerCertVerifier>> {
    match ca {
        Some(pem) => Ok(Arc::new(Given::from_pem(pem)?)),
        None => platform_verifier(),
    }
}

fn platform_verifier() -> Result<Arc<dyn ServerCertVerifier>> {
    // Reading the system's store takes milliseconds; every client shares one.
    static VERIFIER: OnceLock<Arc<dyn ServerCertVerifier>> = OnceLock::new();
    if let Some(verifier) = VERIFIER.get() {
        return Ok(verifier.clone());
    }
    let verifier: Arc<dyn ServerCertVerifier> = match rustls_platform_verifier::Verifier::new(provider()) {
        Ok(verifier) => Arc::new(verifier),
        // A container without CA files.
        Err(_) => {
            let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
            WebPkiServerVerifier::builder_with_provider(roots.into(), provider())
                .build()
                .map_err(|e| Error::new(ErrorKind::Tls, "cannot load any root certificates").with_source(e))?
        }
    };
    Ok(VERIFIER.get_or_init(|| verifier).clone())
}

/// What rustls needs for HTTP, of whichever version the server has.
#[cfg(feature = "http")]
pub(crate) fn http_config(verifier: Arc<dyn ServerCertVerifier>) -> Result<rustls::ClientConfig> {
    config(verifier, &["h2", "http/1.1"])
}

/// What rustls needs to speak one of these protocols.
pub(crate) fn config(
    verifier: Arc<dyn ServerCertVerifier>,
    protocols: &[&str],
) -> Result<rustls::ClientConfig> {
    let mut config = rustls::ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::new(ErrorKind::Internal, "cannot set TLS up").with_source(e))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    Ok(config)
}

/// Certificates that the user gave, or a discovery record named.
struct Given {
    certificates: Vec<CertificateDer<'static>>,
    /// Those of them that may vouch for others; nothing if none may.
    as_ca: Option<Arc<WebPkiServerVerifier>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Given {
    fn from_pem(pem: &str) -> Result<Self> {
        let wrong =
            |what: &str| Error::new(ErrorKind::InvalidArgument, format!("the CA is not valid: {what}"));
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|e| wrong("cannot read it as PEM").with_source(e))?;
        if certificates.is_empty() {
            return Err(wrong(
                "no certificate in it; expected PEM, starting with -----BEGIN CERTIFICATE-----",
            ));
        }
        let mut roots = RootCertStore::empty();
        for certificate in &certificates {
            let unreadable = || wrong("cannot read a certificate in it");
            let parsed =
                x509_cert::Certificate::from_der(certificate).map_err(|e| unreadable().with_source(e))?;
            if is_ca(&parsed) {
                roots.add(certificate.clone()).map_err(|e| unreadable().with_source(e))?;
            }
        }
        let as_ca = (!roots.is_empty())
            .then(|| WebPkiServerVerifier::builder_with_provider(roots.into(), provider()).build())
            .transpose()
            .map_err(|e| wrong("cannot verify against it").with_source(e))?;
        Ok(Self { certificates, as_ca, algorithms: provider().signature_verification_algorithms })
    }
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Given({} certificates)", self.certificates.len())
    }
}

impl ServerCertVerifier for Given {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if !self.certificates.contains(end_entity) {
            let as_ca = self.as_ca.as_ref().ok_or(CertificateError::UnknownIssuer)?;
            return as_ca.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        }
        rustls::client::verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
        check_dates(end_entity, now)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Whether a certificate may vouch for others: a server's own that was given must not vouch for any name. Version 1 has
/// no word for it.
fn is_ca(certificate: &x509_cert::Certificate) -> bool {
    let constraints = certificate.tbs_certificate.get::<BasicConstraints>().ok().flatten();
    certificate.tbs_certificate.version == Version::V1 || constraints.is_some_and(|(_, found)| found.ca)
}

/// webpki checks dates only along a chain, and a pinned certificate has none.
fn check_dates(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), rustls::Error> {
    let parsed = x509_cert::Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding)?;
    let validity = parsed.tbs_certificate.validity;
    let now = Duration::from_secs(now.as_secs());
    if now < validity.not_before.to_unix_duration() {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > validity.not_after.to_unix_duration() {
        return Err(CertificateError::Expired.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

    /// A self-signed leaf with CA:TRUE, as V2 Handlers use it, valid for the year 2020.
    fn params(name: &str) -> CertificateParams {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
        params
    }

    fn verify(
        given: &Given,
        certificate: &CertificateDer<'_>,
        name: &str,
        year: u64,
    ) -> Result<(), rustls::Error> {
        let now = UnixTime::since_unix_epoch(Duration::from_secs((year - 1970) * 31_556_952 + 86_400 * 30));
        let name = ServerName::try_from(name.to_owned()).unwrap();
        given.verify_server_cert(certificate, &[], &name, &[], now).map(|_| ())
    }

    fn is(error: Result<(), rustls::Error>, wanted: fn(&CertificateError) -> bool) -> bool {
        matches!(error, Err(rustls::Error::InvalidCertificate(ref found)) if wanted(found))
    }

    #[test]
    fn a_self_signed_leaf_is_pinned_and_still_checked() {
        let leaf = params("localhost").self_signed(&KeyPair::generate().unwrap()).unwrap();
        let given = Given::from_pem(&leaf.pem()).unwrap();
        assert!(verify(&given, leaf.der(), "localhost", 2020).is_ok());
        assert!(is(verify(&given, leaf.der(), "other.example", 2020), |e| {
            matches!(e, CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. })
        }));
        assert!(is(verify(&given, leaf.der(), "localhost", 2022), |e| *e == CertificateError::Expired));
        assert!(is(verify(&given, leaf.der(), "localhost", 2018), |e| *e == CertificateError::NotValidYet));
        // The same names, another key: neither the pinned certificate nor one that it signed.
        let other = params("localhost").self_signed(&KeyPair::generate().unwrap()).unwrap();
        assert!(verify(&given, other.der(), "localhost", 2020).is_err());
    }

    #[test]
    fn a_given_certificate_is_a_ca_too() {
        let key = KeyPair::generate().unwrap();
        let ca_params = params("ca.example");
        let ca = ca_params.self_signed(&key).unwrap();
        let given = Given::from_pem(&ca.pem()).unwrap();
        let mut leaf = params("localhost");
        leaf.is_ca = IsCa::NoCa;
        let leaf = leaf.signed_by(&KeyPair::generate().unwrap(), &Issuer::new(ca_params, key)).unwrap();
        assert!(verify(&given, leaf.der(), "localhost", 2020).is_ok());
        assert!(verify(&given, leaf.der(), "localhost", 2022).is_err());
    }

    #[test]
    fn a_servers_own_certificate_vouches_for_no_other() {
        let key = KeyPair::generate().unwrap();
        let mut own = params("leaf.example");
        own.is_ca = IsCa::ExplicitNoCa;
        let leaf = own.self_signed(&key).unwrap();
        let given = Given::from_pem(&leaf.pem()).unwrap();
        assert!(verify(&given, leaf.der(), "leaf.example", 2020).is_ok());
        let mut other = params("bank.example");
        other.is_ca = IsCa::NoCa;
        let forged = other.signed_by(&KeyPair::generate().unwrap(), &Issuer::new(own, key)).unwrap();
        assert!(
            is(verify(&given, forged.der(), "bank.example", 2020), |e| *e == CertificateError::UnknownIssuer)
        );
    }

    #[test]
    fn a_bad_ca_is_refused_with_what_to_give() {
        for pem in ["", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            let error = verifier(Some(pem)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{pem}");
        }
    }

    #[test]
    fn without_a_ca_there_are_roots_on_every_machine() {
        assert!(!verifier(None).unwrap().supported_verify_schemes().is_empty());
    }
}
