//! The Things Stack: what it says of a credential, its applications and devices, the same over both transports.

mod support;

use futures_util::TryStreamExt;
use serde_json::{Value, json};
use support::sandbox;
use ttn_auth::stack::{
    Application, ApplicationIdentifiers, EndDeviceIdentifiers, ListApplicationsRequest, ListEndDevicesRequest,
};
use ttn_auth::{AuthInfo, CallOptions, Client, Credentials, ErrorKind, Result, ToJson, from_json};
use ttn_auth_sandbox::Sandbox;

/// gRPC and HTTP, each without and with TLS.
fn clients(sandbox: &Sandbox, key: &str) -> Vec<Client> {
    let stack = sandbox.stack();
    let addresses =
        [stack.grpc_address(), stack.grpcs_address(), stack.http_address(), stack.https_address()];
    let key = Credentials::parse(&stack.key(key).unwrap()).unwrap();
    let client =
        |address| Client::builder(address).ca(sandbox.ca()).credentials(key.clone()).build().unwrap();
    addresses.into_iter().map(client).collect()
}

/// What all four ways answer, which has to be the same.
async fn same<T: PartialEq + std::fmt::Debug>(
    sandbox: &Sandbox,
    key: &str,
    call: impl AsyncFn(Client) -> Result<T>,
) -> Result<T> {
    let mut answers = Vec::new();
    for client in clients(sandbox, key) {
        answers.push(call(client).await.map_err(|error| (error.kind(), error)));
    }
    let first = answers.remove(0);
    for other in answers {
        match (&first, other) {
            (Ok(first), Ok(other)) => assert_eq!(*first, other, "{key}"),
            (Err((kind, _)), Err((other, _))) => assert_eq!(*kind, other, "{key}"),
            (first, other) => panic!("{key}: {first:?} and {other:?}"),
        }
    }
    first.map_err(|(_, error)| error)
}

async fn info(sandbox: &Sandbox, key: &str) -> Result<Option<AuthInfo>> {
    same(sandbox, key, async |client| client.auth_info(&CallOptions::default()).await).await
}

fn message<T: serde::de::DeserializeOwned>(json: &Value) -> T {
    from_json(json.to_string().as_bytes()).unwrap()
}

#[tokio::test]
async fn a_credential_is_told_what_it_is() {
    let sandbox = sandbox().await;
    for (key, kind, entity, right) in [
        ("app1_all", "api-key", ("application", "app1"), "RIGHT_APPLICATION_DEVICES_WRITE"),
        ("app1_info_only", "api-key", ("application", "app1"), "RIGHT_APPLICATION_INFO"),
        ("alice_user_all", "api-key", ("user", "alice"), "RIGHT_USER_INFO"),
        ("oauth_access", "oauth-access-token", ("user", "alice"), "RIGHT_APPLICATION_INFO"),
    ] {
        let info = info(&sandbox, key).await.unwrap().unwrap();
        let found = info.entity.as_ref().map(|entity| (entity.kind.name(), entity.id.as_str()));
        assert_eq!((info.kind.name(), found), (kind, Some(entity)), "{key}");
        assert!(info.rights.contains(right), "{key}: {info:?}");
        assert!(!info.is_admin && info.universal_rights.is_empty() && info.created_at.is_some(), "{key}");
    }
    assert!(info(&sandbox, "app1_expires_2030").await.unwrap().unwrap().expires_at.is_some());
    assert!(info(&sandbox, "admin_user_all").await.unwrap().unwrap().is_admin);
    assert_eq!(info(&sandbox, "session_token").await.unwrap().unwrap().kind.name(), "user-session");
}

