//! `vectors FILE`: runs recorded exchanges with a real V2 Handler against the sandbox.
//!
//! Prints each difference, the exceptions, and last `N passed, M failed`. Exits 0 if none failed, 1 if some did, 2 if
//! the file cannot be used.

use std::io::Write;
use std::process::ExitCode;

use ttn_auth_sandbox::vectors::{self, VectorFile};

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(path), None) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: vectors FILE");
        return ExitCode::from(2);
    };
    match run(&path).await {
        Ok(report) => {
            // A reader that has seen enough (`| head`) is no reason to panic.
            let _ = write!(std::io::stdout(), "{report}");
            if report.failed().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(why) => {
            eprintln!("{path}: {why}");
            ExitCode::from(2)
        }
    }
}

async fn run(path: &str) -> Result<vectors::Report, String> {
    let text = std::fs::read_to_string(path).map_err(|e| e.to_string())?;
    let file = VectorFile::parse(&text).map_err(|e| e.to_string())?;
    vectors::run(&file).await.map_err(|e| e.to_string())
}
