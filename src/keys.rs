//! The public keys of auth servers, by issuer. Each has exactly one algorithm, which the account server names and the
//! token does not choose.
//!
//! Verified with ring directly. The usual crate for tokens, jsonwebtoken, takes its cryptography from one provider for
//! the whole process, and to install that is for an application to decide, not for a library.

use std::fmt;

use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};
use tokio::sync::OnceCell;
use x509_cert::der::DecodePem;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::spki::SubjectPublicKeyInfoOwned;

use crate::{AccountServer, Error, ErrorKind, Result};

/// id-ecPublicKey (RFC 5480), its curve P-256, and rsaEncryption (RFC 8017).
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// How an auth server signs (RFC 7518): with one of the two that V2 knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
}

impl Algorithm {
    /// `ES256` or `RS256`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }

    fn from_name(name: &str) -> Result<Self> {
        match name {
            "ES256" => Ok(Self::Es256),
            "RS256" => Ok(Self::Rs256),
            _ => {
                Err(Error::new(ErrorKind::Protocol, "the account server signs with neither ES256 nor RS256"))
            }
        }
    }
}

/// A public key, and the one algorithm it is used with.
#[derive(Clone)]
pub struct PublicKey {
    algorithm: Algorithm,
    /// As ring takes it: an uncompressed point, or PKCS#1.
    bytes: Vec<u8>,
}

impl PublicKey {
    /// Reads `-----BEGIN PUBLIC KEY-----` (SPKI), as the account server's `GET /key` has it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if it is not such a key, or of another kind than `algorithm` needs.
    pub fn from_pem(algorithm: Algorithm, pem: &str) -> Result<Self> {
        let wrong = |what: &str| {
            Error::new(ErrorKind::InvalidArgument, format!("the public key is not valid: {what}"))
        };
        let key = SubjectPublicKeyInfoOwned::from_pem(pem.trim())
            .map_err(|e| wrong("expected PEM, starting with -----BEGIN PUBLIC KEY-----").with_source(e))?;
        let curve = || key.algorithm.parameters.as_ref().and_then(|p| p.decode_as::<ObjectIdentifier>().ok());
        match algorithm {
            Algorithm::Es256 if key.algorithm.oid != EC || curve() != Some(P256) => {
                return Err(wrong("ES256 needs a P-256 key"));
            }
            Algorithm::Rs256 if key.algorithm.oid != RSA => return Err(wrong("RS256 needs an RSA key")),
            _ => {}
        }
        let bytes = key.subject_public_key.as_bytes().ok_or_else(|| wrong("its bits are not whole bytes"))?;
        Ok(Self { algorithm, bytes: bytes.to_vec() })
    }

    /// What the key is used with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether `signature` is one of `message` by this key.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let algorithm: &'static dyn VerificationAlgorithm = match self.algorithm {
            Algorithm::Es256 => &ECDSA_P256_SHA256_FIXED,
            Algorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
        };
        UnparsedPublicKey::new(algorithm, &self.bytes).verify(message, signature).is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.algorithm.name())
    }
}

/// The keys of the auth servers whose tokens count.
#[derive(Debug, Default)]
pub struct KeySet {
    issuers: Vec<(String, Source)>,
}

#[derive(Debug)]
enum Source {
    Given(PublicKey),
    /// Asked once; everyone who needs the key meanwhile waits for the one answer.
    Asked {
        server: AccountServer,
        key: OnceCell<PublicKey>,
    },
}

impl KeySet {
    /// No issuer yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tokens of `issuer` are verified with `key`.
    #[must_use]
    pub fn with_key(self, issuer: impl Into<String>, key: PublicKey) -> Self {
        self.with(issuer, Source::Given(key))
    }

    /// Tokens of `issuer` are verified with the key that the account server tells when it is first needed.
    #[must_use]
    pub fn with_account_server(self, issuer: impl Into<String>, server: AccountServer) -> Self {
        self.with(issuer, Source::Asked { server, key: OnceCell::new() })
    }

    fn with(mut self, issuer: impl Into<String>, source: Source) -> Self {
        let issuer = issuer.into();
        self.issuers.retain(|(known, _)| *known != issuer);
        self.issuers.push((issuer, source));
        self
    }

    /// The issuer's key, or nothing if the issuer is not known.
    ///
    /// # Errors
    /// Those of [`AccountServer::key`].
    pub async fn get(&self, issuer: &str) -> Result<Option<&PublicKey>> {
        let Some((_, source)) = self.issuers.iter().find(|(known, _)| known == issuer) else {
            return Ok(None);
        };
        match source {
            Source::Given(key) => Ok(Some(key)),
            Source::Asked { server, key } => key.get_or_try_init(|| server.key()).await.map(Some),
        }
    }
}

/// The body of `GET /key`.
#[derive(serde::Deserialize)]
pub(crate) struct KeyAnswer {
    algorithm: String,
    key: String,
}

impl KeyAnswer {
    pub(crate) fn read(self) -> Result<PublicKey> {
        PublicKey::from_pem(Algorithm::from_name(&self.algorithm)?, &self.key).map_err(|e| {
            Error::new(ErrorKind::Protocol, "the account server's public key cannot be read").with_source(e)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::KeyPair;

    #[tokio::test]
    async fn keys_are_found_by_issuer() {
        let pem = KeyPair::generate().unwrap().public_key_pem();
        let key = PublicKey::from_pem(Algorithm::Es256, &pem).unwrap();
        let keys = KeySet::new().with_key("a", key);
        assert!(keys.get("a").await.unwrap().is_some());
        assert!(keys.get("A").await.unwrap().is_none());
    }

    #[test]
    fn a_key_of_another_kind_is_refused() {
        let p256 = KeyPair::generate().unwrap();
        let p384 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
        let ed25519 = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        assert!(PublicKey::from_pem(Algorithm::Es256, &p256.public_key_pem()).is_ok());
        for (algorithm, pem) in [
            (Algorithm::Rs256, p256.public_key_pem()),
            (Algorithm::Es256, p384.public_key_pem()),
            (Algorithm::Es256, ed25519.public_key_pem()),
            (Algorithm::Es256, p256.serialize_pem()),
            (Algorithm::Es256, String::new()),
            (Algorithm::Es256, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n".to_owned()),
        ] {
            let error = PublicKey::from_pem(algorithm, &pem).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{algorithm:?}");
            assert!(!error.to_string().contains("AAAA"));
        }
    }
}
