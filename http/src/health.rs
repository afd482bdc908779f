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

/// Events are accepted and questions answered. The platform's check stands on this.
pub(crate) fn ready(app: &App) -> Response {
    if app.stop.is_stopping() || app.engine.status().ingest == Ingest::Poisoned {
        return response::text(StatusCode::SERVICE_UNAVAILABLE, "database not ready");
    }
    response::text(StatusCode::OK, "ready")
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
        let is_ok = status.degraded_reasons.is_empty() && status.ingest == Ingest::Accepting;
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
            degraded_reasons: status.degraded_reasons,
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
