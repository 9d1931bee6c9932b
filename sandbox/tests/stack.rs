//! The V3 side: what The Things Stack answered to the recorded sequences, step by step, and what can be changed.

#[path = "stack/support.rs"]
mod support;

use serde_json::json;
use support::{Http, grpc, sandbox};
use ttn_auth::proto::{Empty, stack};

#[tokio::test]
async fn auth_info_and_devices_over_both_transports() {
    let sandbox = sandbox().await;
    let v3 = sandbox.stack();
    let key = v3.key("app1_all").unwrap();
    let http = Http::new(v3);
    let info = http.get(&key, "/api/v3/auth_info").await;
    assert_eq!(info.body["api_key"]["entity_ids"]["application_ids"]["application_id"], "app1");
    assert_eq!(info.body["api_key"]["api_key"]["rights"].as_array().unwrap().len(), 15);
    let devices = http.get(&key, "/api/v3/applications/app1/devices?field_mask=name&limit=2").await;
    assert_eq!(devices.header("x-total-count"), Some("3"));
    assert_eq!(devices.body["end_devices"][1]["name"], "two");

    let info = grpc::<Empty, stack::AuthInfoResponse>(v3, "EntityAccess/AuthInfo", &key, json!({})).await;
    assert_eq!(info.message.unwrap().api_key.unwrap().api_key.unwrap().rights.len(), 15);
    let request =
        json!({ "application_ids": { "application_id": "app1" }, "field_mask": "name", "limit": 2 });
    let list = "EndDeviceRegistry/List";
    let list = grpc::<stack::ListEndDevicesRequest, stack::EndDevices>(v3, list, &key, request).await;
    assert_eq!(list.header("x-total-count"), Some("3"));
    assert_eq!(serde_json::to_value(list.message.unwrap()).unwrap(), devices.body);
    let none = grpc::<Empty, stack::AuthInfoResponse>(v3, "EntityAccess/AuthInfo", "", json!({})).await;
    assert_eq!((none.code, none.message), (0, Some(stack::AuthInfoResponse::default())));
}

/// What the recordings have not, of the table in v3/wire.md: scheme, or the name of a credential, and the error over HTTP
/// and gRPC.
#[tokio::test]
async fn credentials_that_were_not_recorded() {
    let sandbox = sandbox().await;
    let v3 = sandbox.stack();
    let http = Http::new(v3);
    let key = v3.api_key();
    let session = v3.key("session_token").unwrap();
    let code = v3.key("code").unwrap();
    for (authorization, status, error) in [
        ("GatewayToken xx".to_owned(), 500, "encoding/hex: invalid byte: U+0078 'x'"),
        ("ClusterKey 00".to_owned(), 403, "cluster_key"),
        (format!("Digest {key}"), 401, "unsupported_authorization"),
        (format!("bEaReR {key}"), 200, ""),
        (format!("Bearer {session}x"), 401, "invalid_authorization"),
        ("Bearer ONZW4.none.x".to_owned(), 401, "token_not_found"),
        ("Bearer MFRWG.none.x".to_owned(), 401, "token_not_found"),
        (format!("Bearer {code}"), 401, "unsupported_authorization"),
        (format!("Bearer {key}\u{e9}"), 500, ""),
    ] {
        let sent = [("Authorization", authorization.as_str())];
        let came = http.request("GET", "/api/v3/auth_info", &sent, "").await.unwrap();
        assert_eq!(came.status, status, "{authorization}: {came:?}");
        if !error.is_empty() {
            assert_eq!(came.error(), error, "{authorization}");
        }
    }
    // A revoked key is not found, and not invalid.
    v3.revoke(&key).unwrap();
    assert_eq!(http.get(&key, "/api/v3/auth_info").await.error(), "api_key_not_found");
}

#[tokio::test]
async fn an_admin_may_do_what_is_not_about_keys_everywhere() {
    let sandbox = sandbox().await;
    let v3 = sandbox.stack();
    let http = Http::new(v3);
    let key = v3.key("admin_user_all").unwrap();
    let info = http.get(&key, "/api/v3/auth_info").await.body;
    assert_eq!(info["is_admin"], true);
    assert_eq!(info["universal_rights"]["rights"].as_array().unwrap().len(), 51);
    assert_eq!(info["api_key"]["api_key"]["rights"].as_array().unwrap().len(), 63);
    let list = http.get(&key, "/api/v3/applications").await;
    assert_eq!((list.text.as_str(), list.header("x-total-count")), ("{}", Some("0")));
    let body = r#"{"name":"x","rights":["RIGHT_APPLICATION_INFO"]}"#;
    let refused = http.send("POST", &key, "/api/v3/applications/app1/api-keys", body).await;
    assert_eq!((refused.status, refused.error()), (403, "insufficient_application_rights"));
    assert_eq!(http.get(&key, "/api/v3/users/alice/applications").await.header("x-total-count"), Some("2"));
}

