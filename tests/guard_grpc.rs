//! A tonic server that is guarded: who gets in, what the handlers see, and what the others are told.

#[path = "support/callers.rs"]
mod callers;
#[path = "../examples/rust/guard_tonic.rs"]
#[allow(dead_code, reason = "the example's own main")]
mod example;
mod support;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::BodyExt;
use prost::Message;
use tokio::net::TcpListener;
use tonic::Status;
use tonic::body::Body;
use tonic::service::{Routes, RoutesBuilder};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tower::ServiceExt;
use ttn_auth::proto::handler::{Device, DeviceIdentifier};
use ttn_auth::{Access, Answers, AppId, Claims, ErrorKind, GrpcGuardLayer, Policy, Right, Secret};
use ttn_auth_sandbox::{ISSUER, Sandbox};

use callers::{ANSWERS, authenticator, client, everyone_calls, get_device};
use support::{mint, sandbox};

const GET_DEVICE: &str = "/handler.ApplicationManager/GetDevice";

/// Serves, and tells where.
async fn serve(guard: GrpcGuardLayer, routes: Routes) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::builder().layer(guard).add_routes(routes);
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    format!("grpc://{address}")
}

/// Answers every method with what it sees: the caller, the names of the metadata, and the body's bytes or its end.
fn seen() -> Routes {
    let seen = async |request: axum::extract::Request| {
        let (parts, body) = request.into_parts();
        let caller = parts.extensions.get::<Arc<Claims>>().map_or("nobody", |caller| &caller.subject);
        let mut names: Vec<_> = parts.headers.keys().map(|name| name.as_str()).collect();
        names.sort_unstable();
        let mut response = match Body::new(body).collect().await {
            Ok(all) => {
                let bytes: Vec<_> = all.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
                let mut response = Response::new(axum::body::Body::empty());
                response.headers_mut().insert("body", bytes.concat().parse().unwrap());
                response.headers_mut().insert("grpc-status", "0".parse().unwrap());
                response
            }
            Err(status) => status.into_http(),
        };
        response.headers_mut().insert("caller", caller.parse().unwrap());
        response.headers_mut().insert("names", names.join(",").parse().unwrap());
        response
    };
    RoutesBuilder::from(axum::Router::new().fallback(seen)).routes()
}

