//! What you own: a bearer token, an access key or an API key. Reading one checks its shape, never its validity; only a
//! server can tell that.
//!
//! A **bearer token** is a JSON Web Token (RFC 7519) that an account server issued; every V2 API takes it. An **access
//! key** is `<issuer>.<secret>`, belongs to one application, and is taken by the ApplicationManager, whose server
//! exchanges it for a token.
//!
//! The Things Stack (V3) has **API keys**, `NNSXS.<id>.<secret>`, and OAuth access tokens, `MFRWG.<id>.<secret>`, which are
//! bearer tokens too. By its shape alone a credential is known to be V3's, and is carried as V3 wants it.

use std::fmt;
use std::sync::Arc;

use crate::carrier::Carried;
use crate::stack_secret::StackSecret;
use crate::{AccessToken, ApiKey, Error, ErrorKind, Result, Secret};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A bearer token, an access key or an API key. `Debug` shows the kind, never the secret.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credentials {
    /// A JWT, accepted by every API of V2; or an access token or session token of The Things Stack.
    Token(AccessToken),
    /// An application access key, accepted by V2's ApplicationManager.
    Key(AccessKey),
    /// An API key of The Things Stack (V3), accepted by every API of it.
    ApiKey(ApiKey),
}

/// Which credential it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CredentialsKind {
    /// `bearer-token`
    BearerToken,
    /// `access-key`
    AccessKey,
    /// `api-key`
    ApiKey,
}

impl CredentialsKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::BearerToken, Self::AccessKey, Self::ApiKey];

    /// `bearer-token`, `access-key` or `api-key`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BearerToken => "bearer-token",
            Self::AccessKey => "access-key",
            Self::ApiKey => "api-key",
        }
    }

    /// What it is called in a sentence.
    #[cfg_attr(not(feature = "http"), allow(dead_code))]
    pub(crate) const fn article(self) -> &'static str {
        match self {
            Self::BearerToken => "a bearer token",
            Self::AccessKey => "an access key",
            Self::ApiKey => "an API key",
        }
    }
}

impl Credentials {
    /// A bearer token.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidCredentials`], naming what is wrong: empty, blanks, `Bearer ` in front, control bytes, an unset
    /// `${VAR}`, or a key, a refresh token or an authorization code in its place.
    pub fn bearer_token(token: impl Into<String>) -> Result<Self> {
        AccessToken::new(token).map(Self::Token)
    }

    /// An application access key.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidCredentials`], as for [`bearer_token`](Self::bearer_token).
    pub fn access_key(key: impl Into<String>) -> Result<Self> {
        AccessKey::new(key).map(Self::Key)
    }

    /// An API key of The Things Stack (V3), `NNSXS.<id>.<secret>`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidCredentials`], as for [`bearer_token`](Self::bearer_token).
    pub fn api_key(key: impl Into<String>) -> Result<Self> {
        ApiKey::new(key).map(Self::ApiKey)
    }

    /// Tells the kind by the shape: three dotted parts that start with a JSON header are a bearer token,
    /// `<issuer>.<secret>` is an access key; what The Things Stack issues says itself what it is: `NNSXS.` begins an API
    /// key, `MFRWG.` an access token, `ONZW4.` a session token.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidCredentials`] if it is none of them, or a refresh token (`OJSWM.`) or an authorization code
    /// (`MF2XI.`), which no call takes: the message says what to do with it.
    ///
    /// ```
    /// use ttn_auth::{Credentials, CredentialsKind};
    /// let key = Credentials::parse("ttn-account-v2.abc")?;
    /// assert_eq!(key.kind(), CredentialsKind::AccessKey);
    /// assert!(Credentials::parse("Bearer abc").is_err());
    /// # Ok::<(), ttn_auth::Error>(())
    /// ```
    pub fn parse(secret: &str) -> Result<Self> {
        check_text(secret, "credential")?;
        match StackSecret::of(secret) {
            Some(StackSecret::ApiKey) => return Self::api_key(secret),
            Some(_) => return Self::bearer_token(secret),
            None => {}
        }
        if is_jwt(secret) {
            Self::bearer_token(secret)
        } else if is_prefixed_key(secret) {
            Self::access_key(secret)
        } else if !secret.contains('.') {
            Err(invalid(
                "neither a bearer token (three parts with dots, starting with eyJ) nor an access key \
                 (<issuer>.<secret>); if it is a key without its issuer, say that it is an access key",
            ))
        } else {
            Err(invalid(
                "neither a bearer token (a JWT starts with eyJ) nor an access key (<issuer>.<secret>, one dot)",
            ))
        }
    }

    /// A credential in an environment variable, of this kind or of the kind that its shape tells. Blanks and line breaks
    /// around it are left out.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if `name` is no variable's name; [`ErrorKind::InvalidCredentials`] if the variable is
    /// not set, or what is in it is not such a credential.
    pub fn from_env(name: &str, kind: Option<CredentialsKind>) -> Result<Self> {
        let read = || match std::env::var_os(name).map(std::ffi::OsString::into_string) {
            None => Ok(None),
            Some(Ok(value)) => Ok(Some(Secret::new(value))),
            Some(Err(_)) => Err(invalid(format!("the environment variable {name} is not text in UTF-8"))),
        };
        Self::from_variable(name, kind, read)
    }

