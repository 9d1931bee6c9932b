//! What the HTTP servers here share: answers as Go gives them, query parameters, bodies.

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;

use crate::serve::{Frames, Reply};

/// More than any message of these APIs has.
const MAX_BODY: usize = 4 << 20;

/// JSON text as an answer.
pub(crate) fn json(status: StatusCode, body: String) -> Reply {
    answer(status, "application/json", body)
}

/// Plain text as an answer, as Go's `http.Error` gives it.
pub(crate) fn text(status: StatusCode, body: &str) -> Reply {
    let mut reply = answer(status, "text/plain; charset=utf-8", format!("{body}\n"));
    reply.headers_mut().insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    reply
}

/// What Go's server answers by itself, before any handler: the status in words, and the end of the connection.
pub(crate) fn bare(status: StatusCode) -> Reply {
    let mut reply = answer(status, "text/plain; charset=utf-8", status.to_string());
    reply.headers_mut().insert(http::header::CONNECTION, HeaderValue::from_static("close"));
    reply
}

fn answer(status: StatusCode, kind: &'static str, body: String) -> Reply {
    let mut reply = Reply::new(Frames::data(body));
    *reply.status_mut() = status;
    reply.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static(kind));
    reply
}

/// Go escapes what HTML could take for markup, inside JSON's strings.
pub(crate) fn escaped(json: &str) -> String {
    json.replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

/// The whole body, or an answer that says that there is too much of it.
pub(crate) async fn body(body: Incoming) -> Result<Bytes, Reply> {
    match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(text(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large"))
        }
        // What a gateway says of a body that cannot be read.
        Err(_) => {
            let message = "malformed chunked encoding";
            let body = serde_json::json!({"error": message, "code": 3, "message": message});
            Err(json(StatusCode::BAD_REQUEST, body.to_string()))
        }
    }
}

/// Whether every percent sign begins two hex digits.
pub(crate) fn is_percent_encoded(text: &str) -> bool {
    text.split('%').skip(1).all(|rest| {
        let digits = rest.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

/// The first value of a query parameter, if it has one that is not empty.
pub(crate) fn query(uri: &http::Uri, name: &str) -> Option<String> {
    // Go leaves out a pair with a bad escape.
    let sound = uri.query()?.split('&').filter(|pair| is_percent_encoded(pair));
    let mut pairs = sound.flat_map(|pair| url::form_urlencoded::parse(pair.as_bytes()));
    pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).filter(|value| !value.is_empty())
}

/// The segments of a path, decoded: `/a/b%20c/` is `a`, `b c` and an empty one.
pub(crate) fn segments(uri: &http::Uri) -> Vec<String> {
    // Go decodes the path before it is taken apart.
    let path = percent_encoding::percent_decode_str(uri.path()).decode_utf8_lossy();
    path.strip_prefix('/').unwrap_or(&path).split('/').map(str::to_owned).collect()
}
