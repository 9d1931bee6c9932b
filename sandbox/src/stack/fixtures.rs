//! What a cluster starts with: what The Things Stack was recorded with. User alice with app1 and its devices, user admin,
//! app2 of somebody else which alice may see, a key of every kind.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use ttn_auth::Secret;

use crate::stack::devices;
use crate::stack::mask;
use crate::stack::rights::Rights;
use crate::stack::state::{ApiKey, Application, Client, Code, Device, Entity, Grant, Session, State, User};
use crate::stack::time;
use crate::stack::token::{self, TokenType, join};

/// The application of the fixtures.
pub const STACK_APP_ID: &str = "app1";
/// Its owner, who can sign in.
pub const STACK_USER: &str = "alice";
/// The OAuth client.
pub const STACK_CLIENT: (&str, &str) = ("testcli", "testsecret");
/// Where that client gets its codes.
pub(crate) const REDIRECT_URI: &str = "http://127.0.0.1:9/cb";
/// Everybody's password. Published, and so worth nothing elsewhere.
const PASSWORD: &str = "sandbox";

/// An access token's life.
pub(crate) const LIFE: Duration = Duration::from_secs(3600);
/// An authorization code's.
pub(crate) const CODE_LIFE: Duration = Duration::from_secs(300);
const DAY: Duration = Duration::from_secs(86_400);

/// A key by its name in the vectors, what it is called, whose it is, and its right.
const KEYS: [(&str, &str, &str, &[&str]); 12] = [
    ("app1_all", "all", "app1", &["RIGHT_APPLICATION_ALL"]),
    ("app1_info_only", "info", "app1", &["RIGHT_APPLICATION_INFO"]),
    ("app1_link_only", "link", "app1", &["RIGHT_APPLICATION_LINK"]),
    ("app1_expired", "expired", "app1", &["RIGHT_APPLICATION_ALL"]),
    ("app1_expires_2030", "later", "app1", &["RIGHT_APPLICATION_ALL"]),
    (
        "app1_devices",
        "devices",
        "app1",
        &["RIGHT_APPLICATION_DEVICES_READ", "RIGHT_APPLICATION_DEVICES_WRITE"],
    ),
    ("app1_read_only", "read only", "app1", &["RIGHT_APPLICATION_INFO", "RIGHT_APPLICATION_DEVICES_READ"]),
    ("app2_all", "all", "app2", &["RIGHT_APPLICATION_ALL"]),
    ("alice_user_all", "aliceall", "", &["RIGHT_ALL"]),
    ("alice_user_apps_list", "alicelist", "", &["RIGHT_USER_APPLICATIONS_LIST"]),
    ("admin_user_all", "adminall", "", &["RIGHT_ALL"]),
    ("app1_deleted", "deleted", "app1", &["RIGHT_APPLICATION_ALL"]),
];

/// OAuth tokens: name of the access token, of the refresh token, whose, and whether it has expired.
const GRANTS: [(&str, &str, &str, bool); 4] = [
    ("oauth_access", "oauth_refresh", "alice", false),
    ("oauth_access_expired", "oauth_refresh_expired", "alice", true),
    ("oauth_access_admin", "oauth_refresh_admin", "admin", false),
    ("oauth_access_app", "oauth_refresh_app", "alice", false),
];

