//! Authenticate to The Things Network's gRPC and HTTP APIs, and check who is calling.
//!
//! Bearer tokens and access keys of V2, API keys and OAuth tokens of The Things Stack (V3); two transports, gRPC and HTTP;
//! both ends of the wire.
//!
//! ```text
//! credentials ──> token source ──> carrier ──> gRPC or HTTP call ──> answer or one clear error
//! (what you own)  (exchange, store, (header or  (h2, hyper; paced,
//!                  cache, refresh)   metadata)   tried again)
//! caller's header or metadata ──> carrier ──> authenticator ──> claims ──> require(app, right)
//!                                             (exchange, keys, verify)
//! ```
//!
//! - [`Credentials`]: what you own. [`Secret`]: how it is kept.
//! - [`TokenSource`]: where tokens come from, such as a [`KeyExchange`]. [`TokenCache`]: remembers and refreshes them.
//!   [`SharedToken`]: shares them between processes through a [`TokenStore`], sealed in a [`Vault`].
//! - [`Carrier`]: the header or metadata it travels in.
//! - [`Client`]: calls one server. [`ApplicationManager`]: its typed calls. [`Discovery`]: which server.
//! - [`Client::auth_info`], [`ApplicationRegistry`], [`EndDeviceRegistry`], [`EventStream`]: The Things Stack's, with the messages of [`stack`].
//! - [`AuthLayer`], `AuthMiddleware`: credentials for the tonic channel or the reqwest client that you have. [`CallAuth`]: for any other.
//! - `Authenticator` (feature `server`): who is calling. `Claims`: what they may do. `Answers`: how to tell them no.
//! - `GuardLayer`, `GrpcGuardLayer`: all of it as a tower layer, with a `Policy` that says who needs what.
//! - [`Error`]: what went wrong, with a stable [code](ErrorKind::code) and a hint.
//!
//! A client that exchanges its key for a token, keeps it, and asks for the next one ahead of time:
//!
//! ```
//! use std::sync::Arc;
//! use ttn_auth::{AccessKey, AccountServer, AppId, Client, KeyExchange, TokenCache};
//! use ttn_auth::proto::handler::DeviceIdentifier;
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> ttn_auth::Result<()> {
//! # let sandbox = ttn_auth_sandbox::Sandbox::start(Default::default()).await?;
//! # let (address, account_server, key) = (sandbox.http_address(), sandbox.account_server(), sandbox.access_key());
//!
//! let app = AppId::new("test-app")?;
//! let exchange = KeyExchange::new(AccountServer::new(&account_server)?, app, AccessKey::new(key)?);
//! let client = Client::builder(address).token_source(Arc::new(TokenCache::new(exchange))).build()?;
//!
//! let id = DeviceIdentifier { app_id: "test-app".into(), dev_id: "no-such-device".into() };
//! match client.application_manager().get_device(&id).await {
//!     Ok(device) => println!("{}", ttn_auth::to_json(&device)?),
//!     Err(error) => println!("{}: {error}. {}", error.code(), error.hint()), // AUTH_NOT_FOUND: ..
//! }
//! # assert_eq!(sandbox.exchanges(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! | feature | default | needs | what it adds |
//! |---|---|---|---|
//! | `grpc` | yes | | calls over gRPC, and with `server` the guard for tonic's servers |
//! | `http` | yes | | calls over HTTP; account servers, and so tokens that are exchanged, restricted or refreshed |
//! | `server` | | `http` | who is calling: `Authenticator`, `Policy`, and the guard for HTTP servers built on tower |
//! | `redis` | | `http` | `RedisStore`: tokens that processes share |
//! | `reqwest-middleware` | | `http` | `AuthMiddleware`, for a reqwest client of your own |
//!
//! Without any there are credentials and carriers for clients of your own, token caches, and stores.
//!
//! What waits needs a tokio runtime. TLS is rustls on ring: a build needs a C compiler, but no protoc, OpenSSL or cmake, and no network.
//! Rust 1.89 is the oldest that is supported; a newer one is asked for in a new minor version only.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod api_key;
mod bulk;
mod cache;
mod carrier;
mod clock;
mod credentials;
mod credentials_file;
mod description;
mod error;
mod error_details;
mod error_kind;
mod file_lock;
mod id;
mod json;
mod mqtt;
pub mod proto;
mod secret;
mod shared;
mod slot;
mod stack_any;
mod stack_json;
mod stack_secret;
mod stack_value;
mod store;
mod store_file;
mod store_memory;
#[cfg(any(feature = "grpc", feature = "http"))]
mod supply;
mod token;
mod vault;

#[cfg(feature = "http")]
mod account;
#[cfg(feature = "http")]
mod account_address;
#[cfg(feature = "http")]
mod account_answer;
#[cfg(feature = "http")]
mod account_login;
#[cfg(any(feature = "grpc", feature = "http"))]
mod address;
#[cfg(any(feature = "grpc", feature = "http"))]
mod answer;
#[cfg(any(feature = "grpc", feature = "http"))]
mod attempt;
#[cfg(any(feature = "grpc", feature = "http"))]
mod auth_info;
#[cfg(any(feature = "grpc", feature = "http"))]
mod builder;
#[cfg(any(feature = "grpc", feature = "http"))]
mod call_auth;
#[cfg(any(feature = "grpc", feature = "http"))]
mod classify;
#[cfg(any(feature = "grpc", feature = "http"))]
mod client;
#[cfg(any(feature = "grpc", feature = "http"))]
mod connect;
#[cfg(any(feature = "grpc", feature = "http"))]
mod discovery;
#[cfg(any(feature = "grpc", feature = "http"))]
mod events;
#[cfg(feature = "grpc")]
mod grpc_channel;
#[cfg(feature = "grpc")]
mod grpc_stream;
#[cfg(feature = "http")]
mod http1;
#[cfg(feature = "grpc")]
mod http2;
#[cfg(feature = "http")]
mod http_channel;
#[cfg(feature = "http")]
mod http_stream;
#[cfg(feature = "http")]
mod key_exchange;
#[cfg(any(feature = "grpc", feature = "http"))]
mod layer;
#[cfg(any(feature = "grpc", feature = "http"))]
mod manager;
#[cfg(any(feature = "grpc", feature = "http"))]
mod network;
#[cfg(feature = "http")]
mod obtain;
#[cfg(any(feature = "grpc", feature = "http"))]
mod pace;
#[cfg(feature = "http")]
mod proxied;
#[cfg(feature = "http")]
mod refresh;
#[cfg(any(feature = "grpc", feature = "http"))]
mod refusal;
#[cfg(any(feature = "grpc", feature = "http"))]
mod registry;
#[cfg(any(feature = "grpc", feature = "http"))]
mod registry_applications;
#[cfg(any(feature = "grpc", feature = "http"))]
mod registry_devices;
#[cfg(any(feature = "grpc", feature = "http"))]
mod repeat;
#[cfg(feature = "reqwest-middleware")]
mod reqwest_layer;
#[cfg(any(feature = "grpc", feature = "http"))]
mod reserved;
#[cfg(feature = "http")]
mod restricted;
#[cfg(any(feature = "grpc", feature = "http"))]
mod retry;
#[cfg(any(feature = "grpc", feature = "http"))]
mod retry_after;
#[cfg(any(feature = "grpc", feature = "http"))]
mod sharing;
#[cfg(any(feature = "grpc", feature = "http"))]
mod stack_call;
#[cfg(any(feature = "grpc", feature = "http"))]
mod stack_id;
#[cfg(feature = "http")]
mod stack_oauth;
#[cfg(feature = "redis")]
mod store_redis;
#[cfg(feature = "redis")]
mod store_redis_builder;
#[cfg(any(feature = "grpc", feature = "http"))]
mod stream;
#[cfg(any(feature = "grpc", feature = "http"))]
mod tls;

#[cfg(feature = "server")]
mod answers;
#[cfg(feature = "server")]
mod auth_server;
#[cfg(feature = "server")]
mod authenticator;
#[cfg(feature = "server")]
mod authenticator_builder;
#[cfg(feature = "server")]
mod claims;
#[cfg(feature = "server")]
mod compat;
#[cfg(feature = "server")]
mod exchange;
#[cfg(feature = "server")]
mod exchange_pool;
#[cfg(feature = "server")]
mod flight;
#[cfg(feature = "server")]
mod introspection_cache;
#[cfg(feature = "server")]
mod jwt;
#[cfg(feature = "server")]
mod key_file;
#[cfg(feature = "server")]
mod key_slot;
#[cfg(feature = "server")]
mod keys;
#[cfg(feature = "server")]
mod public_key;
#[cfg(feature = "server")]
mod rights;
#[cfg(feature = "server")]
mod stack_callers;
#[cfg(feature = "server")]
mod stack_claims;
#[cfg(feature = "server")]
mod unique;
#[cfg(feature = "server")]
mod verified;
#[cfg(feature = "server")]
mod verify;

#[cfg(feature = "server")]
mod admission;
#[cfg(feature = "server")]
mod gateway;
#[cfg(all(feature = "server", feature = "grpc"))]
mod grpc_message;
#[cfg(feature = "server")]
mod guard;
#[cfg(all(feature = "server", feature = "grpc"))]
mod guard_grpc;
#[cfg(feature = "server")]
mod pattern;
#[cfg(feature = "server")]
mod policy;

pub use api_key::ApiKey;
pub use bulk::{DEFAULT_CONCURRENCY, Progress, bulk};
pub use cache::TokenCache;
pub use carrier::{Carrier, Presented};
pub use clock::Clock;
pub use credentials::{AccessKey, Credentials, CredentialsKind};
pub use credentials_file::CredentialsFile;
pub use description::{CredentialsType, Description};
pub use error::{Error, Result};
pub use error_details::ErrorDetails;
pub use error_kind::ErrorKind;
pub use id::{AppId, DevId};
pub use json::{from_json, to_json};
pub use mqtt::MqttLogin;
#[doc(no_inline)]
pub use proto::stack;
pub use secret::Secret;
pub use shared::SharedToken;
pub use store::{Kept, StoreLock, TokenStore};
pub use store_file::FileStore;
pub use store_memory::MemoryStore;
pub use token::{AccessToken, Lifetime, TokenFn, TokenSource};
pub use vault::{Opened, StoreKey, Vault};

#[cfg(any(feature = "grpc", feature = "http"))]
pub use address::Transport;
#[cfg(any(feature = "grpc", feature = "http"))]
pub use answer::UnaryAnswer;
#[cfg(any(feature = "grpc", feature = "http"))]
pub use auth_info::{AuthInfo, AuthKind, Entity, EntityKind, UNKNOWN_RIGHT};
#[cfg(any(feature = "grpc", feature = "http"))]
pub use builder::{ClientBuilder, DEFAULT_TIMEOUT};
#[cfg(any(feature = "grpc", feature = "http"))]
pub use call_auth::{Attempt, AuthCall, CallAuth, Failure};
#[cfg(any(feature = "grpc", feature = "http"))]
pub use client::{CallOptions, Client};
#[cfg(any(feature = "grpc", feature = "http"))]
pub use discovery::{DEFAULT_DISCOVERY, Discovery};
#[cfg(any(feature = "grpc", feature = "http"))]
pub use events::{Event, EventOptions, EventStream};
#[cfg(any(feature = "grpc", feature = "http"))]
pub use layer::{Auth, AuthLayer, BoxError};
#[cfg(any(feature = "grpc", feature = "http"))]
pub use manager::{ApplicationManager, DevicePage, Page, ToJson, WriteAnswer};
#[cfg(any(feature = "grpc", feature = "http"))]
pub use registry::ListPage;
#[cfg(any(feature = "grpc", feature = "http"))]
pub use registry_applications::ApplicationRegistry;
#[cfg(any(feature = "grpc", feature = "http"))]
pub use registry_devices::EndDeviceRegistry;
#[cfg(any(feature = "grpc", feature = "http"))]
pub use repeat::{Again, Ahead, RepeatBody};
#[cfg(any(feature = "grpc", feature = "http"))]
pub use retry::RetryPolicy;
#[cfg(any(feature = "grpc", feature = "http"))]
pub use stream::Streaming;

#[cfg(feature = "http")]
pub use account::AccountServer;
#[cfg(feature = "http")]
pub use account_answer::{Exchanged, Refreshed};
#[cfg(feature = "http")]
pub use key_exchange::{KeyExchange, KeyOrigin};
#[cfg(feature = "http")]
pub use refresh::RefreshToken;
#[cfg(feature = "reqwest-middleware")]
pub use reqwest_layer::AuthMiddleware;
#[cfg(feature = "http")]
pub use restricted::RestrictedToken;

#[cfg(feature = "redis")]
pub use store_redis::RedisStore;
#[cfg(feature = "redis")]
pub use store_redis_builder::RedisStoreBuilder;

#[cfg(feature = "server")]
pub use answers::{Answers, GrpcAnswer, HttpAnswer};
#[cfg(feature = "server")]
pub use authenticator::Authenticator;
#[cfg(feature = "server")]
pub use authenticator_builder::AuthenticatorBuilder;
#[cfg(feature = "server")]
pub use claims::{Claims, Name, Rights};
#[cfg(feature = "server")]
pub use compat::Compat;
#[cfg(feature = "server")]
pub use keys::KeySet;
#[cfg(feature = "server")]
pub use public_key::{Algorithm, PublicKey};
#[cfg(feature = "server")]
pub use rights::{ComponentRight, GatewayRight, Right};
#[cfg(feature = "server")]
pub use verified::Known;
#[cfg(feature = "server")]
pub use verify::Verifier;

#[cfg(feature = "server")]
pub use gateway::{gateway_metadata, gateway_timeout};
#[cfg(feature = "server")]
pub use guard::{Guard, GuardLayer};
#[cfg(all(feature = "server", feature = "grpc"))]
pub use guard_grpc::{GrpcGuard, GrpcGuardLayer};
#[cfg(feature = "server")]
pub use policy::{Access, Policy};
