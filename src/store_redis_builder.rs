//! What is said about a Redis store, and checked before it connects: an address that may hold a password, and whom to
//! trust.

use std::sync::Arc;

use percent_encoding::percent_decode_str;
use redis::RedisConnectionInfo;
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;
use url::Url;

use crate::address::is_loopback;
use crate::store_redis::{Place, RedisStore};
use crate::{Error, ErrorKind, Result, Secret};

/// What stands before every id.
const PREFIX: &str = "ttn-auth:";

/// What there is to say about a [`RedisStore`].
#[derive(Clone, Debug)]
pub struct RedisStoreBuilder {
    url: Secret,
    prefix: String,
    ca: Option<String>,
    allow_insecure: bool,
}

impl RedisStoreBuilder {
    pub(crate) fn new(url: Secret) -> Self {
        Self { url, prefix: PREFIX.to_owned(), ca: None, allow_insecure: false }
    }

    /// What stands before every id. Default: `ttn-auth:`.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Trusts this certificate (PEM), the server's own or a CA's, instead of the platform's.
    #[must_use]
    pub fn ca(mut self, pem: impl Into<String>) -> Self {
        self.ca = Some(pem.into());
        self
    }

    /// Allows a password to cross a network in clear. What is stored is sealed in any case.
    #[must_use]
    pub fn allow_insecure(mut self, allow: bool) -> Self {
        self.allow_insecure = allow;
        self
    }

    /// Checks everything that can be checked without connecting.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for an address or a certificate that is none; [`ErrorKind::InsecureTransport`] if a
    /// password would cross a network in clear; [`ErrorKind::Tls`] if no root certificates can be loaded.
    pub fn build(self) -> Result<RedisStore> {
        // No message repeats the address, which may hold a password.
        let wrong = |what: &str| {
            Error::new(ErrorKind::InvalidArgument, format!("the address of Redis is not valid: {what}"))
        };
        let form = "expected redis://host:port or rediss://user:password@host:port/database";
        let url = Url::parse(self.url.expose().trim()).map_err(|_| wrong(form))?;
        let tls = match url.scheme() {
            "redis" => false,
            "rediss" => true,
            _ => return Err(wrong("its scheme is neither redis nor rediss")),
        };
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("it has options behind ? or #"));
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| wrong("it has no host"))?;
        let host = host.trim_matches(['[', ']']).to_ascii_lowercase();
        let mut login = RedisConnectionInfo::default().set_skip_set_lib_name();
        let database = url.path().trim_matches('/');
        if !database.is_empty() {
            let number =
                database.parse::<u16>().map_err(|_| wrong("the database behind the / is not a number"))?;
            login = login.set_db(number.into());
        }
        let decode = |text| {
            percent_decode_str(text).decode_utf8().map_err(|_| wrong("its user or password is not UTF-8"))
        };
        if !url.username().is_empty() {
            login = login.set_username(decode(url.username())?);
        }
        if let Some(password) = url.password() {
            if !tls && !self.allow_insecure && !is_loopback(&host) {
                let message = "the password of Redis would cross the network in clear; use rediss://";
                return Err(Error::new(ErrorKind::InsecureTransport, message));
            }
            login = login.set_password(decode(password)?);
        }
        let tls = match tls {
            false => None,
            true => {
                let name =
                    ServerName::try_from(host.clone()).map_err(|_| wrong("the host is no name for TLS"))?;
                let mut config = crate::tls::http_config(crate::tls::verifier(self.ca.as_deref())?)?;
                config.alpn_protocols.clear();
                Some((TlsConnector::from(Arc::new(config)), name))
            }
        };
        Ok(RedisStore::at(Place { host, port: url.port().unwrap_or(6379), tls, login, prefix: self.prefix }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_never_shown() {
        for (url, shown) in [
            ("redis://localhost", "Redis at localhost:6379"),
            ("redis://:hunter2@127.0.0.1:7000/3", "Redis at 127.0.0.1:7000"),
            ("rediss://me:hunter2%2F@Redis.example/", "Redis at redis.example:6379"),
            ("redis://[::1]:7000", "Redis at [::1]:7000"),
            ("redis://redis:6379", "Redis at redis:6379"),
        ] {
            let builder = RedisStore::builder(url);
            let store = builder.clone().build().unwrap();
            assert_eq!(store.place().to_string(), shown);
            assert!(!format!("{store:?} {builder:?}").contains("hunter2"));
        }
        let store =
            RedisStore::builder("rediss://me:hunter2%2F@Redis.example/12").prefix("p:").build().unwrap();
        assert_eq!(store.place().login.password(), Some("hunter2/"));
        assert_eq!((store.place().login.username(), store.place().login.db()), (Some("me"), 12));
        assert_eq!(store.place().key("id"), "p:id");
        for url in [
            "",
            "localhost:6379",
            "http://hunter2@localhost",
            "redis://",
            "redis:///hunter2",
            "redis://localhost/hunter2",
            "redis://localhost?password=hunter2",
            "redis://localhost#insecure",
            "redis://:%FFhunter2@localhost",
            "redis://:hunter2@localhost:x",
        ] {
            let error = RedisStore::builder(url).build().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{url}");
            assert!(!format!("{error:?}").contains("hunter2"));
        }
    }

    #[test]
    fn a_password_does_not_cross_a_network_in_clear() {
        let builder = RedisStore::builder("redis://:hunter2@redis.example");
        assert_eq!(builder.clone().build().unwrap_err().kind(), ErrorKind::InsecureTransport);
        builder.allow_insecure(true).build().unwrap();
    }
}
