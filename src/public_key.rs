//! The public key of an auth server, with exactly one algorithm: the account server names it, the token does not choose.
//!
//! Verified with ring directly. The usual crate for tokens, jsonwebtoken, takes its cryptography from one provider for
//! the whole process, and to install that is for an application to decide, not for a library.

use std::fmt;
use std::ops::RangeInclusive;

use ring::agreement::{self, ECDH_P256, EphemeralPrivateKey, agree_ephemeral};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};
use x509_cert::der::asn1::{ObjectIdentifier, UintRef};
use x509_cert::der::pem::{self, PemLabel};
use x509_cert::der::{Decode, Reader, SliceReader};
use x509_cert::spki::SubjectPublicKeyInfoOwned;

use crate::{Error, ErrorKind, Result};

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
            _ => Err(wrong("its algorithm is neither ES256 nor RS256")),
        }
    }
}

/// A public key, and the one algorithm it is used with.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    algorithm: Algorithm,
    /// As it was given.
    pem: String,
    /// As ring takes it: an uncompressed point, or PKCS#1.
    bytes: Vec<u8>,
}

impl PublicKey {
    /// Reads `-----BEGIN PUBLIC KEY-----` (SPKI), as the account server's `GET /key` has it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if it is not such a key, or of another kind than `algorithm` needs.
    pub fn from_pem(algorithm: Algorithm, pem: &str) -> Result<Self> {
        let key = Self::of_pem(pem)?;
        match algorithm {
            _ if key.algorithm == algorithm => Ok(key),
            Algorithm::Es256 => Err(wrong("ES256 needs a P-256 key")),
            Algorithm::Rs256 => Err(wrong("RS256 needs an RSA key")),
        }
    }

    /// Reads a key from a file's text: the JSON that `GET /key` answers with, or PEM, where the kind of the key says which
    /// algorithm it is: P-256 is ES256, RSA is RS256.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if it is neither, or if the JSON's algorithm is not the key's.
    pub fn read(text: &str) -> Result<Self> {
        if !text.trim_start().starts_with('{') {
            return Self::of_pem(text);
        }
        let answer: KeyAnswer = serde_json::from_str(text)
            .map_err(|_| wrong("expected JSON with \"algorithm\" and \"key\", as GET /key answers"))?;
        Self::from_pem(Algorithm::from_name(&answer.algorithm)?, &answer.key)
    }

    fn of_pem(pem: &str) -> Result<Self> {
        let pem = pem.trim();
        // Not from_pem, which reads as it decodes, and never ends where the DER does too soon (der 0.7.10).
        let (label, der) = pem::decode_vec(pem.as_bytes())
            .map_err(|_| wrong("expected PEM, starting with -----BEGIN PUBLIC KEY-----"))?;
        if label != SubjectPublicKeyInfoOwned::PEM_LABEL {
            return Err(wrong("expected a public key, starting with -----BEGIN PUBLIC KEY-----"));
        }
        let key = SubjectPublicKeyInfoOwned::from_der(&der)
            .map_err(|e| wrong("what is in the PEM is not a public key").with_source(e))?;
        let curve = || key.algorithm.parameters.as_ref().and_then(|p| p.decode_as::<ObjectIdentifier>().ok());
        let algorithm = match key.algorithm.oid {
            EC if curve() == Some(P256) => Algorithm::Es256,
            RSA => Algorithm::Rs256,
            _ => return Err(wrong("ES256 needs a P-256 key, and RS256 an RSA key")),
        };
        let bytes = key.subject_public_key.as_bytes().ok_or_else(|| wrong("its bits are not whole bytes"))?;
        match algorithm {
            Algorithm::Es256 if !is_on_curve(bytes) => return Err(wrong("its point is not on the curve")),
            Algorithm::Rs256 if !RSA_BITS.contains(&modulus_bits(bytes)) => {
                return Err(wrong("an RSA key has 2048 to 8192 bits"));
            }
            _ => {}
        }
        Ok(Self { algorithm, pem: pem.to_owned(), bytes: bytes.to_vec() })
    }

