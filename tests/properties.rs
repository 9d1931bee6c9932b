//! What must hold of everything that strangers send (fuzz/properties/), tried by chance: random bytes, and edits of what
//! is good. `npm run fuzz` goes on where this ends.

#![cfg(feature = "server")]

#[path = "../fuzz/properties/mod.rs"]
mod properties;

use proptest::collection::vec;
use proptest::prelude::*;

/// The first byte chooses what is tried; the rest is of any kind, or of what credentials are made of.
fn data() -> impl Strategy<Value = Vec<u8>> {
    let text = prop_oneof![
        vec(any::<u8>(), 0..300),
        "[ -~\n]{0,300}".prop_map(String::into_bytes),
        json().prop_map(String::into_bytes),
        (json(), json()).prop_map(|(first, second)| format!("{first}\n{second}").into_bytes()),
    ];
    (any::<u8>(), text).prop_map(|(first, rest)| [&[first], &rest[..]].concat())
}

/// JSON as in a token, well-formed or nearly.
fn json() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"iss\"",
        "\"i\"",
        "\"exp\"",
        "1800000000",
        "1e10",
        "-1",
        "null",
        "\"apps\"",
        "\"scope\"",
        "\"alg\"",
        "\"ES256\"",
        "\"\\u0061lg\"",
        "\"crit\"",
        "true",
        "\"test-app\"",
        "[\"devices\"]",
        "{\"iss\":\"i\",\"exp\":1800003600}",
        "{\"alg\":\"ES256\"}",
    ]);
    vec(word, 0..20).prop_map(|words| words.concat())
}

proptest! {
    // A token's takes a signature.
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn carriers(data in data()) {
        properties::carrier::holds(&data);
    }

    #[test]
    fn tokens(data in data()) {
        properties::token::holds(&data);
    }

    #[test]
    fn keys(data in data()) {
        properties::key::holds(&data);
    }
}
