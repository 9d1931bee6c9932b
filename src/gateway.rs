//! What an HTTP gateway makes of a request's headers before it calls the gRPC API behind it, as V2's does.
//!
//! | HTTP header | gRPC metadata |
//! |---|---|
//! | `Authorization: Bearer <jwt>` | `token: <jwt>` |
//! | `Authorization: Key <key>` | `key: <key>` |
//! | `Grpc-Metadata-<name>: <value>` | `<name>: <value>` |
//! | `Grpc-Timeout: 500m` | none: how long the call may take |
//! | any other | none |
//!
//! Source: wire.md, sections 1 and 5. A header that belongs to the connection, or to gRPC itself, does not pass, whatever it
//! is called outside.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::reserved::is_reserved;
use crate::{Carrier, Error, ErrorKind, Result, Secret};

const PREFIX: &str = "grpc-metadata-";
const TIMEOUT: &str = "grpc-timeout";

/// The metadata of the call that a request asks for. Credentials in it are marked sensitive.
///
/// ```
/// let mut headers = http::HeaderMap::new();
/// headers.insert("authorization", "Key ttn-account-v2.abc".parse()?);
/// headers.insert("grpc-metadata-limit", "10".parse()?);
/// headers.insert("accept", "application/json".parse()?);
/// let metadata = ttn_auth::gateway_metadata(&headers);
/// assert_eq!(metadata["key"], "ttn-account-v2.abc");
/// assert_eq!(metadata["limit"], "10");
/// assert_eq!(metadata.len(), 2);
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
pub fn gateway_metadata(headers: &HeaderMap) -> HeaderMap {
    let mut metadata = HeaderMap::new();
    for (name, value) in headers {
        let name = name.as_str().strip_prefix(PREFIX).and_then(|name| name.parse::<HeaderName>().ok());
        if let Some(name) = name.filter(|name| !is_reserved(name) && !is_of_grpc(name)) {
            metadata.append(name, value.clone());
        }
    }
    let presented = Carrier::AuthorizationHeader.extract(headers);
    for (name, secret) in Carrier::GrpcMetadata.names().iter().zip([presented.token, presented.key]) {
        // In place of what the prefix alone has given.
        if let Some(value) = secret.as_ref().and_then(sensitive) {
            metadata.insert(*name, value);
        }
    }
    metadata
}

