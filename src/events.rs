//! Events of The Things Stack, as they happen. A stream that broke is opened again, without the events that came already.
//!
//! Every stream begins with `events.stream.start`, also one that is opened again. A server that keeps events is asked for
//! those that were missed; others lose what happens while there is no stream.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, Stream};
use http::{HeaderMap, Method};
use prost::Message;
use prost_types::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;

use crate::proto::stack::{self, StreamEventsRequest};
use crate::stack_call::{Route, decode, read};
use crate::{CallOptions, Client, Error, ErrorKind, Result, Streaming, Transport};

/// Waits between one stream and the next grow from this to that, and begin anew after a stream that lasted. By chance between
/// nothing and the whole wait: a server that restarts is not found by everyone in the same instant.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
const LASTED: Duration = Duration::from_secs(10);

/// Events arrive out of order: those of the last seconds before a stream broke are asked for again.
const OVERLAP: i64 = 5;

/// How many events are known by their id, so that none is told twice.
const KNOWN: usize = 4096;

type OnReconnect = Arc<dyn Fn(Option<&Error>) + Send + Sync>;

/// How events are listened to.
#[derive(Clone)]
#[non_exhaustive]
pub struct EventOptions {
    /// Whether a stream that broke or ended is opened again. Default: yes.
    pub reconnect: bool,
    /// Of opening a stream: its time limit is for the first event.
    pub call: CallOptions,
    on_reconnect: Option<OnReconnect>,
}

impl Default for EventOptions {
    fn default() -> Self {
        Self { reconnect: true, call: CallOptions::default(), on_reconnect: None }
    }
}

impl EventOptions {
    /// The same, but a stream that broke ends them.
    #[must_use]
    pub fn once(mut self) -> Self {
        self.reconnect = false;
        self
    }

    /// Calls this before each stream but the first, with what ended the one before; nothing if the server ended it in order.
    #[must_use]
    pub fn on_reconnect(mut self, told: impl Fn(Option<&Error>) + Send + Sync + 'static) -> Self {
        self.on_reconnect = Some(Arc::new(told));
        self
    }
}

impl fmt::Debug for EventOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("EventOptions");
        shown.field("reconnect", &self.reconnect).field("call", &self.call).finish_non_exhaustive()
    }
}

/// An event, as The Things Stack's documented JSON.
///
/// It is the same over both transports but for `data` of a type that this crate does not know: over gRPC its bytes are in
/// `data.value` as base64, over HTTP its fields are in `data`. Errors, ids, applications, devices, and JSON as such
/// (`google.protobuf.Value` and `Struct`) are known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Event(serde_json::Map<String, Value>);

impl Event {
    /// What happened, such as `end_device.create`.
    pub fn name(&self) -> &str {
        self.text("name")
    }

    /// Its id, if it has one.
    pub fn unique_id(&self) -> Option<&str> {
        Some(self.text("unique_id")).filter(|id| !id.is_empty())
    }

    /// When it happened.
    pub fn time(&self) -> Option<std::time::SystemTime> {
        self.timestamp()?.try_into().ok()
    }

    /// A field by its name, such as `identifiers` or `data`; `null` if there is none.
    pub fn field(&self, name: &str) -> &Value {
        self.0.get(name).unwrap_or(&Value::Null)
    }

    fn text(&self, name: &str) -> &str {
        self.field(name).as_str().unwrap_or_default()
    }

    fn timestamp(&self) -> Option<Timestamp> {
        self.text("time").parse().ok()
    }
}

/// Events, one after the other.
pub struct EventStream {
    client: Client,
    options: EventOptions,
    missed: Missed,
    open: Option<(Streaming, Instant)>,
    /// Streams in a row that did not last.
    failures: u32,
    has_begun: bool,
    is_over: bool,
}

impl Client {
    /// Events of applications, devices and whatever else the credentials may see. The first stream is opened when the first
    /// event is asked for.
    pub fn events(&self, request: StreamEventsRequest, options: EventOptions) -> EventStream {
        EventStream {
            client: self.clone(),
            options,
            missed: Missed {
                request,
                since: None,
                last: None,
                known: HashSet::new(),
                order: VecDeque::new(),
            },
            open: None,
            failures: 0,
            has_begun: false,
            is_over: false,
        }
    }
}

