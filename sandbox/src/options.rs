//! How a sandbox is set up.

use std::path::PathBuf;
use std::time::Duration;

use ttn_auth::proto::{handler, lorawan};
use ttn_auth::{Algorithm, Secret};

use crate::answers::ExpiresIn;
use crate::issuer::ISSUER;
use crate::mint::APP_ID;
use crate::tls::Identity;

/// The device of the fixtures.
pub const DEV_ID: &str = "dev-1";

/// V2's limit: calls a second for each token subject and for each application.
pub const RATE_LIMIT: u32 = 5;

/// How a sandbox is set up. The defaults are the fixtures that V2 was recorded with.
#[derive(Clone, Debug)]
pub struct SandboxOptions {
    /// Calls a second for each subject and for each application; `None` is no limit.
    pub rate_limit: Option<u32>,
    /// How long tokens are valid that access keys are exchanged for.
    pub token_lifetime: Duration,
    /// The auth server's id.
    pub issuer: String,
    /// How the auth server signs.
    pub algorithm: Algorithm,
    /// The applications that are registered, each with its access keys.
    pub applications: Vec<String>,
    /// The devices; `app_id` says where.
    pub devices: Vec<handler::Device>,
    /// The ports to listen on; 0 is any free one.
    pub ports: Ports,
    /// The certificate for TLS; if `None` the journal's, or a fresh one.
    pub identity: Option<Identity>,
    /// What answers say of a token's lifetime. See [`Sandbox::set_expires_in`](crate::Sandbox::set_expires_in).
    pub expires_in: ExpiresIn,
    /// How long ago tokens were issued that are handed out. See [`Sandbox::set_token_age`](crate::Sandbox::set_token_age).
    pub token_age: Duration,
    /// By how many seconds the account server's clock is ahead; behind, if negative.
    pub account_server_clock: i64,
    /// The same of the Handler's.
    pub handler_clock: i64,
    /// The OAuth client, id and secret, that the account server grants tokens to; `None` is anyone. A key is exchanged
    /// for a component's bearer token too.
    pub client: Option<(String, Secret)>,
    /// A file that everything is written to before it is acknowledged, one line of JSON each, and read from at the start: a
    /// sandbox that was killed goes on where it was. Then `applications` and `devices` are the journal's, not these.
    /// It has mode 0600, because it holds the signing keys and access keys of this stand-in. The V3 side is not in it: it
    /// begins with its fixtures, whose credentials are always the same.
    pub journal: Option<PathBuf>,
    /// The devices of the V3 side's `app1`, as V3's JSON; `None` is the fixtures' three.
    pub stack_devices: Option<Vec<serde_json::Value>>,
}

impl Default for SandboxOptions {
    fn default() -> Self {
        let lorawan = lorawan::Device {
            app_id: APP_ID.into(),
            dev_id: DEV_ID.into(),
            app_eui: vec![0x70, 0xB3, 0xD5, 0x7E, 0xD0, 0, 0, 1],
            dev_eui: vec![0, 0, 0, 0, 0, 0, 0, 1],
            ..Default::default()
        };
        let device = handler::Device {
            app_id: APP_ID.into(),
            dev_id: DEV_ID.into(),
            lorawan_device: Some(lorawan),
            ..Default::default()
        };
        Self {
            rate_limit: Some(RATE_LIMIT),
            token_lifetime: Duration::from_secs(3600),
            issuer: ISSUER.into(),
            algorithm: Algorithm::Es256,
            applications: vec![APP_ID.into(), "other-app".into()],
            devices: vec![device],
            ports: Ports::default(),
            identity: None,
            expires_in: ExpiresIn::True,
            token_age: Duration::ZERO,
            account_server_clock: 0,
            handler_clock: 0,
            client: None,
            journal: None,
            stack_devices: None,
        }
    }
}

/// The port of each server. Give a stopped sandbox's ports to the next one, and clients find it again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ports {
    /// The Handler's gRPC API.
    pub grpc: u16,
    /// The same with TLS.
    pub grpcs: u16,
    /// The Handler's HTTP API.
    pub http: u16,
    /// The same with TLS.
    pub https: u16,
    /// The account server.
    pub account: u16,
    /// Discovery, gRPC and HTTP.
    pub discovery: u16,
    /// The V3 side's gRPC API.
    pub stack_grpc: u16,
    /// The same with TLS.
    pub stack_grpcs: u16,
    /// The V3 side's HTTP API and OAuth.
    pub stack_http: u16,
    /// The same with TLS.
    pub stack_https: u16,
}
