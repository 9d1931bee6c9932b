//! Tokens as The Things Stack writes them: `<type>.<id>.<secret>`, the type in base32 as everything else.
//! Source: v3/wire.md, section Credentials.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use ttn_auth::{Error, ErrorKind, Result};

use crate::stack::error::{Refusal, known};

/// Bytes of an id (39 characters) and of a secret (52 characters).
const ID_BYTES: usize = 24;
const SECRET_BYTES: usize = 32;

/// RFC 4648, without padding.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Crockford's, for ULIDs.
const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenType {
    ApiKey,
    Access,
    Refresh,
    Code,
    Session,
}

impl TokenType {
    const ALL: [Self; 5] = [Self::ApiKey, Self::Access, Self::Refresh, Self::Code, Self::Session];

    pub(crate) const fn prefix(self) -> &'static str {
        match self {
            Self::ApiKey => "NNSXS",
            Self::Access => "MFRWG",
            Self::Refresh => "OJSWM",
            Self::Code => "MF2XI",
            Self::Session => "ONZW4",
        }
    }
}

/// A token taken apart. Neither id nor secret is checked for its form: what is not known is not found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Split<'a> {
    pub(crate) kind: TokenType,
    pub(crate) id: &'a str,
    pub(crate) secret: &'a str,
}

/// Takes a token apart.
pub(crate) fn split(token: &str) -> Result<Split<'_>, Refusal> {
    let invalid = || known("pkg/auth", "token", 3, "invalid token");
    let parts: Vec<&str> = token.split('.').collect();
    let [prefix, id, secret] = parts[..] else { return Err(invalid()) };
    let kind = TokenType::ALL.into_iter().find(|kind| kind.prefix() == prefix).ok_or_else(invalid)?;
    Ok(Split { kind, id, secret })
}

/// Writes a token.
pub(crate) fn join(kind: TokenType, id: &str, secret: &str) -> String {
    format!("{}.{id}.{secret}", kind.prefix())
}

/// A fresh id.
pub(crate) fn fresh_id() -> Result<String> {
    Ok(base32(&random::<ID_BYTES>()?))
}

/// A fresh secret.
pub(crate) fn fresh_secret() -> Result<String> {
    Ok(base32(&random::<SECRET_BYTES>()?))
}

/// The id and the secret of a fixture: always the same, so that clients of a sandbox that is started again go on. They
/// are published, and so worth nothing elsewhere.
pub(crate) fn fixture(name: &str) -> (String, String) {
    let hash = |what: &str| digest(&SHA256, format!("ttn-auth sandbox {what} {name}").as_bytes());
    (base32(&hash("id").as_ref()[..ID_BYTES]), base32(hash("secret").as_ref()))
}

/// A fresh UUID (version 4), which sessions have as their id.
pub(crate) fn fresh_uuid() -> Result<String> {
    Ok(uuid(random()?))
}

/// The UUID of a fixture.
pub(crate) fn fixture_uuid(name: &str) -> String {
    let hash = digest(&SHA256, format!("ttn-auth sandbox uuid {name}").as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.as_ref()[..16]);
    uuid(bytes)
}

fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0F | 0x40;
    bytes[8] = bytes[8] & 0x3F | 0x80;
    let hex = hex(&bytes);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// A correlation id: 32 hex digits.
pub(crate) fn correlation_id() -> String {
    // Without randomness they are all alike, and still correlation ids.
    hex(&random::<16>().unwrap_or_default())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A request's id, as the server makes one: a ULID, 48 bits of milliseconds and 80 random ones.
pub(crate) fn ulid() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&since.as_millis().to_be_bytes()[10..]);
    bytes[6..].copy_from_slice(&random::<10>().unwrap_or_default());
    let number = u128::from_be_bytes(bytes);
    (0..26).rev().map(|place| char::from(CROCKFORD[(number >> (5 * place) & 31) as usize])).collect()
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    let failed = |_| Error::new(ErrorKind::Internal, "the system has no randomness");
    SystemRandom::new().fill(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

fn base32(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 8 / 5 + 1);
    let (mut buffer, mut bits) = (0_u32, 0);
    for byte in bytes {
        buffer = buffer << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(BASE32[(buffer >> bits & 31) as usize]));
        }
    }
    if bits > 0 {
        text.push(char::from(BASE32[(buffer << (5 - bits) & 31) as usize]));
    }
    text
}

/// Tells the time, which tests move.
#[derive(Clone)]
pub(crate) struct Now(pub(crate) Arc<crate::clock::OffClock>);

impl Now {
    pub(crate) fn time(&self) -> SystemTime {
        let system = SystemTime::now();
        let ahead = self.0.ahead();
        let by = Duration::from_secs(ahead.unsigned_abs());
        if ahead < 0 { system.checked_sub(by) } else { system.checked_add(by) }.unwrap_or(system)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_is_rfc_4648s_without_padding() {
        for (bytes, text) in [("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foobar", "MZXW6YTBOI")] {
            assert_eq!(base32(bytes.as_bytes()), text);
        }
        // The types are the first letters of base32 themselves.
        for (kind, name) in [(TokenType::ApiKey, "key"), (TokenType::Session, "ses")] {
            assert_eq!(base32(name.as_bytes()).len(), kind.prefix().len());
        }
    }

    #[test]
    fn tokens_have_the_length_of_real_ones() {
        let (id, secret) = (fresh_id().unwrap(), fresh_secret().unwrap());
        assert_eq!(join(TokenType::ApiKey, &id, &secret).len(), 98);
        assert_eq!(fixture("x"), fixture("x"));
        assert_ne!(fixture("x"), fixture("y"));
        assert_eq!(ulid().len(), 26);
        assert_eq!(fresh_uuid().unwrap().len(), 36);
    }

    #[test]
    fn only_three_parts_of_a_known_type_are_a_token() {
        let split = |token| split(token).ok();
        assert_eq!(split("NNSXS.a.b"), Some(Split { kind: TokenType::ApiKey, id: "a", secret: "b" }));
        assert_eq!(split("MFRWG.."), Some(Split { kind: TokenType::Access, id: "", secret: "" }));
        for bad in [
            "",
            "nonsense",
            "NNSXS.a",
            "NNSXS.a.b.c",
            "nnsxs.a.b",
            "AAAAA.a.b",
            " NNSXS.a.b",
            "\"NNSXS.a.b\"",
        ] {
            assert_eq!(split(bad), None, "{bad}");
        }
    }
}
