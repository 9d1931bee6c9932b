//! What a verified token says: who it is, and what they may do where.
//!
//! What a [`Verifier`](crate::Verifier) or an [`Authenticator`](crate::Authenticator) gives was signed by the issuer. What comes from
//! elsewhere, such as [`Claims::read_unverified`], anybody can have written. A right on an application needs two things, and neither is enough alone: the scope
//! `apps:<id>`, and the right in `apps[<id>]` (wire.md, section 2). The same holds for gateways and components.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};

use crate::jwt::Jwt;
use crate::{AppId, ComponentRight, Error, ErrorKind, GatewayRight, Result, Right, Secret};

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
    /// What a token says of itself. **Anybody can write such a token**: neither its signature nor its times are checked, and
    /// nobody may be let in for it. For showing, and for debugging.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidToken`] if it is no JWT.
    pub fn read_unverified(token: &Secret) -> Result<Self> {
        Ok(Jwt::read(token.expose())?.claims)
    }

    /// Whether the token has `right` on `app`: the scope `apps:<id>` and the right itself.
    pub fn allows(&self, app: &AppId, right: Right) -> bool {
        self.has("apps", &self.apps, app.as_str(), right.name())
    }

    /// Whether the token has `right` on the gateway: the scope `gateways:<id>` and the right itself.
    pub fn allows_gateway(&self, gateway: &str, right: GatewayRight) -> bool {
        self.has("gateways", &self.gateways, gateway, right.name())
    }

    /// Whether the token has `right` on the component: the scope `components:<id>` and the right itself.
    pub fn allows_component(&self, component: &str, right: ComponentRight) -> bool {
        self.has("components", &self.components, component, right.name())
    }

    /// Refuses a caller who lacks `right` on `app`.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`], in V2's words.
    pub fn require(&self, app: &AppId, right: Right) -> Result<()> {
        demand(self.allows(app, right), right.name(), "Application", app.as_str())
    }

    /// Refuses a caller who lacks `right` on the gateway.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`], as [`require`](Self::require).
    pub fn require_gateway(&self, gateway: &str, right: GatewayRight) -> Result<()> {
        demand(self.allows_gateway(gateway, right), right.name(), "Gateway", gateway)
    }

    /// Refuses a caller who lacks `right` on the component.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`], as [`require`](Self::require).
    pub fn require_component(&self, component: &str, right: ComponentRight) -> Result<()> {
        demand(self.allows_component(component, right), right.name(), "Component", component)
    }

    fn has(&self, kind: &str, rights: &Rights, id: &str, right: &str) -> bool {
        let in_scope = |scope: &String| {
            scope
                .strip_prefix(kind)
                .and_then(|rest| rest.strip_prefix(':'))
                .is_some_and(|scoped| scoped == id)
        };
        self.scope.iter().any(in_scope) && rights.get(id).is_some_and(|held| held.iter().any(|r| r == right))
    }
}

fn demand(allowed: bool, right: &str, kind: &str, id: &str) -> Result<()> {
    if allowed {
        return Ok(());
    }
    let message = format!("permission denied: No \"{right}\" rights to {kind} \"{id}\"");
    Err(Error::new(ErrorKind::PermissionDenied, message).with_grpc_code(7))
}

fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// RFC 7519's NumericDate (section 2) may have a fraction. 0 is absent, as in V2.
fn numeric_date<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    struct Date;

    impl<'de> Visitor<'de> for Date {
        type Value = Option<i64>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a date in seconds since 1970")
        }

        fn visit_i64<E>(self, seconds: i64) -> Result<Option<i64>, E> {
            Ok(Some(seconds))
        }

        fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Option<i64>, E> {
            i64::try_from(seconds).map(Some).or_else(|_| self.visit_f64(seconds as f64))
        }

        fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Option<i64>, E> {
            if seconds.abs() <= LAST_SECOND {
                Ok(Some(seconds.floor() as i64))
            } else {
                Err(E::custom("a date beyond range"))
            }
        }

        fn visit_unit<E>(self) -> Result<Option<i64>, E> {
            Ok(None)
        }
    }

    // Not an untagged enum, for which serde keeps each value first.
    let seconds = from.deserialize_any(Date)?;
    Ok(seconds.filter(|seconds| *seconds != 0))
}

/// 2^53: beyond it, a float does not tell one second from the next.
const LAST_SECOND: f64 = 9_007_199_254_740_992.0;

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
    fn gateways_and_components_need_their_own_scope() {
        let claims = claims(
            r#"{"scope":["gateways:g","components:c","apps:x"],
                "gateways":{"g":["gateway:status"],"c":["gateway:status"]},
                "components":{"c":["component:settings"],"x":["component:settings"]}}"#,
        );
        assert!(claims.require_gateway("g", GatewayRight::Status).is_ok());
        assert!(claims.require_component("c", ComponentRight::Settings).is_ok());
        assert!(!claims.allows_gateway("c", GatewayRight::Status), "the scope of a component");
        assert!(!claims.allows_component("x", ComponentRight::Settings), "the scope of an application");
        let error = claims.require_gateway("g", GatewayRight::Delete).unwrap_err();
        assert_eq!(error.message(), r#"permission denied: No "gateway:delete" rights to Gateway "g""#);
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
        for date in [r#""soon""#, "true", "[1]", "1e300", "9223372036854775808", "-1e17", "NaN", "1e999"] {
            assert!(serde_json::from_str::<Claims>(&format!(r#"{{"exp":{date}}}"#)).is_err(), "{date}");
        }
        assert!(serde_json::from_str::<Claims>(r#"{"apps":["devices"]}"#).is_err());
    }
}
