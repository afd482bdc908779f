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
use mallard_engine::{Answer, Engine, QueryError, Question};
use mallard_event::SiteId;
use serde::Serialize;

use self::params::{Params, Range};
use crate::app::App;
use crate::error::ApiError;
use crate::request::Pairs;
use crate::response::{self, Response};

const AS_OF: HeaderName = HeaderName::from_static("x-mallard-as-of");
const INCOMPLETE: HeaderName = HeaderName::from_static("x-mallard-incomplete");
/// Parts of an incomplete answer that the header names; what is left out is in the logs and in health.
const INCOMPLETE_PARTS_MAX: usize = 50;

/// The parameters that all reports share.
pub(crate) fn params(app: &App, pairs: &Pairs<'_>) -> Result<Params, ApiError> {
    let first_event = |site: &SiteId| {
        app.engine.sites().into_iter().find(|summary| summary.site == *site).map(|summary| summary.first_event_at)
    };
    let segment = |site: &SiteId, id| app.segments.filter(site, id);
    let goals = |site: &SiteId| app.goals.steps(site);
    Params::parse(pairs, app.now(), |site| app.sites.get(site).zone, first_event, segment, goals)
}

/// Asks the engine on a blocking thread, within the gate, and measures how long the answer took.
pub(crate) async fn ask<T: Send + 'static>(
    app: &App,
    endpoint: &'static str,
    question: impl FnOnce(&Engine) -> Result<Answer<T>, QueryError> + Send + 'static,
) -> Result<Answer<T>, ApiError> {
    let started_us = app.clock.steady_us();
    let engine = Arc::clone(&app.engine);
    let answer =
        app.queries.run(move || question(&engine)).await.inspect_err(|_| app.metrics.query_refused("concurrency"))?;
    app.metrics.queried(endpoint, app.clock.steady_us() - started_us);
    answer.map_err(|error| failed(app, error))
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

/// What an answer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Current,
    Comparison,
}

impl Role {
    /// How many lines are wanted: whatever the current answer has is looked up in the other one.
    fn limit(self, limit: usize) -> usize {
        match self {
            Self::Current => limit,
            Self::Comparison => usize::MAX,
        }
    }
}

/// An answer, and the one that it is compared with.
struct Answers<T> {
    current: Answer<T>,
    comparison: Option<(Range, T)>,
}

/// Asks one question, or two about the same events.
async fn ask_both<T: Send + 'static>(
    app: &App,
    endpoint: &'static str,
    asked: AskedBoth,
    query: impl Fn(&Engine, &Question, Role) -> Result<Answer<T>, QueryError> + Send + 'static,
) -> Result<Answers<T>, ApiError> {
    let AskedBoth { question, comparison, .. } = asked;
    let (range, other) = comparison.unzip();
    let both = move |engine: &Engine| {
        let current = query(engine, &question, Role::Current)?;
        let other = other.map(|other| Question { as_of: Some(current.as_of), ..other });
        let other = other.map(|other| query(engine, &other, Role::Comparison)).transpose()?;
        let (value, missed) = other.map(|other| (other.value, other.incomplete)).unzip();
        let incomplete = [current.incomplete, missed.unwrap_or_default()].concat();
        Ok(Answer { value: (current.value, value), as_of: current.as_of, incomplete })
    };
    let Answer { value: (value, other), as_of, incomplete } = ask(app, endpoint, both).await?;
    Ok(Answers { current: Answer { value, as_of, incomplete }, comparison: range.zip(other) })
}

impl<T> Answers<T> {
    /// The plain answer, or both of them and the change.
    fn reply<'a, W: Serialize>(&'a self, wire: impl Fn(&'a T) -> W) -> Result<Response, ApiError> {
        let current = wire(&self.current.value);
        match &self.comparison {
            None => reply(&self.current, &current),
            Some((range, other)) => reply(&self.current, &compare::both(&current, &wire(other), *range)?),
        }
    }
}

/// The answer as JSON, with what it rests on in the headers.
pub(crate) fn reply<T>(answer: &Answer<T>, wire: &impl Serialize) -> Result<Response, ApiError> {
    based_on(answer.as_of, &answer.incomplete, response::json(wire)?)
}

/// The response with what it rests on in the headers.
fn based_on(as_of: u64, incomplete: &[String], mut response: Response) -> Result<Response, ApiError> {
    let headers = response.headers_mut();
    headers.insert(AS_OF, HeaderValue::from(as_of));
    if !incomplete.is_empty() {
        let parts: Vec<&str> = incomplete.iter().take(INCOMPLETE_PARTS_MAX).map(String::as_str).collect();
        headers.insert(INCOMPLETE, HeaderValue::try_from(parts.join(", ")).map_err(ApiError::internal)?);
    }
    Ok(response)
}

/// A rate; 0 over nothing.
#[expect(clippy::cast_precision_loss, reason = "a rate is rounded once, at its end; counts are exact below 2^53")]
fn rate(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
