//! Where an API is: `grpc://`, `grpcs://`, `http://` or `https://`, a host, a port. The scheme chooses the transport.

use std::fmt;
use std::net::IpAddr;

use http::Uri;

use crate::{Error, ErrorKind, Result};

/// A V2 Handler's gRPC port (wire.md, section 6).
const GRPC_PORT: u16 = 1904;

/// How calls travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transport {
    /// gRPC over HTTP/2.
    Grpc,
    /// JSON over HTTP.
    Http,
}

impl Transport {
    /// `grpc` or `http`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Http => "http",
        }
    }
}

/// A parsed address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) transport: Transport,
    pub(crate) tls: bool,
    /// With brackets, if it is an IPv6 address.
    host: String,
    port: u16,
}

impl Address {
    /// Ports: 1904 for gRPC, 80 and 443 for HTTP, unless given.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        // The text may hold a password, so no message repeats it.
        let wrong =
            |what: &str| Error::new(ErrorKind::InvalidArgument, format!("the address is not valid: {what}"));
        let uri: Uri = text.trim().parse().map_err(|_| {
            wrong("expected grpc://host:port, grpcs://host:port, http://host:port or https://host:port")
        })?;
        let (transport, tls, default_port) = match uri.scheme_str() {
            Some("grpc") => (Transport::Grpc, false, GRPC_PORT),
            Some("grpcs") => (Transport::Grpc, true, GRPC_PORT),
            Some("http") => (Transport::Http, false, 80),
            Some("https") => (Transport::Http, true, 443),
            Some(_) => return Err(wrong("the scheme is none of grpc, grpcs, http, https")),
            None => return Err(wrong("it has no scheme; put grpcs:// or https:// in front")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("it has no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("it has a user or password in it; give credentials separately"));
        }
        if uri.path() != "/" || uri.query().is_some() {
            return Err(wrong("it has a path or query; an address is scheme, host and port"));
        }
        let host = authority.host().to_ascii_lowercase();
        if host.is_empty() {
            return Err(wrong("it has no host"));
        }
        let port = match authority.as_str().rsplit_once(':') {
            // Not a colon inside an IPv6 address.
            Some((_, port)) if !port.contains(']') => port
                .parse()
                .ok()
                .filter(|port| *port != 0)
                .ok_or_else(|| wrong("the port is none of 1 to 65535"))?,
            _ => default_port,
        };
        Ok(Self { transport, tls, host, port })
    }

    /// `http://host:port` or `https://host:port`, for the HTTP stack under either transport.
    pub(crate) fn origin(&self) -> String {
        format!("http{}://{}:{}", if self.tls { "s" } else { "" }, self.host, self.port)
    }

    /// The host as a certificate names it: without brackets.
    pub(crate) fn name(&self) -> &str {
        self.host.trim_matches(['[', ']'])
    }

    /// Whether packets stay on this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }

    /// Refuses plaintext to another machine.
    pub(crate) fn require_private(&self, allow_insecure: bool) -> Result<()> {
        if self.tls || allow_insecure || self.is_loopback() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::InsecureTransport,
            format!("{self} is plaintext to another machine: anyone between could read the credentials"),
        ))
    }
}

/// Whether a host, in lower case, is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(ip) => ip.to_canonical().is_loopback(),
        // Not *.localhost: a resolver may answer that with any address.
        Err(_) => host == "localhost",
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}{}://{}:{}",
            self.transport.name(),
            if self.tls { "s" } else { "" },
            self.host,
            self.port
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_scheme_chooses_transport_tls_and_port() {
        for (text, shown, origin) in [
            ("grpc://localhost", "grpc://localhost:1904", "http://localhost:1904"),
            ("grpcs://Handler.Example:80", "grpcs://handler.example:80", "https://handler.example:80"),
            ("http://[::1]:8084/", "http://[::1]:8084", "http://[::1]:8084"),
            ("https://h", "https://h:443", "https://h:443"),
            (" http://h ", "http://h:80", "http://h:80"),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!((address.to_string().as_str(), address.origin().as_str()), (shown, origin));
        }
    }

    #[test]
    fn bad_addresses_are_refused_without_repeating_them() {
        for (text, wrong) in [
            ("", "expected grpc://"),
            ("localhost", "no scheme"),
            ("localhost:1904", "no scheme"),
            ("ftp://h", "none of grpc"),
            ("http://", "expected"),
            ("http://user:hunter2@h", "user or password"),
            ("http://h/api", "path"),
            ("http://h?x=hunter2", "path or query"),
            ("http://h:0", "port"),
            ("http://h:99999", "port"),
            ("http://h:x", "port"),
            ("http://a b", "expected"),
        ] {
            let error = Address::parse(text).unwrap_err();
            assert!(error.to_string().contains(wrong), "{text}: {error}");
            assert!(!error.to_string().contains("hunter2"));
        }
    }

    #[test]
    fn plaintext_needs_loopback_or_leave() {
        for (text, private) in [
            ("grpc://127.0.0.1:1", true),
            ("grpc://127.9.9.9:1", true),
            ("http://[::1]:1", true),
            ("http://[::ffff:127.0.0.1]:1", true),
            ("http://localhost:1", true),
            ("http://a.localhost:1", false),
            ("https://192.0.2.1", true),
            ("grpcs://h", true),
            ("grpc://192.0.2.1:1", false),
            ("http://h", false),
            ("http://localhost.example", false),
            ("http://127.0.0.1.example", false),
            ("http://0.0.0.0:1", false),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!(address.require_private(false).is_ok(), private, "{text}");
            assert!(address.require_private(true).is_ok());
        }
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in "\\PC*|(grpc|http)s?://\\PC*") {
            if let Ok(address) = Address::parse(&text) {
                prop_assert_eq!(Address::parse(&address.to_string()).unwrap(), address);
            }
        }
    }
}
