//! Streams: messages as they come, over gRPC and HTTP; how they begin, break, and end. Events of The Things Stack, which are
//! opened again.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt;
use http::{HeaderMap, Request};
use prost::Message;
use serde_json::{Value, json};
use support::sandbox;
use ttn_auth::stack::{self, StreamEventsRequest};
use ttn_auth::{
    AccessToken, CallOptions, Client, Credentials, ErrorKind, Event, EventOptions, EventStream, Result,
    Streaming, TokenFn, Transport, from_json,
};
use ttn_auth_sandbox::Sandbox;

const PLENTY: Duration = Duration::from_secs(20);

fn client(sandbox: &Sandbox, address: String, key: &str) -> Client {
    let key = Credentials::parse(&sandbox.stack().key(key).unwrap()).unwrap();
    Client::builder(address).ca(sandbox.ca()).credentials(key).build().unwrap()
}

fn addresses(sandbox: &Sandbox) -> [String; 4] {
    let stack = sandbox.stack();
    [stack.grpc_address(), stack.grpcs_address(), stack.http_address(), stack.https_address()]
}

fn request() -> StreamEventsRequest {
    from_json(br#"{"identifiers":[{"application_ids":{"application_id":"app1"}}]}"#).unwrap()
}

async fn stream(client: &Client) -> Result<Streaming> {
    let options = CallOptions::default();
    match client.transport() {
        Transport::Grpc => {
            let message = request().encode_to_vec().into();
            client.stream("/ttn.lorawan.v3.Events/Stream", message, HeaderMap::new(), &options).await
        }
        _ => {
            let body = Bytes::from(ttn_auth::to_json(&request()).unwrap());
            client.stream_request(Request::post("/api/v3/events").body(body).unwrap(), &options).await
        }
    }
}

async fn named(stream: &mut Streaming, transport: Transport) -> String {
    let message = tokio::time::timeout(PLENTY, stream.next()).await.unwrap().unwrap().unwrap();
    match transport {
        Transport::Grpc => stack::Event::decode(message).unwrap().name,
        _ => from_json::<stack::Event>(&message).unwrap().name,
    }
}

async fn next(events: &mut EventStream) -> Option<Result<Event>> {
    tokio::time::timeout(PLENTY, events.next()).await.unwrap()
}

/// Until the server has noticed.
async fn until(mut is_so: impl FnMut() -> bool) {
    let noticed = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PLENTY, noticed).await.unwrap();
}

#[tokio::test]
async fn messages_come_one_by_one_and_dropping_cancels() {
    let sandbox = sandbox().await;
    for address in addresses(&sandbox) {
        let client = client(&sandbox, address, "app1_all");
        let mut open = stream(&client).await.unwrap();
        assert!(open.metadata().contains_key("content-type"));
        assert_eq!(named(&mut open, client.transport()).await, "events.stream.start");
        for name in ["one", "two", "three"] {
            assert_eq!(sandbox.stack().emit("app1", json!({ "name": name })).unwrap(), 1);
        }
        for name in ["one", "two", "three"] {
            assert_eq!(named(&mut open, client.transport()).await, name);
        }
        // A wait that is given up loses nothing.
        assert!(tokio::time::timeout(Duration::ZERO, open.next()).await.is_err());
        sandbox.stack().emit("app1", json!({ "name": "four" })).unwrap();
        assert_eq!(named(&mut open, client.transport()).await, "four");
        drop(open);
        until(|| sandbox.stack().open_streams() == 0).await;
    }
}

#[tokio::test]
async fn a_refusal_before_the_first_message_has_the_kind_of_a_calls() {
    let sandbox = sandbox().await;
    for address in addresses(&sandbox) {
        for (key, kind) in [
            ("app1_expired", ErrorKind::KeyExpired),
            ("app1_wrong_secret", ErrorKind::InvalidKey),
            ("app2_all", ErrorKind::PermissionDenied),
        ] {
            let error = stream(&client(&sandbox, address.clone(), key)).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{address} {key}: {error}");
            assert!(error.details().is_some(), "{address} {key}: {error:?}");
        }
    }
}

