//! Verifies bearer tokens (JWT, RFC 7519): who issued it, with which algorithm, the signature, the times. In that
//! order, which is a V2 Handler's: the issuer decides the algorithm, never the token, and nothing that a token claims
//! is acted on before its signature is checked.
//!
//! Errors have V2's words and gRPC code 7 (wire.md, section 5).

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::jwt::{Jwt, invalid, refused};
use crate::verified::{self, Verified};
use crate::{Claims, Clock, ErrorKind, KeySet, Known, PublicKey, Result, Secret};

/// The largest token, in bytes, unless another limit is given. One with the ten entities that it may hold takes about 2 KB;
/// this many take a millisecond to read.
const MAX_SIZE: usize = 64 << 10;

/// Verifies tokens of the issuers in a [`KeySet`]. Remembers those that were genuine and came twice, so that their
/// signature is not computed again; their times are checked each time.
pub struct Verifier {
    keys: KeySet,
    clock: Clock,
    leeway: Duration,
    max_size: usize,
    missing_expiry: bool,
    verified: Verified,
}

impl Verifier {
    /// Verifies with these keys, by the system's clock, without leeway.
    pub fn new(keys: KeySet) -> Self {
        Self {
            keys,
            clock: Arc::new(SystemTime::now),
            leeway: Duration::ZERO,
            max_size: MAX_SIZE,
            missing_expiry: false,
            verified: Verified::default(),
        }
    }

    /// The same by another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Takes tokens that expired, or become valid, so much earlier or later: for clocks that differ. A part of a
    /// second counts as a whole one. Default 0, as V2. RFC 7519, section 4.1.4, speaks of no more than a few minutes.
    #[must_use]
    pub fn with_leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Refuses tokens of more bytes than this. Default: 64 KiB. V2 has no limit of its own but that of headers, 1 MiB.
    #[must_use]
    pub fn with_max_token_size(mut self, bytes: usize) -> Self {
        self.max_size = bytes;
        self
    }

    /// Takes tokens without `exp`, which are good for ever, as V2 does. Otherwise they are refused.
    #[must_use]
    pub fn with_missing_expiry_allowed(mut self) -> Self {
        self.missing_expiry = true;
        self
    }

    /// The claims of a token, if it is genuine and its time is now. It is valid through the whole second that `exp` names. `aud`
    /// is not looked at: V2's tokens have none.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidToken`], [`ErrorKind::UnknownIssuer`], [`ErrorKind::TokenExpired`] or
    /// [`ErrorKind::TokenNotYetValid`], with gRPC code 7; and what [`KeySet::get`] gives, when it cannot be told.
    pub async fn verify(&self, token: &Secret) -> Result<Arc<Claims>> {
        self.know(token).await.map(|known| known.claims)
    }

    /// As [`verify`](Self::verify), for a server that will see the same token again: it can ask
    /// [`good_for`](Self::good_for) then.
    ///
    /// # Errors
    /// Those of [`verify`](Self::verify).
    pub async fn know(&self, token: &Secret) -> Result<Known> {
        let token = token.expose();
        if token.len() > self.max_size {
            return Err(invalid(format!("token is larger than {} bytes", self.max_size)));
        }
        let id = verified::id(token);
        if let Some(id) = &id
            && let Some(known) = self.verified.get(id)
        {
            let current = self.keys.get(&known.claims.issuer).await?;
            if current.zip(known.key.as_ref()).is_some_and(|(current, key)| Arc::ptr_eq(&current, key)) {
                self.check_times(&known.claims, (self.clock)()).inspect_err(|_| self.verified.remove(id))?;
                return Ok(Known { again: true, ..known });
            }
            self.verified.remove(id);
        }
        let token = Jwt::read(token)?;
        let key = self.check_signature(&token).await?;
        self.check_times(&token.claims, (self.clock)())?;
        let mut claims = token.claims;
        // Whatever it says: V2 gives nobody a right of The Things Stack.
        for rights in claims.apps.values_mut() {
            rights.retain(|right| !right.starts_with("RIGHT_"));
        }
        let mut known = Known { claims: Arc::new(claims), key: Some(key), again: false };
        if let Some(id) = id {
            self.verified.add(id, &mut known);
        }
        Ok(known)
    }

