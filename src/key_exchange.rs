//! Tokens for an access key, exchanged here instead of at the Handler: faster, and calls go on while the account server
//! is down.

use futures_util::future::BoxFuture;

use crate::obtain::obtain;
use crate::{
    AccessKey, AccessToken, AccountServer, AppId, Credentials, CredentialsFile, Error, ErrorKind, Result,
    TokenSource,
};

/// Exchanges an access key for a token, every time it is asked. [`TokenCache`](crate::TokenCache) remembers.
///
/// ```
/// use ttn_auth::{AccessKey, AccountServer, AppId, KeyExchange, TokenCache, TokenSource};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> ttn_auth::Result<()> {
/// # let sandbox = ttn_auth_sandbox::Sandbox::start(Default::default()).await?;
/// # let (account_server, key) = (sandbox.account_server(), sandbox.access_key());
/// let server = AccountServer::new(&account_server)?; // or `AccountServer::of_issuer("ttn-account-v2")`
/// let source = TokenCache::new(KeyExchange::new(server, AppId::new("test-app")?, AccessKey::new(key)?));
/// let token = source.token().await?;
/// # assert_eq!((token, sandbox.exchanges()), (source.token().await?, 1));
/// # Ok(())
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
    /// A file with the key in it, read again when it changes.
    File(CredentialsFile),
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
        let key = self.key.read().await?;
        match self.exchange(&key).await {
            // It may have been replaced in this very second.
            Err(refused) if refused.kind() == ErrorKind::InvalidKey => match self.key.read_again().await {
                Some(next) if next != key => self.exchange(&next).await,
                _ => Err(refused),
            },
            outcome => outcome,
        }
    }

    async fn exchange(&self, key: &AccessKey) -> Result<AccessToken> {
        obtain("key-exchange", self.server.exchange_own(&self.app, key.secret())).await
    }
}

impl TokenSource for KeyExchange {
    fn token(&self) -> BoxFuture<'_, Result<AccessToken>> {
        Box::pin(self.get())
    }

    fn invalidate(&self, _refused: &AccessToken) {
        // Whoever takes tokens back may have replaced the key as well.
        if let KeyOrigin::File(file) = &self.key {
            file.invalidate();
        }
    }
}

impl KeyOrigin {
    async fn read(&self) -> Result<AccessKey> {
        match self {
            Self::Key(key) => Ok(key.clone()),
            Self::File(file) => match file.credentials().await? {
                Credentials::Key(key) => Ok(key),
                other => Err(Error::new(
                    ErrorKind::InvalidCredentials,
                    format!(
                        "the credentials file has {} in it; what is exchanged is an access key",
                        other.kind().article()
                    ),
                )),
            },
        }
    }

    /// What is in the file at this moment, if it comes from a file.
    async fn read_again(&self) -> Option<AccessKey> {
        let Self::File(file) = self else { return None };
        file.invalidate();
        self.read().await.ok()
    }
}

impl From<AccessKey> for KeyOrigin {
    fn from(key: AccessKey) -> Self {
        Self::Key(key)
    }
}

impl From<CredentialsFile> for KeyOrigin {
    fn from(file: CredentialsFile) -> Self {
        Self::File(file)
    }
}
