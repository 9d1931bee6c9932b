//! Who is calling, from what was presented, and what they may do. Source: v3/wire.md, Auth matrix.

use std::time::SystemTime;

use serde_json::{Value, json};

use crate::stack::error::{Refusal, known, plain};
use crate::stack::rights::Rights;
use crate::stack::state::{ApiKey, Entity, Grant, Session, State};
use crate::stack::time;
use crate::stack::token::{TokenType, split};

/// `pkg/identityserver`, where most errors of authentication come from.
pub(crate) const SERVER: &str = "pkg/identityserver";
/// Where it keeps things.
pub(crate) const STORE: &str = "pkg/identityserver/store";
const RIGHTS: &str = "pkg/auth/rights";

/// How somebody proved who they are.
#[derive(Clone, Debug, Default)]
pub(crate) enum Proof {
    /// Not at all.
    #[default]
    None,
    Key(ApiKey),
    Access(Grant),
    Session(Session),
}

/// Who is calling.
#[derive(Clone, Debug, Default)]
pub(crate) struct Caller {
    pub(crate) proof: Proof,
    /// The credential's rights, with those that they imply.
    rights: Rights,
    /// What an admin may do with everything.
    universal: Rights,
    pub(crate) is_admin: bool,
}

/// What was presented: the scheme, and what follows it. None without a blank between them.
pub(crate) fn scheme(authorization: &str) -> Option<(&str, &str)> {
    authorization.split_once(' ').filter(|(scheme, _)| !scheme.is_empty())
}

/// Finds out who is calling.
pub(crate) fn authenticate(
    state: &State,
    authorization: Option<&str>,
    now: SystemTime,
) -> Result<Caller, Refusal> {
    let Some((scheme, value)) = authorization.and_then(scheme) else { return Ok(Caller::default()) };
    match scheme {
        "ClusterKey" => return Err(known("pkg/auth/cluster", "cluster_key", 7, "invalid cluster key")),
        "GatewayToken" => return Err(gateway_token(value)),
        _ if !scheme.eq_ignore_ascii_case("bearer") => return Err(unsupported()),
        _ => {}
    }
    let token = split(value)?;
    let secret = |known: &ttn_auth::Secret| match known.expose() == token.secret {
        true => Ok(()),
        false => Err(known_error("invalid_authorization", "invalid authorization")),
    };
    let (proof, rights, user) = match token.kind {
        TokenType::ApiKey => {
            let key = state.keys.get(token.id).ok_or_else(|| key_not_found(token.id))?;
            secret(&key.secret)?;
            if key.expires_at.is_some_and(|expires| expires <= now) {
                return Err(known_error("api_key_expired", "api key expired"));
            }
            let user = match &key.entity {
                Entity::User(user) => Some(user.clone()),
                Entity::Application(_) => None,
            };
            (Proof::Key(key.clone()), key.rights.implied(), user)
        }
        TokenType::Access => {
            let grant = state.grants.get(token.id);
            let grant = grant.ok_or_else(|| token_not_found(access_token_not_found(token.id)))?;
            secret(&grant.access)?;
            if grant.expires_at <= now {
                return Err(known_error("token_expired", "token expired"));
            }
            (Proof::Access(grant.clone()), grant.rights.implied(), Some(grant.user.clone()))
        }
        TokenType::Session => {
            let session = state.sessions.get(token.id).ok_or_else(|| {
                let cause = known(STORE, "session_not_found", 5, "session with id `{session_id}` not found");
                token_not_found(cause.with("session_id", token.id))
            })?;
            secret(&session.secret)?;
            let all = Rights::of(["RIGHT_ALL"]).implied();
            (Proof::Session(session.clone()), all, Some(session.user.clone()))
        }
        TokenType::Refresh | TokenType::Code => return Err(unsupported()),
    };
    let is_admin = user.is_some_and(|user| state.is_admin(&user));
    let universal = if is_admin { Rights::of_admin().implied().both(&rights) } else { Rights::default() };
    Ok(Caller { proof, rights, universal, is_admin })
}

fn known_error(name: &'static str, text: &str) -> Refusal {
    known(SERVER, name, 16, text)
}

fn unsupported() -> Refusal {
    known_error("unsupported_authorization", "unsupported authorization method")
}

fn key_not_found(id: &str) -> Refusal {
    let cause = known(STORE, "api_key_not_found", 5, "api key with id `{api_key_id}` not found");
    known_error("api_key_not_found", "API key not found").because(cause.with("api_key_id", id))
}

fn token_not_found(cause: Refusal) -> Refusal {
    known_error("token_not_found", "token not found").because(cause)
}

/// What the store says of an access token, and of the refresh token with the same id.
pub(crate) fn access_token_not_found(id: &str) -> Refusal {
    known(STORE, "access_token_not_found", 5, "access token with id `{access_token_id}` not found")
        .with("access_token_id", id)
}

/// Gateways have tokens of their own, which are messages in hex; nobody has one here.
fn gateway_token(value: &str) -> Refusal {
    match value.chars().find(|c| !c.is_ascii_hexdigit()) {
        Some(odd) => plain(2, format!("encoding/hex: invalid byte: U+{:04X} '{odd}'", u32::from(odd))),
        None => known_error("invalid_authorization", "invalid authorization"),
    }
}

