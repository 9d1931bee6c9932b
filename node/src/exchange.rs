//! Options of those who ask an account server, and `TokenSource.keyExchange`.

use napi::bindgen_prelude::ClassInstance;
use ttn_auth::{AccountServer, AppId, Credentials as Secrets, KeyExchange, KeyOrigin, Result, Secret};

use crate::args::Fields;
use crate::credentials::{Credentials, Origin};
use crate::error::invalid;
use crate::source::TokenSource;
use crate::vault;

/// The account server that the options name, or the one of this issuer; and who asks it.
pub(crate) fn account_server(
    options: &Fields,
    issuer: impl FnOnce() -> Result<Option<String>>,
) -> Result<AccountServer> {
    let ca = options.text("ca")?;
    let server = match (options.text("accountServer")?, &ca) {
        (Some(address), _) => AccountServer::with_ca(&address, ca.as_deref())?,
        (None, Some(_)) => return Err(invalid("ca is that of the accountServer, which is missing")),
        (None, None) => match issuer()? {
            Some(issuer) => AccountServer::of_issuer(&issuer)?,
            None => return Err(invalid("accountServer is missing, such as https://account.example")),
        },
    };
    login(server, options)
}

/// The same as whoever the options say.
pub(crate) fn login(server: AccountServer, options: &Fields) -> Result<AccountServer> {
    let secret = |field| Ok(options.text(field)?.map(Secret::new));
    match (options.text("clientId")?, secret("clientSecret")?, secret("bearerToken")?) {
        (None, None, None) => Ok(server),
        (Some(id), Some(secret), None) => Ok(server.with_client(id, secret)),
        (None, None, Some(token)) => Ok(server.with_bearer_token(token)),
        (_, _, None) => Err(invalid("clientId and clientSecret belong together")),
        (_, _, Some(_)) => Err(invalid("give either clientId and clientSecret, or a bearerToken")),
    }
}

/// Credentials among the options.
pub(crate) fn credentials<'a>(
    options: &Fields<'a>,
    field: &str,
) -> Result<Option<ClassInstance<'a, Credentials>>> {
    options.typed(field, "made by Credentials.parse, bearerToken, accessKey, fromFile or fromEnvironment")
}

/// The exchange of an access key at its account server. `options` may be empty.
pub(crate) fn key_exchange(credentials: &Credentials, options: &Fields) -> Result<TokenSource> {
    let token = || {
        invalid(
            "an access key can be exchanged for a token; a bearer token is one already: give it without exchange",
        )
    };
    let app = options.text("appId")?.or_else(|| credentials.app_id.clone()).ok_or_else(|| {
        invalid("the application is missing: Credentials.accessKey(key, { appId: 'my-app' })")
    })?;
    let app = AppId::new(app)?;
    let key = match &credentials.origin {
        Origin::Here(Secrets::Key(key)) => KeyOrigin::from(key.clone()),
        Origin::File { file, kind } if kind.is_none_or(|kind| kind.name() == "access-key") => {
            KeyOrigin::from(file.clone())
        }
        _ => return Err(token()),
    };
    let issuer = || match credentials.now()? {
        Secrets::Key(key) => Ok(key.issuer().map(str::to_owned)),
        _ => Err(token()),
    };
    let server = account_server(options, issuer)?;
    let store = vault::vault(options)?;
    // The key as it is now: by its file's path alone, different keys could have one name. Read for a store only.
    let key_text = match (&credentials.origin, &store) {
        (Origin::File { .. }, None) => None,
        _ => Some(credentials.now()?.secret().clone()),
    };
    let name =
        key_text.map(|key| vault::name("key-exchange", &[server.address(), app.as_str(), key.expose()]));
    TokenSource::cached("key-exchange", KeyExchange::new(server, app, key), name, store)
}
