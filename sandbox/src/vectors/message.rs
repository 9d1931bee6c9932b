//! Which message each method takes and gives, so that a vector's JSON becomes the bytes on the wire and back.

use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use ttn_auth::proto::{discovery, handler};

/// A method's messages.
pub(super) struct Method {
    /// JSON to bytes.
    pub(super) encode: fn(&Value) -> Result<Vec<u8>, String>,
    /// Bytes to what can be compared.
    pub(super) decode: fn(&[u8]) -> Result<Decoded, String>,
}

/// A message that can be compared with another.
pub(super) struct Decoded {
    /// V2's JSON.
    pub(super) json: Value,
    /// The bytes with fields and map entries in order: servers differ in the order of maps.
    pub(super) canonical: Vec<u8>,
}

/// The messages of a method, or nothing for one that `proto/` does not have.
pub(super) fn method(path: &str) -> Option<Method> {
    use discovery::{Announcement, AnnouncementsResponse, GetByAppIdRequest, GetRequest, GetServiceRequest};
    use handler::*;
    let of = |encode, decode| Some(Method { encode, decode });
    match path {
        "/handler.ApplicationManager/RegisterApplication" => {
            of(encode::<ApplicationIdentifier>, decode_empty)
        }
        "/handler.ApplicationManager/GetApplication" => {
            of(encode::<ApplicationIdentifier>, decode::<Application>)
        }
        "/handler.ApplicationManager/SetApplication" => of(encode::<Application>, decode_empty),
        "/handler.ApplicationManager/DeleteApplication" => of(encode::<ApplicationIdentifier>, decode_empty),
        "/handler.ApplicationManager/GetDevice" => of(encode::<DeviceIdentifier>, decode::<Device>),
        "/handler.ApplicationManager/SetDevice" => of(encode_device, decode_empty),
        "/handler.ApplicationManager/DeleteDevice" => of(encode::<DeviceIdentifier>, decode_empty),
        "/handler.ApplicationManager/GetDevicesForApplication" => {
            of(encode::<ApplicationIdentifier>, decode::<DeviceList>)
        }
        "/handler.ApplicationManager/DryDownlink" => {
            of(encode::<DryDownlinkMessage>, decode::<DryDownlinkResult>)
        }
        "/handler.ApplicationManager/DryUplink" => of(encode::<DryUplinkMessage>, decode::<DryUplinkResult>),
        "/handler.ApplicationManager/SimulateUplink" => of(encode::<SimulatedUplinkMessage>, decode_empty),
        "/discovery.Discovery/Get" => of(encode::<GetRequest>, decode::<Announcement>),
        "/discovery.Discovery/GetByAppID" => of(encode::<GetByAppIdRequest>, decode::<Announcement>),
        "/discovery.Discovery/GetAll" => of(encode::<GetServiceRequest>, decode::<AnnouncementsResponse>),
        _ => None,
    }
}

fn encode<T: Message + DeserializeOwned>(value: &Value) -> Result<Vec<u8>, String> {
    let message: T = ttn_auth::from_json(value.to_string().as_bytes()).map_err(|e| e.to_string())?;
    Ok(message.encode_to_vec())
}

fn decode<T: Message + Default + Serialize>(bytes: &[u8]) -> Result<Decoded, String> {
    let message = T::decode(bytes).map_err(|e| e.to_string())?;
    let json = serde_json::to_value(&message).map_err(|e| e.to_string())?;
    Ok(Decoded { json, canonical: message.encode_to_vec() })
}

fn decode_empty(bytes: &[u8]) -> Result<Decoded, String> {
    match bytes {
        [] => Ok(Decoded { json: json!({}), canonical: Vec::new() }),
        _ => Err(format!("{} bytes where the message is empty", bytes.len())),
    }
}

