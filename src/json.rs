//! V2's documented JSON: how each kind of field looks, so that a call gives deep-equal answers over gRPC and HTTP.
//!
//! The messages in [`proto`](crate::proto) carry serde attributes (written by `build.rs`) that name the functions
//! here. The rules, from wire.md section 5: snake_case out, camelCase accepted in; EUIs, addresses and keys are
//! upper-case hex; payloads are base64; an int64 is text, and numbers are accepted as text; zero values are left out,
//! except an unset address or key, which is `""`; `null` means zero; unknown fields are ignored.

use std::borrow::Cow;
use std::collections::BTreeMap;
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
    // Following the path costs as much as reading.
    serde_json::from_slice(text).or_else(|_| explained(text))
}

fn explained<T: DeserializeOwned>(text: &[u8]) -> Result<T> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    serde_path_to_error::deserialize(&mut reader)
        .and_then(|message| {
            reader.end().map(|()| message).map_err(|e| serde_path_to_error::Error::new(no_path(), e))
        })
        .map_err(|error| {
            let path = error.path().to_string();
            let at = if path == "." { String::new() } else { format!("{path}: ") };
            let reason = without_value(&error.inner().to_string());
            Error::new(ErrorKind::InvalidArgument, format!("invalid JSON: {at}{reason}"))
        })
}

/// serde says what it found: `invalid type: string "0102..", expected u32 at line 1 column 9`. That may be a key.
fn without_value(reason: &str) -> String {
    match reason.rsplit_once(", expected ") {
        Some((found, expected)) if found.starts_with("invalid ") => format!("expected {expected}"),
        _ => reason.to_owned(),
    }
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

/// A number of a field.
pub(crate) trait Number: FromStr + Default {
    /// 1e39 is a JSON number, and infinite as 32 bits.
    fn is_finite(&self) -> bool {
        true
    }
}

impl Number for i32 {}
impl Number for i64 {}
impl Number for u32 {}
impl Number for f32 {
    fn is_finite(&self) -> bool {
        f32::is_finite(*self)
    }
}

pub(crate) fn number<'de, D: Deserializer<'de>, T: Number>(from: D) -> Result<T, D::Error> {
    let text = match Value::deserialize(from)? {
        Value::Null => return Ok(T::default()),
        Value::Number(number) => number.to_string(),
        // JSON's own grammar inside the quotes too: no "+5", no "007", no "NaN".
        Value::String(text) => serde_json::from_str::<serde_json::Number>(&text)
            .map(|number| number.to_string())
            .map_err(|_| D::Error::custom("expected a number"))?,
        _ => return Err(D::Error::custom("expected a number")),
    };
    text.parse()
        .ok()
        .filter(T::is_finite)
        .ok_or_else(|| D::Error::custom(format!("expected {}", std::any::type_name::<T>())))
}

/// A map whose `null`s are empty texts.
pub(crate) fn texts<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, String>, D::Error> {
    let read = Option::<BTreeMap<String, Option<String>>>::deserialize(from)?.unwrap_or_default();
    Ok(read.into_iter().map(|(name, value)| (name, value.unwrap_or_default())).collect())
}

/// Floats as the shortest decimal that reads back as the same 32 bits: 52.1, not 52.099998474121094.
pub(crate) mod float {
    use super::*;

    pub(crate) fn serialize<S: serde::Serializer>(value: &f32, to: S) -> Result<S::Ok, S::Error> {
        let exact = f64::from(*value);
        // A whole number is the same in both.
        to.serialize_f64(if value.fract() == 0.0 {
            exact
        } else {
            value.to_string().parse().unwrap_or(exact)
        })
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
        let text = Option::<String>::deserialize(from).map_err(|_| D::Error::custom("expected base64"))?;
        LENIENT.decode(text.unwrap_or_default()).map_err(|_| D::Error::custom("expected base64"))
    }
}

/// A text that may be a part of what is read.
#[derive(Default, Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

pub(crate) fn read_hex<'de, D: Deserializer<'de>>(from: D, length: usize) -> Result<Vec<u8>, D::Error> {
    // No value in the message: it may be a key.
    let wrong = || D::Error::custom(format!("expected {} hex digits ({length} bytes)", length * 2));
    // Borrowed where it can be: without escapes, which hex digits need none of.
    let text = Option::<Text>::deserialize(from).map_err(|_| wrong())?.unwrap_or_default().0;
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let digit = |digit: u8| char::from(digit).to_digit(16).map(|value| value as u8);
    let mut bytes = Vec::with_capacity(length);
    for pair in text.as_bytes().chunks(2) {
        let [high, low] = *pair else { return Err(wrong()) };
        bytes.push(digit(high).zip(digit(low)).map(|(high, low)| high << 4 | low).ok_or_else(wrong)?);
    }
    if bytes.len() == length { Ok(bytes) } else { Err(wrong()) }
}

pub(crate) fn hex_text(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digits = |byte: &u8| [byte >> 4, byte & 15].map(|digit| char::from(DIGITS[usize::from(digit)]));
    bytes.iter().flat_map(digits).collect()
}

macro_rules! hex {
    ($($name:ident: $length:literal),*) => { $(
        pub(crate) mod $name {
            use super::*;

            pub(crate) fn serialize<S: serde::Serializer>(value: &[u8], to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(&hex_text(if is_unset(value) { &[] } else { value }))
            }

            pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
                read_hex(from, $length)
            }
        }
    )* };
}

hex!(eui: 8, dev_addr: 4, key: 16);

macro_rules! nonces {
    ($($name:ident: $length:literal),*) => { $(
        /// A list of nonces, each as hex digits.
        pub(crate) mod $name {
            use super::*;

            #[derive(Deserialize)]
            struct Nonce(#[serde(deserialize_with = "read")] Vec<u8>);

            fn read<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
                read_hex(from, $length)
            }

            pub(crate) fn serialize<S: serde::Serializer>(value: &[Vec<u8>], to: S) -> Result<S::Ok, S::Error> {
                to.collect_seq(value.iter().map(|nonce| hex_text(nonce)))
            }

            pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Vec<u8>>, D::Error> {
                let read = Option::<Vec<Nonce>>::deserialize(from)?.unwrap_or_default();
                Ok(read.into_iter().map(|nonce| nonce.0).collect())
            }
        }
    )* };
}

nonces!(dev_nonces: 2, app_nonces: 3);

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
