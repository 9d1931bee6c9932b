//! What JavaScript does for the addon: `index.js` hands these functions over when it loads.
//!
//! They live in a thread local, because each worker thread has its own JavaScript. References to JavaScript values in
//! flight (signals and their listeners) stay in JavaScript too, under the number of their call: a Rust thread that
//! drops such a reference would have to go through Node's thread to do it.

use std::cell::RefCell;
use std::rc::Rc;

use napi::bindgen_prelude::{
    Either, FnArgs, FromNapiValue, FunctionRef, JsValuesTupleIntoVec, Object, Uint8Array, Unknown,
};
use napi::{Env, Error, Result, Status};
use napi_derive::napi;

use crate::{bridge, calls, events};

/// Code, kind, message, hint, transient, gRPC code, HTTP status, the causes' texts, and the cause itself where it is a
/// JavaScript value.
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
);

/// An `AuthError`, and how to tell a caller: HTTP status, headers by name, and body; gRPC code and message.
pub(crate) type AnswerFields<'a> = (Unknown<'a>, u16, Vec<Vec<String>>, String, i32, String);

/// Headers or metadata of any form, and the names to look for.
pub(crate) type PresentedFields<'a> = (Unknown<'a>, Vec<String>);

struct Hooks {
    error: FunctionRef<FnArgs<ErrorFields<'static>>, Unknown<'static>>,
    answered: FunctionRef<FnArgs<AnswerFields<'static>>, Unknown<'static>>,
    parse: FunctionRef<String, Unknown<'static>>,
    flat: FunctionRef<FnArgs<(Unknown<'static>, u32)>, Object<'static>>,
    claims: FunctionRef<Unknown<'static>, Unknown<'static>>,
    stringify: FunctionRef<Unknown<'static>, Option<String>>,
    body: FunctionRef<Unknown<'static>, Either<String, Uint8Array>>,
    query: FunctionRef<Unknown<'static>, String>,
    entries: FunctionRef<Unknown<'static>, Vec<Vec<String>>>,
    presented: FunctionRef<FnArgs<PresentedFields<'static>>, Vec<Vec<String>>>,
    watch: FunctionRef<FnArgs<(Unknown<'static>, u32)>, bool>,
    unwatch: FunctionRef<u32, Unknown<'static>>,
    keep: FunctionRef<Unknown<'static>, u32>,
    kept: FunctionRef<u32, Unknown<'static>>,
    environment: FunctionRef<String, Option<String>>,
}

thread_local! {
    static HOOKS: RefCell<Option<Rc<Hooks>>> = const { RefCell::new(None) };
}

/// Called by `index.js`, once in each environment, before anything else.
#[napi(catch_unwind, skip_typescript)]
pub fn register(functions: Object) -> Result<()> {
    fn function<T: FromNapiValue>(functions: &Object, name: &str) -> Result<T> {
        functions.get(name)?.ok_or_else(|| Error::new(Status::InvalidArg, format!("no function {name}")))
    }
    let hooks = Hooks {
        error: function(&functions, "error")?,
        answered: function(&functions, "answered")?,
        parse: function(&functions, "parse")?,
        flat: function(&functions, "flat")?,
        claims: function(&functions, "claims")?,
        stringify: function(&functions, "stringify")?,
        body: function(&functions, "body")?,
        query: function(&functions, "query")?,
        entries: function(&functions, "entries")?,
        presented: function(&functions, "presented")?,
        watch: function(&functions, "watch")?,
        unwatch: function(&functions, "unwatch")?,
        keep: function(&functions, "keep")?,
        kept: function(&functions, "kept")?,
        environment: function(&functions, "environment")?,
    };
    // The old ones are dropped outside the borrow: dropping calls into Node.
    let old = HOOKS.with(|slot| slot.borrow_mut().replace(Rc::new(hooks)));
    drop(old);
    bridge::open(&function(&functions, "receive")?)?;
    calls::open(&function(&functions, "nothing")?)?;
    events::install();
    Ok(())
}

/// Called by a signal's listener: ends the call of this number, if it is still in flight.
#[napi(catch_unwind, skip_typescript)]
pub fn cancel(call: u32) {
    calls::cancel(call);
}

fn call<Args, Return>(
    env: &Env,
    pick: impl FnOnce(&Hooks) -> &FunctionRef<Args, Return>,
    args: Args,
) -> Result<Return>
where
    Args: JsValuesTupleIntoVec,
    Return: FromNapiValue,
{
    let hooks = HOOKS
        .with(|slot| slot.borrow().clone())
        .ok_or_else(|| Error::new(Status::GenericFailure, "the addon is used without its index.js"))?;
    pick(&hooks).borrow_back(env)?.call(args)
}

/// An `AuthError`.
pub(crate) fn error<'a>(env: &'a Env, fields: ErrorFields<'a>) -> Result<Unknown<'a>> {
    call(env, |hooks| &hooks.error, FnArgs::from(fields))
}

/// An `AuthError` with its `answer`.
pub(crate) fn answered<'a>(env: &'a Env, fields: AnswerFields<'a>) -> Result<Unknown<'a>> {
    call(env, |hooks| &hooks.answered, FnArgs::from(fields))
}

/// `JSON.parse`.
pub(crate) fn parse<'a>(env: &'a Env, text: String) -> Result<Unknown<'a>> {
    call(env, |hooks| &hooks.parse, text)
}

