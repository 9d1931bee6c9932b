//! Each kind decodes to what its name says, and its signature is as good or bad as it should be.

use super::*;
use crate::clock::OffClock;
use crate::issuer::ISSUER;
use ring::signature::{ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use std::collections::HashSet;

fn now() -> i64 {
    OffClock::default().seconds()
}

fn issuer(algorithm: Algorithm) -> Issuer {
    Issuer::new(ISSUER, algorithm).unwrap()
}

fn mint(issuer: &Issuer, arguments: &str) -> String {
    issuer.mint(&Mint::parse(arguments).unwrap()).unwrap()
}

fn part(token: &str, index: usize) -> Value {
    let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(index).unwrap()).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

fn claims(token: &str) -> Value {
    assert_eq!(token.split('.').count(), 3);
    part(token, 1)
}

/// Verifies with a public PEM, as an outsider would.
fn verifies(token: &str, pem: &str) -> bool {
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let spki = base64::engine::general_purpose::STANDARD.decode(body).unwrap();
    let (input, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    if spki.len() == 91 {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &spki[26..])
            .verify(input.as_bytes(), &signature)
            .is_ok()
    } else {
        // 24 bytes: SEQUENCE (4), AlgorithmIdentifier (15), BIT STRING (4) and its count of unused bits (1).
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &spki[24..])
            .verify(input.as_bytes(), &signature)
            .is_ok()
    }
}

#[test]
fn a_valid_token_has_everything_a_right_needs() {
    for algorithm in [Algorithm::Es256, Algorithm::Rs256] {
        let issuer = issuer(algorithm);
        let token = mint(&issuer, "kind=valid");
        let claims = claims(&token);
        let now = now();
        assert_eq!(part(&token, 0), json!({ "alg": algorithm.name(), "typ": "JWT" }));
        assert_eq!(claims["iss"], ISSUER);
        assert_eq!(claims["scope"], json!(["apps:test-app"]));
        assert_eq!(claims["apps"], json!({ "test-app": APPLICATION_RIGHTS }));
        assert!((now - 7..=now - 5).contains(&claims["iat"].as_i64().unwrap()));
        assert!((now + 3598..=now + 3600).contains(&claims["exp"].as_i64().unwrap()));
        assert!(verifies(&token, &issuer.public_pem()));
    }
}

#[test]
fn each_kind_differs_where_its_name_says() {
    for algorithm in [Algorithm::Es256, Algorithm::Rs256] {
        let issuer = issuer(algorithm);
        let now = now();
        for kind in TokenKind::ALL {
            let token = mint(&issuer, &format!("kind={}", kind.name()));
            let claims = claims(&token);
            let good = !matches!(
                kind,
                TokenKind::BadSignature
                    | TokenKind::Tampered
                    | TokenKind::WrongAlgorithm
                    | TokenKind::Unsigned
                    | TokenKind::Hmac
            );
            assert_eq!(verifies(&token, &issuer.public_pem()), good, "{kind:?}");
            let exp = claims["exp"].as_i64();
            match kind {
                TokenKind::NoExpiry => assert_eq!(exp, None),
                TokenKind::Expired => assert!((now - 3600..=now - 3590).contains(&exp.unwrap())),
                _ => assert!((now + 3600..=now + 3610).contains(&exp.unwrap()), "{kind:?}"),
            }
            assert_eq!(
                claims["nbf"].as_i64().is_some_and(|nbf| nbf > now + 3000),
                *kind == TokenKind::Future
            );
            assert_eq!(claims["iss"], if *kind == TokenKind::WrongIssuer { "nobody" } else { ISSUER });
            let app = if *kind == TokenKind::OtherApp { "other-app" } else { "test-app" };
            let rights = match kind {
                TokenKind::NoDevices => json!(["settings", "messages:up:r"]),
                TokenKind::NoSettings => json!(["devices"]),
                _ => json!(APPLICATION_RIGHTS),
            };
            assert_eq!(claims["apps"], json!({ app: rights }), "{kind:?}");
            let scope = if *kind == TokenKind::NoScope { json!([]) } else { json!([format!("apps:{app}")]) };
            assert_eq!(claims["scope"], scope, "{kind:?}");
        }
    }
}

