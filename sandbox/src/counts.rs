//! How often a sandbox was asked for what, since it was started.

use std::sync::atomic::{AtomicUsize, Ordering};

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// How often a sandbox was asked for what, since it was started.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Counts { $($(#[$doc])* pub $name: usize,)* }

        /// The same, counting.
        #[derive(Debug, Default)]
        pub(crate) struct Counters { $(pub(crate) $name: Counter,)* }

        impl Counters {
            pub(crate) fn read(&self) -> Counts {
                Counts { $($name: self.$name.get(),)* }
            }
        }
    };
}

counts! {
    /// Exchanges of a key for a token, granted or not.
    exchanges,
    /// Sign-ins of a person, granted or not.
    sign_ins,
    /// Refresh tokens to be replaced, granted or not.
    refreshes,
    /// Tokens to be restricted, granted or not.
    restricts,
    /// Reads of the public key.
    keys,
    /// Writes to the Handler that were carried out: of applications, devices and simulated uplinks.
    writes,
    /// Calls that the Handler's rate limit refused.
    rate_limited,
}

/// Counts up.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicUsize);

impl Counter {
    pub(crate) fn up(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}
