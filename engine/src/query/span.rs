//! Calendars: where the minutes, hours, days, weeks and months of a time zone begin, and what they are called.
//!
//! A bucket runs from one edge to the next, so buckets leave no gap and never overlap, whatever the clock does:
//!
//! ```text
//!            spring forward                         fall back
//! local  00:00  01:00  03:00  04:00        00:00  01:00  01:00  02:00
//! UTC    05:00  06:00  07:00  08:00        04:00  05:00  06:00  07:00      America/New_York
//! ```
//! - A minute or an hour begins where the local clock shows it, and where the clock is put forward or back. A repeated
//!   hour is two buckets of the same name.
//! - A day begins at the first instant of its date, which need not be midnight; a date that a zone skipped has no bucket.
//! - Weeks begin on Monday, months on their first day.

use jiff::civil::{self, DateTime, Time};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{Span as CivilSpan, Timestamp};

use super::question::{Interval, QueryError, Span};

/// The most buckets that one time series may have.
pub(super) const BUCKETS_MAX: usize = 4000;

const SECOND_US: i64 = 1_000_000;

/// The calendar of one time zone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Calendar<'a> {
    zone: &'a TimeZone,
}

/// A time outside of the years that a calendar covers, which no stored event has.
impl From<jiff::Error> for QueryError {
    fn from(error: jiff::Error) -> Self {
        Self::internal(error)
    }
}

type Result<T> = std::result::Result<T, QueryError>;

impl<'a> Calendar<'a> {
    pub(super) fn new(zone: &'a TimeZone) -> Self {
        Self { zone }
    }

    /// The starts of all buckets that overlap `span`; the first may begin before it.
    pub(super) fn buckets(self, span: Span, interval: Interval) -> Result<Vec<i64>> {
        let mut starts = Vec::new();
        if span.is_empty() {
            return Ok(starts);
        }
        let mut start_us = self.start_of(span.start_us, interval)?;
        while start_us < span.end_us {
            if starts.len() == BUCKETS_MAX {
                return Err(QueryError::TooManyBuckets { max: BUCKETS_MAX });
            }
            starts.push(start_us);
            start_us = self.next(start_us, interval)?;
        }
        Ok(starts)
    }

    /// The edges strictly inside `span`.
    pub(super) fn edges(self, span: Span, interval: Interval) -> Result<Vec<i64>> {
        let mut starts = self.buckets(span, interval)?;
        starts.retain(|start_us| *start_us > span.start_us);
        Ok(starts)
    }

    /// Whether a local day begins at `at_us`.
    pub(super) fn is_start_of_day(self, at_us: i64) -> Result<bool> {
        Ok(self.start_of(at_us, Interval::Day)? == at_us)
    }

    /// The local time at which a bucket starts, as its label.
    pub(super) fn label(self, start_us: i64, interval: Interval) -> Result<String> {
        let local = self.local(start_us)?;
        Ok(match interval {
            Interval::Minute => local.strftime("%Y-%m-%d %H:%M"),
            Interval::Hour => local.strftime("%Y-%m-%d %H:00"),
            Interval::Day | Interval::Week | Interval::Month => local.strftime("%Y-%m-%d"),
        }
        .to_string())
    }

    /// The start of the bucket that contains `at_us`.
    fn start_of(self, at_us: i64, interval: Interval) -> Result<i64> {
        let date = self.local(at_us)?.date();
        let mut start_us = match interval {
            Interval::Minute => return self.start_of_clock(at_us, 60 * SECOND_US),
            Interval::Hour => return self.start_of_clock(at_us, 3600 * SECOND_US),
            Interval::Day => self.start_of_date(date)?,
            Interval::Week => self.start_of_date(monday_of(date)?)?,
            Interval::Month => self.start_of_date(date.first_of_month())?,
        };
        // A clock put back over midnight shows yesterday's date again, after today has begun.
        loop {
            let next_us = self.next(start_us, interval)?;
            if next_us > at_us {
                return Ok(start_us);
            }
            start_us = next_us;
        }
    }

    /// The first edge after the edge `start_us`.
    fn next(self, start_us: i64, interval: Interval) -> Result<i64> {
        let step = match interval {
            Interval::Minute => return self.next_of_clock(start_us, 60 * SECOND_US),
            Interval::Hour => return self.next_of_clock(start_us, 3600 * SECOND_US),
            Interval::Day => CivilSpan::new().days(1),
            Interval::Week => CivilSpan::new().weeks(1),
            Interval::Month => CivilSpan::new().months(1),
        };
        let mut date = self.local(start_us)?.date();
        loop {
            date = date.checked_add(step)?;
            let next_us = self.start_of_date(date)?;
            if next_us > start_us {
                return Ok(next_us);
            }
        }
    }

