//! A JavaScript function as a source of tokens.

use std::future::Future;
use std::pin::Pin;

use tokio::time::Instant;
use ttn_auth::{AccessToken, Lifetime, Result, TokenSource};

use crate::kept::Kept;

/// Asks a function each time; a cache around it remembers.
#[derive(Debug)]
pub(crate) struct Callback(pub(crate) Kept);

impl TokenSource for Callback {
    fn token(&self) -> Pin<Box<dyn Future<Output = Result<AccessToken>> + Send + '_>> {
        Box::pin(async {
            let asked = Instant::now();
            let given = self.0.ask().await?;
            let token = AccessToken::new(given.token.expose())?;
            let lifetime = Lifetime::of(token.secret(), given.expires_in, asked);
            Ok(token.with_lifetime(lifetime))
        })
    }
}
