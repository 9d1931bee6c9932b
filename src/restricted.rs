//! A token for a few applications out of one for many: a token holds at most ten, and what a device is given should open
//! no more than it needs.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::obtain::obtain;
use crate::{AccessToken, AccountServer, AppId, Error, ErrorKind, Exchanged, Result, TokenSource};

/// How many entities a token holds (wire.md, section 2).
const MAX_APPS: usize = 10;

/// How long the wider token may take: as long as a [`TokenCache`](crate::TokenCache) waits for one.
const PARENT_LIMIT: Duration = Duration::from_secs(30);

/// Trades a wide token for one that is good for some applications only, every time it is asked.
/// [`TokenCache`](crate::TokenCache) remembers; the wide token's source is best cached too.
///
/// ```
/// # use std::sync::Arc;
/// # use ttn_auth::{AccessToken, AccountServer, AppId, RestrictedToken, TokenCache};
/// # let mine = AccessToken::new("opaque")?;
/// let server = AccountServer::of_issuer("ttn-account-v2")?;
/// let source = TokenCache::new(RestrictedToken::new(server, Arc::new(mine), &[AppId::new("my-app")?])?);
/// # Ok::<(), ttn_auth::Error>(())
/// ```
#[derive(Clone)]
pub struct RestrictedToken {
    server: AccountServer,
    parent: Arc<dyn TokenSource>,
    scope: Vec<String>,
}

impl RestrictedToken {
    /// Restricts the parent's tokens to these applications. Their life is what the new token says of itself.
    ///
    /// Its tokens' errors: the parent's; [`ErrorKind::InvalidToken`] if the account server refuses the parent's token, also
    /// another one; [`ErrorKind::PermissionDenied`] if that is not for these applications;
    /// [`ErrorKind::ExchangeUnavailable`] if the account server does not answer.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if there is no application, or more than ten.
    pub fn new(server: AccountServer, parent: Arc<dyn TokenSource>, apps: &[AppId]) -> Result<Self> {
        if !(1..=MAX_APPS).contains(&apps.len()) {
            let message = format!("a token is for 1 to {MAX_APPS} applications, not for {}", apps.len());
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        let scope = apps.iter().map(|app| format!("apps:{app}")).collect();
        Ok(Self { server, parent, scope })
    }

    async fn get(&self) -> Result<AccessToken> {
        let wide = self.wide().await?;
        let refused = match self.restrict(&wide).await {
            Err(error) if error.kind() == ErrorKind::InvalidToken => error,
            outcome => return outcome,
        };
        self.parent.invalidate(&wide);
        match self.wide().await? {
            same if same == wide => Err(refused),
            next => self.restrict(&next).await,
        }
    }

    async fn wide(&self) -> Result<AccessToken> {
        tokio::time::timeout(PARENT_LIMIT, self.parent.token()).await.unwrap_or_else(|_| {
            let message = format!("no token to restrict within {} s", PARENT_LIMIT.as_secs());
            Err(Error::new(ErrorKind::Timeout, message))
        })
    }

    async fn restrict(&self, wide: &AccessToken) -> Result<AccessToken> {
        let scope: Vec<_> = self.scope.iter().map(String::as_str).collect();
        obtain("restricted", async {
            let token = self.server.restrict(wide.secret(), &scope).await?;
            Ok(Exchanged { token, expires_in: Duration::ZERO })
        })
        .await
    }
}

impl TokenSource for RestrictedToken {
    fn token(&self) -> BoxFuture<'_, Result<AccessToken>> {
        Box::pin(self.get())
    }
}

impl fmt::Debug for RestrictedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RestrictedToken")
            .field("server", &self.server)
            .field("parent", &self.parent)
            .field("scope", &self.scope)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_for_one_to_ten_applications() {
        let server = AccountServer::new("http://127.0.0.1:1").unwrap();
        let parent = Arc::new(AccessToken::new("hunter2").unwrap());
        let restricted = |n: usize| {
            let apps: Vec<_> = (0..n).map(|n| AppId::new(format!("app-{n}")).unwrap()).collect();
            RestrictedToken::new(server.clone(), parent.clone(), &apps)
        };
        for n in [0, 11] {
            let error = restricted(n).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            assert!(error.message().contains("1 to 10"), "{error}");
        }
        let shown = format!("{:?}", restricted(10).unwrap());
        assert!(shown.contains("apps:app-9") && !shown.contains("hunter2"), "{shown}");
        assert!(restricted(1).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_parent_that_never_gives_a_token_is_not_waited_for_for_ever() {
        let server = AccountServer::new("http://127.0.0.1:1").unwrap();
        let parent = crate::TokenFn::new("never", std::future::pending);
        let app = AppId::new("test-app").unwrap();
        let error =
            RestrictedToken::new(server, Arc::new(parent), &[app]).unwrap().token().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    }
}
