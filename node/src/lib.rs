//! The Node.js addon of ttn-auth: it converts between JavaScript's values and the core's, and decides nothing.
//!
//! Three rules hold everywhere here. A panic never leaves Rust, since it would end the process: synchronous items are
//! `catch_unwind`, futures and callbacks are wrapped by hand (`running.rs`, `calls.rs`, `outcome.rs`). Every error that JavaScript sees is its own
//! `AuthError` (`error.rs`). Handles of JavaScript values stay on their thread; what crosses is plain data (`hooks.rs` on the
//! way of a call, `bridge.rs` at any time and from any thread).

#![cfg_attr(test, allow(dead_code, reason = "napi leaves its registrations out of test builds"))]
#![allow(unreachable_pub, reason = "napi exports what is `pub`")]

mod args;
mod asked;
mod auth_info;
mod authenticator;
mod authenticator_settings;
mod bridge;
mod call_auth;
mod callback;
mod calls;
mod claims;
mod client;
mod contained;
mod credentials;
mod deferred;
mod error;
mod events;
mod exchange;
mod flat;
mod flat_parts;
mod flat_writer;
mod hooks;
mod kept;
mod manager;
mod outcome;
#[cfg(feature = "test-panics")]
mod panics;
mod promise;
mod raw;
mod reader;
mod refresh;
mod registry;
mod restricted;
mod rule;
mod running;
mod runtime;
mod sandbox;
mod seen;
mod settings;
mod shapes;
mod source;
mod streams;
mod vault;

/// The package's version, for index.js: reading package.json takes longer than the rest of loading.
#[napi_derive::napi(skip_typescript)]
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// See Cargo.toml.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