    /// How long [`know`](Self::know) would give the same again at once, unless a key changes (which [`KeySet::changes`] counts) or
    /// somebody sets the clock. Not at all if it would not now: the token itself has to be asked about then.
    pub fn good_for(&self, known: &Known) -> Duration {
        let Some(verified_by) = &known.key else { return Duration::ZERO };
        let Some((key, fresh)) = self.keys.fresh(&known.claims.issuer) else { return Duration::ZERO };
        let now = (self.clock)();
        if !Arc::ptr_eq(&key, verified_by) || self.check_times(&known.claims, now).is_err() {
            return Duration::ZERO;
        }
        let Some(until) = known.claims.expires_at else { return fresh };
        // Through the whole second.
        let end = until.saturating_add(self.leeway()).saturating_add(1);
        let end = u64::try_from(end).ok().and_then(|end| UNIX_EPOCH.checked_add(Duration::from_secs(end)));
        end.map_or(fresh, |end| fresh.min(end.duration_since(now).unwrap_or_default()))
    }

    /// The issuer's key, if the signature is good by it. Where it is not, the issuer may have another key by now.
    async fn check_signature(&self, token: &Jwt<'_>) -> Result<Arc<PublicKey>> {
        let issuer = &token.claims.issuer;
        let unknown =
            || refused(ErrorKind::UnknownIssuer, format!("Auth server {} not registered", printable(issuer)));
        let key = self.keys.get(issuer).await?.ok_or_else(unknown)?;
        let Err(refusal) = genuine(token, &key) else { return Ok(key) };
        // No issuer has a key for any other: then this one has not changed.
        if !matches!(token.algorithm, "ES256" | "RS256") {
            return Err(refusal);
        }
        let other = self.keys.instead_of(&key, issuer).await?.ok_or_else(unknown)?;
        if Arc::ptr_eq(&other, &key) {
            return Err(refusal);
        }
        genuine(token, &other).map(|()| other)
    }

    /// In whole seconds.
    fn leeway(&self) -> i64 {
        i64::try_from(self.leeway.as_millis().div_ceil(1000)).unwrap_or(i64::MAX)
    }

    fn check_times(&self, claims: &Claims, now: SystemTime) -> Result<()> {
        let (now, leeway) = (seconds(now), self.leeway());
        if claims.not_before.is_some_and(|from| now.saturating_add(leeway) < from) {
            return Err(refused(ErrorKind::TokenNotYetValid, "token is not valid yet"));
        }
        match claims.expires_at {
            Some(until) if now > until.saturating_add(leeway) => {
                let by = go_duration(now.saturating_sub(until));
                Err(refused(ErrorKind::TokenExpired, format!("token is expired by {by}")))
            }
            None if !self.missing_expiry => Err(invalid("token does not expire (exp is missing)")),
            _ => Ok(()),
        }
    }

    pub(crate) fn keys(&self) -> &KeySet {
        &self.keys
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("keys", &self.keys).finish_non_exhaustive()
    }
}

/// Algorithm first: one that is not the key's is refused before the signature is looked at.
fn genuine(token: &Jwt<'_>, key: &PublicKey) -> Result<()> {
    let expected = key.algorithm().name();
    if token.algorithm != expected {
        return Err(invalid(format!("expected algorithm {expected} but got {}", token.algorithm)));
    }
    if !key.verifies(token.signed(), &token.signature()?) {
        return Err(invalid(match expected {
            "RS256" => "crypto/rsa: verification error",
            _ => "crypto/ecdsa: verification error",
        }));
    }
    Ok(())
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

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
