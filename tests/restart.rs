//! A client outlives its server: killed and restarted on the same ports, it answers again.

mod support;

use std::time::Duration;

use support::{addresses, client, id, sandbox, start};
use ttn_auth::ErrorKind;
use ttn_auth_sandbox::SandboxOptions;

#[tokio::test]
async fn a_client_heals_after_its_server_restarts() {
    let first = sandbox().await;
    let clients: Vec<_> = addresses(&first).iter().map(|a| client(&first, a, &first.access_key())).collect();
    for client in &clients {
        client.application_manager().get_device(&id("dev-1")).await.unwrap();
    }
    let (ports, identity) = (first.ports(), Some(first.identity().clone()));
    first.stop().await;
    for client in &clients {
        let error = client.application_manager().get_device(&id("dev-1")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{}: {error:?}", client.address());
    }
    let second = start(SandboxOptions { rate_limit: None, ports, identity, ..Default::default() }).await;
    for client in &clients {
        client
            .application_manager()
            .get_device(&id("dev-1"))
            .await
            .unwrap_or_else(|e| panic!("{}: {e:?}", client.address()));
    }
    second.stop().await;
}

#[test]
fn a_client_outlives_the_runtime_that_it_was_first_used_on() {
    let runtime = || tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let home = runtime();
    let sandbox = home.block_on(sandbox());
    for address in addresses(&sandbox) {
        let client = client(&sandbox, &address, &sandbox.access_key());
        for _ in 0..3 {
            let answer = runtime().block_on(client.application_manager().get_device(&id("dev-1")));
            assert_eq!(answer.unwrap_or_else(|e| panic!("{address}: {e:?}")).dev_id, "dev-1");
        }
    }
}

#[tokio::test]
async fn a_connection_that_went_silent_is_replaced() {
    use tokio::io::copy_bidirectional;
    use tokio::net::{TcpListener, TcpStream};
    use ttn_auth::CallOptions;

    let sandbox = sandbox().await;
    for address in [sandbox.grpc_address(), sandbox.http_address()] {
        let (scheme, server) = address.split_once("://").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let through = format!("{scheme}://{}", listener.local_addr().unwrap());
        let server = server.to_owned();
        let relay = tokio::spawn(async move {
            // The first connection is swallowed, as by a router that forgot it; the second is passed on.
            let (_silent, _) = listener.accept().await.unwrap();
            let (mut near, _) = listener.accept().await.unwrap();
            let mut far = TcpStream::connect(server).await.unwrap();
            let _ = copy_bidirectional(&mut near, &mut far).await;
        });
        let client = client(&sandbox, &through, &sandbox.access_key());
        let hurried =
            client.application_manager().with_options(CallOptions::timeout(Duration::from_millis(100)));
        assert_eq!(
            hurried.get_device(&id("dev-1")).await.unwrap_err().kind(),
            ErrorKind::Timeout,
            "{scheme}"
        );
        client.application_manager().get_device(&id("dev-1")).await.unwrap();
        relay.abort();
    }
}
