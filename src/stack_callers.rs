//! Callers with credentials of The Things Stack: it is asked what they are and what they may do, and the answer is believed
//! for half a minute.
//!
//! - Who it is: `auth_info`, with the caller's own credential. Rights of an application's key count for that application
//!   alone.
//! - What anybody else (a user's key, an OAuth token, a session) may do with an application: the server says, for that
//!   application.
//! - Without an answer nobody is let in; nor is anybody whose answer says nothing.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use http::Method;
use ring::digest::{Context, SHA256};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::auth_info::names;
use crate::flight::Flight;
use crate::proto::stack::{ApplicationIdentifiers, Rights};
use crate::stack_call::{Route, call};
use crate::stack_claims::claims;
use crate::stack_secret::StackSecret;
use crate::{
    AppId, AuthInfo, CallOptions, Claims, Client, Credentials, EntityKind, Error, ErrorKind, Result, Secret,
};

/// How long an answer is believed: a key that is taken back is good for so long yet.
const BELIEVED: Duration = Duration::from_secs(30);

/// How long a refused credential is not tried again: a device in a loop with a wrong key is common.
const REFUSED: Duration = Duration::from_secs(5);

/// How many answers are remembered. Wrong keys count too, so without a limit a stranger could fill the memory.
const CAPACITY: usize = 10_000;

/// How many questions are under way at once, so that strangers do not make this server flood the other one.
const AT_ONCE: usize = 16;

/// No credential of The Things Stack is longer, in bytes; they have about 100.
const MAX_LENGTH: usize = 1024;

/// gRPC's Unauthenticated, as The Things Stack says it.
const UNAUTHENTICATED: i32 = 16;

/// Who has asked lately, and what they may do.
pub(crate) struct StackCallers {
    asking: Arc<Asking>,
    infos: Remembered<AuthInfo>,
    rights: Remembered<BTreeSet<String>>,
}

/// How the server is asked.
struct Asking {
    client: Client,
    places: Semaphore,
}

impl StackCallers {
    pub(crate) fn new(client: Client) -> Self {
        let asking = Arc::new(Asking { client, places: Semaphore::new(AT_ONCE) });
        Self { asking, infos: Remembered::default(), rights: Remembered::default() }
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
        let info = self.infos.get(id(token, None), || asking.info(sent)).await?;
        let Some(app) = app else { return Ok(Arc::new(claims(&info, None, &BTreeSet::new()))) };
        let rights = match &info.entity {
            Some(entity) if entity.kind == EntityKind::Application => {
                if entity.id == app.as_str() {
                    info.rights.clone()
                } else {
                    BTreeSet::new()
                }
            }
            _ => {
                let asking = self.asking.clone();
                let ids = ApplicationIdentifiers { application_id: app.as_str().to_owned() };
                self.rights.get(id(token, Some(app)), || asking.rights(credentials, ids)).await?
            }
        };
        Ok(Arc::new(claims(&info, Some(app), &rights)))
    }

    pub(crate) fn clear(&self) {
        self.infos.entries().clear();
        self.rights.entries().clear();
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
    async fn info(self: Arc<Self>, credentials: Credentials) -> Result<(AuthInfo, Instant)> {
        let asked = Instant::now();
        let options = CallOptions::default();
        let info = self.place(self.client.auth_info_of(credentials, &options)).await?;
        // It was sent one, so this is no answer.
        let info = info.ok_or_else(|| refusal(ErrorKind::InvalidToken, "the server does not know it"))?;
        let left = info.expires_at.map(|end| end.duration_since(SystemTime::now()).unwrap_or_default());
        Ok((info, asked + left.map_or(BELIEVED, |left| left.min(BELIEVED))))
    }

    async fn rights(
        self: Arc<Self>,
        credentials: Credentials,
        ids: ApplicationIdentifiers,
    ) -> Result<(BTreeSet<String>, Instant)> {
        let asked = Instant::now();
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
        Ok((rights, asked + BELIEVED))
    }

    /// Asks when it is its turn. What it says of the caller is the caller's; everything else is doubt.
    async fn place<T>(&self, question: impl Future<Output = Result<T>>) -> Result<T> {
        // Never closed, so it always comes to a place. Whoever waits has a time limit.
        let _place = self.places.acquire().await;
        question.await.map_err(|error| {
            tracing::debug!(target: "ttn_auth::guard", outcome = error.code(), "The Things Stack was asked");
            if is_of_the_caller(&error) || says_none(&error) {
                // In its own words, so that the caller's client tells what it is.
                return Error::new(error.kind(), error.message()).with_grpc_code(UNAUTHENTICATED);
            }
            let message = format!("The Things Stack cannot be asked: {}", error.message());
            Error::new(ErrorKind::ExchangeUnavailable, message).with_grpc_code(UNAVAILABLE)
        })
    }
}

const UNAVAILABLE: i32 = 14;

fn refusal(kind: ErrorKind, what: &str) -> Error {
    Error::new(kind, format!("API key or token refused: {what}")).with_grpc_code(UNAUTHENTICATED)
}

/// The server refused the credential.
fn is_of_the_caller(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::InvalidKey | ErrorKind::KeyExpired | ErrorKind::InvalidCredentials)
        || error.refuses_token()
}

