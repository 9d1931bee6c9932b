//! Compiles `proto/` to Rust with protox, so that no protoc is needed, and gives each message the serde attributes of its
//! documented JSON: V2's (what they do is in src/json.rs), and The Things Stack's (src/stack_json.rs).

use std::error::Error;

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto};

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

/// The same of The Things Stack.
const STACK_HEX: &[(&str, &str)] = &[
    ("dev_eui", "eui"),
    ("join_eui", "eui"),
    ("eui", "eui"),
    ("dev_addr", "dev_addr"),
    ("net_id", "net_id"),
];

/// Messages with a secret in them, whose `Debug` is in src/proto.rs.
const SECRETIVE: &[&str] = &["APIKey", "OAuthAccessToken", "UserSession", "EndDeviceAuthenticationCode"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    v2()?;
    stack()
}

fn v2() -> Result<(), Box<dyn Error>> {
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

/// The Things Stack's JSON follows from a field's type, but for which bytes are hex digits.
fn stack() -> Result<(), Box<dyn Error>> {
    let names = ["identifiers", "rights", "auth_info", "application", "end_device", "error", "events"];
    let files = names.iter().map(|name| format!("stack/{name}.proto")).chain(["rpc.proto".into()]);
    let files = protox::compile(files, ["proto"])?;
    let mut config = prost_build::Config::new();
    config.message_attribute(".", "#[derive(serde::Serialize, serde::Deserialize)] #[serde(default)]");
    config.btree_map(["."]);
    config.skip_debug(SECRETIVE.iter().map(|name| format!(".ttn.lorawan.v3.{name}")));
    for file in files.file.iter().filter(|file| file.package() != "google.protobuf") {
        for message in &file.message_type {
            stack_message(&mut config, &format!(".{}.{}", file.package(), message.name()), message);
        }
    }
    config.compile_fds(files)?;
    Ok(())
}

fn stack_message(config: &mut prost_build::Config, path: &str, message: &DescriptorProto) {
    for nested in &message.nested_type {
        stack_message(config, &format!("{path}.{}", nested.name()), nested);
    }
    for field in &message.field {
        let name = field.name();
        let camel = camel(name);
        let alias = if camel == name { String::new() } else { format!(", alias = \"{camel}\"") };
        let how = stack_field(field, message);
        let skip = "skip_serializing_if = \"crate::json::is_zero\"";
        config.field_attribute(format!("{path}.{name}"), format!("#[serde({how}, {skip}{alias})]"));
    }
}

fn stack_field(field: &FieldDescriptorProto, message: &DescriptorProto) -> String {
    let with = |module: &str| format!("with = \"crate::stack_json::{module}\"");
    let plain = "deserialize_with = \"crate::json::nullable\"".to_owned();
    let repeated = field.label() == Label::Repeated;
    let hex = STACK_HEX.iter().find(|(name, _)| *name == field.name());
    let last = field.type_name().rsplit('.').next().unwrap_or_default();
    match field.r#type() {
        Type::Message => match field.type_name() {
            ".google.protobuf.Timestamp" => with("timestamp"),
            ".google.protobuf.FieldMask" => with("field_mask"),
            ".google.protobuf.Struct" => with("structure"),
            ".google.protobuf.Any" if repeated => with("anys"),
            ".google.protobuf.Any" => with("any"),
            _ => match message.nested_type.iter().find(|nested| nested.name() == last).and_then(value_of_map)
            {
                Some(Type::String) if last == "AttributesEntry" => {
                    "deserialize_with = \"crate::json::texts\"".to_owned()
                }
                Some(Type::Bytes) => with("base64_map"),
                _ => plain,
            },
        },
        Type::Enum => {
            let (function, last) = (if repeated { "names" } else { "name" }, last);
            let path = format!("crate::stack_json::{function}");
            let r#enum = format!("crate::proto::stack::{last}");
            format!(
                "serialize_with = \"{path}::write::<{enum}, _>\", deserialize_with = \"{path}::read::<{enum}, _>\"",
                r#enum = r#enum
            )
        }
        Type::Bytes => {
            hex.map_or_else(|| "with = \"crate::json::base64\"".to_owned(), |(_, module)| with(module))
        }
        Type::Uint64 => with("uint64"),
        Type::Double => with("double"),
        Type::Uint32 | Type::Int32 => "deserialize_with = \"crate::json::number\"".to_owned(),
        _ => plain,
    }
}

/// The type of a map's values, if the message is a map's entry.
fn value_of_map(entry: &DescriptorProto) -> Option<Type> {
    let is_map = entry.options.as_ref().is_some_and(|options| options.map_entry());
    entry.field.iter().find(|field| is_map && field.name() == "value").map(|field| field.r#type())
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
