//! A reqwest client of one's own with an API key of The Things Stack. `TTN_ADDRESS` and `TTN_SECRET` say where, and who asks.

use ttn_auth::{AuthMiddleware, Client, Credentials, Error};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // reqwest's feature `rustls` brings a provider of its own; without it one is chosen here.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let address = std::env::var("TTN_ADDRESS")?; // such as https://eu1.cloud.thethings.network
    let credentials = Credentials::parse(&std::env::var("TTN_SECRET")?)?;
    // The credentials go to this address only.
    let auth = Client::builder(&address).credentials(credentials).call_auth()?;
    let client = reqwest_middleware::ClientBuilder::new(reqwest::Client::new())
        .with(AuthMiddleware::new(auth))
        .build();

    let answer = client.get(format!("{address}/api/v3/auth_info")).send().await?;
    if let Some(error) = answer.extensions().get::<Error>() {
        println!("{}: {error}. {}", error.code(), error.hint());
        return Ok(());
    }
    println!("{}", answer.text().await?);
    Ok(())
}