/// Everything there is, at this time; with these devices in app1.
pub(crate) fn state(now: SystemTime, devices: &[Value]) -> State {
    let mut state = State::default();
    for (name, admin) in [("alice", false), ("bob", false), ("admin", true)] {
        state.users.insert(name.to_owned(), User { password: Secret::new(PASSWORD), admin });
    }
    let application = |name: &str, members: &[&str]| {
        let mut fields = mask::kept(&json!({ "name": name }), &mask::APPLICATION);
        if name == "App 1" {
            fields.insert("description".into(), "seed".into());
        }
        let all = || Rights::of(["RIGHT_ALL"]);
        let members = members.iter().map(|user| ((*user).to_owned(), all())).collect();
        Application {
            fields,
            created_at: now,
            updated_at: now,
            deleted_at: None,
            members,
            devices: BTreeMap::new(),
        }
    };
    state.applications.insert("app1".into(), application("App 1", &["alice"]));
    state.applications.insert("app2".into(), application("App 2", &["bob", "alice"]));
    if let Some(app1) = state.applications.get_mut("app1") {
        for device in devices {
            let id = device["ids"]["device_id"].as_str().unwrap_or_default().to_owned();
            let euis = devices::euis(&device["ids"]);
            let fields = mask::kept(device, &mask::DEVICE);
            app1.devices.insert(id, Device { fields, euis, created_at: now, updated_at: now });
        }
    }
    for (fixture, name, application, rights) in KEYS {
        let (id, secret) = token::fixture(fixture);
        let entity = match application {
            "" => Entity::User(fixture.split('_').next().unwrap_or_default().to_owned()),
            id => Entity::Application(id.to_owned()),
        };
        let expires_at = match fixture {
            "app1_expired" => Some(now - DAY),
            "app1_expires_2030" => time::read("2030-01-01T00:00:00Z"),
            _ => None,
        };
        let (secret, rights) = (Secret::new(secret), Rights::of(rights));
        let name = name.to_owned();
        let key = ApiKey {
            id: id.clone(),
            secret,
            name,
            entity,
            rights,
            created_at: now,
            updated_at: now,
            expires_at,
        };
        if fixture != "app1_deleted" {
            state.keys.insert(id, key);
        }
    }
    let rights = Rights::of(["RIGHT_ALL"]);
    for (access, _, user, expired) in GRANTS {
        let (id, secret) = token::fixture(access);
        let created_at = if expired { now - DAY } else { now };
        let grant = Grant {
            id: id.clone(),
            access: Secret::new(secret),
            refresh: Secret::new(token::fixture(&format!("{access} refresh")).1),
            user: user.to_owned(),
            client: STACK_CLIENT.0.to_owned(),
            session: token::fixture_uuid(user),
            rights: rights.clone(),
            created_at,
            expires_at: created_at + LIFE,
        };
        state.grants.insert(id, grant);
    }
    let (id, secret) = token::fixture("code");
    let code = Code {
        secret: Secret::new(secret),
        user: "alice".into(),
        client: STACK_CLIENT.0.into(),
        session: token::fixture_uuid("alice"),
        redirect_uri: REDIRECT_URI.into(),
        expires_at: now + CODE_LIFE,
    };
    state.codes.insert(id, code);
    let client =
        Client { secret: Secret::new(STACK_CLIENT.1), redirect_uris: vec![REDIRECT_URI.into()], rights };
    state.clients.insert(STACK_CLIENT.0.into(), client);
    let id = token::fixture_uuid("alice");
    let secret = Secret::new(token::fixture("session").1);
    state.cookies.insert(token::fixture("cookie").1, id.clone());
    let session = Session { id: id.clone(), secret, user: "alice".into(), created_at: now, updated_at: now };
    state.sessions.insert(id, session);
    state
}

/// What a placeholder of the vectors stands for: `app1_all`.
pub(crate) fn credential(name: &str) -> Option<String> {
    let key = |fixture: &str| {
        let (id, secret) = token::fixture(fixture);
        join(TokenType::ApiKey, &id, &secret)
    };
    let large = |length: usize| join(TokenType::ApiKey, &"A".repeat(39), &"B".repeat(length));
    if KEYS.iter().any(|(fixture, ..)| *fixture == name) {
        return Some(key(name));
    }
    for (access, refresh, ..) in GRANTS {
        let (id, secret) = token::fixture(access);
        if name == access {
            return Some(join(TokenType::Access, &id, &secret));
        }
        if name == refresh {
            let secret = token::fixture(&format!("{access} refresh")).1;
            return Some(join(TokenType::Refresh, &id, &secret));
        }
    }
    Some(match name {
        "app1_wrong_secret" => {
            join(TokenType::ApiKey, &token::fixture("app1_all").0, &token::fixture("another").1)
        }
        "unknown_id" => join(TokenType::ApiKey, &"A".repeat(39), &token::fixture("another").1),
        "code" => {
            let (id, secret) = token::fixture("code");
            join(TokenType::Code, &id, &secret)
        }
        "session_token" => {
            join(TokenType::Session, &token::fixture_uuid("alice"), &token::fixture("session").1)
        }
        "cookie" => token::fixture("cookie").1,
        "kid" => token::fixture("app1_all").0,
        "ksec" => token::fixture("app1_all").1,
        "klower" => key("app1_all").to_ascii_lowercase(),
        "basic" => STANDARD.encode(format!("x:{}", key("app1_all"))),
        "big9k" => large(9_000),
        "big20k" => large(20_000),
        "big2m" => large(2_000_000),
        _ => return None,
    })
}

/// The devices of app1, unless others are asked for.
pub(crate) fn default_devices() -> Vec<Value> {
    let with_euis = |id: &str, name: &str, number: u8| {
        let eui = format!("70B3D57ED000AB{number:02X}");
        json!({ "ids": { "device_id": id, "dev_eui": eui, "join_eui": "70B3D57ED0000000" }, "name": name })
    };
    vec![
        with_euis("dev1", "Dev dev1", 1),
        with_euis("dev2", "two", 2),
        json!({ "ids": { "device_id": "dev3" } }),
    ]
}
