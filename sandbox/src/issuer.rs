//! The stand-in account server's identity: who vouches for a token, and takes it back.
//!
//! An issuer pins one algorithm, ES256 or RS256, and publishes one key. It also holds keys that nobody should trust,
//! so that tests can mint tokens with a bad signature or the wrong algorithm (see [`Mint`](crate::Mint)).

use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::{Value, json};
use ttn_auth::{Algorithm, PublicKey, Result};

use crate::clock::OffClock;
use crate::journal::{Entry, Journal};
use crate::revoked::{Revoked, digest_of};
use crate::signing::{SigningKey, SigningKeys, WrittenKeys, internal};

/// The id of the issuer that V2's public network uses, and the recorded vectors too.
pub const ISSUER: &str = "ttn-account-v2";

/// An account server's identity: its id, the algorithm it pins, and its keys, made anew unless a journal has them.
pub struct Issuer {
    id: String,
    algorithm: Algorithm,
    keys: RwLock<Arc<SigningKeys>>,
    revoked: Revoked,
    clock: Arc<OffClock>,
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
    /// [`ErrorKind::Internal`](ttn_auth::ErrorKind::Internal) if the system has no randomness.
    pub fn new(id: impl Into<String>, algorithm: Algorithm) -> Result<Self> {
        let random = SystemRandom::new();
        let keys = SigningKeys::read(WrittenKeys::fresh(&random)?, &random)?;
        Ok(Self {
            id: id.into(),
            algorithm,
            keys: RwLock::new(Arc::new(keys)),
            revoked: Revoked::default(),
            clock: Arc::default(),
            random,
        })
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
        self.keys().public_pem(key)
    }

    /// A JWT of these claims, signed.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`](ttn_auth::ErrorKind::Internal) if the system has no randomness.
    pub fn sign(&self, key: SigningKey, claims: &Value) -> Result<String> {
        self.sign_input(key, &signing_input(key.algorithm().name(), claims))
    }

    /// A JWT of any header and any claims, JSON or not, signed: what only the issuer can make, and a verifier must judge
    /// by what it says.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`](ttn_auth::ErrorKind::Internal) if the system has no randomness.
    pub fn sign_text(&self, key: SigningKey, header: &str, claims: &str) -> Result<String> {
        let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        self.sign_input(key, &input)
    }

    /// The same of the first two parts as they are, well encoded or not.
    pub(crate) fn sign_input(&self, key: SigningKey, input: &str) -> Result<String> {
        let signature = self.keys().sign(key, input.as_bytes(), &self.random)?;
        Ok(join(input, &signature))
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
    /// [`ErrorKind::Internal`](ttn_auth::ErrorKind::Internal) if the system has no randomness.
    pub fn fresh_subject(&self) -> Result<String> {
        // 12 bytes, as in the network's own user ids.
        let mut bytes = [0; 12];
        self.random.fill(&mut bytes).map_err(|_| internal("make a subject"))?;
        Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Claim `jti` of a new token.
    pub(crate) fn fresh_id(&self) -> Result<String> {
        Ok(self.revoked.id(&self.fresh_subject()?))
    }

    pub(crate) fn public_key(&self) -> Result<PublicKey> {
        PublicKey::from_pem(self.algorithm, &self.public_pem())
    }

    /// The account server's clock.
    pub(crate) fn clock(&self) -> &Arc<OffClock> {
        &self.clock
    }

    pub(crate) fn revoked(&self) -> &Revoked {
        &self.revoked
    }

    /// Writes the keys that it has down.
    pub(crate) fn record(&self, journal: &Journal) -> Result<()> {
        journal.append(&Entry::SigningKeys(self.keys().written().clone()))
    }

    /// Signs with other keys from now on.
    pub(crate) fn rotate(&self, journal: &Journal) -> Result<()> {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let next = SigningKeys::read(keys.written().rotated(&self.random)?, &self.random)?;
        journal.append(&Entry::SigningKeys(next.written().clone()))?;
        *keys = Arc::new(next);
        Ok(())
    }

    /// Takes every token back that was issued so far.
    pub(crate) fn revoke_all(&self, journal: &Journal) -> Result<()> {
        journal.append(&Entry::RevokeTokens {})?;
        self.revoked.all();
        Ok(())
    }

    /// Takes one token back.
    pub(crate) fn revoke(&self, token: &str, journal: &Journal) -> Result<()> {
        let digest = digest_of(token);
        journal.append(&Entry::RevokeToken { digest: digest.clone() })?;
        self.revoked.one(digest);
        Ok(())
    }

    /// What a journal says of it.
    pub(crate) fn apply(&self, entry: &Entry) -> Result<()> {
        match entry {
            Entry::SigningKeys(written) => {
                let keys = SigningKeys::read(written.clone(), &self.random)?;
                *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
            }
            Entry::RevokeTokens {} => self.revoked.all(),
            Entry::RevokeToken { digest } => self.revoked.one(digest.clone()),
            _ => {}
        }
        Ok(())
    }

    fn keys(&self) -> Arc<SigningKeys> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
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
