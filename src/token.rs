//! Tokens, how long they are good for, and where they come from.
//!
//! A [`TokenSource`] gives a token whenever it is asked. The sources that ask an account server
//! ([`KeyExchange`](crate::KeyExchange) and others) do so every time; a [`TokenCache`](crate::TokenCache) around them
//! remembers, refreshes early and asks once for any number of callers.
//!
//! Clocks: a token's life is counted by this process's monotonic clock from when the token was asked for. `exp` is never
//! compared with the local wall clock, which on a Raspberry Pi is off until the network is there, and may jump.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::BoxFuture;
use serde::Deserialize;
use tokio::time::Instant;

use crate::carrier::Carried;
use crate::credentials::{check_text, invalid, is_jwt, is_prefixed_key};
use crate::stack_secret::StackSecret;
use crate::{Result, Secret};

/// Where tokens come from. Cached sources answer from memory.
///
/// An [`AccessToken`] is a source of itself; [`TokenFn`] makes one of a closure.
pub trait TokenSource: fmt::Debug + Send + Sync + 'static {
    /// A token to send now.
    fn token(&self) -> BoxFuture<'_, Result<AccessToken>>;

    /// A server refused this token: do not give it again if there can be another.
    fn invalidate(&self, refused: &AccessToken) {
        let _ = refused;
    }
}

impl<S: TokenSource + ?Sized> TokenSource for Arc<S> {
    fn token(&self) -> BoxFuture<'_, Result<AccessToken>> {
        (**self).token()
    }

    fn invalidate(&self, refused: &AccessToken) {
        (**self).invalidate(refused);
    }
}

/// A bearer token: an OAuth 2.0 JWT (RFC 6750, RFC 7519). Two are equal if their texts are. Cheap to clone.
#[derive(Clone)]
pub struct AccessToken {
    shared: Arc<Token>,
    lifetime: Option<Lifetime>,
}

/// What clones share.
struct Token {
    secret: Secret,
    carried: Carried,
    accepted: AtomicBool,
}

impl AccessToken {
    /// Checks the shape of a bearer token.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidCredentials`](crate::ErrorKind::InvalidCredentials), see
    /// [`Credentials::bearer_token`](crate::Credentials::bearer_token).
    pub fn new(token: impl Into<String>) -> Result<Self> {
        let secret = Secret::new(token);
        check_text(secret.expose(), "bearer token")?;
        match StackSecret::of(secret.expose()) {
            Some(kind @ (StackSecret::AccessToken | StackSecret::SessionToken)) => {
                kind.check(secret.expose())?;
            }
            Some(other) => {
                return Err(invalid(format!(
                    "this is {}, not a bearer token: {}",
                    other.name(),
                    other.remedy()
                )));
            }
            None => {}
        }
        if !is_jwt(secret.expose()) && is_prefixed_key(secret.expose()) {
            return Err(invalid(
                "this looks like an access key (<issuer>.<secret>), not like a bearer token",
            ));
        }
        let shared = Token { secret, carried: Carried::default(), accepted: AtomicBool::new(false) };
        Ok(Self { shared: Arc::new(shared), lifetime: None })
    }

    /// The same with how long it is good for.
    #[must_use]
    pub fn with_lifetime(mut self, lifetime: Option<Lifetime>) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// The token's text.
    pub fn secret(&self) -> &Secret {
        &self.shared.secret
    }

    pub(crate) fn carried(&self) -> &Carried {
        &self.shared.carried
    }

    /// A server took it.
    #[cfg(any(feature = "grpc", feature = "http"))]
    pub(crate) fn accept(&self) {
        self.shared.accepted.store(true, Ordering::Relaxed);
    }

    /// Whether a server has ever taken it.
    pub(crate) fn was_accepted(&self) -> bool {
        self.shared.accepted.load(Ordering::Relaxed)
    }

    /// How long it is good for, if that is known: not for a token that was given as it is.
    pub fn lifetime(&self) -> Option<Lifetime> {
        self.lifetime
    }
}

impl PartialEq for AccessToken {
    fn eq(&self, other: &Self) -> bool {
        self.secret() == other.secret()
    }
}

impl Eq for AccessToken {}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &mut f.debug_struct("AccessToken");
        shown.field("secret", self.secret()).field("lifetime", &self.lifetime).finish()
    }
}

impl TokenSource for AccessToken {
    fn token(&self) -> BoxFuture<'_, Result<AccessToken>> {
        Box::pin(std::future::ready(Ok(self.clone())))
    }
}

/// From when to when a token is good, by the process's monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    obtained: Instant,
    refresh_at: Instant,
    expires_at: Instant,
}

impl Lifetime {
    /// A life that began when the token was asked for. It is to be refreshed before its half is over: an outage of the
    /// account server may then last as long as what is left. Up to a tenth of the half earlier, by chance, so that many
    /// clients started together do not all come at once.
    pub fn new(obtained: Instant, life: Duration) -> Self {
        let half = life / 2;
        Self {
            obtained,
            refresh_at: later(obtained, half.mul_f64(1.0 - 0.1 * fastrand::f64())),
            expires_at: later(obtained, life),
        }
    }

    /// The life of a token that was asked for at `obtained`: the shorter of what the account server says
    /// (`expires_in`) and what the token says of itself (`exp - iat`). None if neither says a thing: then only a server's
    /// refusal tells.
    pub fn of(token: &Secret, expires_in: Option<Duration>, obtained: Instant) -> Option<Self> {
        let said = expires_in.filter(|life| !life.is_zero());
        let life = match (said, claimed_life(token)) {
            (Some(said), Some(claimed)) => said.min(claimed),
            (said, claimed) => said.or(claimed)?,
        };
        Some(Self::new(obtained, life))
    }

