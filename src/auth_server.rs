//! An auth server as a server's side sees it: its issuer id, where its account server is, and how many exchanges it is
//! asked for at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::exchange_pool::ExchangePool;
use crate::{AccountServer, AppId, Compat, Error, ErrorKind, Exchanged, Result, Secret};

#[derive(Debug)]
pub(crate) struct AuthServer {
    pub(crate) issuer: String,
    pub(crate) server: AccountServer,
    pub(crate) pool: ExchangePool,
    pub(crate) compat: Compat,
    /// How long an exchange waits for its turn.
    pub(crate) patience: Duration,
}

impl AuthServer {
    pub(crate) async fn exchange(self: Arc<Self>, app: AppId, key: Secret) -> Result<Exchanged> {
        let started = Instant::now();
        let exchanged = self.exchange_in_turn(&app, &key).await;
        let duration_ms = started.elapsed().as_millis() as u64;
        let source = "authenticator";
        match &exchanged {
            Ok(exchanged) => {
                let expires_in_ms = exchanged.expires_in.as_millis() as u64;
                tracing::debug!(target: "ttn_auth::exchange", source, outcome = "ok", duration_ms, expires_in_ms);
            }
            Err(error) => {
                tracing::warn!(target: "ttn_auth::exchange", source, outcome = error.code(), duration_ms);
            }
        }
        exchanged
    }

    async fn exchange_in_turn(&self, app: &AppId, key: &Secret) -> Result<Exchanged> {
        let _place = self.pool.place(self.patience).await.map_err(|full| full.with_grpc_code(2))?;
        self.server.exchange(app, key).await.map_err(|error| match error.message() {
            // RFC 6749, section 5.2: it is this server that is refused, and not its caller.
            "invalid_client" if self.compat != Compat::V2 => {
                let message = "the account server refuses this server's own client id or secret";
                Error::new(ErrorKind::Server, message).with_grpc_code(2)
            }
            _ => error,
        })
    }
}
