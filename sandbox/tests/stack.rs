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