    /// A life that goes on: its token was obtained `age` ago, elsewhere.
    pub fn resumed(now: Instant, age: Duration, refresh_after: Duration, life: Duration) -> Self {
        // The clock may have begun after the token's life did.
        let at = |since: Duration| later(now, since.saturating_sub(age));
        Self {
            obtained: now.checked_sub(age).unwrap_or(now),
            refresh_at: at(refresh_after),
            expires_at: at(life),
        }
    }

    /// When the token was asked for.
    pub fn obtained(&self) -> Instant {
        self.obtained
    }

    /// From when on another one should be had.
    pub fn refresh_at(&self) -> Instant {
        self.refresh_at
    }

    /// From when on it is refused.
    pub fn expires_at(&self) -> Instant {
        self.expires_at
    }
}

/// A century is as good as for ever, and no clock overflows.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 86_400);

fn later(start: Instant, by: Duration) -> Instant {
    start.checked_add(by.min(FOR_EVER)).unwrap_or(start)
}

/// `exp - iat` of a JWT (RFC 7519, section 4.1), if both are there and in that order. Not verified.
pub(crate) fn claimed_life(token: &Secret) -> Option<Duration> {
    #[derive(Deserialize)]
    struct Times {
        iat: f64,
        exp: f64,
    }
    let claims = token.expose().split('.').nth(1)?;
    let Times { iat, exp } = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    Duration::try_from_secs_f64(exp - iat).ok().filter(|life| !life.is_zero())
}

/// A closure that gets tokens, as a source.
///
/// A JWT's life is counted from when the closure was called. One that gives tokens that are older tells so by
/// [`AccessToken::with_lifetime`]; otherwise their end is noticed when a server refuses them.
///
/// ```
/// use ttn_auth::{AccessToken, TokenFn};
/// let source = TokenFn::new("my vault", || async { AccessToken::new("opaque") });
/// ```
pub struct TokenFn<F> {
    name: &'static str,
    get: F,
}

impl<F> TokenFn<F> {
    /// A source by this name, which only `Debug` shows.
    pub fn new<R>(name: &'static str, get: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<AccessToken>> + Send + 'static,
    {
        Self { name, get }
    }
}

impl<F> fmt::Debug for TokenFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TokenFn").field(&self.name).finish()
    }
}

impl<F, R> TokenSource for TokenFn<F>
where
    F: Fn() -> R + Send + Sync + 'static,
    R: Future<Output = Result<AccessToken>> + Send + 'static,
{
    fn token(&self) -> BoxFuture<'_, Result<AccessToken>> {
        let asked = Instant::now();
        let token = (self.get)();
        Box::pin(async move {
            let token = token.await?;
            let lifetime = token.lifetime.or_else(|| Lifetime::of(token.secret(), None, asked));
            Ok(token.with_lifetime(lifetime))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::tests::jwt;

    #[tokio::test(start_paused = true)]
    async fn a_life_is_the_shorter_of_what_is_said_and_what_is_claimed() {
        let now = Instant::now();
        let life = |claims: &str, expires_in: Option<u64>| {
            let token = Secret::new(jwt(claims));
            Lifetime::of(&token, expires_in.map(Duration::from_secs), now)
                .map(|life| (life.expires_at() - now).as_secs())
        };
        for (claims, expires_in, expected) in [
            (r#"{"iat":1000,"exp":4600}"#, Some(60), Some(60)),
            (r#"{"iat":1000,"exp":1060}"#, Some(3600), Some(60)),
            // Whatever the issuer's clock says: only the difference counts.
            (r#"{"iat":9e9,"exp":9000003600}"#, None, Some(3600)),
            (r#"{"iat":1000,"exp":4600}"#, Some(0), Some(3600)),
            (r#"{"iat":4600,"exp":1000}"#, None, None),
            (r#"{"exp":4600}"#, Some(60), Some(60)),
            (r#"{"exp":4600}"#, None, None),
            ("{}", None, None),
            (r#"{"iat":0,"exp":1e300}"#, Some(60), Some(60)),
            (r#"{"iat":"x","exp":1}"#, Some(u64::MAX), Some(FOR_EVER.as_secs())),
        ] {
            assert_eq!(life(claims, expires_in), expected, "{claims} {expires_in:?}");
        }
        assert!(Lifetime::of(&Secret::new("opaque"), None, now).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_refreshed_before_its_half_and_not_always_at_the_same_time() {
        let now = Instant::now();
        let at = || (Lifetime::new(now, Duration::from_secs(10)).refresh_at() - now).as_secs_f64();
        let times: Vec<_> = (0..100).map(|_| at()).collect();
        assert!(times.iter().all(|at| (4.5..=5.0).contains(at)), "{times:?}");
        assert!(times.iter().any(|at| *at != times[0]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_life_that_began_elsewhere_goes_on() {
        tokio::time::advance(Duration::from_secs(100)).await;
        let (now, s) = (Instant::now(), Duration::from_secs);
        let life = Lifetime::resumed(now, s(4), s(5), s(10));
        assert_eq!(
            (now - life.obtained(), life.refresh_at() - now, life.expires_at() - now),
            (s(4), s(1), s(6))
        );
        // Older than its life, and than this clock.
        let life = Lifetime::resumed(now, FOR_EVER * 2, s(5), s(10));
        assert_eq!((life.refresh_at(), life.expires_at()), (now, now));
    }
}
