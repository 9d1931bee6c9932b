//! HTTP/2 to one server, on the h2 crate: one connection, and a second one under load.
//!
//! Whoever calls while there is no connection waits for the same one to be made; it is given up when nobody waits.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use h2::RecvStream;
use h2::client::SendRequest;
use http::{HeaderMap, Request, response};

use crate::answer::Body;
use crate::connect::Connector;
use crate::sharing::lock;
use crate::{Error, Result};

/// From so many calls in flight on, they are spread over two connections: writing on one overlaps with waiting for the
/// other. A third gains nothing.
const BUSY: usize = 16;

/// The flow-control windows of a stream and of a connection. HTTP/2's own of 64 KiB would stop a list of a few hundred
/// devices, and dozens of small answers that come together, until this side has told that it read them.
const WINDOW: u32 = 1 << 20;

/// The same of a stream of messages that somebody may be slow to read, and of a connection that only has such: what is not
/// read of 256 of them holds none of the others up.
const STREAM_WINDOW: u32 = 64 << 10;
const STREAMS_WINDOW: u32 = 16 << 20;

/// How often a connection is pinged on which a stream is open: a grpc-go server closes one that is pinged more often than
/// every 5 minutes. A machine that is gone is found sooner, by TCP's keep-alive.
const PING: Duration = Duration::from_secs(330);

/// How long the answer to a ping may take.
const PONG: Duration = Duration::from_secs(20);

/// How large the headers of an answer may be: ten times what a Handler's longest error takes.
const MAX_HEADERS: u32 = 64 << 10;

/// The connections to one server.
pub(crate) struct Http2 {
    connector: Arc<Connector>,
    slots: Arc<Mutex<Slots>>,
    settings: Settings,
}

/// What differs between connections for calls and connections for streams.
#[derive(Clone, Copy)]
struct Settings {
    window: u32,
    whole_window: u32,
    ping: Option<Duration>,
}

#[derive(Default)]
struct Slots {
    first: Slot,
    second: Slot,
    /// A second connection was refused; no other is asked for while the first one lives.
    alone: bool,
}

#[derive(Default)]
struct Slot {
    open: Option<Arc<Connection>>,
    connecting: Option<WeakShared<BoxFuture<'static, Result<Arc<Connection>>>>>,
}

type Connecting = Shared<BoxFuture<'static, Result<Arc<Connection>>>>;

/// Each call in flight holds it, so its references tell how busy it is.
struct Connection {
    requests: SendRequest<Bytes>,
    /// How many answers have come.
    answers: AtomicU64,
    /// A call was given up during which no answer came, to whichever call, and none has come since.
    is_silent: AtomicBool,
    /// How many streams are open on it.
    streams: AtomicUsize,
}

/// A call on a connection; dropped before its answer has come, if it is given up.
struct Waiting<'a> {
    connection: &'a Connection,
    answers: u64,
}

/// An answer that has come to its end.
pub(crate) struct Answer {
    pub(crate) head: response::Parts,
    pub(crate) body: Bytes,
    /// Empty if there were none.
    pub(crate) trailers: HeaderMap,
}

/// An answer that is read as it comes. Dropped before its end, it is cancelled.
pub(crate) struct Receiving {
    pub(crate) head: response::Parts,
    body: RecvStream,
    connection: Arc<Connection>,
}

impl Http2 {
    pub(crate) fn new(connector: Connector) -> Self {
        Self::with(connector, Settings { window: WINDOW, whole_window: WINDOW, ping: None })
    }

    /// For streams, which are kept apart from calls.
    pub(crate) fn for_streams(connector: Connector) -> Self {
        let (window, whole_window) = (STREAM_WINDOW, STREAMS_WINDOW);
        Self::with(connector, Settings { window, whole_window, ping: Some(PING) })
    }

    fn with(connector: Connector, settings: Settings) -> Self {
        Self { connector: Arc::new(connector), slots: Arc::default(), settings }
    }

