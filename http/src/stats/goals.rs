//! `GET /api/stats/goals`, `/api/stats/goals/{id}/{dimension}`: how the goals of a site were met.

use mallard_engine::{Dimension, Filter, FunnelStep, GoalReport, GoalRow, GoalTotals, Question, Reports, Revenue};
use serde::Serialize;

use super::breakdown::limit_of;
use super::{pick, rate};
use crate::app::App;
use crate::error::ApiError;
use crate::goals::{Goal, id_of};
use crate::request::Request;
use crate::response::Response;

/// All goals of the site, in one pass.
pub(crate) async fn get(app: &App, request: &Request) -> Result<Response, ApiError> {
    let asked = super::asked(app, &request.query_pairs())?;
    let goals = app.goals.of(&asked.question.site);
    let steps: Vec<FunnelStep> = goals.iter().map(Goal::step).collect();
    let query = move |reports: &Reports<'_>, question: &Question, _: Option<&_>| reports.goals(question, &steps);
    let shape = move |report: &GoalReport| {
        let lines = goals.iter().zip(&report.goals);
        super::text(&lines.map(|(goal, totals)| Wire::of(goal, totals, report.visitors)).collect::<Vec<_>>())
    };
    super::ask_both(app, "goals", asked, query, shape).await
}

/// One goal by the values of a dimension; further parameter: `limit`.
pub(crate) async fn by(app: &App, request: &Request, id: &str, dimension: &str) -> Result<Response, ApiError> {
    let dimension = Dimension::from_name(dimension).ok_or(ApiError::NotFound)?;
    let pairs = request.query_pairs();
    let limit = limit_of(&pairs)?;
    let asked = super::asked(app, &pairs)?;
    let question = &asked.question;
    if dimension.is_of_visits() && question.filter != Filter::default() {
        // Where a visit came from is known of whole visits only, of which a filter shows a part.
        let message = format!("A goal by {} cannot be filtered. Remove the filters.", dimension.name());
        return Err(ApiError::bad_request(message));
    }
    let id = id_of(id)?;
    let goal = app.goals.of(&question.site).into_iter().find(|goal| goal.id == id).ok_or(ApiError::NotFound)?;
    let step = goal.step();
    let query = move |reports: &Reports<'_>, question: &Question, current: Option<&_>| {
        reports.goal_by(question, &step, dimension, pick(limit, current, |row: &GoalRow| row.value.clone()))
    };
    let shape =
        move |rows: &Vec<GoalRow>| super::text(&rows.iter().map(|row| Line::of(row, dimension)).collect::<Vec<_>>());
    super::ask_both(app, "goals", asked, query, shape).await
}

#[derive(Debug, Serialize)]
struct Wire<'a> {
    id: u64,
    name: &'a str,
    conversions: u64,
    unique_conversions: u64,
    conversion_rate: f64,
    revenue: Vec<Sum<'a>>,
}

#[derive(Debug, Serialize)]
struct Sum<'a> {
    currency: Option<&'a str>,
    amount: String,
}

#[derive(Debug, Serialize)]
struct Line<'a> {
    value: &'a str,
    visitors: u64,
    conversions: u64,
    unique_conversions: u64,
    conversion_rate: f64,
}

impl<'a> Wire<'a> {
    fn of(goal: &'a Goal, totals: &'a GoalTotals, visitors: u64) -> Self {
        let sum = |sum: &'a Revenue| Sum { currency: sum.currency.as_deref(), amount: sum.to_string() };
        Self {
            id: goal.id,
            name: &goal.name,
            conversions: totals.conversions,
            unique_conversions: totals.converted,
            conversion_rate: rate(totals.converted, visitors),
            revenue: totals.revenue.iter().map(sum).collect(),
        }
    }
}

impl<'a> Line<'a> {
    fn of(row: &'a GoalRow, dimension: Dimension) -> Self {
        Self {
            value: row.value.as_deref().unwrap_or(dimension.null_label()),
            visitors: row.visitors,
            conversions: row.conversions,
            unique_conversions: row.converted,
            conversion_rate: rate(row.converted, row.visitors),
        }
    }
}
