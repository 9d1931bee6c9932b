//! A sandbox, and a client for each way to it.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]

use ttn_auth::proto::handler::{ApplicationIdentifier, Device, DeviceIdentifier};
use ttn_auth::proto::lorawan;
use ttn_auth::{Client, ClientBuilder, Credentials};
use ttn_auth_sandbox::{Mint, Sandbox, SandboxOptions};

pub const APP: &str = "test-app";

pub async fn sandbox() -> Sandbox {
    start(SandboxOptions { rate_limit: None, ..Default::default() }).await
}

pub async fn start(options: SandboxOptions) -> Sandbox {
    Sandbox::start(options).await.unwrap()
}

/// gRPC and HTTP, each without and with TLS.
pub fn addresses(sandbox: &Sandbox) -> [String; 4] {
    [sandbox.grpc_address(), sandbox.grpcs_address(), sandbox.http_address(), sandbox.https_address()]
}

pub fn builder(sandbox: &Sandbox, address: &str) -> ClientBuilder {
    Client::builder(address).ca(sandbox.ca())
}

pub fn client(sandbox: &Sandbox, address: &str, secret: &str) -> Client {
    builder(sandbox, address).credentials(Credentials::parse(secret).unwrap()).build().unwrap()
}

/// Every address with every credential.
pub fn clients(sandbox: &Sandbox) -> Vec<(String, Client)> {
    let secrets = [("token", sandbox.bearer_token().unwrap()), ("key", sandbox.access_key())];
    addresses(sandbox)
        .iter()
        .flat_map(|address| {
            secrets
                .iter()
                .map(move |(name, secret)| (format!("{address} {name}"), client(sandbox, address, secret)))
        })
        .collect()
}

/// A token by a vector's words, such as `kind=expired` (wire.md, section 7).
pub fn mint(sandbox: &Sandbox, arguments: &str) -> String {
    sandbox.mint(&Mint::parse(arguments).unwrap()).unwrap()
}

pub fn app() -> ApplicationIdentifier {
    ApplicationIdentifier { app_id: APP.into() }
}

pub fn id(dev_id: &str) -> DeviceIdentifier {
    DeviceIdentifier { app_id: APP.into(), dev_id: dev_id.into() }
}

/// A device with a value in every field that comes back.
pub fn device(dev_id: &str, eui: u8) -> Device {
    Device {
        app_id: APP.into(),
        dev_id: dev_id.into(),
        description: "Dévice <é> & 漢".into(),
        latitude: 52.1,
        longitude: -4.887,
        altitude: -3,
        attributes: [("key".to_owned(), "value".to_owned()), ("ключ".to_owned(), "".to_owned())].into(),
        lorawan_device: Some(lorawan::Device {
            app_id: APP.into(),
            dev_id: dev_id.into(),
            app_eui: vec![0x70, 0xB3, 0xD5, 0x7E, 0xD0, 0, 0, 2],
            dev_eui: vec![0, 0, 0, 0, 0, 0, 9, eui],
            app_key: (1..=16).collect(),
            uses32_bit_f_cnt: true,
            activation_constraints: "otaa".into(),
            ..Default::default()
        }),
    }
}
