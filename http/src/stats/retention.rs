//! `GET /api/stats/retention`: who came back, by the week of the first visit. It says over whose identity, and `null`
//! where that identity cannot tell.

use mallard_engine::{Cohort, Identity, Question, Reports};
use serde::Serialize;

use super::params::value;
use crate::app::App;
use crate::error::ApiError;
use crate::request::Request;
use crate::response::Response;

const WEEKS_DEFAULT: usize = 4;
const WEEKS_MAX: usize = 52;

/// The report; further parameter: `weeks`.
pub(crate) async fn get(app: &App, request: &Request) -> Result<Response, ApiError> {
    let pairs = request.query_pairs();
    let weeks = value(&pairs, "weeks").map_or(Ok(WEEKS_DEFAULT), weeks)?;
    if value(&pairs, "as_of").is_some() {
        // Which weeks had begun at a position of the log is not known.
        let message =
            "as_of: retention follows the weeks that have begun by now, and cannot be given as it stood. Remove as_of.";
        return Err(ApiError::bad_request(message));
    }
    let asked = super::asked(app, &pairs)?;
    let is_identified = app.sites.get(&asked.question.site).identify_users;
    let query = move |reports: &Reports<'_>, question: &Question, _: Option<&_>| {
        reports.retention(question, weeks, is_identified)
    };
    let shape = |cohorts: &Vec<Cohort>| super::text(&cohorts.iter().map(Wire::of).collect::<Vec<_>>());
    super::ask_both(app, "retention", asked, query, shape).await
}

fn weeks(text: &str) -> Result<usize, ApiError> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let weeks = text.parse().ok().filter(|weeks| is_number && (1..=WEEKS_MAX).contains(weeks));
    weeks.ok_or_else(|| ApiError::bad_request(format!("weeks must be between 1 and {WEEKS_MAX}")))
}

#[derive(Debug, Serialize)]
struct Wire<'a> {
    cohort_date: &'a str,
    cohort_size: u64,
    retained: &'a [Option<u64>],
    retained_any: Vec<Option<bool>>,
    identity: &'static str,
}

impl<'a> Wire<'a> {
    fn of(cohort: &'a Cohort) -> Self {
        Self {
            cohort_date: &cohort.date,
            cohort_size: cohort.size,
            retained: &cohort.retained,
            retained_any: cohort.retained.iter().map(|count| count.map(|count| count > 0)).collect(),
            identity: match cohort.identity {
                Identity::User => "user",
                Identity::DailyVisitor => "daily_visitor",
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weeks_are_a_number_from_one_to_fifty_two() {
        for (text, number) in [("1", 1), ("33", 33), ("52", 52)] {
            assert_eq!(weeks(text).unwrap(), number);
        }
        for text in ["", "0", "53", "+4", "-1", "four", "99999999999999999999"] {
            assert_eq!(weeks(text).unwrap_err().to_string(), "weeks must be between 1 and 52", "{text}");
        }
    }
}
