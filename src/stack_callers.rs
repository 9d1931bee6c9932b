//! Callers with credentials of The Things Stack: it is asked what they are and what they may do, and the answer is believed
//! for half a minute.
//!
//! - Who it is: `auth_info`, with the caller's own credential. Rights of an application's key count for that application
//!   alone.
//! - What anybody else (a user's key, an OAuth token, a session) may do with an application: the server says, for that
//!   application.
//! - Without an answer nobody is let in; nor is anybody whose answer says nothing.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::Method;

use crate::auth_info::names;
use crate::exchange_pool::ExchangePool;
use crate::introspection_cache::IntrospectionCache;
use crate::proto::stack::{ApplicationIdentifiers, Rights};
use crate::stack_call::{Route, call};
use crate::stack_claims::claims;
use crate::stack_secret::StackSecret;
use crate::{
    AppId, AuthInfo, AuthKind, CallOptions, Claims, Client, Clock, Credentials, EntityKind, Error, ErrorKind,
    Result, Secret,
};

/// How long a question takes at most, with the wait for its turn: less than a caller waits, so that it is told why.
const TIME_LIMIT: Duration = Duration::from_secs(8);

/// No credential of The Things Stack is longer, in bytes; they have about 100.
const MAX_LENGTH: usize = 1024;

/// gRPC's Unauthenticated, as The Things Stack says it.
const UNAUTHENTICATED: i32 = 16;

/// Who has asked lately, and what they may do.
pub(crate) struct StackCallers {
    asking: Arc<Asking>,
    clock: Clock,
    infos: IntrospectionCache<Arc<AuthInfo>>,
    rights: IntrospectionCache<Arc<BTreeSet<String>>>,
}

/// How the server is asked.
struct Asking {
    client: Client,
    pool: ExchangePool,
}

impl StackCallers {
    /// Asks so many questions at once at most.
    pub(crate) fn new(client: Client, clock: Clock, questions: usize) -> Self {
        let asking = Arc::new(Asking { client, pool: ExchangePool::new(questions) });
        let (infos, rights) =
            (IntrospectionCache::new(clock.clone()), IntrospectionCache::new(clock.clone()));
        Self { asking, clock, infos, rights }
    }

    /// Whether it is The Things Stack's to know this credential.
    pub(crate) fn knows(token: &Secret) -> bool {
        StackSecret::of(token.expose()).is_some()
    }

    /// What the caller may do with the application, as claims.
    pub(crate) async fn claims(&self, token: &Secret, app: Option<&AppId>) -> Result<Arc<Claims>> {
        let credentials = readable(token)?;
        let asking = self.asking.clone();
        let sent = credentials.clone();
        let info = self.infos.get(&[token.expose()], || asking.info(sent)).await?;
        self.require_time(&info)?;
        let Some(app) = app else { return Ok(Arc::new(claims(&info, None, &BTreeSet::new()))) };
        let none = BTreeSet::new();
        let rights = match &info.entity {
            Some(entity) if entity.kind == EntityKind::Application => {
                let own = if entity.id == app.as_str() { &info.rights } else { &none };
                return Ok(Arc::new(claims(&info, Some(app), own)));
            }
            _ => {
                let asking = self.asking.clone();
                let ids = ApplicationIdentifiers { application_id: app.as_str().to_owned() };
                self.rights.get(&[token.expose(), app.as_str()], || asking.rights(credentials, ids)).await?
            }
        };
        Ok(Arc::new(claims(&info, Some(app), &rights)))
    }

    pub(crate) fn clear(&self) {
        self.infos.clear();
        self.rights.clear();
    }

    /// By our own clock, as of a token's `exp`: what is remembered ends no later.
    fn require_time(&self, info: &AuthInfo) -> Result<()> {
        match info.expires_at {
            Some(end) if end <= (self.clock)() => Err(match info.kind {
                AuthKind::ApiKey => refusal(ErrorKind::KeyExpired, "it has expired"),
                _ => refusal(ErrorKind::TokenExpired, "it has expired"),
            }),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for StackCallers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StackCallers").field("address", &self.asking.client.address()).finish_non_exhaustive()
    }
}

/// What can be a credential. Nobody is asked about anything else.
fn readable(token: &Secret) -> Result<Credentials> {
    let refused = |error: Error| {
        let message = format!("API key or token refused: {}", error.message());
        Error::new(ErrorKind::InvalidToken, message).with_grpc_code(UNAUTHENTICATED)
    };
    if token.expose().len() > MAX_LENGTH {
        return Err(refused(Error::new(ErrorKind::InvalidToken, "it is too long")));
    }
    Credentials::parse(token.expose()).map_err(refused)
}

impl Asking {
    async fn info(self: Arc<Self>, credentials: Credentials) -> Result<Arc<AuthInfo>> {
        let options = CallOptions::default();
        let info = self.place(self.client.auth_info_of(credentials.clone(), &options)).await?;
        // It was sent one, so anything else is no answer.
        let info = info
            .filter(|info| fits(info, &credentials))
            .ok_or_else(|| doubt("The Things Stack's answer does not fit what it was asked about"))?;
        Ok(Arc::new(info))
    }

