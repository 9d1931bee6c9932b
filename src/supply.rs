//! What a client sends as its credentials: nothing, always the same, or what a source gives at the moment.

use std::sync::Arc;

use crate::{Credentials, CredentialsFile, Error, Result, TokenSource};

/// Where a client's credentials come from.
#[derive(Clone, Debug, Default)]
pub(crate) enum Supply {
    #[default]
    Nothing,
    Fixed(Credentials),
    File(CredentialsFile),
    Source(Arc<dyn TokenSource>),
}

impl Supply {
    /// What to send now.
    pub(crate) async fn credentials(&self) -> Result<Option<Credentials>> {
        Ok(match self {
            Self::Nothing => None,
            Self::Fixed(credentials) => Some(credentials.clone()),
            Self::File(file) => Some(file.credentials().await.map_err(Error::before_sending)?),
            Self::Source(source) => {
                Some(Credentials::Token(source.token().await.map_err(Error::before_sending)?))
            }
        })
    }

    /// A server refused these: whether there may be others.
    #[cfg(any(feature = "grpc", feature = "http"))]
    pub(crate) fn invalidate(&self, refused: &Credentials) -> bool {
        match (self, refused) {
            (Self::Source(source), Credentials::Token(token)) => source.invalidate(token),
            (Self::File(file), _) => file.invalidate(),
            _ => return false,
        }
        true
    }
}
