//! grpc-gateway's server streaming over HTTP: a line of JSON for each message, `{"result": ..}`, or `{"error": ..}` at the end.
//!
//! Lines end with one line feed, or with two; empty ones say nothing (v3/wire.md, section "Events").

use bytes::{Buf, Bytes, BytesMut};
use http::response::Parts;
use http::{HeaderMap, Response, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::answer::{Body, MAX_ANSWER};
use crate::{Error, ErrorKind, Result, http1, proxied, refusal};

/// The messages of one request. Dropped before its end, the connection is closed.
pub(crate) struct HttpStream {
    head: Parts,
    source: Source,
    came: BytesMut,
    /// So much of it has been looked through, and has no end of a line.
    looked: usize,
    first: Option<Bytes>,
    is_over: bool,
}

enum Source {
    Direct(http1::Receiving),
    Proxied(Box<reqwest::Response>),
}

impl HttpStream {
    pub(crate) fn direct((head, receiving): (Parts, http1::Receiving)) -> Self {
        Self::new(head, Source::Direct(receiving))
    }

    pub(crate) fn proxied(answer: reqwest::Response) -> Self {
        let mut head = Response::new(()).into_parts().0;
        (head.status, head.headers) = (answer.status(), answer.headers().clone());
        Self::new(head, Source::Proxied(answer.into()))
    }

    fn new(head: Parts, source: Source) -> Self {
        Self { head, source, came: BytesMut::new(), looked: 0, first: None, is_over: false }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.head.status
    }

    /// The answer's headers.
    pub(crate) fn metadata(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// Waits for the first message, or for the end.
    pub(crate) async fn begin(mut self) -> Result<Self> {
        self.first = self.read().await?;
        Ok(self)
    }

    /// The whole of an answer that is no stream.
    pub(crate) async fn refused(mut self) -> Result<Response<Bytes>> {
        let mut body = Body::default();
        while let Some(chunk) = self.source.data().await {
            body.add(chunk?)?;
        }
        Ok(Response::from_parts(self.head, body.whole()))
    }

    /// The next message; none at the end. Nothing is lost if it is given up.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        let read = self.read().await;
        self.is_over |= read.is_err();
        read
    }

    async fn read(&mut self) -> Result<Option<Bytes>> {
        loop {
            if let Some(line) = self.line() {
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                return result(&line, &self.head.headers).map(Some);
            }
            if self.is_over {
                return Ok(None);
            }
            if self.came.len() > MAX_ANSWER {
                return Err(strange(&format!("a message is larger than {} MiB", MAX_ANSWER >> 20)));
            }
            match self.source.data().await {
                Some(chunk) => self.came.extend_from_slice(&chunk?),
                None => {
                    self.is_over = true;
                    // The last line may have no end of its own.
                    self.came.extend_from_slice(b"\n");
                }
            }
        }
    }

    fn line(&mut self) -> Option<Bytes> {
        let found = self.came[self.looked..].iter().position(|byte| *byte == b'\n');
        let Some(found) = found else {
            self.looked = self.came.len();
            return None;
        };
        let line = self.came.split_to(self.looked + found).freeze();
        self.came.advance(1);
        self.looked = 0;
        Some(line)
    }
}

impl Source {
    async fn data(&mut self) -> Option<Result<Bytes>> {
        match self {
            Self::Direct(receiving) => receiving.data().await,
            Self::Proxied(answer) => proxied::data(answer).await,
        }
    }
}

/// What a line says.
fn result(line: &Bytes, headers: &HeaderMap) -> Result<Bytes> {
    #[derive(Deserialize)]
    struct Line<'a> {
        #[serde(borrow)]
        result: Option<&'a RawValue>,
        error: Option<Failed>,
    }
    #[derive(Deserialize)]
    struct Failed {
        code: Option<i32>,
    }
    match serde_json::from_slice(line) {
        Ok(Line { error: Some(Failed { code }), .. }) => Err(refusal::http(status_of(code), headers, line)),
        Ok(Line { result: Some(result), .. }) => Ok(line.slice_ref(result.get().as_bytes())),
        _ => Err(strange("a line of the answer has no result")),
    }
}

/// The status that a gateway gives an error before the first message (v3/wire.md, section "Errors").
fn status_of(code: Option<i32>) -> StatusCode {
    match code.unwrap_or_default() {
        3 | 9 | 11 => StatusCode::BAD_REQUEST,
        4 => StatusCode::GATEWAY_TIMEOUT,
        5 => StatusCode::NOT_FOUND,
        6 | 10 => StatusCode::CONFLICT,
        7 => StatusCode::FORBIDDEN,
        8 => StatusCode::TOO_MANY_REQUESTS,
        12 => StatusCode::NOT_IMPLEMENTED,
        14 => StatusCode::SERVICE_UNAVAILABLE,
        16 => StatusCode::UNAUTHORIZED,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn strange(message: &str) -> Error {
    Error::new(ErrorKind::Protocol, message)
}

#[cfg(test)]
#[path = "http_stream_tests.rs"]
mod tests;
