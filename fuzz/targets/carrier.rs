//! `npm run fuzz -- SECONDS carrier`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::carrier::holds(data));

#[path = "../properties/mod.rs"]
mod properties;
