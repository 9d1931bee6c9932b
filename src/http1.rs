//! HTTP/1.1 to one server, on hyper's connections: as many as requests are under way at once, kept for the next ones.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::response::Parts;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::Result;
use crate::answer::Body;
use crate::connect::Connector;
use crate::network::failed;
use crate::sharing::lock;

/// How many requests to one server are under way at once; the others wait their turn. HTTP/1.1 takes a connection for
/// each, and thousands of those at once fill a server's queue and use up a small machine's file descriptors.
pub(crate) const MAX_REQUESTS: usize = 256;

/// How long a connection is kept that nobody uses.
const IDLE: Duration = Duration::from_secs(90);

/// The connections to one server.
pub(crate) struct Http1 {
    connector: Connector,
    idle: Arc<Mutex<Idle>>,
    turns: Semaphore,
}

#[derive(Default)]
struct Idle {
    /// Since when it is idle. The one that was used last is used next, so that those too many grow old.
    connections: Vec<(Instant, SendRequest<Full<Bytes>>)>,
    /// How often all of them were dropped: those that were in use then do not come back.
    resets: u64,
    /// Somebody drops those that have grown old.
    swept: bool,
}

/// The body of an answer that is read as it comes. Dropped before its end, the connection is closed.
pub(crate) struct Receiving {
    body: Incoming,
    _connection: SendRequest<Full<Bytes>>,
}

impl Receiving {
    /// What comes next; nothing at the end.
    pub(crate) async fn data(&mut self) -> Option<Result<Bytes>> {
        loop {
            match self.body.frame().await?.map_err(failed) {
                Ok(frame) => {
                    if let Ok(chunk) = frame.into_data() {
                        return Some(Ok(chunk));
                    }
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl Http1 {
    pub(crate) fn new(connector: Connector) -> Self {
        Self { connector, idle: Arc::default(), turns: Semaphore::new(MAX_REQUESTS) }
    }

    /// The next call connects anew; calls in flight keep the connection they have.
    pub(crate) fn reset(&self) {
        let mut idle = lock(&self.idle);
        idle.resets += 1;
        let dropped = std::mem::take(&mut idle.connections);
        drop(idle);
        drop(dropped);
    }

    /// Makes a request, whose URI is a path, and reads its answer.
    pub(crate) async fn call(&self, mut request: Request<Full<Bytes>>) -> Result<Response<Bytes>> {
        // Never closed, so it always comes to a turn.
        let _turn = self.turns.acquire().await;
        loop {
            let (resets, mut connection) = self.connection().await?;
            let answer = match connection.try_send_request(request).await {
                Ok(answer) => answer,
                Err(mut error) => match error.take_message() {
                    // The server had closed it, and nothing was written.
                    Some(unsent) => {
                        request = unsent;
                        continue;
                    }
                    None => return Err(failed(error.into_error())),
                },
            };
            let (head, mut receiving) = answer.into_parts();
            let mut body = Body::default();
            while let Some(frame) = receiving.frame().await {
                if let Ok(chunk) = frame.map_err(failed)?.into_data() {
                    body.add(chunk).map_err(|error| error.with_http_status(head.status.as_u16()))?;
                }
            }
            self.keep(resets, connection);
            return Ok(Response::from_parts(head, body.whole()));
        }
    }

    /// Makes a request on a connection of its own, whose answer is read as it comes.
    pub(crate) async fn stream(&self, request: Request<Full<Bytes>>) -> Result<(Parts, Receiving)> {
        let mut connection = Box::pin(self.open()).await?;
        let (head, body) = connection.send_request(request).await.map_err(failed)?.into_parts();
        Ok((head, Receiving { body, _connection: connection }))
    }

    /// An idle connection, or a new one.
    async fn connection(&self) -> Result<(u64, SendRequest<Full<Bytes>>)> {
        loop {
            let (resets, found) = {
                let mut idle = lock(&self.idle);
                (idle.resets, idle.connections.pop())
            };
            match found {
                // Its task may not have seen yet that the last answer is read. Or it has ended, and there is another.
                Some((_, mut connection)) => {
                    if connection.ready().await.is_ok() {
                        return Ok((resets, connection));
                    }
                }
                // Boxed, because it is large and rare: calls stay small without it.
                None => return Ok((resets, Box::pin(self.open()).await?)),
            }
        }
    }

    async fn open(&self) -> Result<SendRequest<Full<Bytes>>> {
        let tcp = self.connector.connect().await?;
        let (requests, connection) =
            http1::handshake(TokioIo::new(tcp)).await.map_err(|error| failed(error).before_sending())?;
        // Ends when nobody can send on it any more. How it ends is told to the call on it.
        tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok(requests)
    }

    fn keep(&self, resets: u64, connection: SendRequest<Full<Bytes>>) {
        let mut idle = lock(&self.idle);
        if idle.resets != resets || connection.is_closed() {
            return;
        }
        idle.connections.push((Instant::now(), connection));
        if !std::mem::replace(&mut idle.swept, true) {
            let idle = Arc::downgrade(&self.idle);
            tokio::spawn(async move {
                loop {
                    tokio::time::sleep(IDLE).await;
                    let Some(idle) = idle.upgrade() else { return };
                    let mut idle = lock(&idle);
                    idle.connections.retain(|(since, _)| since.elapsed() < IDLE);
                    if idle.connections.is_empty() {
                        idle.swept = false;
                        return;
                    }
                }
            });
        }
    }
}

impl fmt::Debug for Http1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Http1").field(&self.connector).finish()
    }
}
