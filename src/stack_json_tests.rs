//! Tests of stack_json.rs and stack_any.rs.

use super::*;
use crate::proto::rpc::Status;
use crate::proto::stack::{
    ApiKey, Application, EndDevice, EndDeviceIdentifiers, Event, GetApplicationRequest, Location, Right,
};
use crate::{from_json, to_json};
use prost::Message;
use prost_types::Any;

fn read<T: serde::de::DeserializeOwned>(text: &str) -> T {
    from_json(text.as_bytes()).unwrap()
}

#[test]
fn times_have_no_three_six_or_nine_digits() {
    for (nanos, text) in [(0, ""), (120_000_000, ".120"), (459_500_000, ".459500"), (1, ".000000001")] {
        let time = Some(Timestamp { seconds: 1_764_153_000, nanos });
        let text = format!(r#"{{"created_at":"2025-11-26T10:30:00{text}Z"}}"#);
        assert_eq!(to_json(&Application { created_at: time, ..Default::default() }).unwrap(), text);
        assert_eq!(read::<Application>(&text).created_at, time);
    }
    let zoned: Application = read(r#"{"createdAt":"2025-11-26T11:30:00.5+01:00","updated_at":null}"#);
    assert_eq!(zoned.created_at, Some(Timestamp { seconds: 1_764_153_000, nanos: 500_000_000 }));
    assert_eq!(zoned.updated_at, None);
}

#[test]
fn what_is_no_time_is_refused() {
    for text in ["\"\"", "\"yesterday\"", "5", "\"2025-13-01T00:00:00Z\"", "\"10000-01-01T00:00:00Z\"", "{}"]
    {
        let json = format!(r#"{{"created_at":{text}}}"#);
        let error = from_json::<Application>(json.as_bytes()).unwrap_err();
        assert!(error.message().contains("created_at: expected a time"), "{text}: {error}");
    }
    let late = Some(Timestamp { seconds: i64::MAX, nanos: 0 });
    assert!(to_json(&Application { created_at: late, ..Default::default() }).is_err());
}

#[test]
fn a_field_mask_is_one_text_and_is_read_in_three_forms() {
    for mask in [r#""name, description""#, r#"{"paths":["name","description"]}"#, r#"["name","description"]"#]
    {
        let request: GetApplicationRequest = read(&format!(r#"{{"field_mask":{mask}}}"#));
        assert_eq!(to_json(&request).unwrap(), r#"{"field_mask":"name,description"}"#);
    }
    assert!(read::<GetApplicationRequest>(r#"{"fieldMask":""}"#).field_mask.unwrap().paths.is_empty());
    assert!(from_json::<GetApplicationRequest>(br#"{"field_mask":7}"#).is_err());
}

#[test]
fn enums_are_names_and_names_of_the_future_do_not_fail() {
    let key: ApiKey = read(r#"{"rights":["RIGHT_APPLICATION_INFO",20,"RIGHT_OF_2030",99]}"#);
    assert_eq!(
        key.rights,
        [Right::ApplicationInfo as i32, Right::ApplicationDevicesRead as i32, UNKNOWN, 99]
    );
    assert_eq!(
        to_json(&key).unwrap(),
        r#"{"rights":["RIGHT_APPLICATION_INFO","RIGHT_APPLICATION_DEVICES_READ","UNKNOWN",99]}"#
    );
    let device: EndDevice = read(r#"{"lorawan_phy_version":"RP001_V1_0_2","lorawan_version":5}"#);
    let json = r#"{"lorawan_version":"MAC_V1_0_3","lorawan_phy_version":"PHY_V1_0_2_REV_A"}"#;
    assert_eq!(to_json(&device).unwrap(), json);
    assert!(from_json::<ApiKey>(br#"{"rights":[true]}"#).is_err());
}

#[test]
fn what_is_there_but_empty_is_kept_and_a_join_eui_of_zeros_is_one() {
    let text =
        r#"{"ids":{"join_eui":"0000000000000000"},"version_ids":{},"skip_payload_crypto_override":false}"#;
    let device: EndDevice = read(text);
    assert_eq!(to_json(&device).unwrap(), text);
    assert_eq!(EndDevice::decode(&*device.encode_to_vec()).unwrap(), device);
    assert_eq!(to_json(&EndDevice::default()).unwrap(), "{}");
    for wrong in [r#"{"dev_eui":"70B3"}"#, r#"{"dev_eui":"70B3D57ED000AB0G"}"#, r#"{"dev_addr":5}"#] {
        assert!(from_json::<EndDeviceIdentifiers>(wrong.as_bytes()).is_err(), "{wrong}");
    }
}

#[test]
fn whole_numbers_have_no_fraction_and_long_ones_are_text() {
    let location = Location { latitude: 52.1, longitude: 5.0, altitude: -3, ..Default::default() };
    assert_eq!(to_json(&location).unwrap(), r#"{"latitude":52.1,"longitude":5,"altitude":-3}"#);
    let device = EndDevice { min_frequency: u64::MAX, ..Default::default() };
    let text = format!(r#"{{"min_frequency":"{}"}}"#, u64::MAX);
    assert_eq!(to_json(&device).unwrap(), text);
    assert_eq!(read::<EndDevice>(&text), device);
    assert_eq!(
        to_json(&Location { latitude: f64::NAN, ..Default::default() }).unwrap(),
        r#"{"latitude":null}"#
    );
}

#[test]
fn messages_of_known_types_show_their_fields() {
    for data in [
        r#"{"@type":"type.googleapis.com/google.protobuf.Value","value":{"a":[1,2.5,null,true,"x"]}}"#,
        r#"{"@type":"type.googleapis.com/google.protobuf.Struct","value":{"a":{}}}"#,
        r#"{"@type":"type.googleapis.com/google.protobuf.StringValue","value":"x"}"#,
        r#"{"@type":"type.googleapis.com/ttn.lorawan.v3.ErrorDetails","name":"n","cause":{"code":5}}"#,
    ] {
        let text = format!(r#"{{"data":{data}}}"#);
        let event: Event = read(&text);
        assert!(!event.data.as_ref().unwrap().value.is_empty());
        let (ours, expected): (Json, Json) = (read(&to_json(&event).unwrap()), read(&text));
        assert_eq!(ours, expected);
    }
}

#[test]
fn messages_of_other_types_keep_their_name_and_what_bytes_there_are() {
    let type_url = "type.googleapis.com/ttn.lorawan.v3.ApplicationUp".to_owned();
    let event = Event { data: Some(Any { type_url, value: vec![8, 1] }), ..Default::default() };
    let json = to_json(&event).unwrap();
    assert_eq!(
        json,
        r#"{"data":{"@type":"type.googleapis.com/ttn.lorawan.v3.ApplicationUp","value":"CAE="}}"#
    );
    assert_eq!(read::<Event>(&json), event);
    let status: Status = read(r#"{"code":5,"details":[{"@type":"x/y.Z","field":1}]}"#);
    assert_eq!(status.details, [Any { type_url: "x/y.Z".into(), value: Vec::new() }]);
    for wrong in [r#"{"data":{}}"#, r#"{"data":"x"}"#, r#"{"data":{"@type":5}}"#] {
        assert!(from_json::<Event>(wrong.as_bytes()).is_err(), "{wrong}");
    }
    // Its bytes are not such a message.
    let type_url = "type.googleapis.com/ttn.lorawan.v3.ErrorDetails".to_owned();
    assert_eq!(crate::stack_any::to_json(&Any { type_url, value: vec![255] })["value"], "/w==");
}

#[test]
fn secrets_are_not_shown() {
    let key = ApiKey { id: "ID".into(), key: "NNSXS.ID.SECRET".into(), ..Default::default() };
    let shown = format!("{key:?}");
    assert!(shown.contains("ID") && !shown.contains("SECRET"), "{shown}");
}
