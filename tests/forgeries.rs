//! Every forgery that the sandbox knows, before the verifier and the authenticator, for an issuer of each algorithm: all
//! are refused with one of a caller's errors, none says what it holds, and nobody is asked for a key that a token names.

#![cfg(feature = "server")]

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::net::TcpListener;
use ttn_auth::{
    AccountServer, Algorithm, AppId, Authenticator, Carrier, ErrorKind, KeySet, Presented, PublicKey, Right,
    Secret, Verifier,
};
use ttn_auth_sandbox::forgeries::{Forger, Forgery};
use ttn_auth_sandbox::{APP_ID, Sandbox, SandboxOptions};

/// What a caller can be told of a token. Nothing else: a forgery is no failure of the server.
const REFUSALS: [ErrorKind; 4] =
    [ErrorKind::InvalidToken, ErrorKind::UnknownIssuer, ErrorKind::TokenExpired, ErrorKind::TokenNotYetValid];

/// As a server logs it: one line, whatever the token was.
const LONGEST_MESSAGE: usize = 200;

struct Scene {
    sandbox: Sandbox,
    /// Nobody may connect there.
    trap: TcpListener,
    verifier: Verifier,
    authenticator: Authenticator,
}

impl Scene {
    async fn new(algorithm: Algorithm) -> Self {
        let sandbox =
            Sandbox::start(SandboxOptions { algorithm, ..SandboxOptions::default() }).await.unwrap();
        let trap = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = sandbox.issuer().id().to_owned();
        let key = PublicKey::from_pem(algorithm, &sandbox.issuer().public_pem()).unwrap();
        let verifier = Verifier::new(KeySet::new().with_key(&issuer, key));
        let server = AccountServer::new(&sandbox.account_server()).unwrap();
        let authenticator = Authenticator::builder().auth_server(issuer, server).build();
        Self { sandbox, trap, verifier, authenticator }
    }

    fn forger(&self) -> Forger<'_> {
        Forger::new(self.sandbox.issuer(), format!("http://{}", self.trap.local_addr().unwrap()))
    }

    /// The token in the headers of a carrier, as a server finds it; nothing for one that no header can hold.
    fn presented(carrier: Carrier, token: &str) -> Option<Presented> {
        let (name, value) = match carrier {
            Carrier::GrpcMetadata => ("token", token.to_owned()),
            // HTTP trims blanks around a value: it would be another token.
            _ if token.ends_with([' ', '\t']) => return None,
            _ => ("authorization", format!("Bearer {token}")),
        };
        let mut headers = HeaderMap::new();
        headers.insert(HeaderName::from_static(name), HeaderValue::from_str(&value).ok()?);
        Some(carrier.extract(&headers))
    }

    async fn end(self) {
        // Whoever had connected would wait there.
        let contact = tokio::time::timeout(Duration::from_millis(1), self.trap.accept()).await;
        assert!(contact.is_err(), "somebody went to fetch a key from where a token said");
        self.sandbox.stop().await;
    }
}

const CARRIERS: [Carrier; 2] = [Carrier::AuthorizationHeader, Carrier::GrpcMetadata];

#[tokio::test]
async fn forgeries_are_refused() {
    for algorithm in [Algorithm::Es256, Algorithm::Rs256] {
        let scene = Scene::new(algorithm).await;
        let app = AppId::new(APP_ID).unwrap();
        let (mut wrong, mut sent) = (Vec::new(), 0);
        let forgeries = scene.forger().forgeries().unwrap();
        for Forgery { name, token } in &forgeries {
            let mut complain = |what: String| wrong.push(format!("{algorithm:?}, {name}: {what}"));
            match scene.verifier.verify(&Secret::new(token.as_str())).await {
                Ok(_) => complain("verified".into()),
                Err(error) => {
                    let message = error.to_string();
                    if !REFUSALS.contains(&error.kind()) || error.grpc_code() != Some(7) {
                        complain(format!("{:?} {:?} {message}", error.kind(), error.grpc_code()));
                    }
                    if message.len() > LONGEST_MESSAGE || message.contains(char::is_control) {
                        complain(format!("no line for a log: {message:?}"));
                    }
                    if token.split('.').any(|part| part.len() > 20 && message.contains(part)) {
                        complain("its error repeats it".into());
                    }
                }
            }
            for carrier in CARRIERS {
                let Some(presented) = Scene::presented(carrier, token) else { continue };
                sent += 1;
                match scene.authenticator.authenticate(&presented, &app).await {
                    Ok(_) => complain(format!("authenticated by {carrier:?}")),
                    Err(error) if error.kind() == ErrorKind::MissingCredentials => {}
                    Err(error) if REFUSALS.contains(&error.kind()) => {}
                    Err(error) => complain(format!("{carrier:?}: {error}")),
                }
            }
        }
        assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), forgeries.len(), wrong.join("\n"));
        assert!(sent > forgeries.len(), "{sent} of twice {} could be sent", forgeries.len());
        scene.end().await;
    }
}

#[tokio::test]
async fn odd_tokens_that_the_issuer_meant_are_accepted() {
    for algorithm in [Algorithm::Es256, Algorithm::Rs256] {
        let scene = Scene::new(algorithm).await;
        let app = AppId::new(APP_ID).unwrap();
        for Forgery { name, token } in scene.forger().genuine().unwrap() {
            let verified = scene.verifier.verify(&Secret::new(token.as_str())).await;
            let claims = verified.unwrap_or_else(|error| panic!("{algorithm:?}, {name}: {error}"));
            claims.require(&app, Right::Devices).unwrap();
            for carrier in CARRIERS {
                let presented = Scene::presented(carrier, &token).unwrap();
                let claims = scene.authenticator.authenticate(&presented, &app).await.unwrap();
                assert!(claims.allows(&app, Right::Delete), "{name}");
            }
        }
        scene.end().await;
    }
}

/// A token is good for its issuer's name alone, and an issuer's key for its own tokens alone.
#[tokio::test]
async fn one_issuers_key_is_no_other_issuers() {
    let scene = Scene::new(Algorithm::Es256).await;
    let key = |algorithm| PublicKey::from_pem(algorithm, &scene.sandbox.issuer().public_pem()).unwrap();
    let other = Verifier::new(KeySet::new().with_key("another", key(Algorithm::Es256)));
    let token = Secret::new(scene.sandbox.bearer_token().unwrap());
    assert!(scene.verifier.verify(&token).await.is_ok());
    assert_eq!(other.verify(&token).await.unwrap_err().kind(), ErrorKind::UnknownIssuer);
    scene.end().await;
}

/// Forgeries from many callers at once do not keep a good one waiting, and are not remembered as good.
#[tokio::test(flavor = "multi_thread")]
async fn good_tokens_are_verified_between_forgeries() {
    let scene = Arc::new(Scene::new(Algorithm::Es256).await);
    let app = AppId::new(APP_ID).unwrap();
    let good = Scene::presented(Carrier::GrpcMetadata, &scene.sandbox.bearer_token().unwrap()).unwrap();
    let forgeries = scene.forger().forgeries().unwrap();
    let forged: Vec<_> = forgeries
        .into_iter()
        .filter_map(|forgery| Scene::presented(Carrier::GrpcMetadata, &forgery.token))
        .map(|presented| {
            let (scene, app, good) = (scene.clone(), app.clone(), good.clone());
            tokio::spawn(async move {
                let bad = scene.authenticator.authenticate(&presented, &app).await.is_err();
                bad && scene.authenticator.authenticate(&good, &app).await.is_ok()
            })
        })
        .collect();
    for one in forged {
        assert!(one.await.unwrap());
    }
}
