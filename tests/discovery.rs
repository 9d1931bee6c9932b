//! Discovery, against the sandbox's: which handler serves an application, and a client of it.

mod support;

use support::{APP, id, sandbox};
use ttn_auth::{Client, Credentials, Discovery, ErrorKind, Transport};

#[tokio::test]
async fn a_client_is_built_from_the_announcement_and_its_certificate() {
    let sandbox = sandbox().await;
    let settings = Client::builder(sandbox.discovery());
    let settings = settings.credentials(Credentials::parse(&sandbox.access_key()).unwrap());
    let discovery = Discovery::new(settings).unwrap();
    for transport in [Transport::Grpc, Transport::Http] {
        let client = discovery.client(APP, transport).await.unwrap();
        assert_eq!(client.transport(), transport);
        assert!(client.address().starts_with(&format!("{}s://", transport.name())), "{}", client.address());
        assert_eq!(client.application_manager().get_device(&id("dev-1")).await.unwrap().dev_id, "dev-1");
    }
}

#[tokio::test]
async fn announcements_are_found_by_service_id_and_application() {
    let sandbox = sandbox().await;
    let grpc = Discovery::new(Client::builder(sandbox.discovery())).unwrap();
    let all = grpc.get_all("handler").await.unwrap();
    assert_eq!(all.len(), 1);
    assert!(all[0].certificate.contains("BEGIN CERTIFICATE"));
    assert_eq!(grpc.get("handler", &all[0].id).await.unwrap(), all[0]);
    assert_eq!(grpc.get_by_app_id(APP).await.unwrap(), all[0]);
    let missing = [grpc.get("handler", "no-such-handler").await, grpc.get_by_app_id("ghost-app").await];
    for error in missing.map(Result::unwrap_err) {
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
    }
    let http = Discovery::new(Client::builder(sandbox.discovery().replace("grpc://", "http://"))).unwrap();
    assert_eq!(http.get_all("handler").await.unwrap(), all);
    assert_eq!(http.get("handler", &all[0].id).await.unwrap(), all[0]);
    assert_eq!(http.get("handler", "no-such-handler").await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(http.get_by_app_id(APP).await.unwrap_err().kind(), ErrorKind::Unimplemented);
}

#[tokio::test]
async fn discovery_is_asked_over_tls_or_at_home_and_never_sent_credentials() {
    use tokio::io::AsyncReadExt;
    let key = Credentials::access_key("ttn-account-v2.hunter2-hunter2").unwrap();
    let settings = |address: &str| Client::builder(address).credentials(key.clone());
    let error = Discovery::new(settings("grpc://192.0.2.1:1900")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InsecureTransport);
    Discovery::new(settings("grpcs://192.0.2.1:1900")).unwrap();
    Discovery::new(settings("grpc://192.0.2.1:1900").allow_insecure(true)).unwrap();

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let discovery = Discovery::new(settings(&address)).unwrap();
    let call = tokio::spawn(async move { discovery.get_all("handler").await });
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    call.abort();
    let head = String::from_utf8(head).unwrap().to_lowercase();
    assert!(
        head.starts_with("get /announcements/handler http/1.1\r\n") && !head.contains("hunter2"),
        "{head}"
    );
}
