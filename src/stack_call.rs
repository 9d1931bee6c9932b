//! One call of The Things Stack, over whichever transport the client has: a gRPC method, or a route under `/api/v3`.
//!
//! Both end in the same message, so answers are deep-equal by construction.

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Request};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use prost::Message;
use serde::de::DeserializeOwned;

use crate::{CallOptions, Client, Error, ErrorKind, Result, Transport, from_json};

/// In a path and in a query nothing else is left as it is; in a query those of a field mask are, too.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');
const IN_QUERY: &AsciiSet = &IN_PATH.remove(b',').remove(b'.');

/// How a call looks in HTTP.
pub(crate) struct Route {
    method: Method,
    uri: String,
    body: Bytes,
}

impl Route {
    /// The parts of the path after `/api/v3`, each encoded.
    pub(crate) fn new(method: Method, path: &[&str]) -> Self {
        let parts = path.iter().map(|part| format!("/{}", utf8_percent_encode(part, IN_PATH)));
        Self { method, uri: format!("/api/v3{}", parts.collect::<String>()), body: Bytes::new() }
    }

    /// With these in the query, but for empty ones.
    pub(crate) fn query(mut self, query: &[(&str, &str)]) -> Self {
        let mut before = '?';
        for (name, value) in query.iter().filter(|(_, value)| !value.is_empty()) {
            self.uri.push(before);
            self.uri.push_str(name);
            self.uri.push('=');
            self.uri.extend(utf8_percent_encode(value, IN_QUERY));
            before = '&';
        }
        self
    }

    pub(crate) fn json(mut self, message: &impl serde::Serialize) -> Result<Self> {
        self.body = crate::to_json(message)?.into();
        Ok(self)
    }

    pub(crate) fn request(self) -> Result<Request<Bytes>> {
        Request::builder()
            .method(self.method)
            .uri(self.uri)
            .body(self.body)
            .map_err(|e| Error::new(ErrorKind::Internal, "cannot build the request").with_source(e))
    }
}

/// Makes a call. `method` is `/package.Service/Method`. The answer comes with its headers.
pub(crate) async fn call<Q, A>(
    client: &Client,
    options: &CallOptions,
    method: &'static str,
    request: &Q,
    route: impl FnOnce() -> Result<Route>,
) -> Result<(A, HeaderMap)>
where
    Q: Message,
    A: Message + DeserializeOwned + Default,
{
    match client.transport() {
        Transport::Grpc => {
            let method = PathAndQuery::from_static(method);
            let message = request.encode_to_vec().into();
            let answer = client.unary_at(&method, message, HeaderMap::new(), options).await?;
            Ok((decode(answer.message)?, answer.metadata))
        }
        Transport::Http => {
            let answer = client.request(route()?.request()?, options).await?;
            let status = answer.status().as_u16();
            let message = read(answer.body()).map_err(|error| error.with_http_status(status))?;
            Ok((message, answer.headers().clone()))
        }
    }
}

/// A message of the server's, in protobuf.
pub(crate) fn decode<A: Message + Default>(message: Bytes) -> Result<A> {
    A::decode(message).map_err(|e| strange("").with_source(e))
}

/// A message of the server's, in JSON.
pub(crate) fn read<A: DeserializeOwned>(json: &[u8]) -> Result<A> {
    from_json(json).map_err(|e| strange(&format!(": {e}")))
}

fn strange(why: &str) -> Error {
    Error::new(ErrorKind::Protocol, format!("the answer is not the message it should be{why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_an_id_or_a_value_shapes_the_uri() {
        let route = Route::new(Method::GET, &["applications", "a/../b?c#d%e"]).query(&[
            ("field_mask", "name,ids"),
            ("order", ""),
            ("x", "1&y=2"),
        ]);
        let uri = "/api/v3/applications/a%2F%2E%2E%2Fb%3Fc%23d%25e?field_mask=name,ids&x=1%26y%3D2";
        assert_eq!(route.uri, uri);
    }
}