/// So many values from a flat text, as a list.
pub(crate) fn flat<'a>(env: &'a Env, text: Unknown<'a>, count: u32) -> Result<Object<'a>> {
    call(env, |hooks| &hooks.flat, FnArgs::from((text, count)))
}

/// Claims out of their text (`claims.rs`).
pub(crate) fn claims<'a>(env: &'a Env, text: Unknown<'a>) -> Result<Unknown<'a>> {
    call(env, |hooks| &hooks.claims, text)
}

/// `JSON.stringify`; nothing for what JSON cannot say, such as a function.
pub(crate) fn stringify(env: &Env, value: Unknown) -> Result<Option<String>> {
    call(env, |hooks| &hooks.stringify, value)
}

/// An object as a request's body: its bytes, or its JSON.
pub(crate) fn body(env: &Env, value: Unknown) -> Result<Either<String, Uint8Array>> {
    call(env, |hooks| &hooks.body, value)
}

/// An object as an URL's query.
pub(crate) fn query(env: &Env, value: Unknown) -> Result<String> {
    call(env, |hooks| &hooks.query, value)
}

/// An object's names and values, as text.
pub(crate) fn entries(env: &Env, value: Unknown) -> Result<Vec<Vec<String>>> {
    call(env, |hooks| &hooks.entries, value)
}

/// What is under these names in headers or metadata of any form, as pairs.
pub(crate) fn presented(env: &Env, given: Unknown, names: Vec<String>) -> Result<Vec<Vec<String>>> {
    call(env, |hooks| &hooks.presented, FnArgs::from((given, names)))
}

/// Listens to an `AbortSignal` for a call; true if it is aborted already.
pub(crate) fn watch(env: &Env, signal: Unknown, number: u32) -> Result<bool> {
    call(env, |hooks| &hooks.watch, FnArgs::from((signal, number)))
}

/// Stops listening; the signal's reason, if it is aborted.
pub(crate) fn unwatch<'a>(env: &'a Env, number: u32) -> Result<Unknown<'a>> {
    call(env, |hooks| &hooks.unwatch, number)
}

/// Keeps a value in JavaScript, and tells its number.
pub(crate) fn keep(env: &Env, value: Unknown) -> Result<u32> {
    call(env, |hooks| &hooks.keep, value)
}

/// The value that is kept under a number.
pub(crate) fn kept<'a>(env: &'a Env, number: u32) -> Result<Unknown<'a>> {
    call(env, |hooks| &hooks.kept, number)
}

/// An environment variable, as JavaScript has it.
pub(crate) fn environment(env: &Env, name: String) -> Result<Option<String>> {
    call(env, |hooks| &hooks.environment, name)
}
