//! A gRPC API, on tonic, that lets in whom The Things Network knows. `TTN_ACCOUNT_SERVER` and `TTN_ISSUER` say whom to ask,
//! `LISTEN` where to listen.

use std::sync::Arc;

use axum::routing::post;
use tonic::service::{Routes, RoutesBuilder};
use tonic::transport::server::{Server, TcpIncoming};
use tonic::{Request, Response, Status};
use ttn_auth::proto::handler::{Device, DeviceIdentifier};
use ttn_auth::{AccountServer, Authenticator, Claims, GrpcGuardLayer, Policy};

async fn get_device(request: Request<DeviceIdentifier>) -> Result<Response<Device>, Status> {
    // The guard puts them there.
    let caller = request.extensions().get::<Arc<Claims>>().ok_or_else(|| Status::internal("no guard"))?;
    let description = format!("read by {}", caller.subject);
    let DeviceIdentifier { app_id, dev_id } = request.into_inner();
    Ok(Response::new(Device { app_id, dev_id, description, ..Default::default() }))
}

/// What tonic-prost-build would generate of a service; with it, this is `.add_service(ApplicationManagerServer::new(..))`.
pub(crate) fn routes() -> Routes {
    let method = post(async |request: axum::extract::Request| {
        let codec = tonic_prost::ProstCodec::default();
        tonic::server::Grpc::new(codec)
            .unary(tower::service_fn(get_device), request)
            .await
            .map(axum::body::Body::new)
    });
    RoutesBuilder::from(axum::Router::new().route("/handler.ApplicationManager/GetDevice", method)).routes()
}

pub(crate) fn guard(authenticator: Authenticator) -> GrpcGuardLayer {
    GrpcGuardLayer::new(authenticator, Policy::application_manager())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let env = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let account_server =
        AccountServer::new(&env("TTN_ACCOUNT_SERVER", "https://account.thethingsnetwork.org"))?;
    let authenticator =
        Authenticator::builder().auth_server(env("TTN_ISSUER", "ttn-account-v2"), account_server).build();
    let listener = tokio::net::TcpListener::bind(env("LISTEN", "127.0.0.1:1904")).await?;
    println!("listening on {}", listener.local_addr()?);
    let server = Server::builder().layer(guard(authenticator)).add_routes(routes());
    server.serve_with_incoming(TcpIncoming::from(listener)).await?;
    Ok(())
}
