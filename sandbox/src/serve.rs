//! Listeners on loopback: accept, speak HTTP, and stop at once when told to.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use ttn_auth::{Error, ErrorKind, Result};

use crate::front::Front;

/// Go's limit of an HTTP/1.1 request's headers, which it answers with 431 beyond: 1 MB and some.
pub(crate) const MAX_HTTP1_HEADERS: usize = (1 << 20) + 4096;

/// Go has no limit of the number of headers; hyper's own is 100.
const MAX_HTTP1_HEADER_COUNT: usize = 1000;

/// Go's limit of a gRPC call's metadata.
const MAX_HTTP2_HEADERS: u32 = 16 << 20;

/// How long to wait before accepting again when the system has no more file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What answers the requests of a listener.
pub(crate) trait Service: Send + Sync + 'static {
    fn call(&self, request: Request<Incoming>) -> impl Future<Output = Reply> + Send;
}

/// An answer.
pub(crate) type Reply = Response<Frames>;

/// A body that is there already: data, then trailers. Or one of which the parts are still to come.
#[derive(Default)]
pub(crate) struct Frames {
    ready: VecDeque<Frame<Bytes>>,
    coming: Option<UnboundedReceiver<io::Result<Bytes>>>,
}

impl Frames {
    pub(crate) fn data(data: impl Into<Bytes>) -> Self {
        Self { ready: VecDeque::from([Frame::data(data.into())]), coming: None }
    }

    /// Until nobody sends parts any more, or an error among them breaks it off.
    pub(crate) fn coming(parts: UnboundedReceiver<io::Result<Bytes>>) -> Self {
        Self { ready: VecDeque::new(), coming: Some(parts) }
    }

    pub(crate) fn with_trailers(mut self, trailers: HeaderMap) -> Self {
        self.ready.push_back(Frame::trailers(trailers));
        self
    }
}

impl Body for Frames {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(parts) = &mut self.coming {
            match parts.poll_recv(cx) {
                Poll::Ready(None) => self.coming = None,
                part => return part.map(|part| part.map(|part| part.map(Frame::data))),
            }
        }
        Poll::Ready(self.ready.pop_front().map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.coming.is_none() && self.ready.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        match self.ready.front().map(Frame::data_ref) {
            Some(Some(data)) if self.ready.len() == 1 => SizeHint::with_exact(data.len() as u64),
            None if self.coming.is_none() => SizeHint::with_exact(0),
            // With trailers it is gRPC, which has no content-length.
            _ => SizeHint::default(),
        }
    }
}

/// Put among a reply's extensions: it is not sent, and the connection is closed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lost;

/// The versions of HTTP that a listener speaks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Versions {
    Http1,
    Http2,
    Both,
}

/// Listens on loopback; port 0 is any free one.
pub(crate) async fn bind(port: u16) -> Result<TcpListener> {
    TcpListener::bind(("127.0.0.1", port)).await.map_err(|e| {
        Error::new(ErrorKind::Unavailable, format!("cannot listen on port {port} of 127.0.0.1: {e}"))
            .with_source(e)
    })
}

/// Serves until `stop` says so or is gone, then closes the listener and every connection.
pub(crate) fn spawn<S: Service>(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    versions: Versions,
    service: Arc<S>,
    mut stop: watch::Receiver<bool>,
) -> JoinHandle<()> {
    let tls = tls.map(TlsAcceptor::from);
    tokio::spawn(async move {
        let mut connections = JoinSet::new();
        let stopper = stop.clone();
        loop {
            tokio::select! {
                () = stopped(&mut stop) => break,
                Some(_) = connections.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(connection(stream, tls.clone(), versions, service.clone(), stopper.clone()));
                    }
                    Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
                },
            }
        }
        drop(listener);
        connections.shutdown().await;
    })
}

/// Until the sandbox is stopped, or dropped.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stopped| *stopped).await;
}

async fn connection<S: Service>(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    versions: Versions,
    service: Arc<S>,
    stop: watch::Receiver<bool>,
) {
    // Small answers should not wait for one another.
    let _ = stream.set_nodelay(true);
    match tls {
        None if matches!(versions, Versions::Http1) => {
            talk(Front::new(stream), versions, service, stop).await
        }
        None => talk(stream, versions, service, stop).await,
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                talk(stream, versions, service, stop).await;
            }
        }
    }
}

async fn talk<I, S>(stream: I, versions: Versions, service: Arc<S>, stop: watch::Receiver<bool>)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service,
{
    let mut builder = Builder::new(Executor(stop.clone()));
    builder
        .http1()
        .timer(TokioTimer::new())
        .max_buf_size(MAX_HTTP1_HEADERS)
        .max_headers(MAX_HTTP1_HEADER_COUNT)
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(MAX_HTTP2_HEADERS);
    let builder = match versions {
        Versions::Http1 => builder.http1_only(),
        Versions::Http2 => {
            // gRPC has no date: what is in the headers is the call's metadata.
            builder.http2().auto_date_header(false);
            builder.http2_only()
        }
        Versions::Both => builder,
    };
    let answer = service_fn(move |request| {
        let (service, stop) = (service.clone(), stop.clone());
        async move {
            // Told to stop is stopped: this connection is about to be closed.
            if *stop.borrow() {
                std::future::pending::<()>().await;
            }
            let reply = service.call(request).await;
            match reply.extensions().get::<Lost>() {
                Some(Lost) => Err(io::Error::from(io::ErrorKind::ConnectionAborted)),
                None => Ok(reply),
            }
        }
    });
    // A connection that breaks is the client's to report.
    let _ = builder.serve_connection(TokioIo::new(stream), answer).await;
}

/// Runs an HTTP/2 connection's streams, and ends them with the sandbox.
#[derive(Clone)]
struct Executor(watch::Receiver<bool>);

impl<F> hyper::rt::Executor<F> for Executor
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, future: F) {
        let mut stop = self.0.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = stopped(&mut stop) => {}
                _ = future => {}
            }
        });
    }
}
