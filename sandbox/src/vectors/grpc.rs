//! Sends a recorded gRPC call over plain HTTP/2, metadata exactly as recorded: a gRPC library would refuse or tidy up
//! what the vectors are about (blanks, empty values, names sent twice).

use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::file::Pairs;

/// The largest recorded token is 667 KB; an answer never has more.
const HEADERS: u32 = 2 << 20;

/// How a call ended.
#[derive(Debug)]
pub(super) enum Ending {
    /// With a status.
    Status(GrpcAnswer),
    /// Without one.
    Broken(String),
    /// It did not begin: an HTTP/2 client cannot send this.
    CannotSend(String),
}

/// What a server answered.
#[derive(Debug, Default)]
pub(super) struct GrpcAnswer {
    pub(super) code: i64,
    pub(super) message: String,
    /// The message's bytes, if there was one.
    pub(super) response: Option<Vec<u8>>,
    /// Initial metadata, in the order it came.
    pub(super) initial_metadata: Pairs,
    /// Trailers, in the order they came.
    pub(super) trailers: Pairs,
}

/// Makes one call on a connection of its own.
pub(super) async fn call(address: SocketAddr, path: &str, metadata: &Pairs, message: &[u8]) -> Ending {
    match request(address, path, metadata) {
        Err(why) => Ending::CannotSend(why),
        Ok(request) => match send(address, request, message).await {
            Ok(answer) => Ending::Status(answer),
            Err(why) => Ending::Broken(why),
        },
    }
}

fn request(address: SocketAddr, path: &str, metadata: &Pairs) -> Result<Request<()>, String> {
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(format!("http://{address}{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .map_err(|e| e.to_string())?;
    for (name, value) in metadata {
        // HTTP/2 names are lower case, and the http crate holds no others.
        let name = HeaderName::from_lowercase(name.as_bytes()).map_err(|_| format!("the name {name:?}"))?;
        let value =
            HeaderValue::from_bytes(value.as_bytes()).map_err(|_| format!("the value of {name:?}"))?;
        request.headers_mut().try_append(name, value).map_err(|e| e.to_string())?;
    }
    Ok(request)
}

async fn send(address: SocketAddr, request: Request<()>, message: &[u8]) -> Result<GrpcAnswer, String> {
    let io = TcpStream::connect(address).await.map_err(|e| e.to_string())?;
    let (sender, connection) = h2::client::Builder::new()
        .max_header_list_size(HEADERS)
        .handshake::<_, Bytes>(io)
        .await
        .map_err(|e| e.to_string())?;
    // Dropping the set ends the connection with the call, also when the time limit cuts it short.
    let mut connections = JoinSet::new();
    connections.spawn(connection);

    let mut sender = sender.ready().await.map_err(|e| e.to_string())?;
    let (response, mut body) = sender.send_request(request, false).map_err(|e| e.to_string())?;
    let length = u32::try_from(message.len()).map_err(|_| "the message is too large")?;
    let frame = [&[0][..], &length.to_be_bytes(), message].concat();
    // A server that refuses early closes the stream; its answer is what counts.
    let _ = body.send_data(frame.into(), true);

    let (head, mut body) = response.await.map_err(|e| e.to_string())?.into_parts();
    if head.status != 200 {
        return Err(format!("HTTP status {}", head.status.as_u16()));
    }
    if let Some(answer) = status(&head.headers)? {
        return Ok(answer); // Trailers only: what came first is no initial metadata.
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = body.data().await {
        let chunk = chunk.map_err(|e| e.to_string())?;
        body.flow_control().release_capacity(chunk.len()).map_err(|e| e.to_string())?;
        bytes.extend_from_slice(&chunk);
    }
    let trailers = body.trailers().await.map_err(|e| e.to_string())?.unwrap_or_default();
    let answer = status(&trailers)?.ok_or("no grpc-status")?;
    Ok(GrpcAnswer { response: unframe(&bytes)?, initial_metadata: pairs(&head.headers), ..answer })
}

/// Reads `grpc-status` and `grpc-message`.
fn status(headers: &HeaderMap) -> Result<Option<GrpcAnswer>, String> {
    let Some(code) = headers.get("grpc-status") else { return Ok(None) };
    let code = text(code).parse().map_err(|_| "grpc-status is not a number")?;
    let message = headers.get("grpc-message").map(text).unwrap_or_default();
    let message = percent_decode(&message);
    Ok(Some(GrpcAnswer { code, message, trailers: pairs(headers), ..GrpcAnswer::default() }))
}

fn pairs(headers: &HeaderMap) -> Pairs {
    headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}

fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

/// The one message of a unary answer, or none.
fn unframe(bytes: &[u8]) -> Result<Option<Vec<u8>>, String> {
    match bytes {
        [] => Ok(None),
        [0, a, b, c, d, message @ ..] if u32::from_be_bytes([*a, *b, *c, *d]) as usize == message.len() => {
            Ok(Some(message.to_vec()))
        }
        _ => Err(format!("{} bytes that are not one uncompressed message", bytes.len())),
    }
}

fn percent_decode(text: &str) -> String {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let byte = tail.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match byte.and_then(|two| u8::from_str_radix(two, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                out.push(byte);
                rest = &tail[2..];
            }
            None => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_percent_decoded() {
        assert_eq!(percent_decode("a%20%C3%A9%"), "a é%");
        assert_eq!(percent_decode("100%zz %2"), "100%zz %2");
    }

    #[test]
    fn one_message_is_unframed() {
        assert_eq!(unframe(&[0, 0, 0, 0, 2, 7, 8]).unwrap().unwrap(), [7, 8]);
        assert_eq!(unframe(&[]).unwrap(), None);
        for odd in [&[0, 0, 0, 0, 2, 7][..], &[1, 0, 0, 0, 0], &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0]] {
            assert!(unframe(odd).is_err(), "{odd:?}");
        }
    }

    #[test]
    fn metadata_is_sent_as_recorded_or_not_at_all() {
        let address = "127.0.0.1:1".parse().unwrap();
        let pairs =
            |pairs: &[(&str, &str)]| pairs.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect::<Pairs>();
        let sent =
            request(address, "/a.B/C", &pairs(&[("token", "\t x "), ("token", ""), ("key", "é")])).unwrap();
        let tokens: Vec<_> = sent.headers().get_all("token").iter().map(HeaderValue::as_bytes).collect();
        assert_eq!(tokens, [b"\t x ", &b""[..]]);
        assert_eq!(sent.headers()["key"].as_bytes(), "é".as_bytes());
        assert!(request(address, "/a.B/C", &pairs(&[("Token", "x")])).unwrap_err().contains("\"Token\""));
        assert!(
            request(address, "/a.B/C", &pairs(&[("token", "a\u{1}secret")])).unwrap_err().contains("token")
        );
    }
}
