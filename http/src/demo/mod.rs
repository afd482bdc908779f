//! `mallard-metrics demo`: a month of believable traffic for two sites, through the real append path.
//!
//! Everything is drawn from one seed, so two demos of the same size and day are alike. Events reach the engine exactly
//! as a browser's do (validated newtypes, the log, group commits, compaction beside them); only the enrichment is
//! skipped, because the generator knows the visitor. A data directory that already has events is served as it is.
//!
//! This module does not start the server: it returns when the data is durable, and `main` goes on to serve it.

mod catalogue;
mod traffic;

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use mallard_engine::{AppendError, Engine};
use mallard_event::{Event, Timestamp};

use traffic::Traffic;

/// Events of one durable unit. A unit of this size stays far below the log's frame limit of 1 MiB.
const BATCH_EVENTS: usize = 500;
/// How long to wait when compaction is behind, before trying again.
const BUSY_WAIT: Duration = Duration::from_millis(50);

/// Why the data directory could not be filled.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The engine refused or lost a batch.
    #[error("the demo stopped after {stored} events: {reason}")]
    Append {
        /// Events that are stored.
        stored: u64,
        /// What the engine said.
        reason: String,
    },
}

/// What [`fill`] did.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It stored this many events.
    Filled(u64),
    /// The directory had events already; nothing was added.
    LeftAlone,
}

/// Fills an empty store with about `events` events of the thirty days before `now`, showing a progress bar.
pub fn fill(engine: &Engine, events: u64, seed: u64, now: Timestamp) -> Result<Outcome, DemoError> {
    if engine.site_count() > 0 {
        return Ok(Outcome::LeftAlone);
    }
    let bar = progress_bar(events);
    let mut stored = 0;
    let mut batch = Vec::with_capacity(BATCH_EVENTS);
    for event in Traffic::new(events, seed, now) {
        batch.push(event);
        if batch.len() == BATCH_EVENTS {
            stored += store(engine, &mut batch, stored)?;
            bar.set_position(stored);
        }
    }
    stored += store(engine, &mut batch, stored)?;
    bar.finish_and_clear();
    Ok(Outcome::Filled(stored))
}

/// Makes the batch durable and empties it.
fn store(engine: &Engine, batch: &mut Vec<Event>, stored: u64) -> Result<u64, DemoError> {
    let failed = |reason: String| DemoError::Append { stored, reason };
    let count = batch.len() as u64;
    if count == 0 {
        return Ok(0);
    }
    let received = |event: Event| {
        let at = event.timestamp;
        (event, at)
    };
    let units: Vec<(Event, Timestamp)> = batch.drain(..).map(received).collect();
    loop {
        match engine.append_all(units.clone()) {
            Ok(receipt) => {
                receipt.wait().map_err(|error| failed(error.to_string()))?;
                return Ok(count);
            }
            Err(AppendError::Busy) => engine.wait_for_work(BUSY_WAIT),
            Err(error) => return Err(failed(error.to_string())),
        }
    }
}

fn progress_bar(events: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {wide_bar} {human_pos}/{human_len} events, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(events).with_style(style).with_message("Filling the demo")
}
