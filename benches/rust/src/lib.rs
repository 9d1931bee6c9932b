//! What the bench server answers and the Rust contestants ask for.

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;
use ttn_auth::proto::{handler, lorawan};

/// The application of the device.
pub const APP_ID: &str = "test-app";
/// The device.
pub const DEV_ID: &str = "dev-1";
/// The method that gives it.
pub const METHOD: &str = "/handler.ApplicationManager/GetDevice";
/// The route that gives it.
pub const PATH: &str = "/applications/test-app/devices/dev-1";

/// A failure of a bench ends it, with what happened.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// A device as networks have them: a session, keys, counters, a place, and a text that is not ASCII.
pub fn device() -> handler::Device {
    handler::Device {
        app_id: APP_ID.to_owned(),
        dev_id: DEV_ID.to_owned(),
        lorawan_device: Some(lorawan::Device {
            app_eui: vec![0x70, 0xb3, 0xd5, 0x7e, 0xd0, 0, 0, 1],
            dev_eui: vec![0, 0x04, 0xa3, 0x0b, 0, 0x1b, 0xb0, 0x77],
            app_id: APP_ID.to_owned(),
            dev_id: DEV_ID.to_owned(),
            dev_addr: vec![0x26, 0x01, 0x2a, 0x7f],
            nwk_s_key: (0x10..0x20).collect(),
            app_s_key: (0x80..0x90).collect(),
            app_key: (0xe0..0xf0).collect(),
            f_cnt_up: 48_213,
            f_cnt_down: 107,
            uses32_bit_f_cnt: true,
            activation_constraints: "local".to_owned(),
            last_seen: 1_764_108_000_123_456_789,
            ..Default::default()
        }),
        latitude: 52.3731,
        longitude: 4.8922,
        altitude: 12,
        attributes: [("site", "dike-7"), ("serial", "A-00417")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        description: "Waterstand bij café “De Brug”".to_owned(),
    }
}

/// The device as a gRPC message: five bytes of prefix, then protobuf.
pub fn grpc_message() -> Bytes {
    let device = device();
    let length = device.encoded_len();
    let mut message = BytesMut::with_capacity(5 + length);
    message.put_u8(0);
    message.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    message.put_slice(&device.encode_to_vec());
    message.freeze()
}
