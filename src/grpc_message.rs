//! The first message of a gRPC request, read before the handler reads it.
//!
//! On the wire a message follows a flag, 1 if it is compressed, and its length in 4 bytes. The handler gets the bytes that
//! were read here, and then the rest, so that what was checked is what is done.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::Frame;
use tonic::body::Body;
use tonic::codegen::Body as _;
use tonic::{Code, Status};

/// What stands before a message.
const PREFIX: usize = 5;

/// A request's first message, and its body as it was before it was read.
#[derive(Debug)]
pub(crate) struct First {
    pub(crate) message: Bytes,
    pub(crate) body: Body,
}

/// Reads the first message, of at most `limit` bytes. Unless `stream` allows for more, a request has no other.
///
/// # Errors
/// What a V2 Handler says: 13 for what is no message, 8 if it is too large, 12 if it is compressed.
pub(crate) async fn first(mut body: Body, limit: usize, stream: bool) -> Result<First, Status> {
    let mut head = BytesMut::new();
    let end = loop {
        if let Some(end) = end(&head, limit)? {
            break end;
        }
        let frame = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        match frame.transpose()?.map(Frame::into_data) {
            Some(Ok(data)) => head.extend_from_slice(&data),
            // Trailers, or nothing more.
            Some(Err(_)) | None => return Err(undecodable("unexpected EOF")),
        }
    };
    if !stream && head.len() > end {
        return Err(second_message());
    }
    let head = head.freeze();
    let message = head.slice(PREFIX..end);
    Ok(First { message, body: Body::new(Replay { head: Some(head), body, stream }) })
}

/// Where the first message ends, if all of it is there.
fn end(head: &[u8], limit: usize) -> Result<Option<usize>, Status> {
    let Some(([flag, length @ ..], message)) = head.split_first_chunk::<PREFIX>() else { return Ok(None) };
    let length = u32::from_be_bytes(*length) as usize;
    match flag {
        0 if length > limit => {
            let text = format!("grpc: received message larger than max ({length} vs. {limit})");
            Err(Status::new(Code::ResourceExhausted, text))
        }
        0 => Ok((message.len() >= length).then_some(PREFIX + length)),
        1 => Err(Status::new(Code::Unimplemented, "grpc: Decompressor is not installed for grpc-encoding")),
        _ => Err(undecodable("the message's flag is neither 0 nor 1")),
    }
}

/// What a Handler says to a message that it cannot read.
pub(crate) fn undecodable(why: &str) -> Status {
    Status::new(Code::Internal, format!("grpc: error unmarshalling request: {why}"))
}

fn second_message() -> Status {
    undecodable("more than one message")
}

/// A body whose head was read.
struct Replay {
    head: Option<Bytes>,
    body: Body,
    stream: bool,
}

impl http_body::Body for Replay {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(head) = self.head.take() {
            return Poll::Ready(Some(Ok(Frame::data(head))));
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        Poll::Ready(match frame {
            Some(Ok(frame)) if !self.stream && frame.data_ref().is_some_and(|data| !data.is_empty()) => {
                Some(Err(second_message()))
            }
            frame => frame,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.head.is_none() && self.body.is_end_stream()
    }
}

#[cfg(test)]
#[path = "grpc_message_tests.rs"]
mod tests;