/// A device whose bytes fields may be of any length, or present and empty: a Handler refuses those, and the core's
/// JSON cannot say them.
fn encode_device(value: &Value) -> Result<Vec<u8>, String> {
    const FIELDS: [(&str, &str, u8, usize); 6] = [
        ("app_eui", "appEui", 1, 8),
        ("dev_eui", "devEui", 2, 8),
        ("dev_addr", "devAddr", 5, 4),
        ("nwk_s_key", "nwkSKey", 6, 16),
        ("app_s_key", "appSKey", 7, 16),
        ("app_key", "appKey", 8, 16),
    ];
    let mut rest = value.clone();
    let mut odd = Vec::new();
    let lorawan = ["lorawan_device", "lorawanDevice"].into_iter().find(|name| rest.get(name).is_some());
    if let Some(fields) = lorawan.and_then(|name| rest.get_mut(name)).and_then(Value::as_object_mut) {
        for (name, camel, number, length) in FIELDS {
            for name in [name, camel] {
                if let Some(Value::String(text)) = fields.get(name)
                    && text.len() != 2 * length
                {
                    let bytes = hex(text).ok_or_else(|| format!("{name} is not hex"))?;
                    let size = u8::try_from(bytes.len()).ok().filter(|size| *size < 0x80);
                    odd.push(number << 3 | 2);
                    odd.push(size.ok_or_else(|| format!("{name} is too long"))?);
                    odd.extend(bytes);
                    fields.remove(name);
                }
            }
        }
    }
    if odd.is_empty() {
        return encode::<handler::Device>(value);
    }
    let mut device: handler::Device =
        ttn_auth::from_json(rest.to_string().as_bytes()).map_err(|e| e.to_string())?;
    let mut lorawan = device.lorawan_device.take().unwrap_or_default().encode_to_vec();
    lorawan.extend(odd);
    let mut out = device.encode_to_vec();
    out.push(3 << 3 | 2);
    prost::encode_length_delimiter(lorawan.len(), &mut out).map_err(|e| e.to_string())?;
    out.extend(lorawan);
    Ok(out)
}

fn hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

/// Whether a call would run a payload function, for which the sandbox has no JavaScript engine.
pub(super) fn runs_function(path: &str, request: &Value) -> bool {
    let app =
        |name: &str| request.get("app").and_then(|app| app.get(name)).and_then(Value::as_str).unwrap_or("");
    let format = app("payload_format");
    let custom = format.is_empty() || format == "custom";
    match path {
        "/handler.ApplicationManager/DryUplink" => {
            custom && ["decoder", "converter", "validator"].iter().any(|name| !app(name).is_empty())
        }
        "/handler.ApplicationManager/DryDownlink" => {
            let no_payload = request.get("payload").and_then(Value::as_str).is_none_or(str::is_empty);
            custom && no_payload && !app("encoder").is_empty()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SET_DEVICE: &str = "/handler.ApplicationManager/SetDevice";

    #[test]
    fn bytes_of_any_length_reach_the_wire() {
        let encode = method(SET_DEVICE).unwrap().encode;
        let odd =
            json!({"dev_id": "d", "lorawan_device": {"app_key": "0102", "dev_addr": "", "dev_id": "d"}});
        let bytes = encode(&odd).unwrap();
        let device = handler::Device::decode(&bytes[..]).unwrap();
        let lorawan = device.lorawan_device.unwrap();
        assert_eq!((&*device.dev_id, &*lorawan.dev_id, &lorawan.app_key[..]), ("d", "d", &[1, 2][..]));
        assert!(bytes.windows(2).any(|two| two == [0x2a, 0]), "dev_addr is present and empty: {bytes:?}");
        assert!(encode(&json!({"lorawan_device": {"app_key": "xy"}})).is_err());
        let plain = json!({"lorawan_device": {"dev_addr": "26001234"}});
        assert_eq!(encode(&plain).unwrap(), [0x1a, 6, 0x2a, 4, 0x26, 0, 0x12, 0x34]);
    }

    #[test]
    fn map_order_does_not_count_and_zero_bytes_do() {
        let decode = method("/handler.ApplicationManager/GetDevice").unwrap().decode;
        let entry = |key: u8| [0x6a, 6, 0x0a, 1, key, 0x12, 1, b'v'];
        let canonical = |bytes: &[u8]| decode(bytes).unwrap().canonical;
        assert_eq!(
            canonical(&[entry(b'a'), entry(b'b')].concat()),
            canonical(&[entry(b'b'), entry(b'a')].concat())
        );
        assert_ne!(canonical(&[0x1a, 0]), canonical(&[0x1a, 6, 0x2a, 4, 0, 0, 0, 0]));
        assert!(decode(&[0xff]).is_err());
        assert!((method(SET_DEVICE).unwrap().decode)(&[0x0a, 0]).is_err());
    }

    #[test]
    fn only_functions_that_would_run_count() {
        let (up, down) = ("/handler.ApplicationManager/DryUplink", "/handler.ApplicationManager/DryDownlink");
        assert!(runs_function(up, &json!({"app": {"decoder": "function"}})));
        assert!(!runs_function(up, &json!({"app": {"decoder": "f", "payload_format": "cayennelpp"}})));
        assert!(!runs_function(up, &json!({"payload": "AQ=="})));
        assert!(runs_function(down, &json!({"fields": "{}", "app": {"encoder": "function"}})));
        assert!(!runs_function(down, &json!({"payload": "AQ==", "app": {"encoder": "function"}})));
    }
}
