use super::*;
use http::Method;
use proptest::prelude::*;

fn app() -> AppId {
    AppId::new("my-app").unwrap()
}

fn needs(policy: &Policy, method: &str, path: &str) -> Result<Needs> {
    policy.needs(Method::from_bytes(method.as_bytes()).ok().as_ref(), path)
}

#[test]
fn the_application_managers_rules_are_those_of_wire_md() {
    let policy = Policy::application_manager();
    // Nothing of the table is dropped because it cannot be read.
    assert_eq!(policy.rules.len(), 11 + 11);
    let (settings, delete, devices) = (Right::Settings, Right::Delete, Right::Devices);
    for (request, right) in [
        ("GET /applications/my-app", settings),
        ("HEAD /applications/my-app", settings),
        ("POST /applications/my-app", settings),
        ("PUT /applications/my-app", settings),
        ("DELETE /applications/my-app", delete),
        ("GET /applications/my-app/devices", devices),
        ("POST /applications/my-app/devices", devices),
        ("PUT /applications/my-app/devices", devices),
        ("GET /applications/my-app/devices/dev-1", devices),
        ("POST /applications/my-app/devices/dev-1", devices),
        ("PUT /applications/my-app/devices/dev-1", devices),
        ("DELETE /applications/my-app/devices/dev-1", devices),
    ] {
        let (method, path) = request.split_once(' ').unwrap();
        let needs = needs(&policy, method, path).unwrap();
        assert_eq!((needs.open, needs.rights, needs.app), (false, vec![right], Some(app())), "{request}");
    }
    for (name, right) in [
        ("RegisterApplication", Some(settings)),
        ("GetApplication", Some(settings)),
        ("SetApplication", Some(settings)),
        ("DeleteApplication", Some(delete)),
        ("GetDevice", Some(devices)),
        ("SetDevice", Some(devices)),
        ("DeleteDevice", Some(devices)),
        ("GetDevicesForApplication", Some(devices)),
        ("DryDownlink", None),
        ("DryUplink", None),
        ("SimulateUplink", Some(devices)),
    ] {
        let needs = needs(&policy, "", &format!("/handler.ApplicationManager/{name}")).unwrap();
        assert_eq!((needs.open, needs.app), (right.is_none(), None), "{name}");
        assert_eq!(needs.rights, Vec::from_iter(right), "{name}");
    }
}

#[test]
fn what_no_rule_names_is_refused() {
    let policy = Policy::application_manager();
    for request in [
        "POST /applications",
        "GET /applications",
        "DELETE /applications/my-app/devices",
        "PATCH /applications/my-app",
        "OPTIONS /applications/my-app",
        "GET /applications/my-app/",
        "GET //applications/my-app",
        "GET /Applications/my-app",
        "GET /applications/my-app/Devices",
        "GET /applications/my-app/devices/dev-1/x",
        "GET /applications/x/../my-app",
        "GET /%61pplications/my-app",
        "GET /applications/my-app%2Fdevices",
        "GET *",
        "POST /handler.applicationManager/GetDevice",
        "POST /handler.ApplicationManager/GetDevice/",
        "POST /handler.ApplicationManager/getDevice",
        "POST /handler.ApplicationManager%2FGetDevice",
        "POST /handler.ApplicationManager/Other",
        // gRPC: without a method, routes fit nothing.
        " /applications/my-app",
    ] {
        let (method, path) = request.split_once(' ').unwrap();
        let error = needs(&policy, method, path).unwrap_err();
        assert_eq!((error.kind(), error.grpc_code()), (ErrorKind::Unimplemented, Some(12)), "{request}");
    }
    assert!(needs(&Policy::new(), "GET", "/").is_err());
}

#[test]
fn an_id_that_is_none_is_refused_in_v2s_words() {
    let policy = Policy::application_manager().rule("GET /x/{app_id}/{dev_id}", Access::Open).unwrap();
    for (request, message) in [
        ("GET /applications/A/devices/dev-1", "Invalid Device Identifier: AppID not valid: has wrong format"),
        (
            "GET /applications/my-app/devices/D",
            "Invalid Device Identifier: DevID not valid: has wrong format",
        ),
        ("GET /applications/my-app/devices/d%20", "Invalid Device Identifier: DevID not valid: has wrong"),
        ("PUT /applications/my-app/devices/D", "Invalid Device: DevID not valid: has wrong format"),
        ("GET /applications/A", "Application Identifier not valid: AppID not valid: has wrong format"),
        ("GET /applications/A/devices", "Invalid Application Identifier: AppID not valid: has wrong format"),
        ("GET /x/my-app/D", "Invalid Device Identifier: DevID not valid: has wrong format"),
    ] {
        let (method, path) = request.split_once(' ').unwrap();
        let error = needs(&policy, method, path).unwrap_err();
        assert_eq!((error.kind(), error.grpc_code()), (ErrorKind::InvalidArgument, Some(3)), "{request}");
        assert!(error.message().starts_with(message), "{error}");
    }
}

