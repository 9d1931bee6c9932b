//! gRPC's server streaming: one message after the other, and a status at the end.

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;

use crate::Result;
use crate::answer::MAX_ANSWER;
use crate::grpc_channel::{PREFIX, broken, ended, lost};
use crate::http2::Receiving;

/// The messages of one call. Dropped before its end, the call is cancelled.
pub(crate) struct GrpcStream {
    receiving: Receiving,
    came: BytesMut,
    /// The one that was waited for when it began.
    first: Option<Bytes>,
    is_over: bool,
}

impl GrpcStream {
    /// Waits for the first message, or for the end.
    pub(crate) async fn begin(receiving: Receiving) -> Result<Self> {
        let mut this = Self { receiving, came: BytesMut::new(), first: None, is_over: false };
        this.first = this.read().await?;
        Ok(this)
    }

    /// Initial metadata.
    pub(crate) fn metadata(&self) -> &HeaderMap {
        &self.receiving.head.headers
    }

    /// The next message; none at the end. Nothing is lost if it is given up.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        let read = self.read().await;
        self.is_over |= read.is_err();
        read
    }

    async fn read(&mut self) -> Result<Option<Bytes>> {
        if self.is_over {
            return Ok(None);
        }
        loop {
            if let Some(message) = take(&mut self.came)? {
                return Ok(Some(message));
            }
            match self.receiving.data().await {
                Some(chunk) => self.came.extend_from_slice(&chunk.map_err(lost)?),
                None => break,
            }
        }
        let trailers = self.receiving.trailers().await.map_err(lost)?;
        self.is_over = true;
        ended(&self.receiving.head, &trailers)?;
        if self.came.is_empty() { Ok(None) } else { Err(broken("the answer's message is cut off")) }
    }
}

/// A message that is whole.
fn take(came: &mut BytesMut) -> Result<Option<Bytes>> {
    if came.len() < PREFIX {
        return Ok(None);
    }
    let (compressed, length) = (came[0], u32::from_be_bytes([came[1], came[2], came[3], came[4]]));
    if compressed != 0 {
        return Err(broken("the answer is compressed, which was not asked for"));
    }
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > MAX_ANSWER {
        return Err(broken(&format!("a message is larger than {} MiB", MAX_ANSWER >> 20)));
    }
    if came.len() - PREFIX < length {
        return Ok(None);
    }
    came.advance(PREFIX);
    Ok(Some(came.split_to(length).freeze()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_taken_when_they_are_whole() {
        let mut came = BytesMut::from(&b"\0\0\0\0\x02ab\0\0\0\0\0\0\0\0\0\x03c"[..]);
        assert_eq!(take(&mut came).unwrap().unwrap(), "ab");
        assert_eq!(take(&mut came).unwrap().unwrap(), "");
        assert_eq!(take(&mut came).unwrap(), None);
        came.extend_from_slice(b"de");
        assert_eq!(take(&mut came).unwrap().unwrap(), "cde");
        assert_eq!(take(&mut came).unwrap(), None);
    }

    #[test]
    fn compressed_and_huge_messages_are_refused() {
        for prefix in [&b"\x01\0\0\0\x01"[..], b"\0\xff\xff\xff\xff"] {
            assert!(take(&mut BytesMut::from(prefix)).is_err());
        }
    }
}
