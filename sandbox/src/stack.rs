//! The V3 side: a stand-in of The Things Stack's Identity Server, with the events and the OAuth server of its cluster, over
//! gRPC and HTTP. Source: v3/wire.md.

mod applications;
mod caller;
mod counts;
mod details;
mod devices;
mod error;
mod events;
mod faults;
mod fixtures;
mod gateway;
mod grpc;
mod headers;
mod ids;
mod keys;
mod login;
mod mask;
mod oauth;
mod page;
mod rate;
mod rights;
mod routes;
mod service;
mod state;
mod switches;
mod time;
mod token;

use std::fmt;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use ttn_auth::{Error, ErrorKind, Result};

use crate::clock::OffClock;
use crate::listeners::StackListeners;
use crate::options::Ports;
use crate::serve::{Versions, spawn};
use crate::stack::events::Events;
use crate::stack::faults::Faults;
use crate::stack::gateway::HttpSide;
use crate::stack::grpc::GrpcSide;
use crate::stack::oauth::OAuth;
use crate::stack::rate::Limits;
use crate::stack::service::Service;
use crate::stack::token::Now;
use crate::tls::Identity;

pub(crate) use fixtures::credential;

pub use counts::StackCounts;
pub use fixtures::{STACK_APP_ID, STACK_CLIENT, STACK_USER};
pub use switches::{NewKey, Owner};

/// The V3 side of a sandbox: see [`Sandbox::stack`](crate::Sandbox::stack).
pub struct Stack {
    ports: Ports,
    service: Arc<Service>,
    clock: Arc<OffClock>,
}

impl Stack {
    /// Starts the servers; they listen when this returns, and end with `stop`.
    pub(crate) fn start(
        listeners: StackListeners,
        ports: Ports,
        devices: Option<&[Value]>,
        identity: &Identity,
        stop: &watch::Receiver<bool>,
        tasks: &mut Vec<JoinHandle<()>>,
    ) -> Result<Self> {
        let clock = OffClock::new(0);
        let now = Now(clock.clone());
        let defaults = fixtures::default_devices();
        let state = fixtures::state(now.time(), devices.unwrap_or(&defaults));
        let service = Arc::new(Service {
            state: Mutex::new(state),
            now,
            events: Events::default(),
            limits: Limits::default(),
            faults: Faults::default(),
            counters: Arc::default(),
        });
        let grpc = Arc::new(GrpcSide(service.clone()));
        let oauth = OAuth { service: service.clone() };
        let http = Arc::new(HttpSide { service: service.clone(), oauth });
        let grpc_tls = identity.server_config(&["h2"])?;
        let http_tls = identity.server_config(&["h2", "http/1.1"])?;
        tasks.extend([
            spawn(listeners.grpc, None, Versions::Http2, grpc.clone(), stop.clone()),
            spawn(listeners.grpcs, Some(grpc_tls), Versions::Http2, grpc, stop.clone()),
            spawn(listeners.http, None, Versions::Http1, http.clone(), stop.clone()),
            spawn(listeners.https, Some(http_tls), Versions::Both, http, stop.clone()),
        ]);
        Ok(Self { ports, service, clock })
    }

    /// The gRPC API: `grpc://127.0.0.1:<port>`.
    pub fn grpc_address(&self) -> String {
        format!("grpc://127.0.0.1:{}", self.ports.stack_grpc)
    }

    /// The same with TLS: `grpcs://localhost:<port>`. The certificate is the sandbox's.
    pub fn grpcs_address(&self) -> String {
        format!("grpcs://localhost:{}", self.ports.stack_grpcs)
    }

    /// The HTTP API, `/api/v3`, and OAuth, `/oauth`: `http://127.0.0.1:<port>`.
    pub fn http_address(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.stack_http)
    }

    /// The same with TLS: `https://localhost:<port>`.
    pub fn https_address(&self) -> String {
        format!("https://localhost:{}", self.ports.stack_https)
    }

    /// A credential of the fixtures, by its name in the recorded vectors: `app1_all`, `app1_info_only`, `app1_link_only`,
    /// `app1_devices`, `app1_expired`, `app1_expires_2030`, `app1_deleted`, `app1_wrong_secret`, `unknown_id`, `app2_all`,
    /// `alice_user_all`, `alice_user_apps_list`, `admin_user_all`, `oauth_access`, `oauth_refresh`,
    /// `oauth_access_expired`, `oauth_refresh_expired`, `oauth_access_admin`, `code`, `session_token`, `cookie`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if there is none of this name.
    pub fn key(&self, name: &str) -> Result<String> {
        let unknown = || Error::new(ErrorKind::InvalidArgument, format!("no credential is called {name:?}"));
        fixtures::credential(name).ok_or_else(unknown)
    }

    /// An API key with every right on `app1`.
    pub fn api_key(&self) -> String {
        fixtures::credential("app1_all").unwrap_or_default()
    }

    /// An API key of user `alice`, with every right.
    pub fn user_api_key(&self) -> String {
        fixtures::credential("alice_user_all").unwrap_or_default()
    }

    /// An API key that may read and nothing else: application and devices of `app1`.
    pub fn read_only_api_key(&self) -> String {
        fixtures::credential("app1_read_only").unwrap_or_default()
    }

    /// A refresh token of `alice` for the OAuth client, good once.
    pub fn refresh_token(&self) -> String {
        fixtures::credential("oauth_refresh_app").unwrap_or_default()
    }

    /// How often it was asked for what.
    pub fn counts(&self) -> StackCounts {
        self.service.counters.read()
    }
}

/// Whether a text is a time as the API writes them.
pub(crate) fn is_time(text: &str) -> bool {
    time::read(text).is_some()
}

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stack").field("ports", &self.ports).finish_non_exhaustive()
    }
}
