//! One connection: hyper's HTTP/1.1 with our limits, one request after the other, and an orderly end.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hyper::Request as HttpRequest;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::sleep;
use tracing::debug;

use super::limits::{HEAD_BYTES_MAX, LIMITS};
use super::respond::{NO_ROUTE, respond};
use crate::app::App;
use crate::error::ApiError;
use crate::response::Body;

/// Serves requests from `stream` until either side ends the connection or the server stops. What has arrived by then, and
/// for a moment after, is answered in full.
pub(super) async fn serve(stream: TcpStream, peer: IpAddr, app: Arc<App>) {
    let has_request = AtomicBool::new(false);
    let stop = app.stop.clone();
    let header_read_timeout = app.client_timeout().unwrap_or(LIMITS.header_read_timeout);
    let service = service_fn(|request: HttpRequest<Incoming>| {
        let app = Arc::clone(&app);
        has_request.store(true, Ordering::Relaxed);
        async move { Ok::<_, Infallible>(respond(&app, request, peer).await) }
    });
    let mut builder = http1::Builder::new();
    // IMPORTANT: without a timer hyper has no header time-out at all.
    builder.timer(TokioTimer::new()).header_read_timeout(header_read_timeout);
    builder.max_header_size(HEAD_BYTES_MAX).max_buf_size(HEAD_BYTES_MAX);
    let mut connection = builder.serve_connection(TokioIo::new(stream), service);

    let linger = app.client_timeout().unwrap_or(LIMITS.linger);
    let lingering = async {
        stop.begun().await;
        sleep(linger).await;
    };
    tokio::select! {
        // A client that goes away or is too slow is not an event for the operator.
        ended = &mut connection => {
            if let Err(error) = ended {
                debug!(%error, "connection ended");
                if error.is_timeout() {
                    refuse_slow_head(connection, &app).await;
                }
            }
            return;
        }
        () = lingering => {}
    }
    Pin::new(&mut connection).graceful_shutdown();
    // hyper ends a connection without a request in progress at once, and another when the last byte of the answer is sent;
    // the caller bounds how long. It would wait for a first request, too, of which there is only a part.
    if has_request.load(Ordering::Relaxed) {
        connection.await.unwrap_or_else(|error| debug!(%error, "connection ended"));
    }
}

/// Tells a client whose head did not arrive in time what is wrong; hyper only gives up. One that has sent nothing since its last
/// answer hears nothing: its connection was idle, and it may be about to send.
async fn refuse_slow_head<S>(connection: http1::Connection<TokioIo<TcpStream>, S>, app: &App)
where
    S: HttpService<Incoming, ResBody = Body>,
{
    let parts = connection.into_parts();
    if parts.read_buf.is_empty() {
        return;
    }
    let refusal = ApiError::HeadTimeout.into_response();
    app.metrics.answered(NO_ROUTE, refusal.status());
    let body = String::from_utf8_lossy(refusal.body().bytes());
    let answer = format!(
        "HTTP/1.1 {}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        refusal.status(),
        body.len()
    );
    // It fits into an empty socket, and whoever does not read it is gone either way.
    parts.io.into_inner().write_all(answer.as_bytes()).await.ok();
}
