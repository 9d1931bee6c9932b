//! What JavaScript does for the addon: `index.js` hands over, when it loads, what finds these functions by name. Each is asked
//! for when it is first needed: most programs need a few of them, and all want to be loaded quickly.
//!
//! They live in a thread local, because each worker thread has its own JavaScript. References to JavaScript values in
//! flight (signals and their listeners) stay in JavaScript too, under the number of their call: a Rust thread that
//! drops such a reference would have to go through Node's thread to do it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use napi::bindgen_prelude::{
    Either, FnArgs, FromNapiValue, Function, FunctionRef, JsValuesTupleIntoVec, Object, Uint8Array, Unknown,
};
use napi::{Env, Error, JsValue, Result, Status};
use napi_derive::napi;

use crate::{bridge, calls, events};

/// Code, kind, message, hint, transient, gRPC code, HTTP status, the causes' texts, the cause itself where it is a
/// JavaScript value, and The Things Stack's details as JSON.
pub(crate) type ErrorFields<'a> = (
    &'static str,
    &'static str,
    String,
    &'static str,
    bool,
    Option<i32>,
    Option<u32>,
    Vec<String>,
    Option<Unknown<'a>>,
    Option<String>,
);

/// An `AuthError`, and how to tell a caller: HTTP status, headers by name, and body; gRPC code and message.
pub(crate) type AnswerFields<'a> = (Unknown<'a>, u16, Vec<Vec<String>>, String, i32, String);

type Found = FunctionRef<Unknown<'static>, Unknown<'static>>;

struct Hooks {
    /// Gives the function of a name.
    find: FunctionRef<String, Found>,
    found: RefCell<BTreeMap<&'static str, Found>>,
}

thread_local! {
    static HOOKS: RefCell<Option<Rc<Hooks>>> = const { RefCell::new(None) };
}

/// Called by `index.js`, once in each environment, before anything else: with what finds hooks by name, with what is called
/// for a [`bridge`]'s messages, and with a function that does nothing.
#[napi(catch_unwind, skip_typescript)]
pub fn register(
    find: FunctionRef<String, Found>,
    receive: Function<bridge::Arguments, Unknown<'static>>,
    nothing: Function<(), Unknown<'static>>,
) -> Result<()> {
    // The old ones are dropped outside the borrow: dropping calls into Node.
    let old =
        HOOKS.with(|slot| slot.borrow_mut().replace(Rc::new(Hooks { find, found: RefCell::default() })));
    drop(old);
    bridge::open(&receive)?;
    calls::open(&nothing)?;
    events::install();
    Ok(())
}

/// Called by a signal's listener: ends the call of this number, if it is still in flight.
#[napi(catch_unwind, skip_typescript)]
pub fn cancel(call: u32) {
    calls::cancel(call);
}

fn call<Args, Return>(env: &Env, name: &'static str, args: Args) -> Result<Return>
where
    Args: JsValuesTupleIntoVec,
    Return: FromNapiValue,
{
    let hooks = HOOKS
        .with(|slot| slot.borrow().clone())
        .ok_or_else(|| Error::new(Status::GenericFailure, "the addon is used without its index.js"))?;
    if !hooks.found.borrow().contains_key(name) {
        let found = hooks.find.borrow_back(env)?.call(name.to_owned())?;
        hooks.found.borrow_mut().insert(name, found);
    }
    // Not borrowed while JavaScript runs, which may call us.
    let function = hooks.found.borrow()[name].borrow_back(env)?.to_unknown();
    Function::<Args, Return>::from_unknown(function)?.call(args)
}

/// An `AuthError`.
pub(crate) fn error<'a>(env: &'a Env, fields: ErrorFields<'a>) -> Result<Unknown<'a>> {
    call(env, "error", FnArgs::from(fields))
}

/// An `AuthError` with its `answer`.
pub(crate) fn answered<'a>(env: &'a Env, fields: AnswerFields<'a>) -> Result<Unknown<'a>> {
    call(env, "answered", FnArgs::from(fields))
}

/// `JSON.parse`.
pub(crate) fn parse<'a>(env: &'a Env, text: String) -> Result<Unknown<'a>> {
    call(env, "parse", text)
}

/// So many values from a flat text, as a list.
pub(crate) fn flat<'a>(env: &'a Env, text: Unknown<'a>, count: u32) -> Result<Object<'a>> {
    call(env, "flat", FnArgs::from((text, count)))
}

/// Claims out of their text (`claims.rs`).
pub(crate) fn claims<'a>(env: &'a Env, text: Unknown<'a>) -> Result<Unknown<'a>> {
    call(env, "claims", text)
}

/// `JSON.stringify`; nothing for what JSON cannot say, such as a function.
pub(crate) fn stringify(env: &Env, value: Unknown) -> Result<Option<String>> {
    call(env, "stringify", value)
}

/// An object as a request's body: its bytes, or its JSON.
pub(crate) fn body(env: &Env, value: Unknown) -> Result<Either<String, Uint8Array>> {
    call(env, "body", value)
}

/// An object as an URL's query.
pub(crate) fn query(env: &Env, value: Unknown) -> Result<String> {
    call(env, "query", value)
}

/// An object's names and values, as text.
pub(crate) fn entries(env: &Env, value: Unknown) -> Result<Vec<Vec<String>>> {
    call(env, "entries", value)
}

/// What is under these names in headers or metadata of any form, as pairs.
pub(crate) fn presented(env: &Env, given: Unknown, names: Vec<String>) -> Result<Vec<Vec<String>>> {
    call(env, "presented", FnArgs::from((given, names)))
}

/// Listens to an `AbortSignal` for a call; true if it is aborted already.
pub(crate) fn watch(env: &Env, signal: Unknown, number: u32) -> Result<bool> {
    call(env, "watch", FnArgs::from((signal, number)))
}

/// Stops listening; the signal's reason, if it is aborted.
pub(crate) fn unwatch<'a>(env: &'a Env, number: u32) -> Result<Unknown<'a>> {
    call(env, "unwatch", number)
}

/// Keeps a value in JavaScript, and tells its number.
pub(crate) fn keep(env: &Env, value: Unknown) -> Result<u32> {
    call(env, "keep", value)
}

/// The value that is kept under a number.
pub(crate) fn kept<'a>(env: &'a Env, number: u32) -> Result<Unknown<'a>> {
    call(env, "kept", number)
}

/// An environment variable, as JavaScript has it.
pub(crate) fn environment(env: &Env, name: String) -> Result<Option<String>> {
    call(env, "environment", name)
}
