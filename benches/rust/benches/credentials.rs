//! What the core does with credentials, one thing at a time: reading, attaching, finding, remembering and verifying them.

use std::hint::black_box;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use http::HeaderMap;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use tokio::runtime::{Builder, Runtime};
use ttn_auth::{
    AccessToken, Algorithm, Carrier, Credentials, KeySet, Lifetime, PublicKey, Secret, TokenCache, TokenFn,
    TokenSource, Verifier,
};

/// An issuer with a signing key of its own.
struct Issuer {
    signer: EcdsaKeyPair,
    key: PublicKey,
}

impl Issuer {
    fn new() -> Self {
        let pair = rcgen::KeyPair::generate().unwrap();
        let signer = EcdsaKeyPair::from_pkcs8(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            &pair.serialize_der(),
            &SystemRandom::new(),
        );
        let key = PublicKey::from_pem(Algorithm::Es256, &pair.public_key_pem()).unwrap();
        Self { signer: signer.unwrap(), key }
    }

    /// A token as an account server issues it, good for a century.
    fn token(&self, number: usize) -> String {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","typ":"JWT"}"#);
        let claims = format!(
            r#"{{"iss":"bench","sub":"app-{number}","type":"application","iat":1700000000,"exp":4800000000,"scope":["apps"],"apps":{{"test-app":["settings","devices","delete"]}}}}"#
        );
        let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims));
        let signature = self.signer.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn verifier(&self) -> Verifier {
        Verifier::new(KeySet::new().with_key("bench", self.key.clone()))
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn reading(criterion: &mut Criterion) {
    let token = Issuer::new().token(0);
    criterion.bench_function("credentials: a token by its shape", |bencher| {
        bencher.iter(|| Credentials::parse(black_box(&token)).unwrap());
    });
    criterion.bench_function("credentials: a key by its shape", |bencher| {
        bencher.iter(|| Credentials::parse(black_box("ttn-account-v2.abcdefghijklmnopqrstuvwxyz")).unwrap());
    });
    let secret = Secret::new(token.clone());
    criterion.bench_function("token: its life", |bencher| {
        bencher.iter(|| Lifetime::of(black_box(&secret), None, tokio::time::Instant::now()).unwrap());
    });
}

fn carrying(criterion: &mut Criterion) {
    let credentials = Credentials::bearer_token(Issuer::new().token(0)).unwrap();
    for (name, carrier) in [("header", Carrier::AuthorizationHeader), ("metadata", Carrier::GrpcMetadata)] {
        criterion.bench_function(&format!("carrier: insert as {name}"), |bencher| {
            let empty = || HeaderMap::with_capacity(8);
            let insert = |headers: &mut HeaderMap| carrier.insert(black_box(&credentials), headers).unwrap();
            bencher.iter_batched_ref(empty, insert, BatchSize::SmallInput);
        });
        let mut headers = HeaderMap::new();
        carrier.insert(&credentials, &mut headers).unwrap();
        criterion.bench_function(&format!("carrier: extract from {name}"), |bencher| {
            bencher.iter(|| carrier.extract(black_box(&headers)));
        });
    }
}

fn remembering(criterion: &mut Criterion) {
    let runtime = runtime();
    let token = AccessToken::new(Issuer::new().token(0)).unwrap();
    let cache = TokenCache::new(TokenFn::new("bench", move || {
        let token = token.clone();
        async move { Ok(token) }
    }));
    runtime.block_on(cache.token()).unwrap();
    criterion.bench_function("cache: a token that is there", |bencher| {
        bencher.iter_custom(|times| {
            runtime.block_on(async {
                let begun = std::time::Instant::now();
                for _ in 0..times {
                    black_box(cache.token().await.unwrap());
                }
                begun.elapsed()
            })
        });
    });
}

fn verifying(criterion: &mut Criterion) {
    let (runtime, issuer) = (runtime(), Issuer::new());
    // More than are remembered.
    let tokens: Vec<_> = (0..16_000).map(|number| Secret::new(issuer.token(number))).collect();
    let verify = |verifier: &Verifier, tokens: &mut dyn Iterator<Item = &Secret>, times: u64| {
        runtime.block_on(async {
            let begun = std::time::Instant::now();
            for token in tokens.take(usize::try_from(times).unwrap()) {
                black_box::<Arc<_>>(verifier.verify(token).await.unwrap());
            }
            begun.elapsed()
        })
    };
    // On from where the last sample ended: from the first one again, they would have come before.
    let (verifier, mut others) = (issuer.verifier(), tokens.iter().cycle());
    criterion.bench_function("verify: ES256, each token the first time", |bencher| {
        bencher.iter_custom(|times| verify(&verifier, &mut others, times));
    });
    let (verifier, mut few) = (issuer.verifier(), tokens[..100].iter().cycle());
    criterion.bench_function("verify: ES256, a token seen before", |bencher| {
        bencher.iter_custom(|times| verify(&verifier, &mut few, times));
    });
}

criterion_group!(benches, reading, carrying, remembering, verifying);
criterion_main!(benches);
