//! What The Things Stack (V3) issues, told apart by its first part, which is the kind's name in base32
//! (v3/wire.md, "Credentials"): `NNSXS` is `key`. Then follow an id, which is no secret, and the secret.

use crate::Result;
use crate::credentials::invalid;

/// A kind of secret that The Things Stack issues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StackSecret {
    ApiKey,
    AccessToken,
    RefreshToken,
    AuthorizationCode,
    SessionToken,
}

use StackSecret::*;

impl StackSecret {
    const ALL: [(&str, Self); 5] = [
        ("NNSXS.", ApiKey),
        ("MFRWG.", AccessToken),
        ("OJSWM.", RefreshToken),
        ("MF2XI.", AuthorizationCode),
        ("ONZW4.", SessionToken),
    ];

    /// Which it is, if it is one, by how it begins. In lower case too, although no server takes it: it is none of V2's.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let begins =
            |with: &str| text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
        Self::ALL.iter().find(|(prefix, _)| begins(prefix)).map(|(_, kind)| *kind)
    }

    /// The id in it, by which a server finds it: no secret.
    pub(crate) fn id(text: &str) -> Option<&str> {
        Self::of(text).and_then(|_| text.split('.').nth(1)).filter(|id| !id.is_empty())
    }

    /// Refuses what no server would take, as far as it can be seen.
    pub(crate) fn check(self, text: &str) -> Result<()> {
        let what = self.name();
        if !Self::ALL.iter().any(|(prefix, _)| text.starts_with(prefix)) {
            return Err(invalid(format!("{what} begins with capital letters: copy it again")));
        }
        let parts: Vec<_> = text.split('.').collect();
        if parts.len() != 3 || parts.iter().any(|part| part.is_empty()) {
            return Err(invalid(format!(
                "{what} has three parts with dots between them, and this one does not: copy it again"
            )));
        }
        Ok(())
    }

    /// What it is called, with an article.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            ApiKey => "an API key of The Things Stack",
            AccessToken => "an OAuth access token of The Things Stack",
            RefreshToken => "an OAuth refresh token of The Things Stack",
            AuthorizationCode => "an OAuth authorization code of The Things Stack",
            SessionToken => "a session token of The Things Stack",
        }
    }

    /// What to do with it, where it is not what was asked for.
    pub(crate) const fn remedy(self) -> &'static str {
        match self {
            ApiKey => "give it as an API key",
            AccessToken | SessionToken => "give it as a bearer token",
            RefreshToken => "no call takes it; give it to a token source, which trades it for access tokens",
            AuthorizationCode => {
                "no call takes it; the application that asked for it trades it for a token at /oauth/token"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;

    #[test]
    fn a_kind_is_told_by_its_first_part() {
        for (text, kind) in [
            ("NNSXS.A.B", Some(ApiKey)),
            ("nnsxs.a.b", Some(ApiKey)),
            ("MFRWG.A.B", Some(AccessToken)),
            ("OJSWM.A.B", Some(RefreshToken)),
            ("MF2XI.A.B", Some(AuthorizationCode)),
            ("ONZW4.A.B", Some(SessionToken)),
            ("NNSXS", None),
            ("NNSX", None),
            ("ttn-account-v2.x", None),
            ("é.NNSXS.", None),
        ] {
            assert_eq!(StackSecret::of(text), kind, "{text}");
        }
        // Base32 as it stands in a JWT's base64 is another matter.
        let jwt = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256"}"#);
        assert_eq!(StackSecret::of(&format!("{jwt}.e30.c2ln")), None);
    }

    #[test]
    fn what_cannot_be_one_is_refused_without_being_repeated() {
        assert!(ApiKey.check("NNSXS.A.B").is_ok());
        for (text, wrong) in [
            ("nnsxs.hunter2.b", "capital"),
            ("NNSXS.hunter2", "three parts"),
            ("NNSXS.hunter2.", "three parts"),
            ("NNSXS..hunter2", "three parts"),
            ("NNSXS.a.b.hunter2", "three parts"),
        ] {
            let error = ApiKey.check(text).unwrap_err();
            assert!(
                error.message().contains(wrong) && !error.message().contains("hunter2"),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn the_id_is_between_the_dots() {
        assert_eq!(StackSecret::id("NNSXS.ID.SECRET"), Some("ID"));
        assert_eq!((StackSecret::id("NNSXS..SECRET"), StackSecret::id("ttn-account-v2.abc")), (None, None));
    }
}
