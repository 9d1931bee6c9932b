//! What a token can allow: the names of rights (wire.md, section 2).

use std::fmt;
use std::str::FromStr;

use crate::{Error, ErrorKind, Result};

macro_rules! rights {
    ($(#[$what:meta])* $right:ident: $($(#[$doc:meta])* $name:ident $text:literal,)*) => {
        $(#[$what])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $right { $($(#[$doc])* $name,)* }

        impl $right {
            /// Every one, in the order of the documentation.
            pub const ALL: &[$right] = &[$($right::$name,)*];

            /// Its name in a token.
            pub const fn name(self) -> &'static str {
                match self { $($right::$name => $text,)* }
            }
        }

        impl fmt::Display for $right {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl FromStr for $right {
            type Err = Error;

            /// # Errors
            /// [`ErrorKind::InvalidArgument`], with every name there is.
            fn from_str(text: &str) -> Result<Self> {
                Self::ALL.iter().find(|right| right.name() == text).copied().ok_or_else(|| {
                    let names: Vec<_> = Self::ALL.iter().map(|right| right.name()).collect();
                    let message = format!("no such right; expected one of: {}", names.join(", "));
                    Error::new(ErrorKind::InvalidArgument, message)
                })
            }
        }
    };
}

rights! {
    /// What one may do with an application.
    Right:
    /// Read and change the application's settings.
    Settings "settings",
    /// Delete the application.
    Delete "delete",
    /// Manage who else has access.
    Collaborators "collaborators",
    /// Read and change devices.
    Devices "devices",
    /// Read uplink messages.
    ReadUplink "messages:up:r",
    /// Send uplink messages, as if a device had.
    WriteUplink "messages:up:w",
    /// Send downlink messages.
    WriteDownlink "messages:down:w",
}

rights! {
    /// What one may do with a gateway.
    GatewayRight:
    /// Read and change the gateway's settings.
    Settings "gateway:settings",
    /// Delete the gateway.
    Delete "gateway:delete",
    /// Manage who else has access.
    Collaborators "gateway:collaborators",
    /// Read its status.
    Status "gateway:status",
    /// Read its location.
    Location "gateway:location",
    /// Read who owns it.
    Owner "gateway:owner",
}

rights! {
    /// What one may do with a component of the network, such as a Handler.
    ComponentRight:
    /// Read and change the component's settings.
    Settings "component:settings",
    /// Delete the component.
    Delete "component:delete",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for right in Right::ALL {
            assert_eq!(right.name().parse::<Right>().unwrap(), *right);
        }
        let error = "device".parse::<Right>().unwrap_err();
        assert!(
            error.message().ends_with("devices, messages:up:r, messages:up:w, messages:down:w"),
            "{error}"
        );
        assert_eq!("component:delete".parse::<ComponentRight>().unwrap(), ComponentRight::Delete);
    }
}
