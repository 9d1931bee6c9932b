//! Cayenne Low Power Payload: channel, type, value, again and again.
//!
//! The types, their scales and V2's names for them: the Cayenne LPP description, version 1.2.

use serde_json::{Map, Number, Value};
use ttn_auth::{Error, ErrorKind, Result};

/// How the bytes of a value are read.
#[derive(Clone, Copy)]
enum Shape {
    Unsigned,
    /// A signed number in so many parts of one.
    Scaled(f32),
    UnsignedScaled(f32),
    /// Three signed numbers: x, y, z.
    Vector(f32),
    /// Latitude and longitude in 1/10,000 degrees, altitude in 1/100 m; 3 bytes each.
    Position,
}

/// Type, name, bytes, shape.
const TYPES: [(u8, &str, usize, Shape); 12] = [
    (0, "digital_in", 1, Shape::Unsigned),
    (1, "digital_out", 1, Shape::Unsigned),
    (2, "analog_in", 2, Shape::Scaled(100.0)),
    (3, "analog_out", 2, Shape::Scaled(100.0)),
    (101, "luminosity", 2, Shape::Unsigned),
    (102, "presence", 1, Shape::Unsigned),
    (103, "temperature", 2, Shape::Scaled(10.0)),
    (104, "relative_humidity", 1, Shape::UnsignedScaled(2.0)),
    (113, "accelerometer", 6, Shape::Vector(1000.0)),
    (115, "barometric_pressure", 2, Shape::UnsignedScaled(10.0)),
    (134, "gyrometer", 6, Shape::Vector(100.0)),
    (136, "gps", 9, Shape::Position),
];

/// Fields by name and channel, such as `temperature_1`.
pub(crate) fn decode(mut payload: &[u8]) -> Result<Map<String, Value>> {
    let broken =
        |why: &str| Error::new(ErrorKind::InvalidArgument, format!("cayennelpp: {why}")).with_grpc_code(2);
    let mut fields = Map::new();
    while let [channel, kind, rest @ ..] = payload {
        let (_, name, length, shape) =
            TYPES.iter().find(|(known, ..)| known == kind).ok_or_else(|| broken("unknown type"))?;
        let (value, rest) = rest.split_at_checked(*length).ok_or_else(|| broken("unexpected end"))?;
        fields.insert(format!("{name}_{channel}"), read(*shape, value));
        payload = rest;
    }
    if payload.is_empty() { Ok(fields) } else { Err(broken("unexpected end")) }
}

fn read(shape: Shape, bytes: &[u8]) -> Value {
    let third = bytes.len() / 3;
    let part = |index: usize| signed(&bytes[index * third..(index + 1) * third]);
    match shape {
        Shape::Unsigned => unsigned(bytes).into(),
        Shape::Scaled(scale) => float(signed(bytes) as f32 / scale),
        Shape::UnsignedScaled(scale) => float(unsigned(bytes) as f32 / scale),
        Shape::Vector(scale) => object(["x", "y", "z"].map(|name| (name, scale)), part),
        Shape::Position => {
            object([("latitude", 10_000.0), ("longitude", 10_000.0), ("altitude", 100.0)], part)
        }
    }
}

fn object(names: [(&str, f32); 3], part: impl Fn(usize) -> i32) -> Value {
    let fields = names.into_iter().enumerate();
    Value::Object(
        fields.map(|(index, (name, scale))| (name.to_owned(), float(part(index) as f32 / scale))).collect(),
    )
}

fn unsigned(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

fn signed(bytes: &[u8]) -> i32 {
    let unused = 32 - 8 * bytes.len() as u32;
    (unsigned(bytes) << unused) as i32 >> unused
}

/// The shortest decimal of a 32-bit float, as Go prints it: a whole number has no point.
fn float(value: f32) -> Value {
    let text = value.to_string();
    let number = match text.parse::<i64>() {
        Ok(whole) => Some(Number::from(whole)),
        Err(_) => text.parse().ok().and_then(Number::from_f64),
    };
    number.map_or(Value::Null, Value::Number)
}

/// `value_<channel>` fields: channel, then the value in 1/100. Others are left out, as V2 does.
pub(crate) fn encode(fields: &Map<String, Value>) -> Vec<u8> {
    let values = fields.iter().filter_map(|(name, value)| {
        let channel: u8 = name.strip_prefix("value_")?.parse().ok()?;
        // A cast saturates at what two bytes hold.
        Some((channel, (value.as_f64()? as f32 * 100.0) as i16))
    });
    values.flat_map(|(channel, value)| [[channel].as_slice(), &value.to_be_bytes()].concat()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_decoded() {
        // The examples of the Cayenne LPP description.
        for (hex, expected) in [
            ("03670110 05670 0ff", r#"{"temperature_3":27.2,"temperature_5":25.5}"#),
            ("0167ffd7", r#"{"temperature_1":-4.1}"#),
            ("067104d2fb2e0000", r#"{"accelerometer_6":{"x":1.234,"y":-1.234,"z":0}}"#),
            (
                "0188 06765f f2960a 0003e8",
                r#"{"gps_1":{"altitude":10,"latitude":42.3519,"longitude":-87.9094}}"#,
            ),
            (
                "0100ff 020164 030 2154a 0403eab6",
                r#"{"analog_in_3":54.5,"analog_out_4":-54.5,"digital_in_1":255,"digital_out_2":100}"#,
            ),
            ("056501f4 066632 0868a1", r#"{"luminosity_5":500,"presence_6":50,"relative_humidity_8":80.5}"#),
            (
                "0a7329ef 0b8601630231fe66",
                r#"{"barometric_pressure_10":1073.5,"gyrometer_11":{"x":3.55,"y":5.61,"z":-4.1}}"#,
            ),
            ("", "{}"),
        ] {
            let hex = hex.replace(' ', "");
            let bytes: Vec<u8> =
                (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect();
            assert_eq!(Value::from(decode(&bytes).unwrap()).to_string(), expected);
        }
        for broken in [&[1u8][..], &[1, 0x67], &[1, 0x67, 0], &[1, 9, 0]] {
            assert!(decode(broken).is_err());
        }
    }
}