impl EventStream {
    /// The next event. Nothing after an error, which ends them: the first stream could not be opened, or a later one was
    /// refused; or the client was closed. Nothing is lost if this is given up.
    pub async fn next(&mut self) -> Option<Result<Event>> {
        while !self.is_over {
            match self.step().await {
                Ok(Some(event)) => return Some(Ok(event)),
                Ok(None) => {}
                Err(error) => {
                    self.is_over = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }

    /// The same as a stream of events.
    pub fn into_stream(self) -> impl Stream<Item = Result<Event>> {
        stream::unfold(self, |mut this| async move { this.next().await.map(|event| (event, this)) })
    }

    /// An event, or none yet.
    async fn step(&mut self) -> Result<Option<Event>> {
        let Some((streaming, _)) = &mut self.open else {
            let opened = open(&self.client, &self.missed.request(), &self.options.call).await;
            match opened {
                Ok(streaming) => {
                    self.open = Some((streaming, Instant::now()));
                    self.has_begun = true;
                }
                Err(error) if self.has_begun && is_passing(&error) => self.wait(Some(error)).await?,
                Err(error) => return Err(error),
            }
            return Ok(None);
        };
        let ended = match streaming.next().await {
            Some(Ok(message)) => match event(self.client.transport(), message) {
                Ok(event) => return Ok(self.missed.is_new(&event).then_some(event)),
                Err(error) => Some(error),
            },
            Some(Err(error)) => Some(error),
            None => None,
        };
        let lasted = self.open.take().is_some_and(|(_, since)| since.elapsed() >= LASTED);
        if lasted {
            self.failures = 0;
        }
        use ErrorKind::{Cancelled, InvalidArgument, Protocol};
        match ended {
            // Another stream would say the same. What else was refused may be taken with new credentials.
            Some(error) if matches!(error.kind(), Cancelled | InvalidArgument | Protocol) => Err(error),
            ended if self.options.reconnect => self.wait(ended).await.map(|()| None),
            Some(error) => Err(error),
            None => {
                self.is_over = true;
                Ok(None)
            }
        }
    }

    /// Waits until it is time for another stream.
    async fn wait(&mut self, ended: Option<Error>) -> Result<()> {
        if let Some(told) = &self.options.on_reconnect {
            told(ended.as_ref());
        }
        let longest = FIRST_WAIT.saturating_mul(1 << self.failures.min(10)).min(LONGEST_WAIT);
        let asked = ended.as_ref().and_then(Error::retry_after).unwrap_or_default().min(LONGEST_WAIT);
        let wait = longest.mul_f64(fastrand::f64()).max(asked);
        self.failures += 1;
        tracing::debug!(
            target: "ttn_auth::stream",
            code = ended.as_ref().map(Error::code),
            attempt = self.failures,
            delay_ms = wait.as_millis() as u64,
        );
        tokio::select! {
            error = self.client.closed() => Err(error),
            () = tokio::time::sleep(wait) => Ok(()),
        }
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream").field("address", &self.client.address()).finish_non_exhaustive()
    }
}

/// What to ask for when a stream broke, and what has come already.
struct Missed {
    request: StreamEventsRequest,
    /// When the first event came, by its own time.
    since: Option<Timestamp>,
    last: Option<Timestamp>,
    known: HashSet<String>,
    order: VecDeque<String>,
}

impl Missed {
    fn request(&self) -> StreamEventsRequest {
        let Some((since, last)) = self.since.zip(self.last) else { return self.request.clone() };
        let overlap = Timestamp { seconds: last.seconds - OVERLAP, ..last };
        let is_before = (overlap.seconds, overlap.nanos) < (since.seconds, since.nanos);
        let after = Some(if is_before { since } else { overlap });
        // It was for the first stream.
        StreamEventsRequest { tail: 0, after, ..self.request.clone() }
    }

    /// Whether this event has not come yet; it has now.
    fn is_new(&mut self, event: &Event) -> bool {
        if let Some(time) = event.timestamp() {
            self.since.get_or_insert(time);
            let is_later =
                self.last.is_none_or(|last| (time.seconds, time.nanos) > (last.seconds, last.nanos));
            if is_later {
                self.last = Some(time);
            }
        }
        let Some(id) = event.unique_id() else { return true };
        if !self.known.insert(id.to_owned()) {
            return false;
        }
        self.order.push_back(id.to_owned());
        if self.order.len() > KNOWN
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

async fn open(client: &Client, request: &StreamEventsRequest, options: &CallOptions) -> Result<Streaming> {
    if request.identifiers.is_empty() {
        return Err(Error::new(ErrorKind::InvalidArgument, "identifiers are missing: whose events"));
    }
    // To listen twice changes nothing.
    let options = CallOptions { idempotent: options.idempotent.or(Some(true)), ..options.clone() };
    match client.transport() {
        Transport::Grpc => {
            let message = request.encode_to_vec().into();
            client.stream("/ttn.lorawan.v3.Events/Stream", message, HeaderMap::new(), &options).await
        }
        Transport::Http => {
            let request = Route::new(Method::POST, &["events"]).json(request)?.request()?;
            client.stream_request(request, &options).await
        }
    }
}

/// Whether a later attempt may succeed, unchanged. A server that restarts fails in its own ways.
fn is_passing(error: &Error) -> bool {
    error.is_transient() || error.kind() == ErrorKind::Server
}

fn event(transport: Transport, message: bytes::Bytes) -> Result<Event> {
    match transport {
        Transport::Grpc => {
            let event: stack::Event = decode(message)?;
            let wrong = |e| Error::new(ErrorKind::Protocol, "an event cannot be said in JSON").with_source(e);
            serde_json::to_value(event).and_then(serde_json::from_value).map_err(wrong)
        }
        Transport::Http => read(&message),
    }
}

#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;