#[test]
fn every_rule_that_fits_counts_in_any_order() {
    let rules: [(&str, Access); 4] = [
        ("/a/{x}", Access::Open),
        ("/a/{*rest}", Access::Authenticated),
        ("GET /a/{app_id}", Right::Devices.into()),
        ("/{app_id}/b2", Right::Settings.into()),
    ];
    let of = |order: &mut dyn Iterator<Item = &(&str, Access)>| {
        order.fold(Policy::new(), |policy, (pattern, access)| policy.rule(pattern, *access).unwrap())
    };
    for policy in [of(&mut rules.iter()), of(&mut rules.iter().rev())] {
        let get = needs(&policy, "GET", "/a/my-app").unwrap();
        assert_eq!((get.open, get.rights, get.app), (false, vec![Right::Devices], Some(app())));
        let post = needs(&policy, "POST", "/a/my-app").unwrap();
        assert_eq!((post.open, post.rights, post.app), (false, vec![], None));
        // `a` is no id, and it could not be `b2` as well.
        assert!(needs(&policy, "GET", "/a/b2").is_err());
        let twice = policy.clone().rule("/{app_id}/{y}", Access::Open).unwrap();
        assert!(needs(&twice, "GET", "/other/b2").is_ok());
    }
    let contradiction = Policy::new()
        .rule("/{app_id}/{y}", Access::Open)
        .unwrap()
        .rule("/{y}/{app_id}", Access::Open)
        .unwrap();
    assert_eq!(needs(&contradiction, "GET", "/aa/bb").unwrap_err().kind(), ErrorKind::Unimplemented);
    assert!(needs(&contradiction, "GET", "/aa/aa").is_ok());
}

#[test]
fn two_rights_are_both_needed() {
    let policy = Policy::new().rule("/a/{app_id}", Right::Devices).unwrap();
    let policy = policy.rule("GET /a/{*rest}", Right::ReadUplink).unwrap();
    assert_eq!(needs(&policy, "GET", "/a/my-app").unwrap().rights, [Right::Devices, Right::ReadUplink]);
    assert_eq!(needs(&policy, "PUT", "/a/my-app").unwrap().rights, [Right::Devices]);
}

#[test]
fn another_spelling_does_not_lead_around_a_rule() {
    let policy =
        Policy::new().rule("/a/{x}", Access::Open).unwrap().rule("/a/secret", Right::Devices).unwrap();
    assert!(needs(&policy, "GET", "/a/other").unwrap().open);
    assert!(!needs(&policy, "GET", "/a/secret").unwrap().open);
    for path in ["/a/Secret", "/a/SECRET", "/a/%73ecret", "/a/%53ecret", "/A/secret", "/%61/secret"] {
        assert_eq!(needs(&policy, "GET", path).unwrap_err().kind(), ErrorKind::Unimplemented, "{path}");
    }
}

proptest! {
    /// Whatever the path is, a second rule never lets in whom the first keeps out.
    #[test]
    fn a_second_rule_never_asks_for_less(path in "(/(ab|AB|%61b|x1|[.]|[.][.]|)){0,4}", second in 0..5usize) {
        let strict = Policy::new().rule("/ab/{app_id}", Right::Delete).unwrap();
        let pattern = ["/ab/x1", "/{a}/{b}", "/{*rest}", "/ab/{app_id}", "/"][second];
        let both = strict.clone().rule(pattern, Access::Open).unwrap();
        if let Ok(found) = needs(&both, "GET", &path) {
            let of_strict = needs(&strict, "GET", &path);
            prop_assert!(of_strict.is_ok() || found.open, "{}", path);
            if let Ok(of_strict) = of_strict {
                prop_assert_eq!((found.open, found.rights), (of_strict.open, of_strict.rights), "{}", path);
            }
        }
    }
}
