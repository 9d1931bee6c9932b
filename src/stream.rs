//! Server streaming: a call that is answered by messages, one after the other, for as long as the server has any.
//!
//! The call's time limit is for the first message; after it a stream may be silent for hours. That the server is still there
//! is found out otherwise: by HTTP/2's pings, and by TCP's keep-alive. Streams have connections of their own, so that one
//! that is read slowly holds no call up.

use std::fmt;

use bytes::Bytes;
use futures_util::stream::{self, Stream};
use http::{HeaderMap, Request};

use crate::attempt::presentable;
use crate::client::{Channel, method_path, wrong_transport};
use crate::{CallOptions, Client, Credentials, Result};

/// The messages that answer one call. Dropped before its end, the call is cancelled.
///
/// It ends with the server's last message, or with an error. [`Client::close`] ends it, too.
pub struct Streaming {
    client: Client,
    /// What an error must not repeat.
    credentials: Option<Credentials>,
    source: Source,
    is_over: bool,
}

enum Source {
    #[cfg(feature = "grpc")]
    Grpc(crate::grpc_stream::GrpcStream),
    #[cfg(feature = "http")]
    Http(Box<crate::http_stream::HttpStream>),
}

impl Client {
    /// Any gRPC method that streams its answers, `/package.Service/Method`, with its message encoded by the caller.
    ///
    /// Comes back with the first message. What fails before it is tried again as for other calls: credentials that are refused
    /// are replaced.
    ///
    /// # Errors
    /// [`ErrorKind::Unimplemented`](crate::ErrorKind::Unimplemented) for a client over HTTP; otherwise what the server, the
    /// network or the time limit says before the first message.
    pub async fn stream(
        &self,
        method: &str,
        message: Bytes,
        metadata: HeaderMap,
        options: &CallOptions,
    ) -> Result<Streaming> {
        let method = method_path(method)?;
        match self.channel() {
            #[cfg(feature = "grpc")]
            Channel::Grpc(channel) => {
                crate::reserved::refuse_reserved(&metadata)?;
                let open = async |credentials: Option<Credentials>| {
                    let stream = channel.stream(&method, &message, &metadata, credentials.clone()).await?;
                    Ok(self.streaming(credentials, Source::Grpc(stream)))
                };
                self.run(options, false, open).await
            }
            #[cfg(feature = "http")]
            Channel::Http(_) => {
                let _ = (method, message, metadata, options);
                Err(wrong_transport("gRPC streams need a grpc:// or grpcs:// address"))
            }
        }
    }

    /// Any HTTP route that answers with lines of `{"result": ..}`, as grpc-gateway does: the messages are the results, as
    /// JSON. The request is as for [`request`](Self::request).
    ///
    /// # Errors
    /// [`ErrorKind::Unimplemented`](crate::ErrorKind::Unimplemented) for a client over gRPC; otherwise what the server, the
    /// network or the time limit says before the first message.
    pub async fn stream_request(&self, request: Request<Bytes>, options: &CallOptions) -> Result<Streaming> {
        match self.channel() {
            #[cfg(feature = "http")]
            Channel::Http(channel) => {
                let open = async |credentials: Option<Credentials>| {
                    let stream = channel.stream(&request, credentials.clone()).await?;
                    Ok(self.streaming(credentials, Source::Http(stream.into())))
                };
                self.run(options, request.method().is_idempotent(), open).await
            }
            #[cfg(feature = "grpc")]
            Channel::Grpc(_) => {
                let _ = (request, options);
                Err(wrong_transport("HTTP streams need an http:// or https:// address"))
            }
        }
    }

    fn streaming(&self, credentials: Option<Credentials>, source: Source) -> Streaming {
        Streaming { client: self.clone(), credentials, source, is_over: false }
    }
}

impl Streaming {
    /// The answer's headers, or its initial metadata.
    pub fn metadata(&self) -> &HeaderMap {
        match &self.source {
            #[cfg(feature = "grpc")]
            Source::Grpc(stream) => stream.metadata(),
            #[cfg(feature = "http")]
            Source::Http(stream) => stream.metadata(),
        }
    }

    /// The next message; nothing after the last one, and after an error. Nothing is lost if this is given up.
    pub async fn next(&mut self) -> Option<Result<Bytes>> {
        if self.is_over {
            return None;
        }
        let Self { client, source, .. } = self;
        let next = async {
            match source {
                #[cfg(feature = "grpc")]
                Source::Grpc(stream) => stream.next().await,
                #[cfg(feature = "http")]
                Source::Http(stream) => stream.next().await,
            }
        };
        let read = tokio::select! {
            biased;
            error = client.closed() => Err(error),
            read = next => read,
        };
        self.is_over = !matches!(read, Ok(Some(_)));
        read.map_err(|error| presentable(error, self.credentials.as_ref())).transpose()
    }

    /// The same as a stream of messages.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes>> {
        stream::unfold(self, |mut this| async move { this.next().await.map(|message| (message, this)) })
    }
}

impl fmt::Debug for Streaming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streaming").field("address", &self.client.address()).finish_non_exhaustive()
    }
}