#[tokio::test]
async fn a_stream_that_breaks_says_so_once() {
    let sandbox = sandbox().await;
    for address in addresses(&sandbox) {
        let client = client(&sandbox, address.clone(), "app1_all");
        let mut open = stream(&client).await.unwrap();
        named(&mut open, client.transport()).await;
        assert_eq!(sandbox.stack().break_streams(), 1);
        let error = open.next().await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{address}: {error:?}");
        assert!(open.next().await.is_none());
    }
}

#[tokio::test]
async fn closing_the_client_ends_its_streams_and_events() {
    let sandbox = sandbox().await;
    for address in addresses(&sandbox) {
        let client = client(&sandbox, address, "app1_all");
        let mut open = stream(&client).await.unwrap();
        named(&mut open, client.transport()).await;
        let mut events = client.events(request(), EventOptions::default());
        next(&mut events).await.unwrap().unwrap();
        client.close();
        assert_eq!(open.next().await.unwrap().unwrap_err().kind(), ErrorKind::Cancelled);
        assert_eq!(next(&mut events).await.unwrap().unwrap_err().kind(), ErrorKind::Cancelled);
        assert!(next(&mut events).await.is_none());
        drop((open, events));
        until(|| sandbox.stack().open_streams() == 0).await;
    }
}

#[tokio::test]
async fn a_refused_token_is_replaced_and_the_stream_opened_once_more() {
    let sandbox = sandbox().await;
    for address in [sandbox.stack().grpc_address(), sandbox.stack().http_address()] {
        let asked = Arc::new(AtomicUsize::new(0));
        let (counted, expired, good) = (
            asked.clone(),
            sandbox.stack().key("oauth_access_expired").unwrap(),
            sandbox.stack().key("oauth_access").unwrap(),
        );
        let source = TokenFn::new("test", move || {
            let first = counted.fetch_add(1, Ordering::SeqCst) == 0;
            let text = if first { expired.clone() } else { good.clone() };
            async move { AccessToken::new(text) }
        });
        let client = Client::builder(address).token_source(Arc::new(source)).build().unwrap();
        let mut open = stream(&client).await.unwrap();
        assert_eq!(named(&mut open, client.transport()).await, "events.stream.start");
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }
}

#[tokio::test]
async fn slow_streams_hold_no_call_up() {
    let sandbox = sandbox().await;
    let stack = sandbox.stack();
    let client = client(&sandbox, stack.grpc_address(), "app1_all");
    let open = [stream(&client).await.unwrap(), stream(&client).await.unwrap()];
    let text = "x".repeat(1 << 20);
    for _ in 0..4 {
        stack.emit("app1", json!({ "name": "large", "origin": text })).unwrap();
    }
    assert!(client.auth_info(&CallOptions::default()).await.unwrap().is_some());
    // And they are read all the same.
    for mut open in open {
        assert_eq!(named(&mut open, Transport::Grpc).await, "events.stream.start");
        for _ in 0..4 {
            assert_eq!(named(&mut open, Transport::Grpc).await, "large");
        }
    }
}

#[tokio::test]
async fn an_event_is_the_same_over_both_transports() {
    let sandbox = sandbox().await;
    let stack = sandbox.stack();
    let mut streams = Vec::new();
    for address in [stack.grpc_address(), stack.http_address()] {
        let mut events = client(&sandbox, address, "app1_all").events(request(), EventOptions::default());
        assert_eq!(next(&mut events).await.unwrap().unwrap().name(), "events.stream.start");
        streams.push(events);
    }
    for data in [
        Value::Null,
        json!({ "@type": "type.googleapis.com/google.protobuf.Value", "value": { "a": [1, "x", null] } }),
        json!({ "@type": "type.googleapis.com/ttn.lorawan.v3.ErrorDetails", "name": "n", "code": 5 }),
    ] {
        let mut event =
            json!({ "name": "x.y", "correlation_ids": ["a", "b"], "unique_id": format!("id {data}") });
        if !data.is_null() {
            event["data"] = data.clone();
        }
        assert_eq!(stack.emit("app1", event).unwrap(), 2);
        let [grpc, http] = &mut streams[..] else { unreachable!() };
        let (grpc, http) = (next(grpc).await.unwrap().unwrap(), next(http).await.unwrap().unwrap());
        assert_eq!(grpc, http);
        assert_eq!((grpc.name(), grpc.field("data")), ("x.y", &data));
        assert!(grpc.time().is_some());
    }
}

