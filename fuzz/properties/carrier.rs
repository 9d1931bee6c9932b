//! Carriers: what is found in headers is what was sent, where it was to be found.

use http::{HeaderMap, HeaderName, HeaderValue};
use ttn_auth::{Carrier, Credentials, Presented, Secret};

use super::choice;

/// Those that carriers read, and some that look like them.
const NAMES: [&str; 8] = [
    "authorization",
    "token",
    "key",
    "grpc-metadata-token",
    "grpc-metadata-key",
    "proxy-authorization",
    "token-bin",
    "x-access-key",
];

const CARRIERS: [Carrier; 2] = [Carrier::AuthorizationHeader, Carrier::GrpcMetadata];

/// Lines, each a byte for the name and a value.
pub(crate) fn holds(data: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n') {
        let (name, value) = choice(line);
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(HeaderName::from_static(NAMES[usize::from(name) % NAMES.len()]), value);
        }
    }
    for carrier in CARRIERS {
        let presented = carrier.extract(&headers);
        for found in secrets(&presented) {
            let sent = carrier.names().iter().any(|name| first(&headers, name).contains(found));
            assert!(sent, "{carrier:?} found what was not sent, or was not the first of its name");
        }
        let mut others = headers.clone();
        let mut own = HeaderMap::new();
        for name in carrier.names() {
            others.remove(*name);
            for value in headers.get_all(*name) {
                own.append(HeaderName::from_static(name), value.clone());
            }
        }
        assert_eq!(carrier.extract(&others), Presented::default(), "{carrier:?} reads what it does not name");
        assert_eq!(carrier.extract(&own), presented, "{carrier:?} reads what it does not name");
        arrives(carrier, headers.clone(), &presented);
    }
}

/// Whatever can be a credential arrives as it is, in place of what was there.
fn arrives(carrier: Carrier, mut headers: HeaderMap, presented: &Presented) {
    for found in secrets(presented) {
        for credentials in
            [Credentials::bearer_token(found), Credentials::access_key(found), Credentials::parse(found)]
        {
            let Ok(credentials) = credentials else { continue };
            if carrier.insert(&credentials, &mut headers).is_err() {
                continue;
            }
            if credentials.is_of_the_things_stack() {
                assert_eq!(headers["authorization"], format!("Bearer {found}"));
                assert!(
                    !["token", "key"]
                        .iter()
                        .any(|name| carrier.names().contains(name) && headers.contains_key(*name))
                );
                continue;
            }
            let again = carrier.extract(&headers);
            let arrived = match &credentials {
                Credentials::Token(_) => Presented { token: Some(Secret::new(found)), key: None },
                _ => Presented { token: None, key: Some(Secret::new(found)) },
            };
            assert_eq!(again, arrived, "{carrier:?} carries something else");
        }
    }
}

fn secrets(presented: &Presented) -> impl Iterator<Item = &str> {
    presented.token.iter().chain(&presented.key).map(Secret::expose)
}

/// As text, as a carrier gives it.
fn first(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).unwrap_or_default()
}
