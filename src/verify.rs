//! Verifies bearer tokens (JWT, RFC 7519): who issued it, with which algorithm, the signature, the times. In that
//! order, which is a V2 Handler's: the issuer decides the algorithm, never the token, and nothing that a token claims
//! is acted on before its signature is checked.
//!
//! Errors have V2's words and gRPC code 7 (wire.md, section 5).

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::{Claims, Clock, Error, ErrorKind, KeySet, Result, Secret};

/// The algorithms that Go's JWT library knows; another name is refused before the issuer is looked at.
const KNOWN_ALGORITHMS: [&str; 13] = [
    "ES256", "ES384", "ES512", "HS256", "HS384", "HS512", "PS256", "PS384", "PS512", "RS256", "RS384",
    "RS512", "none",
];

/// Verifies tokens of the issuers in a [`KeySet`].
pub struct Verifier {
    keys: KeySet,
    clock: Clock,
}

impl Verifier {
    /// Verifies with these keys, by the system's clock.
    pub fn new(keys: KeySet) -> Self {
        Self { keys, clock: Arc::new(SystemTime::now) }
    }

    /// The same by another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// The claims of a token, if it is genuine and its time is now. `exp` has no leeway: the token is valid through the
    /// whole second that `exp` names, and for ever without one.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidToken`], [`ErrorKind::UnknownIssuer`], [`ErrorKind::TokenExpired`] or
    /// [`ErrorKind::TokenNotYetValid`], with gRPC code 7; and what [`KeySet::get`] gives.
    pub async fn verify(&self, token: &Secret) -> Result<Claims> {
        let token = Parsed::read(token.expose())?;
        let issuer = &token.claims.issuer;
        let key = self.keys.get(issuer).await?.ok_or_else(|| {
            refused(ErrorKind::UnknownIssuer, format!("Auth server {} not registered", printable(issuer)))
        })?;
        let expected = key.algorithm().name();
        if token.algorithm != expected {
            return Err(invalid(format!("expected algorithm {expected} but got {}", token.algorithm)));
        }
        if !key.verifies(token.signed.as_bytes(), &decode(token.signature)?) {
            return Err(invalid(match expected {
                "RS256" => "crypto/rsa: verification error",
                _ => "crypto/ecdsa: verification error",
            }));
        }
        check_times(&token.claims, seconds((self.clock)()))?;
        Ok(token.claims)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("keys", &self.keys).finish_non_exhaustive()
    }
}

/// A token taken apart, nothing of it trusted yet.
struct Parsed<'a> {
    algorithm: &'static str,
    claims: Claims,
    signed: &'a str,
    signature: &'a str,
}

impl<'a> Parsed<'a> {
    fn read(token: &'a str) -> Result<Self> {
        #[derive(Deserialize)]
        struct Header {
            alg: String,
        }
        let segments = || invalid("token contains an invalid number of segments");
        let (signed, signature) = token.rsplit_once('.').ok_or_else(segments)?;
        let (header, claims) = signed.split_once('.').ok_or_else(segments)?;
        if claims.contains('.') {
            return Err(segments());
        }
        let header: Header = serde_json::from_slice(&decode(header)?)
            .map_err(|_| invalid("the header is not a JSON object with an alg"))?;
        // serde's own message repeats values of the claims.
        let claims = serde_json::from_slice(&decode(claims)?)
            .map_err(|_| invalid("the claims are not a JSON object of the expected form"))?;
        let algorithm = KNOWN_ALGORITHMS
            .into_iter()
            .find(|known| *known == header.alg)
            .ok_or_else(|| invalid("signing method (alg) is unavailable."))?;
        Ok(Self { algorithm, claims, signed, signature })
    }
}

fn decode(segment: &str) -> Result<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(segment).map_err(|error| {
        let at = match error {
            base64::DecodeError::InvalidByte(at, _) | base64::DecodeError::InvalidLastSymbol(at, _) => at,
            _ => segment.len(),
        };
        invalid(format!("illegal base64 data at input byte {at}"))
    })
}

fn check_times(claims: &Claims, now: i64) -> Result<()> {
    if claims.not_before.is_some_and(|from| now < from) {
        return Err(refused(ErrorKind::TokenNotYetValid, "token is not valid yet"));
    }
    match claims.expires_at {
        Some(until) if now > until => {
            let by = go_duration(now.saturating_sub(until));
            Err(refused(ErrorKind::TokenExpired, format!("token is expired by {by}")))
        }
        _ => Ok(()),
    }
}

/// Seconds since 1970; before that, a clock is wrong, and no token with an `nbf` is valid.
fn seconds(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// Whole seconds as Go prints them: `1h0m0s`, `2m3s`, `1s`.
fn go_duration(seconds: i64) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{seconds}s"),
        _ => format!("{hours}h{minutes}m{seconds}s"),
    }
}

/// Text of an unverified token, fit for a log: no control characters, and not all of it.
fn printable(text: &str) -> String {
    text.chars().take(64).filter(|c| !c.is_control()).collect()
}

fn refused(kind: ErrorKind, reason: impl fmt::Display) -> Error {
    Error::new(kind, format!("permission denied: unable to parse token: {reason}")).with_grpc_code(7)
}

fn invalid(reason: impl fmt::Display) -> Error {
    refused(ErrorKind::InvalidToken, reason)
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
