//! Tests of json.rs.

use super::*;
use crate::proto::{handler, lorawan};
use proptest::prelude::*;

fn device(text: &str) -> Result<handler::Device> {
    from_json(text.as_bytes())
}

#[test]
fn unset_keys_are_empty_text_and_other_zero_values_are_left_out() {
    let device = handler::Device {
        dev_id: "dev-1".into(),
        lorawan_device: Some(lorawan::Device {
            dev_eui: vec![0, 1, 2, 3, 4, 5, 6, 0xAB],
            dev_addr: vec![0; 4],
            last_seen: 1_500_000_000_000_000_001,
            ..Default::default()
        }),
        latitude: 52.1,
        ..Default::default()
    };
    assert_eq!(
        to_json(&device).unwrap(),
        concat!(
            r#"{"dev_id":"dev-1","lorawan_device":{"dev_eui":"00010203040506AB","dev_addr":"","nwk_s_key":"","#,
            r#""app_s_key":"","app_key":"","last_seen":"1500000000000000001"},"latitude":52.1}"#
        )
    );
}

#[test]
fn camel_case_text_numbers_null_and_unknown_fields_are_accepted() {
    let read = device(
        r#"{"devId":"d","x":1,"latitude":"52.1","altitude":" -3 ","description":null,"attributes":{"a":null},
            "lorawanDevice":{"appKey":null,"fCntUp":"7","lastSeen":9,"uses32BitFCnt":true,"usedDevNonces":["00ab"]}}"#,
    )
    .unwrap();
    let lorawan = read.lorawan_device.unwrap();
    assert_eq!((read.dev_id.as_str(), read.latitude, read.altitude), ("d", 52.1, -3));
    assert_eq!((lorawan.f_cnt_up, lorawan.last_seen, lorawan.uses32_bit_f_cnt), (7, 9, true));
}

#[test]
fn errors_name_the_field_and_keep_the_value_to_themselves() {
    for (text, field) in [
        (r#"{"lorawan_device":{"app_key":"0102SECRET"}}"#, "lorawan_device.app_key: expected 32 hex digits"),
        (
            r#"{"lorawan_device":{"app_eui":"70-B3-D5-7E-D0-00-00-01"}}"#,
            "lorawan_device.app_eui: expected 16",
        ),
        (r#"{"lorawan_device":{"f_cnt_up":-1}}"#, "lorawan_device.f_cnt_up: expected u32"),
        (r#"{"lorawan_device":{"f_cnt_up":4294967296}}"#, "lorawan_device.f_cnt_up: expected u32"),
        (r#"{"lorawan_device":"0102SECRET"}"#, "lorawan_device: expected struct Device"),
        (r#""0102SECRET""#, "invalid JSON: expected struct Device"),
        (r#"{"dev_id":["0102SECRET"]}"#, "dev_id: expected a string"),
        (r#"{"attributes":{"a":{"0102SECRET":1}}}"#, "attributes.a: expected a string"),
        (r#"{"lorawan_device":{"used_dev_nonces":["01"]}}"#, "used_dev_nonces[0]: expected 4 hex digits"),
        (r#"{"lorawan_device":{"f_cnt_up":"+5"}}"#, "f_cnt_up: expected a number"),
        (r#"{"lorawan_device":{"f_cnt_up":"007"}}"#, "f_cnt_up: expected a number"),
        (r#"{"latitude":".5"}"#, "latitude: expected a number"),
        (r#"{"altitude":1.5}"#, "altitude: expected i32"),
        (r#"{"latitude":"NaN"}"#, "latitude: expected a number"),
        (r#"{"latitude":1e39}"#, "latitude: expected f32"),
        (r#"{"dev_id":"#, "invalid JSON"),
        (r#"{} {}"#, "trailing characters"),
        (r#"["#, "invalid JSON"),
    ] {
        let error = device(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.to_string().contains(field), "{text}: {error}");
        assert!(!error.to_string().contains("SECRET"), "{error}");
    }
}

#[test]
#[cfg(feature = "http")]
fn a_request_leaves_unset_keys_out() {
    let read =
        device(r#"{"lorawan_device":{"app_eui":"70B3D57ED0000001","app_key":"","dev_addr":null}}"#).unwrap();
    let body = String::from_utf8(to_request_json(&read).unwrap()).unwrap();
    assert_eq!(body, r#"{"lorawan_device":{"app_eui":"70B3D57ED0000001"}}"#);
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_without_a_panic(text in ".*") {
        let _ = device(&text);
    }

    #[test]
    fn what_is_written_reads_back(
        latitude in proptest::num::f32::NORMAL, altitude: i32, up: u32, last_seen: i64, eui: [u8; 8],
        description in ".*",
    ) {
        let written = handler::Device {
            latitude, altitude, description,
            lorawan_device: Some(lorawan::Device {
                f_cnt_up: up, last_seen,
                dev_eui: if eui == [0; 8] { vec![] } else { eui.to_vec() },
                ..Default::default()
            }),
            ..Default::default()
        };
        prop_assert_eq!(device(&to_json(&written).unwrap()).unwrap(), written);
    }
}