    /// A call has run out of time. The next one connects anew if the connection may be dead without having said so (a router
    /// that forgot it); not if it only was that call's answer which did not come. Calls in flight keep the connection they
    /// have.
    pub(crate) fn reset(&self) {
        let mut slots = lock(&self.slots);
        let open = [&slots.first, &slots.second].map(|slot| slot.open.clone());
        for silent in open.iter().flatten().filter(|open| open.is_silent.load(Ordering::Relaxed)) {
            slots.forget(silent);
        }
    }

    /// Makes a request, and reads its answer.
    pub(crate) async fn call(&self, request: Request<()>, body: Bytes) -> Result<Answer> {
        let (connection, mut ready) = self.ready().await?;
        let waiting = connection.waiting();
        let (answer, mut sending) = ready.send_request(request, false).map_err(failed)?;
        // If the server has ended the stream already, its answer tells why.
        let _ = sending.send_data(body, true);
        let (head, mut receiving) = answer.await.map_err(failed)?.into_parts();
        let mut body = Body::default();
        while let Some(chunk) = receiving.data().await {
            let chunk = chunk.map_err(failed)?;
            let _ = receiving.flow_control().release_capacity(chunk.len());
            body.add(chunk)?;
        }
        let trailers = receiving.trailers().await.map_err(failed)?.unwrap_or_default();
        waiting.answered();
        Ok(Answer { head, body: body.whole(), trailers })
    }

    /// Makes a request whose answer is read as it comes.
    pub(crate) async fn stream(&self, request: Request<()>, body: Bytes) -> Result<Receiving> {
        let (connection, mut ready) = self.ready().await?;
        let waiting = connection.waiting();
        let (answer, mut sending) = ready.send_request(request, false).map_err(failed)?;
        let _ = sending.send_data(body, true);
        let (head, body) = answer.await.map_err(failed)?.into_parts();
        waiting.answered();
        connection.streams.fetch_add(1, Ordering::Relaxed);
        Ok(Receiving { head, body, connection })
    }

    /// A connection that takes a request. One that has ended, or is about to, is found out here, and another is made.
    async fn ready(&self) -> Result<(Arc<Connection>, SendRequest<Bytes>)> {
        loop {
            let (connection, is_new) = self.connection().await?;
            match connection.requests.clone().ready().await {
                Ok(ready) => return Ok((connection, ready)),
                Err(error) => {
                    lock(&self.slots).forget(&connection);
                    if is_new {
                        return Err(failed(error).before_sending());
                    }
                }
            }
        }
    }

    /// A connection, and whether it was waited for.
    async fn connection(&self) -> Result<(Arc<Connection>, bool)> {
        let connecting = {
            let mut slots = lock(&self.slots);
            if let Some((found, busy)) = slots.least_busy() {
                if busy && slots.second.open.is_none() && !slots.alone {
                    self.connect_second(&mut slots);
                }
                return Ok((found, false));
            }
            self.connect(&mut slots, |slots| &mut slots.first)
        };
        Ok((connecting.await?, true))
    }

    /// In the background: nobody waits for it.
    fn connect_second(&self, slots: &mut Slots) {
        if slots.second.connecting().is_none() {
            let connecting = self.connect(slots, |slots| &mut slots.second);
            let slots = Arc::downgrade(&self.slots);
            tokio::spawn(async move {
                if let (Err(_), Some(slots)) = (connecting.await, slots.upgrade()) {
                    lock(&slots).alone = true;
                }
            });
        }
    }

    /// The connection that is being made for this slot.
    fn connect(&self, slots: &mut Slots, slot: fn(&mut Slots) -> &mut Slot) -> Connecting {
        if let Some(connecting) = slot(slots).connecting() {
            return connecting;
        }
        let (connector, kept) = (self.connector.clone(), Arc::downgrade(&self.slots));
        let settings = self.settings;
        let connecting = async move {
            let connection = open(&connector, settings).await?;
            if let Some(slots) = Weak::upgrade(&kept) {
                slot(&mut lock(&slots)).open = Some(connection.clone());
            }
            Ok(connection)
        };
        let connecting = connecting.boxed().shared();
        slot(slots).connecting = connecting.downgrade();
        connecting
    }
}

