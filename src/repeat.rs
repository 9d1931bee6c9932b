//! Bodies that can be sent a second time, and answers of which the beginning has been read: what a layer needs that makes a
//! call again.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// Makes another body of what has been sent; none if it was too much, or has not been sent to its end.
pub type Again<B> = Box<dyn FnOnce() -> Option<B> + Send>;

/// A request's body that may be sent a second time.
pub trait RepeatBody: Sized + Send + 'static {
    /// The body to send, and what makes another of it.
    fn repeat(self) -> (Self, Again<Self>);
}

macro_rules! of_clone {
    ($($(#[$cfg:meta])* $body:ty),*) => { $(
        $(#[$cfg])*
        impl RepeatBody for $body {
            fn repeat(self) -> (Self, Again<Self>) {
                let again = self.clone();
                (self, Box::new(move || Some(again)))
            }
        }
    )* };
}

of_clone!(
    (),
    String,
    Bytes,
    #[cfg(feature = "http")]
    http_body_util::Full<Bytes>
);

/// An answer's body of which the beginning has been read.
#[derive(Debug)]
pub struct Ahead<B> {
    read: VecDeque<Frame<Bytes>>,
    rest: Pin<Box<B>>,
}

impl<B: Body<Data = Bytes>> Ahead<B> {
    pub(crate) fn new(body: B) -> Self {
        Self { read: VecDeque::new(), rest: Box::pin(body) }
    }

    /// Reads the next frame, which stays to be read.
    pub(crate) async fn read(&mut self) -> Option<&Frame<Bytes>> {
        let frame = std::future::poll_fn(|context| self.rest.as_mut().poll_frame(context)).await;
        // What broke off is told to whoever reads on.
        self.read.push_back(frame?.ok()?);
        self.read.back()
    }
}

impl<B: Body<Data = Bytes>> Body for Ahead<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.read.pop_front() {
            Some(frame) => Poll::Ready(Some(Ok(frame))),
            None => self.rest.as_mut().poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.read.is_empty() { self.rest.size_hint() } else { SizeHint::default() }
    }
}

#[cfg(feature = "grpc")]
mod grpc {
    use std::sync::{Arc, Mutex, PoisonError};

    use super::*;

    /// A call's messages are kept up to here: more than a unary call of these APIs has.
    const LIMIT: usize = 1 << 20;

    /// What has been sent of a body.
    #[derive(Default)]
    struct Sent {
        data: Vec<Bytes>,
        bytes: usize,
        is_whole: bool,
    }

    /// Keeps what is sent, as it is sent: a stream of messages may never end.
    struct Recorded {
        body: tonic::body::Body,
        sent: Arc<Mutex<Sent>>,
    }

    impl Body for Recorded {
        type Data = Bytes;
        type Error = tonic::Status;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, tonic::Status>>> {
            let polled = Pin::new(&mut self.body).poll_frame(context);
            let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
            match &polled {
                Poll::Ready(Some(Ok(frame))) => {
                    let Some(data) = frame.data_ref() else { return polled };
                    sent.bytes = sent.bytes.saturating_add(data.len());
                    if sent.bytes <= LIMIT {
                        sent.data.push(data.clone());
                    } else {
                        sent.data.clear();
                    }
                }
                Poll::Ready(None) => sent.is_whole = true,
                _ => {}
            }
            polled
        }

        fn is_end_stream(&self) -> bool {
            let is_end = self.body.is_end_stream();
            if is_end {
                self.sent.lock().unwrap_or_else(PoisonError::into_inner).is_whole = true;
            }
            is_end
        }

        fn size_hint(&self) -> SizeHint {
            self.body.size_hint()
        }
    }

    /// Frames that are there already.
    struct Frames(VecDeque<Bytes>);

    impl Body for Frames {
        type Data = Bytes;
        type Error = tonic::Status;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, tonic::Status>>> {
            Poll::Ready(self.0.pop_front().map(|data| Ok(Frame::data(data))))
        }

        fn is_end_stream(&self) -> bool {
            self.0.is_empty()
        }
    }

    impl RepeatBody for tonic::body::Body {
        fn repeat(self) -> (Self, Again<Self>) {
            let sent = Arc::<Mutex<Sent>>::default();
            let recorded = Recorded { body: self, sent: sent.clone() };
            let again = move || {
                let sent = std::mem::take(&mut *sent.lock().unwrap_or_else(PoisonError::into_inner));
                let is_kept = sent.is_whole && sent.bytes <= LIMIT;
                is_kept.then(|| Self::new(Frames(sent.data.into())))
            };
            (Self::new(recorded), Box::new(again))
        }
    }
}
