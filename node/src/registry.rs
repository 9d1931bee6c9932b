//! The calls of The Things Stack's registries, with its documented JSON as plain objects. stack.js gives them their names.

use napi::Env;
use napi::bindgen_prelude::{Object, Unknown};
use napi_derive::napi;
use ttn_auth::from_json;

use crate::args::{self, Fields};
use crate::client::{Client, call_options};
use crate::error::guard;
use crate::flat::ToJavaScript;
use crate::flat_writer;
use crate::outcome::Answer;
use crate::promise::{Call, promise_answer};
use crate::reader::Reader;
use crate::runtime::runtime;

/// A call of a registry by its name, such as `get`.
#[napi(catch_unwind, skip_typescript)]
pub fn registry_call<'a>(
    client: &Client,
    env: &'a Env,
    registry: String,
    name: String,
    request: Unknown<'a>,
    options: Option<Unknown<'a>>,
) -> napi::Result<Object<'a>> {
    let prepare = || {
        let fields = Fields::optional(options, "options")?;
        let options = call_options(&fields)?;
        let request = args::json(env, request, "the request")?;
        let client = (*client.inner).clone();
        let future = move || async move {
            let answer = match &*registry {
                "applications" => {
                    client.applications().with_options(options).call(&name, &request, ToJavaScript).await
                }
                _ => client.end_devices().with_options(options).call(&name, &request, ToJavaScript).await,
            }?;
            // An empty message, which is nothing to JavaScript.
            Ok(if name == "delete" { Answer::Flat(flat_writer::nothing()) } else { answer })
        };
        Ok(Call { future, signal: fields.value("signal")? })
    };
    promise_answer(env, prepare)
}

/// All of a list.
#[napi(catch_unwind, skip_typescript)]
pub fn registry_list(
    client: &Client,
    env: &Env,
    registry: String,
    request: Unknown,
    options: Option<Unknown>,
) -> napi::Result<Reader> {
    guard(env, || {
        let options = call_options(&Fields::optional(options, "options")?)?;
        let request = args::json(env, request, "the request")?;
        let _context = runtime()?.enter();
        Ok(match &*registry {
            "applications" => {
                let registry = client.inner.applications().with_options(options);
                Reader::of_messages(registry.list(from_json(request.as_bytes())?))
            }
            _ => {
                let registry = client.inner.end_devices().with_options(options);
                Reader::of_messages(registry.list(from_json(request.as_bytes())?))
            }
        })
    })
}
