//! Clients of one server share its connections, and nothing else.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use support::{builder, id, sandbox};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use ttn_auth::{Client, ClientBuilder, Credentials, ErrorKind};
use ttn_auth_sandbox::Sandbox;

/// Stands before a server, and counts the connections to it.
struct Door {
    address: String,
    opened: Arc<AtomicUsize>,
    stuck: Arc<Notify>,
}

impl Door {
    async fn before(address: &str) -> Self {
        let (scheme, host) = address.split_once("://").unwrap();
        let host = host.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("{scheme}://localhost:{}", listener.local_addr().unwrap().port());
        let opened = Arc::new(AtomicUsize::new(0));
        let stuck = Arc::new(Notify::new());
        let (count, stops) = (opened.clone(), stuck.clone());
        tokio::spawn(async move {
            loop {
                let (mut from, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                let (host, stops) = (host.clone(), stops.clone());
                tokio::spawn(async move {
                    let mut to = TcpStream::connect(host).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut from, &mut to) => {}
                        () = stops.notified() => std::future::pending().await,
                    }
                });
            }
        });
        Self { address, opened, stuck }
    }

    /// Nothing passes any more on the connections that there are, and nobody is told.
    fn stick(&self) {
        self.stuck.notify_waiters();
    }

    fn opened(&self) -> usize {
        self.opened.load(Ordering::SeqCst)
    }
}

fn to(door: &Door, sandbox: &Sandbox, credentials: &Credentials) -> ClientBuilder {
    builder(sandbox, &door.address).credentials(credentials.clone())
}

async fn call(client: &Client) {
    client.application_manager().get_device(&id("dev-1")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_clients_need_no_more_connections_than_one() {
    const AT_ONCE: usize = 32;
    let sandbox = sandbox().await;
    let token = Credentials::parse(&sandbox.bearer_token().unwrap()).unwrap();
    for (address, most) in [(sandbox.grpc_address(), 2), (sandbox.http_address(), AT_ONCE)] {
        let door = Door::before(&address).await;
        let clients: Vec<_> = (0..10_000)
            .map(|_| Client::builder(&door.address).credentials(token.clone()).build().unwrap())
            .collect();
        let (clients, next) = (Arc::new(clients), Arc::new(AtomicUsize::new(0)));
        let callers: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                let (clients, next) = (clients.clone(), next.clone());
                tokio::spawn(async move {
                    while let Some(client) = clients.get(next.fetch_add(1, Ordering::SeqCst)) {
                        call(client).await;
                    }
                })
            })
            .collect();
        for caller in callers {
            caller.await.unwrap();
        }
        assert!((1..=most).contains(&door.opened()), "{address}: {} connections", door.opened());
    }
}

#[tokio::test]
async fn closing_one_client_leaves_the_others_their_calls_and_their_connections() {
    let sandbox = sandbox().await;
    let key = Credentials::parse(&sandbox.access_key()).unwrap();
    for address in support::addresses(&sandbox) {
        let door = Door::before(&address).await;
        let one = to(&door, &sandbox, &key).build().unwrap();
        let other = to(&door, &sandbox, &key).build().unwrap();
        call(&one).await;
        let in_flight = tokio::spawn({
            let other = other.clone();
            async move { call(&other).await }
        });
        tokio::task::yield_now().await;
        one.close();
        in_flight.await.unwrap();
        call(&other).await;
        assert_eq!(door.opened(), 1, "{address}");
        let closed = one.application_manager().get_device(&id("dev-1")).await.unwrap_err();
        assert_eq!(closed.kind(), ErrorKind::Cancelled);
    }
}

#[tokio::test]
async fn a_connection_that_stands_still_is_replaced_for_all_when_one_call_has_run_out_of_time() {
    let sandbox = sandbox().await;
    let key = Credentials::parse(&sandbox.access_key()).unwrap();
    for address in support::addresses(&sandbox) {
        let door = Door::before(&address).await;
        let one = to(&door, &sandbox, &key).timeout(Duration::from_millis(200)).build().unwrap();
        let other = to(&door, &sandbox, &key).build().unwrap();
        call(&other).await;
        door.stick();
        let late = one.application_manager().get_device(&id("dev-1")).await.unwrap_err();
        assert_eq!(late.kind(), ErrorKind::Timeout, "{address}: {late:?}");
        call(&other).await;
        assert_eq!(door.opened(), 2, "{address}");
    }
}

#[tokio::test]
async fn connections_end_with_the_last_client() {
    let sandbox = sandbox().await;
    let key = Credentials::parse(&sandbox.access_key()).unwrap();
    for address in support::addresses(&sandbox) {
        let door = Door::before(&address).await;
        for expected in 1..=3 {
            let (one, other) =
                (to(&door, &sandbox, &key).build().unwrap(), to(&door, &sandbox, &key).build().unwrap());
            call(&one).await;
            call(&other).await;
            drop(one);
            call(&other).await;
            assert_eq!(door.opened(), expected, "{address}");
        }
    }
}

#[tokio::test]
async fn clients_that_would_connect_in_another_way_do_not_share() {
    let sandbox = sandbox().await;
    let key = Credentials::parse(&sandbox.access_key()).unwrap();
    for address in support::addresses(&sandbox) {
        let door = Door::before(&address).await;
        let same = to(&door, &sandbox, &key).build().unwrap();
        let again =
            to(&door, &sandbox, &key).timeout(Duration::from_secs(7)).rate_limit(1000).build().unwrap();
        call(&same).await;
        call(&again).await;
        assert_eq!(door.opened(), 1, "{address}: a call's time limit is not the connection's");
        let trusting = to(&door, &sandbox, &key).ca(format!("{0}\n{0}", sandbox.ca())).build().unwrap();
        call(&trusting).await;
        assert_eq!(door.opened(), 2, "{address}: another CA");
        let patient = to(&door, &sandbox, &key).connect_timeout(Duration::from_secs(7)).build().unwrap();
        call(&patient).await;
        assert_eq!(door.opened(), 3, "{address}: another time limit of a connection's set-up");
    }
}

#[tokio::test]
async fn runtimes_do_not_share_and_one_that_ends_takes_nothing_along() {
    let sandbox = sandbox().await;
    let key = Credentials::parse(&sandbox.access_key()).unwrap();
    for address in support::addresses(&sandbox) {
        let door = Door::before(&address).await;
        let client = to(&door, &sandbox, &key).build().unwrap();
        call(&client).await;
        let elsewhere = client.clone();
        let other = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                call(&elsewhere).await;
                call(&elsewhere).await;
            });
        });
        tokio::task::spawn_blocking(move || other.join().unwrap()).await.unwrap();
        assert_eq!(door.opened(), 2, "{address}");
        call(&client).await;
        assert_eq!(door.opened(), 2, "{address}");
    }
}

#[tokio::test]
async fn a_second_connection_comes_under_load_only() {
    let sandbox = sandbox().await;
    let key = Credentials::parse(&sandbox.access_key()).unwrap();
    let door = Door::before(&sandbox.grpc_address()).await;
    let client = to(&door, &sandbox, &key).build().unwrap();
    for (at_once, connections) in [(1, 1), (8, 1), (64, 2), (256, 2)] {
        let calls: Vec<_> = (0..at_once)
            .map(|_| {
                let client = client.clone();
                tokio::spawn(async move {
                    for _ in 0..3 {
                        call(&client).await;
                    }
                })
            })
            .collect();
        for call in calls {
            call.await.unwrap();
        }
        assert_eq!(door.opened(), connections, "{at_once} at once");
    }
}
