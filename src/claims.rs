//! What a verified token says: who it is, and what they may do where.
//!
//! Only [`Verifier`](crate::Verifier) makes these, so holding [`Claims`] means that a signature was checked. A right on
//! an application needs two things, and neither is enough alone: the scope `apps:<id>`, and the right in `apps[<id>]`
//! (wire.md, section 2).

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer};

use crate::{AppId, Error, ErrorKind, Result};

macro_rules! rights {
    ($($(#[$doc:meta])* $name:ident $text:literal,)*) => {
        /// What one may do with an application.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Right { $($(#[$doc])* $name,)* }

        impl Right {
            /// Every right, in the order of the documentation.
            pub const ALL: &[Right] = &[$(Right::$name,)*];

            /// The right's name in a token, such as `messages:up:r`.
            pub const fn name(self) -> &'static str {
                match self { $(Right::$name => $text,)* }
            }
        }
    };
}

rights! {
    /// Read and change the application's settings.
    Settings "settings",
    /// Delete the application.
    Delete "delete",
    /// Manage who else has access.
    Collaborators "collaborators",
    /// Read and change devices.
    Devices "devices",
    /// Read uplink messages.
    ReadUplink "messages:up:r",
    /// Send uplink messages, as if a device had.
    WriteUplink "messages:up:w",
    /// Send downlink messages.
    WriteDownlink "messages:down:w",
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Rights by the id of what they are for.
pub type Rights = BTreeMap<String, Vec<String>>;

/// The claims of a token whose signature and times were verified.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Claims {
    /// Claim `iss`: the auth server that issued the token, such as `ttn-account-v2`.
    #[serde(rename = "iss", deserialize_with = "nullable")]
    pub issuer: String,
    /// Claim `sub`: who it was issued to.
    #[serde(rename = "sub", deserialize_with = "nullable")]
    pub subject: String,
    /// Claim `exp`, in seconds since 1970. Without one the token does not expire.
    #[serde(rename = "exp", deserialize_with = "numeric_date")]
    pub expires_at: Option<i64>,
    /// Claim `iat`, in seconds since 1970.
    #[serde(rename = "iat", deserialize_with = "numeric_date")]
    pub issued_at: Option<i64>,
    /// Claim `nbf`, in seconds since 1970.
    #[serde(rename = "nbf", deserialize_with = "numeric_date")]
    pub not_before: Option<i64>,
    /// Claim `scope`, such as `apps:my-app`.
    #[serde(deserialize_with = "nullable")]
    pub scope: Vec<String>,
    /// Claim `type`.
    #[serde(rename = "type", deserialize_with = "nullable")]
    pub token_type: String,
    /// Claim `client`: the OAuth client it was issued to.
    #[serde(deserialize_with = "nullable")]
    pub client: String,
    /// Rights on applications.
    #[serde(deserialize_with = "nullable")]
    pub apps: Rights,
    /// Rights on gateways.
    #[serde(deserialize_with = "nullable")]
    pub gateways: Rights,
    /// Rights on components.
    #[serde(deserialize_with = "nullable")]
    pub components: Rights,
    /// Claim `username`, with scope `profile`.
    #[serde(deserialize_with = "nullable")]
    pub username: String,
    /// Claim `email`, with scope `profile`.
    #[serde(deserialize_with = "nullable")]
    pub email: String,
    /// Claim `name`, with scope `profile`.
    #[serde(deserialize_with = "nullable")]
    pub name: Name,
}

/// A person's name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Name {
    /// Given name.
    #[serde(deserialize_with = "nullable")]
    pub first: String,
    /// Family name.
    #[serde(deserialize_with = "nullable")]
    pub last: String,
}

impl Claims {
    /// Whether the token has `right` on `app`: the scope `apps:<id>` and the right itself.
    pub fn allows(&self, app: &AppId, right: Right) -> bool {
        let scope = format!("apps:{app}");
        self.scope.contains(&scope)
            && self.apps.get(app.as_str()).is_some_and(|rights| rights.iter().any(|r| r == right.name()))
    }

    /// Refuses a caller who lacks `right` on `app`.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`], in V2's words.
    pub fn require(&self, app: &AppId, right: Right) -> Result<()> {
        if self.allows(app, right) {
            return Ok(());
        }
        let message = format!("permission denied: No \"{right}\" rights to Application \"{app}\"");
        Err(Error::new(ErrorKind::PermissionDenied, message).with_grpc_code(7))
    }
}

fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// RFC 7519's NumericDate may have a fraction. 0 is absent, as in V2.
fn numeric_date<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Date {
        Whole(i64),
        Fraction(f64),
    }
    let seconds = Option::<Date>::deserialize(from)?.map(|date| match date {
        Date::Whole(seconds) => seconds,
        // A cast saturates; a date out of range is far in the past or the future either way.
        Date::Fraction(seconds) => seconds.floor() as i64,
    });
    Ok(seconds.filter(|seconds| *seconds != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(json: &str) -> Claims {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_right_needs_the_scope_and_the_right() {
        let app = AppId::new("test-app").unwrap();
        for (json, allowed) in [
            (r#"{"scope":["apps:test-app"],"apps":{"test-app":["devices"]}}"#, true),
            (r#"{"scope":["apps"],"apps":{"test-app":["devices"]}}"#, false),
            (r#"{"scope":null,"apps":{"test-app":["devices"]}}"#, false),
            (r#"{"scope":["apps:test-app"],"apps":{"test-app":["settings"]}}"#, false),
            (r#"{"scope":["apps:test-app"],"apps":{"other-app":["devices"]}}"#, false),
            (r#"{"scope":["apps:test-app"]}"#, false),
        ] {
            let claims = claims(json);
            assert_eq!(claims.allows(&app, Right::Devices), allowed, "{json}");
            assert_eq!(claims.require(&app, Right::Devices).is_ok(), allowed, "{json}");
        }
        let error = Claims::default().require(&app, Right::Devices).unwrap_err();
        assert_eq!(error.message(), r#"permission denied: No "devices" rights to Application "test-app""#);
        assert_eq!((error.kind(), error.grpc_code()), (ErrorKind::PermissionDenied, Some(7)));
    }

    #[test]
    fn claims_are_read() {
        let read = claims(
            r#"{"iss":"i","sub":"s","exp":1.9,"iat":0,"nbf":null,"type":"application","client":"c","aud":["x"],
                "username":"u","email":"e","name":{"first":"f"},"gateways":{"g":["gateway:status"]}}"#,
        );
        assert_eq!((read.expires_at, read.issued_at, read.not_before), (Some(1), None, None));
        assert_eq!((read.token_type.as_str(), read.name.first.as_str()), ("application", "f"));
        assert_eq!(read.gateways["g"], ["gateway:status"]);
        assert!(serde_json::from_str::<Claims>(r#"{"exp":"soon"}"#).is_err());
        assert!(serde_json::from_str::<Claims>(r#"{"apps":["devices"]}"#).is_err());
    }
}
