//! Our messages understand every recorded answer of The Things Stack: JSON of both transports is read, and written the same,
//! also after a way through protobuf.

use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use ttn_auth::proto::Empty;
use ttn_auth::proto::rpc::Status;
use ttn_auth::proto::stack::{
    ApiKeys, Application, Applications, AuthInfoResponse, EndDevice, EndDeviceIdentifiers, EndDevices, Rights,
};
use ttn_auth::{from_json, to_json};

fn vectors() -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("vectors/v3.json")).unwrap();
    file["vectors"].as_array().unwrap().clone()
}

/// JSON to message to protobuf to message to JSON.
fn around<T: Message + Default + Serialize + DeserializeOwned>(json: &Value) -> Value {
    let read: T = from_json(json.to_string().as_bytes()).unwrap_or_else(|e| panic!("{e}: {json}"));
    let again = T::decode(&*read.encode_to_vec()).unwrap();
    serde_json::from_str(&to_json(&again).unwrap()).unwrap()
}

fn grpc_answer(method: &str, json: &Value) -> Value {
    match method.strip_prefix("ttn.lorawan.v3.").unwrap() {
        "EntityAccess/AuthInfo" => around::<AuthInfoResponse>(json),
        "ApplicationRegistry/List" => around::<Applications>(json),
        "ApplicationRegistry/Get" | "ApplicationRegistry/Create" | "ApplicationRegistry/Update" => {
            around::<Application>(json)
        }
        "EndDeviceRegistry/List" => around::<EndDevices>(json),
        "EndDeviceRegistry/Get" | "EndDeviceRegistry/Create" => around::<EndDevice>(json),
        "EndDeviceRegistry/GetIdentifiersForEUIs" => around::<EndDeviceIdentifiers>(json),
        "ApplicationRegistry/Delete" | "EndDeviceRegistry/Delete" => around::<Empty>(json),
        other => panic!("no message for {other}"),
    }
}

fn http_answer(method: &str, path: &str, json: &Value) -> Value {
    let path = path.split('?').next().unwrap().strip_prefix("/api/v3/").unwrap();
    match (method, &path.split('/').collect::<Vec<_>>()[..]) {
        ("GET", ["auth_info"]) => around::<AuthInfoResponse>(json),
        ("GET", ["applications"] | ["users", _, "applications"]) => around::<Applications>(json),
        ("GET" | "PUT", ["applications", _]) | ("POST", ["users", _, "applications"]) => {
            around::<Application>(json)
        }
        ("GET", ["applications", _, "rights"]) => around::<Rights>(json),
        ("GET", ["applications", _, "api-keys"]) => around::<ApiKeys>(json),
        ("GET", ["applications", _, "devices"]) | ("POST", [.., "filter"]) => around::<EndDevices>(json),
        ("GET" | "PUT", [.., "devices", _]) | ("POST", [.., "devices"]) => around::<EndDevice>(json),
        ("DELETE", _) | ("POST", [.., "restore"]) => around::<Empty>(json),
        _ => panic!("no message for {method} {path}"),
    }
}

#[test]
fn every_recorded_answer_reads_and_is_written_the_same() {
    let mut seen = [0, 0];
    for vector in vectors() {
        let (request, expect) = (&vector["request"], &vector["expect"]);
        let method = request["method"].as_str().unwrap();
        let (number, recorded, ours) = match request["path"].as_str() {
            None if expect["code"] == "OK" => {
                let recorded = &expect["response"][0];
                (0, recorded, grpc_answer(method, recorded))
            }
            Some(path) if expect["status"] == 200 && path.starts_with("/api/v3/") => {
                (1, &expect["body"], http_answer(method, path, &expect["body"]))
            }
            _ => continue,
        };
        assert_eq!(ours, *recorded, "{}", vector["name"]);
        seen[number] += 1;
    }
    assert!(seen[0] > 50 && seen[1] > 80, "{seen:?} answers");
}

#[test]
fn every_recorded_error_reads_and_is_written_the_same() {
    let mut seen = [0, 0];
    for vector in vectors() {
        let expect = &vector["expect"];
        if expect["body"]["code"].is_u64() {
            assert_eq!(around::<Status>(&expect["body"]), expect["body"], "{}", vector["name"]);
            seen[0] += 1;
        } else if expect["details"].is_array() {
            let status = json!({ "code": expect["code_num"], "message": expect["message"], "details": expect["details"] });
            assert_eq!(around::<Status>(&status), status, "{}", vector["name"]);
            seen[1] += 1;
        }
    }
    assert!(seen[0] > 100 && seen[1] > 80, "{seen:?} errors");
}
