//! `GET /api/stats/timeseries`: visitors and pageviews per bucket, without gaps.

use mallard_engine::{Bucket, Interval, Question, Reports};
use mallard_event::Timestamp;
use serde::Serialize;

use super::params::{Range, value};
use crate::app::App;
use crate::error::ApiError;
use crate::request::Request;
use crate::response::Response;

/// The report; further parameter: `interval`.
pub(crate) async fn get(app: &App, request: &Request) -> Result<Response, ApiError> {
    let pairs = request.query_pairs();
    let asked = super::asked(app, &pairs)?;
    let interval = interval(value(&pairs, "interval"), asked.range)?;
    let query = move |reports: &Reports<'_>, question: &Question, _: Option<&_>| reports.timeseries(question, interval);
    let shape = |buckets: &Vec<Bucket>| super::text(&buckets.iter().map(Wire::of).collect::<Vec<_>>());
    super::ask_both(app, "timeseries", asked, query, shape).await
}

/// The interval that was asked for, or the one that suits the range.
fn interval(name: Option<&str>, range: Range) -> Result<Interval, ApiError> {
    match name {
        Some("minute") => Ok(Interval::Minute),
        Some("hour") => Ok(Interval::Hour),
        Some("day") => Ok(Interval::Day),
        Some("week") => Ok(Interval::Week),
        Some("month") => Ok(Interval::Month),
        Some(name) => {
            let message = format!("Invalid interval: '{name}'. Use minute, hour, day, week or month.");
            Err(ApiError::bad_request(message))
        }
        None => Ok(range.interval()),
    }
}

/// One bucket.
#[derive(Debug, Serialize)]
pub(super) struct Wire<'a> {
    date: &'a str,
    visitors: u64,
    pageviews: u64,
    start: String,
}

impl<'a> Wire<'a> {
    pub(super) fn of(bucket: &'a Bucket) -> Self {
        Self {
            date: &bucket.label,
            visitors: bucket.visitors,
            pageviews: bucket.pageviews,
            start: Timestamp::saturating_from_micros(bucket.start_us).to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn days(count: i64) -> Range {
        let first = date(2020, 1, 1);
        Range::Days { first, last: first + jiff::ToSpan::days(count - 1) }
    }

    #[test]
    fn the_interval_suits_the_range_unless_it_is_given() {
        assert_eq!(interval(None, Range::Realtime).unwrap(), Interval::Minute);
        assert_eq!(interval(None, days(1)).unwrap(), Interval::Hour);
        assert_eq!(interval(None, days(2)).unwrap(), Interval::Day);
        assert_eq!(interval(None, days(366)).unwrap(), Interval::Day);
        assert_eq!(interval(None, days(367)).unwrap(), Interval::Month);
        assert_eq!(interval(Some("week"), days(1)).unwrap(), Interval::Week);
    }

    #[test]
    fn an_unknown_interval_is_named() {
        let error = interval(Some("fortnight"), days(1)).unwrap_err();
        assert_eq!(error.to_string(), "Invalid interval: 'fortnight'. Use minute, hour, day, week or month.");
    }
}
