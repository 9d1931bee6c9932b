//! What every answer over HTTP has among its headers. Source: v3/wire.md, section Errors.

use http::{HeaderMap, HeaderName, HeaderValue, Method as Verb, StatusCode, header};
use serde_json::{Value, json};

use crate::serve::{Frames, Reply};
use crate::stack::error::Refusal;
use crate::stack::rate::Standing;
use crate::stack::token::{TokenType, correlation_id, split, ulid};

/// On everything.
const ALWAYS: [(&str, &str); 7] = [
    ("cache-control", "no-store"),
    ("pragma", "no-cache"),
    ("referrer-policy", "strict-origin-when-cross-origin"),
    ("vary", "Accept-Encoding"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "SAMEORIGIN"),
    ("x-xss-protection", "1; mode=block"),
];

/// The headers of one answer.
pub(crate) struct Dress(HeaderMap);

impl Dress {
    pub(crate) fn new(verb: &Verb, sent: &HeaderMap) -> Self {
        let mut dress = Self(HeaderMap::new());
        for (name, value) in ALWAYS {
            dress.0.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        match sent.get("x-request-id") {
            Some(id) => drop(dress.0.insert("x-request-id", id.clone())),
            None => dress.add("x-request-id", &ulid()),
        }
        // Whoever could be a browser is given a cookie to prove later that a form is the server's own.
        if *verb == Verb::GET && !is_exact_bearer(sent) {
            dress.add("vary", "Cookie");
            dress.add("set-cookie", &format!("_csrf={}; Path=/; HttpOnly; SameSite=Lax", correlation_id()));
        }
        dress
    }

    /// Adds a value.
    pub(crate) fn add(&mut self, name: &'static str, value: &str) {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.0.append(HeaderName::from_static(name), value);
        }
    }

    /// Where the caller stands with the rate limit.
    pub(crate) fn stand(&mut self, standing: &Standing) {
        for (name, value) in standing.headers() {
            self.add(name, &value);
        }
    }

    /// Puts them on an answer.
    pub(crate) fn reply(&mut self, mut reply: Reply) -> Reply {
        for (name, value) in &self.0 {
            reply.headers_mut().append(name, value.clone());
        }
        reply
    }

    /// An error as the answer; `challenged`: with its text in `Www-Authenticate`, if it is a 401.
    pub(crate) fn refusal(&mut self, refusal: &Refusal, challenged: bool) -> Reply {
        let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if challenged && status == StatusCode::UNAUTHORIZED {
            self.add("www-authenticate", &refusal.message);
        }
        self.reply(json(status, &refusal.json()))
    }

    /// The error of a stream that did not begin.
    pub(crate) fn stream_refusal(&mut self, refusal: &Refusal) -> Reply {
        let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        self.reply(json(status, &json!({ "error": refusal.json() })))
    }

    /// A page for a person that says what went wrong.
    pub(crate) fn html_refusal(&mut self, refusal: &Refusal) -> Reply {
        let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut reply = self.html(status, "The Things Stack Account");
        reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
        reply
    }

    /// A page for a person.
    pub(crate) fn html(&mut self, status: StatusCode, text: &str) -> Reply {
        let page = format!(
            "<!doctype html><html lang=\"en\"><head><title>{text}</title></head><body></body></html>"
        );
        let mut reply = Reply::new(Frames::data(page));
        *reply.status_mut() = status;
        reply
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        self.reply(reply)
    }
}

/// A JSON answer.
pub(crate) fn json(status: StatusCode, body: &Value) -> Reply {
    let mut reply = Reply::new(Frames::data(body.to_string()));
    *reply.status_mut() = status;
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    reply
}

/// Whether a request is no browser's: `Bearer ` in this spelling, and an API key or access token that can be read.
pub(crate) fn is_exact_bearer(headers: &HeaderMap) -> bool {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = value.and_then(|value| value.strip_prefix("Bearer ")).and_then(|token| split(token).ok());
    token.is_some_and(|token| matches!(token.kind, TokenType::ApiKey | TokenType::Access))
}

/// Whether a person is asking.
pub(crate) fn wants_html(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

/// The value of a cookie.
pub(crate) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines = headers.get_all(header::COOKIE);
    let mut pairs = lines.iter().filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(';'));
    pairs.find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
}
