//! Text that must not be seen: redacted when printed, wiped when dropped.

use std::fmt;

use zeroize::Zeroizing;

/// A token or a key. `Debug` and `Display` print `<redacted>`; the memory is wiped on drop; [`Secret::expose`] is the
/// only way to the text.
///
/// ```
/// let secret = ttn_auth::Secret::new("ttn-account-v2.abc");
/// assert_eq!(format!("{secret} {secret:?}"), "<redacted> <redacted>");
/// assert_eq!(secret.expose(), "ttn-account-v2.abc");
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text over, so that no second copy stays behind.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text. Every place that calls this is a place to review.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// `text` without this secret, for messages that come from elsewhere.
    #[cfg(any(feature = "grpc", feature = "http"))]
    pub(crate) fn redact(&self, text: &str) -> String {
        // A secret of a few characters would tear harmless words apart, and guessing it needs no log.
        if self.0.len() < 8 { text.to_owned() } else { text.replace(self.expose(), "<redacted>") }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}
