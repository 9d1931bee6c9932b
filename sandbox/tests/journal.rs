//! A sandbox that ends and starts again with its journal, as one that was killed does: the journal is the same at every
//! moment, because each line is written before what it says is acknowledged.

use std::path::PathBuf;

use ttn_auth::proto::handler::{
    Application, ApplicationIdentifier, Device, DeviceIdentifier, SimulatedUplinkMessage,
};
use ttn_auth::proto::lorawan;
use ttn_auth::{AccountServer, ApplicationManager, Client, Credentials, ErrorKind, Page, Secret};
use ttn_auth_sandbox::{Sandbox, SandboxOptions};

/// A journal of the test's own, gone when the test ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ttn-auth-restart-{name}-{}", std::process::id()));
        // What an earlier run of the same process id has left.
        let _ = std::fs::remove_file(&path);
        Self(path)
    }

    fn text(&self) -> String {
        std::fs::read_to_string(&self.0).unwrap()
    }

    async fn start(&self, options: SandboxOptions) -> Sandbox {
        let journal = Some(self.0.clone());
        Sandbox::start(SandboxOptions { rate_limit: None, journal, ..options }).await.unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn manager(sandbox: &Sandbox, address: String, secret: &str) -> ApplicationManager {
    let client = Client::builder(address).credentials(Credentials::parse(secret).unwrap()).ca(sandbox.ca());
    client.build().unwrap().application_manager()
}

fn app(id: &str) -> ApplicationIdentifier {
    ApplicationIdentifier { app_id: id.into() }
}

fn device(id: &str, eui: u8) -> Device {
    let lorawan = lorawan::Device {
        app_id: "test-app".into(),
        dev_id: id.into(),
        app_eui: vec![7; 8],
        dev_eui: vec![eui; 8],
        app_key: vec![eui; 16],
        f_cnt_up: 7,
        ..Default::default()
    };
    Device {
        app_id: "test-app".into(),
        dev_id: id.into(),
        lorawan_device: Some(lorawan),
        latitude: 52.37,
        description: "\"with\nlines\"".into(),
        ..Default::default()
    }
}

#[tokio::test]
async fn every_acknowledged_write_is_there_after_a_restart_and_only_those() {
    let scratch = Scratch::new("writes");
    let sandbox = scratch.start(SandboxOptions::default()).await;
    let ports = sandbox.ports();
    assert_eq!(sandbox.counts().writes, 0);
    let grpc = manager(&sandbox, sandbox.grpcs_address(), &sandbox.access_key());
    let http = manager(&sandbox, sandbox.https_address(), &sandbox.bearer_token().unwrap());
    grpc.set_device(&device("one", 1)).await.unwrap();
    http.set_device(&device("two", 2)).await.unwrap();
    grpc.set_device(&device("gone", 3)).await.unwrap();
    http.delete_device(&DeviceIdentifier { app_id: "test-app".into(), dev_id: "gone".into() }).await.unwrap();
    http.delete_device(&DeviceIdentifier { app_id: "test-app".into(), dev_id: "dev-1".into() })
        .await
        .unwrap();
    let settings = Application { app_id: "test-app".into(), decoder: "a => a".into(), ..Default::default() };
    http.set_application(&settings).await.unwrap();
    let other = manager(&sandbox, sandbox.grpc_address(), "ttn-account-v2.full-other-app");
    other.delete_application(&app("other-app")).await.unwrap();
    let payload = vec![1, 2, 255];
    let uplink = SimulatedUplinkMessage { app_id: "test-app".into(), dev_id: "one".into(), payload, port: 4 };
    grpc.simulate_uplink(&uplink).await.unwrap();
    assert_eq!(sandbox.counts().writes, 8);
    // Refused, and so not written.
    assert!(grpc.set_device(&device("twin", 1)).await.is_err());
    assert!(grpc.register_application(&app("test-app")).await.is_err());
    assert!(grpc.simulate_uplink(&SimulatedUplinkMessage::default()).await.is_err());
    assert_eq!(scratch.text().lines().count(), 9, "{}", scratch.text());
    assert!(scratch.text().ends_with(
        "{\"simulate_uplink\":{\"app_id\":\"test-app\",\"dev_id\":\"one\",\"payload\":\"AQL/\",\"port\":4}}\n"
    ));
    let before = http.get_devices(&app("test-app"), Page::default()).await.unwrap();
    let one = DeviceIdentifier { app_id: "test-app".into(), dev_id: "one".into() };
    let stored = grpc.get_device(&one).await.unwrap();
    sandbox.stop().await;

    // Its own applications and devices do not count: they were there at the first start.
    let options = SandboxOptions { ports, applications: vec!["third-app".into()], ..Default::default() };
    let again = scratch.start(options).await;
    assert_eq!((again.ports(), again.ca()), (ports, sandbox.ca()));
    // The same clients, the same certificate, the same credentials.
    let after = http.get_devices(&app("test-app"), Page::default()).await.unwrap();
    assert_eq!(after, before);
    assert_eq!(grpc.get_device(&one).await.unwrap(), stored);
    assert_eq!(stored.lorawan_device.as_ref().map(|lorawan| lorawan.f_cnt_up), Some(7));
    assert_eq!(http.get_application(&app("test-app")).await.unwrap().decoder, "a => a");
    let gone = other.get_application(&app("other-app")).await.unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound);
    assert_eq!((again.counts().writes, scratch.text().lines().count()), (0, 9));
}

