//! Whom the Handler believes: the core's authenticator with the one key that was read at the start, as V2 has it, and
//! the tokens that were taken back.

use std::sync::{Arc, PoisonError, RwLock};

use ttn_auth::{AccountServer, AppId, Authenticator, Claims, Presented, PublicKey, Result};

use crate::clock::OffClock;
use crate::issuer::Issuer;

pub(crate) struct Trust {
    issuer: Arc<Issuer>,
    server: AccountServer,
    clock: Arc<OffClock>,
    /// The key it has, and what that key vouches for.
    current: RwLock<(PublicKey, Arc<Authenticator>)>,
}

impl Trust {
    /// Reads the key from the account server, over the network as a real Handler does.
    pub(crate) async fn new(
        issuer: Arc<Issuer>,
        server: AccountServer,
        clock: Arc<OffClock>,
    ) -> Result<Self> {
        let key = server.key().await?;
        let authenticator = authenticator(&issuer, &server, &clock, key.clone());
        Ok(Self { issuer, server, clock, current: RwLock::new((key, authenticator)) })
    }

    /// Reads the key again, and forgets what keys were exchanged for: what a restart does.
    pub(crate) async fn reload(&self) -> Result<()> {
        let key = self.server.key().await?;
        let authenticator = authenticator(&self.issuer, &self.server, &self.clock, key.clone());
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = (key, authenticator);
        Ok(())
    }

    /// Forgets what access keys were exchanged for.
    pub(crate) fn forget(&self) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        current.1 = authenticator(&self.issuer, &self.server, &self.clock, current.0.clone());
    }

    pub(crate) fn clock(&self) -> &OffClock {
        &self.clock
    }

    pub(crate) async fn authenticate(&self, presented: &Presented, app: &AppId) -> Result<Claims> {
        let authenticator = self.current.read().unwrap_or_else(PoisonError::into_inner).1.clone();
        let claims = authenticator.authenticate(presented, app).await?;
        if let Some(token) = &presented.token {
            self.issuer.revoked().check(token.expose())?;
        }
        Ok(claims)
    }
}

fn authenticator(
    issuer: &Issuer,
    server: &AccountServer,
    clock: &Arc<OffClock>,
    key: PublicKey,
) -> Arc<Authenticator> {
    let builder = Authenticator::builder().auth_server(issuer.id(), server.clone());
    Arc::new(builder.public_key(issuer.id(), key).clock(clock.clock()).build())
}
