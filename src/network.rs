//! What a failed connection means: the chain of causes, read for the one that a person can act on.

use std::error::Error as StdError;
use std::io;

use rustls::CertificateError;

use crate::{Error, ErrorKind};

/// An error of the transport as one of ours.
pub(crate) fn failed(error: impl StdError + Send + Sync + 'static) -> Error {
    let (kind, message) = read(&error);
    Error::new(kind, message).with_source(error)
}

/// A kind and a message for an error of the transport, whose chain may hold a TLS or an I/O error.
pub(crate) fn read(error: &(dyn StdError + 'static)) -> (ErrorKind, String) {
    let mut last = error.to_string();
    let mut next = Some(error);
    let mut depth = 0;
    while let Some(current) = next {
        if let Some(tls) = current.downcast_ref::<rustls::Error>() {
            return read_tls(tls);
        }
        if let Some(error) = current.downcast_ref::<io::Error>() {
            // An I/O error hides what it wraps from source().
            if let Some(inner) = error.get_ref().filter(|_| depth < MAX_DEPTH) {
                depth += 1;
                next = Some(inner);
                continue;
            }
            return read_io(error);
        }
        last = current.to_string();
        // hyper's and h2's words for bytes of another protocol.
        let strange = ["invalid HTTP", "frame with invalid size", "unexpected message from connection"];
        if strange.iter().any(|words| last.contains(words)) {
            return (ErrorKind::Protocol, "the server speaks another protocol on this port".to_owned());
        }
        depth += 1;
        next = current.source().filter(|_| depth < MAX_DEPTH);
    }
    (ErrorKind::Unavailable, format!("the connection failed: {last}"))
}

/// No honest chain is longer.
const MAX_DEPTH: usize = 32;

fn read_tls(error: &rustls::Error) -> (ErrorKind, String) {
    match error {
        rustls::Error::InvalidCertificate(reason) => {
            let reason = match reason {
                CertificateError::UnknownIssuer => "it is not signed by a CA that is trusted here".to_owned(),
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                    "it is expired".to_owned()
                }
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                    "it is not valid yet".to_owned()
                }
                // webpki's CaUsedAsEndEntity, which has no variant of its own: what V2 Handlers show.
                CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
                    "it is self-signed, and not the one that was given".to_owned()
                }
                other => other.to_string(),
            };
            (ErrorKind::Tls, format!("the server's certificate is refused: {reason}"))
        }
        rustls::Error::InvalidMessage(_) => {
            (ErrorKind::Protocol, "the server does not speak TLS on this port".to_owned())
        }
        other => (ErrorKind::Tls, format!("TLS failed: {other}")),
    }
}

fn read_io(error: &io::Error) -> (ErrorKind, String) {
    let message = match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused: nothing listens at this address".to_owned(),
        io::ErrorKind::TimedOut => return (ErrorKind::Timeout, "the connection timed out".to_owned()),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
            "the server closed the connection".to_owned()
        }
        _ => format!("the connection failed: {error}"),
    };
    (ErrorKind::Unavailable, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_is_found_behind_wrappers() {
        let tls = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let wrapped = io::Error::other(io::Error::other(tls));
        assert_eq!(read(&wrapped).0, ErrorKind::Tls);
        let refused = io::Error::other(io::Error::from(io::ErrorKind::ConnectionRefused));
        assert_eq!(
            read(&refused),
            (ErrorKind::Unavailable, read_io(&io::ErrorKind::ConnectionRefused.into()).1)
        );
        assert_eq!(read(&io::Error::from(io::ErrorKind::TimedOut)).0, ErrorKind::Timeout);
    }
}
