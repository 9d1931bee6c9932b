//! Tokens for an access key, exchanged here instead of at the Handler: faster, and calls go on while the account server
//! is down.

use futures_util::future::BoxFuture;

use crate::obtain::obtain;
use crate::{AccessKey, AccessToken, AccountServer, AppId, Result, TokenSource};

/// Exchanges an access key for a token, every time it is asked. [`TokenCache`](crate::TokenCache) remembers.
///
/// ```
/// # use ttn_auth::{AccessKey, AccountServer, AppId, KeyExchange, Secret, TokenCache};
/// # fn source() -> ttn_auth::Result<TokenCache<KeyExchange>> {
/// let server = AccountServer::of_issuer("ttn-account-v2")?.with_client("my-client", Secret::new("its secret"));
/// let key = AccessKey::new("ttn-account-v2.abc")?;
/// let source = TokenCache::new(KeyExchange::new(server, AppId::new("my-app")?, key));
/// # Ok(source)
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct KeyExchange {
    server: AccountServer,
    app: AppId,
    key: KeyOrigin,
}

/// Where an access key comes from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum KeyOrigin {
    /// The key itself.
    Key(AccessKey),
}

impl KeyExchange {
    /// Exchanges the application's key at the account server of the key's issuer.
    ///
    /// Its tokens' errors: [`ErrorKind::InvalidKey`](crate::ErrorKind::InvalidKey) in the account server's words if it
    /// refuses, [`ExchangeUnavailable`](crate::ErrorKind::ExchangeUnavailable) if it does not answer or fails,
    /// [`Redirect`](crate::ErrorKind::Redirect), [`Tls`](crate::ErrorKind::Tls), and
    /// [`Protocol`](crate::ErrorKind::Protocol) if what it answers is no token.
    pub fn new(server: AccountServer, app: AppId, key: impl Into<KeyOrigin>) -> Self {
        Self { server, app, key: key.into() }
    }

    async fn get(&self) -> Result<AccessToken> {
        let KeyOrigin::Key(key) = &self.key;
        obtain("key-exchange", self.server.exchange_own(&self.app, key.secret())).await
    }
}

impl TokenSource for KeyExchange {
    fn token(&self) -> BoxFuture<'_, Result<AccessToken>> {
        Box::pin(self.get())
    }
}

impl From<AccessKey> for KeyOrigin {
    fn from(key: AccessKey) -> Self {
        Self::Key(key)
    }
}
