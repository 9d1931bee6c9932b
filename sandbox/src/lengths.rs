//! Checks the bytes fields of a device on the wire: each has a fixed length, and one that is present but empty is as
//! wrong as a long one. Decoded, that could no longer be told from an absent one.

use bytes::{Buf, Bytes};
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

/// `handler.Device.lorawan_device`.
const LORAWAN_DEVICE: u32 = 3;

/// The bytes fields of `lorawan.Device`: number, V2's name of the type, length.
const FIELDS: [(u32, &str, usize); 8] = [
    (1, "EUI64", 8),
    (2, "EUI64", 8),
    (5, "DevAddr", 4),
    (6, "AES128Key", 16),
    (7, "AES128Key", 16),
    (8, "AES128Key", 16),
    (14, "DevNonce", 2),
    (15, "AppNonce", 3),
];

/// What a Handler says to the first field of an encoded `handler.Device` that it refuses. What cannot be read at all is for the decoder
/// to refuse.
pub(crate) fn wrong_length(device: &Bytes) -> Option<String> {
    let mut wrong = None;
    each_bytes_field(device.clone(), &mut |number, lorawan| {
        if number == LORAWAN_DEVICE {
            each_bytes_field(lorawan, &mut |number, bytes| {
                let field =
                    FIELDS.iter().find(|(known, _, length)| *known == number && bytes.len() != *length);
                if let (Some((_, name, _)), None) = (field, &wrong) {
                    wrong = Some(format!("ttn/core: Invalid length for {name}"));
                }
            });
        }
    });
    wrong
}

/// Calls `found` with each length-delimited field, until the end or something unreadable.
fn each_bytes_field(mut message: Bytes, found: &mut dyn FnMut(u32, Bytes)) {
    while let Ok((number, wire_type)) = decode_key(&mut message) {
        if wire_type == WireType::LengthDelimited {
            let length = decode_varint(&mut message).ok().and_then(|length| usize::try_from(length).ok());
            match length {
                Some(length) if length <= message.remaining() => found(number, message.split_to(length)),
                _ => return,
            }
        } else if skip_field(wire_type, number, &mut message, DecodeContext::default()).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;
    use ttn_auth::proto::{handler, lorawan};

    fn encoded(lorawan: lorawan::Device) -> Bytes {
        let device = handler::Device {
            latitude: 1.0,
            altitude: 2,
            lorawan_device: Some(lorawan),
            ..Default::default()
        };
        device.encode_to_vec().into()
    }

    #[test]
    fn wrong_lengths_are_found() {
        let good =
            lorawan::Device { app_eui: vec![0; 8], app_key: vec![1; 16], f_cnt_up: 7, ..Default::default() };
        assert_eq!(wrong_length(&encoded(good.clone())), None);
        let short = lorawan::Device { app_key: vec![1; 15], ..good.clone() };
        assert_eq!(wrong_length(&encoded(short)).unwrap(), "ttn/core: Invalid length for AES128Key");
        let nonce = lorawan::Device { used_dev_nonces: vec![vec![1, 2], vec![1]], ..good };
        assert_eq!(wrong_length(&encoded(nonce)).unwrap(), "ttn/core: Invalid length for DevNonce");
    }

    #[test]
    fn a_present_and_empty_field_is_wrong_and_an_absent_one_is_not() {
        // lorawan_device { app_key: "" }
        assert_eq!(
            wrong_length(&Bytes::from_static(&[0x1a, 2, 0x42, 0])).unwrap(),
            "ttn/core: Invalid length for AES128Key"
        );
        assert_eq!(wrong_length(&Bytes::from_static(&[0x1a, 0])), None);
        // Cut off: not for this check.
        assert_eq!(wrong_length(&Bytes::from_static(&[0x1a, 9, 0x42])), None);
    }
}
