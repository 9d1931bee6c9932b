//! Tokens that were taken back before their time.
//!
//! Every token's `jti` (RFC 7519, section 4.1.7) begins with a generation, so that all of them can be taken back at once
//! without a list of them.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use serde::Deserialize;
use ttn_auth::{Error, ErrorKind};

/// What was taken back.
#[derive(Debug, Default)]
pub(crate) struct Revoked {
    /// Tokens of an earlier one are revoked.
    generation: AtomicU64,
    /// Single tokens, by digest.
    tokens: Mutex<HashSet<String>>,
}

impl Revoked {
    /// The `jti` of a new token; `unique` is a text that no other token has.
    pub(crate) fn id(&self, unique: &str) -> String {
        format!("{}.{unique}", self.generation.load(Ordering::SeqCst))
    }

    /// Every token so far.
    pub(crate) fn all(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// One token.
    pub(crate) fn one(&self, digest: String) {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).insert(digest);
    }

    /// Whether this token, which is genuine, was taken back.
    pub(crate) fn contains(&self, token: &str) -> bool {
        generation(token) < self.generation.load(Ordering::SeqCst)
            || self.tokens.lock().unwrap_or_else(PoisonError::into_inner).contains(&digest_of(token))
    }

    /// Refuses a genuine token that was taken back, in the words for every token that is not good.
    pub(crate) fn check(&self, token: &str) -> Result<(), Error> {
        if !self.contains(token) {
            return Ok(());
        }
        let message = "permission denied: unable to parse token: token is revoked";
        Err(Error::new(ErrorKind::InvalidToken, message).with_grpc_code(7))
    }
}

/// What stands for a token, so that no token is kept. Not its signature, of which ECDSA has two for the same text: a token
/// taken back would be good again with the other one.
pub(crate) fn digest_of(token: &str) -> String {
    let (signed, _) = token.rsplit_once('.').unwrap_or((token, ""));
    let digest = digest(&SHA256, signed.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A token without one is of the first generation.
fn generation(token: &str) -> u64 {
    #[derive(Deserialize)]
    struct Claims {
        jti: String,
    }
    let claims = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let claims = claims.and_then(|json| serde_json::from_slice::<Claims>(&json).ok());
    claims.and_then(|claims| claims.jti.split('.').next()?.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(id: &str) -> String {
        format!("e30.{}.x", URL_SAFE_NO_PAD.encode(serde_json::json!({ "jti": id }).to_string()))
    }

    #[test]
    fn one_token_or_all_so_far() {
        let revoked = Revoked::default();
        let (first, second) = (token(&revoked.id("a")), token(&revoked.id("b")));
        revoked.one(digest_of(&first));
        assert!(revoked.contains(&first) && !revoked.contains(&second));
        assert!(revoked.contains(&format!("{first}y")), "with another signature");
        revoked.all();
        let third = token(&revoked.id("c"));
        assert!(revoked.contains(&second) && !revoked.contains(&third));
        // Without an id: before the first time that all were taken back.
        assert!(revoked.contains("e30.e30.x") && !Revoked::default().contains("junk"));
        let error = revoked.check(&second).unwrap_err();
        assert_eq!((error.kind(), error.grpc_code()), (ErrorKind::InvalidToken, Some(7)));
        assert!(error.message().ends_with("token is revoked"), "{error}");
    }
}
