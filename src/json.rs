//! V2's documented JSON: how each kind of field looks, so that a call gives deep-equal answers over gRPC and HTTP.
//!
//! The messages in [`proto`](crate::proto) carry serde attributes (written by `build.rs`) that name the functions
//! here. The rules, from wire.md section 5: snake_case out, camelCase accepted in; EUIs, addresses and keys are
//! upper-case hex; payloads are base64; an int64 is text, and numbers are accepted as text; zero values are left out,
//! except an unset address or key, which is `""`; `null` means zero; unknown fields are ignored.

use std::fmt::Display;
use std::str::FromStr;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::{Error, ErrorKind, Result};

/// Reads a message from V2's JSON.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`], naming the field, without its value: it may be a key.
pub fn from_json<T: DeserializeOwned>(text: &[u8]) -> Result<T> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    serde_path_to_error::deserialize(&mut reader)
        .and_then(|message| {
            reader.end().map(|()| message).map_err(|e| serde_path_to_error::Error::new(no_path(), e))
        })
        .map_err(|error| {
            let path = error.path().to_string();
            let at = if path == "." { String::new() } else { format!("{path}: ") };
            Error::new(ErrorKind::InvalidArgument, format!("invalid JSON: {at}{}", error.inner()))
        })
}

fn no_path() -> serde_path_to_error::Path {
    serde_path_to_error::Track::new().path()
}

/// Writes a message as V2's JSON, as an answer has it.
///
/// # Errors
/// Never for the messages of this crate; the signature is serde's.
pub fn to_json<T: Serialize>(message: &T) -> Result<String> {
    serde_json::to_string(message)
        .map_err(|e| Error::new(ErrorKind::Internal, format!("cannot write JSON: {e}")))
}

/// Writes a message as V2's JSON, as a request has it: unset addresses and keys are absent, as over gRPC. Sent as `""`
/// they would reach a Handler as present and zero.
#[cfg(feature = "http")]
pub(crate) fn to_request_json<T: Serialize>(message: &T) -> Result<Vec<u8>> {
    fn drop_unset(value: &mut Value) {
        if let Value::Object(fields) = value {
            const MAY_BE_UNSET: [&str; 4] = ["dev_addr", "nwk_s_key", "app_s_key", "app_key"];
            fields.retain(|name, value| !(MAY_BE_UNSET.contains(&name.as_str()) && value == ""));
            fields.values_mut().for_each(drop_unset);
        }
    }
    let internal = |e| Error::new(ErrorKind::Internal, format!("cannot write JSON: {e}"));
    let mut value = serde_json::to_value(message).map_err(internal)?;
    drop_unset(&mut value);
    serde_json::to_vec(&value).map_err(internal)
}

pub(crate) fn is_zero<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Absent and all zero are the same: a Handler answers an unset field with zero bytes over gRPC.
pub(crate) fn is_unset(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

pub(crate) fn never(_: &[u8]) -> bool {
    false
}

pub(crate) fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    from: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

pub(crate) fn number<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr + Default + Display,
{
    let text = match Value::deserialize(from)? {
        Value::Null => return Ok(T::default()),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text,
        _ => return Err(D::Error::custom("expected a number")),
    };
    let out_of_range = || D::Error::custom(format!("expected {}", std::any::type_name::<T>()));
    let number: T = text.parse().map_err(|_| out_of_range())?;
    // FromStr for floats takes "inf" and "NaN", which JSON cannot write.
    if number.to_string().ends_with(|last: char| last.is_ascii_digit()) {
        Ok(number)
    } else {
        Err(out_of_range())
    }
}

/// Floats as the shortest decimal that reads back as the same 32 bits: 52.1, not 52.099998474121094.
pub(crate) mod float {
    use super::*;

    pub(crate) fn serialize<S: serde::Serializer>(value: &f32, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64(value.to_string().parse().unwrap_or(f64::from(*value)))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f32, D::Error> {
        number(from)
    }
}

/// A 64-bit integer is text in proto3's JSON: JavaScript's numbers hold 53 bits.
pub(crate) mod int64 {
    use super::*;

    pub(crate) fn serialize<S: serde::Serializer>(value: &i64, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
        number(from)
    }
}

pub(crate) mod base64 {
    use super::*;
    use ::base64::Engine;
    use ::base64::alphabet::STANDARD;
    use ::base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );

    pub(crate) fn serialize<S: serde::Serializer>(value: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&LENIENT.encode(value))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from).map_err(|_| D::Error::custom("expected base64"))?;
        LENIENT.decode(text).map_err(|_| D::Error::custom("expected base64"))
    }
}

