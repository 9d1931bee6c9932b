//! Minting tokens, good ones and every kind of bad one: what `{{token kind=..}}` in the vectors stands for.
//!
//! The kinds and arguments are those of wire.md, section 7. Every token has a subject of its own unless one is asked
//! for, because the rate limit counts per subject.

use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use ttn_auth::{Algorithm, Error, ErrorKind, Result};

use crate::issuer::Issuer;
use crate::signing::SigningKey;

/// Every right on an application, in the order V2 lists them.
pub const APPLICATION_RIGHTS: [&str; 7] =
    ["settings", "delete", "collaborators", "devices", "messages:up:r", "messages:up:w", "messages:down:w"];

/// Every right on a component, such as a Handler.
const COMPONENT_RIGHTS: [&str; 2] = ["component:settings", "component:delete"];

/// The application that the fixtures register, and that tokens are for unless said otherwise.
pub const APP_ID: &str = "test-app";

/// Tokens live for an hour, as the account server's own do.
const LIFETIME: i64 = 3600;

/// Tokens were issued 5 seconds ago, so that a clock a little behind still takes them.
const AGE: i64 = 5;

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident $name:literal,)*) => {
        /// What is right or wrong with a token.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub enum TokenKind { #[default] $($(#[$doc])* $variant,)* }

        impl TokenKind {
            /// Every kind, in the order of the documentation.
            pub const ALL: &[TokenKind] = &[$(TokenKind::$variant,)*];

            /// The name in a vector, such as `expired`.
            pub const fn name(self) -> &'static str {
                match self { $(TokenKind::$variant => $name,)* }
            }
        }
    };
}

kinds! {
    /// Nothing is wrong with it.
    Valid "valid",
    /// `exp` was an hour ago.
    Expired "expired",
    /// No `exp` at all, which V2 accepts.
    NoExpiry "noexp",
    /// `nbf` is in an hour.
    Future "future",
    /// Signed by a key that is not the issuer's.
    BadSignature "badsig",
    /// Its subject was changed after signing.
    Tampered "tampered",
    /// Signed well, with the algorithm that the issuer does not pin.
    WrongAlgorithm "wrongalg",
    /// `iss` is `nobody`.
    WrongIssuer "wrongissuer",
    /// Rights `settings` and `messages:up:r` only.
    NoDevices "nodevices",
    /// Right `devices` only.
    NoSettings "nosettings",
    /// For `other-app`.
    OtherApp "otherapp",
    /// Rights, but an empty scope.
    NoScope "noscope",
    /// `alg` is `none`.
    Unsigned "none",
    /// HS256 with the public PEM as its secret.
    Hmac "hs256",
}

impl FromStr for TokenKind {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|kind| kind.name()).collect();
            invalid(format!("unknown token kind {name:?}; the kinds are {}", names.join(", ")))
        })
    }
}

/// A token to mint. What is `None` is as the kind has it.
#[derive(Clone, Debug, Default)]
pub struct Mint {
    /// What is right or wrong with it.
    pub kind: TokenKind,
    /// `exp`, in seconds from now; negative for the past.
    pub expires_in: Option<i64>,
    /// `iss`.
    pub issuer: Option<String>,
    /// `sub`; a fresh one if `None`.
    pub subject: Option<String>,
    /// The application whose rights it carries.
    pub app_id: Option<String>,
    /// The rights on that application.
    pub rights: Option<Vec<String>>,
    /// `scope`, instead of `apps:<app>`.
    pub scope: Option<Vec<String>>,
    /// The component that it belongs to, such as `handler/dev`: an account server exchanges keys for it.
    pub component: Option<String>,
    /// The key to sign with, instead of the issuer's.
    pub key: Option<SigningKey>,
    /// Adds a claim of so many bytes, for large tokens.
    pub pad: usize,
}

impl Mint {
    /// Reads what stands between `{{token` and `}}`: `kind=valid app=ghost-app exp=-1s`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for an unknown argument or value.
    pub fn parse(arguments: &str) -> Result<Self> {
        let mut mint = Self::default();
        for argument in arguments.split_whitespace() {
            let (name, value) = argument
                .split_once('=')
                .ok_or_else(|| invalid(format!("token argument {argument:?} has no value")))?;
            match name {
                "kind" => mint.kind = value.parse()?,
                "exp" => mint.expires_in = Some(go_seconds(value)?),
                "iss" => mint.issuer = Some(value.to_owned()),
                "app" => mint.app_id = Some(value.to_owned()),
                "scope" => {
                    mint.scope =
                        Some(value.split(',').filter(|s| !s.is_empty()).map(str::to_owned).collect());
                }
                "key" => {
                    mint.key = Some(match value {
                        "es256" => SigningKey::Es256,
                        "es256-other" => SigningKey::Es256Other,
                        "rs256" => SigningKey::Rs256,
                        _ => return Err(invalid(format!("unknown token key {value:?}"))),
                    });
                }
                "pad" => {
                    mint.pad =
                        value.parse().map_err(|_| invalid(format!("token pad {value:?} is not a size")))?;
                }
                _ => return Err(invalid(format!("unknown token argument {name:?}"))),
            }
        }
        Ok(mint)
    }

