//! What comes back from a raw call, and how much of it.

use bytes::Bytes;
use http::HeaderMap;

/// The largest answer that is read: room for 10,000 devices and more, and an end to a server that never stops.
pub(crate) const MAX_ANSWER: usize = 32 << 20;

/// The answer to a raw gRPC call.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct UnaryAnswer {
    /// The encoded message.
    pub message: Bytes,
    /// Initial metadata.
    pub metadata: HeaderMap,
    /// Trailing metadata.
    pub trailers: HeaderMap,
}
