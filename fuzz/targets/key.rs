//! `npm run fuzz -- SECONDS key`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::key::holds(data));

#[path = "../properties/mod.rs"]
mod properties;