#[test]
fn the_bad_signatures_are_bad_in_their_own_way() {
    let issuer = issuer(Algorithm::Es256);
    let algorithm = |token: &str| part(token, 0)["alg"].as_str().unwrap().to_owned();
    let bad = mint(&issuer, "kind=badsig");
    assert_eq!(algorithm(&bad), "ES256");
    assert!(verifies(&bad, &issuer.pem_of(SigningKey::Es256Other)));
    assert!(verifies(&mint(&issuer, "kind=valid key=es256-other"), &issuer.pem_of(SigningKey::Es256Other)));
    let wrong = mint(&issuer, "kind=wrongalg");
    assert_eq!(algorithm(&wrong), "RS256");
    assert!(verifies(&wrong, &issuer.pem_of(SigningKey::Rs256)));
    let unsigned = mint(&issuer, "kind=none iss=nobody");
    assert_eq!((algorithm(&unsigned).as_str(), unsigned.ends_with('.')), ("none", true));
    assert_eq!(claims(&unsigned)["iss"], "nobody");
    let token = mint(&issuer, "kind=hs256");
    let (input, signature) = token.rsplit_once('.').unwrap();
    assert_eq!(algorithm(&token), "HS256");
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, issuer.public_pem().as_bytes());
    ring::hmac::verify(&key, input.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
}

#[test]
fn arguments_override_the_kind() {
    let issuer = issuer(Algorithm::Es256);
    let claims_of = |arguments| claims(&mint(&issuer, arguments));
    let late = claims_of("kind=valid exp=-1s");
    assert!(late["exp"].as_i64().unwrap() < now());
    assert!(claims_of("kind=noexp exp=1h")["exp"].as_i64().unwrap() > now());
    assert_eq!(claims_of("kind=valid iss=")["iss"], "");
    assert_eq!(claims_of("kind=valid app=ghost-app")["scope"], json!(["apps:ghost-app"]));
    assert_eq!(claims_of("kind=valid scope=apps")["scope"], json!(["apps"]));
    assert_eq!(claims_of("")["iss"], ISSUER);
    assert!(mint(&issuer, "kind=valid pad=48000").len() > 64_000);
    let own = Mint { subject: Some("me".into()), rights: Some(vec!["devices".into()]), ..Mint::default() };
    let own = claims(&issuer.mint(&own).unwrap());
    assert_eq!((&own["sub"], &own["apps"]["test-app"]), (&json!("me"), &json!(["devices"])));
}

#[test]
fn subjects_are_fresh_and_keys_are_new_at_every_start() {
    let issuer = issuer(Algorithm::Es256);
    let subjects: HashSet<String> =
        (0..50).map(|_| claims(&mint(&issuer, "kind=valid"))["sub"].to_string()).collect();
    assert_eq!(subjects.len(), 50);
    assert_ne!(issuer.public_pem(), super::tests::issuer(Algorithm::Es256).public_pem());
}

#[test]
fn durations_are_read_as_go_writes_them() {
    for (text, seconds) in [
        ("-1s", -1),
        ("1h", 3600),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("+2m", 120),
        ("0", 0),
        ("-500ms", -1),
        ("999ms", 0),
        ("-1h0m1s", -3601),
    ] {
        assert_eq!(go_seconds(text).unwrap(), seconds, "{text}");
    }
    for text in ["", "-", "1", "1x", "h", "1h2", "é", "1.2.3s"] {
        assert_eq!(go_seconds(text).unwrap_err().kind(), ErrorKind::InvalidArgument, "{text}");
    }
}

#[test]
fn wrong_arguments_are_named() {
    for (arguments, message) in [
        ("kind=nope", "unknown token kind \"nope\""),
        ("valid", "has no value"),
        ("kind=valid colour=red", "unknown token argument \"colour\""),
        ("pad=-1", "not a size"),
        ("key=rsa", "unknown token key"),
        ("exp=soon", "not a duration"),
    ] {
        let error = Mint::parse(arguments).unwrap_err();
        assert!(error.message().contains(message), "{arguments}: {error}");
    }
}
