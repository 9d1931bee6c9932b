//! The device's route over HTTP/1.1, by hand: a request is what ends with an empty line.

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use ttn_auth_bench::{Outcome, device};

use crate::Stream;

const END: &[u8] = b"\r\n\r\n";

/// What it answers, headers and all.
#[derive(Clone)]
pub(crate) struct Answers {
    device: Bytes,
    refused: Bytes,
}

impl Answers {
    pub(crate) fn new() -> Outcome<Self> {
        let answer = |status: &str, body: &str| {
            Bytes::from(format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            ))
        };
        let device = answer("200 OK", &ttn_auth::to_json(&device())?);
        Ok(Self { device, refused: answer("401 Unauthorized", r#"{"error":"no token","code":16}"#) })
    }

    fn of(&self, head: &[u8]) -> &Bytes {
        // Clients differ in what of a path they encode.
        let asked = head.starts_with(b"GET /applications/");
        let bearer = head.split(|byte| *byte == b'\n').any(|line| {
            const NAME: &[u8] = b"authorization: bearer ";
            line.get(..NAME.len()).is_some_and(|start| start.eq_ignore_ascii_case(NAME))
        });
        if asked && bearer { &self.device } else { &self.refused }
    }
}

pub(crate) async fn serve(mut stream: Box<dyn Stream>, answers: Answers) -> Outcome<()> {
    let mut requests = BytesMut::with_capacity(16 << 10);
    while stream.read_buf(&mut requests).await? > 0 {
        while let Some(at) = requests.windows(END.len()).position(|window| window == END) {
            let answer = answers.of(&requests[..at]);
            stream.write_all(answer).await?;
            // A stream of TLS keeps what it was given until it is told.
            stream.flush().await?;
            requests.advance(at + END.len());
        }
    }
    Ok(())
}
