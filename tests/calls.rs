//! The calls, against the sandbox: four ways to it, two credentials, the same answers.

mod support;

use support::{APP, app, clients, device, id, sandbox};
use ttn_auth::proto::handler::{
    Application, ApplicationIdentifier, DryDownlinkMessage, DryUplinkMessage, SimulatedUplinkMessage,
};
use ttn_auth::{ErrorKind, Page, ToJson, Transport, to_json};

#[tokio::test]
async fn a_device_is_set_read_listed_and_deleted_every_way_with_the_same_answers() {
    let sandbox = sandbox().await;
    let mut answers: Vec<(String, Vec<String>)> = Vec::new();
    for (name, client) in clients(&sandbox) {
        let manager = client.application_manager();
        let mut said = Vec::new();
        manager.set_device(&device("dev-x", 1)).await.unwrap_or_else(|e| panic!("{name}: {e:?}"));
        manager.set_device(&device("dev-y", 2)).await.unwrap();
        said.push(to_json(&manager.get_device(&id("dev-x")).await.unwrap()).unwrap());
        for page in [
            Page::default(),
            Page::new(1, 0),
            Page::new(1, 2),
            Page::new(5, 9),
            Page::new(0, 1),
            Page::new(u64::MAX, 0),
        ] {
            said.push(to_json(&manager.get_devices(&app(), page).await.unwrap()).unwrap());
        }
        for dev_id in ["dev-x", "dev-y"] {
            manager.delete_device(&id(dev_id)).await.unwrap();
        }
        said.push(manager.get_device(&id("dev-x")).await.unwrap_err().code().to_owned());
        answers.push((name, said));
    }
    let (_, first) = &answers[0];
    for (name, said) in &answers {
        assert_eq!(said, first, "{name}");
    }
    assert!(first[0].contains(r#""latitude":52.1"#) && first[0].contains(r#""dev_addr":"""#), "{}", first[0]);
    assert!(first[2].ends_with(r#""total":3,"selected":1}"#), "{}", first[2]);
    assert!(first[4].ends_with(r#""total":3,"selected":0}"#), "{}", first[4]);
}

#[tokio::test]
async fn what_was_set_comes_back() {
    let sandbox = sandbox().await;
    for (name, client) in clients(&sandbox) {
        let manager = client.application_manager();
        manager.set_device(&device("dev-x", 1)).await.unwrap();
        let mut read = manager.get_device(&id("dev-x")).await.unwrap();
        let mut set = device("dev-x", 1);
        // Over gRPC a Handler answers unset ones with zero bytes, over HTTP with "".
        for lorawan in [&mut read, &mut set].map(|device| device.lorawan_device.as_mut().unwrap()) {
            lorawan.dev_addr.retain(|byte| *byte != 0);
            lorawan.nwk_s_key.retain(|byte| *byte != 0);
            lorawan.app_s_key.retain(|byte| *byte != 0);
        }
        assert_eq!(read, set, "{name}");
        manager.delete_device(&id("dev-x")).await.unwrap();
    }
}

#[tokio::test]
async fn an_application_is_registered_set_read_and_deleted_every_way() {
    let sandbox = sandbox().await;
    let mut answers = Vec::new();
    for (name, client) in clients(&sandbox) {
        let manager = client.application_manager();
        manager.delete_application(&app()).await.unwrap_or_else(|e| panic!("{name}: {e:?}"));
        let gone = manager.get_application(&app()).await.unwrap_err();
        manager.register_application(&app()).await.unwrap();
        let again = manager.register_application(&app()).await.unwrap_err();
        assert_eq!((gone.kind(), again.kind()), (ErrorKind::NotFound, ErrorKind::AlreadyExists), "{name}");
        let application = Application {
            app_id: APP.into(),
            decoder: "function Decoder(b) { return { a: b.length > 1 && '<é>' }; }".into(),
            ..Default::default()
        };
        manager.set_application(&application).await.unwrap();
        let read = manager.get_application(&app()).await.unwrap();
        assert_eq!(read.decoder, application.decoder);
        answers.push(to_json(&read).unwrap());
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
}

#[tokio::test]
async fn calls_without_a_route_say_so_over_http() {
    let sandbox = sandbox().await;
    for (name, client) in clients(&sandbox) {
        let manager = client.application_manager();
        let up = manager.dry_uplink(&DryUplinkMessage { payload: vec![1, 2, 3], ..Default::default() }).await;
        let down =
            manager.dry_downlink(&DryDownlinkMessage { payload: vec![1, 2], ..Default::default() }).await;
        let simulated = manager
            .simulate_uplink(&SimulatedUplinkMessage {
                app_id: APP.into(),
                dev_id: "dev-1".into(),
                ..Default::default()
            })
            .await;
        match client.transport() {
            Transport::Grpc => {
                let up = up.unwrap();
                assert_eq!((up.payload, up.valid), (vec![1, 2, 3], true), "{name}");
                assert_eq!(down.unwrap().payload, vec![1, 2]);
                simulated.unwrap();
            }
            _ => {
                for error in [up.unwrap_err(), down.unwrap_err(), simulated.unwrap_err()] {
                    assert_eq!(error.kind(), ErrorKind::Unimplemented, "{name}");
                    assert!(error.message().contains("has no HTTP route; use a grpc://"), "{error}");
                }
            }
        }
    }
}

#[tokio::test]
async fn the_json_face_gives_the_same_json_over_both() {
    let sandbox = sandbox().await;
    let mut answers = Vec::new();
    for (_, client) in clients(&sandbox) {
        let manager = client.application_manager();
        let device =
            manager.call("GetDevice", r#"{"appId":"test-app","dev_id":"dev-1"}"#, Page::default(), ToJson);
        let list =
            manager.call("GetDevicesForApplication", r#"{"app_id":"test-app"}"#, Page::new(1, 0), ToJson);
        answers.push((device.await.unwrap(), list.await.unwrap()));
        for (name, request, kind) in [
            ("GetDevice", "{", ErrorKind::InvalidArgument),
            ("GetDevice", r#"{"app_id":1}"#, ErrorKind::InvalidArgument),
            ("GetDevice", "{}", ErrorKind::InvalidArgument),
            ("NoSuchCall", "{}", ErrorKind::Unimplemented),
        ] {
            assert_eq!(
                manager.call(name, request, Page::default(), ToJson).await.unwrap_err().kind(),
                kind,
                "{request}"
            );
        }
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
}

#[tokio::test]
async fn many_calls_share_one_client() {
    let sandbox = sandbox().await;
    for (name, client) in clients(&sandbox) {
        let calls = (0..64).map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.application_manager().get_device(&id("dev-1")).await })
        });
        for call in calls.collect::<Vec<_>>() {
            assert_eq!(call.await.unwrap().unwrap_or_else(|e| panic!("{name}: {e:?}")).dev_id, "dev-1");
        }
    }
    let ghost = ApplicationIdentifier { app_id: "ghost-app".into() };
    let (_, client) = &clients(&sandbox)[0];
    assert!(client.application_manager().get_devices(&ghost, Page::default()).await.is_err());
}
