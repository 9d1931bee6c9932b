//! What The Things Stack says of a caller, as [`Claims`]: the same rules and handlers are for its callers and for V2's.
//!
//! A policy names rights of either network. V2's stand for these of The Things Stack's, all of which are needed:
//!
//! | V2 | The Things Stack, `RIGHT_APPLICATION_..` |
//! |---|---|
//! | `settings` | `INFO`, `SETTINGS_BASIC` |
//! | `delete` | `DELETE` |
//! | `collaborators` | `SETTINGS_COLLABORATORS` |
//! | `devices` | `DEVICES_READ`, `DEVICES_WRITE` |
//! | `messages:up:r` | `TRAFFIC_READ` |
//! | `messages:up:w` | `TRAFFIC_UP_WRITE` |
//! | `messages:down:w` | `TRAFFIC_DOWN_WRITE` |
//!
//! V2's `devices` also shows keys. A server that tells them asks for `RIGHT_APPLICATION_DEVICES_READ_KEYS` by its name.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::{AppId, AuthInfo, Claims, EntityKind, Right};

/// Whose tokens these would be.
const ISSUER: &str = "the-things-stack";

/// What V2's rights stand for.
fn needed(right: Right) -> &'static [&'static str] {
    match right {
        Right::Settings => &["RIGHT_APPLICATION_INFO", "RIGHT_APPLICATION_SETTINGS_BASIC"],
        Right::Delete => &["RIGHT_APPLICATION_DELETE"],
        Right::Collaborators => &["RIGHT_APPLICATION_SETTINGS_COLLABORATORS"],
        Right::Devices => &["RIGHT_APPLICATION_DEVICES_READ", "RIGHT_APPLICATION_DEVICES_WRITE"],
        Right::ReadUplink => &["RIGHT_APPLICATION_TRAFFIC_READ"],
        Right::WriteUplink => &["RIGHT_APPLICATION_TRAFFIC_UP_WRITE"],
        Right::WriteDownlink => &["RIGHT_APPLICATION_TRAFFIC_DOWN_WRITE"],
        // It is one of them itself.
        _ => &[],
    }
}

/// The claims of a caller who has these rights on the application.
pub(crate) fn claims(info: &AuthInfo, app: Option<&AppId>, rights: &BTreeSet<String>) -> Claims {
    let mut claims = Claims {
        issuer: ISSUER.to_owned(),
        subject: info.entity.as_ref().map(|entity| entity.id.clone()).unwrap_or_default(),
        token_type: info.kind.name().to_owned(),
        issued_at: info.created_at.and_then(seconds),
        expires_at: info.expires_at.and_then(seconds),
        ..Claims::default()
    };
    if let Some(user) = info.entity.as_ref().filter(|entity| entity.kind == EntityKind::User) {
        claims.username = user.id.clone();
    }
    if let Some(app) = app.filter(|_| !rights.is_empty()) {
        let has_all = |right: &&Right| {
            let needed = needed(**right);
            !needed.is_empty() && needed.iter().all(|name| rights.contains(*name))
        };
        let v2 = Right::ALL.iter().filter(has_all).map(|right| right.name().to_owned());
        claims.scope = vec![format!("apps:{app}")];
        claims.apps.insert(app.as_str().to_owned(), v2.chain(rights.iter().cloned()).collect());
    }
    claims
}

fn seconds(time: SystemTime) -> Option<i64> {
    i64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()
}
