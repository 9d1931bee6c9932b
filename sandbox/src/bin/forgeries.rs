//! `forgeries ALGORITHM TRAP`: runs a sandbox whose account server signs with `ES256` or `RS256`, and prints one line of
//! JSON: where it is, the tokens to be refused, and those to be accepted. Ends when its standard input does.

use std::io::{Read, Write};
use std::process::ExitCode;

use serde_json::{Value, json};
use ttn_auth_sandbox::forgeries::{Forger, Forgery};
use ttn_auth_sandbox::{APP_ID, Algorithm, Sandbox, SandboxOptions};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (algorithm, trap) = match arguments.as_slice() {
        [name, trap] if name == "ES256" => (Algorithm::Es256, trap),
        [name, trap] if name == "RS256" => (Algorithm::Rs256, trap),
        _ => {
            eprintln!("usage: forgeries ES256|RS256 http://127.0.0.1:PORT");
            return ExitCode::from(2);
        }
    };
    match run(algorithm, trap).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(algorithm: Algorithm, trap: &str) -> ttn_auth::Result<()> {
    let sandbox =
        Sandbox::start(SandboxOptions { algorithm, rate_limit: None, ..SandboxOptions::default() }).await?;
    let issuer = sandbox.issuer();
    let told = json!({
        "accountServer": sandbox.account_server(), "issuer": issuer.id(), "appId": APP_ID, "devId": sandbox.dev_id(),
        "forgeries": list(&Forger::new(issuer, trap).forgeries()?),
        "genuine": list(&Forger::new(issuer, trap).genuine()?),
    });
    let _ = writeln!(std::io::stdout(), "{told}");
    // Whoever started it may be gone without a word; its end of the pipe goes with it.
    let _ = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await;
    sandbox.stop().await;
    Ok(())
}

fn list(forgeries: &[Forgery]) -> Vec<Value> {
    forgeries.iter().map(|Forgery { name, token }| json!({ "name": name, "token": token })).collect()
}
