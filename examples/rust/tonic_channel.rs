//! A tonic channel of one's own with an API key of The Things Stack. `TTN_ADDRESS` (`http://` or `https://`, of its gRPC port)
//! and `TTN_SECRET` say where, and who asks. With generated code the channel goes into a client's `new`.

use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic_prost::ProstCodec;
use tower_layer::Layer;
use ttn_auth::proto::{Empty, stack::AuthInfoResponse};
use ttn_auth::{AuthLayer, Carrier, Credentials};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let credentials = Credentials::parse(&std::env::var("TTN_SECRET")?)?;
    let channel = Channel::from_shared(std::env::var("TTN_ADDRESS")?)?.connect_lazy();
    let channel = AuthLayer::new(credentials, Carrier::GrpcMetadata).layer(channel);

    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.map_err(|error| format!("not ready: {error}"))?;
    let method = PathAndQuery::from_static("/ttn.lorawan.v3.EntityAccess/AuthInfo");
    let codec = ProstCodec::<Empty, AuthInfoResponse>::default();
    let answer = client.unary(tonic::Request::new(Empty {}), method, codec).await?;
    println!("{}", ttn_auth::to_json(&answer.into_inner())?);
    Ok(())
}
