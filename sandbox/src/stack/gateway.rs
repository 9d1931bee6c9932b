//! The servers over HTTP: `/api/v3`, with the gateway's habits, and OAuth under `/oauth`.
//! Source: v3/wire.md, sections Auth matrix, Errors and Events.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method as Verb, Request, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde_json::{Value, json};

use crate::gateway::head_size;
use crate::rest::{bare, segments};
use crate::serve::{Frames, MAX_HTTP1_HEADERS, Reply, Service as Server};
use crate::stack::error::{Refusal, known, plain, unknown};
use crate::stack::grpc::check;
use crate::stack::headers::{self, Dress};
use crate::stack::oauth::OAuth;
use crate::stack::routes;
use crate::stack::service::{Method, Service};
use crate::stack::token::{TokenType, join, split};

/// More than any message has.
const MAX_BODY: usize = 4 << 20;

/// The cookie of somebody who is signed in.
pub(crate) const SESSION: &str = "_session";

pub(crate) struct HttpSide {
    pub(crate) service: Arc<Service>,
    pub(crate) oauth: OAuth,
}

impl Server for HttpSide {
    async fn call(&self, request: Request<Incoming>) -> Reply {
        // hyper reads in large pieces and looks at its limit between them, so that more than that comes through.
        if head_size(&request) > MAX_HTTP1_HEADERS {
            return bare(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        }
        let path = segments(request.uri());
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        match path[..] {
            ["oauth", ..] => self.oauth.answer(request, &path[1..]).await,
            ["api", "v3", ..] => self.api(request, &path[2..]).await,
            _ => {
                let mut dress = Dress::new(request.method(), request.headers());
                if headers::wants_html(request.headers()) {
                    return dress.html(StatusCode::NOT_FOUND, "Not Found");
                }
                dress.refusal(&plain(5, "Not Found"), true)
            }
        }
    }
}

impl HttpSide {
    async fn api(&self, request: Request<Incoming>, path: &[&str]) -> Reply {
        let (parts, body) = request.into_parts();
        let mut dress = Dress::new(&parts.method, &parts.headers);
        let result =
            self.result(&parts.method, path, parts.uri.query(), &parts.headers, body, &mut dress).await;
        match result {
            Ok(reply) => dress.reply(reply),
            Err((refusal, true)) => dress.refusal(&refusal, true),
            // Streams wrap theirs.
            Err((refusal, false)) => dress.stream_refusal(&refusal),
        }
    }

    /// The answer, or why there is none and whether the call has one answer.
    async fn result(
        &self,
        verb: &Verb,
        path: &[&str],
        query: Option<&str>,
        headers: &HeaderMap,
        body: Incoming,
        dress: &mut Dress,
    ) -> Result<Reply, (Refusal, bool)> {
        let unary = |refusal| (refusal, true);
        let (method, mut message) = routes::find(verb, path, query.unwrap_or_default()).map_err(unary)?;
        let authorization = self.authorization(headers).map_err(unary)?;
        self.require_csrf(verb, headers, authorization.as_deref()).map_err(unary)?;
        let streams = method == Method::StreamEvents;
        let refused = |refusal| (refusal, !streams);
        if *verb != Verb::GET {
            message = routes::with_body(message, &read(body).await.map_err(unary)?).map_err(unary)?;
            check(method, &message).map_err(unary)?;
        }
        self.service.faults.call().await.map_err(refused)?;
        if let Some(standing) = self.service.limit(method.name(), authorization.as_deref()) {
            dress.stand(&standing);
            if let Some(refusal) = standing.refusal {
                return Err(refused(refusal));
            }
        }
        if streams {
            return self.stream(authorization.as_deref(), &message, headers, dress).map_err(refused);
        }
        let answer = self.service.call(method, authorization.as_deref(), &message).map_err(refused)?;
        if let Some(total) = answer.total {
            dress.add("x-total-count", &total.to_string());
        }
        Ok(headers::json(StatusCode::OK, &answer.message))
    }

    fn stream(
        &self,
        authorization: Option<&str>,
        message: &Value,
        sent: &HeaderMap,
        dress: &mut Dress,
    ) -> Result<Reply, Refusal> {
        let events = sent
            .get(header::ACCEPT)
            .is_some_and(|accept| accept.as_bytes().starts_with(b"text/event-stream"));
        let (kind, end) = if events { ("text/event-stream", "\n\n") } else { ("application/json", "\n") };
        let encode = move |event: &Value| Bytes::from(format!("{}{end}", json!({ "result": event })));
        let parts = self.service.subscribe(authorization, message, Box::new(encode))?;
        if message["tail"].as_u64().is_some_and(|tail| tail > 0) {
            dress.add("x-warning", "Events storage is not enabled");
        }
        let mut reply = Reply::new(Frames::coming(parts));
        reply.headers_mut().insert(header::CONTENT_TYPE, http::HeaderValue::from_static(kind));
        Ok(reply)
    }

    /// What gets to the server as `authorization`: metadata before the header, of several values the last; or the
    /// cookie's session.
    fn authorization(&self, headers: &HeaderMap) -> Result<Option<String>, Refusal> {
        let own = headers.get_all(header::AUTHORIZATION);
        let metadata = headers.get_all("grpc-metadata-authorization");
        for value in own.iter().chain(&metadata) {
            if !value.as_bytes().iter().all(|byte| (b' '..=b'~').contains(byte)) {
                let why = "header key \"authorization\" contains value with non-printable ASCII characters";
                return Err(unknown(13, why));
            }
        }
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        if let Some(value) = metadata.iter().next_back() {
            return Ok(Some(text(value)));
        }
        match own.iter().next_back() {
            Some(value) if own.iter().any(|value| !value.is_empty()) => Ok(Some(text(value))),
            _ => Ok(self.session(headers).map(|token| format!("Bearer {token}"))),
        }
    }

    /// The session token that the cookie stands for.
    fn session(&self, headers: &HeaderMap) -> Option<String> {
        let cookie = headers::cookie(headers, SESSION)?;
        let state = self.service.state();
        let session = state.sessions.get(state.cookies.get(&cookie)?)?;
        Some(join(TokenType::Session, &session.id, session.secret.expose()))
    }

    /// Somebody with a session can only write with a token against forged requests, which nobody is given here.
    fn require_csrf(
        &self,
        verb: &Verb,
        headers: &HeaderMap,
        authorization: Option<&str>,
    ) -> Result<(), Refusal> {
        let has_session = authorization
            .and_then(crate::stack::caller::scheme)
            .and_then(|(_, token)| split(token).ok())
            .is_some_and(|token| token.kind == TokenType::Session);
        if *verb == Verb::GET || !has_session || headers::is_exact_bearer(headers) {
            return Ok(());
        }
        Err(known("pkg/webmiddleware", "invalid_csrf_token", 7, "invalid CSRF token"))
    }
}

/// A body, or that there is too much of it.
pub(crate) async fn read(body: Incoming) -> Result<Bytes, Refusal> {
    match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(_) => Err(plain(3, "http: request body too large")),
    }
}
