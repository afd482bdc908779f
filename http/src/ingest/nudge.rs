//! [`Nudge`]: one wake-up of the commit thread for all the events of a turn of the runtime.
//!
//! ```text
//! requests that are ready     append their events and ring; nobody is woken yet
//! the nudge's task            comes after all of them in the runtime's queue, and wakes the commit thread once
//! ```
//! So the events that arrive together share a frame and a sync, without a timer: an event that comes alone is committed
//! at once. A commit thread that is busy anyhow takes what has gathered meanwhile without being woken.

use std::sync::Arc;

use mallard_engine::Engine;
use tokio::sync::Notify;

/// Rung for every event that was appended quietly.
#[derive(Clone, Debug, Default)]
pub(crate) struct Nudge(Arc<Notify>);

impl Nudge {
    /// Passes on that there is something to commit.
    pub(crate) fn ring(&self) {
        self.0.notify_one();
    }

    /// Nudges the log, for ever: to be spawned on the runtime whose tasks ring.
    pub(crate) async fn run(self, engine: Arc<Engine>) {
        loop {
            self.0.notified().await;
            engine.nudge();
        }
    }
}
