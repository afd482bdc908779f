//! `GET /api/stats/main`: the figures at the top of the dashboard.

use mallard_engine::{MainReport, Question, Reports};
use serde::Serialize;

use crate::app::App;
use crate::error::ApiError;
use crate::request::Request;
use crate::response::Response;

/// The report.
pub(crate) async fn get(app: &App, request: &Request) -> Result<Response, ApiError> {
    let asked = super::asked(app, &request.query_pairs())?;
    let query = |reports: &Reports<'_>, question: &Question, _: Option<&_>| reports.main(question);
    super::ask_both(app, "main", asked, query, |report| super::text(&Wire::of(report))).await
}

#[derive(Debug, Serialize)]
struct Wire {
    unique_visitors: u64,
    total_pageviews: u64,
    bounce_rate: f64,
    avg_visit_duration_secs: Option<f64>,
    pages_per_visit: f64,
    visits: u64,
    views_per_visit: f64,
    events: u64,
}

impl Wire {
    fn of(report: &MainReport) -> Self {
        Self {
            unique_visitors: report.unique_visitors,
            total_pageviews: report.total_pageviews,
            bounce_rate: report.bounce_rate,
            avg_visit_duration_secs: report.avg_visit_duration_secs,
            pages_per_visit: report.pages_per_visit,
            visits: report.visits,
            views_per_visit: report.views_per_visit,
            events: report.events,
        }
    }
}
