//! For calls that another library makes: what to put on them, and whether one that failed is to be made again. It decides
//! by the same rules as [`Client`](crate::Client), which makes its calls itself.
//!
//! ```
//! # async fn send(_: &str) -> Result<(), ttn_auth::Failure> { Ok(()) }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> ttn_auth::Result<()> {
//! use ttn_auth::{CallAuth, CallOptions, Client, Credentials};
//!
//! let auth: CallAuth = Client::builder("https://eu1.cloud.thethings.network")
//!     .credentials(Credentials::api_key("NNSXS.ID.SECRET")?)
//!     .call_auth()?;
//! let mut call = auth.begin(&CallOptions::default().idempotent(true));
//! loop {
//!     let attempt = call.next().await?; // credentials, when it is the call's turn
//!     let secret = attempt.credentials.as_ref().map_or("", |credentials| credentials.secret().expose());
//!     match send(secret).await {
//!         Ok(()) => break call.succeeded(),
//!         // Waits until it is time for another attempt; or is the error that the call ends with.
//!         Err(failure) => call.failed(failure).await?,
//!     }
//! }
//! # Ok(())
//! # }
//! ```

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use tokio::time::Instant;

use crate::address::Address;
use crate::attempt::{self, Call, Calls};
use crate::pace::Pace;
use crate::retry::RetryBudget;
use crate::supply::Supply;
use crate::{CallOptions, Credentials, Error, ErrorKind, Result, RetryPolicy, refusal};

/// Decides for calls that another library makes. Cheap to clone; clones share their pace and what they know of tokens.
#[derive(Clone, Debug)]
pub struct CallAuth {
    calls: Arc<Calls>,
    /// Where credentials may go; none is wherever the caller says.
    origin: Option<Address>,
    allow_insecure: bool,
}

/// One call, from its first attempt to its end.
#[derive(Debug)]
pub struct AuthCall {
    calls: Arc<Calls>,
    call: Call,
    attempt: Option<attempt::Attempt>,
}

/// What an attempt is made with.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// To be put on the request by a [`Carrier`](crate::Carrier); none if there is nothing to send.
    pub credentials: Option<Credentials>,
    /// How long it may take.
    pub time_left: Duration,
}

/// How an attempt failed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Failure {
    /// The server refused it over gRPC.
    Grpc {
        /// The gRPC status code.
        code: i32,
        /// `grpc-message`, decoded.
        message: String,
        /// Initial metadata.
        headers: HeaderMap,
        /// Trailing metadata.
        trailers: HeaderMap,
    },
    /// The server answered another HTTP status than one of success.
    Http {
        /// The status.
        status: StatusCode,
        /// The answer's headers.
        headers: HeaderMap,
        /// The answer's body, or as much of it as there is.
        body: bytes::Bytes,
    },
    /// There was no answer. An error that is [`before_sending`](Error::before_sending) is of a request that has not been
    /// sent.
    Lost(Error),
}

impl CallAuth {
    pub(crate) fn new(calls: Calls, origin: Option<Address>, allow_insecure: bool) -> Self {
        Self { calls: Arc::new(calls), origin, allow_insecure }
    }

    /// For wherever the caller sends it, with the default rules. The limit is for getting credentials.
    pub(crate) fn of_supply(supply: Supply, limit: Duration) -> Self {
        let calls = Calls {
            address: "the server".to_owned(),
            supply,
            timeout: limit,
            retry: RetryPolicy::default(),
            pace: Pace::new(None),
            budget: RetryBudget::default(),
        };
        Self::new(calls, None, false)
    }

    /// Refuses an address that credentials must not go to: plaintext to another machine, or another origin than the one that
    /// this was made for.
    ///
    /// # Errors
    /// [`ErrorKind::InsecureTransport`] or [`ErrorKind::InvalidArgument`].
    pub fn check(&self, address: &str) -> Result<()> {
        let origin = address.find("://").map_or(address, |scheme| {
            let rest = scheme + 3;
            let end = address[rest..].find(['/', '?', '#']).map_or(address.len(), |end| rest + end);
            &address[..end]
        });
        let address = Address::parse(origin)?;
        address.require_private(self.allow_insecure)?;
        match &self.origin {
            Some(own) if own.origin() != address.origin() => {
                let message = format!("the credentials are for {own}, and do not go to {address}");
                Err(Error::new(ErrorKind::InvalidArgument, message))
            }
            _ => Ok(()),
        }
    }

    /// A call that has not been attempted. It is taken for one that may not be carried out twice, unless the options say so.
    pub fn begin(&self, options: &CallOptions) -> AuthCall {
        AuthCall { calls: self.calls.clone(), call: self.calls.begin(options, false), attempt: None }
    }
}

impl AuthCall {
    /// What the next attempt is made with, when it is its turn.
    ///
    /// # Errors
    /// What the call ends with: there are no credentials to be had.
    pub async fn next(&mut self) -> Result<Attempt> {
        let attempt = self.calls.next(&mut self.call).await?;
        let told = Attempt {
            credentials: attempt.credentials.clone(),
            time_left: attempt.until.saturating_duration_since(Instant::now()),
        };
        self.attempt = Some(attempt);
        Ok(told)
    }

    /// The attempt got its answer: the call is over.
    pub fn succeeded(mut self) {
        self.end();
    }

    /// The same, for bindings, which cannot give the call away.
    pub fn end(&mut self) {
        if let Some(attempt) = self.attempt.take() {
            self.calls.succeeded(&attempt);
        }
    }

    /// The attempt failed. It waits until it is time for another.
    ///
    /// # Errors
    /// What the call ends with, if there is to be no other: without the credential, should the server have repeated it.
    pub async fn failed(&mut self, failure: Failure) -> Result<()> {
        let error = failure.into_error();
        match self.attempt.take() {
            Some(attempt) => self.calls.failed(&mut self.call, attempt, error).await,
            None => Err(error),
        }
    }

    /// The attempt failed, and there can be no other. What it tells of the credentials counts for the calls that follow.
    pub fn gave_up(&mut self, failure: Failure) -> Error {
        let error = failure.into_error();
        match self.attempt.take() {
            Some(attempt) => self.calls.gave_up(&attempt, error),
            None => error,
        }
    }

    /// The attempt took longer than the call had time left. That ends it.
    pub async fn timed_out(&mut self) -> Result<()> {
        let error = self.calls.too_late(&self.call, &self.calls.address);
        self.failed(Failure::Lost(error)).await
    }
}

impl Failure {
    fn into_error(self) -> Error {
        match self {
            Self::Grpc { code, message, headers, trailers } => {
                refusal::grpc(code, &message, &headers, &trailers)
            }
            Self::Http { status, headers, body } => refusal::http(status, &headers, &body),
            Self::Lost(error) => error,
        }
    }
}

#[cfg(test)]
#[path = "call_auth_tests.rs"]
mod tests;
