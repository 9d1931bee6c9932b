//! What comes back from a raw call, and how much of it.

use bytes::{Bytes, BytesMut};
use http::HeaderMap;

use crate::{Error, ErrorKind, Result};

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

/// An answer's body as it comes in, of at most [`MAX_ANSWER`] bytes. One that comes in one piece, as small ones do, is not
/// copied.
#[derive(Default)]
pub(crate) struct Body {
    first: Bytes,
    all: BytesMut,
}

impl Body {
    /// # Errors
    /// [`ErrorKind::Protocol`] if it is too much.
    pub(crate) fn add(&mut self, chunk: Bytes) -> Result<()> {
        if self.first.len() + self.all.len() + chunk.len() > MAX_ANSWER {
            let message = format!("the answer is larger than {} MiB", MAX_ANSWER >> 20);
            return Err(Error::new(ErrorKind::Protocol, message));
        }
        if self.first.is_empty() && self.all.is_empty() {
            self.first = chunk;
        } else {
            self.all.extend_from_slice(&std::mem::take(&mut self.first));
            self.all.extend_from_slice(&chunk);
        }
        Ok(())
    }

    /// All that came.
    pub(crate) fn whole(self) -> Bytes {
        if self.all.is_empty() { self.first } else { self.all.freeze() }
    }
}
