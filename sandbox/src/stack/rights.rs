//! Rights: their names, what implies what, and their order, which is another at each call.
//! Source: v3/wire.md, sections auth_info and Proto; what an admin has, from the source of The Things Stack.

use std::collections::BTreeSet;

use ring::rand::{SecureRandom, SystemRandom};
use serde_json::Value;

/// Every right, without its `RIGHT_`. `CLIENT_..` are of OAuth clients.
const NAMES: [&str; 63] = [
    "USER_INFO",
    "USER_SETTINGS_BASIC",
    "USER_SETTINGS_API_KEYS",
    "USER_DELETE",
    "USER_AUTHORIZED_CLIENTS",
    "USER_APPLICATIONS_LIST",
    "USER_APPLICATIONS_CREATE",
    "USER_GATEWAYS_LIST",
    "USER_GATEWAYS_CREATE",
    "USER_CLIENTS_LIST",
    "USER_CLIENTS_CREATE",
    "USER_ORGANIZATIONS_LIST",
    "USER_ORGANIZATIONS_CREATE",
    "USER_NOTIFICATIONS_READ",
    "USER_ALL",
    "APPLICATION_INFO",
    "APPLICATION_SETTINGS_BASIC",
    "APPLICATION_SETTINGS_API_KEYS",
    "APPLICATION_SETTINGS_COLLABORATORS",
    "APPLICATION_SETTINGS_PACKAGES",
    "APPLICATION_DELETE",
    "APPLICATION_DEVICES_READ",
    "APPLICATION_DEVICES_WRITE",
    "APPLICATION_DEVICES_READ_KEYS",
    "APPLICATION_DEVICES_WRITE_KEYS",
    "APPLICATION_TRAFFIC_READ",
    "APPLICATION_TRAFFIC_UP_WRITE",
    "APPLICATION_TRAFFIC_DOWN_WRITE",
    "APPLICATION_LINK",
    "APPLICATION_ALL",
    "CLIENT_INFO",
    "CLIENT_SETTINGS_BASIC",
    "CLIENT_SETTINGS_COLLABORATORS",
    "CLIENT_DELETE",
    "CLIENT_ALL",
    "GATEWAY_INFO",
    "GATEWAY_SETTINGS_BASIC",
    "GATEWAY_SETTINGS_API_KEYS",
    "GATEWAY_SETTINGS_COLLABORATORS",
    "GATEWAY_DELETE",
    "GATEWAY_TRAFFIC_READ",
    "GATEWAY_TRAFFIC_DOWN_WRITE",
    "GATEWAY_LINK",
    "GATEWAY_STATUS_READ",
    "GATEWAY_LOCATION_READ",
    "GATEWAY_WRITE_SECRETS",
    "GATEWAY_READ_SECRETS",
    "GATEWAY_ALL",
    "ORGANIZATION_INFO",
    "ORGANIZATION_SETTINGS_BASIC",
    "ORGANIZATION_SETTINGS_API_KEYS",
    "ORGANIZATION_SETTINGS_MEMBERS",
    "ORGANIZATION_DELETE",
    "ORGANIZATION_APPLICATIONS_LIST",
    "ORGANIZATION_APPLICATIONS_CREATE",
    "ORGANIZATION_GATEWAYS_LIST",
    "ORGANIZATION_GATEWAYS_CREATE",
    "ORGANIZATION_CLIENTS_LIST",
    "ORGANIZATION_CLIENTS_CREATE",
    "ORGANIZATION_ADD_AS_COLLABORATOR",
    "ORGANIZATION_ALL",
    "SEND_INVITES",
    "ALL",
];

/// A set of rights, by their full names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rights(BTreeSet<&'static str>);

/// Every right by its full name, made once.
fn names() -> &'static [&'static str] {
    static FULL: std::sync::OnceLock<Vec<&'static str>> = std::sync::OnceLock::new();
    FULL.get_or_init(|| NAMES.iter().map(|name| &*format!("RIGHT_{name}").leak()).collect())
}

