//! `npm run fuzz -- SECONDS token`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::token::holds(data));

#[path = "../properties/mod.rs"]
mod properties;
