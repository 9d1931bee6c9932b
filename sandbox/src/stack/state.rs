//! What an Identity Server knows: applications with their devices, API keys, OAuth clients and what was granted to them,
//! users and their sessions.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde_json::{Map, Value};
use ttn_auth::Secret;

use crate::stack::rights::Rights;

/// Fields of a message.
pub(crate) type Fields = Map<String, Value>;

/// Whose a key is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Entity {
    Application(String),
    User(String),
}

/// An API key.
#[derive(Clone, Debug)]
pub(crate) struct ApiKey {
    pub(crate) id: String,
    pub(crate) secret: Secret,
    pub(crate) name: String,
    pub(crate) entity: Entity,
    /// As they were given.
    pub(crate) rights: Rights,
    pub(crate) created_at: SystemTime,
    pub(crate) updated_at: SystemTime,
    pub(crate) expires_at: Option<SystemTime>,
}

/// An OAuth access token, and the refresh token that goes with it: they have one id.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) id: String,
    pub(crate) access: Secret,
    pub(crate) refresh: Secret,
    pub(crate) user: String,
    pub(crate) client: String,
    pub(crate) session: String,
    pub(crate) rights: Rights,
    pub(crate) created_at: SystemTime,
    pub(crate) expires_at: SystemTime,
}

/// An authorization code.
#[derive(Clone, Debug)]
pub(crate) struct Code {
    pub(crate) secret: Secret,
    pub(crate) user: String,
    pub(crate) client: String,
    pub(crate) session: String,
    pub(crate) redirect_uri: String,
    pub(crate) expires_at: SystemTime,
}

/// A user who is signed in.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) secret: Secret,
    pub(crate) user: String,
    pub(crate) created_at: SystemTime,
    pub(crate) updated_at: SystemTime,
}

#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) password: Secret,
    pub(crate) admin: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) secret: Secret,
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) rights: Rights,
}

#[derive(Clone, Debug)]
pub(crate) struct Application {
    /// What is neither id nor time.
    pub(crate) fields: Fields,
    pub(crate) created_at: SystemTime,
    pub(crate) updated_at: SystemTime,
    /// Deleted, and still there to be restored.
    pub(crate) deleted_at: Option<SystemTime>,
    /// The collaborators.
    pub(crate) members: BTreeMap<String, Rights>,
    pub(crate) devices: BTreeMap<String, Device>,
}

#[derive(Clone, Debug)]
pub(crate) struct Device {
    /// What is neither id nor time; EUIs are in `ids`.
    pub(crate) fields: Fields,
    /// `dev_eui`, `join_eui`.
    pub(crate) euis: Fields,
    pub(crate) created_at: SystemTime,
    pub(crate) updated_at: SystemTime,
}

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) keys: BTreeMap<String, ApiKey>,
    pub(crate) grants: BTreeMap<String, Grant>,
    pub(crate) codes: BTreeMap<String, Code>,
    pub(crate) sessions: BTreeMap<String, Session>,
    /// Which session a browser's cookie stands for.
    pub(crate) cookies: BTreeMap<String, String>,
    pub(crate) users: BTreeMap<String, User>,
    pub(crate) clients: BTreeMap<String, Client>,
    pub(crate) applications: BTreeMap<String, Application>,
}

impl State {
    /// An application that is not deleted.
    pub(crate) fn application(&self, id: &str) -> Option<&Application> {
        self.applications.get(id).filter(|application| application.deleted_at.is_none())
    }

    /// Whether a user is an admin.
    pub(crate) fn is_admin(&self, user: &str) -> bool {
        self.users.get(user).is_some_and(|user| user.admin)
    }
}
