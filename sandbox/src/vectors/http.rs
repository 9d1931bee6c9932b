//! Sends a recorded HTTP request byte for byte over a socket of its own: an HTTP library would change the case of
//! names, trim blanks and refuse what the vectors are about.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::file::Pairs;

/// What a server answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct HttpAnswer {
    pub(super) status: i64,
    /// Names in lower case, in the order they came.
    pub(super) headers: Pairs,
    pub(super) body: Vec<u8>,
}

/// Makes one request.
pub(super) async fn call(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &Pairs,
    body: Option<&str>,
) -> Result<HttpAnswer, String> {
    let mut socket = TcpStream::connect(address).await.map_err(|e| e.to_string())?;
    let (mut read, mut write) = socket.split();
    let request = request(address, method, path, headers, body);
    let mut answer = Vec::new();
    // Both at once: a server may refuse, and answer, before it has read everything, and then the writing fails.
    let (_, received) = tokio::join!(write.write_all(&request), read.read_to_end(&mut answer));
    if let Err(error) = received
        && answer.is_empty()
    {
        return Err(error.to_string());
    }
    parse(&answer, method == "HEAD")
}

fn request(address: SocketAddr, method: &str, path: &str, headers: &Pairs, body: Option<&str>) -> Vec<u8> {
    use std::fmt::Write;
    let mut text = format!("{method} {path} HTTP/1.1\r\n");
    let has = |name: &str| headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
    if !has("host") {
        let _ = write!(text, "Host: {address}\r\n");
    }
    for (name, value) in headers {
        let _ = write!(text, "{name}: {value}\r\n");
    }
    let expects_body = matches!(method, "POST" | "PUT" | "PATCH");
    if (body.is_some() || expects_body) && !has("content-length") && !has("transfer-encoding") {
        let _ = write!(text, "Content-Length: {}\r\n", body.map_or(0, str::len));
    }
    if !has("connection") {
        text.push_str("Connection: close\r\n");
    }
    text.push_str("\r\n");
    text.push_str(body.unwrap_or_default());
    text.into_bytes()
}

fn parse(answer: &[u8], head_only: bool) -> Result<HttpAnswer, String> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").ok_or("no HTTP answer")?;
    let head = String::from_utf8_lossy(&answer[..end]);
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.strip_prefix("HTTP/1.1 "))
        .and_then(|line| line.get(..3)?.parse().ok())
        .ok_or("no HTTP/1.1 status line")?;
    let headers: Pairs = lines
        .map(|line| {
            let (name, value) = line.split_once(':').ok_or("a header without a colon")?;
            Ok((name.to_ascii_lowercase(), value.trim().to_owned()))
        })
        .collect::<Result<_, &str>>()?;
    let header =
        |name: &str| headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str());
    let rest = &answer[end + 4..];
    let body = if head_only {
        rest.to_vec() // There must be none.
    } else if header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        unchunk(rest)?
    } else if let Some(length) = header("content-length") {
        let length: usize = length.parse().map_err(|_| "content-length is not a number")?;
        if rest.len() != length {
            return Err(format!("{} bytes of body where content-length says {length}", rest.len()));
        }
        rest.to_vec()
    } else {
        rest.to_vec()
    };
    Ok(HttpAnswer { status, headers, body })
}

/// The body of a chunked answer; trailers are not looked at.
fn unchunk(mut rest: &[u8]) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n").ok_or("a chunk without its size")?;
        let line = String::from_utf8_lossy(&rest[..end]);
        let digits = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(digits, 16).map_err(|_| "a chunk's size is not hex")?;
        rest = &rest[end + 2..];
        if size == 0 {
            return Ok(body);
        }
        let chunk = rest.get(..size).ok_or("a chunk that is cut short")?;
        body.extend_from_slice(chunk);
        rest = rest[size..].strip_prefix(b"\r\n").ok_or("a chunk that does not end")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_written_as_recorded() {
        let address = "127.0.0.1:8084".parse().unwrap();
        let headers =
            vec![("AUTHORIZATION".into(), " Key  x ".into()), ("authorization".into(), String::new())];
        let get = request(address, "GET", "/a?b=%20", &headers, None);
        assert_eq!(
            String::from_utf8(get).unwrap(),
            "GET /a?b=%20 HTTP/1.1\r\nHost: 127.0.0.1:8084\r\nAUTHORIZATION:  Key  x \r\nauthorization: \r\n\
             Connection: close\r\n\r\n"
        );
        let post = String::from_utf8(request(address, "POST", "/", &Pairs::new(), Some("é"))).unwrap();
        assert!(post.ends_with("Content-Length: 2\r\nConnection: close\r\n\r\né"), "{post}");
        let empty = String::from_utf8(request(address, "PUT", "/", &Pairs::new(), None)).unwrap();
        assert!(empty.contains("Content-Length: 0\r\n"), "{empty}");
    }

    #[test]
    fn bodies_of_every_framing_are_read() {
        let body =
            |text: &str| parse(text.as_bytes(), false).map(|answer| String::from_utf8(answer.body).unwrap());
        assert_eq!(body("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").unwrap(), "{}");
        assert_eq!(
            body("HTTP/1.1 500 X\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1;x=y\r\n}\r\n0\r\nT: v\r\n\r\n").unwrap(),
            "{}"
        );
        assert_eq!(body("HTTP/1.1 200 OK\r\n\r\n{}").unwrap(), "{}");
        for broken in [
            "",
            "HTTP/1.1 200 OK\r\n",
            "HTTP/2 200\r\n\r\n",
            "HTTP/1.1 2\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}",
            "HTTP/1.1 200 OK\r\nnothing\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        ] {
            assert!(body(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn names_lose_their_case_and_values_their_blanks() {
        let answer =
            parse(b"HTTP/1.1 405 No\r\nContent-TYPE:  a b \r\nContent-Length: 9\r\n\r\n", true).unwrap();
        assert_eq!(answer.headers[0], ("content-type".into(), "a b".into()));
        assert_eq!((answer.status, answer.body.len()), (405, 0));
    }
}
