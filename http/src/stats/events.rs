//! `GET /api/stats/breakdown/events` and `/props`: custom events by name, or events by the value of a property, with their
//! revenue. Amounts of different currencies are never added up.

use mallard_engine::{Grouping, Question, Reports, Revenue, ValueRow};
use serde::Serialize;

use super::breakdown::limit_of;
use super::params::value;
use super::pick;
use crate::app::App;
use crate::error::ApiError;
use crate::request::{Pairs, Request};
use crate::response::Response;

const KEY_CHARACTERS_MAX: usize = 300;

/// The report; further parameters: `limit`, and `key` for `props`.
pub(crate) async fn get(app: &App, request: &Request, dimension: &str) -> Result<Response, ApiError> {
    let pairs = request.query_pairs();
    let grouping = if dimension == "events" { Grouping::Name } else { Grouping::Property(key(&pairs)?) };
    let limit = limit_of(&pairs)?;
    let query = move |reports: &Reports<'_>, question: &Question, current: Option<&_>| {
        reports.values(question, &grouping, pick(limit, current, |row: &ValueRow| Some(row.value.clone())))
    };
    let shape = |rows: &Vec<ValueRow>| super::text(&rows.iter().map(Wire::of).collect::<Vec<_>>());
    super::ask_both(app, "breakdown", super::asked(app, &pairs)?, query, shape).await
}

/// The key of a property; parameter `key`.
pub(super) fn key(pairs: &Pairs<'_>) -> Result<Box<str>, ApiError> {
    let key = value(pairs, "key").unwrap_or_default();
    if (1..=KEY_CHARACTERS_MAX).contains(&key.chars().count()) {
        Ok(key.into())
    } else {
        Err(ApiError::bad_request(format!("key must be between 1 and {KEY_CHARACTERS_MAX} characters")))
    }
}

#[derive(Debug, Serialize)]
struct Wire<'a> {
    value: &'a str,
    visitors: u64,
    pageviews: u64,
    events: u64,
    revenue: Vec<Sum<'a>>,
}

/// A sum of money.
#[derive(Debug, Serialize)]
pub(super) struct Sum<'a> {
    currency: Option<&'a str>,
    amount: String,
}

impl<'a> Sum<'a> {
    pub(super) fn of(sum: &'a Revenue) -> Self {
        Self { currency: sum.currency.as_deref(), amount: sum.to_string() }
    }
}

impl<'a> Wire<'a> {
    fn of(row: &'a ValueRow) -> Self {
        Self {
            value: &row.value,
            visitors: row.visitors,
            pageviews: row.pageviews,
            events: row.events,
            revenue: row.revenue.iter().map(Sum::of).collect(),
        }
    }
}
