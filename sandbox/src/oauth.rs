//! What a caller sends to get a token: as JSON, as a form (RFC 6749, section 4.3.2 and 6), and as which client.

#![allow(clippy::result_large_err, reason = "a refusal is an answer like any other, moved once")]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode, header};
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::{Map, Value};
use ttn_auth::Secret;

use crate::account::error;
use crate::rest::body;
use crate::serve::Reply;

/// Asks for a token.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct TokenRequest {
    pub(crate) grant_type: String,
    pub(crate) username: String,
    pub(crate) password: String,
    pub(crate) code: String,
    pub(crate) refresh_token: String,
}

/// A body of JSON.
pub(crate) async fn read_json<T: for<'de> Deserialize<'de>>(incoming: Incoming) -> Result<T, Reply> {
    json(&body(incoming).await?)
}

/// A body of JSON or a form, as its content type says.
pub(crate) async fn read_any<T>(headers: &HeaderMap, incoming: Incoming) -> Result<T, Reply>
where
    T: for<'de> Deserialize<'de>,
{
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let body = body(incoming).await?;
    match kind.split(';').next().is_some_and(|kind| kind.trim() == "application/x-www-form-urlencoded") {
        true => form(&body),
        false => json(&body),
    }
}

fn json<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, Reply> {
    serde_json::from_slice(body)
        .map_err(|_| error(StatusCode::BAD_REQUEST, "the body is not the expected JSON"))
}

fn form<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, Reply> {
    let wrong = || error(StatusCode::BAD_REQUEST, "invalid_request");
    let mut fields = Map::new();
    for (name, value) in url::form_urlencoded::parse(body) {
        // "Request and response parameters MUST NOT be included more than once" (RFC 6749, section 3.2).
        if fields.insert(name.into_owned(), Value::String(value.into_owned())).is_some() {
            return Err(wrong());
        }
    }
    serde_json::from_value(Value::Object(fields)).map_err(|_| wrong())
}

/// Whether the Basic credentials are this client's. RFC 6749, section 2.3.1, has both halves encoded as in a form, which
/// Go's client does and many others do not: both are good.
pub(crate) fn is_client(headers: &HeaderMap, client: &(String, Secret)) -> bool {
    let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Some((scheme, encoded)) = header.split_once(' ') else { return false };
    let decoded = STANDARD.decode(encoded.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let Some((id, secret)) = decoded.as_deref().and_then(|text| text.split_once(':')) else { return false };
    let is = |sent: &str, expected: &str| {
        // A form of one name and no value.
        let mut pairs = url::form_urlencoded::parse(sent.as_bytes());
        // As secrets, which take as long to compare whatever they are.
        let is = |text: &str| Secret::new(text) == Secret::new(expected);
        is(sent) || pairs.next().is_some_and(|(name, value)| is(&name) && value.is_empty())
    };
    scheme.eq_ignore_ascii_case("basic") && is(id, &client.0) && is(secret, client.1.expose())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn a_client_is_known_by_its_basic_credentials_raw_or_encoded() {
        let client = ("the client".to_owned(), Secret::new("s3cr&t+:%="));
        let sends = |header: String| {
            let headers =
                HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_str(&header).unwrap())]);
            is_client(&headers, &client)
        };
        let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
        for good in
            ["the client:s3cr&t+:%=", "the+client:s3cr%26t%2B%3A%25%3D", "the%20client:s3cr%26t%2B%3A%25%3D"]
        {
            assert!(sends(basic(good)), "{good}");
        }
        assert!(sends(basic("the client:s3cr&t+:%=").replace("Basic", "basic")));
        for bad in ["the client:", "the client", "other:s3cr&t+:%=", ":", "the client:s3cr&t+:%=x"] {
            assert!(!sends(basic(bad)), "{bad}");
        }
        assert!(!sends("Basic".into()) && !sends("Basic ***".into()));
        assert!(!sends(basic("the client:s3cr&t+:%=").replace("Basic", "Bearer")));
        assert!(!is_client(&HeaderMap::new(), &client));
    }

    #[test]
    fn a_form_names_each_field_once() {
        let read = |text: &str| form::<TokenRequest>(text.as_bytes()).ok();
        let request = read("grant_type=refresh_token&refresh_token=a%2Bb+c&scope=x").unwrap();
        assert_eq!((request.grant_type.as_str(), request.refresh_token.as_str()), ("refresh_token", "a+b c"));
        assert!(read("").is_some() && read("refresh_token=a&refresh_token=b").is_none());
    }
}
