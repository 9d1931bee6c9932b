//! One token for several processes through a real Redis, which is killed, stopped and started again.
#![cfg(feature = "redis")]

#[path = "support/share.rs"]
mod share;

use std::net::TcpListener as StdListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use share::{Accounts, NAME, TOKEN, events, has_secret, kill, line, process, ten_processes, vault};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use ttn_auth::{ErrorKind, Kept, RedisStore, Secret, TokenSource, TokenStore, Vault};

const PASSWORD: &str = "hunter2-redis";
const SECOND: Duration = Duration::from_secs(1);

/// A redis-server on loopback that keeps nothing on disk; killed at the end.
struct Redis {
    port: u16,
    child: Option<Child>,
}

impl Redis {
    async fn start() -> Self {
        let port = StdListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut redis = Self { port, child: None };
        redis.start_again(&["--port", &port.to_string()]).await;
        redis
    }

    /// On the same port.
    async fn start_again(&mut self, options: &[&str]) {
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--requirepass", PASSWORD])
            .args(options)
            .current_dir(std::env::temp_dir())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server is needed; on Debian, `node scripts/redis.mjs` installs it");
        self.child = Some(child);
        let deadline = Instant::now() + 10 * SECOND;
        while TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            assert!(Instant::now() < deadline, "redis-server does not listen");
            tokio::task::yield_now().await;
        }
    }

    fn kill(&mut self) {
        if let Some(child) = self.child.take() {
            kill(child);
        }
    }

    /// Stops it where it is, or lets it go on.
    fn signal(&self, name: &str) {
        let id = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    fn url(&self) -> String {
        format!("redis://:{PASSWORD}@127.0.0.1:{}", self.port)
    }

    fn store(&self) -> Arc<RedisStore> {
        Arc::new(RedisStore::builder(self.url()).build().unwrap())
    }

    /// A connection beside the store's.
    async fn look(&self) -> MultiplexedConnection {
        redis::Client::open(self.url()).unwrap().get_multiplexed_async_connection().await.unwrap()
    }

    /// Every key, and what there is under it.
    async fn everything(&self) -> Vec<(String, Vec<u8>)> {
        let mut connection = self.look().await;
        let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await.unwrap();
        let mut all = Vec::new();
        for key in keys {
            let value = redis::cmd("GET").arg(&key).query_async(&mut connection).await.unwrap();
            all.push((key, value));
        }
        all
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

#[tokio::test]
#[ignore = "the other tests start it as a process of its own"]
async fn child() {
    share::run_task(|url| Arc::new(RedisStore::builder(url).build().unwrap())).await;
}

#[tokio::test]
async fn values_are_kept_as_long_as_was_said() {
    let redis = Redis::start().await;
    let store = redis.store();
    assert_eq!(store.read("a").await.unwrap(), None);
    store.write("a", vec![1], 100 * SECOND).await.unwrap();
    store.write("a", vec![0, 255], 50 * SECOND).await.unwrap();
    let Kept { value, left } = store.read("a").await.unwrap().unwrap();
    assert_eq!(value, [0, 255]);
    assert!(left <= 50 * SECOND && left > 40 * SECOND, "{left:?}");
    for keep in [Duration::ZERO, Duration::MAX] {
        store.write("b", vec![], keep).await.unwrap();
    }
    assert!(store.read("b").await.unwrap().is_some());
    store.remove("a").await.unwrap();
    assert_eq!(store.read("a").await.unwrap(), None);
    // A key without an end is not ours.
    let mut look = redis.look().await;
    redis::cmd("SET").arg("ttn-auth:c").arg("x").exec_async(&mut look).await.unwrap();
    assert_eq!(store.read("c").await.unwrap(), None);
    // Another prefix, another database: other values.
    for (url, prefix) in [(redis.url(), "other:"), (redis.url() + "/1", "ttn-auth:")] {
        let other = RedisStore::builder(url).prefix(prefix).build().unwrap();
        assert_eq!(other.read("b").await.unwrap(), None);
    }
}

#[tokio::test]
async fn ten_processes_make_one_load() {
    let (redis, accounts) = (Redis::start().await, Accounts::start().await);
    assert_eq!(ten_processes(&redis.url(), &accounts).await, vec![format!("{TOKEN}1"); 10]);
    assert_eq!(accounts.loads(), 1);
    let everything = redis.everything().await;
    assert_eq!(everything.len(), 1, "the token, and no lock");
    for (key, value) in everything {
        assert!(!has_secret(key.as_bytes()) && !has_secret(&value));
        assert!(key.strip_prefix("ttn-auth:").unwrap().len() == 64);
    }
}

#[tokio::test]
async fn a_lock_is_freed_by_its_holder_or_by_time_and_by_nobody_else() {
    let redis = Redis::start().await;
    let store = redis.store();
    let mut look = redis.look().await;
    let lock = store.lock("a", Duration::ZERO).await.unwrap().unwrap();
    assert!(store.lock("a", SECOND / 5).await.unwrap().is_none());
    lock.release().await;
    // It ended by itself, and somebody else took it.
    let late = store.lock("a", Duration::ZERO).await.unwrap().unwrap();
    redis::cmd("SET").arg("ttn-auth:a:lock").arg("somebody").exec_async(&mut look).await.unwrap();
    late.release().await;
    assert!(store.lock("a", Duration::ZERO).await.unwrap().is_none());
    // The holder was killed: time frees the lock, which here passes faster.
    let mut holder = process("hold", &redis.url(), "");
    assert_eq!(line(&mut holder).await, "locked");
    kill(holder);
    let vault = vault(store);
    assert!(vault.lock(NAME, Duration::ZERO).await.unwrap().is_none());
    let locks: Vec<String> =
        redis::cmd("KEYS").arg("ttn-auth:????*:lock").query_async(&mut look).await.unwrap();
    assert_eq!(locks.len(), 1);
    let left: i64 = redis::cmd("PTTL").arg(&locks[0]).query_async(&mut look).await.unwrap();
    assert!(left > 0 && left <= 15_000, "{left}");
    redis::cmd("PEXPIRE").arg(&locks[0]).arg(1).exec_async(&mut look).await.unwrap();
    assert!(vault.lock(NAME, SECOND).await.unwrap().is_some());
}

/// Until the vault asks its store again.
async fn recovered(vault: &Vault) {
    let deadline = Instant::now() + 10 * SECOND;
    while vault.write("probe", &Secret::default(), SECOND).await.is_err() {
        assert!(Instant::now() < deadline, "the store is there again, and is not asked");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn killed_and_started_again_it_costs_no_call() {
    let (mut redis, accounts) = (Redis::start().await, Accounts::start().await);
    let (events, _guard) = events();
    let store = redis.store();
    let shared = accounts.shared(store.clone());
    shared.token().await.unwrap();
    redis.kill();
    let started = Instant::now();
    for _ in 0..3 {
        shared.token().await.unwrap();
    }
    // The account server takes 0.2 s each time.
    assert!(started.elapsed() < 2 * SECOND, "{:?}", started.elapsed());
    assert_eq!(accounts.loads(), 4);
    let text = events.text();
    let told = text.lines().filter(|line| line.starts_with("WARN ttn_auth::store")).count();
    assert!((1..=2).contains(&told), "{text}");
    assert!(text.contains("connection refused") && !has_secret(text.as_bytes()), "{text}");

    redis.start_again(&["--port", &redis.port.to_string()]).await;
    recovered(&vault(store.clone())).await;
    let again = accounts.shared(store);
    let token = again.token().await.unwrap();
    assert_eq!(accounts.shared(redis.store()).token().await.unwrap(), token);
    assert_eq!(accounts.loads(), 5);
}

#[tokio::test]
async fn restarted_between_two_calls_nobody_notices() {
    let mut redis = Redis::start().await;
    let store = redis.store();
    store.write("a", vec![1], 100 * SECOND).await.unwrap();
    redis.kill();
    redis.start_again(&["--port", &redis.port.to_string()]).await;
    assert_eq!(store.read("a").await.unwrap(), None);
    store.write("a", vec![1], 100 * SECOND).await.unwrap();
    assert!(store.read("a").await.unwrap().is_some());
}

#[tokio::test]
async fn silent_it_is_waited_for_once_and_found_again() {
    let redis = Redis::start().await;
    let store = redis.store();
    let vault = vault(store.clone());
    vault.write("a", &Secret::new("text"), 100 * SECOND).await.unwrap();
    redis.signal("-STOP");
    let started = Instant::now();
    let reads = futures_util::future::join_all((0..100).map(|_| vault.read("a"))).await;
    for read in reads {
        assert_eq!(read.unwrap_err().kind(), ErrorKind::Timeout);
    }
    vault.read("a").await.unwrap_err();
    let took = started.elapsed();
    assert!(took >= 2 * SECOND && took < 3 * SECOND, "{took:?}");
    redis.signal("-CONT");
    recovered(&vault).await;
    assert_eq!(vault.read("a").await.unwrap().unwrap().text.expose(), "text");
}

#[tokio::test]
async fn a_connection_that_went_silent_is_replaced() {
    let redis = Redis::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://:{PASSWORD}@{}", listener.local_addr().unwrap());
    let port = redis.port;
    let (cut, is_cut) = tokio::sync::oneshot::channel::<()>();
    tokio::spawn(async move {
        // The first connection works until it is cut, by a router that forgot it and tells nobody.
        let (mut near, _) = listener.accept().await.unwrap();
        let mut far = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        tokio::select! {
            _ = copy_bidirectional(&mut near, &mut far) => {}
            _ = is_cut => {}
        }
        let (mut second, _) = listener.accept().await.unwrap();
        let mut again = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let _ = copy_bidirectional(&mut second, &mut again).await;
        drop((near, far));
    });
    let store = RedisStore::builder(url).build().unwrap();
    store.write("a", vec![1], 100 * SECOND).await.unwrap();
    cut.send(()).unwrap();
    assert_eq!(store.read("a").await.unwrap_err().kind(), ErrorKind::Timeout);
    assert!(store.read("a").await.unwrap().is_some());
}

#[test]
fn a_store_outlives_the_runtime_that_it_was_first_used_on() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let home = runtime();
    let redis = home.block_on(Redis::start());
    let store = redis.store();
    for _ in 0..3 {
        runtime().block_on(store.write("a", vec![1], 100 * SECOND)).unwrap();
    }
}

#[tokio::test]
async fn a_password_is_in_no_error() {
    let redis = Redis::start().await;
    for (login, expected) in [("", "NOAUTH"), (":hunter2-wrong@", "the user or password is refused")] {
        let url = format!("redis://{login}127.0.0.1:{}", redis.port);
        let error = RedisStore::builder(url).build().unwrap().read("a").await.unwrap_err();
        assert_eq!(error.message(), format!("Redis at 127.0.0.1:{}: {expected}", redis.port));
    }
    // A server that does not know AUTH repeats what it was sent.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://:{PASSWORD}@{}", listener.local_addr().unwrap());
    let echo = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 1024];
        let count = stream.read(&mut request).await.unwrap();
        let request = String::from_utf8_lossy(&request[..count]).replace("\r\n", " ");
        stream.write_all(format!("-ERR unknown command: {request}\r\n").as_bytes()).await.unwrap();
    });
    let store = RedisStore::builder(&url).build().unwrap();
    let error = store.read("a").await.unwrap_err();
    echo.await.unwrap();
    assert!(!has_secret(format!("{error:?} {error} {store:?}").as_bytes()), "{error:?}");
    // What is no Redis at all.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://:{PASSWORD}@{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    });
    let error = RedisStore::builder(&url).build().unwrap().read("a").await.unwrap_err();
    assert!(!has_secret(format!("{error:?}").as_bytes()), "{error:?}");
}

