//! What every source does that asks an account server: a token's life is counted from when it was asked for, and the
//! outside is told, by one event `ttn_auth::exchange` for each time that the account server was asked.

use std::future::Future;

use tokio::time::Instant;

use crate::{AccessToken, Error, ErrorKind, Exchanged, Lifetime, Result};

/// The token that `asking` ends with. `source` is its name in the event.
pub(crate) async fn obtain(
    source: &'static str,
    asking: impl Future<Output = Result<Exchanged>>,
) -> Result<AccessToken> {
    let asked = Instant::now();
    let outcome = asking.await.and_then(|exchanged| accept(&exchanged, asked));
    let duration_ms = asked.elapsed().as_millis() as u64;
    match &outcome {
        Ok(token) => {
            let expires_in_ms =
                token.lifetime().map(|life| (life.expires_at() - life.obtained()).as_millis() as u64);
            tracing::debug!(target: "ttn_auth::exchange", source, outcome = "ok", duration_ms, expires_in_ms);
        }
        Err(error) => {
            tracing::warn!(target: "ttn_auth::exchange", source, outcome = error.code(), duration_ms);
        }
    }
    outcome
}

fn accept(exchanged: &Exchanged, asked: Instant) -> Result<AccessToken> {
    // The reason is left out: it may repeat a part of the token.
    let token = AccessToken::new(exchanged.token.expose()).map_err(|_| {
        Error::new(ErrorKind::Protocol, "what the account server gave is no token that can be sent")
    })?;
    Ok(token.with_lifetime(Lifetime::of(&exchanged.token, Some(exchanged.expires_in), asked)))
}
