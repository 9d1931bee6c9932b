//! `TokenSource.restricted`: tokens for some applications out of a wider one.

use std::sync::Arc;

use napi::bindgen_prelude::ClassInstance;
use ttn_auth::{AppId, Credentials as Secrets, RestrictedToken, Result, Secret};

use crate::args::Fields;
use crate::credentials::{Credentials, Origin};
use crate::error::invalid;
use crate::exchange::account_server;
use crate::source::TokenSource;
use crate::vault;

/// Whose tokens are restricted, and what they are called in a store.
type Parent = (Arc<dyn ttn_auth::TokenSource>, Option<Secret>);

pub(crate) fn restricted(options: &Fields) -> Result<TokenSource> {
    let (parent, parent_name) = parent(options)?;
    let apps = options
        .texts("appIds")?
        .ok_or_else(|| invalid("appIds are missing: the applications that the token is for"))?;
    let apps = apps.into_iter().map(AppId::new).collect::<Result<Vec<_>>>()?;
    let server = account_server(options, || Ok(None))?;
    let name = parent_name.map(|parent| {
        let mut sorted: Vec<_> = apps.iter().map(AppId::as_str).collect();
        sorted.sort_unstable();
        vault::name("restricted", &[&[server.address(), parent.expose()], &sorted[..]].concat())
    });
    let store = vault::vault(options)?;
    TokenSource::cached("restricted", RestrictedToken::new(server, parent, &apps)?, name, store)
}

fn parent(options: &Fields) -> Result<Parent> {
    let wrong = "a TokenSource, or Credentials of kind bearer-token";
    if let Ok(source) = options.typed::<ClassInstance<TokenSource>>("from", wrong) {
        let source = source.ok_or_else(|| invalid(format!("from is missing: {wrong}")))?;
        return Ok((Arc::clone(&source.inner), source.name.clone()));
    }
    let credentials = options.typed::<ClassInstance<Credentials>>("from", wrong)?;
    match credentials.as_ref().map(|credentials| &credentials.origin) {
        Some(Origin::Here(Secrets::Token(token))) => {
            Ok((Arc::new(token.clone()), Some(vault::name("bearer-token", &[token.secret().expose()]))))
        }
        Some(Origin::File { file, kind }) if kind.is_none_or(|kind| kind.name() == "bearer-token") => {
            Ok((Arc::new(file.clone()), None))
        }
        _ => Err(invalid(format!("from must be {wrong}; an access key has to be exchanged first"))),
    }
}
