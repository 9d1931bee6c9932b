//! Text that must not be seen: redacted when printed, wiped when dropped.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

#[cfg(any(feature = "grpc", feature = "http"))]
use crate::stack_secret::StackSecret;

/// A token or a key. `Debug` and `Display` print `<redacted>`; the memory is wiped on drop; [`Secret::expose`] is the
/// only way to the text.
///
/// ```
/// let secret = ttn_auth::Secret::new("ttn-account-v2.abc");
/// assert_eq!(format!("{secret} {secret:?}"), "<redacted> <redacted>");
/// assert_eq!(secret.expose(), "ttn-account-v2.abc");
/// ```
#[derive(Clone, Default)]
pub struct Secret(Zeroizing<String>);

/// Takes as long for any other secret of the same length, so that nobody finds one out character by character.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Secret {}

impl Secret {
    /// Takes the text over, so that no second copy stays behind.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text. Every place that calls this is a place to review.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// `text` without this secret, for messages that come from elsewhere. Without its parts too: the secret half of an
    /// access key, the claims and the signature of a JWT. What stands before the first dot is no secret, and at The Things
    /// Stack the id behind it is none either.
    #[cfg(any(feature = "grpc", feature = "http"))]
    pub(crate) fn redact(&self, text: &str) -> String {
        let known = if StackSecret::of(self.expose()).is_some() { 2 } else { 1 };
        std::iter::once(self.expose())
            .chain(self.expose().split('.').skip(known))
            // A few characters would tear harmless words apart, and guessing them needs no log.
            .filter(|part| part.len() >= 8)
            .fold(text.to_owned(), |text, part| text.replace(part, "<redacted>"))
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

#[cfg(all(test, any(feature = "grpc", feature = "http")))]
mod tests {
    use super::*;

    #[test]
    fn a_secret_and_its_parts_are_taken_out_of_a_text() {
        let key = Secret::new("ttn-account-v2.hunter2hunter2");
        for (text, expected) in [
            ("bad key ttn-account-v2.hunter2hunter2!", "bad key <redacted>!"),
            ("key hunter2hunter2 is revoked", "key <redacted> is revoked"),
            (
                "Auth server \"ttn-account-v2\" not registered",
                "Auth server \"ttn-account-v2\" not registered",
            ),
        ] {
            assert_eq!(key.redact(text), expected);
        }
        assert_eq!(
            Secret::new("eyJhbGciOiJ.c2VjcmV0Y2xhaW1z.c2lnbmF0dXJl").redact("c2lnbmF0dXJl"),
            "<redacted>"
        );
        assert_eq!(Secret::new("a.b").redact("a b a.b"), "a b a.b");
        assert_eq!(
            Secret::new("NNSXS.IDENTIFIER.HUNTER2HUNTER2").redact("IDENTIFIER HUNTER2HUNTER2"),
            "IDENTIFIER <redacted>"
        );
    }
}
