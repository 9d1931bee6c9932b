//! What comes piece by piece, as JavaScript reads it: a list of what is there, each time that it asks. So nobody is ahead of
//! whoever reads, and many small pieces need one wake-up.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::stream::{Fuse, Stream, StreamExt};
use napi::Env;
use napi::bindgen_prelude::{Buffer, Object, ToNapiValue, Unknown};
use napi_derive::napi;
use serde::Serialize;
use tokio::sync::{Mutex, watch};
use ttn_auth::{Error, Result, to_json};

use crate::args::Fields;
use crate::contained::Contained;
use crate::error::guard;
use crate::hooks;
use crate::promise::{Call, promise};
use crate::runtime::runtime;

/// So many pieces are given in one go at most, and those of so many bytes.
const MOST: usize = 500;
const MOST_BYTES: usize = 1 << 20;

/// A piece, as it becomes a value.
pub(crate) enum Piece {
    Json(String),
    Bytes(Bytes),
}

type Pieces = Pin<Box<dyn Stream<Item = Result<Piece>> + Send>>;

/// The pieces that are still to come.
struct Rest {
    pieces: Fuse<Pieces>,
    /// Came behind pieces that were given first.
    error: Option<Error>,
}

/// Reads what comes piece by piece. Of index.js: `client.events()` and others are made of it.
#[napi]
pub struct Reader {
    rest: Contained<Arc<Mutex<Option<Rest>>>>,
    closed: watch::Sender<bool>,
}

impl Reader {
    pub(crate) fn new(pieces: impl Stream<Item = Result<Piece>> + Send + 'static) -> Self {
        let pieces: Pieces = Box::pin(pieces);
        let rest = Rest { pieces: pieces.fuse(), error: None };
        Self { rest: Contained::new(Arc::new(Mutex::new(Some(rest)))), closed: watch::Sender::new(false) }
    }

    /// Of messages, as JSON.
    pub(crate) fn of_messages<T>(messages: impl Stream<Item = Result<T>> + Send + 'static) -> Self
    where
        T: Serialize + 'static,
    {
        Self::new(messages.map(|message| to_json(&message?).map(Piece::Json)))
    }
}

#[napi]
impl Reader {
    /// What has come since; waits for something. `null` at the end.
    #[napi(catch_unwind, skip_typescript)]
    pub fn next<'a>(&self, env: &'a Env, options: Option<Unknown<'a>>) -> napi::Result<Object<'a>> {
        let (rest, mut closed) = (Arc::clone(&self.rest), self.closed.subscribe());
        let prepare = || {
            let signal = Fields::optional(options, "options")?.value("signal")?;
            let future = async move {
                let mut rest = rest.lock().await;
                let came = match rest.as_mut() {
                    Some(rest) => tokio::select! {
                        biased;
                        _ = closed.wait_for(|closed| *closed) => None,
                        came = rest.next() => Some(came),
                    },
                    None => None,
                };
                match came {
                    Some(Ok(pieces)) if !pieces.is_empty() => Ok(Some(pieces)),
                    Some(Err(error)) => {
                        *rest = None;
                        Err(error)
                    }
                    _ => {
                        *rest = None;
                        Ok(None)
                    }
                }
            };
            Ok(Call { future, signal })
        };
        promise(env, prepare, |env, pieces| match pieces {
            Some(pieces) => values(env, pieces),
            None => napi::bindgen_prelude::Null.into_unknown(env),
        })
    }

    /// Ends it: whoever waits is told the end, and the connection is let go.
    #[napi(catch_unwind, skip_typescript)]
    pub fn close(&self, env: &Env) -> napi::Result<()> {
        guard(env, || {
            let _context = runtime()?.enter();
            self.closed.send_replace(true);
            // If somebody waits, it is dropped there.
            if let Ok(mut rest) = self.rest.try_lock() {
                *rest = None;
            }
            Ok(())
        })
    }
}

impl Rest {
    /// At least one piece, and what else is there; none at the end.
    async fn next(&mut self) -> Result<Vec<Piece>> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let Some(first) = self.pieces.next().await else { return Ok(Vec::new()) };
        let first = first?;
        let mut bytes = first.len();
        let mut pieces = vec![first];
        while pieces.len() < MOST && bytes < MOST_BYTES {
            match self.pieces.next().now_or_never() {
                Some(Some(Ok(piece))) => {
                    bytes += piece.len();
                    pieces.push(piece);
                }
                Some(Some(Err(error))) => {
                    self.error = Some(error);
                    break;
                }
                Some(None) | None => break,
            }
        }
        Ok(pieces)
    }
}

impl Piece {
    fn len(&self) -> usize {
        match self {
            Self::Json(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }
}

fn values<'a>(env: &'a Env, pieces: Vec<Piece>) -> napi::Result<Unknown<'a>> {
    let mut list = env.create_array(0)?;
    let mut json = String::new();
    for piece in pieces {
        match piece {
            Piece::Bytes(bytes) => list.insert(Buffer::from(bytes.as_ref()))?,
            Piece::Json(text) => {
                json.push(if json.is_empty() { '[' } else { ',' });
                json.push_str(&text);
            }
        }
    }
    if json.is_empty() {
        return list.into_unknown(env);
    }
    json.push(']');
    hooks::parse(env, json)
}
