//! A store in Redis: processes on any machine share their tokens.
//!
//! | key | what |
//! |---|---|
//! | `PREFIX` + id | the value, which Redis itself expires (`SET PX`) |
//! | `PREFIX` + id + `:lock` | who has the lock: a random value, taken with `SET NX PX`, deleted by a script that compares |
//!
//! One connection, made when it is needed, and again when it was lost. One server: neither Cluster nor Sentinel. TLS
//! (`rediss://`) is this crate's own, so it trusts what a [`Client`](crate::Client) trusts.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use percent_encoding::percent_decode_str;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, FromRedisValue, Pipeline, RedisConnectionInfo, RedisError};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;
use url::Url;

use crate::address::is_loopback;
use crate::store::{Kept, OPERATION_LIMIT, StoreLock, TokenStore, millis, poll};
use crate::{Error, ErrorKind, Result, Secret};

/// How long a lock is kept for a holder that does not free it: longer than getting a token may take (12 s), so that
/// nobody else begins meanwhile, and hardly longer, so that a holder that died does not stand in the way.
const LEASE: Duration = Duration::from_secs(15);

/// Deletes a lock, if it is still the one that was taken.
const UNLOCK: &str =
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";

/// What stands before every id.
const PREFIX: &str = "ttn-auth:";

/// Keeps values in Redis. Clones share a connection. `Debug` shows the address, never the password.
#[derive(Clone)]
pub struct RedisStore(Arc<Inner>);

struct Inner {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    login: RedisConnectionInfo,
    prefix: String,
    connection: Mutex<Option<MultiplexedConnection>>,
}

/// What there is to say about a [`RedisStore`].
#[derive(Clone, Debug)]
pub struct RedisStoreBuilder {
    url: Secret,
    prefix: String,
    ca: Option<String>,
    allow_insecure: bool,
}

impl RedisStoreBuilder {
    /// What stands before every id. Default: `ttn-auth:`.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Trusts this certificate (PEM), the server's own or a CA's, instead of the platform's.
    #[must_use]
    pub fn ca(mut self, pem: impl Into<String>) -> Self {
        self.ca = Some(pem.into());
        self
    }

    /// Allows a password to cross a network in clear. What is stored is sealed in any case.
    #[must_use]
    pub fn allow_insecure(mut self, allow: bool) -> Self {
        self.allow_insecure = allow;
        self
    }

    /// Checks everything that can be checked without connecting.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for an address or a certificate that is none; [`ErrorKind::InsecureTransport`] if a
    /// password would cross a network in clear; [`ErrorKind::Tls`] if no root certificates can be loaded.
    pub fn build(self) -> Result<RedisStore> {
        // No message repeats the address, which may hold a password.
        let wrong = |what: &str| {
            Error::new(ErrorKind::InvalidArgument, format!("the address of Redis is not valid: {what}"))
        };
        let form = "expected redis://host:port or rediss://user:password@host:port/database";
        let url = Url::parse(self.url.expose().trim()).map_err(|_| wrong(form))?;
        let tls = match url.scheme() {
            "redis" => false,
            "rediss" => true,
            _ => return Err(wrong("its scheme is neither redis nor rediss")),
        };
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("it has options behind ? or #"));
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| wrong("it has no host"))?;
        let host = host.trim_matches(['[', ']']).to_ascii_lowercase();
        let mut login = RedisConnectionInfo::default().set_skip_set_lib_name();
        let database = url.path().trim_matches('/');
        if !database.is_empty() {
            let number =
                database.parse::<u16>().map_err(|_| wrong("the database behind the / is not a number"))?;
            login = login.set_db(number.into());
        }
        let decode = |text| {
            percent_decode_str(text).decode_utf8().map_err(|_| wrong("its user or password is not UTF-8"))
        };
        if !url.username().is_empty() {
            login = login.set_username(decode(url.username())?);
        }
        if let Some(password) = url.password() {
            if !tls && !self.allow_insecure && !is_loopback(&host) {
                let message = "the password of Redis would cross the network in clear; use rediss://";
                return Err(Error::new(ErrorKind::InsecureTransport, message));
            }
            login = login.set_password(decode(password)?);
        }
        let tls = match tls {
            false => None,
            true => {
                let name =
                    ServerName::try_from(host.clone()).map_err(|_| wrong("the host is no name for TLS"))?;
                let mut config = crate::tls::http_config(crate::tls::verifier(self.ca.as_deref())?)?;
                config.alpn_protocols.clear();
                Some((TlsConnector::from(Arc::new(config)), name))
            }
        };
        Ok(RedisStore(Arc::new(Inner {
            host,
            port: url.port().unwrap_or(6379),
            tls,
            login,
            prefix: self.prefix,
            connection: Mutex::default(),
        })))
    }
}

