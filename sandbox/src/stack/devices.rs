//! End devices: what the Identity Server's `EndDeviceRegistry` does. The Network Server's fields are not its own.

use std::time::SystemTime;

use serde_json::{Value, json};

use crate::stack::applications::{id_taken, not_found};
use crate::stack::caller::{Caller, SERVER, STORE};
use crate::stack::error::{Refusal, invalid, known};
use crate::stack::ids;
use crate::stack::mask;
use crate::stack::page::Orders;
use crate::stack::service::Answer;
use crate::stack::state::{Application, Device, Fields, State};
use crate::stack::time;

pub(crate) const LIST: Orders = Orders {
    request: "ListEndDevicesRequest",
    fields: &["device_id", "join_eui", "dev_eui", "name", "description", "created_at", "last_seen_at"],
};

const READ: &str = "RIGHT_APPLICATION_DEVICES_READ";
const WRITE: &str = "RIGHT_APPLICATION_DEVICES_WRITE";

type Result<T = Answer> = std::result::Result<T, Refusal>;

fn device_not_found(application: &str, device: &str) -> Refusal {
    let text = "end device with id `{device_id}` not found in application with id `{application_id}`";
    known(STORE, "end_device_not_found", 5, text)
        .with("application_id", application)
        .with("device_id", device)
}

/// `EndDeviceIdentifiers`.
pub(crate) fn identifiers(application: &str, id: &str, device: &Device) -> Value {
    let mut ids = device.euis.clone();
    ids.insert("device_id".to_owned(), id.into());
    ids.insert("application_ids".to_owned(), json!({ "application_id": application }));
    ids.into()
}

/// `EndDevice`: ids and times always, the rest as the mask says.
fn message(application: &str, id: &str, device: &Device, fields: Fields) -> Value {
    let mut message = fields;
    message.insert("ids".to_owned(), identifiers(application, id, device));
    message.insert("created_at".to_owned(), time::write(device.created_at).into());
    message.insert("updated_at".to_owned(), time::write(device.updated_at).into());
    message.into()
}

/// An application that may be written to.
fn application<'a>(state: &'a mut State, id: &str) -> Result<&'a mut Application> {
    state.applications.get_mut(id).filter(|found| found.deleted_at.is_none()).ok_or_else(|| not_found(id))
}

/// The EUIs among a device's ids: 16 hex digits, in upper case.
pub(crate) fn euis(ids: &Value) -> Fields {
    let eui = |name: &str| {
        let text = ids[name].as_str().filter(|text| !text.is_empty())?;
        Some((name.to_owned(), text.to_ascii_uppercase().into()))
    };
    ["dev_eui", "join_eui"].into_iter().filter_map(eui).collect()
}

pub(crate) fn create(state: &mut State, caller: &Caller, request: &Value, now: SystemTime) -> Result {
    const NAME: &str = "CreateEndDeviceRequest";
    let device = &request["end_device"];
    if device.is_null() {
        return Err(invalid(NAME, "end_device", "value is required"));
    }
    let (app, id) = ids::device_in(device, "EndDevice", "ids").map_err(|e| e.within(NAME, "end_device"))?;
    caller.require(state, app, &[WRITE])?;
    if application(state, app)?.devices.contains_key(id) {
        return Err(id_taken());
    }
    let euis = euis(&device["ids"]);
    if euis.len() == 2
        && let Some((other_app, other)) = with_euis(state, &euis)
    {
        let text = "an end device with JoinEUI `{join_eui}` and DevEUI `{dev_eui}` is already registered as \
                    `{device_id}` in application `{application_id}`";
        let mut error = known(SERVER, "end_device_euis_taken", 6, text);
        for (name, value) in euis {
            error = error.with(&name, value);
        }
        return Err(error.with("device_id", other).with("application_id", other_app));
    }
    let fields = mask::kept(device, &mask::DEVICE);
    let mut answer = fields.clone();
    // What the store always makes for a new one.
    for empty in ["version_ids", "lora_alliance_profile_ids"] {
        answer.entry(empty).or_insert_with(|| json!({}));
    }
    let device = Device { fields, euis, created_at: now, updated_at: now };
    let answer = message(app, id, &device, answer);
    application(state, app)?.devices.insert(id.to_owned(), device);
    Ok(answer.into())
}

