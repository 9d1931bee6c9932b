//! An HTTP API, on axum, that lets in whom The Things Network knows. `TTN_ACCOUNT_SERVER` and `TTN_ISSUER` say whom to ask,
//! `LISTEN` where to listen.

use std::sync::Arc;

use axum::extract::Path;
use axum::routing::get;
use axum::{Extension, Json, Router};
use ttn_auth::proto::handler::Device;
use ttn_auth::{Access, AccountServer, Authenticator, Claims, GuardLayer, Policy, Right};

async fn device(
    Extension(caller): Extension<Arc<Claims>>,
    Path((app_id, dev_id)): Path<(String, String)>,
) -> Json<Device> {
    let description = format!("read by {}", caller.subject);
    Json(Device { app_id, dev_id, description, ..Default::default() })
}

pub(crate) fn router(authenticator: Authenticator) -> ttn_auth::Result<Router> {
    let policy = Policy::new()
        .rule("GET /healthz", Access::Open)?
        .rule("GET /applications/{app_id}/devices/{dev_id}", Right::Devices)?;
    Ok(Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/applications/{app_id}/devices/{dev_id}", get(device))
        .layer(GuardLayer::new(authenticator, policy)))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let env = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let account_server =
        AccountServer::new(&env("TTN_ACCOUNT_SERVER", "https://account.thethingsnetwork.org"))?;
    let authenticator =
        Authenticator::builder().auth_server(env("TTN_ISSUER", "ttn-account-v2"), account_server).build();
    let listener = tokio::net::TcpListener::bind(env("LISTEN", "127.0.0.1:8084")).await?;
    println!("listening on {}", listener.local_addr()?);
    axum::serve(listener, router(authenticator)?).await?;
    Ok(())
}
