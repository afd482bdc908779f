//! `GET /api/sites`: every site with a stored event, at once.

use mallard_engine::SiteSummary;
use serde::Serialize;

use crate::app::App;
use crate::error::ApiError;
use crate::response::{self, Response};

/// The list, in the order of the ids.
pub(crate) fn get(app: &App) -> Result<Response, ApiError> {
    let sites = app.engine.sites();
    response::json(&sites.iter().map(Site::of).collect::<Vec<_>>())
}

#[derive(Debug, Serialize)]
struct Site<'a> {
    site_id: &'a str,
    /// Sites have no settings of their own yet: UTC, and nobody is identified.
    timezone: &'static str,
    identify_users: bool,
    first_event_at: String,
    last_event_at: String,
    events_total: u64,
}

impl<'a> Site<'a> {
    fn of(summary: &'a SiteSummary) -> Self {
        Self {
            site_id: summary.site.as_str(),
            timezone: "UTC",
            identify_users: false,
            first_event_at: summary.first_event_at.to_string(),
            last_event_at: summary.last_event_at.to_string(),
            events_total: summary.events_total,
        }
    }
}