impl Caller {
    /// Refuses somebody unknown.
    pub(crate) fn require_known(&self) -> Result<(), Refusal> {
        match self.proof {
            Proof::None => Err(known_error("unauthenticated", "unauthenticated")),
            _ => Ok(()),
        }
    }

    /// The user behind the credential.
    pub(crate) fn user(&self) -> Option<&str> {
        match &self.proof {
            Proof::Key(ApiKey { entity: Entity::User(user), .. }) => Some(user),
            Proof::Access(grant) => Some(&grant.user),
            Proof::Session(session) => Some(&session.user),
            Proof::Key(_) | Proof::None => None,
        }
    }

    /// What they may do with an application, deleted or not if `deleted`.
    pub(crate) fn rights_of(&self, state: &State, id: &str, deleted: bool) -> Rights {
        let application = state.applications.get(id).filter(|found| deleted || found.deleted_at.is_none());
        let own = match (&self.proof, application) {
            (_, None) => Rights::default(),
            (Proof::Key(ApiKey { entity: Entity::Application(of), .. }), Some(_)) => {
                if of == id {
                    self.rights.clone()
                } else {
                    Rights::default()
                }
            }
            (_, Some(application)) => {
                let member = self.user().and_then(|user| application.members.get(user));
                member.map(|rights| rights.implied().both(&self.rights)).unwrap_or_default()
            }
        };
        own.either(&self.universal).both(&Rights::of_entity("APPLICATION"))
    }

    /// Refuses somebody without these rights on an application.
    pub(crate) fn require(&self, state: &State, id: &str, rights: &[&str]) -> Result<(), Refusal> {
        require("application", &self.rights_of(state, id, false), id, rights)
    }

    /// The same of an application that may be deleted.
    pub(crate) fn require_of_deleted(&self, state: &State, id: &str, right: &str) -> Result<(), Refusal> {
        require("application", &self.rights_of(state, id, true), id, &[right])
    }

    /// Refuses somebody without this right on a user.
    pub(crate) fn require_of_user(&self, id: &str, right: &str) -> Result<(), Refusal> {
        let own = if self.user() == Some(id) { self.rights.clone() } else { Rights::default() };
        require("user", &own.either(&self.universal).both(&Rights::of_entity("USER")), id, &[right])
    }

    /// Refuses somebody who wants to give what they have not.
    pub(crate) fn require_all(&self, state: &State, id: &str, given: &Rights) -> Result<(), Refusal> {
        let missing = given.without(&self.rights_of(state, id, false));
        if missing.is_empty() { Ok(()) } else { Err(insufficient("application", id, &missing)) }
    }

    /// `AuthInfoResponse`.
    pub(crate) fn info(&self) -> Value {
        let mut info = match &self.proof {
            Proof::None => json!({}),
            Proof::Key(key) => {
                let ids = match &key.entity {
                    Entity::Application(id) => json!({ "application_ids": { "application_id": id } }),
                    Entity::User(id) => json!({ "user_ids": { "user_id": id } }),
                };
                let mut described = describe(key);
                described["rights"] = self.rights.json();
                json!({ "api_key": { "api_key": described, "entity_ids": ids } })
            }
            Proof::Access(grant) => json!({ "oauth_access_token": {
                "user_ids": { "user_id": grant.user },
                "user_session_id": grant.session,
                "client_ids": { "client_id": grant.client },
                "id": grant.id,
                "rights": self.rights.json(),
                "created_at": time::write(grant.created_at),
                "expires_at": time::write(grant.expires_at),
            } }),
            Proof::Session(session) => json!({ "user_session": {
                "user_ids": { "user_id": session.user },
                "session_id": session.id,
                "created_at": time::write(session.created_at),
                "updated_at": time::write(session.updated_at),
            } }),
        };
        if self.is_admin {
            info["is_admin"] = true.into();
            if !self.universal.is_empty() {
                info["universal_rights"] = json!({ "rights": self.universal.json() });
            }
        }
        info
    }
}

/// `APIKey`, with the rights that it was given.
pub(crate) fn describe(key: &ApiKey) -> Value {
    let mut described = json!({
        "id": key.id,
        "rights": key.rights.json(),
        "created_at": time::write(key.created_at),
        "updated_at": time::write(key.updated_at),
    });
    if !key.name.is_empty() {
        described["name"] = key.name.as_str().into();
    }
    if let Some(expires) = key.expires_at {
        described["expires_at"] = time::write(expires).into();
    }
    described
}

fn require(entity: &'static str, has: &Rights, id: &str, rights: &[&str]) -> Result<(), Refusal> {
    if has.is_empty() {
        let (name, text) = match entity {
            "user" => ("no_user_rights", "no rights for user `{uid}`"),
            _ => ("no_application_rights", "no rights for application `{uid}`"),
        };
        return Err(known(RIGHTS, name, 7, text).with("uid", id));
    }
    let missing = Rights::of(rights).without(has);
    if missing.is_empty() { Ok(()) } else { Err(insufficient(entity, id, &missing)) }
}

fn insufficient(entity: &'static str, id: &str, missing: &Rights) -> Refusal {
    let (name, text) = match entity {
        "user" => ("insufficient_user_rights", "insufficient rights for user `{uid}`"),
        _ => ("insufficient_application_rights", "insufficient rights for application `{uid}`"),
    };
    known(RIGHTS, name, 7, text).with("missing", missing.names()).with("uid", id)
}
