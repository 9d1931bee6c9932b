//! API keys of an application: what the Identity Server's `ApplicationAccess` does with them.

use std::time::SystemTime;

use serde_json::Value;
use ttn_auth::Secret;

use crate::stack::caller::{Caller, STORE, describe};
use crate::stack::error::{Refusal, invalid, known, plain, unknown};
use crate::stack::ids;
use crate::stack::mask;
use crate::stack::page::Orders;
use crate::stack::rights::{Rights, right};
use crate::stack::service::Answer;
use crate::stack::state::{ApiKey, Entity, State};
use crate::stack::time;
use crate::stack::token::{self, TokenType};

pub(crate) const LIST: Orders = Orders {
    request: "ListApplicationAPIKeysRequest",
    fields: &["api_key_id", "name", "created_at", "expires_at"],
};

const RIGHT: &str = "RIGHT_APPLICATION_SETTINGS_API_KEYS";

type Result<T = Answer> = std::result::Result<T, Refusal>;

fn not_found(id: &str) -> Refusal {
    known(STORE, "api_key_not_found", 5, "api key with id `{api_key_id}` not found").with("api_key_id", id)
}

/// The rights that are asked for: one at least, and each of them known.
fn rights(name: &str, request: &Value) -> Result<Rights> {
    let names: Vec<&str> =
        request["rights"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if names.is_empty() {
        return Err(invalid(name, "rights", "value must contain at least 1 item(s)"));
    }
    match names.iter().find(|name| right(name).is_none()) {
        Some(odd) => Err(plain(3, format!("unmarshal error: unknown value for enum: {odd:?}"))),
        None => Ok(Rights::of(names)),
    }
}

pub(crate) fn create(state: &mut State, caller: &Caller, request: &Value, now: SystemTime) -> Result {
    const NAME: &str = "CreateApplicationAPIKeyRequest";
    let id = ids::application_in(request, NAME, "application_ids")?;
    let rights = rights(NAME, request)?;
    let expires_at = request["expires_at"].as_str().and_then(time::read);
    if expires_at.is_some_and(|expires| expires <= now) {
        return Err(invalid(NAME, "expires_at", "value must be greater than now"));
    }
    caller.require(state, id, &[RIGHT])?;
    caller.require_all(state, id, &rights)?;
    let broken = |e: ttn_auth::Error| unknown(13, e.message());
    let (key_id, secret) = (token::fresh_id().map_err(broken)?, token::fresh_secret().map_err(broken)?);
    let key = ApiKey {
        id: key_id.clone(),
        secret: Secret::new(secret.as_str()),
        name: request["name"].as_str().unwrap_or_default().to_owned(),
        entity: Entity::Application(id.to_owned()),
        rights,
        created_at: now,
        updated_at: now,
        expires_at,
    };
    let mut answer = describe(&key);
    // Shown once.
    answer["key"] = token::join(TokenType::ApiKey, &key_id, &secret).into();
    state.keys.insert(key_id, key);
    Ok(answer.into())
}

pub(crate) fn list(state: &State, caller: &Caller, request: &Value) -> Result {
    let id = ids::application_in(request, "ListApplicationAPIKeysRequest", "application_ids")?;
    caller.require(state, id, &[RIGHT])?;
    let of = Entity::Application(id.to_owned());
    let all: Vec<&ApiKey> = state.keys.values().filter(|key| key.entity == of).collect();
    let page = LIST.page(request, all, |key, field| match field {
        "name" => key.name.clone(),
        "created_at" => time::sortable(key.created_at),
        "expires_at" => key.expires_at.map(time::sortable).unwrap_or_default(),
        _ => key.id.clone(),
    });
    Ok(Answer::list("api_keys", page.items.into_iter().map(describe).collect(), page.total))
}

/// The key that a request names, of its application.
fn named<'a>(
    state: &'a mut State,
    caller: &Caller,
    request: &Value,
    name: &str,
    id: &Value,
) -> Result<&'a mut ApiKey> {
    let app = ids::application_in(request, name, "application_ids")?;
    caller.require(state, app, &[RIGHT])?;
    let (id, of) = (id.as_str().unwrap_or_default(), Entity::Application(app.to_owned()));
    state.keys.get_mut(id).filter(|key| key.entity == of).ok_or_else(|| not_found(id))
}

pub(crate) fn get(state: &mut State, caller: &Caller, request: &Value) -> Result {
    let key = named(state, caller, request, "GetApplicationAPIKeyRequest", &request["key_id"])?;
    Ok(describe(key).into())
}

/// Changes what the mask names. A key whose rights are taken away is gone.
pub(crate) fn update(state: &mut State, caller: &Caller, request: &Value, now: SystemTime) -> Result {
    const NAME: &str = "UpdateApplicationAPIKeyRequest";
    let wanted = &request["api_key"];
    let paths = mask::paths(request);
    let changes = |path: &str| paths.iter().any(|other| other == path);
    let given = if changes("rights") { rights(NAME, wanted).ok() } else { Some(Rights::default()) };
    if let Some(given) = &given {
        let app = ids::application_in(request, NAME, "application_ids")?;
        caller.require_all(state, app, given)?;
    }
    let key = named(state, caller, request, NAME, &wanted["id"])?;
    let Some(given) = given else {
        let id = key.id.clone();
        state.keys.remove(&id);
        return Ok(Answer::default());
    };
    if changes("rights") {
        key.rights = given;
    }
    if changes("name") {
        key.name = wanted["name"].as_str().unwrap_or_default().to_owned();
    }
    if changes("expires_at") {
        key.expires_at = wanted["expires_at"].as_str().and_then(time::read);
    }
    key.updated_at = now;
    Ok(describe(key).into())
}

pub(crate) fn delete(state: &mut State, caller: &Caller, request: &Value) -> Result {
    let key = named(state, caller, request, "DeleteApplicationAPIKeyRequest", &request["key_id"])?;
    let id = key.id.clone();
    state.keys.remove(&id);
    Ok(Answer::default())
}
