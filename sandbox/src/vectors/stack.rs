//! Runs what was recorded from The Things Stack against the V3 side of a sandbox.

use std::net::SocketAddr;

use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use ttn_auth::proto::{Empty, stack};

use super::compare::{Exception, Findings};
use super::file::Pairs;
use super::grpc::{self, Ending};
use super::stack_compare;
use super::stack_file::{StackExchange, StackRequest};
use super::{Vector, http};

/// The V3 side to run vectors against, and what `{$name}` stands for in them.
pub(super) struct StackTarget {
    pub(super) grpc: SocketAddr,
    pub(super) http: SocketAddr,
    pub(super) credential: fn(&str) -> Option<String>,
}

/// Sequences, whose tokens are not in the file. They begin so.
const SEQUENCES: &str = "flow ";

/// What the recording client refused to send, by the last part of its name.
const REFUSED: [&str; 2] = ["tab_separator", "big_2m"];

/// Why a vector is not run, if it is not.
pub(super) fn left_out(vector: &Vector, exchange: &StackExchange) -> Option<Exception> {
    if vector.group.starts_with(SEQUENCES) {
        return Some(Exception::Sequence);
    }
    let by_name = vector.name.rsplit('/').next().is_some_and(|name| REFUSED.contains(&name));
    let over_grpc = matches!(exchange.request, StackRequest::Grpc { .. });
    // Had it been sent, there would be what the server answered it with.
    (by_name && over_grpc && !exchange.expect.contains_key("header")).then_some(Exception::RecorderRefused)
}

impl StackTarget {
    pub(super) async fn run(&self, exchange: &StackExchange) -> Result<Findings, String> {
        let StackExchange { request, expect } = exchange;
        match request {
            StackRequest::Http { method, path, headers, body } => {
                let headers = self.expand_values(headers)?;
                let body = body.as_deref().map(|body| self.expand(body)).transpose()?;
                let came =
                    http::call(self.http, method, &self.expand(path)?, &headers, body.as_deref()).await?;
                Ok(stack_compare::http(expect, &headers, &came))
            }
            StackRequest::Grpc { method, metadata, message } => {
                let codec = codec(method).ok_or_else(|| format!("{method} is not known here"))?;
                let metadata = self.expand_values(metadata)?;
                let message = (codec.encode)(message)?;
                match grpc::call(self.grpc, &format!("/{method}"), &metadata, &message).await {
                    Ending::CannotSend(what) => Err(format!("an http crate cannot send {what}")),
                    Ending::Broken(why) => {
                        let mut found = Findings::default();
                        found.differ("ending", "a gRPC status", &why);
                        Ok(found)
                    }
                    Ending::Status(came) => Ok(stack_compare::grpc(expect, &metadata, &came, codec.decode)),
                }
            }
        }
    }

    /// Puts the sandbox's own credentials where the file has `{$name}`.
    fn expand(&self, text: &str) -> Result<String, String> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{$") {
            let (name, after) = after.split_once('}').ok_or("a placeholder without an end")?;
            out.push_str(before);
            out.push_str(
                &(self.credential)(name).ok_or_else(|| format!("no credential is called {name:?}"))?,
            );
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }

    fn expand_values(&self, pairs: &Pairs) -> Result<Pairs, String> {
        pairs.iter().map(|(name, value)| Ok((name.clone(), self.expand(value)?))).collect()
    }
}

/// A method's messages, from JSON and to JSON.
struct Codec {
    encode: fn(&Value) -> Result<Vec<u8>, String>,
    decode: fn(&[u8]) -> Result<Value, String>,
}

fn codec(method: &str) -> Option<Codec> {
    use stack::{
        ApiKey, ApiKeys, Application, ApplicationIdentifiers, Applications, AuthInfoResponse,
        CreateApplicationApiKeyRequest, CreateApplicationRequest, CreateEndDeviceRequest, EndDevice,
        EndDeviceIdentifiers, EndDevices, GetApplicationRequest, GetEndDeviceIdentifiersForEuIsRequest,
        GetEndDeviceRequest, ListApplicationApiKeysRequest, ListApplicationsRequest, ListEndDevicesRequest,
        Rights, UpdateApplicationRequest, UpdateEndDeviceRequest,
    };
    Some(match method.strip_prefix("ttn.lorawan.v3.")? {
        "EntityAccess/AuthInfo" => of::<Empty, AuthInfoResponse>(),
        "ApplicationRegistry/Create" => of::<CreateApplicationRequest, Application>(),
        "ApplicationRegistry/Get" => of::<GetApplicationRequest, Application>(),
        "ApplicationRegistry/List" => of::<ListApplicationsRequest, Applications>(),
        "ApplicationRegistry/Update" => of::<UpdateApplicationRequest, Application>(),
        "ApplicationRegistry/Delete" | "ApplicationRegistry/Restore" | "ApplicationRegistry/Purge" => {
            of::<ApplicationIdentifiers, Empty>()
        }
        "ApplicationAccess/ListRights" => of::<ApplicationIdentifiers, Rights>(),
        "ApplicationAccess/CreateAPIKey" => of::<CreateApplicationApiKeyRequest, ApiKey>(),
        "ApplicationAccess/ListAPIKeys" => of::<ListApplicationApiKeysRequest, ApiKeys>(),
        "EndDeviceRegistry/Create" => of::<CreateEndDeviceRequest, EndDevice>(),
        "EndDeviceRegistry/Get" | "NsEndDeviceRegistry/Get" | "AsEndDeviceRegistry/Get" => {
            of::<GetEndDeviceRequest, EndDevice>()
        }
        "EndDeviceRegistry/List" => of::<ListEndDevicesRequest, EndDevices>(),
        "EndDeviceRegistry/Update" => of::<UpdateEndDeviceRequest, EndDevice>(),
        "EndDeviceRegistry/Delete" => of::<EndDeviceIdentifiers, Empty>(),
        "EndDeviceRegistry/GetIdentifiersForEUIs" => {
            of::<GetEndDeviceIdentifiersForEuIsRequest, EndDeviceIdentifiers>()
        }
        _ => return None,
    })
}

fn of<Q, A>() -> Codec
where
    Q: Message + DeserializeOwned,
    A: Message + Default + Serialize,
{
    Codec {
        encode: |json| {
            let message = Q::deserialize(json).map_err(|e| format!("message: {e}"))?;
            Ok(message.encode_to_vec())
        },
        decode: |bytes| {
            let message = A::decode(bytes).map_err(|e| format!("response: {e}"))?;
            serde_json::to_value(message).map_err(|e| format!("response: {e}"))
        },
    }
}
