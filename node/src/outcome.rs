//! How calls ended, on JavaScript's thread: every value is made and every promise settled here.

use std::panic::{AssertUnwindSafe, catch_unwind};

use napi::bindgen_prelude::Unknown;
use napi::{Env, JsError};
use ttn_auth::{ErrorKind, Result};

use crate::deferred::Deferred;
use crate::error::{self, panicked};
use crate::flat::Batch;
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

/// A call that has ended.
pub(crate) struct Settled {
    pub(crate) deferred: Deferred,
    pub(crate) outcome: Outcome,
    /// Its number, if it has a signal.
    pub(crate) watched: Option<u32>,
}

/// Settles the promises of these calls, in this order.
pub(crate) fn settle(env: &Env, ended: Vec<Settled>) {
    let mut batch = Batch::default();
    for each in &ended {
        if let Ok(Answer::Flat(flat)) = &each.outcome {
            batch.push(flat);
        }
    }
    let mut values = batch.read(env);
    for Settled { deferred, outcome, watched } in ended {
        // It stops the listening in any case.
        let reason = watched.and_then(|number| hooks::unwatch(env, number).ok());
        let made = catch_unwind(AssertUnwindSafe(|| match outcome {
            Ok(Answer::Made(make)) => make(env),
            Ok(Answer::Flat(_)) => values.next(),
            Err(error) => {
                let cause = reason.filter(|_| error.kind() == ErrorKind::Cancelled);
                Err(error::thrown(env, &error, cause))
            }
        }))
        .unwrap_or_else(|panic| Err(error::thrown(env, &panicked(panic), None)));
        let outcome = made.map_err(|error| JsError::from(error).into_unknown(*env));
        // It can only fail while the environment ends.
        let _ = deferred.settle(env, outcome);
    }
}
