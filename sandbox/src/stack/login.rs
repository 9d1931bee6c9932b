//! How a user gets an authorization code: signs in, and is asked for nothing more, since the client is the sandbox's own.

use http::{HeaderValue, StatusCode, header};
use hyper::body::Incoming;
use serde_json::Value;
use ttn_auth::Secret;

use crate::serve::Reply;
use crate::stack::error::{Refusal, known, plain, unknown};
use crate::stack::fixtures::CODE_LIFE;
use crate::stack::gateway::{SESSION, read};
use crate::stack::headers::cookie;
use crate::stack::oauth::OAuth;
use crate::stack::state::{Code, Session};
use crate::stack::token::{TokenType, fresh_id, fresh_secret, fresh_uuid, join};

fn broken(e: ttn_auth::Error) -> Refusal {
    unknown(13, e.message())
}

impl OAuth {
    /// `POST /oauth/api/auth/login` with `user_id` and `password`: a session, as a cookie.
    pub(crate) async fn login(&self, body: Incoming) -> Result<Reply, Refusal> {
        let sent: Value =
            serde_json::from_slice(&read(body).await?).map_err(|_| plain(3, "unexpected EOF"))?;
        let (user, password) =
            (sent["user_id"].as_str().unwrap_or_default(), sent["password"].as_str().unwrap_or_default());
        let state = &mut *self.service.state();
        if state.users.get(user).is_none_or(|known| known.password.expose() != password) {
            let text = "incorrect password or user ID";
            return Err(known("pkg/account/session", "no_user_id_password_match", 3, text));
        }
        let (id, now) = (fresh_uuid().map_err(broken)?, self.service.now.time());
        let secret = Secret::new(fresh_secret().map_err(broken)?);
        let value = fresh_secret().map_err(broken)?;
        let session =
            Session { id: id.clone(), secret, user: user.to_owned(), created_at: now, updated_at: now };
        state.cookies.insert(value.clone(), id.clone());
        state.sessions.insert(id, session);
        let mut reply = Reply::default();
        *reply.status_mut() = StatusCode::NO_CONTENT;
        if let Ok(set) = HeaderValue::try_from(format!("{SESSION}={value}; Path=/; HttpOnly; SameSite=Lax")) {
            reply.headers_mut().insert(header::SET_COOKIE, set);
        }
        Ok(reply)
    }

    /// `GET /oauth/authorize`: back to the client with a code, or first to where one signs in.
    pub(crate) fn authorize(&self, parts: &http::request::Parts) -> Result<Reply, Refusal> {
        let query = parts.uri.query().unwrap_or_default();
        let get = |name: &str| {
            let mut pairs = url::form_urlencoded::parse(query.as_bytes());
            pairs.find(|(other, _)| other == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
        };
        let (client_id, redirect_uri) = (get("client_id"), get("redirect_uri"));
        let state = &mut *self.service.state();
        let client = state.clients.get(&client_id).ok_or_else(|| {
            let text = "client with id `{client_id}` not found";
            known(crate::stack::caller::STORE, "client_not_found", 5, text)
                .with("client_id", client_id.as_str())
        })?;
        if !client.redirect_uris.contains(&redirect_uri) {
            return Err(known("pkg/oauth", "invalid_redirect_uri", 3, "invalid redirect URI"));
        }
        let session = cookie(&parts.headers, SESSION).and_then(|value| state.cookies.get(&value).cloned());
        let Some(session) = session.and_then(|id| state.sessions.get(&id).cloned()) else {
            return Ok(redirect("/oauth/login"));
        };
        let (id, secret) = (fresh_id().map_err(broken)?, fresh_secret().map_err(broken)?);
        let code = join(TokenType::Code, &id, &secret);
        let mut location = url::Url::parse(&redirect_uri)
            .map_err(|_| known("pkg/oauth", "invalid_redirect_uri", 3, "invalid redirect URI"))?;
        location.query_pairs_mut().append_pair("code", &code).append_pair("state", &get("state"));
        let code = Code {
            secret: Secret::new(secret),
            user: session.user,
            client: client_id,
            session: session.id,
            redirect_uri,
            expires_at: self.service.now.time() + CODE_LIFE,
        };
        state.codes.insert(id, code);
        Ok(redirect(location.as_str()))
    }
}

fn redirect(to: &str) -> Reply {
    let mut reply = Reply::default();
    *reply.status_mut() = StatusCode::FOUND;
    if let Ok(to) = HeaderValue::from_str(to) {
        reply.headers_mut().insert(header::LOCATION, to);
    }
    reply
}
