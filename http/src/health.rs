//! Health: alive, ready, and what an operator wants to see at a glance. None of these waits for a query.

use hyper::StatusCode;
use mallard_engine::{Ingest, Status};
use serde::Serialize;

use crate::app::App;
use crate::error::ApiError;
use crate::response::{self, Response};

/// The process answers.
pub(crate) fn live() -> Response {
    response::text(StatusCode::OK, "ok")
}

/// What stands in the way can be expected to pass here by itself, or with somebody's help: no restart is needed, and no other
/// machine. That is so as long as questions are answered, and events at most refused for want of room (docs/decisions/0016).
/// The platform's check stands on this.
pub(crate) fn ready(app: &App) -> Response {
    if is_ready(app.stop.is_stopping(), app.engine.status().ingest, app.engine.cannot_answer()) {
        response::text(StatusCode::OK, "ready")
    } else {
        response::text(StatusCode::SERVICE_UNAVAILABLE, "database not ready")
    }
}

fn is_ready(is_stopping: bool, ingest: Ingest, cannot_answer: bool) -> bool {
    let can_store = match ingest {
        Ingest::Accepting | Ingest::DiskReserve => true,
        Ingest::NoSegment | Ingest::Poisoned => false,
    };
    can_store && !is_stopping && !cannot_answer
}

/// Everything, always with status 200.
pub(crate) fn detailed(app: &App) -> Result<Response, ApiError> {
    response::json(&Detailed::of(app, app.engine.status()))
}

#[derive(Debug, Serialize)]
struct Detailed {
    status: &'static str,
    version: &'static str,
    buffered_events: u64,
    buffer_empty: bool,
    auth_configured: bool,
    geoip_loaded: bool,
    /// Sessions, funnels and sequences are part of the binary.
    behavioral_extension_loaded: bool,
    filter_bots: bool,
    /// Days of answers that are kept.
    cache_entries: u64,
    cache_empty: bool,
    ingest: &'static str,
    durable_lsn: u64,
    compacted_lsn: u64,
    disk_free_bytes: Option<u64>,
    degraded_reasons: Vec<String>,
}

impl Detailed {
    fn of(app: &App, status: Status) -> Self {
        let cache_entries = app.engine.cache().entries;
        let mut degraded_reasons = status.degraded_reasons;
        if app.engine.cannot_answer() {
            degraded_reasons.push("DuckDB cannot be opened: the log has the cause".to_owned());
        }
        let is_ok = degraded_reasons.is_empty() && status.ingest == Ingest::Accepting;
        Self {
            status: if is_ok { "ok" } else { "degraded" },
            version: env!("CARGO_PKG_VERSION"),
            buffered_events: status.buffered_events,
            buffer_empty: status.buffered_events == 0,
            auth_configured: app.auth.is_configured(),
            geoip_loaded: app.enrich.geoip_loaded(),
            behavioral_extension_loaded: true,
            filter_bots: app.config.filter_bots,
            cache_entries,
            cache_empty: cache_entries == 0,
            ingest: ingest(app, status.ingest),
            durable_lsn: status.durable_lsn,
            compacted_lsn: status.compacted_lsn,
            disk_free_bytes: status.disk_free_bytes,
            degraded_reasons,
        }
    }
}

fn ingest(app: &App, ingest: Ingest) -> &'static str {
    match ingest {
        Ingest::Poisoned => "poisoned",
        _ if app.stop.is_stopping() => "stopping",
        Ingest::DiskReserve => "disk_reserve",
        Ingest::NoSegment => "no_segment",
        Ingest::Accepting => "accepting",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_answers_questions_and_refuses_events_for_want_of_room_alone_is_ready() {
        for (ingest, ready) in [
            (Ingest::Accepting, true),
            (Ingest::DiskReserve, true),
            (Ingest::NoSegment, false),
            (Ingest::Poisoned, false),
        ] {
            assert_eq!(is_ready(false, ingest, false), ready, "{ingest:?}");
            assert!(!is_ready(true, ingest, false), "{ingest:?}, stopping");
            assert!(!is_ready(false, ingest, true), "{ingest:?}, without DuckDB");
        }
    }
}
