//! The messages of the V2 APIs and of The Things Stack's, compiled from `proto/`, with their documented JSON as their serde
//! form.
//!
//! V2's bytes fields have a fixed length, which [`lengths`] checks: 8 for an EUI, 4 for a `dev_addr`, 16 for a key.

#![allow(missing_docs)] // Generated; the fields are documented in the .proto files.

/// `handler`: the ApplicationManager's messages.
pub mod handler {
    include!(concat!(env!("OUT_DIR"), "/handler.rs"));
}

/// `lorawan`: the LoRaWAN part of a device.
pub mod lorawan {
    include!(concat!(env!("OUT_DIR"), "/lorawan.rs"));
}

/// `discovery`: announcements.
pub mod discovery {
    include!(concat!(env!("OUT_DIR"), "/discovery.rs"));
}

/// `ttn.lorawan.v3`: what The Things Stack's Identity Server and its event server speak.
pub mod stack {
    include!(concat!(env!("OUT_DIR"), "/ttn.lorawan.v3.rs"));

    use std::fmt;

    use crate::Secret;

    /// As derived, but for what is secret.
    macro_rules! redacted {
        ($($message:ident: $($field:ident)*, $($secret:ident)*;)*) => { $(
            impl fmt::Debug for $message {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.debug_struct(stringify!($message))
                        $(.field(stringify!($field), &self.$field))*
                        $(.field(stringify!($secret), &Secret::new(self.$secret.as_str())))*
                        .finish()
                }
            }
        )* };
    }

    redacted! {
        ApiKey: id name rights created_at updated_at expires_at, key;
        OAuthAccessToken: user_ids client_ids id rights created_at expires_at user_session_id,
            access_token refresh_token;
        UserSession: user_ids session_id created_at updated_at expires_at, session_secret;
        EndDeviceAuthenticationCode: valid_from valid_to, value;
    }
}

/// `google.rpc`: a gRPC error with its details.
pub mod rpc {
    include!(concat!(env!("OUT_DIR"), "/google.rpc.rs"));
}

/// `google.protobuf.Empty`: nothing, `{}` in JSON.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message, serde::Serialize, serde::Deserialize)]
pub struct Empty {}

/// The ids in a message, which the ApplicationManager's HTTP routes take from the path.
#[cfg(any(feature = "grpc", feature = "http"))]
pub(crate) trait Named {
    fn app_id(&self) -> &str {
        ""
    }

    fn dev_id(&self) -> Option<&str> {
        None
    }
}

#[cfg(any(feature = "grpc", feature = "http"))]
macro_rules! named {
    ($($message:ident: $($id:ident)*;)*) => { $(
        impl Named for handler::$message {
            $(named!(@ $id);)*
        }
    )* };
    (@ app_id) => {
        fn app_id(&self) -> &str {
            &self.app_id
        }
    };
    (@ dev_id) => {
        fn dev_id(&self) -> Option<&str> {
            Some(&self.dev_id)
        }
    };
}

#[cfg(any(feature = "grpc", feature = "http"))]
named! {
    ApplicationIdentifier: app_id;
    Application: app_id;
    DeviceIdentifier: app_id dev_id;
    Device: app_id dev_id;
    SimulatedUplinkMessage: app_id dev_id;
    DryDownlinkMessage: ;
    DryUplinkMessage: ;
}

/// Names the first bytes field whose length a V2 server would refuse, or nothing. A field may be absent (empty).
///
/// Source: wire.md, section 5 ("13, a bytes field of the wrong length").
pub fn lengths(device: &lorawan::Device) -> Option<&'static str> {
    [
        ("app_eui", &device.app_eui, 8),
        ("dev_eui", &device.dev_eui, 8),
        ("dev_addr", &device.dev_addr, 4),
        ("nwk_s_key", &device.nwk_s_key, 16),
        ("app_s_key", &device.app_s_key, 16),
        ("app_key", &device.app_key, 16),
    ]
    .into_iter()
    .find(|(_, bytes, length)| !bytes.is_empty() && bytes.len() != *length)
    .map(|(name, ..)| name)
}
