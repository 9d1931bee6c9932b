//! The only code that knows both ways to carry a credential: an HTTP header, or gRPC metadata.
//!
//! | | gRPC metadata | HTTP header |
//! |---|---|---|
//! | bearer token | `token: <jwt>` | `Authorization: Bearer <jwt>` |
//! | access key | `key: <key>` | `Authorization: Key <key>` |
//!
//! | The Things Stack (V3) | `authorization: Bearer <..>` | `Authorization: Bearer <..>` |
//!
//! A credential's shape tells whether it is V3's. Source: wire.md, section 1; v3/wire.md, at its beginning. gRPC metadata
//! is HTTP/2 headers, so both are an [`http::HeaderMap`] here.

use std::sync::OnceLock;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use zeroize::Zeroizing;

use crate::stack_secret::StackSecret;
use crate::{Credentials, Error, ErrorKind, Result, Secret};

const TOKEN: HeaderName = HeaderName::from_static("token");
const KEY: HeaderName = HeaderName::from_static("key");
/// What an HTTP gateway hands on as metadata, under the same name without the prefix.
const GATEWAY_TOKEN: HeaderName = HeaderName::from_static("grpc-metadata-token");
const GATEWAY_KEY: HeaderName = HeaderName::from_static("grpc-metadata-key");

/// Where a credential travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Carrier {
    /// `Authorization: Bearer <jwt>` or `Authorization: Key <key>`, for HTTP.
    AuthorizationHeader,
    /// `token: <jwt>` or `key: <key>`, for gRPC; a credential of The Things Stack as `authorization: Bearer <..>`.
    GrpcMetadata,
}

/// What a caller sent, as it was sent: unvalidated. An empty token and a key can come together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presented {
    /// The token, possibly empty, possibly garbage.
    pub token: Option<Secret>,
    /// The key, possibly empty, possibly garbage.
    pub key: Option<Secret>,
}

/// What a credential is as a header's value, either way. Made when it is first sent, shared by all calls and clones, and
/// wiped with the last of them.
#[derive(Default)]
pub(crate) struct Carried {
    header: OnceLock<HeaderValue>,
    metadata: OnceLock<HeaderValue>,
}

impl Carrier {
    /// Puts the credential on a request, marked sensitive, in place of any that was there.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidCredentials`] if it cannot be a header's value.
    ///
    /// ```
    /// use ttn_auth::{Carrier, Credentials};
    /// let mut headers = http::HeaderMap::new();
    /// let key = Credentials::access_key("ttn-account-v2.abc")?;
    /// Carrier::AuthorizationHeader.insert(&key, &mut headers)?;
    /// assert_eq!(headers["authorization"], "Key ttn-account-v2.abc");
    /// # Ok::<(), ttn_auth::Error>(())
    /// ```
    pub fn insert(self, credentials: &Credentials, headers: &mut HeaderMap) -> Result<()> {
        let value = self.value(credentials)?;
        // Never two: a token that is present wins over a key, even a bad one.
        self.remove(headers);
        headers.insert(self.name(credentials), value);
        Ok(())
    }

    /// Takes every credential off. What else stands under `authorization` in gRPC metadata is not ours.
    pub(crate) fn remove(self, headers: &mut HeaderMap) {
        let is_stacks = |value: &HeaderValue| {
            let value = String::from_utf8_lossy(value.as_bytes());
            value.trim().split_once(' ').is_some_and(|(_, token)| StackSecret::of(token).is_some())
        };
        for name in self.names() {
            let is_ours = self != Self::GrpcMetadata
                || *name != AUTHORIZATION
                || headers.get_all(*name).iter().any(is_stacks);
            if is_ours {
                headers.remove(*name);
            }
        }
    }

    fn value(self, credentials: &Credentials) -> Result<HeaderValue> {
        let carried = credentials.carried();
        let kept = match self {
            Self::AuthorizationHeader => &carried.header,
            Self::GrpcMetadata => &carried.metadata,
        };
        if let Some(value) = kept.get() {
            return Ok(value.clone());
        }
        let (_, text) = self.entry(credentials);
        let bytes = Bytes::from_owner(Zeroizing::new(text.expose().as_bytes().to_vec()));
        let mut value = HeaderValue::from_maybe_shared(bytes).map_err(|_| {
            Error::new(ErrorKind::InvalidCredentials, "the credential cannot be sent as a header")
        })?;
        value.set_sensitive(true);
        Ok(kept.get_or_init(|| value).clone())
    }

