//! `GET /api/stats/funnel`: how many visitors came to each step, in order.

use mallard_engine::{Funnel, FunnelReport, FunnelStep, Question, Reports};
use serde::Serialize;

use super::params::value;
use super::{rate, steps};
use crate::app::App;
use crate::error::ApiError;
use crate::request::Request;
use crate::response::Response;

const WINDOW_DEFAULT: &str = "1 day";

/// The report; further parameters: `steps` and `window`, or `funnel`, the id of one that is kept.
pub(crate) async fn get(app: &App, request: &Request) -> Result<Response, ApiError> {
    let pairs = request.query_pairs();
    let asked = super::asked(app, &pairs)?;
    let (site, goals) = (&asked.question.site, app.goals.of(&asked.question.site));
    let (steps, window) = match value(&pairs, "funnel") {
        Some(id) => {
            let kept = id.parse().ok().and_then(|id| app.funnels.find(site, id));
            let kept = kept.ok_or_else(|| ApiError::bad_request(format!("There is no funnel '{id}'")))?;
            (steps::labelled(kept.steps.iter().map(String::as_str), &goals)?, kept.window)
        }
        None => {
            let list = value(&pairs, "steps").unwrap_or_default();
            let window = value(&pairs, "window").unwrap_or(WINDOW_DEFAULT).to_owned();
            (steps::labelled(list.split(','), &goals)?, window)
        }
    };
    let (labels, steps): (Vec<String>, Vec<FunnelStep>) = steps.into_iter().unzip();
    let funnel = Funnel { steps, window_us: Some(steps::window_us(&window)?) };
    let query = move |reports: &Reports<'_>, question: &Question, _: Option<&_>| reports.funnel(question, &funnel);
    super::ask_both(app, "funnel", asked, query, move |report| super::text(&wire(&labels, report))).await
}

#[derive(Debug, PartialEq, Serialize)]
struct Wire<'a> {
    step: usize,
    label: &'a str,
    visitors: u64,
    conversion_rate: f64,
    overall_conversion_rate: f64,
}

/// One line for each step: the first converts everybody who is in it, every other one those of the step before.
fn wire<'a>(labels: &'a [String], report: &FunnelReport) -> Vec<Wire<'a>> {
    let first = report.reached.first().copied().unwrap_or(0);
    let before = std::iter::once(first).chain(report.reached.iter().copied());
    let lines = labels.iter().zip(&report.reached).zip(before).zip(1..);
    let line = |(((label, visitors), before), step): (((&'a String, &u64), u64), usize)| Wire {
        step,
        label,
        visitors: *visitors,
        conversion_rate: rate(*visitors, before),
        overall_conversion_rate: rate(*visitors, first),
    };
    lines.map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(reached: &[u64]) -> Vec<(f64, f64)> {
        let labels: Vec<String> = reached.iter().map(u64::to_string).collect();
        let report = FunnelReport { reached: reached.to_vec(), visitors: 9 };
        wire(&labels, &report).iter().map(|line| (line.conversion_rate, line.overall_conversion_rate)).collect()
    }

    #[test]
    fn rates_are_from_the_step_before_and_from_the_first() {
        assert_eq!(rates(&[8, 4, 1]), [(1.0, 1.0), (0.5, 0.5), (0.25, 0.125)]);
        assert_eq!(rates(&[3]), [(1.0, 1.0)]);
        assert_eq!(rates(&[0, 0]), [(0.0, 0.0), (0.0, 0.0)]);
    }
}
