//! `GET /api/stats/goals`, `/api/stats/goals/{id}/{dimension}`: how the goals of a site were met.

use mallard_engine::{Dimension, FunnelStep, GoalReport, GoalRow, GoalTotals, Question, Reports, Subject};
use serde::Serialize;

use super::breakdown::limit_of;
use super::events::{Sum, key};
use super::{pick, rate};
use crate::app::App;
use crate::error::ApiError;
use crate::goals::{Goal, id_of};
use crate::request::{Pairs, Request};
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

/// One goal by the values of a dimension; further parameters: `limit`, and `key` for `props`.
pub(crate) async fn by(app: &App, request: &Request, id: &str, dimension: &str) -> Result<Response, ApiError> {
    let pairs = request.query_pairs();
    let (subject, null) = subject(dimension, &pairs)?;
    let limit = limit_of(&pairs)?;
    let asked = super::asked(app, &pairs)?;
    let id = id_of(id)?;
    let goal = app.goals.of(&asked.question.site).iter().find(|goal| goal.id == id).map(Goal::step);
    let step = goal.ok_or(ApiError::NotFound)?;
    let query = move |reports: &Reports<'_>, question: &Question, current: Option<&_>| {
        reports.goal_by(question, &step, &subject, pick(limit, current, |row: &GoalRow| row.value.clone()))
    };
    let shape = move |rows: &Vec<GoalRow>| super::text(&rows.iter().map(|row| Line::of(row, null)).collect::<Vec<_>>());
    super::ask_both(app, "goals", asked, query, shape).await
}

/// What a dimension of a breakdown looks at, and what stands for a missing value of it.
fn subject(dimension: &str, pairs: &Pairs<'_>) -> Result<(Subject, &'static str), ApiError> {
    Ok(match dimension {
        "events" => (Subject::EventName, "(unknown)"),
        "props" => (Subject::Prop(key(pairs)?), "(none)"),
        _ => {
            let dimension = Dimension::from_name(dimension).ok_or(ApiError::NotFound)?;
            (Subject::Dimension(dimension), dimension.null_label())
        }
    })
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
struct Line<'a> {
    value: &'a str,
    visitors: u64,
    conversions: u64,
    unique_conversions: u64,
    conversion_rate: f64,
    revenue: Vec<Sum<'a>>,
}

impl<'a> Wire<'a> {
    fn of(goal: &'a Goal, totals: &'a GoalTotals, visitors: u64) -> Self {
        Self {
            id: goal.id,
            name: &goal.name,
            conversions: totals.conversions,
            unique_conversions: totals.converted,
            conversion_rate: rate(totals.converted, visitors),
            revenue: totals.revenue.iter().map(Sum::of).collect(),
        }
    }
}

impl<'a> Line<'a> {
    fn of(row: &'a GoalRow, null: &'static str) -> Self {
        Self {
            value: row.value.as_deref().unwrap_or(null),
            visitors: row.visitors,
            conversions: row.conversions,
            unique_conversions: row.converted,
            conversion_rate: rate(row.converted, row.visitors),
            revenue: row.revenue.iter().map(Sum::of).collect(),
        }
    }
}