/// The one that is called so.
pub(crate) fn right(name: &str) -> Option<&'static str> {
    names().iter().find(|known| **known == name).copied()
}

impl Rights {
    /// Of these names; unknown ones are left out.
    pub(crate) fn of<S: AsRef<str>>(rights: impl IntoIterator<Item = S>) -> Self {
        Self(rights.into_iter().filter_map(|name| right(name.as_ref())).collect())
    }

    /// Those of one kind of entity: `APPLICATION`.
    pub(crate) fn of_entity(entity: &str) -> Self {
        let start = format!("RIGHT_{entity}_");
        Self(names().iter().filter(|name| name.starts_with(&start)).copied().collect())
    }

    /// What an admin may do anywhere: everything but what concerns keys, and the rights that stand for all.
    pub(crate) fn of_admin() -> Self {
        let anywhere = |name: &&&'static str| !name.ends_with("_KEYS") && !name.ends_with("_ALL");
        Self(names().iter().filter(anywhere).copied().collect())
    }

    /// These, and those that they imply.
    pub(crate) fn implied(&self) -> Self {
        let mut all = self.clone();
        for name in &self.0 {
            match *name {
                "RIGHT_ALL" => all.0.extend(names()),
                "RIGHT_APPLICATION_LINK" => all.0.extend(
                    &Self::of([
                        "RIGHT_APPLICATION_INFO",
                        "RIGHT_APPLICATION_TRAFFIC_READ",
                        "RIGHT_APPLICATION_TRAFFIC_DOWN_WRITE",
                    ])
                    .0,
                ),
                // To list a user's entities is to see the user, and what they are called.
                "RIGHT_USER_APPLICATIONS_LIST" => {
                    all.0.extend(&Self::of(["RIGHT_USER_INFO", "RIGHT_APPLICATION_INFO"]).0);
                }
                name => {
                    let entity = name.strip_prefix("RIGHT_").and_then(|rest| rest.strip_suffix("_ALL"));
                    if let Some(entity) = entity {
                        all.0.extend(&Self::of_entity(entity).0);
                    }
                }
            }
        }
        all
    }

    pub(crate) fn both(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).copied().collect())
    }

    pub(crate) fn either(&self, other: &Self) -> Self {
        Self(self.0.union(&other.0).copied().collect())
    }

    pub(crate) fn without(&self, other: &Self) -> Self {
        Self(self.0.difference(&other.0).copied().collect())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.0.iter().copied().collect()
    }

    /// As a list, in an order of its own each time.
    pub(crate) fn json(&self) -> Value {
        let mut list = self.names();
        let mut random = vec![0; list.len()];
        // Without randomness they are in order, which is one of the orders.
        let _ = SystemRandom::new().fill(&mut random);
        for at in (1..list.len()).rev() {
            list.swap(at, usize::from(random[at]) % (at + 1));
        }
        list.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_imply_as_many_as_the_real_ones() {
        let count = |name: &str| Rights::of([name]).implied().names().len();
        for (name, expected) in [
            ("RIGHT_ALL", 63),
            ("RIGHT_APPLICATION_ALL", 15),
            ("RIGHT_APPLICATION_LINK", 4),
            ("RIGHT_APPLICATION_INFO", 1),
            ("RIGHT_USER_APPLICATIONS_LIST", 3),
            ("RIGHT_NOPE", 0),
        ] {
            assert_eq!(count(name), expected, "{name}");
        }
        assert_eq!(Rights::of_admin().names().len(), 51);
    }

    #[test]
    fn their_order_changes_and_the_set_does_not() {
        let all = Rights::of(["RIGHT_ALL"]).implied();
        let lists: Vec<Value> = (0..4).map(|_| all.json()).collect();
        assert!(lists.iter().any(|list| *list != lists[0]));
        for list in &lists {
            assert_eq!(Rights::of(list.as_array().unwrap().iter().filter_map(Value::as_str)), all);
        }
    }
}
