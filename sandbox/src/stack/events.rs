//! Streams of events: one to begin with, then what tests emit. Source: v3/wire.md, section Events.

use std::io;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::stack::error::{Refusal, known};
use crate::stack::ids;
use crate::stack::service::Service;
use crate::stack::time;
use crate::stack::token::ulid;

/// What carries the parts of an open stream.
pub(crate) type Parts = UnboundedReceiver<io::Result<Bytes>>;

/// Writes an event as the transport has it.
pub(crate) type Encode = Box<dyn Fn(&Value) -> Bytes + Send>;

/// The open streams.
#[derive(Default)]
pub(crate) struct Events(Mutex<Vec<Subscriber>>);

struct Subscriber {
    applications: Vec<String>,
    /// Which events; all if there are none.
    names: Vec<String>,
    encode: Encode,
    parts: UnboundedSender<io::Result<Bytes>>,
}

impl Subscriber {
    fn wants(&self, application: &str, event: &Value) -> bool {
        let name = event["name"].as_str().unwrap_or_default();
        self.applications.iter().any(|other| other == application)
            && (self.names.is_empty() || self.names.iter().any(|other| other == name))
    }
}

impl Events {
    /// Sends an event to the streams of an application; gives how many there are.
    pub(crate) fn emit(&self, application: &str, event: &Value) -> usize {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|subscriber| !subscriber.parts.is_closed());
        let wanting = open.iter().filter(|subscriber| subscriber.wants(application, event));
        wanting.filter(|subscriber| subscriber.parts.send(Ok((subscriber.encode)(event))).is_ok()).count()
    }

    /// Breaks every stream off, as a connection that is lost; gives how many there were.
    pub(crate) fn break_all(&self) -> usize {
        let broken = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let lost = || io::Error::from(io::ErrorKind::ConnectionReset);
        broken.into_iter().filter(|subscriber| subscriber.parts.send(Err(lost())).is_ok()).count()
    }

    /// Ends every stream; gives how many there were.
    pub(crate) fn end_all(&self) -> usize {
        let mut ended = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        ended.retain(|subscriber| !subscriber.parts.is_closed());
        ended.len()
    }

    /// How many are open.
    pub(crate) fn open(&self) -> usize {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|subscriber| !subscriber.parts.is_closed());
        open.len()
    }
}

/// The type of an event's data that says none: any JSON.
const VALUE: &str = "type.googleapis.com/google.protobuf.Value";

/// What is missing of an event, filled in.
pub(crate) fn complete(mut event: Value, identifiers: Value, now: std::time::SystemTime) -> Value {
    let defaults = [
        ("name", "sandbox.event".into()),
        ("time", time::write(now).into()),
        ("identifiers", identifiers),
        ("origin", "sandbox".into()),
        ("unique_id", ulid().into()),
    ];
    for (name, value) in defaults {
        if event[name].is_null() {
            event[name] = value;
        }
    }
    let data = &event["data"];
    if !data.is_null() && data.get("@type").is_none() {
        event["data"] = json!({ "@type": VALUE, "value": data });
    }
    if event["data"].is_null()
        && let Some(fields) = event.as_object_mut()
    {
        fields.remove("data");
    }
    event
}

impl Service {
    /// Opens a stream.
    pub(crate) fn subscribe(
        &self,
        authorization: Option<&str>,
        request: &Value,
        encode: Encode,
    ) -> Result<Parts, Refusal> {
        self.counters.calls.up();
        let identifiers = request["identifiers"].as_array().filter(|list| !list.is_empty());
        let identifiers =
            identifiers.ok_or_else(|| known("pkg/events/grpc", "no_identifiers", 3, "no identifiers"))?;
        let caller = self.caller(authorization)?;
        let mut applications = Vec::new();
        for identifier in identifiers {
            let id = match (&identifier["application_ids"], &identifier["device_ids"]) {
                (Value::Null, Value::Null) => continue,
                (Value::Null, device) => ids::device(device)?.0,
                (application, _) => ids::application(application)?,
            };
            // Any right will do.
            caller.require(&self.state(), id, &[])?;
            applications.push(id.to_owned());
        }
        self.counters.streams.up();
        let start = json!({
            "name": "events.stream.start",
            "identifiers": identifiers,
            "visibility": { "rights": ["RIGHT_ALL"] },
        });
        let start = complete(start, Value::Null, self.now.time());
        let names = request["names"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let names = names.map(str::to_owned).collect();
        let (parts, receiver) = unbounded_channel();
        // There is a receiver.
        let _ = parts.send(Ok(encode(&start)));
        let mut open = self.events.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.push(Subscriber { applications, names, encode, parts });
        Ok(receiver)
    }
}