#[tokio::test]
async fn no_credential_is_no_error_and_a_wrong_one_is() {
    let sandbox = sandbox().await;
    let stack = sandbox.stack();
    for address in [stack.grpc_address(), stack.http_address()] {
        let nobody = Client::builder(address).build().unwrap();
        let options = CallOptions::default();
        assert_eq!(nobody.auth_info(&options).await.unwrap(), None);
        // Of somebody else it can be asked all the same.
        let key = Credentials::api_key(stack.api_key()).unwrap();
        assert!(nobody.auth_info_of(key, &options).await.unwrap().is_some());
        assert_eq!(nobody.auth_info(&options).await.unwrap(), None);
    }
    for (key, kind) in [
        ("app1_wrong_secret", ErrorKind::InvalidKey),
        ("unknown_id", ErrorKind::InvalidKey),
        ("app1_expired", ErrorKind::KeyExpired),
        ("oauth_access_expired", ErrorKind::TokenExpired),
    ] {
        assert_eq!(info(&sandbox, key).await.unwrap_err().kind(), kind, "{key}");
    }
}

#[tokio::test]
async fn applications_are_listed_page_by_page_in_order() {
    let sandbox = sandbox().await;
    let list = async |client: Client, request: Value| -> Result<Vec<Application>> {
        client.applications().list(message(&request)).try_collect().await
    };
    let ids = |applications: &[Application]| -> Vec<String> {
        applications.iter().map(|app| app.ids.clone().unwrap().application_id).collect()
    };
    for request in [
        json!({}),
        json!({ "limit": 1 }),
        json!({ "collaborator": { "user_ids": { "user_id": "alice" } }, "limit": 1, "field_mask": "name" }),
    ] {
        let found = same(&sandbox, "alice_user_all", async |client| list(client, request.clone()).await);
        assert_eq!(ids(&found.await.unwrap()), ["app1", "app2"], "{request}");
    }
    let order = json!({ "order": "-application_id", "limit": 1 });
    let found = same(&sandbox, "alice_user_all", async |client| list(client, order.clone()).await);
    assert_eq!(ids(&found.await.unwrap()), ["app2", "app1"]);
    // An application's key sees none, and is not told how many there are.
    let page = async |client: Client| client.applications().page(ListApplicationsRequest::default()).await;
    let page = same(&sandbox, "app1_all", page).await.unwrap();
    assert_eq!((page.items.len(), page.total, page.next), (0, None, None));
}

