//! Headers that belong to the connection and not to the caller: one of them from outside could send the credentials to
//! another virtual host, or make two machines on the way disagree about where a request ends.

use http::HeaderMap;
#[cfg(feature = "server")]
use http::HeaderName;

use crate::{Error, ErrorKind, Result};

/// Which host is meant, how long the body is, and what is between two machines only (RFC 9110, section 7.6.1).
const RESERVED: [&str; 9] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// Refuses a call's own headers or metadata if one of them is reserved.
pub(crate) fn refuse_reserved(headers: &HeaderMap) -> Result<()> {
    match RESERVED.iter().find(|name| headers.contains_key(**name)) {
        Some(name) => {
            let message = format!("the header {name} cannot be set: it belongs to the connection");
            Err(Error::new(ErrorKind::InvalidArgument, message))
        }
        None => Ok(()),
    }
}

/// Whether this header is one of them.
#[cfg(feature = "server")]
pub(crate) fn is_reserved(name: &HeaderName) -> bool {
    RESERVED.contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_headers_are_refused_by_name() {
        for name in RESERVED {
            let mut headers = HeaderMap::new();
            headers.insert(name, "x".parse().unwrap());
            let error = refuse_reserved(&headers).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            assert!(error.message().contains(name), "{error}");
        }
        let mut headers = HeaderMap::new();
        headers.insert("x-trace", "x".parse().unwrap());
        assert!(refuse_reserved(&headers).is_ok());
    }
}
