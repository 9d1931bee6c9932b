//! hyper on its own: a connection for each call in flight, and typed JSON.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Request};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use ttn_auth::proto::handler::Device;
use ttn_auth_bench::{Outcome, PATH};

use crate::{Caller, Setup};

pub(crate) async fn connect(setup: &Setup) -> Outcome<Vec<impl Caller>> {
    let tls = if setup.tls { Some(connector(&setup.ca)?) } else { None };
    let mut callers = Vec::new();
    for _ in 0..setup.most {
        let stream = TcpStream::connect(("127.0.0.1", setup.port)).await?;
        stream.set_nodelay(true)?;
        let send = match &tls {
            Some(tls) => spawn(tls.connect(ServerName::try_from("127.0.0.1")?, stream).await?).await?,
            None => spawn(stream).await?,
        };
        callers.push(Hyper {
            send,
            host: HeaderValue::try_from(format!("127.0.0.1:{}", setup.port))?,
            authorization: HeaderValue::try_from(format!("Bearer {}", setup.token))?,
        });
    }
    Ok(callers)
}

fn connector(ca: &str) -> Outcome<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.as_bytes())?)?;
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

async fn spawn<S>(stream: S) -> Outcome<SendRequest<Empty<Bytes>>>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let (send, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(send)
}

struct Hyper {
    send: SendRequest<Empty<Bytes>>,
    host: HeaderValue,
    authorization: HeaderValue,
}

impl Caller for Hyper {
    async fn call(&mut self) -> Outcome<Device> {
        let request = Request::get(PATH)
            .header("host", self.host.clone())
            .header("authorization", self.authorization.clone())
            .body(Empty::new())?;
        self.send.ready().await?;
        let body = self.send.send_request(request).await?.into_body().collect().await?.to_bytes();
        Ok(serde_json::from_slice(&body)?)
    }
}