fn read_hex<'de, D: Deserializer<'de>>(from: D, length: usize) -> Result<Vec<u8>, D::Error> {
    // No value in the message: it may be a key.
    let wrong = || D::Error::custom(format!("expected {} hex digits ({length} bytes)", length * 2));
    let text = Option::<String>::deserialize(from).map_err(|_| wrong())?.unwrap_or_default();
    match text.len() {
        0 => Ok(Vec::new()),
        n if n == length * 2 && text.bytes().all(|b| b.is_ascii_hexdigit()) => (0..length)
            .map(|i| u8::from_str_radix(&text[i * 2..i * 2 + 2], 16).map_err(|_| wrong()))
            .collect(),
        _ => Err(wrong()),
    }
}

fn write_hex<S: serde::Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
    use std::fmt::Write;
    let text = if is_unset(bytes) { &[] } else { bytes }.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02X}");
        text
    });
    to.serialize_str(&text)
}

macro_rules! hex {
    ($($name:ident: $length:literal),*) => { $(
        pub(crate) mod $name {
            use super::*;

            pub(crate) fn serialize<S: serde::Serializer>(value: &[u8], to: S) -> Result<S::Ok, S::Error> {
                write_hex(value, to)
            }

            pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
                read_hex(from, $length)
            }
        }
    )* };
}

hex!(eui: 8, dev_addr: 4, key: 16);

/// Nonces: accepted as lists of hex digits.
pub(crate) mod nonces {
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Nonce(#[serde(with = "super::base64")] Vec<u8>);

    pub(crate) fn serialize<S: serde::Serializer>(value: &[Vec<u8>], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(value.iter().cloned().map(Nonce))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Vec<u8>>, D::Error> {
        Ok(Option::<Vec<Nonce>>::deserialize(from)?
            .unwrap_or_default()
            .into_iter()
            .map(|nonce| nonce.0)
            .collect())
    }
}

#[cfg(test)]
mod tests {
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
            r#"{"devId":"d","x":1,"latitude":"52.1","altitude":"-3","description":null,
                "lorawanDevice":{"appKey":null,"fCntUp":"7","lastSeen":9,"uses32BitFCnt":true}}"#,
        )
        .unwrap();
        let lorawan = read.lorawan_device.unwrap();
        assert_eq!((read.dev_id.as_str(), read.latitude, read.altitude), ("d", 52.1, -3));
        assert_eq!((lorawan.f_cnt_up, lorawan.last_seen, lorawan.uses32_bit_f_cnt), (7, 9, true));
    }

    #[test]
    fn errors_name_the_field_and_keep_the_value_to_themselves() {
        for (text, field) in [
            (
                r#"{"lorawan_device":{"app_key":"0102SECRET"}}"#,
                "lorawan_device.app_key: expected 32 hex digits",
            ),
            (
                r#"{"lorawan_device":{"app_eui":"70-B3-D5-7E-D0-00-00-01"}}"#,
                "lorawan_device.app_eui: expected 16",
            ),
            (r#"{"lorawan_device":{"f_cnt_up":-1}}"#, "lorawan_device.f_cnt_up: expected u32"),
            (r#"{"lorawan_device":{"f_cnt_up":4294967296}}"#, "lorawan_device.f_cnt_up: expected u32"),
            (r#"{"altitude":1.5}"#, "altitude: expected i32"),
            (r#"{"latitude":"NaN"}"#, "latitude: expected f32"),
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
            device(r#"{"lorawan_device":{"app_eui":"70B3D57ED0000001","app_key":"","dev_addr":null}}"#)
                .unwrap();
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
}