    fn claims(&self, issuer: &Issuer) -> Result<Value> {
        let now = issuer.clock().seconds();
        let default_app = if self.kind == TokenKind::OtherApp { "other-app" } else { APP_ID };
        let app = self.app_id.as_deref().unwrap_or(default_app);
        let rights = self.rights.clone().unwrap_or_else(|| {
            let names: &[&str] = match self.kind {
                TokenKind::NoDevices => &["settings", "messages:up:r"],
                TokenKind::NoSettings => &["devices"],
                _ => &APPLICATION_RIGHTS,
            };
            names.iter().map(|name| (*name).to_owned()).collect()
        });
        let scope = self.scope.clone().unwrap_or_else(|| match self.kind {
            TokenKind::NoScope => Vec::new(),
            _ => vec![format!("apps:{app}")],
        });
        let iss = self.issuer.as_deref().unwrap_or(match self.kind {
            TokenKind::WrongIssuer => "nobody",
            _ => issuer.id(),
        });
        let subject = self.subject.clone().map_or_else(|| issuer.fresh_subject(), Ok)?;
        let mut claims = json!({
            "iss": iss, "sub": subject, "iat": now.saturating_sub(AGE), "jti": issuer.fresh_id()?, "scope": scope,
            "type": "user", "apps": { app: rights },
        });
        if let Some(component) = &self.component {
            claims["components"] = json!({ component: COMPONENT_RIGHTS });
        }
        let expires_in = self.expires_in.or(match self.kind {
            TokenKind::NoExpiry => None,
            TokenKind::Expired => Some(-LIFETIME),
            _ => Some(LIFETIME),
        });
        if let Some(expires_in) = expires_in {
            claims["exp"] = now.saturating_add(expires_in).into();
        }
        if self.kind == TokenKind::Future {
            claims["nbf"] = now.saturating_add(LIFETIME).into();
        }
        if self.pad > 0 {
            claims["pad"] = "x".repeat(self.pad).into();
        }
        Ok(claims)
    }
}

impl Issuer {
    /// Mints a token.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] if the system has no randomness.
    pub fn mint(&self, mint: &Mint) -> Result<String> {
        let claims = mint.claims(self)?;
        let wrong = match self.algorithm() {
            Algorithm::Es256 => Algorithm::Rs256,
            Algorithm::Rs256 => Algorithm::Es256,
        };
        let key = mint.key.unwrap_or(match (mint.kind, self.algorithm()) {
            (TokenKind::WrongAlgorithm, _) => wrong.into(),
            (TokenKind::BadSignature, Algorithm::Es256) => SigningKey::Es256Other,
            _ => self.algorithm().into(),
        });
        match mint.kind {
            TokenKind::Unsigned => Ok(self.unsigned(&claims)),
            TokenKind::Hmac => Ok(self.hmac_signed(&claims)),
            TokenKind::Tampered => {
                let mut changed = claims.clone();
                changed["sub"] = self.fresh_subject()?.into();
                Ok(swap_part(&self.sign(key, &claims)?, 1, &URL_SAFE_NO_PAD.encode(changed.to_string())))
            }
            // There is no RS256 key to be bad with, so a bad signature by it is one of something else.
            TokenKind::BadSignature if key == SigningKey::Rs256 => {
                let foreign = self.sign(key, &json!({}))?;
                let signature = foreign.rsplit('.').next().unwrap_or_default();
                Ok(swap_part(&self.sign(key, &claims)?, 2, signature))
            }
            _ => self.sign(key, &claims),
        }
    }
}

/// A JWT with one of its three parts replaced.
fn swap_part(token: &str, part: usize, by: &str) -> String {
    let parts: Vec<&str> =
        token.split('.').enumerate().map(|(i, text)| if i == part { by } else { text }).collect();
    parts.join(".")
}

/// Reads a duration as Go writes it (`-1s`, `1h30m`, `1.5h`, `250ms`), in whole seconds, rounded down.
fn go_seconds(text: &str) -> Result<i64> {
    let wrong = || invalid(format!("{text:?} is not a duration such as -1s or 1h"));
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest.is_empty() {
        return Err(wrong());
    }
    let mut seconds = 0.0;
    while !rest.is_empty() && rest != "0" {
        let unit = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let number: f64 = rest[..unit].parse().map_err(|_| wrong())?;
        rest = &rest[unit..];
        let end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        seconds += number
            * match &rest[..end] {
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                "us" | "µs" => 1e-6,
                "ns" => 1e-9,
                _ => return Err(wrong()),
            };
        rest = &rest[end..];
    }
    // Casts between floats and integers saturate: an absurd duration gives an absurd, harmless `exp`.
    #[allow(clippy::cast_possible_truncation)]
    Ok((sign * seconds).floor() as i64)
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidArgument, message)
}

#[cfg(test)]
#[path = "mint_tests.rs"]
mod tests;