#[tokio::test]
async fn credentials_outlive_a_restart_and_so_does_their_end() {
    let scratch = Scratch::new("credentials");
    let sandbox = scratch.start(SandboxOptions::default()).await;
    let ports = sandbox.ports();
    let reads = async |sandbox: &Sandbox, secret: &str| {
        let device = DeviceIdentifier { app_id: "test-app".into(), dev_id: "dev-1".into() };
        let mut kinds = Vec::new();
        for address in [sandbox.grpc_address(), sandbox.http_address()] {
            let result = manager(sandbox, address, secret).get_device(&device).await;
            kinds.push(result.err().map(|error| error.kind()));
        }
        assert_eq!(kinds[0], kinds[1]);
        kinds[0]
    };
    let rotated = sandbox.bearer_token().unwrap();
    sandbox.rotate_signing_key().unwrap();
    let revoked = sandbox.bearer_token().unwrap();
    sandbox.revoke_tokens().unwrap();
    let (good, single) = (sandbox.bearer_token().unwrap(), sandbox.bearer_token().unwrap());
    sandbox.revoke(&single).unwrap();
    let added = sandbox.add_access_key("test-app", &["devices"]).unwrap();
    let removed = sandbox.add_access_key("test-app", &["devices"]).unwrap();
    sandbox.remove_access_key(&removed).unwrap();
    let server = AccountServer::new(&sandbox.account_server()).unwrap();
    let app_id = ttn_auth::AppId::new("test-app").unwrap();
    let subject = async |key: &str| {
        let token = server.exchange(&app_id, &Secret::new(key)).await.unwrap().token;
        Credentials::bearer_token(token.expose()).unwrap().describe().subject.unwrap()
    };
    let subjects = (subject(&added).await, subject(&sandbox.access_key()).await);
    // It is gone with everything that only lived in it.
    drop(sandbox);

    // The old one's listeners close a moment after it was dropped.
    let again = loop {
        let options = SandboxOptions { ports, journal: Some(scratch.0.clone()), ..Default::default() };
        match Sandbox::start(SandboxOptions { rate_limit: None, ..options }).await {
            Ok(again) => break again,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}"),
        }
        tokio::task::yield_now().await;
    };
    for (secret, expected) in [
        (&good, None),
        (&added, None),
        (&again.access_key(), None),
        (&rotated, Some(ErrorKind::InvalidToken)),
        (&revoked, Some(ErrorKind::InvalidToken)),
        (&single, Some(ErrorKind::InvalidToken)),
        (&removed, Some(ErrorKind::InvalidKey)),
    ] {
        assert_eq!(reads(&again, secret).await, expected, "{secret}");
    }
    assert_eq!((subject(&added).await, subject(&again.access_key()).await), subjects);
}

#[tokio::test]
async fn a_journal_that_is_not_one_ends_the_start_and_frees_the_ports() {
    let scratch = Scratch::new("wrong");
    std::fs::write(&scratch.0, "something else\n").unwrap();
    let options = SandboxOptions { journal: Some(scratch.0.clone()), ..Default::default() };
    let error = Sandbox::start(options.clone()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert_eq!(scratch.text(), "something else\n");
    let folder = SandboxOptions { journal: Some(scratch.0.join("no/folder")), ..options.clone() };
    assert_eq!(Sandbox::start(folder).await.unwrap_err().kind(), ErrorKind::InvalidArgument);

    // A start that failed before its first line was complete has left nothing to trip over.
    std::fs::write(&scratch.0, "").unwrap();
    let wrong = SandboxOptions { applications: vec!["Not Valid".into()], ..options.clone() };
    assert_eq!(Sandbox::start(wrong).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(scratch.text(), "");
    let sandbox = Sandbox::start(options).await.unwrap();
    sandbox.stop().await;
    let late = sandbox.add_access_key("test-app", &[]).unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Server);
}
