//! Applications: what the Identity Server's `ApplicationRegistry` and `ApplicationAccess` do.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::stack::caller::{Caller, SERVER, STORE};
use crate::stack::error::{Refusal, invalid, known};
use crate::stack::ids;
use crate::stack::mask;
use crate::stack::page::Orders;
use crate::stack::rights::Rights;
use crate::stack::service::Answer;
use crate::stack::state::{Application, Entity, Fields, State};
use crate::stack::time;

pub(crate) const LIST: Orders =
    Orders { request: "ListApplicationsRequest", fields: &["application_id", "name", "created_at"] };

type Result<T = Answer> = std::result::Result<T, Refusal>;

pub(crate) fn not_found(id: &str) -> Refusal {
    known(STORE, "application_not_found", 5, "application with id `{application_id}` not found")
        .with("application_id", id)
}

/// Already there, deleted or not.
pub(crate) fn id_taken() -> Refusal {
    let cause = known("pkg/util/store", "already_exists", 6, "already exists");
    let text = "ID already taken, choose a different one and try again";
    known("pkg/util/store", "id_taken", 6, text).because(cause)
}

/// `Application`: ids and times always, the rest as the mask says.
fn message(id: &str, application: &Application, fields: Fields) -> Value {
    let mut message = fields;
    message.insert("ids".to_owned(), json!({ "application_id": id }));
    message.insert("created_at".to_owned(), time::write(application.created_at).into());
    message.insert("updated_at".to_owned(), time::write(application.updated_at).into());
    if let Some(deleted) = application.deleted_at {
        message.insert("deleted_at".to_owned(), time::write(deleted).into());
    }
    message.into()
}

pub(crate) fn create(
    state: &mut State,
    caller: &Caller,
    request: &Value,
    now: std::time::SystemTime,
) -> Result {
    const NAME: &str = "CreateApplicationRequest";
    let application = &request["application"];
    if application.is_null() {
        return Err(invalid(NAME, "application", "value is required"));
    }
    let id =
        ids::application_in(application, "Application", "ids").map_err(|e| e.within(NAME, "application"))?;
    let collaborator = &request["collaborator"];
    let user = ids::user(collaborator).ok_or_else(|| invalid(NAME, "collaborator", "value is required"))?;
    caller.require_of_user(user, "RIGHT_USER_APPLICATIONS_CREATE")?;
    if state.applications.contains_key(id) {
        return Err(id_taken());
    }
    let mut fields = mask::kept(application, &mask::APPLICATION);
    for contact in ["administrative_contact", "technical_contact"] {
        fields.entry(contact).or_insert_with(|| collaborator.clone());
    }
    let application = Application {
        fields: fields.clone(),
        created_at: now,
        updated_at: now,
        deleted_at: None,
        members: BTreeMap::from([(user.to_owned(), Rights::of(["RIGHT_ALL"]))]),
        devices: BTreeMap::new(),
    };
    let answer = message(id, &application, fields);
    state.applications.insert(id.to_owned(), application);
    Ok(answer.into())
}

pub(crate) fn get(state: &State, caller: &Caller, request: &Value) -> Result {
    let id = ids::application_in(request, "GetApplicationRequest", "application_ids")?;
    caller.require_known()?;
    let paths = mask::paths(request);
    // Ids and times are for everyone who is anyone.
    let public = paths.iter().all(|path| path.starts_with("ids") || path.ends_with("ed_at"));
    if !public {
        caller.require(state, id, &["RIGHT_APPLICATION_INFO"])?;
    }
    let application = state.application(id).ok_or_else(|| not_found(id))?;
    Ok(message(id, application, mask::select(&application.fields, &paths)).into())
}

