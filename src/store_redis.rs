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
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, FromRedisValue, Pipeline, RedisConnectionInfo, RedisError};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;

use crate::store::{Kept, OPERATION_LIMIT, StoreLock, TokenStore, millis, poll};
use crate::store_redis_builder::RedisStoreBuilder;
use crate::{Error, ErrorKind, Result, Secret};

/// How long a lock is kept for a holder that does not free it: longer than getting a token may take (12 s), so that
/// nobody else begins meanwhile, and hardly longer, so that a holder that died does not stand in the way.
const LEASE: Duration = Duration::from_secs(15);

/// Deletes a lock, if it is still the one that was taken.
const UNLOCK: &str =
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";

/// Keeps values in Redis. Clones share a connection. `Debug` shows the address, never the password.
#[derive(Clone)]
pub struct RedisStore(Arc<Inner>);

struct Inner {
    place: Place,
    connection: Mutex<Option<MultiplexedConnection>>,
}

/// Where Redis is, how to get in, and what stands before every id.
pub(crate) struct Place {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: Option<(TlsConnector, ServerName<'static>)>,
    pub(crate) login: RedisConnectionInfo,
    pub(crate) prefix: String,
}

impl RedisStore {
    /// A store at `redis://host:port`, or `rediss://` over TLS; with `user:password@` in front of the host, and
    /// `/database` behind the port, where they are needed. It connects when it is first used.
    pub fn builder(url: impl Into<String>) -> RedisStoreBuilder {
        RedisStoreBuilder::new(Secret::new(url))
    }

    pub(crate) fn at(place: Place) -> Self {
        Self(Arc::new(Inner { place, connection: Mutex::default() }))
    }

    #[cfg(test)]
    pub(crate) fn place(&self) -> &Place {
        &self.0.place
    }

    /// Runs commands within [`OPERATION_LIMIT`], the connection included, for which everyone waits together.
    async fn run<T: FromRedisValue>(&self, commands: Pipeline) -> Result<T> {
        let outcome = tokio::time::timeout(OPERATION_LIMIT, self.attempt(&commands)).await;
        outcome.unwrap_or_else(|_| {
            // Silence: another connection may do better. If somebody is making one already, it is not the silent one.
            if let Ok(mut connection) = self.0.connection.try_lock() {
                *connection = None;
            }
            Err(Error::new(ErrorKind::Timeout, format!("{} did not answer in time", self.0.place)))
        })
    }

    async fn attempt<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<T> {
        let (mut connection, is_new) = self.connection().await?;
        match commands.query_async(&mut connection).await {
            // It may have been lost long ago, and only this shows it. Every command can be given twice.
            Err(error) if error.is_unrecoverable_error() && !is_new => {
                *self.0.connection.lock().await = None;
                let (mut connection, _) = self.connection().await?;
                commands.query_async(&mut connection).await.map_err(|error| self.0.place.failed(error))
            }
            outcome => outcome.map_err(|error| self.0.place.failed(error)),
        }
    }

    /// The connection there is, or a new one.
    async fn connection(&self) -> Result<(MultiplexedConnection, bool)> {
        let mut connection = self.0.connection.lock().await;
        if let Some(connection) = &*connection {
            return Ok((connection.clone(), false));
        }
        let made = self.0.place.connect().await?;
        *connection = Some(made.clone());
        Ok((made, true))
    }
}

impl Place {
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

    pub(crate) fn key(&self, id: &str) -> String {
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
        let category = error.category().to_owned();
        let message = match error.kind() {
            redis::ErrorKind::AuthenticationFailed => "the user or password is refused".to_owned(),
            _ => error
                .into_server_errors()
                .and_then(|all| Some(code(all.first()?.1.code())))
                .unwrap_or(category),
        };
        Error::new(ErrorKind::Unavailable, format!("{self}: {message}"))
    }
}

impl fmt::Display for Place {
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
            let key = self.0.place.key(id);
            let mut commands = redis::pipe();
            // In this order, should another process write between the two: what is left of the old value is the less. And
            // not as a transaction: redis 1.8.1 panics in a task of its own when MULTI is refused (a server that is loading,
            // or wants a password).
            commands.cmd("PTTL").arg(&key).cmd("GET").arg(&key);
            let (left, value): (i64, Option<Vec<u8>>) = self.run(commands).await?;
            // A negative number is for a key that is not there, or that somebody else made to stay.
            let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
            Ok(value.map(|value| Kept { value, left }).filter(|kept| !kept.left.is_zero()))
        })
    }

    fn write<'a>(&'a self, id: &'a str, value: Vec<u8>, keep: Duration) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let mut commands = redis::pipe();
            // Redis refuses 0.
            commands
                .cmd("SET")
                .arg(self.0.place.key(id))
                .arg(value)
                .arg("PX")
                .arg(millis(keep).max(1))
                .ignore();
            self.run(commands).await
        })
    }

    fn remove<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let mut commands = redis::pipe();
            commands.cmd("DEL").arg(self.0.place.key(id)).ignore();
            self.run(commands).await
        })
    }

    fn lock<'a>(&'a self, id: &'a str, limit: Duration) -> BoxFuture<'a, Result<Option<StoreLock>>> {
        Box::pin(async move {
            let key = self.0.place.key(id) + ":lock";
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
            .field("host", &self.0.place.host)
            .field("port", &self.0.place.port)
            .field("tls", &self.0.place.tls.is_some())
            .field("prefix", &self.0.place.prefix)
            .finish_non_exhaustive()
    }
}

/// The first word of an error, which is its code; none of the server's other words.
fn code(word: &str) -> String {
    match word.len() <= 16 && word.bytes().all(|byte| byte.is_ascii_uppercase()) {
        true => word.to_owned(),
        false => "it reports an error".to_owned(),
    }
}
