//! Identifiers: their form, and the errors of one that is missing or malformed.

use serde_json::Value;

use crate::stack::error::{Refusal, invalid};

/// The longest id of an entity.
const MAX_LENGTH: usize = 36;

/// An application's id out of a message `ApplicationIdentifiers`, which is the request itself.
pub(crate) fn application(ids: &Value) -> Result<&str, Refusal> {
    id(ids, "ApplicationIdentifiers", "application_id")
}

/// An application's id out of a field of a request.
pub(crate) fn application_in<'a>(request: &'a Value, name: &str, field: &str) -> Result<&'a str, Refusal> {
    if request[field].is_null() {
        return Err(invalid(name, field, "value is required"));
    }
    application(&request[field]).map_err(|error| error.within(name, field))
}

/// The ids of an end device, application first, out of a message `EndDeviceIdentifiers`.
pub(crate) fn device(ids: &Value) -> Result<(&str, &str), Refusal> {
    const NAME: &str = "EndDeviceIdentifiers";
    let device = id(ids, NAME, "device_id")?;
    Ok((application_in(ids, NAME, "application_ids")?, device))
}

/// The same out of a field of a request.
pub(crate) fn device_in<'a>(
    request: &'a Value,
    name: &str,
    field: &str,
) -> Result<(&'a str, &'a str), Refusal> {
    if request[field].is_null() {
        return Err(invalid(name, field, "value is required"));
    }
    device(&request[field]).map_err(|error| error.within(name, field))
}

/// The user of a collaborator, if it is one.
pub(crate) fn user(collaborator: &Value) -> Option<&str> {
    collaborator["user_ids"]["user_id"].as_str()
}

fn id<'a>(ids: &'a Value, name: &str, field: &str) -> Result<&'a str, Refusal> {
    let text = ids[field].as_str().unwrap_or_default();
    if text.chars().count() > MAX_LENGTH {
        return Err(invalid(name, field, "value length must be at most 36 runes"));
    }
    if !is_id(text) {
        let reason = "value does not match regex pattern \"^[a-z0-9](?:[-]?[a-z0-9]){2,}$\"";
        return Err(invalid(name, field, reason));
    }
    Ok(text)
}

/// Lower-case letters and digits, with single dashes between them, and three of them at least.
pub(crate) fn is_id(text: &str) -> bool {
    let sound = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    text.split('-').all(sound) && text.bytes().filter(|byte| *byte != b'-').count() >= 3
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ids_have_a_form() {
        for good in ["app1", "a-b-c", "123"] {
            assert!(is_id(good), "{good}");
        }
        for bad in ["", "ab", "Bad_ID", "-abc", "abc-", "a--bc", "äpp1"] {
            assert!(!is_id(bad), "{bad}");
        }
    }

    #[test]
    fn errors_name_the_field_and_the_message() {
        let error = application_in(&json!({}), "GetApplicationRequest", "application_ids").unwrap_err();
        assert!(
            error.message.ends_with("(invalid `application_ids`: value is required)"),
            "{}",
            error.message
        );
        let request = json!({ "end_device_ids": { "device_id": "dev1", "application_ids": { "application_id": "A" } } });
        let error = device_in(&request, "GetEndDeviceRequest", "end_device_ids").unwrap_err().json();
        let cause = &error["details"][0]["cause"];
        assert_eq!(cause["attributes"]["field"], "application_ids");
        assert_eq!(cause["cause"]["attributes"]["name"], "ApplicationIdentifiersValidationError");
    }
}