    async fn rights(
        self: Arc<Self>,
        credentials: Credentials,
        ids: ApplicationIdentifiers,
    ) -> Result<Arc<BTreeSet<String>>> {
        let client = self.client.with_credentials(credentials);
        let options = CallOptions::default().idempotent(true);
        let route = || Ok(Route::new(Method::GET, &["applications", &ids.application_id, "rights"]));
        let method = "/ttn.lorawan.v3.ApplicationAccess/ListRights";
        let answer = self.place(call(&client, &options, method, &ids, route)).await;
        let rights = match answer {
            Ok((Rights { rights }, _)) => names(&rights),
            // There is no such application, or none that it may know of.
            Err(error) if says_none(&error) => BTreeSet::new(),
            Err(error) => return Err(error),
        };
        Ok(Arc::new(rights))
    }

    /// Asks when it is its turn. What it says of the caller is the caller's; everything else is doubt.
    async fn place<T>(&self, question: impl Future<Output = Result<T>>) -> Result<T> {
        let in_turn = async {
            let _place = self.pool.place(TIME_LIMIT).await?;
            question.await
        };
        let answer = tokio::time::timeout(TIME_LIMIT, in_turn).await.unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::Timeout, format!("it did not answer within {TIME_LIMIT:?}")))
        });
        answer.map_err(|error| {
            tracing::debug!(target: "ttn_auth::guard", outcome = error.code(), "The Things Stack was asked");
            if is_refusal(error.kind()) || says_none(&error) {
                // In its own words, so that the caller's client tells what it is.
                return Error::new(error.kind(), error.message()).with_grpc_code(UNAUTHENTICATED);
            }
            let told = doubt(&format!("The Things Stack cannot be asked: {}", error.message()));
            match error.retry_after() {
                Some(wait) => told.with_retry_after(wait),
                None => told,
            }
        })
    }
}

const UNAVAILABLE: i32 = 14;

fn doubt(message: &str) -> Error {
    Error::new(ErrorKind::ExchangeUnavailable, message).with_grpc_code(UNAVAILABLE)
}

/// Whether an answer is about this credential: one about another, a proxy may have kept.
fn fits(info: &AuthInfo, credentials: &Credentials) -> bool {
    let text = credentials.secret().expose();
    let kind = match StackSecret::of(text) {
        Some(StackSecret::ApiKey) => AuthKind::ApiKey,
        Some(StackSecret::AccessToken) => AuthKind::OAuthAccessToken,
        Some(StackSecret::SessionToken) => AuthKind::UserSession,
        _ => return false,
    };
    info.kind == kind && info.entity.is_some() && info.id.as_deref() == StackSecret::id(text)
}

/// Of a credential that there is no server to ask about.
pub(crate) fn not_taken() -> Error {
    refusal(ErrorKind::InvalidToken, "it is The Things Stack's, and there is no server of it to ask here")
}

/// Of a credential that is presented as V2's keys are: it would go to V2's account server, which it is not for.
pub(crate) fn not_a_key() -> Error {
    refusal(
        ErrorKind::InvalidKey,
        "The Things Stack's are bearer tokens, also where they are called API keys",
    )
}

fn refusal(kind: ErrorKind, what: &str) -> Error {
    Error::new(kind, format!("API key or token refused: {what}")).with_grpc_code(UNAUTHENTICATED)
}

/// The server refused the credential: everything else may be over in a moment, or is not the caller's doing.
pub(crate) fn is_refusal(kind: ErrorKind) -> bool {
    use ErrorKind::*;
    matches!(
        kind,
        InvalidCredentials | InvalidKey | InvalidToken | KeyExpired | MissingCredentials | TokenExpired
    )
}

fn says_none(error: &Error) -> bool {
    use ErrorKind::{InvalidArgument, NotFound, PermissionDenied};
    matches!(error.kind(), PermissionDenied | NotFound | InvalidArgument)
}