fn says_none(error: &Error) -> bool {
    use ErrorKind::{InvalidArgument, NotFound, PermissionDenied};
    matches!(error.kind(), PermissionDenied | NotFound | InvalidArgument)
}

/// A digest, so that no credential is held, and how long a comparison takes tells nothing of one.
type Id = [u8; 32];

fn id(token: &Secret, app: Option<&AppId>) -> Id {
    let mut digest = Context::new(&SHA256);
    digest.update(token.expose().as_bytes());
    // Neither has a zero byte in it.
    digest.update(&[0]);
    digest.update(app.map_or("", AppId::as_str).as_bytes());
    let mut id = [0; 32];
    id.copy_from_slice(digest.finish().as_ref());
    id
}

/// What was asked, by what it was asked of.
struct Remembered<T>(Mutex<HashMap<Id, Arc<Entry<T>>>>);

struct Entry<T> {
    answer: Mutex<Option<(Result<T>, Instant)>>,
    question: Flight<T>,
}

impl<T> Default for Remembered<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Default for Entry<T> {
    fn default() -> Self {
        Self { answer: Mutex::new(None), question: Flight::default() }
    }
}

impl<T: Clone + Send + Sync + 'static> Remembered<T> {
    /// The answer that there is, or the one that `ask` gets, for everybody who wants it. It tells until when it is believed.
    async fn get<F>(&self, id: Id, ask: impl FnOnce() -> F) -> Result<T>
    where
        F: Future<Output = Result<(T, Instant)>> + Send + 'static,
    {
        let entry = self.entry(id);
        let landing = {
            let answer = entry.answer();
            if let Some((answer, until)) = &*answer
                && *until > Instant::now()
            {
                return answer.clone();
            }
            // While the answer is locked, so that nobody asks what has just been answered.
            entry.question.begin(|| entry.clone().ask(ask()))
        };
        landing.wait().await
    }

    fn entry(&self, id: Id) -> Arc<Entry<T>> {
        let mut entries = self.entries();
        if entries.len() >= CAPACITY && !entries.contains_key(&id) {
            // What is in use, or is believed yet and no refusal, stays.
            let now = Instant::now();
            entries.retain(|_, entry| {
                Arc::strong_count(entry) > 1
                    || matches!(&*entry.answer(), Some((Ok(_), until)) if *until > now)
            });
            if entries.len() >= CAPACITY {
                return Arc::default();
            }
        }
        entries.entry(id).or_default().clone()
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<Id, Arc<Entry<T>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Clone> Entry<T> {
    async fn ask(self: Arc<Self>, question: impl Future<Output = Result<(T, Instant)>>) -> Result<T> {
        let (answer, until) = match question.await {
            Ok((answer, until)) => (Ok(answer), Some(until)),
            // Doubt is not remembered: it may be over.
            Err(error) => {
                let until = is_of_the_caller(&error).then(|| Instant::now() + REFUSED);
                (Err(error), until)
            }
        };
        *self.answer() = until.map(|until| (answer.clone(), until));
        answer
    }

    fn answer(&self) -> MutexGuard<'_, Option<(Result<T>, Instant)>> {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
