//! `GET /api/stats/sequences`: how many visitors did all of some things in their order, however long it took.

use mallard_engine::{Funnel, FunnelReport, Question, Reports};
use serde::Serialize;

use super::params::value;
use super::{rate, steps};
use crate::app::App;
use crate::error::ApiError;
use crate::request::Request;
use crate::response::Response;

const STEPS_MIN: usize = 2;

/// The report; further parameter: `steps`.
pub(crate) async fn get(app: &App, request: &Request) -> Result<Response, ApiError> {
    let pairs = request.query_pairs();
    let asked = super::asked(app, &pairs)?;
    let list = value(&pairs, "steps").unwrap_or_default();
    let goals = app.goals.of(&asked.question.site);
    let steps = if list.trim().is_empty() { Vec::new() } else { steps::labelled(list.split(','), &goals)? };
    if steps.len() < STEPS_MIN {
        return Err(ApiError::bad_request("At least 2 steps required for sequence analysis"));
    }
    let funnel = Funnel { steps: steps.into_iter().map(|(_, step)| step).collect(), window_us: None };
    let query = move |reports: &Reports<'_>, question: &Question, _: Option<&_>| reports.funnel(question, &funnel);
    let shape = |report: &FunnelReport| super::text(&Wire::of(report));
    super::ask_both(app, "sequences", asked, query, shape).await
}

#[derive(Debug, Serialize)]
struct Wire {
    converting_visitors: u64,
    total_visitors: u64,
    conversion_rate: f64,
}

impl Wire {
    fn of(report: &FunnelReport) -> Self {
        let converting_visitors = report.reached.last().copied().unwrap_or(0);
        let conversion_rate = rate(converting_visitors, report.visitors);
        Self { converting_visitors, total_visitors: report.visitors, conversion_rate }
    }
}
