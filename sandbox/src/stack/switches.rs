//! What can be changed of the V3 side while it runs: keys, limits, events, the clock, and what goes wrong.

use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::{Value, json};
use ttn_auth::proto::stack::Event;
use ttn_auth::{Error, ErrorKind, Result, Secret};

use crate::stack::Stack;
use crate::stack::events::complete;
use crate::stack::rights::{Rights, right};
use crate::stack::state::{ApiKey, Entity};
use crate::stack::token::{TokenType, fresh_id, fresh_secret, join, split};

/// Whose an API key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// An application's.
    Application(String),
    /// A user's.
    User(String),
}

/// An API key to be made.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// Whose.
    pub owner: Owner,
    /// What it is called; nothing, if empty.
    pub name: String,
    /// Its rights: `RIGHT_APPLICATION_INFO`.
    pub rights: Vec<String>,
    /// When it expires, which may be in the past; never, if `None`.
    pub expires_at: Option<SystemTime>,
}

fn wrong(message: String) -> Error {
    Error::new(ErrorKind::InvalidArgument, message)
}

impl Stack {
    /// Makes an API key, and gives it back.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if there is no such owner or right, [`ErrorKind::Internal`] if the system has no
    /// randomness.
    pub fn add_api_key(&self, new: NewKey) -> Result<String> {
        if let Some(odd) = new.rights.iter().find(|name| right(name).is_none()) {
            return Err(wrong(format!("no right is called {odd:?}")));
        }
        let mut state = self.service.state();
        let entity = match new.owner {
            Owner::Application(id) if state.applications.contains_key(&id) => Entity::Application(id),
            Owner::User(id) if state.users.contains_key(&id) => Entity::User(id),
            owner => return Err(wrong(format!("there is no {owner:?}"))),
        };
        let (id, secret, now) = (fresh_id()?, fresh_secret()?, self.service.now.time());
        let text = join(TokenType::ApiKey, &id, &secret);
        let key = ApiKey {
            id: id.clone(),
            secret: Secret::new(secret),
            name: new.name,
            entity,
            rights: Rights::of(&new.rights),
            created_at: now,
            updated_at: now,
            expires_at: new.expires_at,
        };
        state.keys.insert(id, key);
        Ok(text)
    }

    /// Takes a credential back: an API key, an OAuth access token or refresh token (each with the other), a session.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if it is none of these, or not known.
    pub fn revoke(&self, credential: &str) -> Result<()> {
        let none = || wrong("this is no credential of the sandbox's V3 side".into());
        let token = split(credential).map_err(|_| none())?;
        let mut state = self.service.state();
        let found = match token.kind {
            TokenType::ApiKey => state.keys.remove(token.id).is_some(),
            TokenType::Access | TokenType::Refresh => state.grants.remove(token.id).is_some(),
            TokenType::Code => state.codes.remove(token.id).is_some(),
            TokenType::Session => state.sessions.remove(token.id).is_some(),
        };
        if found { Ok(()) } else { Err(none()) }
    }

    /// Sends an event to the open streams of an application, over both transports; gives how many there were. `event` is
    /// V3's JSON; name, time, identifiers, origin and id are made if they are not there, and data that does not say its
    /// `@type` is a `google.protobuf.Value`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if it is no event.
    pub fn emit(&self, application: &str, event: Value) -> Result<usize> {
        let identifiers = json!([{ "application_ids": { "application_id": application } }]);
        if !event.is_object() {
            return Err(wrong("an event is an object".into()));
        }
        let event = complete(event, identifiers, self.service.now.time());
        Event::deserialize(&event).map_err(|e| wrong(format!("this is no event: {e}")))?;
        Ok(self.service.events.emit(application, &event))
    }

    /// Breaks every open stream off, as a lost connection does; gives how many there were.
    pub fn break_streams(&self) -> usize {
        self.service.events.break_all()
    }

    /// Ends every open stream, as a server does that stops: over gRPC with code 14, over HTTP with the end of the body; gives
    /// how many there were.
    pub fn end_streams(&self) -> usize {
        self.service.events.end_all()
    }

    /// How many streams of events are open.
    pub fn open_streams(&self) -> usize {
        self.service.events.open()
    }

    /// So many calls a minute of each method for each token from now on; `None` is no limit, which is the default.
    pub fn set_rate_limit(&self, limit: Option<u32>) {
        self.service.limits.set(limit);
    }

    /// Sets its clock so many seconds ahead; behind, if negative.
    pub fn set_clock(&self, seconds: i64) {
        self.clock.set(seconds);
    }

    /// How long OAuth tokens are valid that are granted from now on, in whole seconds.
    pub fn set_token_lifetime(&self, lifetime: Duration) {
        self.service.faults.set_life(lifetime);
    }

    /// The next so many calls are refused with this gRPC code (over HTTP with its status), and not carried out.
    pub fn fail_calls(&self, count: u32, grpc_code: i32) {
        self.service.faults.fail_calls(count, grpc_code);
    }

    /// Calls are answered so much later from now on; zero is at once.
    pub fn delay_calls(&self, time: Duration) {
        self.service.faults.delay_calls(time);
    }

    /// The next so many requests for a token are carried out, and their answers lost: the connection closes.
    pub fn lose_token_answers(&self, count: u32) {
        self.service.faults.lose(count);
    }

    /// The next so many requests for a token are refused with this HTTP status, and not carried out.
    pub fn fail_tokens(&self, count: u32, status: u16) {
        self.service.faults.fail(count, status);
    }

    /// Requests for a token are answered so much later from now on; zero is at once.
    pub fn delay_tokens(&self, time: Duration) {
        self.service.faults.delay(time);
    }
}
