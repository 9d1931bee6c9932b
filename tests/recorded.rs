//! Our messages understand every recorded answer: protobuf and JSON of the same kind end in the same JSON.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost::Message;
use serde_json::Value;
use ttn_auth::proto::handler::{Application, Device, DeviceList, DryDownlinkResult, DryUplinkResult};
use ttn_auth::{from_json, to_json};

fn vectors() -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("vectors/v2.json")).unwrap();
    file["vectors"].as_array().unwrap().clone()
}

/// 52.1 as 32 bits and as 64 bits are different numbers to `Value`; V2's are 32 bits. 52 and 52.0 are one number.
fn comparable(value: &Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().map(|number| (number as f32).to_string().into()).unwrap(),
        Value::Array(items) => items.iter().map(comparable).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), comparable(value))).collect()
        }
        other => other.clone(),
    }
}

fn same(ours: &str, recorded: &Value) -> bool {
    comparable(&serde_json::from_str(ours).unwrap()) == comparable(recorded)
}

#[test]
fn every_recorded_protobuf_answer_reads_as_the_recorded_json() {
    let mut seen = 0;
    for vector in vectors() {
        let Some(encoded) = vector["expect"]["response_base64"].as_str() else { continue };
        let bytes = STANDARD.decode(encoded).unwrap();
        let method = vector["method"].as_str().unwrap().rsplit('/').next().unwrap();
        let read = match method {
            "GetDevice" => to_json(&Device::decode(&*bytes).unwrap()),
            "GetDevicesForApplication" => to_json(&DeviceList::decode(&*bytes).unwrap()),
            "GetApplication" => to_json(&Application::decode(&*bytes).unwrap()),
            "DryUplink" => to_json(&DryUplinkResult::decode(&*bytes).unwrap()),
            "DryDownlink" => to_json(&DryDownlinkResult::decode(&*bytes).unwrap()),
            // Not a message of ours: GetStatus.
            _ => continue,
        }
        .unwrap();
        assert!(same(&read, &vector["expect"]["response"]), "{}: {read}", vector["name"]);
        seen += 1;
    }
    assert!(seen > 20, "{seen} answers");
}

#[test]
fn every_recorded_json_answer_reads_and_is_written_the_same() {
    let mut seen = 0;
    for vector in vectors() {
        let (Some(path), Some(200)) = (vector["path"].as_str(), vector["expect"]["status"].as_u64()) else {
            continue;
        };
        let body = vector["expect"]["body"].as_str().unwrap();
        let segments: Vec<_> = path.split('?').next().unwrap().split('/').skip(1).collect();
        let read = match (vector["method"].as_str().unwrap(), &segments[..]) {
            ("GET", ["applications", _]) => to_json(&from_json::<Application>(body.as_bytes()).unwrap()),
            ("GET", ["applications", _, "devices"]) => {
                to_json(&from_json::<DeviceList>(body.as_bytes()).unwrap())
            }
            ("GET", ["applications", _, "devices", _]) => {
                to_json(&from_json::<Device>(body.as_bytes()).unwrap())
            }
            _ => continue,
        }
        .unwrap();
        assert!(same(&read, &serde_json::from_str(body).unwrap()), "{}: {read}", vector["name"]);
        seen += 1;
    }
    assert!(seen > 20, "{seen} answers");
}