    /// The last instant up to `at_us` at which the local clock showed a multiple of `step_us` or was changed.
    fn start_of_clock(self, at_us: i64, step_us: i64) -> Result<i64> {
        let offset = self.offset(at_us)?;
        let shown_us = at_us - local_us(at_us, offset).rem_euclid(step_us);
        if self.offset(shown_us)? == offset {
            return Ok(shown_us);
        }
        let after = timestamp(at_us.saturating_add(1))?;
        let changes = self.zone.preceding(after).map(|change| change.timestamp().as_microsecond());
        Ok(changes.take_while(|change_us| *change_us > shown_us).find(|us| self.is_change(*us)).unwrap_or(shown_us))
    }

    /// The first instant after `at_us` at which the local clock shows a multiple of `step_us` or is changed.
    fn next_of_clock(self, at_us: i64, step_us: i64) -> Result<i64> {
        let offset = self.offset(at_us)?;
        let shown_us = at_us + step_us - local_us(at_us, offset).rem_euclid(step_us);
        if self.offset(shown_us)? == offset {
            return Ok(shown_us);
        }
        let changes = self.zone.following(timestamp(at_us)?).map(|change| change.timestamp().as_microsecond());
        Ok(changes.take_while(|change_us| *change_us < shown_us).find(|us| self.is_change(*us)).unwrap_or(shown_us))
    }

    /// Whether the clock is put forward or back at `at_us`; a zone also records changes of its name or rules only.
    fn is_change(self, at_us: i64) -> bool {
        self.offset(at_us).ok() != self.offset(at_us - 1).ok()
    }

    /// The first instant of a date; that of the next one if the zone skipped it.
    fn start_of_date(self, date: civil::Date) -> Result<i64> {
        let midnight = self.zone.to_ambiguous_timestamp(DateTime::from_parts(date, Time::midnight()));
        if let AmbiguousOffset::Gap { after, .. } = midnight.offset() {
            let before_gap = after.to_timestamp(midnight.datetime())?;
            if let Some(change) = self.zone.following(before_gap).next() {
                return Ok(change.timestamp().as_microsecond());
            }
        }
        Ok(midnight.compatible()?.as_microsecond())
    }

    fn local(self, at_us: i64) -> Result<DateTime> {
        Ok(self.zone.to_datetime(timestamp(at_us)?))
    }

    fn offset(self, at_us: i64) -> Result<Offset> {
        Ok(self.zone.to_offset(timestamp(at_us)?))
    }
}

fn timestamp(at_us: i64) -> Result<Timestamp> {
    Ok(Timestamp::from_microsecond(at_us)?)
}

fn local_us(at_us: i64, offset: Offset) -> i64 {
    at_us + i64::from(offset.seconds()) * SECOND_US
}

