//! Any text as the parameters of reports (dates, periods, zones, positions), and as the body of `POST /api/v2/query` (metrics,
//! dimensions, order, pagination): no panic, every error has a text, and what is read is within its bounds. The first line is a
//! query string, the rest a body.
//!
//! Takes the files of the HTTP crate alone, for that crate links DuckDB; what they use of others is made up here.
#![no_main]

// What the files call the engine is this file.
extern crate self as mallard_engine;

#[path = "../../http/src/stats/params.rs"]
#[allow(dead_code, reason = "a part of it is fuzzed")]
mod params;
#[path = "../../http/src/plausible/period.rs"]
mod period;
#[path = "../../http/src/plausible/query.rs"]
#[allow(dead_code, reason = "a part of it is fuzzed")]
mod query;

use std::borrow::Cow;

use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;
use mallard_event::{SiteId, Timestamp};
use params::{Params, Range};
use query::{Column, Query};

const DAY_US: i64 = 24 * 3_600_000_000;
const RANGE_DAYS_MAX: i64 = 3653;
const LINES_MAX: usize = 10_000;

#[derive(Clone, Debug, Default)]
pub struct Filter;

#[derive(Debug)]
pub struct FunnelStep;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub start_us: i64,
    pub end_us: i64,
}

impl Span {
    const fn is_empty(self) -> bool {
        self.start_us >= self.end_us
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interval {
    Minute,
    Hour,
    Day,
    Week,
    Month,
}

#[derive(Debug)]
#[allow(dead_code, reason = "the engine reads it")]
pub struct Question {
    site: SiteId,
    span: Span,
    zone: TimeZone,
    filter: Filter,
    as_of: Option<u64>,
}

impl Question {
    fn new(site: SiteId, span: Span, zone: TimeZone) -> Self {
        Self { site, span, zone, filter: Filter, as_of: None }
    }
}

mod request {
    pub type Pairs<'a> = Vec<(std::borrow::Cow<'a, str>, std::borrow::Cow<'a, str>)>;
}

mod error {
    use std::borrow::Cow;

    #[derive(Debug)]
    pub struct ApiError(pub String);

    impl ApiError {
        pub fn bad_request(text: impl Into<Cow<'static, str>>) -> Self {
            Self(text.into().into_owned())
        }

        pub fn internal(error: impl std::fmt::Display) -> Self {
            Self(error.to_string())
        }
    }
}

mod filter {
    use super::error::ApiError;
    use super::{Filter, FunnelStep};

    #[allow(dead_code, reason = "filters have a target of their own")]
    pub struct Saved<'a> {
        pub segment: &'a dyn Fn(u64) -> Option<Result<Filter, ApiError>>,
        pub goals: &'a dyn Fn() -> Vec<(String, FunnelStep)>,
    }

    pub fn from_text(_text: &str, _saved: Saved<'_>) -> Result<Filter, ApiError> {
        Ok(Filter)
    }
}

mod metrics {
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Metric {
        Visitors,
        BounceRate,
        Percentage,
    }

    impl Metric {
        pub fn find(name: &str) -> Result<Self, String> {
            let all = [Self::Visitors, Self::BounceRate, Self::Percentage];
            all.into_iter().find(|metric| metric.name() == name).ok_or_else(|| format!("unknown metric '{name}'"))
        }

        pub const fn name(self) -> &'static str {
            match self {
                Self::Visitors => "visitors",
                Self::BounceRate => "bounce_rate",
                Self::Percentage => "percentage",
            }
        }

        pub const fn is_of_visits(self) -> bool {
            matches!(self, Self::BounceRate)
        }
    }
}

mod stats {
    pub(crate) use crate::params;

    pub mod filter {
        pub mod names {
            #[derive(Clone, Debug)]
            pub struct Named(String);

            impl Named {
                pub fn find(name: &str) -> Result<Self, String> {
                    let is_known = name.starts_with("event:") || name.starts_with("visit:");
                    is_known.then(|| Self(name.to_owned())).ok_or_else(|| format!("unknown dimension '{name}'"))
                }

                pub fn is_of_event(&self) -> bool {
                    self.0.starts_with("event:")
                }
            }
        }
    }
}

fuzz_target!(|text: &str| {
    let (parameters, body) = text.split_once('\n').unwrap_or((text, ""));
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (Cow::Owned(name.to_owned()), Cow::Owned(value.to_owned()))
    };
    let pairs: request::Pairs<'_> = parameters.split('&').map(pair).collect();
    // The earliest and the latest that an event may have, and the hour that Europe skips.
    for now_us in [i64::MIN, 1_711_848_600_000_000, i64::MAX] {
        read(&pairs, Timestamp::saturating_from_micros(now_us));
    }
    if let Ok(serde_json::Value::Object(body)) = serde_json::from_str(body) {
        match Query::parse(&body) {
            Ok(query) => check(&query),
            Err(error) => assert!(!error.is_empty()),
        }
    }
});

fn read(pairs: &request::Pairs<'_>, now: Timestamp) {
    let first_event = |_: &SiteId| Some(Timestamp::saturating_from_micros(0));
    match Params::parse(pairs, now, |_| TimeZone::UTC, first_event, |_, _| None, |_| Vec::new()) {
        Err(error) => assert!(!error.0.is_empty()),
        Ok(params) => {
            let days = params.range.days();
            assert!(days.is_none_or(|days| (1..=RANGE_DAYS_MAX).contains(&days)), "{:?}", params.range);
            assert_eq!(params.range.interval() == Interval::Minute, params.range == Range::Realtime);
            if let Ok(question) = params.question(now) {
                let long_us = question.span.end_us - question.span.start_us;
                // A zone may skip a day, or have the longest of all days.
                let is_short = long_us <= (RANGE_DAYS_MAX + 2) * DAY_US;
                assert!(is_short && (long_us > 0 || days == Some(1)), "{:?}", question.span);
            }
        }
    }
    let today = jiff::civil::date(2024, 3, 31);
    match period::days(pairs, today) {
        Err(error) => assert!(!error.0.is_empty()),
        Ok((first, last)) if params::value(pairs, "period") != Some("custom") => {
            assert!(first <= last, "{first} {last}")
        }
        Ok(_) => {}
    }
}

fn check(query: &Query) {
    assert!((1..=20).contains(&query.metrics.len()) && query.dimensions.len() <= 5);
    assert!((1..=LINES_MAX).contains(&query.limit));
    for (column, _) in &query.order_by {
        let (place, length) = match *column {
            Column::Metric(place) => (place, query.metrics.len()),
            Column::Dimension(place) => (place, query.dimensions.len()),
        };
        assert!(place < length);
    }
    assert!(query.time().is_some() || !query.include_time_labels);
}
