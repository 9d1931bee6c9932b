//! Tokens for someone who has signed in once: a refresh token is traded for a token, and usually for the next refresh
//! token (RFC 6749, section 6; rotation: RFC 9700, section 4.14.2). That makes it the one secret here that must not be
//! lost: without it somebody has to sign in again.
//!
//! So one trade is made at a time, by a task that goes on when its caller has gone; and the next refresh token is kept
//! before the token is handed out.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::obtain::obtain;
use crate::{
    AccessToken, AccountServer, Error, ErrorKind, Exchanged, Result, Secret, StoreLock, TokenSource, Vault,
};

/// How long to wait for other callers, each of whom makes a trade: as long as a [`TokenCache`](crate::TokenCache) waits.
const TURN_LIMIT: Duration = Duration::from_secs(30);

/// How long another process may take for its trade, which the account server is given 8 s for.
const LOCK_LIMIT: Duration = Duration::from_secs(12);

/// How long a store keeps a refresh token that nobody uses. It is written anew with each trade.
const KEEP: Duration = Duration::from_secs(365 * 86_400);

/// Trades a refresh token for a token, every time it is asked; [`TokenCache`](crate::TokenCache) remembers the token.
/// Clones share the refresh token.
///
/// ```
/// # use ttn_auth::{AccountServer, RefreshToken, Secret, TokenCache};
/// let server = AccountServer::of_issuer("ttn-account-v2")?.with_client("my-client", Secret::new("its secret"));
/// let source = TokenCache::new(RefreshToken::new(server, Secret::new("what the sign-in ended with")));
/// # Ok::<(), ttn_auth::Error>(())
/// ```
#[derive(Clone)]
pub struct RefreshToken {
    server: AccountServer,
    current: Arc<Mutex<Current>>,
    /// What the refresh token is called in a store.
    name: Arc<Secret>,
    store: Option<Vault>,
    on_rotate: Option<Listener>,
}

type Listener = Arc<dyn Fn(&Secret) + Send + Sync>;

/// The refresh token to use next.
struct Current {
    token: Secret,
    /// Newer than what is in the store, which could not be written to.
    unsaved: bool,
    /// A trade was sent and its answer did not come: it may have ended this one.
    answer_lost: bool,
}

impl RefreshToken {
    /// Begins with this refresh token.
    ///
    /// Its tokens' errors: [`ErrorKind::InvalidToken`] if the account server refuses the refresh token: somebody has to
    /// sign in again; [`ErrorKind::InvalidArgument`] if it refuses the client;
    /// [`ErrorKind::ExchangeUnavailable`] if it does not answer.
    pub fn new(server: AccountServer, refresh_token: Secret) -> Self {
        let name = format!("refresh-token\n{}\n{}", server.address(), refresh_token.expose());
        let current = Current { token: refresh_token, unsaved: false, answer_lost: false };
        Self {
            server,
            current: Arc::new(Mutex::new(current)),
            name: Arc::new(Secret::new(name)),
            store: None,
            on_rotate: None,
        }
    }

    /// Keeps the refresh tokens in a store, by the name of the first: a program that is started again with the first one
    /// goes on with the last. Processes that share the store take turns.
    ///
    /// While the store cannot be read nothing is traded, because there may be a newer refresh token in it, and one that is
    /// used twice may count as stolen. If it cannot be written to, the program goes on with the one in memory, and
    /// writes that before the next trade.
    #[must_use]
    pub fn with_store(mut self, vault: Vault) -> Self {
        self.store = Some(vault);
        self
    }

    /// Hands over every new refresh token, before the token that came with it is given to anyone. It must not block; if it
    /// panics, things go on without it.
    #[must_use]
    pub fn on_rotate(mut self, keep: impl Fn(&Secret) + Send + Sync + 'static) -> Self {
        self.on_rotate = Some(Arc::new(keep));
        self
    }

    async fn get(&self) -> Result<AccessToken> {
        let turn =
            tokio::time::timeout(TURN_LIMIT, self.current.clone().lock_owned()).await.map_err(|_| {
                let message = format!("others were refreshing the token for {} s", TURN_LIMIT.as_secs());
                Error::new(ErrorKind::Timeout, message)
            })?;
        let own = self.clone();
        let trade = tokio::spawn(async move { own.trade(turn).await });
        trade.await.unwrap_or_else(|_| Err(Error::new(ErrorKind::Cancelled, "the runtime has ended")))
    }

    async fn trade(&self, mut current: OwnedMutexGuard<Current>) -> Result<AccessToken> {
        let lock = self.lock().await?;
        let outcome = self.trade_newest(&mut current).await;
        if let Some(lock) = lock {
            lock.release().await;
        }
        outcome
    }

    async fn trade_newest(&self, current: &mut Current) -> Result<AccessToken> {
        if current.unsaved {
            // Others may be about to use the older one in the store, and the answer may bring no newer one to write.
            self.save(current).await;
        } else if let Some(vault) = &self.store
            && let Some(stored) = vault.read(self.name.expose()).await?
        {
            current.token = stored.text;
        }
        let mut next = None;
        let outcome = obtain("refresh-token", async {
            let refreshed = self.server.refresh(&current.token).await?;
            next = refreshed.refresh_token;
            Ok(Exchanged { token: refreshed.token, expires_in: refreshed.expires_in })
        })
        .await;
        if let Some(next) = next {
            self.keep(current, next).await;
        }
        match outcome {
            Err(error) if error.kind() == ErrorKind::InvalidToken && current.answer_lost => {
                Err(error.map_message(|text| {
                    format!("{text}; the answer to an earlier trade was lost on the way, and the next refresh token with it")
                }))
            }
            outcome => {
                current.answer_lost =
                    outcome.as_ref().is_err_and(|error| error.kind() == ErrorKind::ExchangeUnavailable);
                outcome
            }
        }
    }

    /// The turn among processes, if there may be others.
    async fn lock(&self) -> Result<Option<StoreLock>> {
        let Some(vault) = &self.store else { return Ok(None) };
        vault.lock(self.name.expose(), LOCK_LIMIT).await?.map(Some).ok_or_else(|| {
            let message = format!("another process was refreshing the token for {} s", LOCK_LIMIT.as_secs());
            Error::new(ErrorKind::Timeout, message)
        })
    }

    async fn keep(&self, current: &mut Current, next: Secret) {
        current.token = next;
        self.save(current).await;
        if let Some(keep) = &self.on_rotate {
            // Told by the panic hook.
            let _ = catch_unwind(AssertUnwindSafe(|| keep(&current.token)));
        }
    }

    /// Writes the refresh token to the store, if there is one.
    async fn save(&self, current: &mut Current) {
        if let Some(vault) = &self.store {
            // Told by the vault.
            current.unsaved = vault.write(self.name.expose(), &current.token, KEEP).await.is_err();
        }
    }
}

impl TokenSource for RefreshToken {
    fn token(&self) -> BoxFuture<'_, Result<AccessToken>> {
        Box::pin(self.get())
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefreshToken")
            .field("server", &self.server)
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}