impl RedisStore {
    /// A store at `redis://host:port`, or `rediss://` over TLS; with `user:password@` in front of the host, and
    /// `/database` behind the port, where they are needed. It connects when it is first used.
    pub fn builder(url: impl Into<String>) -> RedisStoreBuilder {
        RedisStoreBuilder {
            url: Secret::new(url),
            prefix: PREFIX.to_owned(),
            ca: None,
            allow_insecure: false,
        }
    }

    /// Runs commands within [`OPERATION_LIMIT`], the connection included, for which everyone waits together.
    async fn run<T: FromRedisValue>(&self, commands: Pipeline) -> Result<T> {
        let outcome = tokio::time::timeout(OPERATION_LIMIT, self.attempt(&commands)).await;
        outcome.unwrap_or_else(|_| {
            // Silence: another connection may do better. If somebody is making one already, it is not the silent one.
            if let Ok(mut connection) = self.0.connection.try_lock() {
                *connection = None;
            }
            Err(Error::new(ErrorKind::Timeout, format!("{} did not answer in time", self.0)))
        })
    }

    async fn attempt<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<T> {
        let (mut connection, is_new) = self.connection().await?;
        match commands.query_async(&mut connection).await {
            // It may have been lost long ago, and only this shows it. Every command can be given twice.
            Err(error) if error.is_unrecoverable_error() && !is_new => {
                *self.0.connection.lock().await = None;
                let (mut connection, _) = self.connection().await?;
                commands.query_async(&mut connection).await.map_err(|error| self.0.failed(error))
            }
            outcome => outcome.map_err(|error| self.0.failed(error)),
        }
    }

    /// The connection there is, or a new one.
    async fn connection(&self) -> Result<(MultiplexedConnection, bool)> {
        let mut connection = self.0.connection.lock().await;
        if let Some(connection) = &*connection {
            return Ok((connection.clone(), false));
        }
        let made = self.0.connect().await?;
        *connection = Some(made.clone());
        Ok((made, true))
    }
}

impl Inner {
    async fn connect(&self) -> Result<MultiplexedConnection> {
        let tcp = TcpStream::connect((&*self.host, self.port)).await.map_err(|error| self.lost(&error))?;
        // Commands are small, and each is waited for.
        let _ = tcp.set_nodelay(true);
        match &self.tls {
            None => self.log_in(tcp).await,
            Some((tls, name)) => {
                let tls = tls.connect(name.clone(), tcp).await.map_err(|error| self.lost(&error))?;
                self.log_in(tls).await
            }
        }
    }

    async fn log_in<C>(&self, stream: C) -> Result<MultiplexedConnection>
    where
        C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        // The limit is ours, around everything.
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let (connection, driver) = MultiplexedConnection::new_with_config(&self.login, stream, config)
            .await
            .map_err(|error| self.failed(error))?;
        // Ends with the last clone of the connection.
        tokio::spawn(driver);
        Ok(connection)
    }

    fn key(&self, id: &str) -> String {
        format!("{}{id}", self.prefix)
    }

    fn lost(&self, error: &std::io::Error) -> Error {
        let (kind, message) = crate::network::read(error);
        Error::new(kind, format!("{self}: {message}"))
    }

    /// Without Redis's own words: to a command that it does not know it answers with what was sent, which may be the
    /// password.
    fn failed(&self, error: RedisError) -> Error {
        if error.is_io_error() {
            let (kind, message) = crate::network::read(&error);
            return Error::new(kind, format!("{self}: {message}"));
        }
        let message = match error.kind() {
            redis::ErrorKind::AuthenticationFailed => "the user or password is refused",
            _ => error.code().filter(|code| code.len() <= 16).unwrap_or_else(|| error.category()),
        };
        Error::new(ErrorKind::Unavailable, format!("{self}: {message}"))
    }
}

impl fmt::Display for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "Redis at [{}]:{}", self.host, self.port),
            false => write!(f, "Redis at {}:{}", self.host, self.port),
        }
    }
}

