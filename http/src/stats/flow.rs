//! `GET /api/stats/flow`: where visitors went from a page.

use mallard_engine::{FlowRow, Question, Reports};
use serde::Serialize;

use super::breakdown::limit_of;
use super::params::value;
use super::pick;
use crate::app::App;
use crate::error::ApiError;
use crate::request::Request;
use crate::response::Response;

const PAGE_CHARACTERS_MAX: usize = 256;

/// The report; further parameters: `page`, `limit`.
pub(crate) async fn get(app: &App, request: &Request) -> Result<Response, ApiError> {
    let pairs = request.query_pairs();
    let page = value(&pairs, "page").unwrap_or_default().to_owned();
    if !(1..=PAGE_CHARACTERS_MAX).contains(&page.chars().count()) {
        return Err(ApiError::bad_request(format!("page must be between 1 and {PAGE_CHARACTERS_MAX} characters")));
    }
    let limit = limit_of(&pairs)?;
    let query = move |reports: &Reports<'_>, question: &Question, current: Option<&_>| {
        reports.flow(question, &page, pick(limit, current, |row: &FlowRow| Some(row.next_page.clone())))
    };
    let shape = |rows: &Vec<FlowRow>| super::text(&rows.iter().map(Wire::of).collect::<Vec<_>>());
    super::ask_both(app, "flow", super::asked(app, &pairs)?, query, shape).await
}

#[derive(Debug, Serialize)]
struct Wire<'a> {
    next_page: &'a str,
    visitors: u64,
}

impl<'a> Wire<'a> {
    fn of(row: &'a FlowRow) -> Self {
        Self { next_page: &row.next_page, visitors: row.visitors }
    }
}
