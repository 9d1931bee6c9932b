//! Who is calling: what a request presents, turned into verified [`Claims`].
//!
//! The order is a V2 Handler's (wire.md, sections 1 and 4): a token that is present and not empty counts, good or bad;
//! else a key is exchanged at the account server of its issuer; then the token is verified. What the caller may do is
//! the next question, see [`Claims::require`].
//!
//! Credentials of The Things Stack are told by their form, and only looked at if there is one to ask; their claims are what
//! it says of them.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use futures_util::FutureExt;

use crate::auth_server::AuthServer;
use crate::exchange::{ExchangeCache, Found};
use crate::stack_callers::{StackCallers, not_a_key, not_taken};
use crate::{
    AppId, AuthenticatorBuilder, Claims, Compat, Error, ErrorKind, Known, Presented, Result, Secret, Verifier,
};

/// No access key is longer, in bytes; those of V2 have about 60. What is longer would only be hashed and sent.
const MAX_KEY: usize = 1024;

/// The gRPC code, Unknown, that V2 refuses a key with.
const UNKNOWN: i32 = 2;

/// Authenticates callers: verifies tokens, exchanges access keys and remembers what for.
///
/// ```
/// # use ttn_auth::{AccountServer, AppId, Authenticator, Carrier, Right};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> ttn_auth::Result<()> {
/// # let sandbox = ttn_auth_sandbox::Sandbox::start(Default::default()).await?;
/// # let account_server = sandbox.account_server();
/// # let mut headers = http::HeaderMap::new();
/// # let key = ttn_auth::Credentials::access_key(sandbox.access_key())?;
/// # Carrier::AuthorizationHeader.insert(&key, &mut headers)?;
/// let authenticator = Authenticator::builder()
///     .auth_server("ttn-account-v2", AccountServer::new(&account_server)?) // https://account.thethingsnetwork.org
///     .build();
/// let app = AppId::new("test-app")?;
/// let claims = authenticator.authenticate(&Carrier::AuthorizationHeader.extract(&headers), &app).await?;
/// claims.require(&app, Right::Devices)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Authenticator {
    pub(crate) servers: Vec<Arc<AuthServer>>,
    pub(crate) stack: Option<StackCallers>,
    pub(crate) verifier: Verifier,
    pub(crate) cache: ExchangeCache,
    pub(crate) compat: Compat,
    pub(crate) time_limit: Duration,
}

impl Authenticator {
    /// No auth server yet.
    pub fn builder() -> AuthenticatorBuilder {
        AuthenticatorBuilder::default()
    }

