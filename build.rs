//! Compiles `proto/` to Rust with protox, so that no protoc is needed, and gives each message the serde
//! attributes of V2's documented JSON (what they do is in src/json.rs).

use std::error::Error;

/// Bytes that JSON shows as hex digits, and the module of src/json.rs that does it.
const HEX: &[(&str, &str)] = &[
    ("app_eui", "eui"),
    ("dev_eui", "eui"),
    ("dev_addr", "dev_addr"),
    ("nwk_s_key", "key"),
    ("app_s_key", "key"),
    ("app_key", "key"),
];

/// Numbers, which are accepted as text too.
const INTEGERS: &[&str] = &["f_cnt_up", "f_cnt_down", "altitude", "port"];

/// Every other field.
const PLAIN: &[&str] = &[
    "activation_constraints",
    "amqp_address",
    "api_address",
    "app",
    "app_id",
    "certificate",
    "converter",
    "decoder",
    "description",
    "dev_id",
    "devices",
    "disable_f_cnt_check",
    "encoder",
    "fields",
    "function",
    "id",
    "logs",
    "lorawan_device",
    "mqtt_address",
    "net_address",
    "payload_format",
    "public",
    "public_key",
    "register_on_join_access_key",
    "service_name",
    "service_version",
    "services",
    "url",
    "uses32_bit_f_cnt",
    "valid",
    "validator",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let files = protox::compile(["handler.proto", "lorawan.proto", "discovery.proto"], ["proto"])?;
    let mut config = prost_build::Config::new();
    config.type_attribute(".", "#[derive(serde::Serialize, serde::Deserialize)] #[serde(default)]");
    config.btree_map(["."]);
    for field in PLAIN {
        attribute(&mut config, field, "deserialize_with = \"crate::json::nullable\"", "is_zero");
    }
    for field in INTEGERS {
        attribute(&mut config, field, "deserialize_with = \"crate::json::number\"", "is_zero");
    }
    for field in ["latitude", "longitude"] {
        attribute(&mut config, field, "with = \"crate::json::float\"", "is_zero");
    }
    for (field, module) in HEX {
        // An unset EUI is left out; unset keys and addresses come as "" (wire.md, section 5).
        let skip = if *module == "eui" { "is_unset" } else { "never" };
        attribute(&mut config, field, &format!("with = \"crate::json::{module}\""), skip);
    }
    attribute(&mut config, "payload", "with = \"crate::json::base64\"", "is_zero");
    attribute(&mut config, "last_seen", "with = \"crate::json::int64\"", "is_zero");
    attribute(&mut config, "attributes", "deserialize_with = \"crate::json::texts\"", "is_zero");
    attribute(&mut config, "used_dev_nonces", "with = \"crate::json::dev_nonces\"", "is_zero");
    attribute(&mut config, "used_app_nonces", "with = \"crate::json::app_nonces\"", "is_zero");
    config.compile_fds(files)?;
    Ok(())
}

/// snake_case goes out; camelCase comes in too.
fn attribute(config: &mut prost_build::Config, field: &str, how: &str, skip: &str) {
    let camel = camel(field);
    let alias = if camel == field { String::new() } else { format!(", alias = \"{camel}\"") };
    let skip = format!("skip_serializing_if = \"crate::json::{skip}\"");
    config.field_attribute(field, format!("#[serde({how}, {skip}{alias})]"));
}

fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |text, word| {
        let mut letters = word.chars();
        text + &letters.next().map(|l| l.to_uppercase().to_string()).unwrap_or_default() + letters.as_str()
    })
}
