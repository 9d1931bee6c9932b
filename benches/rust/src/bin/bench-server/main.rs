//! The bench server: GetDevice over gRPC and over HTTP, in plaintext and over TLS, on one thread. It does as little as can be
//! done for a call, so that clients are what is measured: answers are made once, and credentials looked for, not verified.
//!
//! Prints one line of JSON, its addresses, the CA to trust and the descriptors of the folder of .proto files that is its
//! argument, and serves until its stdin ends.

use std::future::Future;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost::Message;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use ttn_auth_bench::{Outcome, grpc_message};

mod grpc;
mod http1;
mod identity;

/// A connection, with or without TLS.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let folder = std::env::args().nth(1).ok_or("usage: bench-server FOLDER")?;
    let descriptors = protox::compile(["handler.proto"], [folder])?;
    let identity = identity::Identity::generate()?;
    let grpc = {
        let message = grpc_message();
        move |stream| grpc::serve(stream, message.clone())
    };
    let http = {
        let answers = http1::Answers::new()?;
        move |stream| http1::serve(stream, answers.clone())
    };
    let addresses = serde_json::json!({
        "grpc": listen(None, grpc.clone()).await?,
        "grpcs": listen(Some(identity.acceptor("h2")?), grpc).await?,
        "http": listen(None, http.clone()).await?,
        "https": listen(Some(identity.acceptor("http/1.1")?), http).await?,
        "ca": identity.ca,
        "descriptors": STANDARD.encode(descriptors.encode_to_vec()),
    });
    println!("{addresses}");
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    Ok(())
}

/// Serves each connection to a free port of loopback; the port.
async fn listen<F, C>(tls: Option<TlsAcceptor>, serve: F) -> Outcome<u16>
where
    F: Fn(Box<dyn Stream>) -> C + Clone + Send + 'static,
    C: Future<Output = Outcome<()>> + Send + 'static,
{
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let (tls, serve) = (tls.clone(), serve.clone());
            // A connection that breaks is its client's to report.
            tokio::spawn(async move {
                let stream: Box<dyn Stream> = match tls {
                    Some(tls) => Box::new(tls.accept(stream).await?),
                    None => Box::new(stream),
                };
                serve(stream).await
            });
        }
        #[allow(unreachable_code, reason = "says what the loop ends with")]
        Outcome::Ok(())
    });
    Ok(port)
}
