//! What can be changed while a sandbox runs: outages, other signing keys, tokens that are taken back, wrong clocks, odd
//! answers. Each is what happens to a real network; what the network makes of it is V2's.

use std::time::Duration;

use ttn_auth::Result;

use crate::answers::ExpiresIn;
use crate::clock::ClockOf;
use crate::counts::Counts;
use crate::sandbox::Sandbox;

impl Sandbox {
    /// An outage: closes the account server's listener and connections, and leaves the rest as it is. No request is
    /// answered after this returns.
    pub fn stop_account_server(&self) {
        self.account_task.stop();
    }

    /// The end of the outage: the account server listens on its port again when this returns. It has forgotten nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](ttn_auth::ErrorKind::Unavailable) if the port is taken, or the sandbox stopped.
    pub async fn start_account_server(&self) -> Result<()> {
        self.account_task.start(self.ports.account).await
    }

    /// The account server signs with another key from now on, tells that one, and takes no token of the old one. The
    /// Handler keeps the old key, as V2 does: it takes the old tokens and refuses the new ones (and an access key, once it
    /// must be exchanged again) until [`reload_keys`](Self::reload_keys).
    ///
    /// With RS256 there are two keys, which take turns.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`](ttn_auth::ErrorKind::Internal) if the system has no randomness,
    /// [`ErrorKind::Server`](ttn_auth::ErrorKind::Server) if the journal cannot be written.
    pub fn rotate_signing_key(&self) -> Result<()> {
        self.issuer.rotate(&self.journal)
    }

    /// What a restart does to a real Handler: it reads the account server's key again, and forgets what it exchanged
    /// access keys for.
    ///
    /// # Errors
    /// Those of [`AccountServer::key`](ttn_auth::AccountServer::key); the Handler then goes on with what it has.
    pub async fn reload_keys(&self) -> Result<()> {
        self.handler.trust.reload().await
    }

    /// Takes every bearer token back that was issued so far: account server and Handler refuse it with `token is revoked`
    /// as `InvalidToken`. Access keys stay good; the Handler exchanges them anew.
    ///
    /// # Errors
    /// [`ErrorKind::Server`](ttn_auth::ErrorKind::Server) if the journal cannot be written.
    pub fn revoke_tokens(&self) -> Result<()> {
        self.issuer.revoke_all(&self.journal)?;
        self.handler.trust.forget();
        Ok(())
    }

    /// Takes one bearer token back.
    ///
    /// # Errors
    /// [`ErrorKind::Server`](ttn_auth::ErrorKind::Server) if the journal cannot be written.
    pub fn revoke(&self, token: &str) -> Result<()> {
        self.issuer.revoke(token, &self.journal)
    }

    /// Sets a clock so many seconds ahead; behind, if negative; right, with 0.
    pub fn set_clock(&self, of: ClockOf, seconds: i64) {
        match of {
            ClockOf::AccountServer => self.issuer.clock().set(seconds),
            ClockOf::Handler => self.handler.trust.clock().set(seconds),
        }
    }

    /// How long tokens are valid that are handed out from now on, in whole seconds.
    pub fn set_token_lifetime(&self, lifetime: Duration) {
        self.account.answers.set_lifetime(lifetime);
    }

    /// What the answers to exchanges, sign-ins and refreshes say of a token's lifetime from now on, true or not.
    pub fn set_expires_in(&self, expires_in: ExpiresIn) {
        self.account.answers.set_expires_in(expires_in);
    }

    /// Tokens that are handed out from now on were issued so long ago, in whole seconds, as if an answer had been kept
    /// somewhere on its way: with their lifetime or more they have expired when they arrive. `expires_in` stays.
    pub fn set_token_age(&self, age: Duration) {
        self.account.answers.set_age(age);
    }

    /// How often it was asked for what.
    pub fn counts(&self) -> Counts {
        self.counters.read()
    }

    /// How many exchanges the account server has been asked for.
    pub fn exchanges(&self) -> usize {
        self.counts().exchanges
    }
}
