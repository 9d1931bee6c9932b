//! What tests of token sources need: an account server, someone who has signed in, and everything that an error shows.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]

use bytes::Bytes;
use http::Request;
use ttn_auth::{AccessToken, AccountServer, AppId, CallOptions, Client, Error, Secret};
use ttn_auth_sandbox::Sandbox;

pub fn test_app() -> AppId {
    AppId::new("test-app").unwrap()
}

pub fn account(sandbox: &Sandbox) -> AccountServer {
    AccountServer::new(&sandbox.account_server()).unwrap()
}

/// Everything that an error shows, with its causes.
pub fn shown(error: &Error) -> String {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut cause = std::error::Error::source(error);
    while let Some(current) = cause {
        text += &format!(" {current} {current:?}");
        cause = current.source();
    }
    text
}

/// A token of the person who may do everything, and a refresh token.
pub async fn sign_in(sandbox: &Sandbox) -> (AccessToken, Secret) {
    let client = Client::builder(sandbox.account_server()).build().unwrap();
    let body = r#"{"grant_type":"password","username":"sandbox","password":"sandbox"}"#;
    let request = Request::post("/users/token").body(Bytes::from(body)).unwrap();
    let answer = client.request(request, &CallOptions::default()).await.unwrap();
    let answer: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
    let text = |name: &str| answer[name].as_str().unwrap().to_owned();
    (AccessToken::new(text("access_token")).unwrap(), Secret::new(text("refresh_token")))
}
