//! The stand-in account server's signing keys: who vouches for a token.
//!
//! An issuer pins one algorithm, ES256 or RS256, and publishes one key. It also holds keys that nobody should trust,
//! so that tests can mint tokens with a bad signature or the wrong algorithm (see [`Mint`](crate::Mint)).

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};
use ttn_auth::{Algorithm, Error, ErrorKind, Result};

/// The id of the issuer that V2's public network uses, and the recorded vectors too.
pub const ISSUER: &str = "ttn-account-v2";

/// ring cannot generate RSA keys, so this one is committed. It is published, and so protects nothing.
const RS256_PEM: &str = include_str!("../keys/rs256-published.pem");

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

/// An account server's identity: its id, the algorithm it pins, and its keys, made anew at every start.
pub struct Issuer {
    id: String,
    algorithm: Algorithm,
    es256: EcdsaKeyPair,
    other: EcdsaKeyPair,
    rs256: RsaKeyPair,
    random: SystemRandom,
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issuer")
            .field("id", &self.id)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

impl Issuer {
    /// An issuer with fresh ES256 keys.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] if the system has no randomness.
    pub fn new(id: impl Into<String>, algorithm: Algorithm) -> Result<Self> {
        let random = SystemRandom::new();
        let rs256 =
            RsaKeyPair::from_pkcs8(&private_der(RS256_PEM)?).map_err(|_| internal("read the RS256 key"))?;
        Ok(Self { id: id.into(), algorithm, es256: fresh(&random)?, other: fresh(&random)?, rs256, random })
    }

    /// The name that its tokens carry as `iss`, and its access keys before their dot.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The algorithm that it pins.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The PEM (SubjectPublicKeyInfo) that `GET /key` answers.
    pub fn public_pem(&self) -> String {
        self.pem_of(self.algorithm.into())
    }

    /// The public PEM (SubjectPublicKeyInfo) of any of its keys.
    pub fn pem_of(&self, key: SigningKey) -> String {
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

    /// A JWT of these claims, signed.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] if the system has no randomness.
    pub fn sign(&self, key: SigningKey, claims: &Value) -> Result<String> {
        let input = signing_input(key.algorithm().name(), claims);
        let ecdsa = |pair: &EcdsaKeyPair| {
            pair.sign(&self.random, input.as_bytes()).map(|signature| signature.as_ref().to_vec())
        };
        let signature = match key {
            SigningKey::Es256 => ecdsa(&self.es256),
            SigningKey::Es256Other => ecdsa(&self.other),
            SigningKey::Rs256 => {
                let mut signature = vec![0; self.rs256.public().modulus_len()];
                self.rs256
                    .sign(&RSA_PKCS1_SHA256, &self.random, input.as_bytes(), &mut signature)
                    .map(|()| signature)
            }
        };
        signature.map(|bytes| join(&input, &bytes)).map_err(|_| internal("sign a token"))
    }

    /// A JWT with `alg` none and an empty signature.
    pub fn unsigned(&self, claims: &Value) -> String {
        join(&signing_input("none", claims), &[])
    }

    /// A JWT with `alg` HS256 whose secret is the public PEM: the classic attack on a verifier that trusts `alg`.
    pub fn hmac_signed(&self, claims: &Value) -> String {
        let input = signing_input("HS256", claims);
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.public_pem().as_bytes());
        join(&input, hmac::sign(&key, input.as_bytes()).as_ref())
    }

    /// A subject that no other token has: rate limits count per subject.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] if the system has no randomness.
    pub fn fresh_subject(&self) -> Result<String> {
        // 12 bytes, as in the network's own user ids.
        let mut bytes = [0; 12];
        self.random.fill(&mut bytes).map_err(|_| internal("make a subject"))?;
        Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// The first two parts of a JWT.
fn signing_input(algorithm: &str, claims: &Value) -> String {
    let header = json!({ "alg": algorithm, "typ": "JWT" });
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()))
}

fn join(input: &str, signature: &[u8]) -> String {
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn fresh(random: &SystemRandom) -> Result<EcdsaKeyPair> {
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    EcdsaKeyPair::generate_pkcs8(algorithm, random)
        .ok()
        .and_then(|pkcs8| EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), random).ok())
        .ok_or_else(|| internal("make an ES256 key"))
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

fn internal(what: &str) -> Error {
    Error::new(ErrorKind::Internal, format!("cannot {what}"))
}
