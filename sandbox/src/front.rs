//! What Go's HTTP server says to a request that it refuses before any handler sees it. hyper refuses the same requests
//! with an empty answer and closes; its two refusals are exchanged for Go's on the way out.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Every answer of the sandbox itself has a body, so a 400 without one is hyper's.
const EMPTY: &[u8] = b"content-length: 0\r\n";

/// How hyper's refusals begin, and what Go says.
const REFUSALS: [(&[u8], &[u8]); 2] = [
    (
        b"HTTP/1.1 400 ",
        b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n\
          400 Bad Request",
    ),
    (
        b"HTTP/1.1 431 ",
        b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Type: text/plain; charset=utf-8\r\n\
          Connection: close\r\n\r\n431 Request Header Fields Too Large",
    ),
];

/// How long a refused client may go on sending. Closed at once, the connection would be reset, and the answer lost.
const LINGER: Duration = Duration::from_secs(1);

/// A connection of HTTP/1.1.
pub(crate) struct Front<I> {
    inner: I,
    /// Go's refusal in place of hyper's, and how much of it is written.
    refusal: Option<(&'static [u8], usize)>,
    linger: Option<Pin<Box<Sleep>>>,
}

impl<I> Front<I> {
    pub(crate) fn new(inner: I) -> Self {
        Self { inner, refusal: None, linger: None }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Front<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Front<I> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.refusal.is_none() {
            this.refusal = REFUSALS
                .iter()
                .find(|(start, _)| {
                    buf.starts_with(start) && buf.windows(EMPTY.len()).any(|part| part == EMPTY)
                })
                .map(|(_, refusal)| (*refusal, 0));
        }
        let Some((refusal, written)) = &mut this.refusal else {
            return Pin::new(&mut this.inner).poll_write(cx, buf);
        };
        while *written < refusal.len() {
            match ready!(Pin::new(&mut this.inner).poll_write(cx, &refusal[*written..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                more => *written += more,
            }
        }
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.inner).poll_shutdown(cx))?;
        if this.refusal.is_none() {
            return Poll::Ready(Ok(()));
        }
        let linger = this.linger.get_or_insert_with(|| Box::pin(sleep(LINGER)));
        let mut buffer = [0; 8192];
        loop {
            let mut buffer = ReadBuf::new(&mut buffer);
            match Pin::new(&mut this.inner).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {}
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => return linger.as_mut().poll(cx).map(Ok),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn written(answer: &str) -> String {
        let (mut client, server) = tokio::io::duplex(16);
        let answer = answer.to_owned();
        tokio::spawn(async move {
            let mut front = Front::new(server);
            front.write_all(answer.as_bytes()).await.unwrap();
            front.shutdown().await.unwrap();
        });
        let mut text = String::new();
        client.read_to_string(&mut text).await.unwrap();
        text
    }

    #[tokio::test]
    async fn hypers_refusals_become_gos_and_other_answers_stay() {
        let refused = written("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
        assert!(refused.ends_with("\r\n\r\n400 Bad Request"), "{refused}");
        let large = written("HTTP/1.1 431 x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").await;
        assert!(
            large.starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Type: text/plain")
        );
        for own in [
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 1\r\n\r\nx",
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        ] {
            assert_eq!(written(own).await, own);
        }
    }
}