    /// The same for an environment that is read otherwise, such as another language's.
    ///
    /// # Errors
    /// Those of [`from_env`](Self::from_env), and what `read` says.
    pub fn from_variable(
        name: &str,
        kind: Option<CredentialsKind>,
        read: impl FnOnce() -> Result<Option<Secret>>,
    ) -> Result<Self> {
        // Not repeated: it may be the credential itself, given in the wrong place.
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            let message = "an environment variable's name has letters, digits and underscores only";
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        let wrong = |what: &str| invalid(format!("the environment variable {name} {what}"));
        let value = read()?.ok_or_else(|| wrong("is not set"))?;
        match value.expose().trim() {
            "" => Err(wrong("is empty")),
            text => {
                Self::of_kind(kind, text).map_err(|error| wrong(&format!("is no good: {}", error.message())))
            }
        }
    }

    /// Of this kind, or of the kind that its shape tells.
    pub(crate) fn of_kind(kind: Option<CredentialsKind>, text: &str) -> Result<Self> {
        match kind {
            Some(CredentialsKind::BearerToken) => Self::bearer_token(text),
            Some(CredentialsKind::AccessKey) => Self::access_key(text),
            Some(CredentialsKind::ApiKey) => Self::api_key(text),
            None => Self::parse(text),
        }
    }

    /// Which credential it is.
    pub fn kind(&self) -> CredentialsKind {
        match self {
            Self::Token(_) => CredentialsKind::BearerToken,
            Self::Key(_) => CredentialsKind::AccessKey,
            Self::ApiKey(_) => CredentialsKind::ApiKey,
        }
    }

    /// Whether it is The Things Stack's (V3), by its shape. V2's and what has no shape are not.
    pub fn is_of_the_things_stack(&self) -> bool {
        StackSecret::of(self.secret().expose()).is_some()
    }

    /// The secret itself.
    pub fn secret(&self) -> &Secret {
        match self {
            Self::Token(token) => token.secret(),
            Self::Key(key) => key.secret(),
            Self::ApiKey(key) => key.secret(),
        }
    }

    pub(crate) fn carried(&self) -> &Carried {
        match self {
            Self::Token(token) => token.carried(),
            Self::Key(key) => &key.0.carried,
            Self::ApiKey(key) => key.carried(),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({}, <redacted>)", self.kind().name())
    }
}

/// An application access key, `<issuer>.<secret>`. Cheap to clone.
#[derive(Clone)]
pub struct AccessKey(Arc<Key>);

struct Key {
    secret: Secret,
    carried: Carried,
}

impl AccessKey {
    /// Checks the shape of an access key. One without an issuer is accepted: the server tries its own auth server.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidCredentials`], see [`Credentials::access_key`].
    pub fn new(key: impl Into<String>) -> Result<Self> {
        let secret = Secret::new(key);
        check_text(secret.expose(), "access key")?;
        if is_jwt(secret.expose()) {
            // Sent as a key it would travel on to an account server.
            return Err(invalid("this looks like a bearer token (a JWT), not like an access key"));
        }
        if let Some(other) = StackSecret::of(secret.expose()) {
            return Err(invalid(format!("this is {}, not an access key: {}", other.name(), other.remedy())));
        }
        Ok(Self(Arc::new(Key { secret, carried: Carried::default() })))
    }

    /// The key's text.
    pub fn secret(&self) -> &Secret {
        &self.0.secret
    }

    /// The id of the auth server that issued it, such as `ttn-account-v2`: what stands before the one dot.
    pub fn issuer(&self) -> Option<&str> {
        is_prefixed_key(self.secret().expose())
            .then(|| self.secret().expose().split_once('.').map(|(issuer, _)| issuer))
            .flatten()
    }
}

impl PartialEq for AccessKey {
    fn eq(&self, other: &Self) -> bool {
        self.secret() == other.secret()
    }
}

impl Eq for AccessKey {}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AccessKey").field(self.secret()).finish()
    }
}

pub(crate) fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidCredentials, message)
}

/// What no credential may contain: it would not arrive, or not as it was meant (wire.md, section 1).
pub(crate) fn check_text(text: &str, what: &str) -> Result<()> {
    let starts_with =
        |scheme: &str| text.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme));
    if text.is_empty() {
        return Err(invalid(format!("the {what} is empty")));
    }
    if let Some(name) = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
        return Err(invalid(format!("the environment variable {name} is not set")));
    }
    for scheme in ["Bearer ", "Key "] {
        if starts_with(scheme) {
            return Err(invalid(format!("the {what} has \"{scheme}\" in front; leave that out")));
        }
    }
    if let Some(at) = text.find(char::is_whitespace) {
        return Err(invalid(format!("the {what} has a blank, tab or line break at character {}", at + 1)));
    }
    if text.chars().any(|c| c.is_ascii_control()) {
        return Err(invalid(format!("the {what} has a control character in it")));
    }
    if !text.is_ascii() {
        return Err(invalid(format!("the {what} has a character outside ASCII in it")));
    }
    Ok(())
}

/// Three parts, of which the first is a JSON object with an `alg` (RFC 7515, section 4.1.1).
pub(crate) fn is_jwt(text: &str) -> bool {
    let parts: Vec<_> = text.split('.').collect();
    let header = parts.first().and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    parts.len() == 3
        && header
            .and_then(|json| serde_json::from_slice::<serde_json::Value>(&json).ok())
            .is_some_and(|header| header.get("alg").is_some())
}

pub(crate) fn is_prefixed_key(text: &str) -> bool {
    text.split_once('.')
        .is_some_and(|(issuer, secret)| !issuer.is_empty() && !secret.is_empty() && !secret.contains('.'))
}

#[cfg(test)]
#[path = "credentials_tests.rs"]
pub(crate) mod tests;
