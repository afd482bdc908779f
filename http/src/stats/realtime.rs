//! `GET /api/stats/realtime`: the figures of the last five minutes, and the last thirty minutes one by one.

use mallard_engine::{Question, Realtime, Reports, Span};
use serde::Serialize;

use super::params::Range;
use super::timeseries;
use crate::app::App;
use crate::error::ApiError;
use crate::request::Request;
use crate::response::Response;

const MINUTE_US: i64 = 60 * 1_000_000;
/// Minutes in the series, the running one included.
const MINUTES: i64 = 30;

/// The report. `period` and dates mean nothing to it.
pub(crate) async fn get(app: &App, request: &Request) -> Result<Response, ApiError> {
    let mut pairs = request.query_pairs();
    super::refuse_comparison(&pairs, "realtime")?;
    pairs.retain(|(name, _)| !matches!(name.as_ref(), "period" | "start_date" | "end_date"));
    let mut params = super::params(app, &pairs)?;
    params.range = Range::Realtime;
    let present = params.question(app.now())?;
    let end_us = present.span.end_us;
    let start_us = (end_us - 1).div_euclid(MINUTE_US) * MINUTE_US - (MINUTES - 1) * MINUTE_US;
    let recent = Question { span: Span { start_us, end_us }, ..present.clone() };
    let query = move |reports: &Reports<'_>| {
        reports.realtime(&present, &recent)?.try_map(|report| super::text(&Wire::of(&report)))
    };
    super::reply_text(super::ask(app, "realtime", query).await?)
}

#[derive(Debug, Serialize)]
struct Wire<'a> {
    visitors: u64,
    pageviews: u64,
    events: u64,
    visits: u64,
    minutes: Vec<timeseries::Wire<'a>>,
}

impl<'a> Wire<'a> {
    fn of(report: &'a Realtime) -> Self {
        Self {
            visitors: report.figures.unique_visitors,
            pageviews: report.figures.total_pageviews,
            events: report.figures.events,
            visits: report.figures.visits,
            minutes: report.minutes.iter().map(timeseries::Wire::of).collect(),
        }
    }
}
