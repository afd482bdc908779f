//! `/api/store/snapshots`: snapshots of a running server, and the task that takes them every so many hours.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use mallard_engine::{Error, Snapshot, Snapshots, env};
use mallard_event::Timestamp;
use serde::Serialize;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::{error, info};

use super::WITHOUT;
use crate::app::App;
use crate::error::ApiError;
use crate::request_id;
use crate::response::{self, Response};

/// How often the schedule is looked at.
const CHECK: Duration = Duration::from_mins(1);
const HOUR_US: i64 = 3_600 * 1_000_000;

#[derive(Debug, Serialize)]
struct Wire {
    id: String,
    taken_at: String,
    /// In Parquet files; those of the last minutes are in the log.
    events: u64,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct Removed {
    status: &'static str,
}

impl From<Snapshot> for Wire {
    fn from(snapshot: Snapshot) -> Self {
        Self {
            taken_at: Timestamp::saturating_from_micros(snapshot.taken_us).to_string(),
            events: snapshot.image.events,
            bytes: snapshot.image.bytes,
            id: snapshot.id,
        }
    }
}

/// Takes one; it is durable before the answer.
pub(crate) async fn take(app: &App) -> Result<Response, ApiError> {
    let snapshot = on(app, |snapshots| snapshots.take(&WITHOUT)).await?;
    info!(id = snapshot.id, bytes = snapshot.image.bytes, "Snapshot taken");
    let mut response = response::json(&Wire::from(snapshot))?;
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

/// All of them, oldest first.
pub(crate) async fn list(app: &App) -> Result<Response, ApiError> {
    let snapshots = on(app, Snapshots::list).await?;
    response::json(&snapshots.into_iter().map(Wire::from).collect::<Vec<_>>())
}

/// Removes one.
pub(crate) async fn remove(app: &App, id: &str) -> Result<Response, ApiError> {
    let id = id.to_owned();
    match on(app, move |snapshots| snapshots.remove(&id)).await? {
        true => response::json(&Removed { status: "removed" }),
        false => Err(ApiError::NotFound),
    }
}

/// Does it on a thread that may block.
async fn on<T: Send + 'static>(
    app: &App,
    work: impl FnOnce(&Snapshots) -> Result<T, Error> + Send + 'static,
) -> Result<T, ApiError> {
    let snapshots = Snapshots::of(env::real(), &app.config.data_dir);
    match spawn_blocking(request_id::carry(move || work(&snapshots))).await.map_err(ApiError::internal)? {
        Err(Error::Locked { .. }) => Err(ApiError::Conflict("Another snapshot is being taken".into())),
        Err(error) if error.is_lack_of_space() => Err(ApiError::InsufficientStorage),
        outcome => outcome.map_err(ApiError::internal),
    }
}

/// Takes a snapshot whenever the newest that it took is old enough, and removes its oldest beyond the number to keep.
pub(crate) async fn on_schedule(app: Arc<App>) {
    let interval_us = i64::from(app.config.snapshot_interval_hours) * HOUR_US;
    let keep = app.config.snapshot_keep;
    if interval_us == 0 {
        return;
    }
    loop {
        let now_us = app.clock.now_us();
        let is_due = move |newest_us: Option<i64>| newest_us.is_none_or(|newest_us| now_us - newest_us >= interval_us);
        let work = move |snapshots: &Snapshots| match snapshots.newest_us() {
            Ok(newest_us) if is_due(newest_us) => snapshots.take_on_schedule(keep, &WITHOUT).map(Some),
            looked => looked.map(|_| None),
        };
        match on(&app, work).await {
            Ok(Some((snapshot, pruned))) => info!(id = snapshot.id, pruned, "Snapshot taken on schedule"),
            Ok(None) | Err(ApiError::Conflict(_)) => {}
            Err(error) => error!(?error, "the scheduled snapshot failed; it is tried again"),
        }
        sleep(CHECK).await;
    }
}
