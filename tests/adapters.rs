//! Calls that other libraries make: a tonic channel behind `AuthLayer`, a reqwest client behind `AuthMiddleware`. They
//! authenticate, and make a call again, as our own client does.
#![cfg(feature = "reqwest-middleware")]

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::routing::any;
use futures_util::future::BoxFuture;
use http::StatusCode;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use support::{mint, sandbox};
use tonic::transport::Channel;
use tower_layer::Layer;
use ttn_auth::proto::handler::{Device, DeviceIdentifier};
use ttn_auth::stack::{EndDevices, ListEndDevicesRequest};
use ttn_auth::{
    AccessToken, AuthLayer, AuthMiddleware, CallAuth, CallOptions, Carrier, Client, Credentials, ErrorKind,
    RetryPolicy, Secret, TokenSource,
};
use ttn_auth_sandbox::{Sandbox, SandboxOptions};

/// Gives these tokens, each until it is refused.
#[derive(Debug)]
struct Tokens(Mutex<Vec<String>>);

impl Tokens {
    fn new(tokens: &[&str]) -> Arc<Self> {
        Arc::new(Self(Mutex::new(tokens.iter().rev().map(|token| (*token).to_owned()).collect())))
    }
}

impl TokenSource for Tokens {
    fn token(&self) -> BoxFuture<'_, ttn_auth::Result<AccessToken>> {
        let token = self.0.lock().unwrap().last().unwrap().clone();
        Box::pin(async move { AccessToken::new(token) })
    }

    fn invalidate(&self, refused: &AccessToken) {
        let mut tokens = self.0.lock().unwrap();
        if tokens.len() > 1 && tokens.last().unwrap() == refused.secret().expose() {
            tokens.pop();
        }
    }
}

fn channel(address: &str) -> Channel {
    Channel::from_shared(address.replace("grpc://", "http://")).unwrap().connect_lazy()
}

/// A unary call by tonic's own client.
async fn unary<Q, A>(
    address: &str,
    layer: &AuthLayer,
    method: &'static str,
    message: Q,
) -> Result<A, tonic::Status>
where
    Q: prost::Message + Send + Sync + 'static,
    A: prost::Message + Default + Send + Sync + 'static,
{
    let mut grpc = tonic::client::Grpc::new(layer.layer(channel(address)));
    grpc.ready().await.map_err(tonic::Status::from_error)?;
    let path = http::uri::PathAndQuery::from_static(method);
    let codec = tonic_prost::ProstCodec::<Q, A>::default();
    let mut request = tonic::Request::new(message);
    request.extensions_mut().insert(CallOptions::default().idempotent(true));
    grpc.unary(request, path, codec).await.map(tonic::Response::into_inner)
}

async fn device(sandbox: &Sandbox, layer: &AuthLayer) -> Result<Device, tonic::Status> {
    let id = DeviceIdentifier { app_id: support::APP.into(), dev_id: "dev-1".into() };
    unary(&sandbox.grpc_address(), layer, "/handler.ApplicationManager/GetDevice", id).await
}