#[tokio::test]
async fn events_go_on_when_their_stream_broke_and_none_comes_twice() {
    let sandbox = sandbox().await;
    for address in addresses(&sandbox) {
        let told = Arc::new(AtomicUsize::new(0));
        let count = told.clone();
        let options = EventOptions::default().on_reconnect(move |ended| {
            assert_eq!(ended.map(ttn_auth::Error::kind), Some(ErrorKind::Unavailable));
            count.fetch_add(1, Ordering::SeqCst);
        });
        let mut events = client(&sandbox, address, "app1_all").events(request(), options);
        assert_eq!(next(&mut events).await.unwrap().unwrap().name(), "events.stream.start");
        let event = json!({ "name": "once", "unique_id": "id" });
        sandbox.stack().emit("app1", event.clone()).unwrap();
        assert_eq!(next(&mut events).await.unwrap().unwrap().name(), "once");
        sandbox.stack().break_streams();
        assert_eq!(next(&mut events).await.unwrap().unwrap().name(), "events.stream.start");
        assert_eq!(told.load(Ordering::SeqCst), 1);
        sandbox.stack().emit("app1", event).unwrap();
        sandbox.stack().emit("app1", json!({ "name": "another" })).unwrap();
        assert_eq!(next(&mut events).await.unwrap().unwrap().name(), "another");
    }
}

#[tokio::test]
async fn a_refusal_ends_the_events() {
    let sandbox = sandbox().await;
    for address in [sandbox.stack().grpc_address(), sandbox.stack().http_address()] {
        let ended = client(&sandbox, address.clone(), "app2_all").events(request(), EventOptions::default());
        let error = ended.into_stream().try_collect::<Vec<_>>().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        let nobodys = StreamEventsRequest::default();
        let mut nobodys =
            client(&sandbox, address.clone(), "app1_all").events(nobodys, EventOptions::default());
        assert_eq!(next(&mut nobodys).await.unwrap().unwrap_err().kind(), ErrorKind::InvalidArgument);

        let mut once =
            client(&sandbox, address, "app1_all").events(request(), EventOptions::default().once());
        next(&mut once).await.unwrap().unwrap();
        sandbox.stack().break_streams();
        assert_eq!(next(&mut once).await.unwrap().unwrap_err().kind(), ErrorKind::Unavailable);
        assert!(next(&mut once).await.is_none());
    }
}

#[tokio::test]
async fn a_key_that_is_taken_back_ends_the_events_when_their_stream_is_opened_again() {
    let sandbox = sandbox().await;
    let stack = sandbox.stack();
    let mut events =
        client(&sandbox, stack.grpc_address(), "app1_devices").events(request(), EventOptions::default());
    next(&mut events).await.unwrap().unwrap();
    stack.revoke(&stack.key("app1_devices").unwrap()).unwrap();
    stack.break_streams();
    assert_eq!(next(&mut events).await.unwrap().unwrap_err().kind(), ErrorKind::InvalidKey);
}

#[tokio::test]
async fn each_transport_has_its_own_streams() {
    let sandbox = sandbox().await;
    let options = CallOptions::default();
    let grpc = client(&sandbox, sandbox.stack().grpc_address(), "app1_all");
    let http = client(&sandbox, sandbox.stack().http_address(), "app1_all");
    let get = Request::get("/api/v3/events").body(Bytes::new()).unwrap();
    let errors = [
        grpc.stream_request(get, &options).await.unwrap_err(),
        http.stream("/a.B/C", Bytes::new(), HeaderMap::new(), &options).await.unwrap_err(),
        grpc.stream("/a.B/C", Bytes::new(), HeaderMap::new(), &options).await.unwrap_err(),
        http.stream_request(Request::get("/api/v3/events").body(Bytes::new()).unwrap(), &options)
            .await
            .unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Unimplemented, "{error:?}");
    }
}
