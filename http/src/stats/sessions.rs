//! `GET /api/stats/sessions`: how many sessions began, how long they were and how many pages they saw.

use mallard_engine::{MainReport, Question, Reports};
use serde::Serialize;

use crate::app::App;
use crate::error::ApiError;
use crate::request::Request;
use crate::response::Response;

/// The report: three of the figures of `main` under names of their own.
pub(crate) async fn get(app: &App, request: &Request) -> Result<Response, ApiError> {
    let asked = super::asked(app, &request.query_pairs())?;
    let query = |reports: &Reports<'_>, question: &Question, _: Option<&_>| reports.main(question);
    super::ask_both(app, "sessions", asked, query, |report| super::text(&Wire::of(report))).await
}

#[derive(Debug, Serialize)]
struct Wire {
    total_sessions: u64,
    avg_session_duration_secs: Option<f64>,
    avg_pages_per_session: f64,
}

impl Wire {
    fn of(report: &MainReport) -> Self {
        Self {
            total_sessions: report.visits,
            avg_session_duration_secs: report.avg_visit_duration_secs,
            avg_pages_per_session: report.views_per_visit,
        }
    }
}
