//! What shares a token: processes, which are this test's own binary started again, and an account server that counts.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use ttn_auth::{AccessToken, Lifetime, SharedToken, StoreKey, TokenFn, TokenSource, TokenStore, Vault};

/// The access key that names the token; it must be found nowhere.
pub const NAME: &str = "http://account.example test-app ttn-account-v2.hunter2-name";
/// What every token starts with; it must be found nowhere.
pub const TOKEN: &str = "hunter2-token-";
pub const STORE_KEY: &str = "aHVudGVyMi1rZXktaHVudGVyMi1rZXktaHVudGVyMjI=";

pub fn vault(store: Arc<dyn TokenStore>) -> Vault {
    Vault::new(store, StoreKey::parse(STORE_KEY).unwrap())
}

/// Gives `hunter2-token-1`, `-2` and so on to whoever connects, after a while in which others come.
pub struct Accounts {
    pub address: String,
    loads: Arc<AtomicUsize>,
}

impl Accounts {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let accounts = Self { address: listener.local_addr().unwrap().to_string(), loads: Arc::default() };
        let loads = accounts.loads.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let count = loads.fetch_add(1, Ordering::SeqCst) + 1;
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    let _ = stream.write_all(format!("{TOKEN}{count}").as_bytes()).await;
                });
            }
        });
        accounts
    }

    pub fn loads(&self) -> usize {
        self.loads.load(Ordering::SeqCst)
    }

    pub fn shared(&self, store: Arc<dyn TokenStore>) -> SharedToken<impl TokenSource> {
        shared(self.address.clone(), store)
    }
}

/// A token of that account server, for an hour, shared through a store.
pub fn shared(accounts: String, store: Arc<dyn TokenStore>) -> SharedToken<impl TokenSource> {
    let source = TokenFn::new("account server", move || {
        let accounts = accounts.clone();
        async move {
            let (asked, mut token) = (Instant::now(), String::new());
            TcpStream::connect(accounts).await.unwrap().read_to_string(&mut token).await.unwrap();
            Ok(AccessToken::new(token)?.with_lifetime(Some(Lifetime::new(asked, Duration::from_secs(3600)))))
        }
    });
    SharedToken::new(source, vault(store), NAME)
}

/// Starts this binary's test `child` with a task; what it says, it says on stderr.
pub fn process(task: &str, store: &str, accounts: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture"])
        .envs([("TASK", task), ("STORE", store), ("ACCOUNTS", accounts)])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The next line that a child says.
pub async fn line(child: &mut Child) -> String {
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    tokio::task::spawn_blocking(move || {
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        line.trim().to_owned()
    })
    .await
    .unwrap()
}

pub fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// What a child does.
pub async fn run_task(open: impl FnOnce(&str) -> Arc<dyn TokenStore>) {
    let [task, store, accounts] = ["TASK", "STORE", "ACCOUNTS"].map(|name| std::env::var(name).unwrap());
    let store = open(&store);
    match &*task {
        "token" => {
            let token = shared(accounts, store).token().await.unwrap();
            eprintln!("{}", token.secret().expose());
        }
        "hold" => {
            let _lock = vault(store).lock(NAME, Duration::from_secs(5)).await.unwrap().unwrap();
            eprintln!("locked");
            std::future::pending().await
        }
        "write" => {
            eprintln!("writing");
            for count in 0.. {
                // Of many sizes, so that half a file would be seen.
                let value = vec![b'x'; fastrand::usize(..50_000)];
                store.write(&format!("id-{}", count % 5), value, Duration::from_secs(3600)).await.unwrap();
            }
        }
        other => panic!("no task {other}"),
    }
}

/// Ten processes at once: their tokens.
pub async fn ten_processes(store: &str, accounts: &Accounts) -> Vec<String> {
    let mut children: Vec<_> = (0..10).map(|_| process("token", store, &accounts.address)).collect();
    let mut tokens = Vec::new();
    for child in &mut children {
        tokens.push(line(child).await);
        assert!(child.wait().unwrap().success());
    }
    tokens
}

/// Every event of this thread, as text, while the guard lives.
pub fn events() -> (Events, tracing::subscriber::DefaultGuard) {
    let events = Events::default();
    let guard = tracing::subscriber::set_default(events.clone());
    (events, guard)
}

#[derive(Clone, Default)]
pub struct Events(Arc<Mutex<String>>);

impl Events {
    pub fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }
}

impl tracing::Subscriber for Events {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        struct Fields(String);
        impl tracing::field::Visit for Fields {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                let _ = write!(self.0, " {field}={value:?}");
            }
        }
        let mut fields = Fields(format!("{} {}", event.metadata().level(), event.metadata().target()));
        event.record(&mut fields);
        self.0.lock().unwrap().push_str(&(fields.0 + "\n"));
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

/// Whether any part of what must be hidden is in there, as it is or in base64.
pub fn has_secret(bytes: &[u8]) -> bool {
    // "hunter2-" at each of the three places where base64 can begin, without the characters that hold neighbours' bits.
    ["hunter2", "aHVudGVyMi", "h1bnRlcjIt", "odW50ZXIyL"]
        .iter()
        .any(|secret| bytes.windows(secret.len()).any(|part| part == secret.as_bytes()))
}
