//! `TokenSource.refreshToken`: tokens for someone who has signed in once.

use napi::{Env, ValueType};
use ttn_auth::{RefreshToken, Result, Secret};

use crate::args::{self, Fields};
use crate::error::invalid;
use crate::exchange::account_server;
use crate::source::TokenSource;
use crate::{kept, vault};

pub(crate) fn refresh_token(env: &Env, options: &Fields) -> Result<TokenSource> {
    let first = options
        .text("refreshToken")?
        .filter(|token| !token.is_empty())
        .ok_or_else(|| invalid("refreshToken is missing: what the sign-in ended with"))?;
    let server = account_server(options, || Ok(None))?;
    let name = vault::name("refreshed", &[server.address(), &first]);
    let mut source = RefreshToken::new(server, Secret::new(first));
    if let Some(function) = options.value("onRotate")? {
        if args::kind(function)? != ValueType::Function {
            return Err(invalid("onRotate must be a function"));
        }
        let listener = kept::keep(env, function)?;
        source = source.on_rotate(move |next| listener.tell(next.clone()));
    }
    let store = vault::vault(options)?;
    // Beside the refresh tokens the token itself: whoever finds it makes no trade.
    if let Some(vault) = &store {
        source = source.with_store(vault.clone());
    }
    TokenSource::cached("refresh-token", source, Some(name), store)
}
