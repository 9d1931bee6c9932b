//! What to present to a sandbox: its fixtures, and keys and tokens of one's own.

use ttn_auth::{AppId, Result};

use crate::mint::Mint;
use crate::options::DEV_ID;
use crate::sandbox::Sandbox;

impl Sandbox {
    /// The first registered application: `test-app`.
    pub fn app_id(&self) -> &str {
        &self.app_id
    }

    /// A device of it: `dev-1`.
    pub fn dev_id(&self) -> &str {
        DEV_ID
    }

    /// An access key with every right on the application.
    pub fn access_key(&self) -> String {
        format!("{}.full-{}", self.issuer.id(), self.app_id)
    }

    /// A bearer token with every right on the application, valid for an hour by the account server's clock.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`](ttn_auth::ErrorKind::Internal) if the system has no randomness.
    pub fn bearer_token(&self) -> Result<String> {
        self.mint(&Mint { app_id: Some(self.app_id.clone()), ..Default::default() })
    }

    /// Mints a token, good or bad.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`](ttn_auth::ErrorKind::Internal) if the system has no randomness.
    pub fn mint(&self, mint: &Mint) -> Result<String> {
        self.issuer.mint(mint)
    }

    /// Adds an access key and returns it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](ttn_auth::ErrorKind::InvalidArgument) if the id is not valid, [`ErrorKind::Internal`](ttn_auth::ErrorKind::Internal) if the system has no randomness.
    pub fn add_access_key(&self, app_id: &str, rights: &[&str]) -> Result<String> {
        let secret = self.issuer.fresh_subject()?;
        let key = format!("{}.{secret}", self.issuer.id());
        self.account.add_key(&AppId::new(app_id)?, secret, rights)?;
        Ok(key)
    }

    /// Withdraws an access key. The account server refuses it from now on; a token that it was exchanged for stays good,
    /// and a Handler that has one for it goes on with that, as V2 does, until a minute before it expires (or
    /// [`reload_keys`](Self::reload_keys)).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](ttn_auth::ErrorKind::InvalidArgument) if there is no such key.
    pub fn remove_access_key(&self, key: &str) -> Result<()> {
        self.account.remove_key(key)
    }
}
