//! A token taken apart (JWT, RFC 7519, in the compact form of RFC 7515). Nothing of it is trusted here, and nothing of its
//! header but `alg` is ever used: keys that a token brings along (`jwk`, `jku`, `x5c`, `x5u`, `kid`) are not even read.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use crate::unique::Unique;
use crate::{Claims, Error, ErrorKind, Result};

/// The algorithms that Go's JWT library knows; another name is refused before the issuer is looked at.
const KNOWN_ALGORITHMS: [&str; 13] = [
    "ES256", "ES384", "ES512", "HS256", "HS384", "HS512", "PS256", "PS384", "PS512", "RS256", "RS384",
    "RS512", "none",
];

/// The header that Go's library writes, and V2's tokens have: `{"alg":"ES256","typ":"JWT"}`.
const USUAL_HEADER: &str = "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9";

/// A token taken apart.
pub(crate) struct Jwt<'a> {
    /// What the token says it is signed with; one of those that Go knows.
    pub(crate) algorithm: &'static str,
    /// What it claims. Not verified.
    pub(crate) claims: Claims,
    signed: &'a str,
    signature: &'a str,
}

impl<'a> Jwt<'a> {
    /// # Errors
    /// [`ErrorKind::InvalidToken`] with gRPC code 7.
    pub(crate) fn read(token: &'a str) -> Result<Self> {
        let segments = || invalid("token contains an invalid number of segments");
        let (signed, signature) = token.rsplit_once('.').ok_or_else(segments)?;
        let (header, claims) = signed.split_once('.').ok_or_else(segments)?;
        if claims.contains('.') {
            return Err(segments());
        }
        let header = (header != USUAL_HEADER)
            .then(|| json::<Header>(header, "the header is not a JSON object with an alg"))
            .transpose()?;
        let claims = json(claims, "the claims are not a JSON object of the expected form")?;
        let algorithm = header.map_or(Ok("ES256"), Header::algorithm)?;
        Ok(Self { algorithm, claims, signed, signature })
    }

    /// What the signature is of.
    pub(crate) fn signed(&self) -> &[u8] {
        self.signed.as_bytes()
    }

    /// # Errors
    /// [`ErrorKind::InvalidToken`] if it is not base64url.
    pub(crate) fn signature(&self) -> Result<Vec<u8>> {
        decode(self.signature)
    }
}

/// What is read of a header.
#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default, deserialize_with = "present")]
    crit: bool,
}

impl Header {
    fn algorithm(self) -> Result<&'static str> {
        let algorithm = KNOWN_ALGORITHMS
            .into_iter()
            .find(|known| *known == self.alg)
            .ok_or_else(|| invalid("signing method (alg) is unavailable."))?;
        // RFC 7515, section 4.1.11: whoever does not understand them all must refuse, and nobody here understands any.
        if self.crit {
            return Err(invalid("the header has critical extensions (crit)"));
        }
        Ok(algorithm)
    }
}

/// That a name is there, whatever it stands for.
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(from).map(|_| true)
}

/// A segment's JSON, in which no name may occur twice: two readers could each take another one (RFC 7519, section 4).
fn json<T: for<'de> Deserialize<'de>>(segment: &str, wrong: &'static str) -> Result<T> {
    let json = decode(segment)?;
    // serde takes an array for a struct.
    if json.trim_ascii_start().first() != Some(&b'{') {
        return Err(invalid(wrong));
    }
    // Its own messages repeat values.
    serde_json::from_slice::<Unique>(&json).map_err(|_| invalid(wrong))?;
    serde_json::from_slice(&json).map_err(|_| invalid(wrong))
}

fn decode(segment: &str) -> Result<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(segment).map_err(|error| {
        let at = match error {
            base64::DecodeError::InvalidByte(at, _) | base64::DecodeError::InvalidLastSymbol(at, _) => at,
            _ => segment.len(),
        };
        invalid(format!("illegal base64 data at input byte {at}"))
    })
}

pub(crate) fn refused(kind: ErrorKind, reason: impl fmt::Display) -> Error {
    Error::new(kind, format!("permission denied: unable to parse token: {reason}")).with_grpc_code(7)
}

pub(crate) fn invalid(reason: impl fmt::Display) -> Error {
    refused(ErrorKind::InvalidToken, reason)
}
