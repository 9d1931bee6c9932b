//! Tokens: none is good that the issuer did not sign, and of those that it did, none that says what it must not say.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use ttn_auth::{Algorithm, Claims, Credentials, KeySet, PublicKey, Secret, Verifier};

use super::{choice, edited};

/// By the verifier's clock, in seconds since 1970.
const NOW: u64 = 1_800_000_000;

const HEADER: &str = r#"{"alg":"ES256","typ":"JWT"}"#;
const CLAIMS: &str = r#"{"iss":"i","sub":"s","iat":1799999995,"exp":1800003600.5,"scope":["apps:test-app"],
    "apps":{"test-app":["settings","devices"]},"gateways":{"g":["gateway:status"]},"name":{"first":"f"}}"#;

/// Before a P-256 point in a SubjectPublicKeyInfo (RFC 5480), in base64: 26 bytes with padding bits of their own.
const SPKI: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// Issuer `i`, and who verifies its tokens.
struct Issuer {
    key: EcdsaKeyPair,
    random: SystemRandom,
    verifier: Verifier,
    runtime: Runtime,
    genuine: String,
}

static ISSUER: LazyLock<Issuer> = LazyLock::new(|| {
    let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    let key = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap();
    let public = PublicKey::from_pem(Algorithm::Es256, &public_pem(&key)).unwrap();
    let clock = Arc::new(|| UNIX_EPOCH + Duration::from_secs(NOW));
    let verifier = Verifier::new(KeySet::new().with_key("i", public)).with_clock(clock);
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let genuine = sign(&key, &random, HEADER.as_bytes(), CLAIMS.as_bytes());
    Issuer { key, random, verifier, runtime, genuine }
});

/// The first byte chooses how the rest becomes a token.
pub(crate) fn holds(data: &[u8]) {
    let issuer = &*ISSUER;
    let (kind, rest) = choice(data);
    match kind % 5 {
        0 => {
            let text = String::from_utf8_lossy(rest);
            assert!(!is_good(&text), "a text that nobody signed is good");
        }
        1 => {
            let parts: Vec<String> =
                rest.splitn(3, |byte| *byte == b'\n').map(|part| URL_SAFE_NO_PAD.encode(part)).collect();
            assert!(!is_good(&parts.join(".")), "a token that nobody signed is good");
        }
        2 => {
            let (header, claims) =
                rest.split_at(rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()));
            judge(header, claims.get(1..).unwrap_or_default());
        }
        3 => {
            let token = edited(issuer.genuine.as_bytes(), rest);
            let text = String::from_utf8_lossy(&token);
            assert_eq!(is_good(&text), text == issuer.genuine, "one genuine token has two texts");
        }
        _ => judge(HEADER.as_bytes(), &edited(CLAIMS.as_bytes(), rest)),
    }
}

fn is_good(token: &str) -> bool {
    let secret = Secret::new(token);
    let verified = ISSUER.runtime.block_on(ISSUER.verifier.verify(&secret));
    // What is shown to people reads the same texts.
    let _ = Credentials::parse(token).map(|credentials| credentials.describe());
    let unverified = Claims::read_unverified(&secret);
    match verified {
        Ok(claims) => {
            assert_eq!(
                *claims,
                unverified.expect("good claims are claims"),
                "what is read is not what is verified"
            );
            true
        }
        Err(error) => {
            assert_eq!(error.grpc_code(), Some(7), "a caller's token is no failure of the server: {error}");
            assert!(error.message().len() < 300 && !error.message().contains(char::is_control), "{error:?}");
            false
        }
    }
}

/// A token that the issuer signed is good only if a plain reading of its JSON says so too.
fn judge(header: &[u8], claims: &[u8]) {
    if !is_good(&sign(&ISSUER.key, &ISSUER.random, header, claims)) {
        return;
    }
    let header: Value = serde_json::from_slice(header).expect("a good token's header is JSON");
    assert_eq!(header["alg"], "ES256");
    assert!(header.get("crit").is_none(), "an extension that nobody here knows");
    let read: Value = serde_json::from_slice(claims).expect("good claims are JSON");
    assert_eq!(read["iss"], "i");
    let exp = read["exp"].as_f64().expect("good claims have an exp that is a number");
    assert!(exp.is_finite() && exp.floor() >= NOW as f64, "exp {exp}");
    let nbf = &read["nbf"];
    assert!(nbf.is_null() || nbf.as_f64().is_some_and(|nbf| nbf < (NOW + 1) as f64), "nbf {nbf}");
    // Read and written again, names that came twice would be gone.
    for name in ["apps", "gateways", "components", "scope"] {
        let strings = count(&read[name]);
        assert!(strings.is_some(), "{name} is {}", read[name]);
    }
}

/// Texts in a list, or in lists by name; nothing for any other form.
fn count(value: &Value) -> Option<usize> {
    match value {
        Value::Null => Some(0),
        Value::Array(list) => list.iter().map(|item| item.as_str().map(|_| 1)).sum(),
        Value::Object(map) => {
            map.values().map(|list| if list.is_object() { None } else { count(list) }).sum()
        }
        _ => None,
    }
}

fn sign(key: &EcdsaKeyPair, random: &SystemRandom, header: &[u8], claims: &[u8]) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = key.sign(random, signed.as_bytes()).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn public_pem(key: &EcdsaKeyPair) -> String {
    let der = STANDARD.encode([&SPKI[..], key.public_key().as_ref()].concat());
    let (first, rest) = der.split_at(64);
    format!("-----BEGIN PUBLIC KEY-----\n{first}\n{rest}\n-----END PUBLIC KEY-----\n")
}
