//! How one call becomes an answer: a turn, credentials, an attempt, and again where that may help.
//!
//! - A refused token (or a refused key that is kept in a file) is replaced, and the call made once more; never twice. It
//!   was not carried out.
//! - A call that came too soon (8 ResourceExhausted, 429) was not carried out either: it waits for another turn.
//! - Otherwise the [`RetryPolicy`] decides.
//!
//! The time limit is for everything but waiting for a turn.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::Instant;

use crate::pace::{MAX_WAIT, Pace};
use crate::retry::{RetryBudget, may_be_done};
use crate::supply::Supply;
use crate::{CallOptions, Credentials, Error, ErrorKind, Result, RetryPolicy};

/// A server that wants a call to wait longer than this is not waited for.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A token that was got so long ago is as good as one that is got now.
const FRESH: Duration = Duration::from_secs(1);

/// No call takes longer, and no clock overflows.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 86_400);

/// How much of a server's text an error repeats, in characters.
const MAX_TEXT: usize = 1000;

/// What the calls of one client share.
#[derive(Debug)]
pub(crate) struct Calls {
    pub(crate) address: String,
    pub(crate) supply: Supply,
    pub(crate) timeout: Duration,
    pub(crate) retry: RetryPolicy,
    pub(crate) pace: Pace,
    pub(crate) budget: RetryBudget,
}

/// One call so far.
#[derive(Debug)]
pub(crate) struct Call {
    limit: Duration,
    left: Duration,
    idempotent: bool,
    /// Attempts that count for the retry policy.
    attempts: u32,
    /// What was refused, and how. Never a second one.
    refused: Option<(Credentials, Error)>,
    /// Something else is to come in its place.
    replacing: bool,
    /// How the attempt before this one ended.
    last: Option<Error>,
    /// An earlier attempt may have been carried out.
    may_be_done: bool,
    begun: Instant,
}

/// An attempt that is about to be made.
#[derive(Debug)]
pub(crate) struct Attempt {
    /// None if there is nothing to send.
    pub(crate) credentials: Option<Credentials>,
    /// The call's time limit ends it.
    pub(crate) until: Instant,
    started: Instant,
}

impl Call {
    /// What the call ends with.
    fn failed(&self, error: Error) -> Error {
        if self.may_be_done { error.after_lost_answer() } else { error }
    }
}

impl Calls {
    /// The same for other credentials, which have paces and budgets of their own.
    pub(crate) fn with_credentials(&self, credentials: Credentials) -> Self {
        Self {
            address: self.address.clone(),
            supply: Supply::Fixed(credentials),
            timeout: self.timeout,
            retry: self.retry,
            pace: Pace::new(None),
            budget: RetryBudget::default(),
        }
    }

    /// Makes a call. `attempt` makes one attempt with the credentials it is given.
    pub(crate) async fn run<T, F>(
        &self,
        options: &CallOptions,
        idempotent: bool,
        attempt: impl Fn(Option<Credentials>) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let mut call = self.begin(options, idempotent);
        loop {
            let made = self.next(&mut call).await?;
            let error = match tokio::time::timeout_at(made.until, attempt(made.credentials.clone())).await {
                Ok(Ok(answer)) => {
                    self.succeeded(&made);
                    return Ok(answer);
                }
                Ok(Err(error)) => error,
                Err(_) => self.too_late(&call, &self.address),
            };
            self.failed(&mut call, made, error).await?;
        }
    }

    /// A call that has not been attempted.
    pub(crate) fn begin(&self, options: &CallOptions, idempotent: bool) -> Call {
        let limit = options.timeout.unwrap_or(self.timeout);
        Call {
            limit,
            left: limit,
            idempotent: options.idempotent.unwrap_or(idempotent),
            attempts: 0,
            refused: None,
            replacing: false,
            last: None,
            may_be_done: false,
            begun: Instant::now(),
        }
    }

    /// What the next attempt is made with, when it is its turn.
    ///
    /// # Errors
    /// What the call ends with.
    pub(crate) async fn next(&self, call: &mut Call) -> Result<Attempt> {
        loop {
            let ready = self.ready(call).await;
            let started = Instant::now();
            match ready {
                Ok(credentials) => {
                    let until = started.checked_add(call.left).unwrap_or(started + FOR_EVER);
                    return Ok(Attempt { credentials, until, started });
                }
                Err(error) => self.repeat(call, error, None, started).await?,
            }
        }
    }

    /// An attempt has got its answer.
    pub(crate) fn succeeded(&self, attempt: &Attempt) {
        if let Some(Credentials::Token(token)) = &attempt.credentials {
            token.accept();
        }
        self.pace.accepted(attempt.started);
        self.budget.refund();
    }

    /// An attempt has failed. It waits until it is time for another.
    ///
    /// # Errors
    /// What the call ends with, if there is to be no other.
    pub(crate) async fn failed(&self, call: &mut Call, attempt: Attempt, error: Error) -> Result<()> {
        let Attempt { credentials, started, .. } = attempt;
        let error = presentable(error, credentials.as_ref());
        call.left = call.left.saturating_sub(started.elapsed());
        if let Some(Credentials::Token(token)) = credentials.as_ref().filter(|_| takes_token(&error)) {
            token.accept();
        }
        self.repeat(call, error, credentials, started).await
    }

    /// An attempt has failed, and cannot be repeated: a token that was refused is not for the calls that follow either.
    pub(crate) fn gave_up(&self, attempt: &Attempt, error: Error) -> Error {
        let error = presentable(error, attempt.credentials.as_ref());
        if let Some(credentials) = attempt.credentials.as_ref().filter(|sent| refuses(sent, &error)) {
            self.supply.invalidate(credentials);
        }
        error
    }

