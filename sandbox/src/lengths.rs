//! Checks the bytes fields of a device on the wire: each has a fixed length, and one that is present but empty is as
//! wrong as a long one. Decoded, that could no longer be told from an absent one.

use bytes::{Buf, Bytes};
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

/// `handler.Device.lorawan_device`.
const LORAWAN_DEVICE: u32 = 3;

/// The bytes fields of `lorawan.Device`: number, name, length.
const FIELDS: [(u32, &str, usize); 8] = [
    (1, "app_eui", 8),
    (2, "dev_eui", 8),
    (5, "dev_addr", 4),
    (6, "nwk_s_key", 16),
    (7, "app_s_key", 16),
    (8, "app_key", 16),
    (14, "used_dev_nonces", 2),
    (15, "used_app_nonces", 3),
];

/// The first field of an encoded `handler.Device` that a Handler refuses. What cannot be read at all is for the decoder
/// to refuse.
pub(crate) fn wrong_length(device: &Bytes) -> Option<String> {
    let mut wrong = None;
    each_bytes_field(device.clone(), &mut |number, lorawan| {
        if number == LORAWAN_DEVICE {
            each_bytes_field(lorawan, &mut |number, bytes| {
                let field =
                    FIELDS.iter().find(|(known, _, length)| *known == number && bytes.len() != *length);
                if let (Some((_, name, length)), None) = (field, &wrong) {
                    wrong = Some(format!("{name} has {} bytes, not {length}", bytes.len()));
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
        assert_eq!(wrong_length(&encoded(short)).unwrap(), "app_key has 15 bytes, not 16");
        let nonce = lorawan::Device { used_dev_nonces: vec![vec![1, 2], vec![1]], ..good };
        assert_eq!(wrong_length(&encoded(nonce)).unwrap(), "used_dev_nonces has 1 bytes, not 2");
    }

    #[test]
    fn a_present_and_empty_field_is_wrong_and_an_absent_one_is_not() {
        // lorawan_device { app_key: "" }
        assert_eq!(
            wrong_length(&Bytes::from_static(&[0x1a, 2, 0x42, 0])).unwrap(),
            "app_key has 0 bytes, not 16"
        );
        assert_eq!(wrong_length(&Bytes::from_static(&[0x1a, 0])), None);
        // Cut off: not for this check.
        assert_eq!(wrong_length(&Bytes::from_static(&[0x1a, 9, 0x42])), None);
    }
}
