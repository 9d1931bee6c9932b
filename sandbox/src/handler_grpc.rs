//! The Handler over gRPC: which method is which call.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request};
use hyper::body::Incoming;
use ttn_auth::Result;

use crate::grpc::{Answer, decode, unary, undecodable, unknown};
use crate::handler::{Call, Handler};
use crate::lengths::wrong_length;
use crate::serve::{Reply, Service};

const SERVICES: [&str; 3] =
    ["handler.ApplicationManager", "handler.HandlerManager", "lorawan.DevAddrManager"];

/// The addresses that a network server gives out unless it is told others, and for what.
const PREFIX: &str = "26000000/20";
const USAGES: [&str; 6] = ["otaa", "abp", "world", "local", "private", "testing"];

pub(crate) struct HandlerGrpc(pub(crate) Arc<Handler>);

impl Service for HandlerGrpc {
    async fn call(&self, request: Request<Incoming>) -> Reply {
        unary(
            request,
            |path, metadata, message| async move { self.dispatch(&path, &metadata, message).await },
        )
        .await
    }
}

impl HandlerGrpc {
    async fn dispatch(&self, path: &str, metadata: &HeaderMap, message: Bytes) -> Result<Answer> {
        let handler = &*self.0;
        let call = Call::new(metadata);
        let method = path.strip_prefix("/handler.ApplicationManager/").unwrap_or(path);
        Ok(match method {
            "RegisterApplication" => empty(handler.register_application(&call, decode(message)?).await?),
            "GetApplication" => Answer::new(&handler.get_application(&call, decode(message)?).await?),
            "SetApplication" => empty(handler.set_application(&call, decode(message)?).await?),
            "DeleteApplication" => empty(handler.delete_application(&call, decode(message)?).await?),
            "GetDevice" => Answer::new(&handler.get_device(&call, decode(message)?).await?),
            "SetDevice" => {
                if let Some(why) = wrong_length(&message) {
                    return Err(undecodable(&why));
                }
                empty(handler.set_device(&call, decode(message)?).await?)
            }
            "DeleteDevice" => empty(handler.delete_device(&call, decode(message)?).await?),
            "GetDevicesForApplication" => {
                let devices = handler.get_devices(&call, decode(message)?).await?;
                let selected = devices.list.devices.len().to_string();
                let metadata = vec![("total", devices.total.to_string()), ("selected", selected)];
                Answer { metadata, ..Answer::new(&devices.list) }
            }
            "DryUplink" => Answer::new(&handler.dry_uplink(decode(message)?)?),
            "DryDownlink" => Answer::new(&handler.dry_downlink(decode(message)?)?),
            "SimulateUplink" => empty(handler.simulate_uplink(&call, decode(message)?).await?),
            // A Handler named `dev` asks for no credential here. There is nothing to measure: an empty status.
            "/handler.HandlerManager/GetStatus" => Answer::default(),
            "/lorawan.DevAddrManager/GetPrefixes" => {
                let usage = USAGES.map(str::to_owned).to_vec();
                Answer::new(&PrefixesResponse {
                    prefixes: vec![PrefixMapping { prefix: PREFIX.to_owned(), usage }],
                })
            }
            "/lorawan.DevAddrManager/GetDevAddr" => Answer::new(&DevAddrResponse { dev_addr: dev_addr() }),
            _ => return Err(unknown(path, &SERVICES)),
        })
    }
}

fn empty((): ()) -> Answer {
    Answer::default()
}

/// A fresh address within the prefix: its first 20 bits, then others.
fn dev_addr() -> Vec<u8> {
    use ring::rand::{SecureRandom, SystemRandom};
    let mut random = [0; 2];
    // Without randomness the address is the prefix itself, which is a valid one.
    let _ = SystemRandom::new().fill(&mut random);
    vec![0x26, 0x00, random[0] & 0x0f, random[1]]
}

/// `lorawan.PrefixesResponse`.
#[derive(Clone, PartialEq, prost::Message)]
struct PrefixesResponse {
    #[prost(message, repeated, tag = "1")]
    prefixes: Vec<PrefixMapping>,
}

/// `lorawan.PrefixesResponse.PrefixMapping`.
#[derive(Clone, PartialEq, prost::Message)]
struct PrefixMapping {
    #[prost(string, tag = "1")]
    prefix: String,
    #[prost(string, repeated, tag = "2")]
    usage: Vec<String>,
}

/// `lorawan.DevAddrResponse`.
#[derive(Clone, PartialEq, prost::Message)]
struct DevAddrResponse {
    #[prost(bytes = "vec", tag = "1")]
    dev_addr: Vec<u8>,
}
