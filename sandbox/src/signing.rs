//! The keys behind a token's signature: made, written down for the journal, told in public.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use serde::{Deserialize, Serialize};
use ttn_auth::{Algorithm, Error, ErrorKind, Result};

/// ring cannot generate RSA keys, so these are committed, and a rotation goes from one to the next. They are published,
/// and so protect nothing.
const RS256_PEMS: [&str; 2] =
    [include_str!("../keys/rs256-published.pem"), include_str!("../keys/rs256-rotated-published.pem")];

/// What stands before an uncompressed P-256 point in a SubjectPublicKeyInfo: id-ecPublicKey, prime256v1, BIT STRING.
const P256_SPKI: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// The AlgorithmIdentifier of RSA: rsaEncryption, NULL.
const RSA_ALGORITHM: [u8; 15] =
    [0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

/// A key to sign with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SigningKey {
    /// The issuer's ES256 key.
    Es256,
    /// An ES256 key that is not the issuer's: its signatures must be refused.
    Es256Other,
    /// The issuer's RS256 key.
    Rs256,
}

impl SigningKey {
    /// The algorithm this key signs with.
    pub const fn algorithm(self) -> Algorithm {
        match self {
            Self::Es256 | Self::Es256Other => Algorithm::Es256,
            Self::Rs256 => Algorithm::Rs256,
        }
    }
}

impl From<Algorithm> for SigningKey {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Es256 => Self::Es256,
            Algorithm::Rs256 => Self::Rs256,
        }
    }
}

/// The keys as the journal has them.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WrittenKeys {
    /// PKCS#8 in base64.
    es256: String,
    /// The same, of a key that nobody should trust.
    es256_other: String,
    /// Which of the published ones.
    rs256: usize,
}

impl WrittenKeys {
    pub(crate) fn fresh(random: &SystemRandom) -> Result<Self> {
        Ok(Self { es256: fresh(random)?, es256_other: fresh(random)?, rs256: 0 })
    }

    /// Other keys for both algorithms. The one that nobody trusts stays.
    pub(crate) fn rotated(&self, random: &SystemRandom) -> Result<Self> {
        let rs256 = (self.rs256 + 1) % RS256_PEMS.len();
        Ok(Self { es256: fresh(random)?, es256_other: self.es256_other.clone(), rs256 })
    }
}

/// The keys, ready to sign.
pub(crate) struct SigningKeys {
    written: WrittenKeys,
    es256: EcdsaKeyPair,
    other: EcdsaKeyPair,
    rs256: RsaKeyPair,
}

impl SigningKeys {
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if they are not keys.
    pub(crate) fn read(written: WrittenKeys, random: &SystemRandom) -> Result<Self> {
        let wrong = || Error::new(ErrorKind::InvalidArgument, "a signing key cannot be read");
        let es256 = |text: &str| {
            let pkcs8 = STANDARD.decode(text).map_err(|_| wrong())?;
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8, random).map_err(|_| wrong())
        };
        let pem = RS256_PEMS.get(written.rs256).ok_or_else(wrong)?;
        let rs256 = RsaKeyPair::from_pkcs8(&private_der(pem)?).map_err(|_| wrong())?;
        let (es256, other) = (es256(&written.es256)?, es256(&written.es256_other)?);
        Ok(Self { written, es256, other, rs256 })
    }

    pub(crate) fn written(&self) -> &WrittenKeys {
        &self.written
    }

    /// The public PEM (SubjectPublicKeyInfo).
    pub(crate) fn public_pem(&self, key: SigningKey) -> String {
        let der = match key {
            SigningKey::Es256 => [&P256_SPKI, self.es256.public_key().as_ref()].concat(),
            SigningKey::Es256Other => [&P256_SPKI, self.other.public_key().as_ref()].concat(),
            SigningKey::Rs256 => {
                let bits = der(0x03, &[&[0][..], self.rs256.public_key().as_ref()].concat());
                der(0x30, &[&RSA_ALGORITHM[..], &bits].concat())
            }
        };
        let text = STANDARD.encode(der);
        let lines: Vec<&str> =
            (0..text.len()).step_by(64).map(|at| &text[at..text.len().min(at + 64)]).collect();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
    }

    pub(crate) fn sign(&self, key: SigningKey, input: &[u8], random: &SystemRandom) -> Result<Vec<u8>> {
        let ecdsa =
            |pair: &EcdsaKeyPair| pair.sign(random, input).map(|signature| signature.as_ref().to_vec());
        let signature = match key {
            SigningKey::Es256 => ecdsa(&self.es256),
            SigningKey::Es256Other => ecdsa(&self.other),
            SigningKey::Rs256 => {
                let mut signature = vec![0; self.rs256.public().modulus_len()];
                self.rs256.sign(&RSA_PKCS1_SHA256, random, input, &mut signature).map(|()| signature)
            }
        };
        signature.map_err(|_| internal("sign a token"))
    }
}

fn fresh(random: &SystemRandom) -> Result<String> {
    EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, random)
        .map(|pkcs8| STANDARD.encode(pkcs8))
        .map_err(|_| internal("make an ES256 key"))
}

/// The DER inside a PEM file; the text before its first line is a note to readers.
fn private_der(pem: &str) -> Result<Vec<u8>> {
    let body: String = pem
        .lines()
        .skip_while(|line| !line.starts_with("-----BEGIN "))
        .skip(1)
        .take_while(|line| !line.starts_with("-----END "))
        .collect();
    STANDARD.decode(body).map_err(|_| internal("read the RS256 key"))
}

/// One DER element with a length of up to 65,535 bytes: enough for a public key.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap_or(u16::MAX).to_be_bytes();
    let head = match content.len() {
        0..=127 => vec![tag, length[1]],
        128..=255 => vec![tag, 0x81, length[1]],
        _ => vec![tag, 0x82, length[0], length[1]],
    };
    [&head[..], content].concat()
}

pub(crate) fn internal(what: &str) -> Error {
    Error::new(ErrorKind::Internal, format!("cannot {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_keys_are_the_same_keys_and_rotated_ones_are_others() {
        let random = SystemRandom::new();
        let keys = SigningKeys::read(WrittenKeys::fresh(&random).unwrap(), &random).unwrap();
        let text = serde_json::to_string(keys.written()).unwrap();
        let again = SigningKeys::read(serde_json::from_str(&text).unwrap(), &random).unwrap();
        let rotated = SigningKeys::read(keys.written().rotated(&random).unwrap(), &random).unwrap();
        for key in [SigningKey::Es256, SigningKey::Es256Other, SigningKey::Rs256] {
            assert_eq!(keys.public_pem(key), again.public_pem(key));
            let stays = key == SigningKey::Es256Other;
            assert_eq!(keys.public_pem(key) == rotated.public_pem(key), stays, "{key:?}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let random = SystemRandom::new();
        let good = WrittenKeys::fresh(&random).unwrap();
        for bad in [
            WrittenKeys { es256: "AAAA".into(), ..good.clone() },
            WrittenKeys { es256_other: "é".into(), ..good.clone() },
            WrittenKeys { rs256: 2, ..good.clone() },
        ] {
            let error = SigningKeys::read(bad, &random).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        }
    }
}
