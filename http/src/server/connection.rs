//! One connection: hyper's HTTP/1.1 with our limits, one request after the other, and an orderly end.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hyper::Request as HttpRequest;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::debug;

use super::limits::{HEAD_BYTES_MAX, LIMITS};
use super::respond::respond;
use crate::app::App;

/// Serves requests from `stream` until either side ends the connection or the server stops.
pub(super) async fn serve(stream: TcpStream, peer: IpAddr, app: Arc<App>) {
    let is_busy = AtomicBool::new(false);
    let stop = app.stop.clone();
    let header_read_timeout = app.client_timeout().unwrap_or(LIMITS.header_read_timeout);
    let service = service_fn(|request: HttpRequest<Incoming>| {
        let app = Arc::clone(&app);
        let is_busy = &is_busy;
        async move {
            is_busy.store(true, Ordering::Relaxed);
            let response = respond(&app, request, peer).await;
            is_busy.store(false, Ordering::Relaxed);
            Ok::<_, Infallible>(response)
        }
    });
    let mut builder = http1::Builder::new();
    // IMPORTANT: without a timer hyper has no header time-out at all.
    builder.timer(TokioTimer::new()).header_read_timeout(header_read_timeout);
    builder.max_header_size(HEAD_BYTES_MAX).max_buf_size(HEAD_BYTES_MAX);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));

    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = stop.begun() => None,
    };
    if let Some(ended) = ended {
        // A client that goes away or is too slow is not an event for the operator.
        return ended.unwrap_or_else(|error| debug!(%error, "connection ended"));
    }
    connection.as_mut().graceful_shutdown();
    // A request in progress is waited for (the caller bounds how long). Half a request line is not a request.
    while timeout(LIMITS.linger, connection.as_mut()).await.is_err() {
        if !is_busy.load(Ordering::Relaxed) {
            return;
        }
    }
}
