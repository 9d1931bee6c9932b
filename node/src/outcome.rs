//! How calls ended, on JavaScript's thread: every value is made and every promise settled here.

use std::panic::{AssertUnwindSafe, catch_unwind};

use napi::bindgen_prelude::Unknown;
use napi::{Env, JsError};
use ttn_auth::{Error, ErrorKind, Result};

use crate::deferred::Deferred;
use crate::error::{self, internal, panicked};
use crate::flat::{Batch, Values};
use crate::hooks;

/// How a call ended.
pub(crate) type Outcome = Result<Answer>;

/// What it ended with.
pub(crate) enum Answer {
    /// A value as text, which is read with all the others of its batch at once.
    Flat(Vec<u8>),
    /// What makes the value.
    Made(Make),
}

pub(crate) type Make = Box<dyn for<'e> FnOnce(&'e Env) -> napi::Result<Unknown<'e>> + Send>;

/// Calls that have ended, in their order. Values are written into one buffer on the thread that calls run on: what is
/// allocated there is freed there, but for one buffer for all.
#[derive(Default)]
pub(crate) struct Ended {
    flat: Batch,
    calls: Vec<(u32, End)>,
}

enum End {
    /// Its value is the next one of the batch.
    Flat,
    Made(Make),
    Failed(Error),
}

/// The other end of a call's promise.
pub(crate) struct Waiting {
    pub(crate) deferred: Deferred,
    /// It has a signal.
    pub(crate) watched: bool,
}

impl Ended {
    pub(crate) fn push(&mut self, number: u32, outcome: Outcome) {
        let end = match outcome {
            Ok(Answer::Flat(flat)) => {
                self.flat.push(&flat);
                End::Flat
            }
            Ok(Answer::Made(make)) => End::Made(make),
            Err(error) => End::Failed(error),
        };
        self.calls.push((number, end));
    }

    pub(crate) fn len(&self) -> usize {
        self.calls.len()
    }

    /// Settles the promises, which `find` gives by the numbers of their calls.
    pub(crate) fn settle(self, env: &Env, find: impl Fn(u32) -> Option<Waiting>) {
        // What panics here is napi's own; nobody else's promise is left pending for it.
        let read = catch_unwind(AssertUnwindSafe(|| self.flat.read(env)));
        let mut values = read.unwrap_or_else(|panic| {
            drop(panicked(panic));
            Values::default()
        });
        for (number, end) in self.calls {
            // Every value is taken, also one that nobody waits for.
            let place = matches!(end, End::Flat).then(|| values.next());
            let Some(Waiting { deferred, watched }) = find(number) else { continue };
            let made = catch_unwind(AssertUnwindSafe(|| {
                // It stops the listening in any case.
                let reason = watched.then(|| hooks::unwatch(env, number).ok()).flatten();
                match end {
                    End::Flat => place
                        .and_then(|place| values.at(place).ok())
                        .ok_or_else(|| error::thrown(env, &internal("the answer could not be read"), None)),
                    End::Made(make) => make(env),
                    End::Failed(error) => {
                        let cause = reason.filter(|_| error.kind() == ErrorKind::Cancelled);
                        Err(error::thrown(env, &error, cause))
                    }
                }
            }))
            .unwrap_or_else(|panic| Err(error::thrown(env, &panicked(panic), None)));
            let outcome = made.map_err(|error| JsError::from(error).into_unknown(*env));
            // It can only fail while the environment ends.
            let _ = deferred.settle(env, outcome);
        }
    }
}
