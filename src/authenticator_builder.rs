//! What an [`Authenticator`] is made of.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::auth_server::AuthServer;
use crate::exchange::ExchangeCache;
use crate::exchange_pool::{ExchangePool, SIZE};
use crate::stack_callers::StackCallers;
use crate::{AccountServer, Authenticator, Client, Clock, Compat, KeySet, PublicKey, Verifier};

/// How long a caller waits at most, unless another limit is given: longer than one call to an account server may take (8 s),
/// so that it is told why.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// The largest token of a V2 Handler, in bytes: its limit of all headers.
const MAX_V2_TOKEN: usize = 1 << 20;

/// Configures an [`Authenticator`].
#[derive(Debug, Default)]
pub struct AuthenticatorBuilder {
    servers: Vec<(String, AccountServer)>,
    stack: Option<Client>,
    keys: Vec<(String, Given)>,
    key_directory: Option<PathBuf>,
    max_key_age: Option<Duration>,
    leeway: Duration,
    max_token_size: Option<usize>,
    missing_expiry: Option<bool>,
    compat: Compat,
    time_limit: Option<Duration>,
    max_exchanges: Option<usize>,
    clock: Option<ClockOf>,
}

#[derive(Debug)]
enum Given {
    Key(PublicKey),
    File(PathBuf),
}

struct ClockOf(Clock);

impl std::fmt::Debug for ClockOf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a clock")
    }
}

impl AuthenticatorBuilder {
    /// An auth server by its issuer id: its keys are exchanged there, its tokens verified with the key that it tells. The first
    /// one is asked for keys that name no issuer.
    #[must_use]
    pub fn auth_server(mut self, issuer: impl Into<String>, server: AccountServer) -> Self {
        let issuer = issuer.into();
        self.servers.retain(|(known, _)| *known != issuer);
        self.servers.push((issuer, server));
        self
    }

    /// Takes API keys and OAuth access tokens of The Things Stack, too (`Authorization: Bearer NNSXS..`, in gRPC the metadata
    /// `authorization`): the server that this client calls is asked about them, with the caller's own credential. What it says
    /// is believed for 30 s, a refusal for 5 s. The client's own credentials are not used.
    ///
    /// An application's key has its rights on that application alone. What a user's key, an OAuth token or a session may do with
    /// an application, the server is asked too. Without an answer nobody is let in.
    #[must_use]
    pub fn things_stack(mut self, client: Client) -> Self {
        self.stack = Some(client);
        self
    }

    /// Tokens of `issuer` are verified with this key, and its account server is not asked for one.
    #[must_use]
    pub fn public_key(mut self, issuer: impl Into<String>, key: PublicKey) -> Self {
        self.keys.push((issuer.into(), Given::Key(key)));
        self
    }

    /// Tokens of `issuer` are verified with the key in this file; see [`PublicKey::read`].
    #[must_use]
    pub fn key_file(mut self, issuer: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        self.keys.push((issuer.into(), Given::File(path.into())));
        self
    }

    /// Keeps the keys that account servers tell in this directory; see [`KeySet::with_directory`].
    #[must_use]
    pub fn key_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.key_directory = Some(directory.into());
        self
    }

    /// Reads keys again when they are as old as this. Default: an hour.
    #[must_use]
    pub fn max_key_age(mut self, age: Duration) -> Self {
        self.max_key_age = Some(age);
        self
    }

    /// How far clocks may differ; see [`Verifier::with_leeway`]. Default: 0.
    #[must_use]
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// The largest token, in bytes. Default: 64 KiB, and 1 MiB as V2.
    #[must_use]
    pub fn max_token_size(mut self, bytes: usize) -> Self {
        self.max_token_size = Some(bytes);
        self
    }

    /// Whether tokens without `exp` are taken. Default: no, and yes as V2.
    #[must_use]
    pub fn allow_missing_expiry(mut self, allow: bool) -> Self {
        self.missing_expiry = Some(allow);
        self
    }

    /// Follows a V2 Handler also in its faults.
    #[must_use]
    pub fn compat(mut self, compat: Compat) -> Self {
        self.compat = compat;
        self
    }

    /// How long a caller waits at most. Default: 10 s. A V2 Handler has no limit.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.time_limit = Some(limit);
        self
    }

    /// How many keys are exchanged at once at one account server, and questions asked at The Things Stack; the others wait. Default: 16; at least 1.
    #[must_use]
    pub fn max_exchanges(mut self, exchanges: usize) -> Self {
        self.max_exchanges = Some(exchanges);
        self
    }

    /// Tells the time in place of the system's clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = Some(ClockOf(clock));
        self
    }

    /// Ready to authenticate. Nothing is asked yet: keys are read when they are needed, or by
    /// [`reload`](Authenticator::reload).
    pub fn build(self) -> Authenticator {
        let compat = self.compat;
        let v2 = compat == Compat::V2;
        let time_limit = self.time_limit.unwrap_or(TIME_LIMIT);
        let mut keys = KeySet::new();
        for (issuer, server) in &self.servers {
            keys = keys.with_account_server(issuer, server.clone());
        }
        for (issuer, key) in self.keys {
            keys = match key {
                Given::Key(key) => keys.with_key(issuer, key),
                Given::File(path) => keys.with_key_file(issuer, path),
            };
        }
        if let Some(directory) = self.key_directory {
            keys = keys.with_directory(directory);
        }
        if v2 || self.max_key_age.is_some() {
            keys = keys.with_max_age(self.max_key_age.filter(|_| !v2));
        }
        let mut verifier = Verifier::new(keys).with_leeway(self.leeway);
        if let Some(bytes) = self.max_token_size.or(v2.then_some(MAX_V2_TOKEN)) {
            verifier = verifier.with_max_token_size(bytes);
        }
        if self.missing_expiry.unwrap_or(v2) {
            verifier = verifier.with_missing_expiry_allowed();
        }
        let clock = self.clock.map(|ClockOf(clock)| clock);
        if let Some(clock) = &clock {
            verifier = verifier.with_clock(clock.clone());
        }
        let questions = self.max_exchanges.unwrap_or(SIZE);
        let clock = clock.unwrap_or_else(|| Arc::new(SystemTime::now));
        let stack = self.stack.map(|client| StackCallers::new(client, clock, questions));
        let servers = self.servers.into_iter().map(|(issuer, server)| {
            let pool = ExchangePool::new(questions);
            Arc::new(AuthServer { issuer, server, pool, compat, patience: time_limit })
        });
        Authenticator {
            servers: servers.collect(),
            stack,
            verifier,
            cache: ExchangeCache::new(compat),
            compat,
            time_limit,
        }
    }
}