    /// The claims of whoever presents this. An access key belongs to an application, so `app` has to be known for one; for a
    /// token it may be `None`.
    ///
    /// # Errors
    /// [`ErrorKind::MissingCredentials`] (gRPC code 3) without a credential; for a key [`ErrorKind::InvalidKey`] and
    /// [`ErrorKind::UnknownIssuer`] (2); those of [`Verifier::verify`] (7). [`ErrorKind::ExchangeUnavailable`] (2) and others
    /// if it cannot be told, because the account server does not answer within the time limit. How to tell a caller:
    /// [`Answers`](crate::Answers).
    pub async fn authenticate<'a>(
        &self,
        presented: &Presented,
        app: impl Into<Option<&'a AppId>>,
    ) -> Result<Arc<Claims>> {
        self.know(presented, app).await.map(|known| known.claims)
    }

    /// As [`authenticate`](Self::authenticate), for a server that will see the same token again: it can ask
    /// [`good_for`](Self::good_for) then. For an access key, that tells of the token that it was exchanged for.
    ///
    /// # Errors
    /// Those of [`authenticate`](Self::authenticate).
    pub async fn know<'a>(&self, presented: &Presented, app: impl Into<Option<&'a AppId>>) -> Result<Known> {
        let mut known = pin!(self.find(presented, app.into()));
        // Mostly there is nothing to wait for, and no clock is needed.
        if let Some(known) = known.as_mut().now_or_never() {
            return known;
        }
        tokio::time::timeout(self.time_limit, known).await.unwrap_or_else(|_| {
            let message = format!("the account server did not answer within {:?}", self.time_limit);
            Err(Error::new(ErrorKind::ExchangeUnavailable, message).with_grpc_code(UNKNOWN))
        })
    }

    /// How long a token that it knows is good, unless a key changes; see [`Verifier::good_for`].
    pub fn good_for(&self, known: &Known) -> Duration {
        self.verifier.good_for(known)
    }

    /// Counts how often a signing key was replaced; see [`KeySet::changes`](crate::KeySet::changes).
    pub fn key_changes(&self) -> &Arc<AtomicU32> {
        self.verifier.keys().changes()
    }

    /// Reads every signing key anew, and forgets what access keys were exchanged for. At the start, it tells at once whether the
    /// account servers answer.
    ///
    /// # Errors
    /// Those of [`KeySet::get`](crate::KeySet::get). The keys that were known go on being used.
    pub async fn reload(&self) -> Result<()> {
        self.forget_exchanged();
        self.verifier.keys().reload().await
    }

    /// Forgets what access keys were exchanged for, and what The Things Stack said: the next call with a key asks again.
    pub fn forget_exchanged(&self) {
        self.cache.clear();
        if let Some(stack) = &self.stack {
            stack.clear();
        }
    }

    async fn find(&self, presented: &Presented, app: Option<&AppId>) -> Result<Known> {
        if let (Some(stack), Some(token)) = (&self.stack, &presented.token)
            && StackCallers::knows(token)
        {
            let claims = stack.claims(token, app).await?;
            return Ok(Known { claims, key: None, again: false });
        }
        // A stand-in of V2 that knows of none tells no difference.
        let matters = self.stack.is_some() || self.compat != Compat::V2;
        match presented {
            Presented { token: Some(token), .. } if matters && StackCallers::knows(token) => Err(not_taken()),
            Presented { token: None, key: Some(key) } if matters && StackCallers::knows(key) => {
                Err(not_a_key())
            }
            Presented { token: Some(token), .. } if !token.expose().is_empty() => {
                self.verifier.know(token).await
            }
            Presented { token: Some(empty), key: Some(key) } => {
                // V2 puts the exchanged token behind the empty one, then verifies the first.
                if self.compat == Compat::V2 {
                    self.by_key(app, key).await?;
                }
                self.verifier.know(empty).await
            }
            Presented { key: Some(key), .. } => self.by_key(app, key).await,
            _ => {
                let message = "Metadata not valid: neither token nor key present";
                Err(Error::new(ErrorKind::MissingCredentials, message).with_grpc_code(3))
            }
        }
    }

    async fn by_key(&self, app: Option<&AppId>, key: &Secret) -> Result<Known> {
        let app = app.ok_or_else(|| {
            Error::new(ErrorKind::InvalidArgument, "an access key belongs to an application: say which")
        })?;
        let (server, key) = self.route(key)?;
        let exchange = || server.clone().exchange(app.clone(), key.clone());
        let Found { mut token, remembered } = self.cache.get(app, &key, exchange).await?;
        let mut verified = self.verifier.know(&token).await;
        if self.compat == Compat::V2 {
            return verified;
        }
        if remembered && verified.as_ref().is_err_and(Error::refuses_token) {
            // It was good once: expired early, or signed with a key since replaced. V2 would fail until it forgets it.
            self.cache.invalidate(app, &key, &token);
            token = self.cache.get(app, &key, exchange).await?.token;
            verified = self.verifier.know(&token).await;
        }
        if let Err(error) = &verified
            && error.refuses_token()
        {
            self.cache.refuse(app, &key, &token, error);
        }
        verified
    }

    /// The account server of the key's issuer. A key without one, which is a key without exactly one dot, gets the
    /// first configured issuer in front (V2 takes a random one).
    fn route(&self, key: &Secret) -> Result<(&Arc<AuthServer>, Secret)> {
        let refused = |kind, message: String| Error::new(kind, message).with_grpc_code(UNKNOWN);
        let unknown = |issuer: &str| {
            refused(ErrorKind::UnknownIssuer, format!("Auth server \"{issuer}\" not registered"))
        };
        if self.compat != Compat::V2 && !(1..=MAX_KEY).contains(&key.expose().len()) {
            let message = format!("an access key has 1 to {MAX_KEY} bytes");
            return Err(refused(ErrorKind::InvalidKey, message));
        }
        match key.expose().split_once('.') {
            Some((issuer, secret)) if !issuer.is_empty() && !secret.contains('.') => {
                let server = self.servers.iter().find(|server| server.issuer == issuer);
                server.map(|server| (server, key.clone())).ok_or_else(|| unknown(issuer))
            }
            _ => {
                let server = self.servers.first().ok_or_else(|| unknown(""))?;
                Ok((server, Secret::new(format!("{}.{}", server.issuer, key.expose()))))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AccountServer;

    fn authenticator(compat: Compat) -> Authenticator {
        // Port 1: nothing listens.
        let server = |path| AccountServer::new(&format!("http://127.0.0.1:1{path}")).unwrap();
        Authenticator::builder()
            .auth_server("first", server(""))
            .auth_server("second", server("/base/"))
            .compat(compat)
            .build()
    }

    fn presented(token: Option<&str>, key: Option<&str>) -> Presented {
        Presented { token: token.map(Secret::new), key: key.map(Secret::new) }
    }

    #[test]
    fn a_key_goes_to_its_issuer_or_to_the_first() {
        let authenticator = authenticator(Compat::V2);
        for (key, base, sent) in [
            ("second.k", "/base", "second.k"),
            ("first.k", "/", "first.k"),
            ("k", "/", "first.k"),
            (".k", "/", "first..k"),
            ("second.a.b", "/", "first.second.a.b"),
            ("", "/", "first."),
        ] {
            let (server, key) = authenticator.route(&Secret::new(key)).unwrap();
            assert!(format!("{server:?}").contains(&format!("127.0.0.1:1{base}\"")), "{server:?}");
            assert_eq!(key.expose(), sent);
        }
        let error = authenticator.route(&Secret::new(" first.k")).unwrap_err();
        assert_eq!(error.message(), "Auth server \" first\" not registered");
        assert_eq!((error.kind(), error.grpc_code()), (ErrorKind::UnknownIssuer, Some(2)));
    }

    #[tokio::test]
    async fn a_token_wins_over_a_key_and_a_key_is_exchanged_before_anything_is_verified() {
        use ErrorKind::*;
        let app = AppId::new("test-app").unwrap();
        let long = format!("first.{}", "k".repeat(MAX_KEY));
        for (token, key, (v2_kind, v2_code), (kind, code)) in [
            (None, None, (MissingCredentials, 3), (MissingCredentials, 3)),
            (Some(""), None, (MissingCredentials, 3), (MissingCredentials, 3)),
            (Some("x"), Some("first.k"), (InvalidToken, 7), (InvalidToken, 7)),
            (Some(""), Some("first.k"), (ExchangeUnavailable, 2), (InvalidToken, 7)),
            (None, Some("first.k"), (ExchangeUnavailable, 2), (ExchangeUnavailable, 2)),
            (Some(""), Some("nobody.k"), (UnknownIssuer, 2), (InvalidToken, 7)),
            (None, Some(""), (ExchangeUnavailable, 2), (InvalidKey, 2)),
            (None, Some(long.as_str()), (ExchangeUnavailable, 2), (InvalidKey, 2)),
        ] {
            for (compat, expected) in [(Compat::V2, (v2_kind, v2_code)), (Compat::None, (kind, code))] {
                let call = authenticator(compat);
                let error = call.authenticate(&presented(token, key), &app).await.unwrap_err();
                let found = (error.kind(), error.grpc_code().unwrap());
                assert_eq!(found, expected, "{token:?} {key:?} {compat:?}: {error}");
            }
        }
        let authenticator = authenticator(Compat::None);
        let down = authenticator.authenticate(&presented(None, Some("second.k")), &app).await.unwrap_err();
        let expected =
            "Post \"http://127.0.0.1:1/base/api/v2/applications/token\": connect: connection refused";
        assert_eq!(down.message(), expected);
        // Without an application: only a key needs one.
        for (token, key, kind) in [(Some("x"), None, InvalidToken), (None, Some("first.k"), InvalidArgument)]
        {
            let error = authenticator.authenticate(&presented(token, key), None).await.unwrap_err();
            assert_eq!(error.kind(), kind);
        }
    }
}
