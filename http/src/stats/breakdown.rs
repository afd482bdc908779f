//! `GET /api/stats/breakdown/{dimension}`: the values of one dimension, those with most visitors first.

use mallard_engine::{BreakdownRow, Dimension, Question, Reports};
use serde::Serialize;

use super::params::value;
use super::pick;
use crate::app::App;
use crate::error::ApiError;
use crate::request::{Pairs, Request};
use crate::response::Response;

const LIMIT_DEFAULT: usize = 10;
const LIMIT_MAX: usize = 1000;

/// The report; further parameter: `limit`.
pub(crate) async fn get(app: &App, request: &Request, dimension: &str) -> Result<Response, ApiError> {
    if matches!(dimension, "events" | "props") {
        return super::events::get(app, request, dimension).await;
    }
    let dimension = Dimension::from_name(dimension).ok_or(ApiError::NotFound)?;
    let pairs = request.query_pairs();
    let limit = limit_of(&pairs)?;
    let query = move |reports: &Reports<'_>, question: &Question, current: Option<&_>| {
        reports.breakdown(question, dimension, pick(limit, current, |row: &BreakdownRow| row.value.clone()))
    };
    let shape = move |rows: &Vec<BreakdownRow>| {
        super::text(&rows.iter().map(|row| Wire::of(row, dimension)).collect::<Vec<_>>())
    };
    super::ask_both(app, "breakdown", super::asked(app, &pairs)?, query, shape).await
}

/// How many lines of an answer are asked for; parameter `limit`, 0 to 1000, default 10.
pub(super) fn limit_of(pairs: &Pairs<'_>) -> Result<usize, ApiError> {
    value(pairs, "limit").map_or(Ok(LIMIT_DEFAULT), limit)
}

fn limit(text: &str) -> Result<usize, ApiError> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number {
        return Err(ApiError::bad_request(format!("Invalid limit: '{text}'. Use a whole number 0 to {LIMIT_MAX}.")));
    }
    let limit = text.parse().ok().filter(|limit| *limit <= LIMIT_MAX);
    limit.ok_or_else(|| ApiError::bad_request(format!("limit must not exceed {LIMIT_MAX}")))
}

#[derive(Debug, Serialize)]
struct Wire<'a> {
    value: &'a str,
    visitors: u64,
    pageviews: u64,
}

impl<'a> Wire<'a> {
    fn of(row: &'a BreakdownRow, dimension: Dimension) -> Self {
        let value = row.value.as_deref().unwrap_or(dimension.null_label());
        Self { value, visitors: row.visitors, pageviews: row.pageviews }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_number_up_to_a_thousand() {
        assert_eq!(limit("0").unwrap(), 0);
        assert_eq!(limit("1000").unwrap(), 1000);
        for text in ["1001", "99999999999999999999999"] {
            assert_eq!(limit(text).unwrap_err().to_string(), "limit must not exceed 1000", "{text}");
        }
        for text in ["", "-1", "ten", "1.5"] {
            assert!(limit(text).unwrap_err().to_string().starts_with("Invalid limit: "), "{text}");
        }
    }
}