    /// The JSON that [`read`](Self::read) reads.
    pub(crate) fn to_json(&self) -> String {
        serde_json::json!({ "algorithm": self.algorithm.name(), "key": self.pem }).to_string()
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

/// The keys that ring verifies with, and RFC 7518, section 3.3, allows.
const RSA_BITS: RangeInclusive<usize> = 2048..=8192;

/// The size of an RSA key's modulus (PKCS#1, RFC 8017, appendix A.1.1); 0 if it is none.
fn modulus_bits(pkcs1: &[u8]) -> usize {
    let modulus = SliceReader::new(pkcs1).and_then(|mut reader| {
        reader.sequence(|key| {
            let modulus = UintRef::decode(key)?;
            UintRef::decode(key)?;
            Ok(modulus.as_bytes().to_vec())
        })
    });
    let modulus = modulus.unwrap_or_default();
    modulus.first().map_or(0, |first| modulus.len() * 8 - first.leading_zeros() as usize)
}

/// Whether these bytes are a point of P-256: key agreement refuses what is none, while a verification only fails.
fn is_on_curve(point: &[u8]) -> bool {
    EphemeralPrivateKey::generate(&ECDH_P256, &SystemRandom::new())
        .and_then(|own| agree_ephemeral(own, &agreement::UnparsedPublicKey::new(&ECDH_P256, point), |_| ()))
        .is_ok()
}

fn wrong(what: &str) -> Error {
    Error::new(ErrorKind::InvalidArgument, format!("the public key is not valid: {what}"))
}

/// The body of `GET /key`.
#[derive(serde::Deserialize)]
pub(crate) struct KeyAnswer {
    algorithm: String,
    key: String,
}

impl KeyAnswer {
    pub(crate) fn read(self) -> Result<PublicKey> {
        let key = Algorithm::from_name(&self.algorithm).and_then(|alg| PublicKey::from_pem(alg, &self.key));
        key.map_err(|error| {
            let message = format!("the account server's answer to GET /key: {error}");
            Error::new(ErrorKind::Protocol, message)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::KeyPair;

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
            // Cut short: reading it once did not end.
            (Algorithm::Es256, "-----BEGIN PUBLIC KEY-----\new==\n-----END PUBLIC KEY-----\n".to_owned()),
            (Algorithm::Es256, p256.public_key_pem().replace("PUBLIC KEY", "CERTIFICATE")),
            (Algorithm::Es256, String::new()),
            (Algorithm::Es256, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n".to_owned()),
        ] {
            let error = PublicKey::from_pem(algorithm, &pem).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{algorithm:?}");
            assert!(!error.to_string().contains("AAAA"));
        }
    }

    #[test]
    fn a_key_that_nothing_can_be_verified_with_is_refused() {
        let wrong = |pem: &str| PublicKey::read(pem).unwrap_err().message().to_owned();
        assert_eq!(PublicKey::read(RSA_2048).unwrap().algorithm(), Algorithm::Rs256);
        assert!(wrong(RSA_1024).ends_with("an RSA key has 2048 to 8192 bits"));
        let pair = KeyPair::generate().unwrap();
        let (_, mut der) = pem::decode_vec(pair.public_key_pem().as_bytes()).unwrap();
        for (at, to) in [(der.len() - 1, !der[der.len() - 1]), (der.len() - 65, 5)] {
            let was = std::mem::replace(&mut der[at], to);
            let text = pem::encode_string("PUBLIC KEY", Default::default(), &der).unwrap();
            assert!(wrong(&text).ends_with("its point is not on the curve"));
            der[at] = was;
        }
        assert_eq!((modulus_bits(&[]), modulus_bits(&[0x30, 0]), modulus_bits(&[0x30, 0x80])), (0, 0, 0));
    }

    const RSA_1024: &str = "-----BEGIN PUBLIC KEY-----\nMIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDQOEKYY1bKZq5t/FRed9NgiKUM\nbeRBu6wiXxlB4SH1EGXAqe9vQuR+A6hhAzt9i8WJxKCkl3Y/z7CXrlaSK638mzFY\n1BUF5qbXYaFbFwKARkdx1Q7VzexYjgI6qeDr3DbKrpU+Vg1Da5ixqc/bWYm0UI79\npjsxhYL9cqc57rh00QIDAQAB\n-----END PUBLIC KEY-----";
    const RSA_2048: &str = "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAx3FfLbRHNeU2SlLmATPC\naLcQzr+z/7TlD61KHG0Spju2ufNRPoBVcCiTiVqCKrFyBbDlS77uLyy6ynJkF5kW\ne59R5hVPnbWNEUTq+xnYHYtC9VwVbVQof0JrPzhFCja1EQ00/7IRCKcqsKEdJ+bm\n9lnb+GXT1Fksb34U3WpICJRv94imfriGWkV8bmFSAV4RfHeGvcDbrQ2RhwCqH9b+\nq76PwewFqJlwUDnW5k1LRKDhq6vCy8KXXNPcDb1gyHgAeyGjoT1nOIKv/+jnH4KV\ndYGn/Q6CLa2tKei8LMz/tyG3D7QiS2ugLiDTmzcigqk13SkFKyHCLZCqEiGpGi3a\nhwIDAQAB\n-----END PUBLIC KEY-----";
}