fn monday_of(date: civil::Date) -> Result<civil::Date> {
    Ok(date.checked_sub(CivilSpan::new().days(date.weekday().to_monday_zero_offset()))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    fn us(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_microsecond()
    }

    fn span(start: &str, end: &str) -> Span {
        Span { start_us: us(start), end_us: us(end) }
    }

    /// Label and UTC start of every bucket.
    fn buckets(name: &str, span: Span, interval: Interval) -> Vec<(String, String)> {
        let zone = zone(name);
        let calendar = Calendar::new(&zone);
        let starts = calendar.buckets(span, interval).unwrap();
        let utc = |start_us| Timestamp::from_microsecond(start_us).unwrap().to_string();
        starts.into_iter().map(|start_us| (calendar.label(start_us, interval).unwrap(), utc(start_us))).collect()
    }

    fn labels(name: &str, span: Span, interval: Interval) -> Vec<String> {
        buckets(name, span, interval).into_iter().map(|(label, _)| label).collect()
    }

    #[test]
    fn a_day_has_23_hours_when_the_clock_is_put_forward_and_25_when_it_is_put_back() {
        let spring = labels("America/New_York", span("2024-03-10T05:00:00Z", "2024-03-11T04:00:00Z"), Interval::Hour);
        assert_eq!(spring.len(), 23);
        assert_eq!(&spring[..3], ["2024-03-10 00:00", "2024-03-10 01:00", "2024-03-10 03:00"]);
        let autumn = buckets("America/New_York", span("2024-11-03T04:00:00Z", "2024-11-04T05:00:00Z"), Interval::Hour);
        assert_eq!(autumn.len(), 25);
        let repeated: Vec<(&str, &str)> =
            autumn[1..4].iter().map(|(label, at)| (label.as_str(), at.as_str())).collect();
        assert_eq!(
            repeated,
            [
                ("2024-11-03 01:00", "2024-11-03T05:00:00Z"),
                ("2024-11-03 01:00", "2024-11-03T06:00:00Z"),
                ("2024-11-03 02:00", "2024-11-03T07:00:00Z")
            ]
        );
    }

    #[test]
    fn an_hour_begins_where_the_local_clock_shows_it() {
        let kolkata = buckets("Asia/Kolkata", span("2024-01-14T18:30:00Z", "2024-01-14T19:31:00Z"), Interval::Hour);
        assert_eq!(kolkata[1], ("2024-01-15 01:00".into(), "2024-01-14T19:30:00Z".into()));
        let chatham = buckets("Pacific/Chatham", span("2024-01-14T10:15:00Z", "2024-01-14T11:16:00Z"), Interval::Hour);
        assert_eq!(chatham[1], ("2024-01-15 01:00".into(), "2024-01-14T11:15:00Z".into()));
    }

    #[test]
    fn a_clock_change_of_half_an_hour_makes_a_short_bucket() {
        // At 02:00 daylight time the clock of Lord Howe Island goes back to 01:30.
        let autumn =
            buckets("Australia/Lord_Howe", span("2024-04-06T14:00:00Z", "2024-04-06T16:00:00Z"), Interval::Hour);
        let autumn: Vec<(&str, &str)> = autumn.iter().map(|(label, at)| (label.as_str(), at.as_str())).collect();
        assert_eq!(
            autumn,
            [
                ("2024-04-07 01:00", "2024-04-06T14:00:00Z"),
                ("2024-04-07 01:00", "2024-04-06T15:00:00Z"),
                ("2024-04-07 02:00", "2024-04-06T15:30:00Z")
            ]
        );
        // At 02:00 standard time it goes forward to 02:30.
        let spring =
            labels("Australia/Lord_Howe", span("2024-10-05T14:30:00Z", "2024-10-05T17:00:00Z"), Interval::Hour);
        assert_eq!(spring, ["2024-10-06 01:00", "2024-10-06 02:00", "2024-10-06 03:00"]);
    }

    #[test]
    fn the_first_bucket_may_begin_before_the_span() {
        let minutes = labels("UTC", span("2024-01-15T10:59:30Z", "2024-01-15T11:01:00Z"), Interval::Minute);
        assert_eq!(minutes, ["2024-01-15 10:59", "2024-01-15 11:00"]);
        let weeks = labels("UTC", span("2024-01-17T00:00:00Z", "2024-01-23T00:00:00Z"), Interval::Week);
        assert_eq!(weeks, ["2024-01-15", "2024-01-22"]);
        let months = labels("UTC", span("2023-12-31T23:59:59Z", "2024-02-01T00:00:00.000001Z"), Interval::Month);
        assert_eq!(months, ["2023-12-01", "2024-01-01", "2024-02-01"]);
    }

    #[test]
    fn a_day_begins_at_its_first_instant_even_when_midnight_does_not_exist() {
        let sao_paulo =
            buckets("America/Sao_Paulo", span("2018-11-03T03:00:00Z", "2018-11-05T02:00:00Z"), Interval::Day);
        assert_eq!(sao_paulo[1], ("2018-11-04".into(), "2018-11-04T03:00:00Z".into()));
        assert_eq!(sao_paulo.len(), 2);
        // Toronto's clock went from 23:30 to 00:30.
        let toronto = buckets("America/Toronto", span("1919-03-31T04:00:00Z", "1919-03-31T05:00:00Z"), Interval::Day);
        assert_eq!(toronto[1], ("1919-03-31".into(), "1919-03-31T04:30:00Z".into()));
    }

    #[test]
    fn a_date_that_a_zone_skipped_has_no_bucket() {
        let samoa = labels("Pacific/Apia", span("2011-12-29T10:00:00Z", "2011-12-31T10:00:00Z"), Interval::Day);
        assert_eq!(samoa, ["2011-12-29", "2011-12-31"]);
    }

    #[test]
    fn buckets_follow_each_other_without_gap_in_every_zone() {
        for name in ["UTC", "America/New_York", "Asia/Kolkata", "Pacific/Chatham", "Atlantic/Azores", "America/Havana"]
        {
            let zone = zone(name);
            let calendar = Calendar::new(&zone);
            let year = span("2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z");
            for interval in [Interval::Day, Interval::Week, Interval::Month] {
                let starts = calendar.buckets(year, interval).unwrap();
                assert!(starts.is_sorted_by(|before, after| before < after), "{name} {interval:?}");
                for pair in starts.windows(2) {
                    assert_eq!(calendar.start_of(pair[1] - 1, interval).unwrap(), pair[0], "{name} {interval:?}");
                    assert_eq!(calendar.start_of(pair[1], interval).unwrap(), pair[1], "{name} {interval:?}");
                }
            }
        }
    }

    #[test]
    fn a_series_has_at_most_four_thousand_buckets() {
        let zone = TimeZone::UTC;
        let minutes = |count: i64| {
            let span = Span { start_us: 0, end_us: count * 60 * SECOND_US };
            Calendar::new(&zone).buckets(span, Interval::Minute).map(|starts| starts.len())
        };
        assert_eq!(minutes(4000), Ok(4000));
        assert_eq!(minutes(4001), Err(QueryError::TooManyBuckets { max: 4000 }));
    }

    #[test]
    fn an_empty_span_has_no_buckets() {
        let zone = TimeZone::UTC;
        assert_eq!(Calendar::new(&zone).buckets(Span { start_us: 5, end_us: 5 }, Interval::Day), Ok(vec![]));
    }
}
