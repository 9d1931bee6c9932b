//! Who asks an account server, where it wants to know: an OAuth client (RFC 6749, section 2.3.1) or a component of the
//! network.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::RequestBuilder;
use url::form_urlencoded::byte_serialize;

use crate::Secret;

#[derive(Clone)]
pub(crate) enum Login {
    Nobody,
    Client { id: String, secret: Secret },
    Bearer(Secret),
}

impl Login {
    /// Puts it on a request; `encode` is how a client's id and secret are written before they become Basic.
    pub(crate) fn put(&self, request: RequestBuilder, encode: fn(&str) -> String) -> RequestBuilder {
        match self {
            Self::Nobody => request,
            Self::Client { id, secret } => {
                let secret = Secret::new(encode(secret.expose()));
                request.basic_auth(encode(id), Some(secret.expose()))
            }
            Self::Bearer(token) => request.bearer_auth(token.expose()),
        }
    }

    /// What no message may repeat.
    pub(crate) fn secrets(&self) -> Vec<Secret> {
        match self {
            Self::Nobody => Vec::new(),
            Self::Client { id, secret } => {
                let basic = |encode: fn(&str) -> String| {
                    Secret::new(STANDARD.encode(format!("{}:{}", encode(id), encode(secret.expose()))))
                };
                vec![secret.clone(), basic(plain), basic(encoded)]
            }
            Self::Bearer(token) => vec![token.clone()],
        }
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody => f.write_str("nobody"),
            Self::Client { id, .. } => write!(f, "client {id:?}"),
            Self::Bearer(_) => f.write_str("bearer token"),
        }
    }
}

/// As it is.
pub(crate) fn plain(text: &str) -> String {
    text.to_owned()
}

/// As a form has it (`application/x-www-form-urlencoded`).
pub(crate) fn encoded(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}
