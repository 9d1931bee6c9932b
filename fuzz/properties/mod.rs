//! What must hold of everything that strangers send, whatever the bytes. `tests/properties.rs` tries it with proptest in
//! every test run; the fuzzer (`npm run fuzz`) tries it for as long as it is given.

pub(crate) mod carrier;
pub(crate) mod key;
pub(crate) mod token;

/// The first byte, which chooses what is tried, and the rest.
fn choice(data: &[u8]) -> (u8, &[u8]) {
    data.split_first().map_or((0, data), |(first, rest)| (*first, rest))
}

/// `text` with edits: three bytes each, for where (two) and what.
fn edited(text: &[u8], edits: &[u8]) -> Vec<u8> {
    let mut out = text.to_vec();
    for edit in edits.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([edit[0], edit[1]]));
        match out.len() {
            0 => out.push(edit[2]),
            length => match edit[1] >> 6 {
                0 | 1 => out[at % length] = edit[2],
                2 => out.insert(at % length, edit[2]),
                _ => _ = out.remove(at % length),
            },
        }
    }
    out
}