#[tokio::test]
async fn an_application_is_made_changed_and_deleted() {
    let sandbox = sandbox().await;
    for (number, client) in clients(&sandbox, "alice_user_all").into_iter().enumerate() {
        let id = format!("made-{number}");
        let applications = client.applications();
        let collaborator = json!({ "user_ids": { "user_id": "alice" } });
        let ids = json!({ "application_id": id });
        let new = json!({ "application": { "ids": ids, "name": "N" }, "collaborator": collaborator });
        let made = applications.create(&message(&new)).await.unwrap();
        assert_eq!((made.name.as_str(), made.ids.unwrap().application_id.as_str()), ("N", id.as_str()));
        let error = applications.create(&message(&new)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        let update = json!({ "application": { "ids": ids, "name": "M" }, "field_mask": "name" });
        assert_eq!(applications.update(&message(&update)).await.unwrap().name, "M");
        let get = json!({ "application_ids": ids, "field_mask": ["name", "description"] });
        assert_eq!(applications.get(&message(&get)).await.unwrap().name, "M");
        let ids = ApplicationIdentifiers { application_id: id };
        applications.delete(&ids).await.unwrap();
        assert_eq!(applications.delete(&ids).await.unwrap_err().kind(), ErrorKind::PermissionDenied);
    }
}

#[tokio::test]
async fn a_device_is_made_listed_changed_and_deleted() {
    let sandbox = sandbox().await;
    let app = json!({ "application_id": "app1" });
    for client in clients(&sandbox, "app1_devices") {
        let devices = client.end_devices();
        let all = |limit| {
            let request = json!({ "application_ids": app, "limit": limit, "field_mask": "name" });
            devices.list(message::<ListEndDevicesRequest>(&request)).try_collect::<Vec<_>>()
        };
        let before = all(1).await.unwrap();
        assert_eq!(before, all(0).await.unwrap());
        let ids = json!({ "device_id": "made", "application_ids": app, "dev_eui": "70B3D57ED000FFFF", "join_eui": "0000000000000000" });
        let new = json!({ "end_device": { "ids": ids, "name": "N", "attributes": { "abc": "x" } } });
        let made = devices.create(&message(&new)).await.unwrap();
        assert_eq!(serde_json::to_value(made.ids.unwrap()).unwrap(), ids);
        assert_eq!(all(2).await.unwrap().len(), before.len() + 1);
        let update = json!({ "end_device": { "ids": { "device_id": "made", "application_ids": app }, "name": "M" }, "field_mask": "name" });
        assert_eq!(devices.update(&message(&update)).await.unwrap().name, "M");
        let get = json!({ "end_device_ids": { "device_id": "made", "application_ids": app }, "field_mask": "name,attributes" });
        let written = devices.call("get", &get.to_string(), ToJson).await.unwrap();
        let read: Value = serde_json::from_str(&written).unwrap();
        assert_eq!((&read["name"], &read["attributes"]["abc"]), (&json!("M"), &json!("x")));
        let application_ids = Some(message(&app));
        let ids = EndDeviceIdentifiers { device_id: "made".into(), application_ids, ..Default::default() };
        devices.delete(&ids).await.unwrap();
        assert_eq!(devices.delete(&ids).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(all(0).await.unwrap(), before);
    }
}

#[tokio::test]
async fn a_page_says_how_many_there_are_and_which_is_next() {
    let sandbox = sandbox().await;
    let request = r#"{"application_ids":{"application_id":"app1"},"limit":1}"#;
    let call = async |client: Client| client.end_devices().call("list", request, ToJson).await;
    let page: Value = serde_json::from_str(&same(&sandbox, "app1_all", call).await.unwrap()).unwrap();
    assert_eq!((page["items"].as_array().unwrap().len(), &page["next"]), (1, &json!(2)));
    assert!(page["total"].as_u64().unwrap() > 1, "{page}");
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_told_before_it_is_sent() {
    let sandbox = sandbox().await;
    let before = sandbox.stack().counts().calls;
    for (resource, name, request, text) in [
        ("applications", "get", json!({}), "application_ids is missing"),
        (
            "applications",
            "get",
            json!({ "application_ids": { "application_id": "../users" } }),
            "application_id is not valid",
        ),
        (
            "applications",
            "create",
            json!({ "application": { "ids": { "application_id": "abc" } } }),
            "collaborator is missing",
        ),
        ("applications", "list", json!({ "collaborator": {} }), "either user_ids or organization_ids"),
        (
            "devices",
            "get",
            json!({ "end_device_ids": { "device_id": "dev1" } }),
            "end_device_ids.application_ids is missing",
        ),
        ("devices", "list", json!({}), "application_ids is missing"),
        (
            "devices",
            "delete",
            json!({ "device_id": "x", "application_ids": { "application_id": "app1" } }),
            "device_id is not valid",
        ),
        (
            "devices",
            "update",
            json!({ "end_device": { "ids": { "dev_eui": "12" } } }),
            "end_device.ids.dev_eui",
        ),
    ] {
        let call = async |client: Client| match resource {
            "applications" => client.applications().call(name, &request.to_string(), ToJson).await,
            _ => client.end_devices().call(name, &request.to_string(), ToJson).await,
        };
        let error = same(&sandbox, "app1_all", call).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{request}");
        assert!(error.message().contains(text), "{request}: {error}");
    }
    assert_eq!(sandbox.stack().counts().calls, before);
    let unknown = clients(&sandbox, "app1_all").remove(0).end_devices().call("fly", "{}", ToJson).await;
    assert_eq!(unknown.unwrap_err().kind(), ErrorKind::Unimplemented);
}