#[tokio::test]
async fn a_key_is_made_over_the_api_and_works() {
    let sandbox = sandbox().await;
    let v3 = sandbox.stack();
    let http = Http::new(v3);
    let body = r#"{"name":"mine","rights":["RIGHT_APPLICATION_LINK"],"expires_at":"2099-01-01T00:00:00Z"}"#;
    let made = http.send("POST", &v3.api_key(), "/api/v3/applications/app1/api-keys", body).await;
    let key = made.body["key"].as_str().unwrap();
    let info = &http.get(key, "/api/v3/auth_info").await.body["api_key"]["api_key"];
    assert_eq!((&info["name"], &info["expires_at"]), (&json!("mine"), &json!("2099-01-01T00:00:00Z")));
    assert_eq!(info["rights"].as_array().unwrap().len(), 4);
    let none =
        http.send("POST", &v3.api_key(), "/api/v3/applications/app1/api-keys", r#"{"rights":[]}"#).await;
    assert_eq!((none.status, none.error()), (400, "validation"));
}

#[tokio::test]
async fn the_gateways_own_errors_have_no_details() {
    let sandbox = sandbox().await;
    let v3 = sandbox.stack();
    let http = Http::new(v3);
    let key = v3.api_key();
    for (method, path, body, status, message) in [
        ("GET", "/api/v3/nope", "", 404, "Not Found"),
        ("GET", "/api/v3/auth_info/", "", 404, "Not Found"),
        ("GET", "/elsewhere", "", 404, "Not Found"),
        ("POST", "/api/v3/auth_info", "", 501, "Method Not Allowed"),
        ("PUT", "/api/v3/applications/app1", "{", 400, "unexpected EOF"),
        ("POST", "/api/v3/events", "{", 400, "unexpected EOF"),
        ("POST", "/api/v3/applications/app1/devices", "[]", 400, "unmarshal error: expected an object"),
    ] {
        let came = http.send(method, &key, path, body).await;
        assert_eq!((came.status, came.error()), (status, message), "{path}: {came:?}");
        assert!(came.body.get("details").is_none() && came.header("x-request-id").is_some());
    }
    let body = r#"{"end_device":{"ids":{"device_id":"dev9"},"attributes":{"a":1},"picture":"x"}}"#;
    let came = http.send("POST", &key, "/api/v3/applications/app1/devices", body).await;
    assert_eq!(came.status, 400);
    assert!(came.error().starts_with("unmarshal error: "), "{came:?}");
    assert_eq!(http.request("HEAD", "/api/v3/auth_info", &[], "").await.unwrap().status, 501);
    let page = http.request("GET", "/elsewhere", &[("Accept", "text/html")], "").await.unwrap();
    assert_eq!((page.status, page.header("content-type")), (404, Some("text/html; charset=utf-8")));
    let unknown = grpc::<Empty, Empty>(v3, "EntityAccess/Nope", &key, json!({})).await;
    let text = "unknown method Nope for service ttn.lorawan.v3.EntityAccess";
    assert_eq!((unknown.code, &*unknown.text, &*unknown.error), (12, text, ""));
}

#[tokio::test]
async fn a_rate_limit_counts_each_token_and_method() {
    let sandbox = sandbox().await;
    let v3 = sandbox.stack();
    let key = v3.api_key();
    let info = || grpc::<Empty, stack::AuthInfoResponse>(v3, "EntityAccess/AuthInfo", &key, json!({}));
    assert_eq!(info().await.header("x-rate-limit-limit"), None);
    v3.set_rate_limit(Some(1));
    assert_eq!(info().await.header("x-rate-limit-available"), Some("0"));
    let over = info().await;
    assert_eq!(
        (over.code, &*over.error, over.header("x-rate-limit-retry")),
        (8, "rate_limit_exceeded", Some("59"))
    );
    // Over HTTP it is the same call; another one has a limit of its own.
    let http = Http::new(v3);
    let over = http.get(&key, "/api/v3/auth_info").await;
    assert_eq!((over.status, over.header("retry-after")), (429, None));
    assert_eq!(http.get(&key, "/api/v3/applications").await.status, 200);
    assert_eq!(v3.counts().rate_limited, 2);
}

#[tokio::test]
async fn events_begin_with_one_of_their_own_and_errors_are_wrapped() {
    let sandbox = sandbox().await;
    let v3 = sandbox.stack();
    let http = Http::new(v3);
    let app1 = r#"{"identifiers":[{"application_ids":{"application_id":"app1"}}]}"#;
    let wrong_secret = v3.key("app1_wrong_secret").unwrap();
    let app2 = v3.key("app2_all").unwrap();
    for (key, body, status, name) in [
        ("", app1, 403, "no_application_rights"),
        (&*app2, app1, 403, "no_application_rights"),
        (&*wrong_secret, app1, 401, "invalid_authorization"),
        (&*wrong_secret, "{}", 400, "no_identifiers"),
    ] {
        let came = http.send("POST", key, "/api/v3/events", body).await;
        assert_eq!((came.status, &came.body["error"]["details"][0]["name"]), (status, &json!(name)));
        assert_eq!(came.header("www-authenticate"), None);
    }
    // Any right opens it.
    let key = v3.key("app1_info_only").unwrap();
    for accept in ["application/json", "text/event-stream"] {
        let end = if accept == "text/event-stream" { "\n\n" } else { "\n" };
        let mut stream = http.stream(&key, accept, app1).await;
        assert_eq!(stream.kind, accept);
        let start = stream.next(end).await.unwrap();
        assert_eq!(start["result"]["name"], "events.stream.start");
        assert_eq!(v3.emit("app1", json!({ "name": "a.b", "data": { "x": 1 } })).unwrap(), 1);
        assert_eq!(v3.emit("app2", json!({ "name": "a.b" })).unwrap(), 0);
        assert_eq!(stream.next(end).await.unwrap()["result"]["data"]["value"], json!({ "x": 1 }));
        assert_eq!(v3.break_streams(), 1);
        assert!(stream.next(end).await.unwrap_err() != "the end");
        let mut stream = http.stream(&key, accept, app1).await;
        stream.next(end).await.unwrap();
        assert_eq!(v3.end_streams(), 1);
        assert_eq!(stream.next(end).await.unwrap_err(), "the end");
    }
    assert!(v3.emit("app1", json!({ "time": "soon" })).is_err());
    assert_eq!((v3.counts().streams, v3.open_streams()), (4, 0));
}

#[tokio::test]
async fn events_over_grpc_are_bare() {
    let sandbox = sandbox().await;
    let v3 = sandbox.stack();
    let request = json!({
        "identifiers": [{ "application_ids": { "application_id": "app1" } }], "names": ["a.b"], "tail": 1,
    });
    let mut stream = support::grpc_stream(v3, "Events/Stream", &v3.api_key(), &request).await;
    assert_eq!(stream.header("warning"), Some("Events storage is not enabled"));
    assert_eq!(stream.next().await.unwrap().name, "events.stream.start");
    assert_eq!(v3.emit("app1", json!({ "name": "c.d" })).unwrap(), 0);
    assert_eq!(v3.emit("app1", json!({ "name": "a.b", "data": { "x": 1 } })).unwrap(), 1);
    let event = serde_json::to_value(stream.next().await.unwrap()).unwrap();
    assert_eq!((&event["name"], &event["data"]["value"]), (&json!("a.b"), &json!({ "x": 1 })));
    v3.break_streams();
    assert!(stream.next().await.unwrap_err() != "the end");
    let mut stream = support::grpc_stream(v3, "Events/Stream", &v3.api_key(), &request).await;
    stream.next().await.unwrap();
    v3.end_streams();
    assert_eq!(stream.next().await.unwrap_err(), "the end");
    assert_eq!(stream.status().await, 14);
}

#[tokio::test]
async fn the_oauth_server_loses_answers_and_fails_as_told() {
    let sandbox = sandbox().await;
    let v3 = sandbox.stack();
    let http = Http::new(v3);
    let refresh = |token: String| {
        let body = format!(
            "grant_type=refresh_token&refresh_token={token}&client_id=testcli&client_secret=testsecret"
        );
        let kind = [("Content-Type", "application/x-www-form-urlencoded")];
        let http = &http;
        async move { http.request("POST", "/oauth/token", &kind, &body).await }
    };
    v3.fail_tokens(1, 500);
    assert_eq!(refresh(v3.refresh_token()).await.unwrap().status, 500);
    v3.lose_token_answers(1);
    assert!(refresh(v3.refresh_token()).await.is_err());
    let counts = v3.counts();
    assert_eq!((counts.tokens, counts.granted), (2, 1));
    assert_eq!(refresh(v3.refresh_token()).await.unwrap().error(), "access_token_not_found");
}

#[tokio::test]
async fn calls_fail_as_told_over_both_transports() {
    let sandbox = sandbox().await;
    let v3 = sandbox.stack();
    let http = Http::new(v3);
    v3.fail_calls(2, 14);
    let failed = http.get(&v3.api_key(), "/api/v3/auth_info").await;
    assert_eq!((failed.status, failed.body.get("details")), (503, None));
    let info = || grpc::<Empty, stack::AuthInfoResponse>(v3, "EntityAccess/AuthInfo", "", json!({}));
    assert_eq!(info().await.code, 14);
    assert_eq!((info().await.code, v3.counts().calls), (0, 1));
}

#[tokio::test]
async fn it_speaks_tls_and_goes_on_at_the_same_ports() {
    use ttn_auth_sandbox::{Sandbox, SandboxOptions};
    let first = sandbox().await;
    let (ports, identity) = (first.ports(), first.identity().clone());
    let key = first.stack().api_key();
    first.stop().await;
    let options = SandboxOptions { ports, identity: Some(identity), ..Default::default() };
    let second = Sandbox::start(options).await.unwrap();
    let v3 = second.stack();
    assert_eq!(v3.api_key(), key);
    let client = ttn_auth::Client::builder(v3.https_address()).ca(second.ca()).build().unwrap();
    let request = http::Request::get("/api/v3/auth_info").body(bytes::Bytes::new()).unwrap();
    let answer = client.request(request, &ttn_auth::CallOptions::default()).await.unwrap();
    assert_eq!(&answer.body()[..], b"{}");
    assert!(v3.grpcs_address().starts_with("grpcs://localhost:"));
}
