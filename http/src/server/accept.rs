//! The accept loop: connections in, one task each, never more than the cap; and the drain when the server stops.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

use super::connection;
use super::limits::LIMITS;
use crate::app::App;

/// Pause after a failed `accept`: it fails again at once while the process has no file descriptor to spare.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// Serves `listener` until the stop begins, then waits up to `drain` for the requests in progress.
pub(crate) async fn serve(listener: TcpListener, app: Arc<App>, drain: Duration) {
    let slots = Arc::new(Semaphore::new(LIMITS.connections_max as usize));
    tokio::select! {
        () = accept_forever(&listener, &app, &slots) => {}
        () = app.stop.begun() => {}
    }
    drop(listener);
    if timeout(drain, slots.acquire_many(LIMITS.connections_max)).await.is_err() {
        let open = LIMITS.connections_max as usize - slots.available_permits();
        warn!(open, "connections were cut at the end of the shutdown timeout");
    }
}

async fn accept_forever(listener: &TcpListener, app: &Arc<App>, slots: &Arc<Semaphore>) {
    let write_timeout = app.client_timeout().unwrap_or(LIMITS.write_timeout);
    loop {
        // The slot is taken first, so that a connection over the cap stays in the kernel's backlog. The semaphore is
        // never closed.
        let Ok(slot) = Arc::clone(slots).acquire_owned().await else { return };
        match accept(listener, write_timeout).await {
            Ok((stream, peer)) => {
                let app = Arc::clone(app);
                tokio::spawn(async move {
                    connection::serve(stream, peer.ip(), app).await;
                    drop(slot);
                });
            }
            Err(error) => {
                debug!(%error, "accept failed");
                sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

async fn accept(listener: &TcpListener, write_timeout: Duration) -> io::Result<(TcpStream, SocketAddr)> {
    let (stream, peer) = listener.accept().await?;
    // An answer is one small write: waiting to fill a packet would only delay it.
    stream.set_nodelay(true)?;
    // A client that takes none of its answer would keep its slot for ever. The kernel knows what it has taken; here only what
    // fits into the kernel's buffer is known.
    SockRef::from(&stream).set_tcp_user_timeout(Some(write_timeout))?;
    Ok((stream, peer))
}
