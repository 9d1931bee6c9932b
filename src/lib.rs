//! Authenticate to The Things Network's gRPC and HTTP APIs, and check who is calling.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod carrier;
mod credentials;
mod error;
mod json;
pub mod proto;
mod secret;

pub use carrier::{Carrier, Presented};
pub use credentials::{AccessKey, AccessToken, Credentials, CredentialsKind, Description};
pub use error::{Error, ErrorKind, Result};
pub use json::{from_json, to_json};
pub use secret::Secret;
