//! What seen.js knows verified tokens by, and asks about them.

use std::sync::Arc;

use napi::Env;
use napi::bindgen_prelude::{ClassInstance, External, Uint32ArraySlice, Unknown};
use napi_derive::napi;
use ttn_auth::{Carrier, Known};

use crate::asked::Asked;
use crate::authenticator::Authenticator;
use crate::contained::Contained;
use crate::error::guard;
use crate::rule;

/// Called by seen.js: `authenticate` for what is plain, without a look at objects. `metadata`: not a header;
/// `here`: it may be answered at once.
#[napi(catch_unwind, skip_typescript)]
pub fn authenticate_plain<'a>(
    env: &'a Env,
    authenticator: ClassInstance<'a, Authenticator>,
    metadata: bool,
    text: String,
    here: bool,
    app_id: Option<String>,
    right: Option<String>,
) -> napi::Result<Unknown<'a>> {
    let asked = guard(env, || {
        let carrier = if metadata { Carrier::GrpcMetadata } else { Carrier::AuthorizationHeader };
        let right = right.map(|name| rule::parse_right(&name, "right")).transpose()?;
        Asked::plain(carrier, text, app_id, right)
    })?;
    authenticator.answer(env, asked, here)
}

/// A token that was verified; seen.js keeps it beside what was presented.
pub struct Seen(pub(crate) Contained<(Arc<ttn_auth::Authenticator>, Known)>);

/// Called by seen.js: how many milliseconds a token is good, unless a key changes or somebody sets the clock; 0 if it is not.
#[napi(catch_unwind, skip_typescript)]
pub fn good_for(seen: &External<Seen>) -> f64 {
    let (by, known) = &*seen.0;
    by.good_for(known).as_secs_f64() * 1000.0
}

/// Called by seen.js: the authenticator's count of changed keys, as it changes. Nothing where V8 allows no memory but its own:
/// a copy would never change.
#[napi(catch_unwind, skip_typescript)]
#[allow(unsafe_code, reason = "JavaScript looks at memory of Rust's")]
pub fn key_changes<'a>(
    env: &'a Env,
    authenticator: ClassInstance<'a, Authenticator>,
) -> napi::Result<Option<Uint32ArraySlice<'a>>> {
    let changes = Arc::clone(authenticator.inner.key_changes());
    let memory = changes.as_ptr();
    // SAFETY: the memory is aligned, and there until `changes` is dropped, which is when the list is collected. Rust writes to it
    // atomically; seen.js reads it so, and writes nothing.
    let shown =
        unsafe { Uint32ArraySlice::from_external(env, memory, 1, changes, |_, changes| drop(changes))? };
    Ok(std::ptr::eq(shown.as_ref().as_ptr(), memory).then_some(shown))
}