impl TokenStore for RedisStore {
    fn read<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Kept>>> {
        Box::pin(async move {
            let key = self.0.key(id);
            let mut commands = redis::pipe();
            // At one moment: what is left belongs to what was read.
            commands.atomic().cmd("GET").arg(&key).cmd("PTTL").arg(&key);
            let (value, left): (Option<Vec<u8>>, i64) = self.run(commands).await?;
            // A negative number is for a key that is not there, or that somebody else made to stay.
            let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
            Ok(value.map(|value| Kept { value, left }).filter(|kept| !kept.left.is_zero()))
        })
    }

    fn write<'a>(&'a self, id: &'a str, value: Vec<u8>, keep: Duration) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let mut commands = redis::pipe();
            // Redis refuses 0.
            commands.cmd("SET").arg(self.0.key(id)).arg(value).arg("PX").arg(millis(keep).max(1)).ignore();
            self.run(commands).await
        })
    }

    fn remove<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let mut commands = redis::pipe();
            commands.cmd("DEL").arg(self.0.key(id)).ignore();
            self.run(commands).await
        })
    }

    fn lock<'a>(&'a self, id: &'a str, limit: Duration) -> BoxFuture<'a, Result<Option<StoreLock>>> {
        Box::pin(async move {
            let key = self.0.key(id) + ":lock";
            let holder = format!("{:032x}", fastrand::u128(..));
            // From before the first attempt on, because one whose answer does not arrive may have succeeded.
            let lock = StoreLock::new({
                let (store, key, holder) = (self.clone(), key.clone(), holder.clone());
                async move {
                    let mut commands = redis::pipe();
                    commands.cmd("EVAL").arg(UNLOCK).arg(1).arg(key).arg(holder).ignore();
                    // If that fails, the lock ends by itself.
                    let _ = store.run::<()>(commands).await;
                }
            });
            let taken = poll(limit, || async {
                let mut commands = redis::pipe();
                let lease = millis(LEASE);
                commands.cmd("SET").arg(&key).arg(&holder).arg("NX").arg("PX").arg(lease);
                let (taken,): (Option<String>,) = self.run(commands).await?;
                Ok(taken.map(|_| ()))
            })
            .await?;
            Ok(taken.map(|()| lock))
        })
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("host", &self.0.host)
            .field("port", &self.0.port)
            .field("tls", &self.0.tls.is_some())
            .field("prefix", &self.0.prefix)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_never_shown() {
        for (url, shown) in [
            ("redis://localhost", "Redis at localhost:6379"),
            ("redis://:hunter2@127.0.0.1:7000/3", "Redis at 127.0.0.1:7000"),
            ("rediss://me:hunter2%2F@Redis.example/", "Redis at redis.example:6379"),
            ("redis://[::1]:7000", "Redis at [::1]:7000"),
            ("redis://redis:6379", "Redis at redis:6379"),
        ] {
            let builder = RedisStore::builder(url);
            let store = builder.clone().build().unwrap();
            assert_eq!(store.0.to_string(), shown);
            assert!(!format!("{store:?} {builder:?}").contains("hunter2"));
        }
        let store =
            RedisStore::builder("rediss://me:hunter2%2F@Redis.example/12").prefix("p:").build().unwrap();
        assert_eq!(store.0.login.password(), Some("hunter2/"));
        assert_eq!((store.0.login.username(), store.0.login.db()), (Some("me"), 12));
        assert_eq!(store.0.key("id"), "p:id");
        for url in [
            "",
            "localhost:6379",
            "http://hunter2@localhost",
            "redis://",
            "redis:///hunter2",
            "redis://localhost/hunter2",
            "redis://localhost?password=hunter2",
            "redis://localhost#insecure",
            "redis://:%FFhunter2@localhost",
            "redis://:hunter2@localhost:x",
        ] {
            let error = RedisStore::builder(url).build().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{url}");
            assert!(!format!("{error:?}").contains("hunter2"));
        }
    }

    #[test]
    fn a_password_does_not_cross_a_network_in_clear() {
        let builder = RedisStore::builder("redis://:hunter2@redis.example");
        assert_eq!(builder.clone().build().unwrap_err().kind(), ErrorKind::InsecureTransport);
        builder.allow_insecure(true).build().unwrap();
    }
}
