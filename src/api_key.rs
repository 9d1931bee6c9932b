//! An API key of The Things Stack (V3): `NNSXS.<id>.<secret>`. Its rights and whether it expires are known to the server
//! alone; [`Client::auth_info`](crate::Client::auth_info) asks for them.

use std::fmt;
use std::sync::Arc;

use crate::carrier::Carried;
use crate::credentials::{check_text, invalid};
use crate::stack_secret::StackSecret;
use crate::{Result, Secret};

/// An API key of The Things Stack, which every V3 API takes as a bearer token. Cheap to clone.
#[derive(Clone)]
pub struct ApiKey(Arc<Key>);

struct Key {
    secret: Secret,
    carried: Carried,
}

impl ApiKey {
    /// Checks the shape of an API key.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidCredentials`](crate::ErrorKind::InvalidCredentials), see
    /// [`Credentials::api_key`](crate::Credentials::api_key).
    pub fn new(key: impl Into<String>) -> Result<Self> {
        let secret = Secret::new(key);
        check_text(secret.expose(), "API key")?;
        match StackSecret::of(secret.expose()) {
            Some(kind @ StackSecret::ApiKey) => kind.check(secret.expose())?,
            Some(other) => return Err(invalid(format!("this is {}: {}", other.name(), other.remedy()))),
            None => {
                return Err(invalid(
                    "an API key of The Things Stack begins with NNSXS. (shown once, when the key is made; \
                     its name or id alone is not the key)",
                ));
            }
        }
        Ok(Self(Arc::new(Key { secret, carried: Carried::default() })))
    }

    /// The key's text.
    pub fn secret(&self) -> &Secret {
        &self.0.secret
    }

    /// The key's id, as the Console shows it: no secret.
    pub fn id(&self) -> &str {
        StackSecret::id(self.secret().expose()).unwrap_or_default()
    }

    pub(crate) fn carried(&self) -> &Carried {
        &self.0.carried
    }
}

impl PartialEq for ApiKey {
    fn eq(&self, other: &Self) -> bool {
        self.secret() == other.secret()
    }
}

impl Eq for ApiKey {}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ApiKey").field(self.secret()).finish()
    }
}
