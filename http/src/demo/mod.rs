//! `mallard-metrics demo`: a month of believable traffic for two sites, through the real append path.
//!
//! Everything is drawn from one seed, so two demos of the same size and day are alike. Events reach the engine exactly
//! as a browser's do (validated newtypes, the log, group commits, compaction beside them); only the enrichment is
//! skipped, because the generator knows the visitor. A data directory that already has events is served as it is.
//!
//! Unless told otherwise the demo stays away from real data and from the network: its own folder, loopback, a password
//! that it prints.

mod catalogue;
mod traffic;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use mallard_engine::{AppendError, Engine, Maintenance};
use mallard_event::{Event, Timestamp};
use tracing::info;

use crate::cli::ConfigFile;
use crate::config::{Config, Loaded};
use crate::exit::Failure;
use crate::serve;
use traffic::Traffic;

/// Events of one durable unit. A unit of this size stays far below the log's frame limit of 1 MiB.
const BATCH_EVENTS: usize = 500;
/// How long to wait when compaction is behind, before trying again.
const BUSY_WAIT: Duration = Duration::from_millis(50);

/// Where the demo lives unless `MALLARD_DATA_DIR` names a folder.
const DATA_DIR: &str = "data-demo";
/// The dashboard's password unless one is configured.
const PASSWORD: &str = "mallard-demo";
/// Where the demo listens unless `MALLARD_HOST` says otherwise.
const HOST: &str = "127.0.0.1";

/// What to generate.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// About how many events to store.
    #[arg(long, value_name = "N", default_value_t = 60_000, value_parser = clap::value_parser!(u64).range(100..=10_000_000))]
    events: u64,
    /// The same seed gives the same traffic.
    #[arg(long, value_name = "SEED", default_value_t = 7)]
    seed: u64,
    #[command(flatten)]
    pub(crate) config: ConfigFile,
}

/// Fills an empty data directory and serves it; one that has events is served as it is.
pub(crate) fn run(options: &Options, mut loaded: Loaded) -> Result<(), Failure> {
    keep_apart(&mut loaded.config);
    let password = loaded.config.admin_password.clone().filter(|password| password == PASSWORD);
    serve::run_after(loaded, |engine, now| {
        match fill(engine, options.events, options.seed, now)? {
            0 => info!("The data directory has events already; none were added"),
            events => info!(events, "The demo is filled"),
        }
        if let Some(password) = password {
            info!("The demo's password is: {password}");
        }
        Ok(())
    })
}

/// What is at its default becomes the demo's own.
fn keep_apart(config: &mut Config) {
    if config.data_dir == Path::new("data") {
        config.data_dir = DATA_DIR.into();
    }
    if config.host == "0.0.0.0" {
        HOST.clone_into(&mut config.host);
    }
    config.admin_password.get_or_insert_with(|| PASSWORD.to_owned());
}

/// Stores about `events` events of the thirty days before `now`, showing a progress bar; returns how many. Zero if the
/// store was not empty.
fn fill(engine: &Arc<Engine>, events: u64, seed: u64, now: Timestamp) -> Result<u64, Failure> {
    if engine.site_count() > 0 {
        return Ok(0);
    }
    let maintenance = Maintenance::start(engine, |_| {})
        .map_err(|error| Failure::Internal(format!("cannot start maintenance: {error}")))?;
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