/// A body of these pieces, which then ends, or does not.
struct Pieces(VecDeque<Vec<u8>>, bool);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.0.pop_front() {
            Some(piece) => Poll::Ready(Some(Ok(Frame::data(piece.into())))),
            None if self.1 => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

/// What a call is answered with.
#[derive(Debug)]
struct Answer {
    status: Status,
    headers: HeaderMap,
}

impl Answer {
    fn code(&self) -> i32 {
        self.status.code() as i32
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A raw call: the bytes of its body as they are.
async fn call(address: &str, path: &str, metadata: &[(&str, &str)], body: Pieces) -> Answer {
    let endpoint = address.replace("grpc://", "http://");
    let channel = Channel::from_shared(endpoint).unwrap().connect().await.unwrap();
    let mut request = Request::post(path).header("content-type", "application/grpc");
    for (name, value) in metadata {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::new(body)).unwrap();
    let response = channel.oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let headers = response.headers().clone();
    // A refusal is trailers only; what went well has its status behind the answer.
    let status = match Status::from_header_map(&headers) {
        Some(status) => status,
        None => {
            let all = response.into_body().collect().await.unwrap();
            Status::from_header_map(all.trailers().unwrap()).unwrap()
        }
    };
    Answer { status, headers }
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&[0][..], &u32::try_from(message.len()).unwrap().to_be_bytes(), message].concat()
}

fn device(app_id: &str) -> Vec<u8> {
    DeviceIdentifier { app_id: app_id.into(), dev_id: "dev-1".into() }.encode_to_vec()
}

fn pieces(bytes: &[u8]) -> Pieces {
    Pieces(VecDeque::from([bytes.to_vec()]), true)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn guard(sandbox: &Sandbox) -> GrpcGuardLayer {
    GrpcGuardLayer::new(authenticator(sandbox), Policy::application_manager())
}

#[tokio::test]
async fn the_example_lets_in_who_may() {
    let sandbox = sandbox().await;
    let address = serve(example::guard(authenticator(&sandbox)), example::routes()).await;
    everyone_calls(&sandbox, &address, "the example").await;
}

#[tokio::test]
async fn a_client_is_told_the_cause_however_the_server_answers() {
    let sandbox = sandbox().await;
    for answers in ANSWERS {
        let address = serve(guard(&sandbox).with_answers(answers), example::routes()).await;
        everyone_calls(&sandbox, &address, &format!("{answers:?}")).await;

        // A method that there is no rule for, in a service that there is none for.
        let discovery = client(&address, Some(&sandbox.access_key()));
        let options = ttn_auth::CallOptions::default();
        let unknown =
            discovery.unary("/discovery.Discovery/Get", Bytes::new(), HeaderMap::new(), &options).await;
        assert_eq!(unknown.unwrap_err().kind(), ErrorKind::Unimplemented);

        sandbox.stop_account_server();
        for secret in ["k1", "k2"].map(|key| format!("{ISSUER}.{key}-test-app")) {
            let error = get_device(&address, Some(&secret)).await.unwrap_err();
            let code = if answers == Answers::v2() { 2 } else { 14 };
            assert_eq!((error.kind(), error.grpc_code()), (ErrorKind::ExchangeUnavailable, Some(code)));
            assert_eq!(error.message().contains("127.0.0.1"), answers == Answers::v2(), "{error}");
        }
        assert!(get_device(&address, Some(&sandbox.access_key())).await.is_ok());
        sandbox.start_account_server().await.unwrap();
    }
}

#[tokio::test]
async fn refusals_are_v2s_to_the_letter() {
    let sandbox = sandbox().await;
    let unauthenticated = Answers::standard().with_unauthenticated();
    let (v2, proper) = (serve(guard(&sandbox), seen()).await, guard(&sandbox).with_answers(unauthenticated));
    let proper = serve(proper, seen()).await;
    let token = mint(&sandbox, "kind=valid");
    let wrong_alg = mint(&sandbox, "kind=hs256");
    let good = framed(&device("test-app"));
    let form = "has wrong format. IDs can contain lowercase letters, numbers, dashes and underscores and should have a \
                maximum length of 36";
    for (path, metadata, body, codes, text) in [
        (GET_DEVICE, &[][..], &good, (3, 16), "Metadata not valid: neither token nor key present"),
        // Names and values that are V2's of HTTP are nothing here.
        (
            GET_DEVICE,
            &[("authorization", &*format!("Bearer {token}"))],
            &good,
            (3, 16),
            "Metadata not valid: neither token nor key present",
        ),
        (
            GET_DEVICE,
            &[("token", &*wrong_alg)],
            &good,
            (7, 16),
            "permission denied: unable to parse token: expected algorithm ES256 but got HS256",
        ),
        (GET_DEVICE, &[("key", "nobody.k")], &good, (2, 16), "Auth server \"nobody\" not registered"),
        (
            GET_DEVICE,
            &[("token", &*token)],
            &framed(&device("other-app")),
            (7, 7),
            "permission denied: No \"devices\" rights to Application \"other-app\"",
        ),
        // Before anyone asks who sent it.
        (
            GET_DEVICE,
            &[],
            &framed(&device("A")),
            (3, 3),
            &format!("Invalid Device Identifier: AppID not valid: {form}"),
        ),
        (
            "/handler.ApplicationManager/GetApplication",
            &[],
            &framed(b""),
            (3, 3),
            "Application Identifier not valid: AppID not valid: can not be empty",
        ),
        (
            "/handler.ApplicationManager/Nothing",
            &[("token", &*token)],
            &good,
            (12, 12),
            "unknown method Nothing",
        ),
        (
            "/handler.ApplicationManager/getDevice",
            &[("token", &*token)],
            &good,
            (12, 12),
            "unknown method getDevice",
        ),
        (
            "/grpc.health.v1.Health/Check",
            &[("token", &*token)],
            &good,
            (12, 12),
            "unknown service grpc.health.v1.Health",
        ),
        (
            "/handler.ApplicationManager/GetDevice/",
            &[("token", &*token)],
            &good,
            (12, 12),
            "unknown service handler.ApplicationManager/GetDevice",
        ),
        (
            "//handler.ApplicationManager/GetDevice",
            &[("token", &*token)],
            &good,
            (12, 12),
            "unknown method GetDevice",
        ),
    ] {
        for (address, code) in [(&v2, codes.0), (&proper, codes.1)] {
            let answer = call(address, path, metadata, pieces(body)).await;
            assert_eq!((answer.code(), answer.status.message()), (code, text), "{path} {metadata:?}");
            assert_eq!(answer.header("content-type"), "application/grpc");
            assert_eq!(answer.header("caller"), "", "the handler was called");
        }
    }
}

#[tokio::test]
async fn handlers_see_the_caller_and_the_message_and_no_credentials() {
    let sandbox = sandbox().await;
    let policy = Policy::application_manager().rule("/x.Y/Me", Access::Authenticated).unwrap();
    let address = serve(GrpcGuardLayer::new(authenticator(&sandbox), policy), seen()).await;
    let token = mint(&sandbox, "kind=valid");
    let subject = Claims::read_unverified(&Secret::new(token.as_str())).unwrap().subject;
    let body = framed(&device("test-app"));
    let cut = |size: usize| Pieces(body.chunks(size).map(<[u8]>::to_vec).collect(), true);
    let metadata = [("token", &*token), ("key", "i.k"), ("x-other", "1")];
    for path in [GET_DEVICE, "/x.Y/Me"] {
        for size in [1, 4, 5, 6, 100] {
            let answer = call(&address, path, &metadata, cut(size)).await;
            assert_eq!((answer.code(), answer.header("caller")), (0, &*subject), "{path} {answer:?}");
            assert_eq!(answer.header("body"), hex(&body));
            let names: Vec<_> = answer.header("names").split(',').collect();
            assert!(
                names.contains(&"x-other") && !names.contains(&"token") && !names.contains(&"key"),
                "{names:?}"
            );
        }
    }
    // Who may know the caller without the message does not read it.
    let answer = call(&address, "/x.Y/Me", &metadata, pieces(b"")).await;
    assert_eq!((answer.code(), answer.header("caller"), answer.header("body")), (0, &*subject, ""));
    // A key is good for one application, which the message says.
    let key = sandbox.access_key();
    assert_eq!(call(&address, "/x.Y/Me", &[("key", &key)], pieces(&body)).await.code(), 0);
    assert_eq!(call(&address, "/x.Y/Me", &[("key", &key)], pieces(b"")).await.code(), 13);
    // Open: nothing is looked at, nothing taken off.
    let answer = call(&address, "/handler.ApplicationManager/DryUplink", &metadata, pieces(b"x")).await;
    assert_eq!((answer.code(), answer.header("caller"), answer.header("body")), (0, "nobody", "78"));
    assert!(answer.header("names").split(',').any(|name| name == "token"));
}

#[tokio::test]
async fn a_key_of_the_things_stack_is_taken_in_its_own_metadata_and_taken_off() {
    let sandbox = sandbox().await;
    let stack = ttn_auth::Client::builder(sandbox.stack().grpc_address()).build().unwrap();
    let authenticator = ttn_auth::Authenticator::builder().things_stack(stack).build();
    let policy = Policy::application_manager();
    let address = serve(GrpcGuardLayer::new(authenticator, policy), seen()).await;
    for (key, app, code) in [
        ("app1_all", "app1", 0),
        ("app1_read_only", "app1", 7),
        ("app1_all", "app2", 7),
        ("app1_expired", "app1", 16),
    ] {
        let bearer = format!("Bearer {}", sandbox.stack().key(key).unwrap());
        let metadata = [("authorization", &*bearer), ("x-other", "1")];
        let answer = call(&address, GET_DEVICE, &metadata, pieces(&framed(&device(app)))).await;
        assert_eq!(answer.code(), code, "{key} {answer:?}");
        if code == 0 {
            assert_eq!(answer.header("caller"), "app1");
            assert!(
                !answer.header("names").contains("authorization")
                    && answer.header("names").contains("x-other")
            );
        }
    }
}

#[tokio::test]
async fn what_is_checked_is_what_the_handler_reads() {
    let sandbox = sandbox().await;
    let example = serve(guard(&sandbox), example::routes()).await;
    let bytes = serve(guard(&sandbox), seen()).await;
    let token = mint(&sandbox, "kind=valid");
    let (own, other) = (device("test-app"), device("other-app"));
    let both = |first: &[u8], second: &[u8]| framed(&[first, second].concat());
    let two = |first: &[u8], second: &[u8]| [framed(first), framed(second)].concat();
    let unmarshalling = |why: &str| format!("grpc: error unmarshalling request: {why}");
    for (what, body, code, text) in [
        ("its own", framed(&own), 0, String::new()),
        ("another", framed(&other), 7, String::new()),
        // Of a field that is there twice the last one counts, for both.
        ("another, then its own", both(&other, &own), 0, String::new()),
        ("its own, then another", both(&own, &other), 7, String::new()),
        ("two messages", two(&own, &other), 13, unmarshalling("more than one message")),
        ("two messages, the first not its own", two(&other, &own), 13, String::new()),
        ("none", Vec::new(), 13, unmarshalling("unexpected EOF")),
        ("an empty one", framed(b""), 3, String::new()),
        ("too little", framed(&own)[..8].to_vec(), 13, unmarshalling("unexpected EOF")),
        (
            "more than its length",
            [framed(&own), vec![0]].concat(),
            13,
            unmarshalling("more than one message"),
        ),
        ("compressed", [vec![1], framed(&own)[1..].to_vec()].concat(), 12, String::new()),
        ("another flag", [vec![2], framed(&own)[1..].to_vec()].concat(), 13, String::new()),
        ("field 1 as a number", framed(&[8, 1]), 13, String::new()),
        ("field 1 in no UTF-8", framed(&[10, 2, 0xc3, 0x28]), 13, String::new()),
        ("a length beyond the end", framed(&[10, 200, 1, b'a']), 13, String::new()),
    ] {
        for (address, is_example) in [(&example, true), (&bytes, false)] {
            let answer = call(address, GET_DEVICE, &[("token", &token)], pieces(&body)).await;
            assert_eq!(answer.code(), code, "{what}: {answer:?}");
            assert!(text.is_empty() || answer.status.message() == text, "{what}: {answer:?}");
            assert!(is_example || code != 0 || answer.header("body") == hex(&body), "{what}");
        }
    }
    // The second message comes when the first has been let in.
    let late = Pieces(VecDeque::from([framed(&own), vec![], framed(&other)]), true);
    let answer = call(&bytes, GET_DEVICE, &[("token", &token)], late).await;
    assert_eq!((answer.code(), answer.status.message()), (13, &*unmarshalling("more than one message")));
}

#[tokio::test]
async fn messages_have_limits_and_streams_have_to_be_allowed() {
    let sandbox = sandbox().await;
    let token = mint(&sandbox, "kind=valid");
    let (own, other) = (framed(&device("test-app")), framed(&device("other-app")));
    let guard = guard(&sandbox).with_max_message_size(32).with_timeout(Duration::from_millis(100));
    let address = serve(guard.with_client_streams(), seen()).await;
    let metadata = [("token", &*token)];
    let call = |body: Pieces| call(&address, GET_DEVICE, &metadata, body);
    let large = call(Pieces(VecDeque::from([framed(&[0; 33])[..5].to_vec()]), false)).await;
    assert_eq!(
        (large.code(), large.status.message()),
        (8, "grpc: received message larger than max (33 vs. 32)")
    );
    for begun in [0, 3, 5, own.len() - 1] {
        let answer = call(Pieces(VecDeque::from([own[..begun].to_vec()]), false));
        // Before the 10 s that hold if nothing else is said.
        let answer = tokio::time::timeout(Duration::from_secs(5), answer).await.unwrap();
        assert_eq!(
            (answer.code(), answer.status.message()),
            (4, "the message did not arrive within 100ms"),
            "{begun}"
        );
    }
    for (bodies, code) in [(vec![own.clone(), other.clone()], 0), (vec![other, own], 7)] {
        let answer = call(Pieces(bodies.clone().into(), true)).await;
        assert_eq!(answer.code(), code);
        assert!(code != 0 || answer.header("body") == hex(&bodies.concat()));
    }
}

#[tokio::test]
async fn the_application_can_come_from_elsewhere() {
    let sandbox = sandbox().await;
    let token = mint(&sandbox, "kind=valid");
    let key = sandbox.access_key();
    let policy = Policy::new().rule("/x.Y/{method}", Right::Devices).unwrap();
    let guard = GrpcGuardLayer::new(authenticator(&sandbox), policy);
    let fixed = guard.clone().with_app(AppId::new("test-app").unwrap());
    let metadata = guard.clone().with_app_metadata(http::HeaderName::from_static("app-id"));
    let path = guard.with_app_from(|parts| AppId::new(parts.uri.path().trim_start_matches("/x.Y/")));
    let (fixed, metadata, path) =
        (serve(fixed, seen()).await, serve(metadata, seen()).await, serve(path, seen()).await);
    for (address, method, app, code) in [
        (&fixed, "/x.Y/Z", "other-app", 0),
        (&metadata, "/x.Y/Z", "test-app", 0),
        (&metadata, "/x.Y/Z", "other-app", 7),
        (&metadata, "/x.Y/Z", "", 3),
        (&path, "/x.Y/test-app", "other-app", 0),
        (&path, "/x.Y/other-app", "test-app", 7),
    ] {
        // The message is not read: there is none.
        let answer = call(address, method, &[("token", &token), ("app-id", app)], pieces(b"")).await;
        assert_eq!(answer.code(), code, "{method} {app}: {answer:?}");
        // As for a token, except that a key of another application is no key.
        let answer = call(address, method, &[("key", &key), ("app-id", app)], pieces(b"")).await;
        assert_eq!(answer.code(), if code == 7 { 2 } else { code }, "{method} {app}: {answer:?}");
    }
}

/// The rules are those that the stand-in Handler goes by itself: whoever one keeps out, the other does, in the same words.
#[tokio::test]
async fn the_guard_refuses_as_the_handler_does() {
    let sandbox = sandbox().await;
    let address = serve(guard(&sandbox).with_answers(Answers::v2()), seen()).await;
    let methods = [
        "RegisterApplication",
        "GetApplication",
        "SetApplication",
        "GetDevice",
        "SetDevice",
        "DeleteDevice",
        "GetDevicesForApplication",
        "DryUplink",
        "DryDownlink",
        "SimulateUplink",
        "DeleteApplication",
        "Nothing",
    ];
    let secrets = [
        Some(("token", mint(&sandbox, "kind=nodevices"))),
        Some(("token", mint(&sandbox, "kind=nosettings"))),
        Some(("token", mint(&sandbox, "kind=noscope"))),
        Some(("token", mint(&sandbox, "kind=badsig"))),
        Some(("key", format!("{ISSUER}.wrong"))),
        Some(("key", format!("{ISSUER}.nodev-test-app"))),
        None,
        Some(("token", mint(&sandbox, "kind=valid"))),
    ];
    let mut refused = 0;
    for secret in &secrets {
        let metadata = Vec::from_iter(secret.iter().map(|(name, secret)| (*name, &**secret)));
        for method in methods {
            let path = format!("/handler.ApplicationManager/{method}");
            for app in ["test-app", "other-app", "A"] {
                // Of a device the Handler checks more than its ids before it looks at the caller.
                let whole = || Device { app_id: app.into(), ..support::device("dev-1", 1) }.encode_to_vec();
                let message = if method == "SetDevice" { whole() } else { device(app) };
                let bodies = || pieces(&framed(&message));
                let own = call(&address, &path, &metadata, bodies()).await;
                let handlers = call(&sandbox.grpc_address(), &path, &metadata, bodies()).await;
                let is_let_in = own.code() == 0;
                refused += usize::from(!is_let_in);
                if is_let_in {
                    let kept_out =
                        [7, 16].contains(&handlers.code()) || handlers.status.message().contains("token");
                    assert!(!kept_out, "{path} {secret:?} {app}: {handlers:?}");
                } else {
                    let (ours, theirs) = (&own.status, &handlers.status);
                    assert_eq!(ours.message(), theirs.message(), "{path} {secret:?} {app}");
                    assert_eq!(ours.code(), theirs.code());
                }
            }
        }
    }
    assert!(refused > 100, "{refused}");
}
