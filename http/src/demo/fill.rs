//! Filling a demo: which stores may be filled, and how one goes on that was interrupted.
//!
//! The document `demo` in `control/` is written before the first event. It says from what the traffic is drawn, so that the rest
//! of it can be drawn again: the log holds a first part of it, event for event.

use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use mallard_engine::{AppendError, Engine, Maintenance};
use mallard_event::{Event, Timestamp};
use serde::{Deserialize, Serialize};
use tracing::info;

use super::Options;
use super::traffic::Traffic;
use crate::auth;
use crate::documents::{Document, DocumentError, Documents};
use crate::exit::Failure;

/// Events of one durable unit. A unit of this size stays far below the log's frame limit of 1 MiB.
const BATCH_EVENTS: usize = 500;
/// How long to wait when compaction is behind, before trying again.
const BUSY_WAIT: Duration = Duration::from_millis(50);

const MARK: Document = Document { name: "demo", consequence: "the store is no demo any more" };

/// What a demo consists of.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Demo {
    /// As asked for.
    events: u64,
    seed: u64,
    /// The end of its traffic, in microseconds since 1970.
    until_us: i64,
    /// Whether all of it is stored.
    is_whole: bool,
}

/// Stores what is missing of the demo, showing a progress bar.
///
/// # Errors
/// A store that is not a demo's is refused, and untouched.
pub(super) fn fill(engine: &Arc<Engine>, options: &Options, now: Timestamp) -> Result<(), Failure> {
    let documents: &dyn Documents = &**engine;
    let failed = |error: DocumentError| Failure::Documents(error.to_string());
    let is_empty = engine.status().durable_lsn == 0;
    let Some(mut demo) = demo(documents, is_empty, options, now).map_err(failed)? else {
        let reason = "the data directory has a store that is not a demo's; choose another MALLARD_DATA_DIR";
        return Err(Failure::Configuration(reason.to_owned()));
    };
    if demo.is_whole {
        info!("The demo is there already; nothing was added");
        return Ok(());
    }
    MARK.write(&demo, documents).map_err(failed)?;
    let events = store_rest(engine, demo)?;
    demo.is_whole = true;
    MARK.write(&demo, documents).map_err(failed)?;
    info!(events, "The demo is filled");
    Ok(())
}

/// The demo of this store, or the one that a new store becomes; `None` if it is another store.
fn demo(
    documents: &dyn Documents,
    is_empty: bool,
    options: &Options,
    now: Timestamp,
) -> Result<Option<Demo>, DocumentError> {
    if let Some(demo) = MARK.read(documents)? {
        return Ok(Some(demo));
    }
    let is_new = is_empty && !auth::has_had_a_password(documents)?;
    let Options { events, seed, .. } = *options;
    Ok(is_new.then_some(Demo { events, seed, until_us: now.micros(), is_whole: false }))
}

/// Stores what is not stored yet; returns how many events there are then. Nothing else has taken a position of the log.
fn store_rest(engine: &Arc<Engine>, demo: Demo) -> Result<u64, Failure> {
    let mut stored = engine.status().durable_lsn;
    if stored > 0 {
        info!(events = stored, "The demo was interrupted; it is filled further");
    }
    let maintenance = Maintenance::start(engine, |_| {})
        .map_err(|error| Failure::Internal(format!("cannot start maintenance: {error}")))?;
    let bar = progress_bar(demo.events);
    let mut batch = Vec::with_capacity(BATCH_EVENTS);
    let until = Timestamp::saturating_from_micros(demo.until_us);
    let traffic = Traffic::new(demo.events, demo.seed, until);
    for event in traffic.skip(usize::try_from(stored).unwrap_or(usize::MAX)) {
        batch.push(event);
        if batch.len() == BATCH_EVENTS {
            stored += store(engine, &mut batch, stored)?;
            bar.set_position(stored);
        }
    }
    stored += store(engine, &mut batch, stored)?;
    bar.finish_and_clear();
    maintenance.stop();
    Ok(stored)
}

/// Makes the batch durable and empties it.
fn store(engine: &Engine, batch: &mut Vec<Event>, stored: u64) -> Result<u64, Failure> {
    let failed = |reason: String| Failure::Internal(format!("the demo stopped after {stored} events: {reason}"));
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
