//! Ids of applications and devices: `^[0-9a-z](?:[_-]?[0-9a-z]){1,35}$` (wire.md, section 5).

use std::fmt;

use crate::{Error, ErrorKind, Result};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident $shown:literal,)*) => { $(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// Checks the form.
            ///
            /// # Errors
            /// [`ErrorKind::InvalidArgument`], in V2's words.
            pub fn new(id: impl Into<String>) -> Result<Self> {
                let id = id.into();
                check(&id, $shown)?;
                Ok(Self(id))
            }

            /// The id's text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )* };
}

ids! {
    /// An application's id, such as `my-app`.
    AppId "AppID",
    /// A device's id within its application, such as `dev-1`.
    DevId "DevID",
}

fn check(id: &str, name: &str) -> Result<()> {
    let invalid = |why: &str| {
        Err(Error::new(ErrorKind::InvalidArgument, format!("{name} not valid: {why}")).with_grpc_code(3))
    };
    if id.is_empty() {
        return invalid("can not be empty");
    }
    if !is_well_formed(id) {
        return invalid(
            "has wrong format. IDs can contain lowercase letters, numbers, dashes and underscores and should have a \
             maximum length of 36",
        );
    }
    Ok(())
}

/// 2 to 36 letters or digits, between any two of which one separator may stand (and does not count).
fn is_well_formed(id: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = id.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    let letters = bytes.iter().filter(|byte| is_letter(**byte)).count();
    is_letter(*first)
        && is_letter(*last)
        && (2..=36).contains(&letters)
        && bytes.iter().all(|byte| is_letter(*byte) || matches!(byte, b'-' | b'_'))
        && bytes.windows(2).all(|pair| is_letter(pair[0]) || is_letter(pair[1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_v2s_form() {
        let longest = "a".repeat(36);
        let separated = vec!["a"; 36].join("-");
        for good in ["ab", "test-app", "a_b", "0-1", &longest, &separated] {
            assert!(AppId::new(good).is_ok(), "{good}");
        }
        let long = "a".repeat(37);
        for bad in ["a", "Ab", "a--b", "a-_b", "-ab", "ab-", "a b", "é2", "a.b", &long] {
            let error = DevId::new(bad).unwrap_err();
            assert!(error.message().starts_with("DevID not valid: has wrong format"), "{bad}");
            assert_eq!((error.kind(), error.grpc_code()), (ErrorKind::InvalidArgument, Some(3)));
        }
        assert_eq!(AppId::new("").unwrap_err().message(), "AppID not valid: can not be empty");
    }
}
