//! GetDevice over gRPC, on the bare h2 crate.

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{RecvStream, server};
use http::{HeaderMap, HeaderValue, Request, Response};
use ttn_auth_bench::{METHOD, Outcome};

use crate::Stream;

/// Clients' requests are small: no client waits for this.
const WINDOW: u32 = 1 << 20;

const UNAUTHENTICATED: HeaderValue = HeaderValue::from_static("16");

pub(crate) async fn serve(stream: Box<dyn Stream>, message: Bytes) -> Outcome<()> {
    let mut connection = server::Builder::new()
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .handshake(stream)
        .await?;
    while let Some(accepted) = connection.accept().await {
        let (request, respond) = accepted?;
        tokio::spawn(answer(request, respond, message.clone()));
    }
    Ok(())
}

async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    message: Bytes,
) -> Outcome<()> {
    let known = request.uri().path() == METHOD && request.headers().contains_key("token");
    let mut body = request.into_body();
    while let Some(data) = body.data().await {
        body.flow_control().release_capacity(data?.len())?;
    }
    let head = Response::builder().header("content-type", "application/grpc");
    if !known {
        respond.send_response(head.header("grpc-status", UNAUTHENTICATED).body(())?, true)?;
        return Ok(());
    }
    let mut send = respond.send_response(head.body(())?, false)?;
    send.send_data(message, false)?;
    send.send_trailers(HeaderMap::from_iter([(
        http::HeaderName::from_static("grpc-status"),
        HeaderValue::from_static("0"),
    )]))?;
    Ok(())
}
