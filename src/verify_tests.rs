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

fn public(key: &EcdsaKeyPair) -> PublicKey {
    use ring::signature::KeyPair;
    use x509_cert::der::EncodePem;
    use x509_cert::der::asn1::{Any, BitString, ObjectIdentifier};
    use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
    let p256 = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
    let spki = SubjectPublicKeyInfoOwned {
        algorithm: AlgorithmIdentifierOwned {
            oid: ObjectIdentifier::new_unwrap("1.2.840.10045.2.1"),
            parameters: Some(Any::from(&p256)),
        },
        subject_public_key: BitString::from_bytes(key.public_key().as_ref()).unwrap(),
    };
    PublicKey::from_pem(Algorithm::Es256, &spki.to_pem(Default::default()).unwrap()).unwrap()
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
        (
            sign(&key, ES256, r#"["i","s",4000000000]"#),
            "the claims are not a JSON object of the expected form",
        ),
        (sign(&key, "[]", "{}"), "the header is not a JSON object with an alg"),
        (sign(&key, ES256, r#"{"exp":"x"}"#), "the claims are not a JSON object of the expected form"),
    ] {
        assert_eq!(refusal(&verifier, &token).await, (ErrorKind::InvalidToken, reason.to_owned()), "{token}");
    }
}

#[tokio::test]
async fn each_issuer_signs_for_itself_only() {
    let ((one, lenient), (other, _)) = (setup(), setup());
    let keys = KeySet::new().with_key("one", public(&one)).with_key("other", public(&other));
    let verifier = Verifier::new(keys).with_clock(lenient.clock.clone()).with_missing_expiry_allowed();
    for (key, issuer, good) in
        [(&one, "one", true), (&other, "other", true), (&one, "other", false), (&other, "one", false)]
    {
        let token = Secret::new(sign(key, ES256, &format!(r#"{{"iss":"{issuer}"}}"#)));
        assert_eq!(verifier.verify(&token).await.is_ok(), good, "{issuer}");
    }
}

#[tokio::test]
async fn clocks_may_differ_by_the_leeway() {
    let (key, verifier) = setup();
    let verifier = verifier.with_leeway(Duration::from_millis(29_001));
    for (exp, nbf, kind) in [
        (NOW - 30, NOW + 30, None),
        (NOW - 31, 0, Some(ErrorKind::TokenExpired)),
        (NOW + 99, NOW + 31, Some(ErrorKind::TokenNotYetValid)),
        (i64::MAX, i64::MIN, None),
    ] {
        let token = Secret::new(sign(&key, ES256, &format!(r#"{{"iss":"i","exp":{exp},"nbf":{nbf}}}"#)));
        assert_eq!(verifier.verify(&token).await.err().map(|error| error.kind()), kind, "{exp} {nbf}");
    }
}

#[tokio::test]
async fn a_token_for_ever_and_a_large_one_are_refused_unless_they_are_allowed() {
    let (key, lenient) = setup();
    let keys = KeySet::new().with_key("i", public(&key));
    let verifier = Verifier::new(keys).with_clock(lenient.clock.clone());
    let for_ever = sign(&key, ES256, r#"{"iss":"i"}"#);
    assert_eq!(refusal(&verifier, &for_ever).await.1, "token does not expire (exp is missing)");
    assert!(lenient.verify(&Secret::new(&for_ever)).await.is_ok());

    let padded = |bytes: usize| {
        let claims = format!(r#"{{"iss":"i","exp":{NOW},"pad":"{}"}}"#, "x".repeat(bytes));
        sign(&key, ES256, &claims)
    };
    let large = padded(40_000);
    assert!(verifier.verify(&Secret::new(&large)).await.is_ok());
    let verifier = verifier.with_max_token_size(large.len() - 1);
    let expected = format!("token is larger than {} bytes", large.len() - 1);
    assert_eq!(refusal(&verifier, &large).await, (ErrorKind::InvalidToken, expected));
    // Its size is looked at before anything else is.
    assert!(refusal(&verifier, &"x".repeat(1 << 20)).await.1.starts_with("token is larger"));
}

#[tokio::test]
async fn a_remembered_token_expires_all_the_same() {
    let (key, verifier) = setup();
    let now = Arc::new(std::sync::atomic::AtomicI64::new(NOW));
    let clock = now.clone();
    let read =
        move || UNIX_EPOCH + Duration::from_secs(clock.load(std::sync::atomic::Ordering::SeqCst) as u64);
    let verifier = verifier.with_clock(Arc::new(read));
    let token = Secret::new(sign(&key, ES256, &format!(r#"{{"iss":"i","exp":{NOW}}}"#)));
    assert!(!verifier.know(&token).await.unwrap().is_again());
    let second = verifier.know(&token).await.unwrap();
    assert!(second.is_again());
    assert!(Arc::ptr_eq(second.claims(), &verifier.verify(&token).await.unwrap()), "remembered");
    now.store(NOW + 1, std::sync::atomic::Ordering::SeqCst);
    for _ in 0..2 {
        assert_eq!(refusal(&verifier, token.expose()).await.0, ErrorKind::TokenExpired);
    }
    // Nor before its time, should the clock be put back.
    now.store(NOW, std::sync::atomic::Ordering::SeqCst);
    assert!(verifier.verify(&token).await.is_ok());
}

#[tokio::test]
async fn how_long_a_known_token_is_good() {
    let (key, verifier) = setup();
    let known = async |verifier: &Verifier, exp: i64, nbf: i64| {
        let token = sign(&key, ES256, &format!(r#"{{"iss":"i","exp":{exp},"nbf":{nbf}}}"#));
        verifier.know(&Secret::new(token)).await.unwrap()
    };
    let at = |millis: i64| -> Clock {
        Arc::new(move || UNIX_EPOCH + Duration::from_millis((NOW * 1000 + millis) as u64))
    };
    // Through the whole second that exp names.
    let soon = known(&verifier, NOW + 1, NOW).await;
    let verifier = verifier.with_clock(at(250));
    assert_eq!(verifier.good_for(&soon), Duration::from_millis(1750));
    let verifier = verifier.with_clock(at(1999));
    assert_eq!(verifier.good_for(&soon), Duration::from_millis(1));
    for late in [2000, 3_600_000] {
        let verifier = Verifier { clock: at(late), ..setup().1 };
        assert_eq!(verifier.good_for(&soon), Duration::ZERO, "by another key, too");
    }
    let verifier = verifier.with_clock(at(2000));
    assert_eq!(verifier.good_for(&soon), Duration::ZERO);
    let verifier = verifier.with_clock(at(-1));
    assert_eq!(verifier.good_for(&soon), Duration::ZERO, "before nbf");
    let verifier = verifier.with_leeway(Duration::from_secs(9)).with_clock(at(2000));
    assert_eq!(verifier.good_for(&soon), Duration::from_secs(9));
    // For ever: its key was given, and stays.
    for (exp, nbf) in [(0, 0), (i64::MAX, i64::MIN)] {
        assert!(verifier.good_for(&known(&verifier, exp, nbf).await) > Duration::from_secs(1 << 40));
    }
    let (_, other) = setup();
    assert_eq!(other.with_clock(at(0)).good_for(&soon), Duration::ZERO, "its key is another");
}

#[tokio::test]
async fn a_known_token_is_good_while_its_key_is_fresh_and_the_same() {
    let ((one, lenient), (two, _)) = (setup(), setup());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    let write = |key: &EcdsaKeyPair| std::fs::write(&path, public(key).to_json()).unwrap();
    write(&one);
    let age = Duration::from_secs(60);
    let keys = KeySet::new().with_key_file("i", &path).with_max_age(age);
    let verifier = Verifier::new(keys).with_clock(lenient.clock.clone()).with_missing_expiry_allowed();
    let changes = || verifier.keys().changes().load(std::sync::atomic::Ordering::SeqCst);
    assert_eq!(changes(), 0);
    let known = verifier.know(&Secret::new(sign(&one, ES256, r#"{"iss":"i"}"#))).await.unwrap();
    assert_eq!(changes(), 1);
    assert!((Duration::from_secs(50)..=age).contains(&verifier.good_for(&known)));
    // The same key again.
    verifier.keys().reload().await.unwrap();
    assert_eq!(changes(), 1);
    assert!(!verifier.good_for(&known).is_zero());
    write(&two);
    verifier.keys().reload().await.unwrap();
    assert_eq!(changes(), 2);
    assert!(verifier.good_for(&known).is_zero());
    // The key of old once more: as the same `Arc` it is not, and computed anew.
    write(&one);
    verifier.keys().reload().await.unwrap();
    assert!(verifier.good_for(&known).is_zero());
}

#[tokio::test]
async fn what_a_token_brings_along_is_not_used_and_no_name_comes_twice() {
    let (key, verifier) = setup();
    let (other, _) = setup();
    let good = r#"{"iss":"i"}"#;
    for header in [
        r#"{"alg":"ES256","kid":"../../etc/passwd","x5u":"http://127.0.0.1:1/","jku":"http://127.0.0.1:1/"}"#,
        r#"{"alg":"ES256","jwk":{"kty":"EC"},"x5c":["AAAA"]}"#,
    ] {
        assert!(verifier.verify(&Secret::new(sign(&key, header, good))).await.is_ok(), "{header}");
        assert_eq!(
            refusal(&verifier, &sign(&other, header, good)).await.1,
            "crypto/ecdsa: verification error"
        );
    }
    let crit = sign(&key, r#"{"alg":"ES256","crit":["exp"]}"#, good);
    assert_eq!(refusal(&verifier, &crit).await.1, "the header has critical extensions (crit)");
    for (header, claims) in [
        (r#"{"alg":"ES256","alg":"ES256"}"#, good),
        (ES256, r#"{"iss":"i","iss":"i"}"#),
        (ES256, r#"{"iss":"i","x":1,"x":2}"#),
        (ES256, r#"{"iss":"i","apps":{"a":["devices"],"a":[]}}"#),
    ] {
        assert_eq!(refusal(&verifier, &sign(&key, header, claims)).await.0, ErrorKind::InvalidToken);
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

#[tokio::test]
async fn nobody_has_a_right_of_the_things_stack_by_a_token() {
    let (key, verifier) = setup();
    let claims =
        r#"{"iss":"i","scope":["apps:a-b"],"apps":{"a-b":["devices","RIGHT_APPLICATION_DEVICES_READ"]}}"#;
    let claims = verifier.verify(&Secret::new(sign(&key, ES256, claims))).await.unwrap();
    let app = crate::AppId::new("a-b").unwrap();
    assert!(claims.allows(&app, crate::Right::Devices));
    assert!(!claims.allows(&app, crate::Right::StackReadDevices));
}
