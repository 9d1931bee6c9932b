//! tonic as it is used where every call counts: two connections, windows that nobody waits for, typed messages.

use http::uri::PathAndQuery;
use tonic::client::Grpc;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic_prost::ProstCodec;
use ttn_auth::proto::handler::{Device, DeviceIdentifier};
use ttn_auth_bench::{APP_ID, DEV_ID, METHOD, Outcome};

use crate::{Caller, Setup};

const CONNECTIONS: usize = 2;
const WINDOW: u32 = 1 << 20;

pub(crate) async fn connect(setup: &Setup) -> Outcome<Vec<impl Caller>> {
    let scheme = if setup.tls { "https" } else { "http" };
    let mut endpoint = Endpoint::from_shared(format!("{scheme}://127.0.0.1:{}", setup.port))?
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW);
    if setup.tls {
        let ca = Certificate::from_pem(&setup.ca);
        endpoint = endpoint.tls_config(ClientTlsConfig::new().ca_certificate(ca))?;
    }
    let mut channels = Vec::new();
    for _ in 0..CONNECTIONS {
        channels.push(endpoint.connect().await?);
    }
    let token = setup.token.parse()?;
    let tonic = |n: usize| Tonic {
        client: Grpc::new(channels[n % CONNECTIONS].clone()),
        token: MetadataValue::clone(&token),
    };
    Ok((0..setup.most).map(tonic).collect())
}

struct Tonic {
    client: Grpc<Channel>,
    token: MetadataValue<Ascii>,
}

impl Caller for Tonic {
    async fn call(&mut self) -> Outcome<Device> {
        let id = DeviceIdentifier { app_id: APP_ID.to_owned(), dev_id: DEV_ID.to_owned() };
        let mut request = tonic::Request::new(id);
        request.metadata_mut().insert("token", self.token.clone());
        self.client.ready().await?;
        let codec: ProstCodec<DeviceIdentifier, Device> = ProstCodec::default();
        let answer = self.client.unary(request, PathAndQuery::from_static(METHOD), codec).await?;
        Ok(answer.into_inner())
    }
}