/// The device with these EUIs, and its application first.
fn with_euis<'a>(state: &'a State, euis: &Fields) -> Option<(&'a str, &'a str)> {
    state.applications.iter().filter(|(_, application)| application.deleted_at.is_none()).find_map(
        |(app, application)| {
            let found = application.devices.iter().find(|(_, device)| device.euis == *euis);
            found.map(|(id, _)| (app.as_str(), id.as_str()))
        },
    )
}

pub(crate) fn get(state: &State, caller: &Caller, request: &Value) -> Result {
    let (app, id) = ids::device_in(request, "GetEndDeviceRequest", "end_device_ids")?;
    caller.require(state, app, &[READ])?;
    let found = state.application(app).and_then(|application| application.devices.get(id));
    let device = found.ok_or_else(|| device_not_found(app, id))?;
    Ok(message(app, id, device, mask::select(&device.fields, &mask::paths(request))).into())
}

pub(crate) fn list(state: &State, caller: &Caller, request: &Value) -> Result {
    let app = ids::application_in(request, "ListEndDevicesRequest", "application_ids")?;
    caller.require(state, app, &[READ])?;
    let application = state.application(app).ok_or_else(|| not_found(app))?;
    let text =
        |fields: &Fields, name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let page = LIST.page(request, application.devices.iter().collect(), |(id, device), field| match field {
        "created_at" => time::sortable(device.created_at),
        "join_eui" | "dev_eui" => text(&device.euis, field),
        "device_id" => (*id).clone(),
        field => text(&device.fields, field),
    });
    let paths = mask::paths(request);
    let messages = page
        .items
        .into_iter()
        .map(|(id, device)| message(app, id, device, mask::select(&device.fields, &paths)));
    Ok(Answer::list("end_devices", messages.collect(), page.total))
}

pub(crate) fn update(state: &mut State, caller: &Caller, request: &Value, now: SystemTime) -> Result {
    const NAME: &str = "UpdateEndDeviceRequest";
    let device = &request["end_device"];
    if device.is_null() {
        return Err(invalid(NAME, "end_device", "value is required"));
    }
    let (app, id) = ids::device_in(device, "EndDevice", "ids").map_err(|e| e.within(NAME, "end_device"))?;
    caller.require(state, app, &[WRITE])?;
    let paths = mask::paths(request);
    let kept = mask::kept(device, &mask::DEVICE);
    let found = application(state, app)?.devices.get_mut(id).ok_or_else(|| device_not_found(app, id))?;
    mask::update(&mut found.fields, &kept, &paths);
    found.updated_at = now;
    let selected = mask::select(&found.fields, &paths);
    Ok(message(app, id, found, selected).into())
}

pub(crate) fn delete(state: &mut State, caller: &Caller, request: &Value) -> Result {
    let (app, id) = ids::device(request)?;
    caller.require(state, app, &[WRITE])?;
    application(state, app)?.devices.remove(id).ok_or_else(|| device_not_found(app, id))?;
    Ok(Answer::default())
}

/// `GetIdentifiersForEUIs`.
pub(crate) fn by_euis(state: &State, caller: &Caller, request: &Value) -> Result {
    caller.require_known()?;
    let euis = euis(request);
    let Some((app, id)) = with_euis(state, &euis) else {
        let text = "end device with JoinEUI `{join_eui}` and DevEUI `{dev_eui}` not found";
        let mut error = known(STORE, "end_device_not_found", 5, text);
        for (name, value) in euis {
            error = error.with(&name, value);
        }
        return Err(error);
    };
    let device = state.application(app).and_then(|application| application.devices.get(id));
    Ok(device.map(|device| identifiers(app, id, device)).unwrap_or_default().into())
}

/// A read of the Network Server's or Application Server's: nothing was ever set there.
pub(crate) fn elsewhere(state: &State, caller: &Caller, application: &str, right: &str) -> Result {
    caller.require(state, application, &[right])?;
    Err(known("pkg/redis", "not_found", 5, "entity not found"))
}
