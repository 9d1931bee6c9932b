//! What a credential says of itself, to show to a person. Nothing of it is verified: decide nothing on it.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::{AccessToken, Credentials, CredentialsKind};

/// What a credential says of itself. Nothing of it is verified: decide nothing on it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Description {
    /// Which credential it is.
    pub kind: CredentialsKind,
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
    fn of(kind: CredentialsKind) -> Self {
        Self { kind, issuer: None, subject: None, scope: Vec::new(), expires_at: None, apps: BTreeMap::new() }
    }
}

impl Credentials {
    /// What the credential says of itself, to show to a person. Nothing of it is verified.
    pub fn describe(&self) -> Description {
        match self {
            Self::Token(token) => describe(token),
            Self::Key(key) => {
                Description { issuer: key.issuer().map(str::to_owned), ..Description::of(self.kind()) }
            }
        }
    }
}

fn describe(token: &AccessToken) -> Description {
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
        ..Description::of(CredentialsKind::BearerToken)
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
}