fn sensitive(secret: &Secret) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_bytes(secret.expose().as_bytes()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Names that gRPC keeps for itself.
fn is_of_grpc(name: &HeaderName) -> bool {
    name.as_str().starts_with("grpc-") || matches!(name.as_str(), "content-type" | "user-agent")
}

/// How long the call that a request asks for may take, if it says: a whole number and a unit, of `H M S m u n`. What is below
/// zero is over before it began; zero says nothing.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`], in V2's words, if it cannot be read.
pub fn gateway_timeout(headers: &HeaderMap) -> Result<Option<Duration>> {
    let Some(value) = headers.get(TIMEOUT).filter(|value| !value.is_empty()) else { return Ok(None) };
    let text = String::from_utf8_lossy(value.as_bytes());
    timeout(&text).ok_or_else(|| {
        Error::new(ErrorKind::InvalidArgument, format!("invalid grpc-timeout: {text}")).with_grpc_code(3)
    })
}

fn timeout(text: &str) -> Option<Option<Duration>> {
    let unit = text.chars().last()?;
    let number: i64 = text.strip_suffix(unit)?.parse().ok()?;
    let nanoseconds: i64 = match unit {
        'H' => 3_600_000_000_000,
        'M' => 60_000_000_000,
        'S' => 1_000_000_000,
        'm' => 1_000_000,
        'u' => 1_000,
        'n' => 1,
        _ => return None,
    };
    let given = u64::try_from(number.saturating_mul(nanoseconds)).unwrap_or(0);
    Some((number != 0).then(|| Duration::from_nanos(given)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let entries = pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        entries.fold(HeaderMap::new(), |mut map, (name, value): (HeaderName, HeaderValue)| {
            map.append(name, value);
            map
        })
    }

    #[test]
    fn headers_become_metadata() {
        for (given, expected) in [
            (&[("authorization", "Bearer x")][..], &[("token", "x")][..]),
            (&[("Authorization", "kEy x")], &[("key", "x")]),
            (&[("grpc-metadata-token", "a"), ("authorization", "Bearer b")], &[("token", "b")]),
            (&[("grpc-metadata-token", ""), ("authorization", "Key k")], &[("token", ""), ("key", "k")]),
            // Of a name sent twice the first value counts, so that is the one that passes.
            (&[("grpc-metadata-key", "a"), ("grpc-metadata-key", "b")], &[("key", "a")]),
            (&[("grpc-metadata-x", "a"), ("grpc-metadata-x", "b")], &[("x", "a"), ("x", "b")]),
            (&[("Grpc-Metadata-Limit", "10"), ("accept", "*/*")], &[("limit", "10")]),
            // Not for the API behind, under any name.
            (&[("authorization", "Basic x"), ("token", "a"), ("key", "b"), ("cookie", "c")], &[]),
            (&[("grpc-metadata-", "x"), ("grpc-metadatax", "x")], &[]),
            (&[("grpc-metadata-host", "x"), ("grpc-metadata-te", "x")], &[]),
            (&[("grpc-metadata-content-length", "0"), ("grpc-metadata-transfer-encoding", "chunked")], &[]),
            (&[("grpc-metadata-grpc-timeout", "1S"), ("grpc-metadata-content-type", "text/html")], &[]),
            (&[("grpc-timeout", "1S")], &[]),
        ] {
            assert_eq!(gateway_metadata(&headers(given)), headers(expected), "{given:?}");
        }
        let metadata =
            gateway_metadata(&headers(&[("authorization", "Bearer x"), ("grpc-metadata-key", "k")]));
        assert!(metadata.values().all(HeaderValue::is_sensitive));
    }

    #[test]
    fn timeouts_are_read_as_go_reads_them() {
        for (text, expected) in [
            ("", Some(None)),
            ("0S", Some(None)),
            ("500m", Some(Some(Duration::from_millis(500)))),
            ("2H", Some(Some(Duration::from_secs(7200)))),
            ("+1u", Some(Some(Duration::from_micros(1)))),
            ("-1S", Some(Some(Duration::ZERO))),
            ("9223372036854775807H", Some(Some(Duration::from_nanos(i64::MAX as u64)))),
            ("9223372036854775808n", None),
            ("x", None),
            ("S", None),
            ("1", None),
            ("1s", None),
            ("1.5S", None),
        ] {
            let found = gateway_timeout(&headers(&[("grpc-timeout", text)]));
            assert_eq!(found.as_ref().ok(), expected.as_ref(), "{text}");
            if let Err(error) = found {
                assert_eq!(error.message(), format!("invalid grpc-timeout: {text}"));
            }
        }
        let other = HeaderMap::from_iter([(
            HeaderName::from_static(TIMEOUT),
            HeaderValue::from_bytes("1é".as_bytes()).unwrap(),
        )]);
        assert!(gateway_timeout(&other).is_err());
        assert_eq!(gateway_timeout(&HeaderMap::new()).unwrap(), None);
    }

    proptest! {
        /// One way to read credentials: what a gateway hands on is what it was given.
        #[test]
        fn metadata_presents_what_the_header_presents(
            authorization in prop::collection::vec(any::<u8>(), 0..24),
            scheme in prop::sample::select(vec!["", "Bearer ", "Key ", "bearer  "]),
            token in prop::option::of("[ -~]{0,8}"),
        ) {
            let mut given = HeaderMap::new();
            let value = [scheme.as_bytes(), &authorization].concat();
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                given.insert("authorization", value);
            }
            if let Some(token) = token {
                given.insert("grpc-metadata-token", token.parse().unwrap());
            }
            let over_http = Carrier::AuthorizationHeader.extract(&given);
            prop_assert_eq!(Carrier::GrpcMetadata.extract(&gateway_metadata(&given)), over_http);
        }

        #[test]
        fn any_timeout_is_read_without_a_panic(text in any::<String>()) {
            let _ = timeout(&text);
        }
    }
}
