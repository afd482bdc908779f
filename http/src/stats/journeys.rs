//! `GET /api/stats/journeys`: the pages that visits saw before or after a page or an event.

use mallard_engine::{Direction, Journey, Journeys, PathRow, Paths, Position, Question, Reports};
use serde::Serialize;

use super::breakdown::limit_of;
use super::params::value;
use super::steps;
use crate::app::App;
use crate::error::ApiError;
use crate::request::Request;
use crate::response::Response;

const DEPTH_DEFAULT: usize = 3;
const DEPTH_MAX: usize = 10;

/// The report; further parameters: `from`, `direction`, `depth`, `limit`.
pub(crate) async fn get(app: &App, request: &Request) -> Result<Response, ApiError> {
    let pairs = request.query_pairs();
    let asked = super::asked(app, &pairs)?;
    let from = value(&pairs, "from").unwrap_or_default();
    let from = steps::labelled(std::iter::once(from), &app.goals.of(&asked.question.site))?;
    let Some((_, from)) = from.into_iter().next() else { return Err(ApiError::bad_request("from: a step is needed")) };
    let direction = match value(&pairs, "direction") {
        None | Some("after") => Direction::After,
        Some("before") => Direction::Before,
        Some(other) => {
            return Err(ApiError::bad_request(format!("Invalid direction: '{other}'. Use 'after' or 'before'.")));
        }
    };
    let journey = Journey { from, direction, steps: value(&pairs, "depth").map_or(Ok(DEPTH_DEFAULT), depth)? };
    let limit = limit_of(&pairs)?;
    let query = move |reports: &Reports<'_>, question: &Question, current: Option<&Journeys>| {
        let paths = current.map_or(Paths::First(limit), |current| Paths::Of(current.clone()));
        reports.journeys(question, &journey, paths)
    };
    let shape = |report: &Journeys| super::text(&Wire::of(report));
    super::ask_both(app, "journeys", asked, query, shape).await
}

fn depth(text: &str) -> Result<usize, ApiError> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let depth = text.parse().ok().filter(|depth| is_number && (1..=DEPTH_MAX).contains(depth));
    depth.ok_or_else(|| ApiError::bad_request(format!("depth must be between 1 and {DEPTH_MAX}")))
}

#[derive(Debug, Serialize)]
struct Wire<'a> {
    visits: u64,
    steps: Vec<Step<'a>>,
    paths: Vec<Path<'a>>,
    other: u64,
}

#[derive(Debug, Serialize)]
struct Step<'a> {
    step: usize,
    reached: u64,
    dropped: u64,
    pages: Vec<Page<'a>>,
    other: u64,
}

#[derive(Debug, Serialize)]
struct Page<'a> {
    page: &'a str,
    visits: u64,
}

#[derive(Debug, Serialize)]
struct Path<'a> {
    pages: &'a [String],
    visits: u64,
}

impl<'a> Wire<'a> {
    fn of(report: &'a Journeys) -> Self {
        let path = |row: &'a PathRow| Path { pages: &row.pages, visits: row.visits };
        Self {
            visits: report.visits,
            steps: report.positions.iter().zip(1..).map(|(position, step)| Step::of(position, step)).collect(),
            paths: report.paths.iter().map(path).collect(),
            other: report.other,
        }
    }
}

impl<'a> Step<'a> {
    fn of(position: &'a Position, step: usize) -> Self {
        let pages = position.pages.iter().map(|(page, visits)| Page { page, visits: *visits });
        let Position { reached, dropped, other, .. } = *position;
        Self { step, reached, dropped, pages: pages.collect(), other }
    }
}
