//! The pure Rust contestants, on one thread: `bench-client grpc` or `http`. It is told what to do by lines of JSON, as the
//! contestants of JavaScript are (benches/child.mjs).

use std::fs;
use std::future::Future;
use std::io::{Lines, StdinLock};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use ttn_auth::proto::handler::Device;
use ttn_auth_bench::{DEV_ID, Outcome};

mod grpc;
mod http1;

/// The first line: where the server is.
#[derive(Deserialize)]
struct Setup {
    port: u16,
    tls: bool,
    ca: String,
    token: String,
    /// The most calls in flight that there will be.
    most: usize,
}

/// Every other line: a round.
#[derive(Deserialize)]
struct Round {
    ms: u64,
    inflight: usize,
}

/// What is said of a round.
#[derive(Serialize)]
struct Figures {
    calls: u64,
    seconds: f64,
    /// Seconds of CPU of the process.
    cpu: f64,
}

/// Makes one call at a time.
trait Caller: Send + 'static {
    fn call(&mut self) -> impl Future<Output = Outcome<Device>> + Send;
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let mut lines = std::io::stdin().lines();
    let setup: Setup = serde_json::from_str(&lines.next().ok_or("no set-up")??)?;
    match std::env::args().nth(1).as_deref() {
        Some("grpc") => rounds(lines, grpc::connect(&setup).await?).await,
        Some("http") => rounds(lines, http1::connect(&setup).await?).await,
        _ => Err("usage: bench-client grpc|http".into()),
    }
}

async fn rounds<C: Caller>(lines: Lines<StdinLock<'_>>, mut callers: Vec<C>) -> Outcome<()> {
    println!("{}", serde_json::json!({ "ready": true }));
    for line in lines {
        let figures = round(&mut callers, serde_json::from_str(&line?)?).await?;
        println!("{}", serde_json::to_string(&figures)?);
    }
    Ok(())
}

/// So many callers call one time after the other until the time is up.
async fn round<C: Caller>(callers: &mut Vec<C>, round: Round) -> Outcome<Figures> {
    let (started, cpu) = (Instant::now(), cpu()?);
    let end = started + Duration::from_millis(round.ms);
    let mut running = JoinSet::new();
    for mut caller in callers.drain(..round.inflight) {
        running.spawn(async move {
            let mut calls = 0;
            while Instant::now() < end {
                if caller.call().await?.dev_id != DEV_ID {
                    return Err("another device".into());
                }
                calls += 1;
            }
            Outcome::Ok((caller, calls))
        });
    }
    let mut calls = 0;
    while let Some(ended) = running.join_next().await {
        let (caller, made): (C, u64) = ended??;
        callers.push(caller);
        calls += made;
    }
    Ok(Figures { calls, seconds: started.elapsed().as_secs_f64(), cpu: self::cpu()? - cpu })
}

/// What the only thread has used so far, in seconds; Linux knows it to the nanosecond.
fn cpu() -> Outcome<f64> {
    let schedstat = fs::read_to_string("/proc/self/schedstat")?;
    let nanoseconds: f64 = schedstat.split(' ').next().unwrap_or_default().parse()?;
    Ok(nanoseconds / 1e9)
}
