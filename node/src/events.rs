//! What the core tells (`tracing` events), for Node's `diagnostics_channel`.
//!
//! The addon has its own copy of tracing, so that this subscriber is nobody else's. It takes what is meant for users, and
//! nothing of the libraries below.

use std::fmt;

use napi::bindgen_prelude::Either3;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::bridge::{self, EventFields, Value};

/// Targets of the core's events, and the channels they are published on.
const CHANNELS: [(&str, &str); 7] = [
    ("ttn_auth::exchange", "ttn-auth:exchange"),
    ("ttn_auth::refresh", "ttn-auth:refresh"),
    ("ttn_auth::refused", "ttn-auth:refused"),
    ("ttn_auth::retry", "ttn-auth:retry"),
    ("ttn_auth::store", "ttn-auth:store"),
    ("ttn_auth::file", "ttn-auth:file"),
    ("ttn_auth::keys", "ttn-auth:keys"),
];

/// Publishes from now on. Only the first call in a process does something.
pub(crate) fn install() {
    let _ = tracing::subscriber::set_global_default(Channels);
}

struct Channels;

fn channel(target: &str) -> Option<&'static str> {
    CHANNELS.iter().find(|(name, _)| *name == target).map(|(_, channel)| *channel)
}

impl Subscriber for Channels {
    // Asked once for each place in the code.
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && channel(metadata.target()).is_some()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::DEBUG)
    }

    fn event(&self, event: &Event<'_>) {
        if let Some(channel) = channel(event.metadata().target()) {
            let mut fields = Fields::default();
            event.record(&mut fields);
            bridge::publish(channel, &fields.0);
        }
    }

    // There are no spans: none is enabled.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// An event's fields: `duration_ms` becomes `durationMs`, numbers stay numbers.
#[derive(Default)]
struct Fields(EventFields);

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        let mut name = String::new();
        for part in field.name().split('_') {
            match part.chars().next() {
                Some(first) if !name.is_empty() => {
                    name.push(first.to_ascii_uppercase());
                    name.push_str(&part[first.len_utf8()..]);
                }
                _ => name.push_str(part),
            }
        }
        self.0.insert(name, value);
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, Either3::A(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, Either3::A(value as f64));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, Either3::A(value as f64));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Either3::B(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, Either3::C(value.to_owned()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, Either3::C(format!("{value:?}")));
    }
}
