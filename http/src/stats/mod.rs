//! Statistics: from a query string to a typed question, through the gate to the engine, and back as JSON.
//!
//! ```text
//! params.rs      query string -> site, days, zone, filter, moment    pure; every text of a wrong parameter
//! filter/        the parameter `filters`                             pure
//! compare.rs     the parameter `compare`: another range, both answers, the change
//! gate.rs        how many questions the engine is asked at a time, and on which threads
//! steps.rs       steps and windows of ordered reports     pure; every text of a wrong one
//! export/        a line a day, or every event, streamed
//! main.rs  timeseries.rs  breakdown.rs  sessions.rs  funnel.rs  sequences.rs  flow.rs  retention.rs
//! events.rs  realtime.rs  journeys.rs  goals.rs
//!                one report each: its own parameters, its wire type
//! ```
//! A report is added as one such file, one line of the route table, and its question in the engine.
//! A failed query is an error, never a zero; an answer that misses damaged data says so in `x-mallard-incomplete`.

pub(crate) mod breakdown;
mod compare;
pub(crate) mod events;
pub(crate) mod export;
pub mod filter;
pub(crate) mod flow;
pub(crate) mod funnel;
pub mod gate;
pub(crate) mod goals;
pub(crate) mod journeys;
pub(crate) mod main;
pub mod params;
pub(crate) mod realtime;
pub(crate) mod retention;
pub(crate) mod sequences;
pub(crate) mod sessions;
pub(crate) mod steps;
pub(crate) mod timeseries;

use std::sync::Arc;

use hyper::header::{HeaderName, HeaderValue};
use mallard_engine::{Answer, Cancel, Pick, QueryError, Question, Reports};
use mallard_event::SiteId;
use serde::Serialize;
use tracing::error;

use self::params::{Params, Range};
use crate::app::App;
use crate::error::ApiError;
use crate::request::Pairs;
use crate::response::{self, Response};

const AS_OF: HeaderName = HeaderName::from_static("x-mallard-as-of");
/// The days that an answer misses.
pub(crate) const INCOMPLETE: HeaderName = HeaderName::from_static("x-mallard-incomplete");
/// Parts of an incomplete answer that the header names; what is left out is in the logs and in health.
const INCOMPLETE_PARTS_MAX: usize = 50;

/// The parameters that all reports share.
pub(crate) fn params(app: &App, pairs: &Pairs<'_>) -> Result<Params, ApiError> {
    let first_event = |site: &SiteId| {
        app.engine.sites().into_iter().find(|summary| summary.site == *site).map(|summary| summary.first_event_at)
    };
    let segment = |site: &SiteId, id| app.segments.filter(site, id, &app.goals);
    let goals = |site: &SiteId| app.goals.steps(site);
    Params::parse(pairs, app.now(), |site| app.sites.get(site).zone, first_event, segment, goals)
}

/// Asks the engine on a blocking thread, within the gate, and measures how long the answer took. Whatever grows with the
/// answer, its order and its text, is made there too. If the client goes away, the engine stops.
pub(crate) async fn ask<T: Send + 'static>(
    app: &App,
    endpoint: &'static str,
    question: impl FnOnce(&Reports<'_>) -> Result<Answer<T>, QueryError> + Send + 'static,
) -> Result<Answer<T>, ApiError> {
    let started_us = app.clock.steady_us();
    let (engine, cancelled) = (Arc::clone(&app.engine), app.metrics.queries_cancelled());
    let query = move |cancel: &Cancel| {
        let answer = question(&engine.reports(cancel));
        if matches!(answer, Err(QueryError::Cancelled)) {
            cancelled.inc();
        }
        answer
    };
    let answer = app.queries.run(query).await.inspect_err(|_| app.metrics.query_refused("concurrency"))?;
    app.metrics.queried(endpoint, app.clock.steady_us() - started_us);
    answer.map_err(|error| failed(app, error))
}

/// The text of a JSON answer.
pub(crate) fn text(wire: &impl Serialize) -> Result<String, QueryError> {
    serde_json::to_string(wire).map_err(|error| QueryError::Internal(error.to_string()))
}

