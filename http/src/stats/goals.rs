//! `GET /api/stats/goals`, `/api/stats/goals/{id}/{dimension}`: how the goals of a site were met.

use mallard_engine::{Dimension, Filter, FunnelStep, GoalRow, GoalTotals, Revenue};
use serde::Serialize;

use super::breakdown::limit_of;
use super::rate;
use crate::app::App;
use crate::error::ApiError;
use crate::goals::{Goal, id_of};
use crate::request::Request;
use crate::response::Response;

/// All goals of the site, in one pass.
pub(crate) async fn get(app: &App, request: &Request) -> Result<Response, ApiError> {
    let question = super::params(app, &request.query_pairs())?.question(app.now())?;
    let goals = app.goals.of(&question.site);
    let steps: Vec<FunnelStep> = goals.iter().map(Goal::step).collect();
    let answer = super::ask(app, "goals", move |engine| engine.goals(&question, &steps)).await?;
    let lines = goals.iter().zip(&answer.value.goals);
    let wire: Vec<Wire<'_>> = lines.map(|(goal, totals)| Wire::of(goal, totals, answer.value.visitors)).collect();
    super::reply(&answer, &wire)
}

/// One goal by the values of a dimension; further parameter: `limit`.
pub(crate) async fn by(app: &App, request: &Request, id: &str, dimension: &str) -> Result<Response, ApiError> {
    let dimension = Dimension::from_name(dimension).ok_or(ApiError::NotFound)?;
    let pairs = request.query_pairs();
    let limit = limit_of(&pairs)?;
    let question = super::params(app, &pairs)?.question(app.now())?;
    if dimension.is_of_visits() && question.filter != Filter::default() {
        // Where a visit came from is known of whole visits only, of which a filter shows a part.
        let message = format!("A goal by {} cannot be filtered. Remove the filters.", dimension.name());
        return Err(ApiError::bad_request(message));
    }
    let id = id_of(id)?;
    let goal = app.goals.of(&question.site).into_iter().find(|goal| goal.id == id).ok_or(ApiError::NotFound)?;
    let step = goal.step();
    let answer = super::ask(app, "goals", move |engine| engine.goal_by(&question, &step, dimension, limit)).await?;
    let wire: Vec<Line<'_>> = answer.value.iter().map(|row| Line::of(row, dimension)).collect();
    super::reply(&answer, &wire)
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
