//! `vectors [--authenticator v2|default] FILE`: runs recorded exchanges with a real V2 Handler, or with a real The Things
//! Stack, against the sandbox; those of V2 also against the core's authenticator alone, as V2 or as it is by default.
//!
//! Prints each difference, the exceptions, for an authenticator how many vectors are its business, and last
//! `N passed, M failed`. Exits 0 if none failed, 1 if some did, 2 if the file cannot be used.

use std::io::Write;
use std::process::ExitCode;

use ttn_auth::Compat;
use ttn_auth_sandbox::vectors::{self, VectorFile};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (compat, path) = match arguments[..] {
        ["--authenticator", "v2", path] => (Some(Compat::V2), path),
        ["--authenticator", "default", path] => (Some(Compat::None), path),
        [path] if !path.starts_with("--") => (None, path),
        _ => {
            eprintln!("usage: vectors [--authenticator v2|default] FILE");
            return ExitCode::from(2);
        }
    };
    match run(path, compat).await {
        Ok(report) => {
            // A reader that has seen enough (`| head`) is no reason to panic.
            let mut out = std::io::stdout();
            if compat.is_some() {
                for (group, (run, all)) in report.groups() {
                    let _ = writeln!(out, "{run} of {all} are about authentication ({group})");
                }
            }
            let _ = write!(out, "{report}");
            if report.failed().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(why) => {
            eprintln!("{path}: {why}");
            ExitCode::from(2)
        }
    }
}

async fn run(path: &str, compat: Option<Compat>) -> Result<vectors::Report, String> {
    let text = std::fs::read_to_string(path).map_err(|e| e.to_string())?;
    let file = VectorFile::parse(&text).map_err(|e| e.to_string())?;
    let report = match compat {
        Some(compat) => vectors::run_authenticator(&file, compat).await,
        None => vectors::run(&file).await,
    };
    report.map_err(|e| e.to_string())
}
