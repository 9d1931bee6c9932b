//! Public keys: a text is a key for one algorithm or for none, and never for two.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use ttn_auth::{Algorithm, PublicKey};

use super::{choice, edited};

/// A key for each algorithm.
const PEMS: [&str; 2] = [include_str!("es256.pem"), include_str!("rs256.pem")];

/// The first byte chooses how the rest becomes a text.
pub(crate) fn holds(data: &[u8]) {
    let (kind, rest) = choice(data);
    let pem = PEMS[usize::from(kind >> 4) % PEMS.len()];
    let text = match kind % 6 {
        0 => String::from_utf8_lossy(rest).into_owned(),
        1 => written(rest),
        2 => String::from_utf8_lossy(&edited(pem.as_bytes(), rest)).into_owned(),
        3 => written(&edited(&der(pem), rest)),
        4 => json!({ "algorithm": String::from_utf8_lossy(rest), "key": pem }).to_string(),
        _ => {
            let answer = json!({ "algorithm": "ES256", "key": pem }).to_string();
            String::from_utf8_lossy(&edited(answer.as_bytes(), rest)).into_owned()
        }
    };
    let read = PublicKey::read(&text).ok().map(|key| key.algorithm());
    let fits = |algorithm, pem: &str| PublicKey::from_pem(algorithm, pem).is_ok();
    let both = |pem: &str| fits(Algorithm::Es256, pem) && fits(Algorithm::Rs256, pem);
    assert!(!both(&text), "a key for two algorithms");
    match (read, serde_json::from_str::<Value>(&text)) {
        (None, _) => {}
        // The answer of `GET /key` names the algorithm, and the key is one for it.
        (Some(algorithm), Ok(answer)) => {
            assert_eq!(answer["algorithm"], algorithm.name());
            let pem = answer["key"].as_str().expect("a key that was read is a text");
            assert!(fits(algorithm, pem) && !both(pem), "a key of another kind than its algorithm needs");
        }
        (Some(algorithm), Err(_)) => assert!(fits(algorithm, &text), "read, but no key"),
    }
    let error = PublicKey::read(&text).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.len() < 300, "{error}");
}

fn written(der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let lines: Vec<&str> =
        body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap_or_default()).collect();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
}

fn der(pem: &str) -> Vec<u8> {
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    STANDARD.decode(body).unwrap_or_default()
}
