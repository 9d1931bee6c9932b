//! How often the V3 side was asked for what.

use crate::counts::Counter;

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// How often the V3 side was asked for what, since the sandbox was started.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct StackCounts { $($(#[$doc])* pub $name: usize,)* }

        /// The same, counting.
        #[derive(Debug, Default)]
        pub(crate) struct StackCounters { $(pub(crate) $name: Counter,)* }

        impl StackCounters {
            pub(crate) fn read(&self) -> StackCounts {
                StackCounts { $($name: self.$name.get(),)* }
            }
        }
    };
}

counts! {
    /// Calls of any method, over gRPC and HTTP, refused or not.
    calls,
    /// Questions who is calling that were answered.
    auth_infos,
    /// Streams of events that were opened.
    streams,
    /// Requests for OAuth tokens, granted or not.
    tokens,
    /// OAuth tokens that were granted, whether the answer arrived or not.
    granted,
    /// Calls that a rate limit refused.
    rate_limited,
}