    /// The header that the credential travels in.
    pub(crate) fn name(self, credentials: &Credentials) -> HeaderName {
        match (self, credentials) {
            (Self::AuthorizationHeader, _) => AUTHORIZATION,
            (Self::GrpcMetadata, _) if credentials.is_of_the_things_stack() => AUTHORIZATION,
            (Self::GrpcMetadata, Credentials::ApiKey(_)) => AUTHORIZATION,
            (Self::GrpcMetadata, Credentials::Token(_)) => TOKEN,
            (Self::GrpcMetadata, Credentials::Key(_)) => KEY,
        }
    }

    /// The header's name and value, for a client that takes them as text.
    pub fn entry(self, credentials: &Credentials) -> (HeaderName, Secret) {
        let secret = credentials.secret().expose();
        let name = self.name(credentials);
        let value = match credentials {
            _ if name != AUTHORIZATION => Secret::new(secret),
            Credentials::Key(_) => Secret::new(format!("Key {secret}")),
            Credentials::Token(_) | Credentials::ApiKey(_) => Secret::new(format!("Bearer {secret}")),
        };
        (name, value)
    }

    /// Every header that this carrier reads a credential from.
    pub fn names(self) -> &'static [&'static str] {
        match self {
            Self::AuthorizationHeader => &["authorization", "grpc-metadata-token", "grpc-metadata-key"],
            Self::GrpcMetadata => &["token", "key", "authorization"],
        }
    }

    /// What a request carries, by V2's rules, and of the metadata `authorization` only what The Things Stack issued: of a name sent twice the first value counts; a scheme in any letter case,
    /// then exactly one blank; `Authorization` replaces the gateway's own header of the same credential.
    pub fn extract(self, headers: &HeaderMap) -> Presented {
        self.read(|name| headers.get(name))
    }

    /// What a request carries whose only credential is in the first of [`names`](Self::names).
    pub fn extract_one(self, value: &HeaderValue) -> Presented {
        self.read(|name| (name == self.names()[0]).then_some(value))
    }

    fn read<'a>(self, find: impl Fn(HeaderName) -> Option<&'a HeaderValue>) -> Presented {
        let text = |name: HeaderName| find(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
        let secret = |name| text(name).map(Secret::new);
        let authorization = text(AUTHORIZATION);
        let after = |scheme: &str| {
            // HTTP trims blanks around a value, so an empty credential never follows a scheme.
            let value = authorization.as_deref()?.trim_matches([' ', '\t']);
            let (head, rest) = value.split_at_checked(scheme.len())?;
            head.eq_ignore_ascii_case(scheme).then(|| Secret::new(rest))
        };
        match self {
            Self::GrpcMetadata => match (secret(TOKEN), secret(KEY)) {
                // V2 does not look there.
                (None, None) => {
                    let is_stacks = |token: &Secret| StackSecret::of(token.expose()).is_some();
                    Presented { token: after("Bearer ").filter(is_stacks), key: None }
                }
                (token, key) => Presented { token, key },
            },
            Self::AuthorizationHeader => Presented {
                token: after("Bearer ").or_else(|| secret(GATEWAY_TOKEN)),
                key: after("Key ").or_else(|| secret(GATEWAY_KEY)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        map
    }

    fn shown(presented: &Presented) -> (Option<&str>, Option<&str>) {
        (presented.token.as_ref().map(Secret::expose), presented.key.as_ref().map(Secret::expose))
    }

    #[test]
    fn inserted_values_are_sensitive_and_alone() {
        let key = Credentials::access_key("i.k").unwrap();
        let token = Credentials::bearer_token("t").unwrap();
        for carrier in [Carrier::AuthorizationHeader, Carrier::GrpcMetadata] {
            let mut map = HeaderMap::new();
            carrier.insert(&key, &mut map).unwrap();
            carrier.insert(&token, &mut map).unwrap();
            assert_eq!(map.len(), 1);
            assert!(map.values().all(HeaderValue::is_sensitive));
            assert_eq!(shown(&carrier.extract(&map)), (Some("t"), None));
            assert!(!format!("{map:?}").contains("\"t\""), "{map:?}");
        }
    }

    #[test]
    fn what_the_things_stack_issued_is_a_bearer_token_over_both() {
        for text in ["NNSXS.ID.SECRET", "MFRWG.ID.SECRET", "ONZW4.ID.SECRET"] {
            let credentials = Credentials::parse(text).unwrap();
            for carrier in [Carrier::AuthorizationHeader, Carrier::GrpcMetadata] {
                let mut map = headers(&[("token", "t"), ("key", "k")]);
                carrier.insert(&credentials, &mut map).unwrap();
                assert_eq!(map["authorization"], format!("Bearer {text}"));
                assert!(map["authorization"].is_sensitive());
                assert_eq!(map.contains_key("token"), carrier == Carrier::AuthorizationHeader);
                let (name, value) = carrier.entry(&credentials);
                assert_eq!((name.as_str(), value.expose()), ("authorization", &*format!("Bearer {text}")));
            }
        }
    }

    #[test]
    fn one_value_is_read_as_it_would_be_among_others() {
        for carrier in [Carrier::AuthorizationHeader, Carrier::GrpcMetadata] {
            for text in ["Bearer a.b.c", "key i.k", "Bearer  x", "Bearer", "Basic x", "a.b.c", ""] {
                let map = headers(&[(carrier.names()[0], text)]);
                assert_eq!(carrier.extract_one(&map[carrier.names()[0]]), carrier.extract(&map), "{text}");
            }
        }
    }

    #[test]
    fn metadata_that_is_not_a_credential_stays() {
        let mut map = headers(&[("authorization", "Basic x"), ("token", "t")]);
        Carrier::GrpcMetadata.insert(&Credentials::access_key("i.k").unwrap(), &mut map).unwrap();
        assert_eq!((map["authorization"].to_str().unwrap(), map.len()), ("Basic x", 2));
        let mut map = headers(&[("authorization", "Bearer NNSXS.a.b")]);
        Carrier::GrpcMetadata.insert(&Credentials::access_key("i.k").unwrap(), &mut map).unwrap();
        assert_eq!(shown(&Carrier::GrpcMetadata.extract(&map)), (None, Some("i.k")));
        assert_eq!(map.len(), 1);
    }

    #[test]
    fn a_value_is_made_once_for_all_calls_and_clones() {
        for credentials in [Credentials::access_key("i.k").unwrap(), Credentials::bearer_token("t").unwrap()]
        {
            for carrier in [Carrier::AuthorizationHeader, Carrier::GrpcMetadata] {
                let sent = |credentials: &Credentials| {
                    let mut map = HeaderMap::new();
                    carrier.insert(credentials, &mut map).unwrap();
                    map.values().next().unwrap().clone()
                };
                let (first, second) = (sent(&credentials), sent(&credentials.clone()));
                assert_eq!(first.as_bytes().as_ptr(), second.as_bytes().as_ptr());
            }
        }
    }

    #[test]
    fn headers_are_read_as_v2_reads_them() {
        for (pairs, expected) in [
            (&[("authorization", "bEaReR x")][..], (Some("x"), None)),
            (&[("authorization", "Bearer  x")], (Some(" x"), None)),
            (&[("authorization", " Bearer x ")], (Some("x"), None)),
            (&[("authorization", "Bearer\tx")], (None, None)),
            (&[("authorization", "Bearer")], (None, None)),
            (&[("authorization", "Bearer ")], (None, None)),
            (&[("authorization", "Basic x")], (None, None)),
            (&[("authorization", "key x")], (None, Some("x"))),
            (&[("authorization", "Key a"), ("authorization", "Bearer b")], (None, Some("a"))),
            (&[("grpc-metadata-token", "a"), ("authorization", "Bearer b")], (Some("b"), None)),
            (&[("grpc-metadata-token", ""), ("authorization", "Key k")], (Some(""), Some("k"))),
            (&[("token", "a"), ("key", "b")], (None, None)),
        ] {
            assert_eq!(shown(&Carrier::AuthorizationHeader.extract(&headers(pairs))), expected, "{pairs:?}");
        }
    }

    #[test]
    fn metadata_is_read_as_v2_reads_it() {
        for (pairs, expected) in [
            (&[("token", "a"), ("token", "b")][..], (Some("a"), None)),
            (&[("token", ""), ("key", "k")], (Some(""), Some("k"))),
            (&[("key", " k")], (None, Some(" k"))),
            (&[("authorization", "Bearer a"), ("token-bin", "YQ")], (None, None)),
        ] {
            assert_eq!(shown(&Carrier::GrpcMetadata.extract(&headers(pairs))), expected, "{pairs:?}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_read_without_a_panic(value in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                let mut map = HeaderMap::new();
                map.insert(AUTHORIZATION, value.clone());
                map.insert(TOKEN, value);
                let _ = Carrier::AuthorizationHeader.extract(&map);
                let _ = Carrier::GrpcMetadata.extract(&map);
            }
        }

        #[test]
        fn what_is_inserted_is_extracted(secret in "[!-~]{1,64}") {
            let (key, token) = (Credentials::access_key(secret.clone()), Credentials::bearer_token(secret.clone()));
            for credentials in [key, token].into_iter().flatten() {
                for carrier in [Carrier::AuthorizationHeader, Carrier::GrpcMetadata] {
                    let mut map = HeaderMap::new();
                    carrier.insert(&credentials, &mut map).unwrap();
                    let presented = carrier.extract(&map);
                    let found = presented.token.or(presented.key).unwrap();
                    prop_assert_eq!(found.expose(), secret.as_str());
                }
            }
        }
    }
}
