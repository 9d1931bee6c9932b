//! What a credential says of itself, to show to a person. Nothing of it is verified: decide nothing on it.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::credentials::is_jwt;
use crate::stack_secret::StackSecret;
use crate::{AccessToken, Credentials, CredentialsKind};

/// What exactly a credential is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CredentialsType {
    /// A JSON Web Token (RFC 7519): a bearer token of V2.
    Jwt,
    /// A bearer token of no form that is known here.
    Opaque,
    /// An access key of V2.
    AccessKey,
    /// An API key of The Things Stack.
    ApiKey,
    /// An OAuth access token of The Things Stack. It is valid for an hour.
    OAuthAccessToken,
    /// The token of somebody's session at The Things Stack, with all rights. A change over HTTP needs a CSRF token beside it.
    SessionToken,
}

impl CredentialsType {
    /// `jwt`, `opaque`, `access-key`, `api-key`, `oauth-access-token` or `session-token`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jwt => "jwt",
            Self::Opaque => "opaque",
            Self::AccessKey => "access-key",
            Self::ApiKey => "api-key",
            Self::OAuthAccessToken => "oauth-access-token",
            Self::SessionToken => "session-token",
        }
    }

    /// Which network has issued it, `v2` or `the-things-stack`, if that is known.
    pub const fn network(self) -> Option<&'static str> {
        match self {
            Self::Jwt | Self::AccessKey => Some("v2"),
            Self::ApiKey | Self::OAuthAccessToken | Self::SessionToken => Some("the-things-stack"),
            Self::Opaque => None,
        }
    }

    fn of(credentials: &Credentials) -> Self {
        match credentials {
            Credentials::Key(_) => Self::AccessKey,
            Credentials::ApiKey(_) => Self::ApiKey,
            Credentials::Token(token) => {
                let text = token.secret().expose();
                match StackSecret::of(text) {
                    Some(StackSecret::SessionToken) => Self::SessionToken,
                    Some(_) => Self::OAuthAccessToken,
                    None if is_jwt(text) => Self::Jwt,
                    None => Self::Opaque,
                }
            }
        }
    }
}

/// What a credential says of itself. Nothing of it is verified: decide nothing on it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Description {
    /// Which credential it is.
    pub kind: CredentialsKind,
    /// What exactly it is.
    pub r#type: CredentialsType,
    /// What The Things Stack knows it by: no secret.
    pub id: Option<String>,
    /// Claim `iss`, or what stands before the key's dot.
    pub issuer: Option<String>,
    /// Claim `sub`.
    pub subject: Option<String>,
    /// Claim `scope`.
    pub scope: Vec<String>,
    /// Claim `exp`, in seconds since 1970.
    pub expires_at: Option<f64>,
    /// Claim `apps`: rights by application id.
    pub apps: BTreeMap<String, Vec<String>>,
}

impl Description {
    fn of(credentials: &Credentials) -> Self {
        Self {
            kind: credentials.kind(),
            r#type: CredentialsType::of(credentials),
            id: StackSecret::id(credentials.secret().expose()).map(str::to_owned),
            issuer: None,
            subject: None,
            scope: Vec::new(),
            expires_at: None,
            apps: BTreeMap::new(),
        }
    }
}

impl Credentials {
    /// What the credential says of itself, to show to a person. Nothing of it is verified.
    pub fn describe(&self) -> Description {
        let said = Description::of(self);
        match self {
            Self::Token(token) => describe(token, said),
            Self::Key(key) => Description { issuer: key.issuer().map(str::to_owned), ..said },
            Self::ApiKey(_) => said,
        }
    }
}

fn describe(token: &AccessToken, said: Description) -> Description {
    /// The part of the claims that is shown to people. A claim of an unexpected type is left out.
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Shown {
        iss: Option<serde_json::Value>,
        sub: Option<serde_json::Value>,
        scope: Option<serde_json::Value>,
        exp: Option<serde_json::Value>,
        apps: Option<serde_json::Value>,
    }
    fn read<T: for<'de> Deserialize<'de>>(claim: Option<serde_json::Value>) -> Option<T> {
        claim.and_then(|value| serde_json::from_value(value).ok())
    }
    let shown: Shown = token
        .secret()
        .expose()
        .split('.')
        .nth(1)
        .and_then(|part| URL_SAFE_NO_PAD.decode(part).ok())
        .and_then(|json| serde_json::from_slice(&json).ok())
        .unwrap_or_default();
    Description {
        issuer: read(shown.iss),
        subject: read(shown.sub),
        scope: read(shown.scope).unwrap_or_default(),
        expires_at: read::<f64>(shown.exp),
        apps: read(shown.apps).unwrap_or_default(),
        ..said
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::tests::jwt;

    #[test]
    fn a_description_reads_claims_and_forgives_wrong_types() {
        let token = jwt(
            r#"{"iss":"ttn-account-v2","sub":7,"scope":["apps:a"],"exp":1.5e9,"apps":{"a":["devices"]}}"#,
        );
        let shown = Credentials::parse(&token).unwrap().describe();
        assert_eq!(shown.issuer.as_deref(), Some("ttn-account-v2"));
        assert_eq!((shown.subject, shown.expires_at), (None, Some(1.5e9)));
        assert_eq!(
            (shown.scope, shown.apps["a"].clone()),
            (vec!["apps:a".to_owned()], vec!["devices".to_owned()])
        );
        let key = Credentials::parse("ttn-account-v2.abc").unwrap().describe();
        assert_eq!(key.issuer.as_deref(), Some("ttn-account-v2"));
    }

    #[test]
    fn a_description_tells_what_exactly_it_is_and_its_id() {
        for (text, kind, name, id) in [
            (jwt("{}").as_str(), "bearer-token", "jwt", None),
            ("ttn-account-v2.abc", "access-key", "access-key", None),
            ("NNSXS.ID.SECRET", "api-key", "api-key", Some("ID")),
            ("MFRWG.ID.SECRET", "bearer-token", "oauth-access-token", Some("ID")),
            ("ONZW4.ID.SECRET", "bearer-token", "session-token", Some("ID")),
        ] {
            let shown = Credentials::parse(text).unwrap().describe();
            assert_eq!((shown.kind.name(), shown.r#type.name(), shown.id.as_deref()), (kind, name, id));
            assert!(!format!("{shown:?}").contains("SECRET"));
        }
        assert_eq!(Credentials::bearer_token("x").unwrap().describe().r#type.name(), "opaque");
    }
}
