//! Tests of auth_info.rs: every recorded answer, and what was not recorded.

use serde_json::Value;

use super::*;

fn read(json: &str) -> Option<AuthInfo> {
    AuthInfo::read(crate::from_json(json.as_bytes()).unwrap())
}

/// The recorded answers of auth_info by name, over both transports.
fn recorded() -> Vec<(String, Option<AuthInfo>)> {
    let file: Value = serde_json::from_str(include_str!("../tests/vectors/v3.json")).unwrap();
    let answers = file["vectors"].as_array().unwrap().iter().filter_map(|vector| {
        let name = vector["name"].as_str()?.strip_prefix("auth_info/")?;
        let answer = match &vector["expect"] {
            expect if expect["status"] == 200 => &expect["body"],
            expect if expect["code"] == "OK" => &expect["response"][0],
            _ => return None,
        };
        Some((name.to_owned(), read(&answer.to_string())))
    });
    answers.collect()
}

#[test]
fn a_recorded_answer_is_the_same_over_both_transports() {
    let recorded = recorded();
    let of =
        |name: &str| recorded.iter().filter(|(of, _)| of == name).map(|(_, info)| info).collect::<Vec<_>>();
    let mut both = 0;
    for (name, info) in &recorded {
        for other in of(name) {
            assert_eq!(info, other, "{name}");
            both += 1;
        }
    }
    assert!(both > recorded.len() + 20, "{both} of {}", recorded.len());
    assert!(of("none").into_iter().all(Option::is_none) && of("none").len() == 2);
    let key = of("valid").remove(0).as_ref().unwrap();
    assert_eq!((key.kind.name(), key.rights.len(), key.is_admin), ("api-key", 15, false));
    assert_eq!(key.entity, Some(Entity { kind: EntityKind::Application, id: "app1".into() }));
    assert_eq!((key.name.as_deref(), key.id.as_ref().unwrap().len()), (Some("all"), 39));
    assert!(key.created_at.is_some() && key.expires_at.is_none());
}

#[test]
fn each_kind_says_whose_it_is() {
    let entity = |json: &str| {
        let info = read(json).unwrap();
        let entity = info.entity.map(|entity| (entity.kind.name(), entity.id));
        (info.kind.name(), entity)
    };
    for (json, kind, owner) in [
        (
            r#"{"oauth_access_token":{"user_ids":{"user_id":"alice"}}}"#,
            "oauth-access-token",
            Some(("user", "alice")),
        ),
        (r#"{"user_session":{"user_ids":{"user_id":"alice"}}}"#, "user-session", Some(("user", "alice"))),
        (
            r#"{"gateway_token":{"gateway_ids":{"gateway_id":"gtw"}}}"#,
            "gateway-token",
            Some(("gateway", "gtw")),
        ),
        (r#"{"api_key":{"entity_ids":{"client_ids":{"client_id":"c"}}}}"#, "api-key", Some(("client", "c"))),
        (
            r#"{"api_key":{"entity_ids":{"organization_ids":{"organization_id":"o"}}}}"#,
            "api-key",
            Some(("organization", "o")),
        ),
        (
            r#"{"api_key":{"entity_ids":{"device_ids":{"device_id":"d","application_ids":{"application_id":"a"}}}}}"#,
            "api-key",
            Some(("end-device", "a.d")),
        ),
        (r#"{"api_key":{}}"#, "api-key", None),
    ] {
        assert_eq!(entity(json), (kind, owner.map(|(kind, id)| (kind, id.to_owned()))), "{json}");
    }
    // A way to present credentials that this version does not know is none.
    assert_eq!(read(r#"{"carrier_pigeon":{"id":"1"}}"#), None);
}

#[test]
fn rights_of_the_future_have_one_name() {
    let over_http =
        read(r#"{"api_key":{"api_key":{"rights":["RIGHT_OF_2030","RIGHT_USER_INFO"]}}}"#).unwrap();
    let over_grpc = read(r#"{"api_key":{"api_key":{"rights":[1,99,1]}}}"#).unwrap();
    assert_eq!(over_http.rights, over_grpc.rights);
    assert_eq!(over_http.rights.iter().collect::<Vec<_>>(), [UNKNOWN_RIGHT, "RIGHT_USER_INFO"]);
}
