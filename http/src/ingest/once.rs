//! An event with an id of its sender's is stored once: who comes first stores it, who comes while that happens waits for
//! the outcome, who comes later hears the original LSN (D4, CONTRACT §5.4).

use mallard_engine::{Claim, Claimed};
use mallard_event::{EventId, SiteId};
use tokio::time::timeout;

use crate::app::App;
use crate::error::ApiError;
use crate::server::limits::LIMITS;

/// Whether the event is to be stored.
#[derive(Debug)]
pub(super) enum Once {
    /// Yes, with the claim if it has an id of its sender's.
    New(Option<Claim>),
    /// It is stored already, under this LSN.
    Stored(u64),
}

/// Asks for the right to store an event, and waits for whoever has it.
pub(super) async fn claim(app: &App, site: &SiteId, id: Option<&EventId>) -> Result<Once, ApiError> {
    let Some(id) = id.filter(|_| is_on(app)) else { return Ok(Once::New(None)) };
    let asking = async {
        loop {
            match app.engine.claim(site, id) {
                Claimed::New(claim) => return Once::New(Some(claim)),
                Claimed::Stored(lsn) => return Once::Stored(lsn),
                Claimed::Waiting(first) => {
                    // Without an outcome the first one was not stored: then it is somebody else's turn.
                    if let Some(lsn) = first.await {
                        return Once::Stored(lsn);
                    }
                }
            }
        }
    };
    timeout(LIMITS.ack_timeout, asking).await.map_err(|_| ApiError::OutcomeUnknown)
}

/// Whether ids are remembered at all.
pub(super) fn is_on(app: &App) -> bool {
    app.config.dedup_window_secs > 0
}
