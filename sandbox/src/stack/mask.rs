//! Field masks: which fields an answer has, and which an update changes. Source: v3/wire.md, section CRUD.

use serde_json::Value;

use crate::stack::error::{Refusal, known};
use crate::stack::state::Fields;

/// What a mask may name of an application.
pub(crate) const APPLICATION: [&str; 15] = [
    "administrative_contact",
    "application_server_address",
    "attributes",
    "contact_info",
    "created_at",
    "deleted_at",
    "description",
    "dev_eui_counter",
    "ids",
    "ids.application_id",
    "join_server_address",
    "name",
    "network_server_address",
    "technical_contact",
    "updated_at",
];

/// Fields of an end device that the Identity Server keeps: what is asked for and what is set. The other servers have the
/// rest, and a mask that names it is refused.
pub(crate) const DEVICE: [&str; 24] = [
    "activated_at",
    "application_server_address",
    "attributes",
    "claim_authentication_code",
    "created_at",
    "description",
    "ids",
    "ids.application_ids",
    "ids.application_ids.application_id",
    "ids.dev_addr",
    "ids.dev_eui",
    "ids.device_id",
    "ids.join_eui",
    "join_server_address",
    "last_seen_at",
    "locations",
    "lora_alliance_profile_ids",
    "name",
    "network_server_address",
    "picture",
    "serial_number",
    "service_profile_id",
    "updated_at",
    "version_ids",
];

/// What a mask may name within fields: one name more for each of these.
const NESTED: [(&str, &[&str]); 5] = [
    ("administrative_contact", &["ids", "organization_ids", "user_ids"]),
    ("technical_contact", &["ids", "organization_ids", "user_ids"]),
    ("version_ids", &["band_id", "brand_id", "firmware_version", "hardware_version", "model_id"]),
    ("lora_alliance_profile_ids", &["vendor_id", "vendor_profile_id"]),
    ("picture", &["embedded", "sizes"]),
];

/// The paths of a request's mask: one text with commas, `{"paths": [..]}`, or a list.
pub(crate) fn paths(request: &Value) -> Vec<String> {
    let mask = &request["field_mask"];
    match mask.get("paths").unwrap_or(mask) {
        Value::String(text) => text.split(',').filter(|path| !path.is_empty()).map(str::to_owned).collect(),
        Value::Array(list) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// Refuses a mask that names what is not there.
pub(crate) fn check(request: &Value, allowed: &[&str]) -> Result<(), Refusal> {
    let known_path = |path: &str| {
        let (field, inner) = path.split_once('.').unwrap_or((path, ""));
        let nested =
            NESTED.iter().find(|(name, _)| *name == field).is_some_and(|(_, names)| names.contains(&inner));
        !path.is_empty() && (allowed.contains(&path) || allowed.contains(&field) && nested)
    };
    let forbidden: Vec<String> = paths(request).into_iter().filter(|path| !known_path(path)).collect();
    if forbidden.is_empty() {
        return Ok(());
    }
    let error =
        known("pkg/rpcmiddleware/validator", "field_mask_paths", 3, "forbidden path(s) in field mask");
    Err(error.with("forbidden_paths", forbidden))
}

/// The fields that a mask names.
pub(crate) fn select(fields: &Fields, paths: &[String]) -> Fields {
    let mut selected = Fields::new();
    for path in paths {
        let (field, inner) = path.split_once('.').unwrap_or((path, ""));
        let Some(value) = fields.get(field) else { continue };
        if inner.is_empty() {
            selected.insert(field.to_owned(), value.clone());
        } else if let Some(part) = value.get(inner) {
            let whole = selected.entry(field).or_insert_with(|| Value::Object(Fields::new()));
            if whole.is_object() {
                whole[inner] = part.clone();
            }
        }
    }
    selected
}

/// Sets the fields that a mask names to what they are in `from`; what is not there is taken away.
pub(crate) fn update(fields: &mut Fields, from: &Fields, paths: &[String]) {
    for path in paths {
        let (field, inner) = path.split_once('.').unwrap_or((path, ""));
        match (from.get(field), inner) {
            (Some(value), "") => drop(fields.insert(field.to_owned(), value.clone())),
            (None, "") => drop(fields.remove(field)),
            (value, inner) => {
                let part = value.and_then(|value| value.get(inner)).cloned();
                let whole = fields.entry(field).or_insert_with(|| Value::Object(Fields::new()));
                if let (Some(part), true) = (part, whole.is_object()) {
                    whole[inner] = part;
                }
            }
        }
    }
}

/// The fields of a message that are kept: named in `allowed`, not read-only, not empty.
pub(crate) fn kept(message: &Value, allowed: &[&str]) -> Fields {
    const READ_ONLY: [&str; 4] = ["ids", "created_at", "updated_at", "deleted_at"];
    let fields = message.as_object().cloned().unwrap_or_default();
    let kept = |name: &String, value: &Value| {
        allowed.contains(&name.as_str()) && !READ_ONLY.contains(&name.as_str()) && !is_empty(value)
    };
    fields.into_iter().filter(|(name, value)| kept(name, value)).collect()
}

/// What JSON leaves out: a field's zero value.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(yes) => !yes,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(mask: Value) -> Vec<String> {
        paths(&json!({ "field_mask": mask }))
    }

    #[test]
    fn masks_are_read_in_every_form() {
        for mask in [
            json!("name,ids"),
            json!({"paths": ["name", "ids"]}),
            json!({"paths": "name,ids"}),
            json!(["name", "ids"]),
        ] {
            assert_eq!(of(mask), ["name", "ids"]);
        }
        assert!(of(json!("")).is_empty() && paths(&json!({})).is_empty());
    }

    #[test]
    fn unknown_paths_are_refused_all_at_once() {
        let check = |mask: &str| check(&json!({ "field_mask": mask }), &APPLICATION);
        assert!(check("name,ids.application_id,technical_contact.ids").is_ok());
        let error = check("name,nope,*,networkServerAddress,name.x").unwrap_err().json();
        let forbidden = &error["details"][0]["attributes"]["forbidden_paths"];
        assert_eq!(*forbidden, json!(["nope", "*", "networkServerAddress", "name.x"]));
    }

    #[test]
    fn fields_are_selected_and_updated() {
        let value =
            json!({"name": "n", "version_ids": {"brand_id": "b", "model_id": "m"}, "attributes": {"a": "1"}});
        let fields = kept(&value, &DEVICE);
        let selected = select(&fields, &of(json!("name,version_ids.brand_id,description")));
        assert_eq!(Value::from(selected), json!({"name": "n", "version_ids": {"brand_id": "b"}}));
        let mut changed = fields.clone();
        update(
            &mut changed,
            &kept(&json!({"name": "", "description": "d"}), &DEVICE),
            &of(json!("name,description")),
        );
        assert_eq!((changed.get("name"), &changed["description"]), (None, &json!("d")));
        assert_eq!(
            Value::from(kept(&json!({"name": "n", "ids": {}, "lorawan_version": "x"}), &DEVICE)),
            json!({"name": "n"})
        );
    }
}