impl Slots {
    /// The open connection with the fewest calls, and whether that is many.
    fn least_busy(&self) -> Option<(Arc<Connection>, bool)> {
        let calls = |connection: &&Arc<Connection>| Arc::strong_count(connection);
        let found = match (&self.first.open, &self.second.open) {
            (Some(first), _) if calls(&first) <= BUSY => first,
            (first, second) => first.iter().chain(second).min_by_key(calls)?,
        };
        Some((found.clone(), calls(&found) > BUSY))
    }

    fn forget(&mut self, ended: &Arc<Connection>) {
        let is = |slot: &Slot| slot.open.as_ref().is_some_and(|open| Arc::ptr_eq(open, ended));
        if is(&self.first) {
            // The second takes its place.
            self.first = std::mem::take(&mut self.second);
            self.alone = false;
        } else if is(&self.second) {
            self.second = Slot::default();
        }
    }
}

impl Connection {
    fn waiting(&self) -> Waiting<'_> {
        Waiting { connection: self, answers: self.answers.load(Ordering::Relaxed) }
    }
}

impl Waiting<'_> {
    fn answered(self) {
        self.connection.answers.fetch_add(1, Ordering::Relaxed);
        self.connection.is_silent.store(false, Ordering::Relaxed);
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.connection.answers.load(Ordering::Relaxed) == self.answers {
            self.connection.is_silent.store(true, Ordering::Relaxed);
        }
    }
}

impl Slot {
    fn connecting(&self) -> Option<Connecting> {
        self.connecting.as_ref()?.upgrade().filter(|connecting| connecting.peek().is_none())
    }
}

impl Receiving {
    /// What comes next of the body; nothing at its end.
    pub(crate) async fn data(&mut self) -> Option<Result<Bytes>> {
        let chunk = self.body.data().await?;
        if let Ok(chunk) = &chunk {
            let _ = self.body.flow_control().release_capacity(chunk.len());
        }
        Some(chunk.map_err(failed))
    }

    /// What follows the body; empty if nothing does.
    pub(crate) async fn trailers(&mut self) -> Result<HeaderMap> {
        Ok(self.body.trailers().await.map_err(failed)?.unwrap_or_default())
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        self.connection.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn open(connector: &Connector, settings: Settings) -> Result<Arc<Connection>> {
    let (requests, mut connection) = h2::client::Builder::new()
        .enable_push(false)
        .initial_window_size(settings.window)
        .initial_connection_window_size(settings.whole_window)
        .max_header_list_size(MAX_HEADERS)
        .handshake(connector.connect().await?)
        .await
        .map_err(|error| failed(error).before_sending())?;
    let opened = Arc::new(Connection {
        requests,
        answers: AtomicU64::new(0),
        is_silent: AtomicBool::new(false),
        streams: AtomicUsize::new(0),
    });
    let pings = settings.ping.zip(connection.ping_pong());
    let alive = Arc::downgrade(&opened);
    // Ends when nobody can send on it any more, and with its last call. How it ends is told to the calls on it.
    tokio::spawn(async move {
        match pings {
            None => drop(connection.await),
            // Whichever ends first. Without its connection, a stream ends.
            Some((every, pings)) => tokio::select! {
                _ = connection => {}
                () = silence(pings, every, alive) => {}
            },
        }
    });
    Ok(opened)
}

/// Ends when a ping is not answered.
async fn silence(mut pings: h2::PingPong, every: Duration, alive: Weak<Connection>) {
    loop {
        tokio::time::sleep(every).await;
        let is_open = |open: Arc<Connection>| open.streams.load(Ordering::Relaxed) > 0;
        if !alive.upgrade().is_some_and(is_open) {
            continue;
        }
        let pong = tokio::time::timeout(PONG.min(every), pings.ping(h2::Ping::opaque())).await;
        if !matches!(pong, Ok(Ok(_))) {
            tracing::debug!(target: "ttn_auth::stream", "a ping was not answered");
            return;
        }
    }
}

fn failed(error: h2::Error) -> Error {
    if error.is_io() {
        // The I/O error says more than that there was one.
        return crate::network::failed(error.into_io().unwrap_or_else(|| std::io::ErrorKind::Other.into()));
    }
    crate::network::failed(error)
}

impl fmt::Debug for Http2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Http2").field(&self.connector).finish()
    }
}

#[cfg(test)]
#[path = "http2_tests.rs"]
mod tests;