pub(crate) fn list(state: &State, caller: &Caller, request: &Value) -> Result {
    let Some(user) = ids::user(&request["collaborator"]).or(caller.user()) else {
        return Ok(Answer::default());
    };
    caller.require_of_user(user, "RIGHT_USER_APPLICATIONS_LIST")?;
    let deleted = request["deleted"].as_bool().unwrap_or_default();
    let theirs = |(_, application): &(&String, &Application)| {
        application.members.contains_key(user) && application.deleted_at.is_some() == deleted
    };
    let all: Vec<_> = state.applications.iter().filter(theirs).collect();
    let page = LIST.page(request, all, |(id, application), field| match field {
        "created_at" => time::sortable(application.created_at),
        "name" => application.fields.get("name").and_then(Value::as_str).unwrap_or_default().to_owned(),
        _ => (*id).clone(),
    });
    let paths = mask::paths(request);
    let messages: Vec<Value> = page
        .items
        .into_iter()
        .map(|(id, application)| {
            let seen = caller.rights_of(state, id, deleted).has("RIGHT_APPLICATION_INFO");
            let fields = if seen { mask::select(&application.fields, &paths) } else { Fields::new() };
            message(id, application, fields)
        })
        .collect();
    Ok(Answer::list("applications", messages, page.total))
}

pub(crate) fn update(
    state: &mut State,
    caller: &Caller,
    request: &Value,
    now: std::time::SystemTime,
) -> Result {
    const NAME: &str = "UpdateApplicationRequest";
    let application = &request["application"];
    if application.is_null() {
        return Err(invalid(NAME, "application", "value is required"));
    }
    let id =
        ids::application_in(application, "Application", "ids").map_err(|e| e.within(NAME, "application"))?;
    caller.require(state, id, &["RIGHT_APPLICATION_SETTINGS_BASIC"])?;
    let paths = mask::paths(request);
    let kept = mask::kept(application, &mask::APPLICATION);
    let found = state.applications.get_mut(id).filter(|found| found.deleted_at.is_none());
    let found = found.ok_or_else(|| not_found(id))?;
    mask::update(&mut found.fields, &kept, &paths);
    found.updated_at = now;
    let selected = mask::select(&found.fields, &paths);
    Ok(message(id, found, selected).into())
}

pub(crate) fn delete(
    state: &mut State,
    caller: &Caller,
    request: &Value,
    now: std::time::SystemTime,
) -> Result {
    let id = ids::application(request)?;
    caller.require(state, id, &["RIGHT_APPLICATION_DELETE"])?;
    let found = state.applications.get_mut(id).filter(|found| found.deleted_at.is_none());
    let found = found.ok_or_else(|| not_found(id))?;
    require_empty(found)?;
    found.deleted_at = Some(now);
    Ok(Answer::default())
}

pub(crate) fn restore(state: &mut State, caller: &Caller, request: &Value) -> Result {
    let id = ids::application(request)?;
    caller.require_of_deleted(state, id, "RIGHT_APPLICATION_DELETE")?;
    let found = state.applications.get_mut(id).filter(|found| found.deleted_at.is_some());
    found.ok_or_else(|| not_found(id))?.deleted_at = None;
    Ok(Answer::default())
}

pub(crate) fn purge(state: &mut State, caller: &Caller, request: &Value) -> Result {
    let id = ids::application(request)?;
    if !caller.is_admin {
        let text = "applications may only be purged by admins";
        return Err(known(SERVER, "admins_purge_applications", 7, text));
    }
    require_empty(state.applications.get(id).ok_or_else(|| not_found(id))?)?;
    state.applications.remove(id);
    state.keys.retain(|_, key| key.entity != Entity::Application(id.to_owned()));
    Ok(Answer::default())
}

fn require_empty(application: &Application) -> Result<()> {
    match application.devices.len() {
        0 => Ok(()),
        count => {
            let text = "application still has `{count}` devices";
            Err(known(SERVER, "application_has_devices", 9, text).with("count", count))
        }
    }
}

/// The caller's own rights; somebody without any has none, which is no error.
pub(crate) fn rights(state: &State, caller: &Caller, request: &Value) -> Result {
    let id = ids::application(request)?;
    let rights = caller.rights_of(state, id, false);
    Ok(if rights.is_empty() { json!({}) } else { json!({ "rights": rights.json() }) }.into())
}
