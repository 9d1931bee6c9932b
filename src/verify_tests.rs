use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};

use super::*;
use crate::{Algorithm, PublicKey};

const NOW: i64 = 1_800_000_000;

/// A signing key, the verifier that trusts it as issuer `i`, at the time [`NOW`].
fn setup() -> (EcdsaKeyPair, Verifier) {
    let pair = rcgen::KeyPair::generate().unwrap();
    let signer = EcdsaKeyPair::from_pkcs8(
        &ECDSA_P256_SHA256_FIXED_SIGNING,
        &pair.serialize_der(),
        &SystemRandom::new(),
    );
    let key = PublicKey::from_pem(Algorithm::Es256, &pair.public_key_pem()).unwrap();
    let clock: Clock = Arc::new(|| UNIX_EPOCH + Duration::from_secs(NOW as u64));
    let verifier = Verifier::new(KeySet::new().with_key("i", key)).with_clock(clock);
    (signer.unwrap(), verifier.with_missing_expiry_allowed())
}

fn sign(key: &EcdsaKeyPair, header: &str, claims: &str) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

const ES256: &str = r#"{"alg":"ES256","typ":"JWT"}"#;

async fn refusal(verifier: &Verifier, token: &str) -> (ErrorKind, String) {
    let error = verifier.verify(&Secret::new(token)).await.unwrap_err();
    assert_eq!(error.grpc_code(), Some(7));
    let reason = error.message().strip_prefix("permission denied: unable to parse token: ").unwrap();
    (error.kind(), reason.to_owned())
}

#[tokio::test]
async fn a_genuine_token_gives_its_claims() {
    let (key, verifier) = setup();
    for claims in [
        r#"{"iss":"i","sub":"s"}"#.to_owned(),
        // Valid through the whole second that exp names.
        format!(r#"{{"iss":"i","sub":"s","exp":{NOW},"nbf":{NOW}}}"#),
    ] {
        let token = Secret::new(sign(&key, ES256, &claims));
        assert_eq!(verifier.verify(&token).await.unwrap().subject, "s");
    }
}

#[tokio::test]
async fn times_are_checked_without_leeway() {
    let (key, verifier) = setup();
    for (exp, nbf, kind, reason) in [
        (NOW - 1, 0, ErrorKind::TokenExpired, "token is expired by 1s"),
        (NOW - 62, 0, ErrorKind::TokenExpired, "token is expired by 1m2s"),
        (NOW - 3600, 0, ErrorKind::TokenExpired, "token is expired by 1h0m0s"),
        (NOW + 9, NOW + 1, ErrorKind::TokenNotYetValid, "token is not valid yet"),
        (i64::MIN, 0, ErrorKind::TokenExpired, "token is expired by 2562047788015215h30m7s"),
    ] {
        let token = sign(&key, ES256, &format!(r#"{{"iss":"i","exp":{exp},"nbf":{nbf}}}"#));
        assert_eq!(refusal(&verifier, &token).await, (kind, reason.to_owned()));
    }
}

#[tokio::test]
async fn issuer_algorithm_signature_and_times_are_checked_in_that_order() {
    use ErrorKind::*;
    let (key, verifier) = setup();
    let (other, _) = setup();
    let expired = r#"{"iss":"i","exp":1}"#;
    let stranger = r#"{"iss":"nobody","exp":1}"#;
    for (token, kind, reason) in [
        (sign(&other, r#"{"alg":"none"}"#, stranger), UnknownIssuer, "Auth server nobody not registered"),
        (sign(&other, r#"{"alg":"none"}"#, "{}"), UnknownIssuer, "Auth server  not registered"),
        (sign(&other, r#"{"alg":"none"}"#, expired), InvalidToken, "expected algorithm ES256 but got none"),
        (sign(&key, r#"{"alg":"HS256"}"#, expired), InvalidToken, "expected algorithm ES256 but got HS256"),
        (sign(&key, r#"{"alg":"RS256"}"#, expired), InvalidToken, "expected algorithm ES256 but got RS256"),
        (sign(&other, ES256, expired), InvalidToken, "crypto/ecdsa: verification error"),
        (sign(&key, r#"{"alg":"x"}"#, expired), InvalidToken, "signing method (alg) is unavailable."),
    ] {
        assert_eq!(refusal(&verifier, &token).await, (kind, reason.to_owned()));
    }
}

#[tokio::test]
async fn what_is_not_a_jwt_is_refused() {
    let (key, verifier) = setup();
    let good = sign(&key, ES256, r#"{"iss":"i"}"#);
    let segments = "token contains an invalid number of segments";
    for (token, reason) in [
        (String::new(), segments),
        ("a.b".into(), segments),
        (format!("{good}.x"), segments),
        (format!(" {good}"), "illegal base64 data at input byte 0"),
        (format!("{good}!"), "illegal base64 data at input byte 86"),
        (good.replacen('.', ".!", 1), "illegal base64 data at input byte 0"),
        (sign(&key, "[]", "{}"), "the header is not a JSON object with an alg"),
        (sign(&key, ES256, r#"{"exp":"x"}"#), "the claims are not a JSON object of the expected form"),
    ] {
        assert_eq!(refusal(&verifier, &token).await, (ErrorKind::InvalidToken, reason.to_owned()), "{token}");
    }
}

proptest! {
    #[test]
    fn no_token_text_panics(text in ".*", header in ".*", claims in ".*", signature in ".*") {
        let encode = |part: &str| URL_SAFE_NO_PAD.encode(part);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (_, verifier) = setup();
        for token in [
            text.clone(),
            format!("{text}.{header}.{claims}"),
            format!("{}.{}.{}", encode(&header), encode(&claims), encode(&signature)),
            format!("{}.{}.{}", encode(ES256), encode(&claims), encode(&signature)),
            format!("{}.{}.{}", encode(ES256), encode(r#"{"iss":"i"}"#), encode(&signature)),
        ] {
            prop_assert!(runtime.block_on(verifier.verify(&Secret::new(token))).is_err());
        }
    }
}
