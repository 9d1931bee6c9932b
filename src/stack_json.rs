//! The Things Stack's documented JSON: how each kind of field looks, so that a call gives deep-equal answers over gRPC and
//! HTTP.
//!
//! The messages in [`proto::stack`](crate::proto::stack) carry serde attributes (written by `build.rs`) that name the
//! functions here and in [`json`](crate::json). The rules, from v3/wire.md and the recorded answers: snake_case out,
//! camelCase accepted in; zero values are left out, but a message that is there is there, if only as `{}`; EUIs and
//! addresses are upper-case hex; other bytes are base64; enums are names, numbers are accepted; times are RFC 3339 with
//! no, 3, 6 or 9 digits of a second; a field mask is one text with commas; a 64-bit integer is text.

use std::collections::BTreeMap;

use prost_types::{FieldMask, Timestamp};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serializer};
use serde_json::Value as Json;

use crate::json::{Number, base64, hex_text, number, read_hex};
use crate::proto::stack;
use crate::stack_value::number_to_json;

impl Number for u64 {}
impl Number for f64 {
    fn is_finite(&self) -> bool {
        f64::is_finite(*self)
    }
}

/// A time, or `null` for none.
pub(crate) mod timestamp {
    use super::*;

    /// What RFC 3339 can say: the years 1 to 9999.
    const SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

    pub(crate) fn serialize<S: Serializer>(time: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
        match time {
            None => to.serialize_none(),
            Some(time) if is_valid(time) => to.collect_str(time),
            Some(_) => Err(S::Error::custom("a time that RFC 3339 cannot say")),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
        let wrong = || D::Error::custom("expected a time, such as 2026-11-24T09:43:10.108335Z");
        let Some(text) = Option::<String>::deserialize(from).map_err(|_| wrong())? else { return Ok(None) };
        text.parse().ok().filter(is_valid).map(Some).ok_or_else(wrong)
    }

    fn is_valid(time: &Timestamp) -> bool {
        SECONDS.contains(&time.seconds) && (0..1_000_000_000).contains(&time.nanos)
    }
}

/// `"name,description"`; in also `{"paths": [..]}`, or a list.
pub(crate) mod field_mask {
    use super::*;

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Mask {
        Text(String),
        Message {
            #[serde(default)]
            paths: Vec<String>,
        },
        List(Vec<String>),
    }

    pub(crate) fn serialize<S: Serializer>(mask: &Option<FieldMask>, to: S) -> Result<S::Ok, S::Error> {
        match mask {
            None => to.serialize_none(),
            Some(mask) => to.serialize_str(&mask.paths.join(",")),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<FieldMask>, D::Error> {
        let mask = Option::<Mask>::deserialize(from)
            .map_err(|_| D::Error::custom("expected a field mask, such as \"name,description\""))?;
        Ok(mask.map(|mask| {
            let paths = match mask {
                Mask::Text(text) => text.split(',').map(|path| path.trim().to_owned()).collect(),
                Mask::Message { paths } | Mask::List(paths) => paths,
            };
            FieldMask { paths: paths.into_iter().filter(|path| !path.is_empty()).collect() }
        }))
    }
}

/// An enum whose values have names.
pub(crate) trait Named {
    fn name_of(number: i32) -> Option<&'static str>;
    fn number_of(name: &str) -> Option<i32>;
}

macro_rules! named {
    ($($name:ident),*) => { $(
        impl Named for stack::$name {
            fn name_of(number: i32) -> Option<&'static str> {
                Self::try_from(number).ok().map(|value| value.as_str_name())
            }

            fn number_of(name: &str) -> Option<i32> {
                Self::from_str_name(alias(name)).map(i32::from)
            }
        }
    )* };
}

named!(Right, ContactType, ContactMethod, LocationSource, MacVersion, PhyVersion);

/// The Things Stack has two names for some versions of the regional parameters.
fn alias(name: &str) -> &str {
    match name {
        "TS001_V1_0" => "PHY_V1_0",
        "TS001_V1_0_1" => "PHY_V1_0_1",
        "RP001_V1_0_2" => "PHY_V1_0_2_REV_A",
        "RP001_V1_0_2_REV_B" => "PHY_V1_0_2_REV_B",
        "RP001_V1_1_REV_A" => "PHY_V1_1_REV_A",
        "RP001_V1_1_REV_B" => "PHY_V1_1_REV_B",
        "RP001_V1_0_3_REV_A" => "PHY_V1_0_3_REV_A",
        other => other,
    }
}

/// Stands for a name that a newer server has and this crate has not. No number of a real value.
const UNKNOWN: i32 = -1;

fn name_to_json<E: Named>(value: i32) -> Json {
    match E::name_of(value) {
        Some(name) => name.into(),
        None if value == UNKNOWN => "UNKNOWN".into(),
        None => value.into(),
    }
}

fn name_from_json<E: Named, D: serde::de::Error>(json: Json) -> Result<i32, D> {
    match json {
        Json::Null => Ok(0),
        Json::String(name) => Ok(E::number_of(&name).unwrap_or(UNKNOWN)),
        Json::Number(value) => value
            .as_i64()
            .and_then(|value| i32::try_from(value).ok())
            .ok_or_else(|| D::custom("expected a name or its number")),
        _ => Err(D::custom("expected a name or its number")),
    }
}

/// An enum's value.
pub(crate) mod name {
    use super::*;

