//! [`Stop`]: the one-way switch that begins an orderly stop, and the signals that turn it.
//!
//! ```text
//! SIGTERM or SIGINT ──> Stop::begin
//!    readiness 503, new events 503        handlers ask Stop::is_stopping
//!    the listener closes                  the accept loop waits for Stop::begun
//!    connections go on for a moment       what is on its way is answered, an event by its refusal
//!    and finish what they began           half a body has a second to be complete
//!    ... and then main closes the engine
//! a second signal ──> the process ends at once; what was acknowledged is durable all the same
//! ```

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::info;

use super::limits::LIMITS;

/// Whether the server is stopping.
#[derive(Clone, Debug)]
pub struct Stop {
    begun: watch::Sender<bool>,
}

impl Default for Stop {
    fn default() -> Self {
        Self { begun: watch::Sender::new(false) }
    }
}

impl Stop {
    /// Begins the stop; once begun it stays so.
    pub fn begin(&self) {
        self.begun.send_replace(true);
    }

    /// Whether it has begun.
    pub fn is_stopping(&self) -> bool {
        *self.begun.borrow()
    }

    /// Waits until it has begun.
    pub async fn begun(&self) {
        // The sender lives in `self`, so waiting cannot fail.
        self.begun.subscribe().wait_for(|begun| *begun).await.ok();
    }

    /// Waits until it has begun and there is no more time to wait for the rest of a request.
    pub(crate) async fn bodies_over(&self) {
        self.begun().await;
        sleep(LIMITS.stopping_body_timeout).await;
    }
}

/// The signals that ask this process to stop.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

/// Exit code of a process that a second signal ended, by the shells' convention of 128 + signal number.
const EXIT_ON_SIGTERM: i32 = 143;
const EXIT_ON_SIGINT: i32 = 130;

impl Signals {
    /// Takes the signals over from their default, which is to die.
    pub fn register() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Begins `stop` at the first signal and ends the process at the second.
    pub async fn watch(mut self, stop: Stop) {
        match self.next().await {
            EXIT_ON_SIGTERM => info!("Received SIGTERM"),
            _ => info!("Received SIGINT"),
        }
        stop.begin();
        let code = self.next().await;
        info!("Received a second signal, stopping at once");
        std::process::exit(code);
    }

    async fn next(&mut self) -> i32 {
        tokio::select! {
            _ = self.terminate.recv() => EXIT_ON_SIGTERM,
            _ = self.interrupt.recv() => EXIT_ON_SIGINT,
        }
    }
}
