//! Numbers as Go reads them.

#![allow(clippy::result_large_err, reason = "a refusal is an answer like any other, moved once")]

use http::StatusCode;
use ttn_auth::{Error, ErrorKind, Result};

use crate::rest::{query, text};
use crate::serve::Reply;
use crate::store::UNKNOWN;

/// A paging parameter as Go's `strconv.Atoi` reads it. Only what is above 0 counts.
pub(crate) fn page(uri: &http::Uri, name: &str) -> Result<Option<String>, Reply> {
    let Some(given) = query(uri, name) else { return Ok(None) };
    let wrong = |why: &str| text(StatusCode::BAD_REQUEST, &format!("strconv.Atoi: parsing {given:?}: {why}"));
    let digits = given.strip_prefix(['+', '-']).unwrap_or(&given);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong("invalid syntax"));
    }
    let number: i64 = given.parse().map_err(|_| wrong("value out of range"))?;
    Ok((number > 0).then(|| number.to_string()))
}

/// A number as Go's `strconv.ParseUint` reads it; absent is 0.
pub(crate) fn unsigned(text: Option<&str>) -> Result<usize> {
    let Some(text) = text else { return Ok(0) };
    let wrong = |why: &str| {
        let message = format!("strconv.ParseUint: parsing {text:?}: {why}");
        Error::new(ErrorKind::InvalidArgument, message).with_grpc_code(UNKNOWN)
    };
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong("invalid syntax"));
    }
    let number: u64 = text.parse().map_err(|_| wrong("value out of range"))?;
    Ok(usize::try_from(number).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paging_is_read_as_go_reads_it() {
        for (query, expected) in [
            ("", Ok(None)),
            ("?limit=", Ok(None)),
            ("?limit=2&limit=x", Ok(Some("2"))),
            ("?limit=%2B2", Ok(Some("2"))),
            ("?limit=-2", Ok(None)),
            ("?limit=0", Ok(None)),
            // A pair with a bad escape is none.
            ("?limit=%zz", Ok(None)),
            ("?limit=%zz&limit=2", Ok(Some("2"))),
            ("?limit=x", Err(&())),
            ("?limit=1.0", Err(&())),
            ("?limit=+2", Err(&())),
            ("?limit=9223372036854775808", Err(&())),
        ] {
            let uri = format!("/applications{query}").parse().unwrap();
            let found = page(&uri, "limit").map_err(|reply| assert_eq!(reply.status(), 400));
            assert_eq!(found.as_ref().map(Option::as_deref), expected, "{query}");
        }
    }

    #[test]
    fn numbers_are_read_as_go_reads_them() {
        assert_eq!(unsigned(None).unwrap(), 0);
        assert_eq!(unsigned(Some("007")).unwrap(), 7);
        for (text, message) in [
            ("x", r#"strconv.ParseUint: parsing "x": invalid syntax"#),
            ("", r#"strconv.ParseUint: parsing "": invalid syntax"#),
            ("-1", r#"strconv.ParseUint: parsing "-1": invalid syntax"#),
            ("+1", r#"strconv.ParseUint: parsing "+1": invalid syntax"#),
            (
                "18446744073709551616",
                r#"strconv.ParseUint: parsing "18446744073709551616": value out of range"#,
            ),
        ] {
            let error = unsigned(Some(text)).unwrap_err();
            assert_eq!((error.message(), error.grpc_code()), (message, Some(2)));
        }
    }
}