async fn devices(sandbox: &Sandbox, layer: &AuthLayer) -> Result<EndDevices, tonic::Status> {
    let request: ListEndDevicesRequest =
        ttn_auth::from_json(br#"{"application_ids":{"application_id":"app1"}}"#).unwrap();
    let method = "/ttn.lorawan.v3.EndDeviceRegistry/List";
    unary(&sandbox.stack().grpc_address(), layer, method, request).await
}

fn of_source(tokens: Arc<Tokens>) -> AuthLayer {
    AuthLayer::from_source(tokens, Carrier::GrpcMetadata)
}

#[tokio::test]
async fn a_tonic_channel_calls_with_every_credential() {
    let sandbox = sandbox().await;
    for secret in [sandbox.bearer_token().unwrap(), sandbox.access_key()] {
        let layer = AuthLayer::new(Credentials::parse(&secret).unwrap(), Carrier::GrpcMetadata);
        assert_eq!(device(&sandbox, &layer).await.unwrap().dev_id, "dev-1");
    }
    for name in ["app1_all", "oauth_access", "session_token"] {
        let secret = sandbox.stack().key(name).unwrap();
        let layer = AuthLayer::new(Credentials::parse(&secret).unwrap(), Carrier::GrpcMetadata);
        assert!(!devices(&sandbox, &layer).await.unwrap().end_devices.is_empty(), "{name}");
    }
}

#[tokio::test]
async fn a_tonic_channels_refused_token_is_replaced_and_the_call_made_again() {
    let sandbox = sandbox().await;
    let expired = mint(&sandbox, "kind=expired");
    let tokens = Tokens::new(&[&expired, &sandbox.bearer_token().unwrap()]);
    assert_eq!(device(&sandbox, &of_source(tokens)).await.unwrap().dev_id, "dev-1");
    // The Things Stack's refusals come with headers first, and trailers behind them.
    let stack = sandbox.stack();
    let [old, new] = ["oauth_access_expired", "oauth_access"].map(|name| stack.key(name).unwrap());
    devices(&sandbox, &of_source(Tokens::new(&[&old, &new]))).await.unwrap();
    // A second refusal is the call's end, as the server tells it.
    let layer = of_source(Tokens::new(&[&old, &old]));
    let status = devices(&sandbox, &layer).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::Unauthenticated);
    assert!(status.message().contains("token_expired") && !status.details().is_empty());
}

#[tokio::test]
async fn a_tonic_channel_keeps_to_a_rate_limit_and_outlives_an_outage() {
    let sandbox = support::start(SandboxOptions { rate_limit: Some(2), ..SandboxOptions::default() }).await;
    let layer = AuthLayer::new(Credentials::access_key(sandbox.access_key()).unwrap(), Carrier::GrpcMetadata);
    let calls = (0..5).map(|_| device(&sandbox, &layer));
    for answer in futures_util::future::join_all(calls).await {
        answer.unwrap();
    }
    // Nothing listens; a call that was not sent is made again until the policy ends it.
    let (address, _guard) = closed_port().await;
    let auth = Client::builder("")
        .retry(RetryPolicy::default().attempts(2).base_delay(Duration::from_millis(1)))
        .call_auth()
        .unwrap();
    let layer = AuthLayer::from_call_auth(auth, Carrier::GrpcMetadata);
    let id = DeviceIdentifier::default();
    let method = "/handler.ApplicationManager/GetDevice";
    let status = unary::<_, Device>(&address, &layer, method, id).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::Unavailable, "{status:?}");
}

/// An address where nothing listens, and what keeps others from it.
async fn closed_port() -> (String, tokio::net::TcpSocket) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    (format!("http://{}", socket.local_addr().unwrap()), socket)
}

fn plain() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().tls_backend_preconfigured(tls()).build().unwrap()
}

fn tls() -> rustls::ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    builder.unwrap().with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth()
}

fn http(auth: CallAuth) -> ClientWithMiddleware {
    ClientBuilder::new(plain()).with(AuthMiddleware::new(auth)).build()
}

fn auth(credentials: &str) -> CallAuth {
    Client::builder("").credentials(Credentials::parse(credentials).unwrap()).call_auth().unwrap()
}

#[tokio::test]
async fn reqwest_calls_with_every_credential() {
    let sandbox = sandbox().await;
    let stack = sandbox.stack();
    let v2 = format!("{}/applications/test-app/devices/dev-1", sandbox.http_address());
    let v3 = format!("{}/api/v3/applications/app1/devices", stack.http_address());
    for (url, secret) in [
        (&v2, sandbox.bearer_token().unwrap()),
        (&v2, sandbox.access_key()),
        (&v3, stack.api_key()),
        (&v3, stack.key("oauth_access").unwrap()),
    ] {
        let answer = http(auth(&secret)).get(url).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{url}");
    }
}