fn failed(app: &App, error: QueryError) -> ApiError {
    match error {
        QueryError::TimedOut => {
            app.metrics.query_refused("time");
            ApiError::QueryTimeLimit
        }
        QueryError::Cancelled | QueryError::NotReady => {
            ApiError::Unavailable("The history cannot be queried yet".into())
        }
        QueryError::TooManyBuckets { .. } | QueryError::NotYet { .. } => ApiError::bad_request(error.to_string()),
        QueryError::TooLarge(text) => {
            app.metrics.query_refused("memory");
            ApiError::bad_request(text)
        }
        QueryError::Filter(error) => ApiError::bad_request(format!("filters: {error}")),
        QueryError::NothingReadable { incomplete, damage } => {
            error!(%damage, days = incomplete.join(", "), "Nothing of the range of a report can be read");
            ApiError::NothingReadable { days: parts(&incomplete) }
        }
        QueryError::OutOfMemory => {
            app.metrics.query_refused("memory");
            ApiError::QueryMemoryLimit
        }
        QueryError::Damaged { .. } | QueryError::Internal(_) => ApiError::internal(error),
    }
}

/// A question, and the one that it is compared with.
struct AskedBoth {
    range: Range,
    question: Question,
    comparison: Option<(Range, Question)>,
}

/// Reads the parameters that all reports share, `compare` among them.
fn asked(app: &App, pairs: &Pairs<'_>) -> Result<AskedBoth, ApiError> {
    let params = params(app, pairs)?;
    let (range, question) = (params.range, params.question(app.now())?);
    let comparison = match compare::range(pairs, &params)? {
        Some(range) => Some((range, Params { range, ..params }.question(app.now())?)),
        None => None,
    };
    Ok(AskedBoth { range, question, comparison })
}

/// Asks one question, or two about the same events, and answers with the text that `shape` makes of each, or with both
/// and the change. For the other range `query` is given the current answer: whatever lines that one has are wanted again.
async fn ask_both<T: Send + 'static>(
    app: &App,
    endpoint: &'static str,
    asked: AskedBoth,
    query: impl Fn(&Reports<'_>, &Question, Option<&T>) -> Result<Answer<T>, QueryError> + Send + 'static,
    shape: impl Fn(&T) -> Result<String, QueryError> + Send + 'static,
) -> Result<Response, ApiError> {
    let AskedBoth { question, comparison, .. } = asked;
    let both = move |reports: &Reports<'_>| {
        let current = query(reports, &question, None)?;
        let Some((range, other)) = comparison else { return current.try_map(|value| shape(&value)) };
        let other = Question { as_of: Some(current.as_of), ..other };
        let other = query(reports, &other, Some(&current.value))?;
        let (as_of, incomplete) = (current.as_of, [current.incomplete, other.incomplete].concat());
        let value = compare::both(&shape(&current.value)?, &shape(&other.value)?, range)?;
        Ok(Answer { value, as_of, incomplete })
    };
    reply_text(ask(app, endpoint, both).await?)
}

/// Which lines are wanted: the first ones, or for a comparison those that the current answer has.
fn pick<T>(limit: usize, current: Option<&Vec<T>>, value: impl Fn(&T) -> Option<String>) -> Pick {
    current.map_or(Pick::First(limit), |lines| Pick::Of(lines.iter().map(value).collect()))
}

/// The answer, whose value is the text of JSON, with what it rests on in the headers.
pub(crate) fn reply_text(answer: Answer<String>) -> Result<Response, ApiError> {
    based_on(answer.as_of, &answer.incomplete, response::json_text(answer.value))
}

/// 400 for what cannot be compared.
fn refuse_comparison(pairs: &Pairs<'_>, report: &str) -> Result<(), ApiError> {
    match params::value(pairs, "compare") {
        None => Ok(()),
        Some(_) => Err(ApiError::bad_request(format!("compare: {report} cannot be compared. Remove compare."))),
    }
}

/// The response with what it rests on in the headers.
fn based_on(as_of: u64, incomplete: &[String], mut response: Response) -> Result<Response, ApiError> {
    let headers = response.headers_mut();
    headers.insert(AS_OF, HeaderValue::from(as_of));
    if !incomplete.is_empty() {
        headers.insert(INCOMPLETE, HeaderValue::try_from(parts(incomplete)).map_err(ApiError::internal)?);
    }
    Ok(response)
}

/// What is missing, as the header says it.
fn parts(incomplete: &[String]) -> String {
    let parts: Vec<&str> = incomplete.iter().take(INCOMPLETE_PARTS_MAX).map(String::as_str).collect();
    parts.join(", ")
}

/// A rate; 0 over nothing.
#[expect(clippy::cast_precision_loss, reason = "a rate is rounded once, at its end; counts are exact below 2^53")]
fn rate(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