    async fn repeat(
        &self,
        call: &mut Call,
        error: Error,
        credentials: Option<Credentials>,
        started: Instant,
    ) -> Result<()> {
        call.may_be_done |= may_be_done(&error);
        if !self.again(call, &error, credentials, started).await {
            return Err(call.failed(error));
        }
        call.last = Some(error);
        Ok(())
    }

    /// Credentials, then a turn: whoever waits for a token takes no turn from others, and does not start with them all when
    /// the token comes.
    async fn ready(&self, call: &mut Call) -> Result<Option<Credentials>> {
        let credentials = self.credentials(call).await?;
        if self.pace.is_free() {
            return Ok(credentials);
        }
        let asked = Instant::now();
        self.pace.turn().await?;
        if asked.elapsed() < FRESH {
            return Ok(credentials);
        }
        // In a long queue a token may have ended.
        self.credentials(call).await
    }

    async fn credentials(&self, call: &mut Call) -> Result<Option<Credentials>> {
        let mut supplied = pin!(self.supply.credentials());
        let outcome = match supplied.as_mut().now_or_never() {
            // Mostly they are there, and no clock is needed.
            Some(outcome) => outcome,
            None => {
                let asked = Instant::now();
                let outcome = tokio::time::timeout(call.left, supplied).await.unwrap_or_else(|_| {
                    // What was wrong before says more.
                    let last = call.last.clone();
                    Err(last.unwrap_or_else(|| self.too_late(call, "the token source").before_sending()))
                });
                call.left = call.left.saturating_sub(asked.elapsed());
                outcome
            }
        };
        let Some((refused, error)) = &call.refused else { return outcome };
        let same = matches!(&outcome, Ok(Some(credentials)) if credentials == refused);
        if std::mem::take(&mut call.replacing) {
            tracing::warn!(target: "ttn_auth::refused", code = error.code(), dropped = !same);
        }
        // There is no other one to be had.
        if same { Err(error.clone()) } else { outcome }
    }

    /// Whether to make the call again; waits until it is time.
    async fn again(
        &self,
        call: &mut Call,
        error: &Error,
        credentials: Option<Credentials>,
        started: Instant,
    ) -> bool {
        if call.left.is_zero() || call.begun.elapsed() >= MAX_WAIT {
            return false;
        }
        if let Some(refused) = credentials.filter(|sent| call.refused.is_none() && refuses(sent, error)) {
            call.replacing = self.supply.invalidate(&refused);
            call.refused = Some((refused, error.clone()));
            if !call.replacing {
                tracing::warn!(target: "ttn_auth::refused", code = error.code(), dropped = false);
            }
            return call.replacing;
        }
        if error.kind() == ErrorKind::RateLimited && !error.is_unsent() && self.retry.is_on() {
            let asked = error.retry_after();
            if asked.is_some_and(|wait| wait > LONGEST_PAUSE) {
                return false;
            }
            self.pace.refused(started, asked);
            told(error, call.attempts, asked.unwrap_or_default());
            return true;
        }
        call.attempts += 1;
        let Some(wait) = self.retry.wait(error, call.attempts, call.idempotent, fastrand::f64()) else {
            return false;
        };
        if wait >= call.left || !(error.is_unsent() || self.budget.take()) {
            return false;
        }
        told(error, call.attempts, wait);
        tokio::time::sleep(wait).await;
        call.left = call.left.saturating_sub(wait);
        true
    }

    pub(crate) fn too_late(&self, call: &Call, who: &str) -> Error {
        let message = format!("{who} did not answer within {} ms", call.limit.as_millis());
        Error::new(ErrorKind::Timeout, message)
    }
}

/// Whether the server refused what it was sent, rather than what was asked for.
fn refuses(sent: &Credentials, error: &Error) -> bool {
    match sent {
        Credentials::Token(_) => error.refuses_token(),
        Credentials::Key(_) => matches!(error.kind(), ErrorKind::InvalidKey | ErrorKind::UnknownIssuer),
        Credentials::ApiKey(_) => matches!(error.kind(), ErrorKind::InvalidKey | ErrorKind::KeyExpired),
    }
}

/// Whether the server looked beyond the token, so that the token is good.
fn takes_token(error: &Error) -> bool {
    use ErrorKind::{AlreadyExists, NotFound, PermissionDenied, RateLimited};
    matches!(error.kind(), AlreadyExists | NotFound | PermissionDenied | RateLimited)
}

fn told(error: &Error, attempt: u32, delay: Duration) {
    let delay_ms = delay.as_millis() as u64;
    tracing::debug!(target: "ttn_auth::retry", code = error.code(), attempt, delay_ms);
}

/// A server may repeat in its error what it was sent, and say more than anyone wants to read. And The Things Stack says the
/// same of a key and of a token that it does not take.
pub(crate) fn presentable(error: Error, credentials: Option<&Credentials>) -> Error {
    let error = match credentials {
        Some(Credentials::ApiKey(_)) if error.kind() == ErrorKind::InvalidToken => {
            error.with_kind(ErrorKind::InvalidKey)
        }
        _ => error,
    };
    error.map_message(|message| {
        let text = match credentials {
            Some(credentials) => credentials.secret().redact(message),
            None => message.to_owned(),
        };
        match text.char_indices().nth(MAX_TEXT) {
            Some((end, _)) => format!("{} ..", &text[..end]),
            None => text,
        }
    })
}
