//! `Client.request` and `Client.unary`: any HTTP route, any gRPC method.

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request};
use napi::bindgen_prelude::{Buffer, Either, Object, ToNapiValue, Uint8Array, Unknown};
use napi::{Env, ValueType};
use napi_derive::napi;
use ttn_auth::Result;

use crate::args::{self, Fields};
use crate::client::{Client, call_options};
use crate::error::{invalid, unreadable};
use crate::hooks;
use crate::promise::{Call, promise};

#[napi]
impl Client {
    /// Any HTTP route of this server; the host is always the client's. `path` begins with one `/`. A plain object or a
    /// list as `body` is sent as JSON, an ArrayBuffer or a view as its bytes; a body's content type is `application/json` unless `headers` has another. Only for clients over HTTP.
    ///
    /// A status of 300 and more rejects.
    #[napi(catch_unwind, ts_args_type = "request: HttpRequest", ts_return_type = "Promise<HttpResponse>")]
    pub fn request<'a>(&self, env: &'a Env, request: Unknown<'a>) -> napi::Result<Object<'a>> {
        let prepare = || {
            let fields = Fields::required(request, "the request")?;
            let request = http_request(env, &fields)?;
            let (client, options) = ((*self.inner).clone(), call_options(&fields)?);
            let future = async move { client.request(request, &options).await };
            Ok(Call { future, signal: fields.value("signal")? })
        };
        promise(env, prepare, |env, response| {
            let mut answer = Object::new(env)?;
            answer.set("status", response.status().as_u16())?;
            answer.set("headers", record(env, response.headers())?)?;
            answer.set("body", Buffer::from(response.into_body().as_ref()))?;
            answer.into_unknown(env)
        })
    }

    /// Any gRPC method, `/package.Service/Method`, with its message encoded by the caller. Only for clients over gRPC.
    #[napi(
        catch_unwind,
        ts_args_type = "method: string, message: Uint8Array, options?: UnaryOptions",
        ts_return_type = "Promise<UnaryAnswer>"
    )]
    pub fn unary<'a>(
        &self,
        env: &'a Env,
        method: Unknown<'a>,
        message: Either<Uint8Array, Unknown<'a>>,
        options: Option<Unknown<'a>>,
    ) -> napi::Result<Object<'a>> {
        let prepare = || {
            let method = args::text(method, "method")?;
            let Either::A(message) = message else { return Err(invalid("message must be a Uint8Array")) };
            // Copied: JavaScript may write into it, or give it away, while the call runs.
            let message = Bytes::copy_from_slice(&message);
            let fields = Fields::optional(options, "options")?;
            let metadata = headers(env, &fields, "metadata")?;
            let (client, options) = ((*self.inner).clone(), call_options(&fields)?);
            let future = async move { client.unary(&method, message, metadata, &options).await };
            Ok(Call { future, signal: fields.value("signal")? })
        };
        promise(env, prepare, |env, answer| {
            let mut shown = Object::new(env)?;
            shown.set("message", Buffer::from(answer.message.as_ref()))?;
            shown.set("metadata", record(env, &answer.metadata)?)?;
            shown.set("trailers", record(env, &answer.trailers)?)?;
            shown.into_unknown(env)
        })
    }
}

pub(crate) fn http_request(env: &Env, fields: &Fields) -> Result<Request<Bytes>> {
    let method = fields.text("method")?.unwrap_or_else(|| "GET".to_owned());
    let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes())
        .map_err(|_| invalid("method must be an HTTP method, such as GET"))?;
    let mut uri =
        fields.text("path")?.ok_or_else(|| invalid("path is missing, such as /applications/my-app"))?;
    // It would be cut off without a word, and a query after it too.
    if uri.contains('#') {
        return Err(invalid("path cannot have a fragment: write a # that belongs to the path as %23"));
    }
    if let Some(query) = fields.object("query")? {
        let query = hooks::query(env, query).map_err(|error| unreadable("query", &error))?;
        if !query.is_empty() {
            uri = format!("{uri}{}{query}", if uri.contains('?') { '&' } else { '?' });
        }
    }
    let headers = headers(env, fields, "headers")?;
    let body = match fields.value("body")? {
        None => Bytes::new(),
        Some(body) if args::kind(body)? == ValueType::String => args::text(body, "body")?.into(),
        Some(body) if args::kind(body)? == ValueType::Object => {
            match hooks::body(env, body).map_err(|error| unreadable("body", &error))? {
                Either::A(json) => json.into(),
                // Copied: JavaScript may write into them, or give them away, while the call runs.
                Either::B(bytes) => Bytes::copy_from_slice(&bytes),
            }
        }
        Some(_) => return Err(invalid("body must be a string, bytes or an object")),
    };
    let mut request = Request::builder()
        .method(method)
        .uri(uri)
        .body(body)
        .map_err(|_| invalid("path is not a valid path"))?;
    *request.headers_mut() = headers;
    Ok(request)
}

/// Headers or metadata from an object. Values stay out of the messages: they may be secret.
pub(crate) fn headers(env: &Env, fields: &Fields, field: &str) -> Result<HeaderMap> {
    fields
        .entries(env, field)?
        .into_iter()
        .map(|(name, value)| {
            let wrong = || invalid(format!("{field}: {name:?} or its value cannot be sent"));
            let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
            Ok((parsed, HeaderValue::from_str(&value).map_err(|_| wrong())?))
        })
        .collect()
}

/// Headers as an object; of a name sent more than once, the values in a row.
fn record<'a>(env: &'a Env, headers: &HeaderMap) -> napi::Result<Object<'a>> {
    let mut record = Object::new(env)?;
    for name in headers.keys() {
        let values: Vec<_> =
            headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        record.set(name, values.join(", "))?;
    }
    Ok(record)
}
