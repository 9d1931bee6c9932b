//! What a JavaScript object owns in Rust: dropped by the garbage collector, where a panic would end the process.

use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::runtime::runtime;

/// A value whose destructor cannot panic, and finds the runtime that its connections and tasks live on.
pub(crate) struct Contained<T>(Option<T>);

impl<T> Contained<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Some(value))
    }
}

impl<T> Deref for Contained<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_ref().expect("the value is there until it is dropped")
    }
}

impl<T> Drop for Contained<T> {
    fn drop(&mut self) {
        let value = self.0.take();
        let dropped = catch_unwind(AssertUnwindSafe(|| {
            let _context = runtime().ok().map(|runtime| runtime.enter());
            drop(value);
        }));
        // The payload may have a destructor of its own.
        if let Err(payload) = dropped {
            let _ = catch_unwind(AssertUnwindSafe(|| drop(payload)));
        }
    }
}