#[tokio::test]
async fn over_tls_the_certificate_is_checked() {
    let folder = std::env::temp_dir().join(format!("ttn-auth-redis-{:016x}", fastrand::u64(..)));
    std::fs::create_dir(&folder).unwrap();
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| folder.join(name).to_str().unwrap().to_owned());
    std::fs::write(&cert, own.cert.pem()).unwrap();
    std::fs::write(&key, own.signing_key.serialize_pem()).unwrap();
    let port = StdListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut redis = Redis { port, child: None };
    let options = ["--port", "0", "--tls-port", &port.to_string(), "--tls-auth-clients", "no"];
    let files = ["--tls-cert-file", &cert, "--tls-key-file", &key, "--tls-ca-cert-file", &cert];
    redis.start_again(&[options.as_slice(), &files].concat()).await;

    let url = format!("rediss://:{PASSWORD}@localhost:{port}");
    let store = RedisStore::builder(&url).ca(own.cert.pem()).build().unwrap();
    store.write("a", vec![1], 100 * SECOND).await.unwrap();
    assert!(store.read("a").await.unwrap().is_some());
    for builder in [RedisStore::builder(&url), RedisStore::builder(&url).ca(other.cert.pem())] {
        let error = builder.build().unwrap().read("a").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tls, "{error:?}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
