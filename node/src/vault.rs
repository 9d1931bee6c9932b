//! The option `store`: where tokens are kept, sealed, for other processes and for the next start.

use std::sync::Arc;

use ttn_auth::{FileStore, RedisStore, Result, Secret, StoreKey, TokenStore, Vault};

use crate::args::Fields;
use crate::error::invalid;

/// The vault that the option describes; none if it is absent.
pub(crate) fn vault(options: &Fields) -> Result<Option<Vault>> {
    let Some(value) = options.value("store")? else { return Ok(None) };
    let store = Fields::required(value, "store")?;
    let key = store.text("key")?.ok_or_else(|| {
        invalid("store.key is missing: base64 of 32 bytes, made with: openssl rand -base64 32")
    })?;
    let key = StoreKey::parse(&key)?;
    let place: Arc<dyn TokenStore> = match (store.text("file")?, store.text("redis")?) {
        (Some(path), None) if !path.contains('\0') => Arc::new(FileStore::new(path)?),
        (Some(_), None) => return Err(invalid("store.file must be the path of a file")),
        (None, Some(url)) => Arc::new(redis(&store, url)?),
        _ => return Err(invalid("store must have either a file or redis, an address redis://host:port")),
    };
    Ok(Some(Vault::new(place, key)))
}

fn redis(store: &Fields, url: String) -> Result<RedisStore> {
    let mut builder = RedisStore::builder(url);
    if let Some(prefix) = store.text("prefix")? {
        builder = builder.prefix(prefix);
    }
    if let Some(ca) = store.text("ca")? {
        builder = builder.ca(ca);
    }
    builder.allow_insecure(store.flag("allowInsecure")?.unwrap_or_default()).build()
}

/// A name for a token in a vault, which only ever hashes it. No part has a zero byte in it, so that no two lists of parts
/// have the same name.
pub(crate) fn name(kind: &str, parts: &[&str]) -> Secret {
    Secret::new([&[kind], parts].concat().join("\0"))
}
