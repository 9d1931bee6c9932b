//! Who is calling: what a request presents, turned into verified [`Claims`].
//!
//! The order is a V2 Handler's (wire.md, sections 1 and 4): a token that is present and not empty counts, good or bad;
//! else a key is exchanged at the account server of its issuer; then the token is verified. What the caller may do is
//! the next question, see [`Claims::require`].

use crate::exchange::{ExchangeCache, Found};
use crate::{
    AccountServer, AppId, Claims, Clock, Error, ErrorKind, KeySet, Presented, PublicKey, Result, Secret,
    Verifier,
};

/// Authenticates callers: verifies tokens, exchanges access keys and remembers what for.
///
/// ```
/// # use ttn_auth::{AccountServer, AppId, Authenticator, Carrier, Right};
/// # async fn check(headers: http::HeaderMap) -> ttn_auth::Result<()> {
/// let authenticator = Authenticator::builder()
///     .auth_server("ttn-account-v2", AccountServer::new("https://account.thethingsnetwork.org")?)
///     .build();
/// let app = AppId::new("my-app")?;
/// let claims = authenticator.authenticate(&Carrier::AuthorizationHeader.extract(&headers), &app).await?;
/// claims.require(&app, Right::Devices)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Authenticator {
    servers: Vec<(String, AccountServer)>,
    verifier: Verifier,
    cache: ExchangeCache,
}

/// Configures an [`Authenticator`].
#[derive(Default)]
pub struct AuthenticatorBuilder {
    servers: Vec<(String, AccountServer)>,
    keys: KeySet,
    clock: Option<Clock>,
}

impl Authenticator {
    /// No auth server yet.
    pub fn builder() -> AuthenticatorBuilder {
        AuthenticatorBuilder::default()
    }

    /// The claims of whoever presents this for `app`.
    ///
    /// # Errors
    /// [`ErrorKind::MissingCredentials`] (gRPC code 3) without a credential; for a key [`ErrorKind::InvalidKey`],
    /// [`ErrorKind::UnknownIssuer`] and [`ErrorKind::ExchangeUnavailable`] (2); and those of [`Verifier::verify`] (7).
    pub async fn authenticate(&self, presented: &Presented, app: &AppId) -> Result<Claims> {
        match presented {
            Presented { token: Some(token), .. } if !token.expose().is_empty() => {
                self.verifier.verify(token).await
            }
            Presented { token, key: Some(key) } => {
                let claims = self.by_key(app, key).await?;
                match token {
                    None => Ok(claims),
                    // V2 puts the exchanged token behind the empty one, then verifies the first.
                    Some(empty) => self.verifier.verify(empty).await,
                }
            }
            _ => {
                let message = "Metadata not valid: neither token nor key present";
                Err(Error::new(ErrorKind::MissingCredentials, message).with_grpc_code(3))
            }
        }
    }

    async fn by_key(&self, app: &AppId, key: &Secret) -> Result<Claims> {
        let (server, key) = self.route(key)?;
        let exchange = || server.exchange(app, &key);
        let Found { token, remembered } = self.cache.get(app, &key, exchange).await?;
        let verified = self.verifier.verify(&token).await;
        if verified.is_ok() || !remembered {
            return verified;
        }
        // It was good once: expired early, or signed with a key since replaced. A Handler would fail until it forgets it.
        self.cache.invalidate(app, &key, &token).await;
        let Found { token, .. } = self.cache.get(app, &key, exchange).await?;
        self.verifier.verify(&token).await
    }

    /// The account server of the key's issuer. A key without one, which is a key without exactly one dot, gets the
    /// first configured issuer in front (V2 takes a random one).
    fn route(&self, key: &Secret) -> Result<(&AccountServer, Secret)> {
        let unknown = |issuer: &str| {
            Error::new(ErrorKind::UnknownIssuer, format!("Auth server \"{issuer}\" not registered"))
                .with_grpc_code(2)
        };
        match key.expose().split_once('.') {
            Some((issuer, secret)) if !issuer.is_empty() && !secret.contains('.') => {
                let server = self.servers.iter().find(|(known, _)| known == issuer);
                server.map(|(_, server)| (server, key.clone())).ok_or_else(|| unknown(issuer))
            }
            _ => {
                let (issuer, server) = self.servers.first().ok_or_else(|| unknown(""))?;
                Ok((server, Secret::new(format!("{issuer}.{}", key.expose()))))
            }
        }
    }
}

impl AuthenticatorBuilder {
    /// An auth server by its issuer id: its keys are exchanged there, its tokens verified with the key it tells.
    #[must_use]
    pub fn auth_server(mut self, issuer: impl Into<String>, server: AccountServer) -> Self {
        let issuer = issuer.into();
        self.keys = self.keys.with_account_server(issuer.clone(), server.clone());
        self.servers.retain(|(known, _)| *known != issuer);
        self.servers.push((issuer, server));
        self
    }

    /// Tokens of `issuer` are verified with this key, and its account server is not asked for one.
    #[must_use]
    pub fn public_key(mut self, issuer: impl Into<String>, key: PublicKey) -> Self {
        self.keys = self.keys.with_key(issuer, key);
        self
    }

    /// Tells the time in place of the system's clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Ready to authenticate.
    pub fn build(self) -> Authenticator {
        let verifier = Verifier::new(self.keys);
        let verifier = match self.clock {
            Some(clock) => verifier.with_clock(clock),
            None => verifier,
        };
        Authenticator { servers: self.servers, verifier, cache: ExchangeCache::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authenticator() -> Authenticator {
        // Port 1: nothing listens.
        let server = |path| AccountServer::new(&format!("http://127.0.0.1:1{path}")).unwrap();
        Authenticator::builder()
            .auth_server("first", server(""))
            .auth_server("second", server("/base/"))
            .build()
    }

    fn presented(token: Option<&str>, key: Option<&str>) -> Presented {
        Presented { token: token.map(Secret::new), key: key.map(Secret::new) }
    }

    #[test]
    fn a_key_goes_to_its_issuer_or_to_the_first() {
        let authenticator = authenticator();
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
        let (authenticator, app) = (authenticator(), AppId::new("test-app").unwrap());
        for (token, key, kind, code) in [
            (None, None, MissingCredentials, 3),
            (Some(""), None, MissingCredentials, 3),
            (Some("x"), Some("first.k"), InvalidToken, 7),
            (Some(""), Some("first.k"), ExchangeUnavailable, 2),
            (None, Some("first.k"), ExchangeUnavailable, 2),
            (Some(""), Some("nobody.k"), UnknownIssuer, 2),
        ] {
            let error = authenticator.authenticate(&presented(token, key), &app).await.unwrap_err();
            assert_eq!((error.kind(), error.grpc_code()), (kind, Some(code)), "{token:?} {key:?}: {error}");
        }
        let down = authenticator.authenticate(&presented(None, Some("second.k")), &app).await.unwrap_err();
        let expected =
            "Post \"http://127.0.0.1:1/base/api/v2/applications/token\": connect: connection refused";
        assert_eq!(down.message(), expected);
    }
}
