//! What a credential can allow: the names of rights (wire.md, section 2; v3/wire.md, section "Proto").

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
    /// What one may do with an application: rights of V2's, and of The Things Stack's by their own names.
    ///
    /// A caller with a credential of The Things Stack has a V2 right by those of The Things Stack's that it stands for:
    ///
    /// | V2 | The Things Stack, `RIGHT_APPLICATION_..`, all of them |
    /// |---|---|
    /// | `settings` | `INFO`, `SETTINGS_BASIC` |
    /// | `delete` | `DELETE` |
    /// | `collaborators` | `SETTINGS_COLLABORATORS` |
    /// | `devices` | `DEVICES_READ`, `DEVICES_WRITE` |
    /// | `messages:up:r` | `TRAFFIC_READ` |
    /// | `messages:up:w` | `TRAFFIC_UP_WRITE` |
    /// | `messages:down:w` | `TRAFFIC_DOWN_WRITE` |
    ///
    /// A caller with a V2 token has none of The Things Stack's.
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
    /// The Things Stack: read the application's settings.
    StackInfo "RIGHT_APPLICATION_INFO",
    /// The Things Stack: change its settings.
    StackSettings "RIGHT_APPLICATION_SETTINGS_BASIC",
    /// The Things Stack: read and change its API keys.
    StackApiKeys "RIGHT_APPLICATION_SETTINGS_API_KEYS",
    /// The Things Stack: read and change who else has access.
    StackCollaborators "RIGHT_APPLICATION_SETTINGS_COLLABORATORS",
    /// The Things Stack: read and change its packages.
    StackPackages "RIGHT_APPLICATION_SETTINGS_PACKAGES",
    /// The Things Stack: delete the application.
    StackDelete "RIGHT_APPLICATION_DELETE",
    /// The Things Stack: read devices, without their keys.
    StackReadDevices "RIGHT_APPLICATION_DEVICES_READ",
    /// The Things Stack: create, change and delete devices, but for their keys.
    StackWriteDevices "RIGHT_APPLICATION_DEVICES_WRITE",
    /// The Things Stack: read devices' keys.
    StackReadDeviceKeys "RIGHT_APPLICATION_DEVICES_READ_KEYS",
    /// The Things Stack: change devices' keys.
    StackWriteDeviceKeys "RIGHT_APPLICATION_DEVICES_WRITE_KEYS",
    /// The Things Stack: read uplink and downlink messages.
    StackReadTraffic "RIGHT_APPLICATION_TRAFFIC_READ",
    /// The Things Stack: send uplink messages, as if a device had.
    StackWriteUplink "RIGHT_APPLICATION_TRAFFIC_UP_WRITE",
    /// The Things Stack: send downlink messages.
    StackWriteDownlink "RIGHT_APPLICATION_TRAFFIC_DOWN_WRITE",
    /// The Things Stack: exchange traffic as an Application Server does.
    StackLink "RIGHT_APPLICATION_LINK",
    /// The Things Stack: all rights there are, and will be.
    StackAll "RIGHT_APPLICATION_ALL",
}

impl Right {
    /// Whether it is a right of The Things Stack's, by its own name.
    pub fn is_of_the_things_stack(self) -> bool {
        self.name().starts_with("RIGHT_")
    }
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
            error
                .message()
                .contains("devices, messages:up:r, messages:up:w, messages:down:w, RIGHT_APPLICATION_INFO"),
            "{error}"
        );
        assert_eq!("component:delete".parse::<ComponentRight>().unwrap(), ComponentRight::Delete);
    }
}
