//! What a Handler makes of a device that is set, and how it shows one.

use ttn_auth::proto::{handler, lorawan};
use ttn_auth::{AppId, DevId, Error, ErrorKind, Result};

use crate::store::prefixed;

/// The LoRaWAN part must be there, with ids of its own.
pub(crate) fn check(device: &handler::Device) -> Result<()> {
    let Some(lorawan) = &device.lorawan_device else {
        let message = "Invalid Device: Device not valid: can not be empty";
        return Err(Error::new(ErrorKind::InvalidArgument, message).with_grpc_code(3));
    };
    AppId::new(lorawan.app_id.clone())
        .and(DevId::new(lorawan.dev_id.clone()).map(|_| ()))
        .map_err(|e| prefixed("Invalid Device: Invalid Device: Invalid LoRaWANDevice", e))
}

/// Whether a network could not tell the two apart.
pub(crate) fn same_euis(one: &handler::Device, other: &handler::Device) -> bool {
    let euis = |device: &handler::Device| {
        let lorawan = device.lorawan_device.clone().unwrap_or_default();
        (zero_padded(&lorawan.app_eui, 8), zero_padded(&lorawan.dev_eui, 8))
    };
    euis(one) == euis(other)
}

/// What is stored for a device that is set. Keys and an address that are not sent are kept; all else is replaced.
pub(crate) fn updated(stored: Option<&handler::Device>, mut sent: handler::Device) -> handler::Device {
    let old = stored.and_then(|device| device.lorawan_device.clone()).unwrap_or_default();
    let (app_id, dev_id) = (sent.app_id.clone(), sent.dev_id.clone());
    let new = sent.lorawan_device.get_or_insert_default();
    for (new, old) in [
        (&mut new.dev_addr, old.dev_addr),
        (&mut new.nwk_s_key, old.nwk_s_key),
        (&mut new.app_s_key, old.app_s_key),
        (&mut new.app_key, old.app_key),
    ] {
        if new.is_empty() {
            *new = old;
        }
    }
    if new.activation_constraints.is_empty() {
        new.activation_constraints = "local".to_owned();
    }
    // The device's ids count, not those of its LoRaWAN part; nonces are never shown, and when a device was last seen is
    // for the network to say.
    (new.app_id, new.dev_id) = (app_id, dev_id);
    new.used_dev_nonces.clear();
    new.used_app_nonces.clear();
    new.last_seen = old.last_seen;
    sent
}

/// As `GetDevice` answers it: fields of fixed length are always there.
pub(crate) fn shown(device: &handler::Device) -> handler::Device {
    let mut device = device.clone();
    if let Some(lorawan) = &mut device.lorawan_device {
        fill(lorawan);
    }
    device
}

/// As lists have it: without what only the network server knows.
pub(crate) fn listed(device: &handler::Device) -> handler::Device {
    let mut device = shown(device);
    if let Some(lorawan) = &mut device.lorawan_device {
        (lorawan.f_cnt_up, lorawan.f_cnt_down, lorawan.last_seen) = (0, 0, 0);
    }
    device
}

fn fill(device: &mut lorawan::Device) {
    for (bytes, length) in [
        (&mut device.app_eui, 8),
        (&mut device.dev_eui, 8),
        (&mut device.dev_addr, 4),
        (&mut device.nwk_s_key, 16),
        (&mut device.app_s_key, 16),
        (&mut device.app_key, 16),
    ] {
        *bytes = zero_padded(bytes, length);
    }
}

fn zero_padded(bytes: &[u8], length: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes.resize(length, 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(lorawan: lorawan::Device) -> handler::Device {
        handler::Device {
            app_id: "test-app".into(),
            dev_id: "dev-1".into(),
            lorawan_device: Some(lorawan),
            ..Default::default()
        }
    }

    #[test]
    fn an_update_keeps_keys_that_are_not_sent_and_replaces_the_rest() {
        let stored = device(lorawan::Device {
            app_key: vec![1; 16],
            nwk_s_key: vec![2; 16],
            activation_constraints: "otaa".into(),
            f_cnt_up: 7,
            ..Default::default()
        });
        // All zero is sent: a key that is taken away.
        let sent = device(lorawan::Device { nwk_s_key: vec![0; 16], f_cnt_down: 3, ..Default::default() });
        let found = updated(Some(&stored), sent).lorawan_device.unwrap();
        assert_eq!((found.app_key, found.nwk_s_key), (vec![1; 16], vec![0; 16]));
        assert_eq!(
            (found.f_cnt_up, found.f_cnt_down, found.activation_constraints.as_str()),
            (0, 3, "local")
        );
    }

    #[test]
    fn counters_are_shown_for_one_device_and_not_in_lists() {
        let device = device(lorawan::Device { f_cnt_up: 7, ..Default::default() });
        let one = shown(&device).lorawan_device.unwrap();
        assert_eq!((one.f_cnt_up, one.dev_addr.len(), one.app_key.len()), (7, 4, 16));
        assert_eq!(listed(&device).lorawan_device.unwrap().f_cnt_up, 0);
    }

    #[test]
    fn the_lorawan_part_is_checked() {
        let message = |device: &handler::Device| check(device).unwrap_err().message().to_owned();
        let nested = "Invalid Device: Invalid Device: Invalid LoRaWANDevice: ";
        assert_eq!(
            message(&handler::Device::default()),
            "Invalid Device: Device not valid: can not be empty"
        );
        let mut lorawan = lorawan::Device::default();
        assert_eq!(message(&device(lorawan.clone())), format!("{nested}AppID not valid: can not be empty"));
        lorawan.app_id = "test-app".into();
        assert_eq!(message(&device(lorawan.clone())), format!("{nested}DevID not valid: can not be empty"));
        lorawan.dev_id = "other-id".into();
        assert!(check(&device(lorawan)).is_ok());
    }
}