    pub(crate) fn write<E: Named, S: Serializer>(value: &i32, to: S) -> Result<S::Ok, S::Error> {
        serde::Serialize::serialize(&name_to_json::<E>(*value), to)
    }

    pub(crate) fn read<'de, E: Named, D: Deserializer<'de>>(from: D) -> Result<i32, D::Error> {
        name_from_json::<E, _>(Json::deserialize(from)?)
    }
}

/// A list of an enum's values.
pub(crate) mod names {
    use super::*;

    pub(crate) fn write<E: Named, S: Serializer>(values: &[i32], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(values.iter().map(|value| name_to_json::<E>(*value)))
    }

    pub(crate) fn read<'de, E: Named, D: Deserializer<'de>>(from: D) -> Result<Vec<i32>, D::Error> {
        let read = Option::<Vec<Json>>::deserialize(from)?.unwrap_or_default();
        read.into_iter().map(name_from_json::<E, _>).collect()
    }
}

macro_rules! hex {
    ($($name:ident: $length:literal),*) => { $(
        /// Hex digits. All zero is a value of its own: many devices have such a JoinEUI.
        pub(crate) mod $name {
            use super::*;

            pub(crate) fn serialize<S: Serializer>(value: &[u8], to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(&hex_text(value))
            }

            pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
                read_hex(from, $length)
            }
        }
    )* };
}

hex!(eui: 8, dev_addr: 4, net_id: 3);

/// A 64-bit integer is text in proto3's JSON.
pub(crate) mod uint64 {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(value: &u64, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        number(from)
    }
}

/// A number that may have a fraction. What JSON has no number for is `null`, and reads as zero.
pub(crate) mod double {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
        serde::Serialize::serialize(&number_to_json(*value), to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
        number(from)
    }
}

/// Bytes by name.
pub(crate) mod base64_map {
    use super::*;

    #[derive(serde::Serialize, Deserialize)]
    struct Bytes(#[serde(with = "base64")] Vec<u8>);

    pub(crate) fn serialize<S: Serializer>(
        map: &BTreeMap<String, Vec<u8>>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_map(map.iter().map(|(name, value)| (name, Bytes(value.clone()))))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<BTreeMap<String, Vec<u8>>, D::Error> {
        let read = Option::<BTreeMap<String, Bytes>>::deserialize(from)?.unwrap_or_default();
        Ok(read.into_iter().map(|(name, value)| (name, value.0)).collect())
    }
}

pub(crate) use crate::stack_any::{any, anys};
pub(crate) use crate::stack_value::structure;

#[cfg(test)]
#[path = "stack_json_tests.rs"]
mod tests;
