//! What The Things Stack says of a credential: what it is, whose it is, and what it may do.
//!
//! To be without credentials is no error there: the server answers nothing, and so does
//! [`Client::auth_info`](crate::Client::auth_info). Rights are sets: the server lists them in another order at each call.

use std::collections::BTreeSet;
use std::time::SystemTime;

use http::Method;
use prost_types::Timestamp;

use crate::proto::Empty;
use crate::proto::stack::{
    AuthInfoResponse, EntityIdentifiers, GatewayIdentifiers, Right, Rights, UserIdentifiers,
};
use crate::stack_call::{Route, call};
use crate::{CallOptions, Client, Credentials, Result};

/// What a right is called whose name this version does not know. Over gRPC the server says its number, over HTTP its
/// name, and neither tells the other.
pub const UNKNOWN_RIGHT: &str = "RIGHT_UNKNOWN";

/// What a credential of The Things Stack is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuthKind {
    /// An API key.
    ApiKey,
    /// An OAuth access token.
    OAuthAccessToken,
    /// A user's session in the Console. It may do all that the user may, which is not listed.
    UserSession,
    /// A token that a gateway got from its Gateway Server.
    GatewayToken,
}

impl AuthKind {
    /// The kind's name, such as `api-key`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ApiKey => "api-key",
            Self::OAuthAccessToken => "oauth-access-token",
            Self::UserSession => "user-session",
            Self::GatewayToken => "gateway-token",
        }
    }
}

/// What can have an API key, or be one's user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EntityKind {
    /// An application.
    Application,
    /// An OAuth client.
    Client,
    /// A device.
    EndDevice,
    /// A gateway.
    Gateway,
    /// An organization.
    Organization,
    /// A user.
    User,
}

impl EntityKind {
    /// The kind's name, such as `end-device`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::Client => "client",
            Self::EndDevice => "end-device",
            Self::Gateway => "gateway",
            Self::Organization => "organization",
            Self::User => "user",
        }
    }
}

/// Whose a credential is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Entity {
    /// What it is.
    pub kind: EntityKind,
    /// Its id. Of a device also its application's, as in `app1.dev1`.
    pub id: String,
}

/// What the server says of a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuthInfo {
    /// What it is.
    pub kind: AuthKind,
    /// Its id: of a key or token the middle part of its text, which is not secret.
    pub id: Option<String>,
    /// An API key's name.
    pub name: Option<String>,
    /// Whose it is.
    pub entity: Option<Entity>,
    /// What it may do with that entity, and a user's with what is the user's: such as `RIGHT_APPLICATION_DEVICES_READ`. Those
    /// that others imply are among them. A session has none here: it may do all that its user may.
    pub rights: BTreeSet<String>,
    /// What it may do everywhere: an administrator's.
    pub universal_rights: BTreeSet<String>,
    /// Whether its user is an administrator.
    pub is_admin: bool,
    /// When it was made.
    pub created_at: Option<SystemTime>,
    /// When it ends, if it does.
    pub expires_at: Option<SystemTime>,
}

impl Client {
    /// What The Things Stack says of this client's credentials; nothing, if it presents none.
    ///
    /// # Errors
    /// What the server says of credentials that are wrong, or have expired; what the network or the time limit says.
    pub async fn auth_info(&self, options: &CallOptions) -> Result<Option<AuthInfo>> {
        let route = || Ok(Route::new(Method::GET, &["auth_info"]));
        let options = CallOptions { idempotent: options.idempotent.or(Some(true)), ..options.clone() };
        let (answer, _) =
            call(self, &options, "/ttn.lorawan.v3.EntityAccess/AuthInfo", &Empty {}, route).await?;
        Ok(AuthInfo::read(answer))
    }

    /// What The Things Stack says of somebody else's credentials. This client's own are not sent.
    ///
    /// # Errors
    /// As [`auth_info`](Self::auth_info).
    pub async fn auth_info_of(
        &self,
        credentials: Credentials,
        options: &CallOptions,
    ) -> Result<Option<AuthInfo>> {
        self.with_credentials(credentials).auth_info(options).await
    }
}

impl AuthInfo {
    fn read(answer: AuthInfoResponse) -> Option<Self> {
        let AuthInfoResponse {
            api_key,
            oauth_access_token,
            user_session,
            gateway_token,
            universal_rights,
            is_admin,
        } = answer;
        let of = |kind| Self {
            kind,
            id: None,
            name: None,
            entity: None,
            rights: BTreeSet::new(),
            universal_rights: names(universal_rights.as_ref().map_or(&[], |Rights { rights }| rights)),
            is_admin,
            created_at: None,
            expires_at: None,
        };
        Some(if let Some(access) = api_key {
            let key = access.api_key.unwrap_or_default();
            Self {
                entity: access.entity_ids.as_ref().and_then(entity),
                rights: names(&key.rights),
                created_at: time(key.created_at),
                expires_at: time(key.expires_at),
                id: text(key.id),
                name: text(key.name),
                ..of(AuthKind::ApiKey)
            }
        } else if let Some(token) = oauth_access_token {
            Self {
                entity: user(token.user_ids),
                rights: names(&token.rights),
                created_at: time(token.created_at),
                expires_at: time(token.expires_at),
                id: text(token.id),
                ..of(AuthKind::OAuthAccessToken)
            }
        } else if let Some(session) = user_session {
            Self {
                entity: user(session.user_ids),
                created_at: time(session.created_at),
                expires_at: time(session.expires_at),
                id: text(session.session_id),
                ..of(AuthKind::UserSession)
            }
        } else {
            let token = gateway_token?;
            let ids = EntityIdentifiers { gateway_ids: token.gateway_ids, ..Default::default() };
            Self { entity: entity(&ids), rights: names(&token.rights), ..of(AuthKind::GatewayToken) }
        })
    }
}

fn text(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

fn time(time: Option<Timestamp>) -> Option<SystemTime> {
    time?.try_into().ok()
}

pub(crate) fn names(rights: &[i32]) -> BTreeSet<String> {
    let name = |right: &i32| Right::try_from(*right).map_or(UNKNOWN_RIGHT, |right| right.as_str_name());
    rights.iter().map(|right| name(right).to_owned()).collect()
}

fn user(ids: Option<UserIdentifiers>) -> Option<Entity> {
    Some(Entity { kind: EntityKind::User, id: ids?.user_id })
}

fn entity(ids: &EntityIdentifiers) -> Option<Entity> {
    let (kind, id) = match ids {
        EntityIdentifiers { application_ids: Some(ids), .. } => {
            (EntityKind::Application, &ids.application_id)
        }
        EntityIdentifiers { client_ids: Some(ids), .. } => (EntityKind::Client, &ids.client_id),
        EntityIdentifiers { device_ids: Some(ids), .. } => {
            let application = ids.application_ids.as_ref().map_or("", |ids| &ids.application_id);
            let id = format!("{application}.{}", ids.device_id);
            return Some(Entity { kind: EntityKind::EndDevice, id });
        }
        EntityIdentifiers { gateway_ids: Some(GatewayIdentifiers { gateway_id, .. }), .. } => {
            (EntityKind::Gateway, gateway_id)
        }
        EntityIdentifiers { organization_ids: Some(ids), .. } => {
            (EntityKind::Organization, &ids.organization_id)
        }
        EntityIdentifiers { user_ids: Some(ids), .. } => (EntityKind::User, &ids.user_id),
        _ => return None,
    };
    Some(Entity { kind, id: id.clone() })
}

#[cfg(test)]
#[path = "auth_info_tests.rs"]
mod tests;