#[tokio::test]
async fn reqwests_refused_token_is_replaced_and_what_is_final_comes_as_it_is() {
    let sandbox = sandbox().await;
    let stack = sandbox.stack();
    let [old, new] = ["oauth_access_expired", "oauth_access"].map(|name| stack.key(name).unwrap());
    let v3 = format!("{}/api/v3/applications/app1/devices", stack.http_address());
    let of = |tokens| Client::builder("").token_source(tokens).call_auth().unwrap();
    let answer = http(of(Tokens::new(&[&old, &new]))).get(&v3).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let answer = http(of(Tokens::new(&[&old]))).get(&v3).send().await.unwrap();
    assert_eq!((answer.status(), answer.url().as_str()), (StatusCode::UNAUTHORIZED, &*v3));
    let error = answer.extensions().get::<ttn_auth::Error>().unwrap();
    assert_eq!(error.kind(), ErrorKind::TokenExpired);
    assert!(!format!("{error:?}").contains(old.rsplit('.').next().unwrap()));
    assert!(answer.text().await.unwrap().contains("token_expired"));
    // V2 says it with 500.
    let v2 = format!("{}/applications/test-app/devices/dev-1", sandbox.http_address());
    let tokens = Tokens::new(&[&mint(&sandbox, "kind=expired"), &sandbox.bearer_token().unwrap()]);
    assert_eq!(http(of(tokens)).get(&v2).send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn reqwest_repeats_what_may_be_repeated_and_sends_a_stream_once() {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let app = axum::Router::new().fallback(any(move || {
        let number = counted.fetch_add(1, Ordering::SeqCst);
        async move { if number.is_multiple_of(2) { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK } }
    }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/x", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let client = http(auth("NNSXS.ID.SECRET"));
    assert_eq!(client.get(&url).send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(count.swap(0, Ordering::SeqCst), 2);
    assert_eq!(client.post(&url).send().await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(count.swap(0, Ordering::SeqCst), 1);
    let mut request = client.post(&url).body("x");
    request.extensions().insert(CallOptions::default().idempotent(true));
    assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(count.swap(0, Ordering::SeqCst), 2);
    let stream = reqwest::Body::wrap_stream(futures_util::stream::iter([Ok::<_, std::io::Error>("x")]));
    let answer = client.put(&url).body(stream).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.extensions().get::<ttn_auth::Error>().unwrap().is_transient());
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn reqwests_credentials_go_where_they_may_and_no_redirect_carries_them_off() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let list = seen.clone();
    let elsewhere = axum::Router::new().fallback(any(move |headers: http::HeaderMap| {
        list.lock().unwrap().push(headers.contains_key("authorization"));
        async { StatusCode::OK }
    }));
    let other = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("http://localhost:{}/x", other.local_addr().unwrap().port());
    let location = target.clone();
    tokio::spawn(async move { axum::serve(other, elsewhere).await });
    let redirect = axum::Router::new()
        .fallback(any(move || async move { (StatusCode::TEMPORARY_REDIRECT, [("location", location)]) }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, redirect).await });
    let own = Client::builder(&here)
        .credentials(Credentials::api_key("NNSXS.ID.SECRET").unwrap())
        .call_auth()
        .unwrap();
    let client = http(own);
    assert_eq!(client.get(format!("{here}/x")).send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(*seen.lock().unwrap(), [false]);
    for (url, kind) in
        [(target.as_str(), ErrorKind::InvalidArgument), ("http://192.0.2.1/", ErrorKind::InsecureTransport)]
    {
        let error = client.get(url).send().await.unwrap_err();
        let reqwest_middleware::Error::Middleware(error) = error else { panic!("{error:?}") };
        assert_eq!(error.downcast_ref::<ttn_auth::Error>().unwrap().kind(), kind, "{url}");
    }
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[test]
fn neither_shows_a_secret() {
    let secret = Secret::new("NNSXS.ID.HUNTER2HUNTER2");
    let credentials = Credentials::api_key(secret.expose()).unwrap();
    let layer = AuthLayer::new(credentials, Carrier::GrpcMetadata);
    let shown = format!("{layer:?} {:?} {:?}", layer.layer(()), AuthMiddleware::new(auth(secret.expose())));
    assert!(!shown.contains("HUNTER2"), "{shown}");
}
