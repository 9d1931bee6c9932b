//! Reads a device. `TTN_ADDRESS` and `TTN_SECRET` say from where, and who asks.

use ttn_auth::{Client, Credentials, proto::handler::DeviceIdentifier};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::builder(std::env::var("TTN_ADDRESS")?) // grpc://, grpcs://, http:// or https://
        .credentials(Credentials::parse(&std::env::var("TTN_SECRET")?)?) // a bearer token or an access key
        .build()?;
    let id = DeviceIdentifier { app_id: "test-app".into(), dev_id: "dev-1".into() };
    match client.application_manager().get_device(&id).await {
        Ok(device) => println!("{}", ttn_auth::to_json(&device)?),
        Err(error) => println!("{}: {error}. {}", error.code(), error.hint()),
    }
    Ok(())
}
