//! What comes piece by piece over the wire: The Things Stack's events, gRPC's server streaming, and HTTP's lines.

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt, TryStreamExt};
use napi::bindgen_prelude::{Either, Uint8Array, Unknown};
use napi::{Env, ValueType};
use napi_derive::napi;
use ttn_auth::{Error, ErrorKind, EventOptions, Result, Secret, Streaming, from_json};

use crate::args::{self, Fields};
use crate::client::{Client, call_options};
use crate::error::{guard, invalid};
use crate::kept;
use crate::raw::{headers, http_request};
use crate::reader::{Piece, Reader};
use crate::runtime::runtime;

/// Events; `options.onReconnect` is told a text.
#[napi(catch_unwind, skip_typescript)]
pub fn open_events(
    client: &Client,
    env: &Env,
    request: Unknown,
    options: Option<Unknown>,
) -> napi::Result<Reader> {
    guard(env, || {
        let request = from_json(args::json(env, request, "the request")?.as_bytes())?;
        let fields = Fields::optional(options, "options")?;
        let mut options = EventOptions::default();
        options.call = call_options(&fields)?;
        options.reconnect = fields.flag("reconnect")?.unwrap_or(true);
        if let Some(function) = fields.value("onReconnect")? {
            if args::kind(function)? != ValueType::Function {
                return Err(invalid("onReconnect must be a function"));
            }
            let listener = kept::keep(env, function)?;
            options = options.on_reconnect(move |error| listener.tell(Secret::new(told(error))));
        }
        let _context = runtime()?.enter();
        Ok(Reader::of_messages(client.inner.events(request, options).into_stream()))
    })
}

/// The messages of a gRPC method that streams.
#[napi(catch_unwind, skip_typescript)]
pub fn open_stream(
    client: &Client,
    env: &Env,
    method: Unknown,
    message: Either<Uint8Array, Unknown>,
    options: Option<Unknown>,
) -> napi::Result<Reader> {
    guard(env, || {
        let method = args::text(method, "method")?;
        let Either::A(message) = message else { return Err(invalid("message must be a Uint8Array")) };
        // Copied: JavaScript may write into it, or give it away, while the call runs.
        let message = Bytes::copy_from_slice(&message);
        let fields = Fields::optional(options, "options")?;
        let metadata = headers(env, &fields, "metadata")?;
        let (client, options) = ((*client.inner).clone(), call_options(&fields)?);
        let _context = runtime()?.enter();
        let open = async move { client.stream(&method, message, metadata, &options).await };
        Ok(Reader::new(pieces(open, |message| Ok(Piece::Bytes(message)))))
    })
}

/// The results of an HTTP route that streams.
#[napi(catch_unwind, skip_typescript)]
pub fn open_lines(client: &Client, env: &Env, request: Unknown) -> napi::Result<Reader> {
    guard(env, || {
        let fields = Fields::required(request, "request")?;
        let request = http_request(env, &fields)?;
        let (client, options) = ((*client.inner).clone(), call_options(&fields)?);
        let _context = runtime()?.enter();
        let open = async move { client.stream_request(request, &options).await };
        Ok(Reader::new(pieces(open, |line| {
            let text = String::from_utf8(line.into())
                .map_err(|_| Error::new(ErrorKind::Protocol, "the server's line is not text in UTF-8"))?;
            Ok(Piece::Json(text))
        })))
    })
}

/// The messages of a stream that is opened when the first one is asked for.
fn pieces(
    open: impl Future<Output = Result<Streaming>> + Send + 'static,
    piece: impl Fn(Bytes) -> Result<Piece> + Send + Copy + 'static,
) -> impl Stream<Item = Result<Piece>> + Send + 'static {
    stream::once(open)
        .map_ok(move |streaming| streaming.into_stream().map(move |message| piece(message?)))
        .try_flatten()
}

/// An error as text, for stack.js; empty if there is none.
fn told(error: Option<&Error>) -> String {
    let Some(error) = error else { return String::new() };
    serde_json::json!({
        "message": error.message(),
        "code": error.code(),
        "transient": error.is_transient(),
        "hint": error.hint(),
        "grpcCode": error.grpc_code(),
        "httpStatus": error.http_status(),
    })
    .to_string()
}
