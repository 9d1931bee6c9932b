//! Whom the Handler believes: the core's authenticator as V2 has it, with the key that was read at the start, and the tokens
//! that were taken back.

use std::sync::Arc;

use ttn_auth::{AccountServer, AppId, Authenticator, Claims, Compat, Presented, Result};

use crate::clock::OffClock;
use crate::issuer::Issuer;

pub(crate) struct Trust {
    issuer: Arc<Issuer>,
    clock: Arc<OffClock>,
    authenticator: Authenticator,
}

impl Trust {
    /// Reads the key from the account server, over the network as a real Handler does.
    pub(crate) async fn new(
        issuer: Arc<Issuer>,
        server: AccountServer,
        clock: Arc<OffClock>,
    ) -> Result<Self> {
        let authenticator = Authenticator::builder()
            .auth_server(issuer.id(), server)
            .compat(Compat::V2)
            .clock(clock.clock())
            .build();
        authenticator.reload().await?;
        Ok(Self { issuer, clock, authenticator })
    }

    /// Reads the key again, and forgets what keys were exchanged for: what a restart does.
    pub(crate) async fn reload(&self) -> Result<()> {
        self.authenticator.reload().await
    }

    /// Forgets what access keys were exchanged for.
    pub(crate) fn forget(&self) {
        self.authenticator.forget_exchanged();
    }

    pub(crate) fn clock(&self) -> &OffClock {
        &self.clock
    }

    pub(crate) async fn authenticate(&self, presented: &Presented, app: &AppId) -> Result<Arc<Claims>> {
        let claims = self.authenticator.authenticate(presented, app).await?;
        if let Some(token) = &presented.token {
            self.issuer.revoked().check(token.expose())?;
        }
        Ok(claims)
    }
}
