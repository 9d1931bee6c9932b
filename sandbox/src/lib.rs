//! A stand-in V2 network on loopback: account server, Handler and discovery, for tests, demos and newcomers.

mod account;
mod body;
mod cayenne;
mod device;
mod discovery;
mod front;
mod gateway;
mod go;
mod grpc;
mod handler;
mod handler_grpc;
mod issuer;
mod lengths;
mod mint;
mod options;
mod payload;
mod rate;
mod rest;
mod sandbox;
mod serve;
mod store;
mod tls;
pub mod vectors;

pub use issuer::{ISSUER, Issuer, SigningKey};
pub use mint::{APP_ID, APPLICATION_RIGHTS, Mint, TokenKind};
pub use options::{DEV_ID, Ports, RATE_LIMIT, SandboxOptions};
pub use sandbox::Sandbox;
pub use tls::Identity;
pub use ttn_auth::Algorithm;
