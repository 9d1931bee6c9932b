//! What attaching credentials is of a typed call, with the bench server in a process of its own.

use std::cell::Cell;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use criterion::Criterion;
use http::HeaderMap;
use tokio::task::LocalSet;
use ttn_auth::proto::handler::DeviceIdentifier;
use ttn_auth::{ApplicationManager, Carrier, Client, Credentials};
use ttn_auth_bench::{APP_ID, DEV_ID};

const IN_FLIGHT: u64 = 64;

/// As long as one that an account server issues.
const TOKEN: &str = concat!(
    "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.",
    "eyJpc3MiOiJ0dG4tYWNjb3VudC12MiIsInN1YiI6InRlc3QtYXBwIiwidHlwZSI6ImFwcGxpY2F0aW9uIiwiaWF0IjoxNzAwMDAwMDAwLCJleHAi",
    "OjQ4MDAwMDAwMDAsInNjb3BlIjpbImFwcHMiXSwiYXBwcyI6eyJ0ZXN0LWFwcCI6WyJzZXR0aW5ncyIsImRldmljZXMiLCJkZWxldGUiXX19.",
    "bm90IGEgc2lnbmF0dXJlLCBidXQgYXMgbG9uZyBhcyBvbmUgaXMsIHdoaWNoIGlzIHNpeHR5LWZvdXIgYnl0ZXM",
);

/// The bench server; ends with its stdin.
fn server() -> (Child, serde_json::Value) {
    let mut server = Command::new(env!("CARGO_BIN_EXE_bench-server"))
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../proto"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let addresses = serde_json::from_str(&line).unwrap();
    (server, addresses)
}

/// How long so many calls take, [`IN_FLIGHT`] at a time on one thread.
async fn calls(manager: &ApplicationManager, times: u64) -> Duration {
    let (left, begun) = (Rc::new(Cell::new(times)), Instant::now());
    let callers = LocalSet::new();
    for _ in 0..IN_FLIGHT.min(times) {
        let (left, manager) = (left.clone(), manager.clone());
        callers.spawn_local(async move {
            let id = DeviceIdentifier { app_id: APP_ID.to_owned(), dev_id: DEV_ID.to_owned() };
            while let Some(fewer) = left.get().checked_sub(1) {
                left.set(fewer);
                manager.get_device(&id).await.unwrap();
            }
        });
    }
    callers.await;
    begun.elapsed()
}

/// How long it takes to put them on so many requests, each with headers of its own.
fn attaching(credentials: &Credentials, carrier: Carrier, times: u64) -> Duration {
    let mut took = Duration::ZERO;
    let mut left = times;
    while left > 0 {
        let now = left.min(IN_FLIGHT);
        let mut requests: Vec<_> = (0..now).map(|_| HeaderMap::with_capacity(8)).collect();
        let begun = Instant::now();
        for headers in &mut requests {
            carrier.insert(&credentials.clone(), headers).unwrap();
        }
        took += begun.elapsed();
        left -= now;
    }
    took
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let (mut server, addresses) = server();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let token = Credentials::bearer_token(TOKEN).unwrap();
    for (scheme, carrier) in [("grpc", Carrier::GrpcMetadata), ("http", Carrier::AuthorizationHeader)] {
        let (attach, call) = (Cell::new(f64::NAN), Cell::new(f64::NAN));
        let mean = |into: &Cell<f64>, took: Duration, times: u64| {
            into.set(took.as_secs_f64() / times as f64);
            took
        };
        criterion.bench_function(&format!("{scheme}: attach a cached token"), |bencher| {
            bencher.iter_custom(|times| mean(&attach, attaching(&token, carrier, times), times));
        });
        let address = format!("{scheme}://127.0.0.1:{}", addresses[scheme]);
        let manager =
            Client::builder(address).credentials(token.clone()).build().unwrap().application_manager();
        runtime.block_on(calls(&manager, IN_FLIGHT));
        criterion.bench_function(&format!("{scheme}: a typed call, {IN_FLIGHT} in flight"), |bencher| {
            bencher.iter_custom(|times| mean(&call, runtime.block_on(calls(&manager, times)), times));
        });
        // Not where each was made once, to see that it can be.
        if std::env::args().any(|argument| argument == "--bench") {
            println!("{scheme}: attaching is {:.2} % of a call", 100.0 * attach.get() / call.get());
        }
    }
    criterion.final_summary();
    drop(server.stdin.take());
    server.wait().unwrap();
}
