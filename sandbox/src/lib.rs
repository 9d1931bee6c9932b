//! A stand-in V2 network on loopback: account server, Handler and discovery, for tests, demos and newcomers.

mod issuer;
mod mint;
pub mod vectors;

pub use issuer::{Algorithm, ISSUER, Issuer, SigningKey};
pub use mint::{APP_ID, APPLICATION_RIGHTS, Mint, TokenKind};
