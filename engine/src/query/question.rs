//! What can be asked and what is answered: the typed vocabulary of reports. Nothing here computes.

use std::path::PathBuf;

use jiff::tz::TimeZone;
use mallard_event::SiteId;

use super::filter::{Filter, FilterError, Subject};
use super::journey::FunnelStep;

/// A half-open stretch of time, `start_us..end_us`, in microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// The first instant inside.
    pub start_us: i64,
    /// The first instant after.
    pub end_us: i64,
}

impl Span {
    /// Whether `at_us` lies inside.
    pub const fn contains(self, at_us: i64) -> bool {
        self.start_us <= at_us && at_us < self.end_us
    }

    /// Whether nothing lies inside.
    pub const fn is_empty(self) -> bool {
        self.start_us >= self.end_us
    }

    /// What lies in both.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self { start_us: self.start_us.max(other.start_us), end_us: self.end_us.min(other.end_us) }
    }
}

/// Which events a report is about, and whose calendar its buckets follow.
#[derive(Clone, Debug)]
pub struct Question {
    /// The site; one without events has reports full of zeros.
    pub site: SiteId,
    /// The stretch of time.
    pub span: Span,
    /// The time zone of days, weeks and labels.
    pub zone: TimeZone,
    /// Which events count; all of them by default.
    pub filter: Filter,
    /// Only events up to this LSN count, as if it were the newest; `None` for all. An LSN above the newest is refused.
    pub as_of: Option<u64>,
}

impl Question {
    /// A question about all events of `span`.
    pub fn new(site: SiteId, span: Span, zone: TimeZone) -> Self {
        Self { site, span, zone, filter: Filter::default(), as_of: None }
    }
}

/// An answer and what it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<T> {
    /// The report.
    pub value: T,
    /// The newest LSN that was visible: every event acknowledged up to it is counted.
    pub as_of: u64,
    /// Where damage has taken data out of this answer: `<site> <first UTC date>..<last UTC date>`; empty when all is well.
    pub incomplete: Vec<String>,
}

impl<T> Answer<T> {
    /// The same with another value.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn try_map<U, E>(self, make: impl FnOnce(T) -> Result<U, E>) -> Result<Answer<U>, E> {
        let Self { value, as_of, incomplete } = self;
        Ok(Answer { value: make(value)?, as_of, incomplete })
    }

    /// The same, which lacks more than was known, each part named once.
    pub(crate) fn lacking(mut self, more: Vec<String>) -> Self {
        for part in more {
            if !self.incomplete.contains(&part) {
                self.incomplete.push(part);
            }
        }
        self
    }
}

/// The figures at the top of a dashboard.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MainReport {
    /// Distinct visitors of each UTC day, added up.
    pub unique_visitors: u64,
    /// Events named `pageview`.
    pub total_pageviews: u64,
    /// Bounced sessions by all sessions; 0 without sessions.
    pub bounce_rate: f64,
    /// Mean length of the sessions whose length is known; `None` if there are sessions and none has a known length.
    pub avg_visit_duration_secs: Option<f64>,
    /// Pageviews by visitors; 0 without visitors.
    pub pages_per_visit: f64,
    /// Sessions that began in the span.
    pub visits: u64,
    /// Pageviews of these sessions by their number; 0 without sessions.
    pub views_per_visit: f64,
    /// Custom events: neither `pageview` nor `engagement`.
    pub events: u64,
}

/// The width of a bucket, in the question's time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Interval {
    /// From one full minute to the next.
    Minute,
    /// From one full hour to the next; an hour that a clock change repeats has two buckets.
    Hour,
    /// A local day of 23, 24 or 25 hours.
    Day,
    /// Monday to Sunday.
    Week,
    /// A calendar month.
    Month,
}

/// One point of a time series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Local time of the bucket's start: `2024-01-15 10:00` for minutes and hours, else `2024-01-15`.
    pub label: String,
    /// The instant at which the bucket begins, which may lie before the question's span.
    pub start_us: i64,
    /// Distinct visitors of each UTC day within the bucket, added up.
    pub visitors: u64,
    /// Pageviews.
    pub pageviews: u64,
}

/// One line of a breakdown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakdownRow {
    /// The value; `None` is shown as [`super::Dimension::null_label`].
    pub value: Option<String>,
    /// Visitors that had this value, each UTC day counted apart.
    pub visitors: u64,
    /// Pageviews with this value.
    pub pageviews: u64,
}

/// What figures are grouped by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// The value of the event or of its visit.
    Value(Subject),
    /// The bucket of the event, or for figures of visits that of the visit's first event.
    Time(Interval),
    /// Which of these goals the event meets, by the goal's place in the list, in decimal digits: an event counts under each
    /// goal that it meets, and one that meets none does not count.
    Goals(Box<[FunnelStep]>),
}

/// Figures by any combination of values. However many groups there are, each text is there once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups {
    /// For each key its values and labels, each once; the first one is missing.
    pub names: Vec<Vec<Option<Box<str>>>>,
    /// Every group that has an event or a visit, in the order of time and else in none.
    pub groups: Vec<Group>,
}

/// The figures of one combination of values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// For each key the place of its value, or of the label of its bucket, in [`Groups::names`].
    pub values: Box<[u32]>,
    /// What was counted.
    pub figures: Figures,
    /// What the events earned, by currency, if it was asked for.
    pub takings: Box<[Takings]>,
}

/// What events earned in one currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Takings {
    /// The currency's code; `None` if the events did not say.
    pub currency: Option<Box<str>>,
    /// The sum, in ten-thousandths.
    pub ten_thousandths: i128,
    /// The events that state an amount.
    pub events: u64,
}

impl Groups {
    /// For each key the value of a group; `None` if there is no value.
    pub fn values<'a>(&'a self, group: &'a Group) -> impl Iterator<Item = Option<&'a str>> {
        let value = |(place, names): (&u32, &'a Vec<Option<Box<str>>>)| names.get(*place as usize)?.as_deref();
        group.values.iter().zip(&self.names).map(value)
    }
}

/// Counts. Those of visits count the visits that began in the span, each with all its events, once in every group in which
/// it has an event that the filter keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Distinct visitors of each UTC day, added up.
    pub visitors: u64,
    /// Events named `pageview`.
    pub pageviews: u64,
    /// Custom events: neither `pageview` nor `engagement`.
    pub events: u64,
    /// Visits.
    pub visits: u64,
    /// Visits that bounced.
    pub bounces: u64,
    /// Pageviews of these visits.
    pub visit_pageviews: u64,
    /// Visits whose length is known.
    pub timed_visits: u64,
    /// The sum of these lengths.
    pub duration_us: u64,
}

/// A question was not answered. An error is never turned into a zero.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// It took longer than it may.
    #[error("the query took too long and was stopped; ask for a shorter range")]
    TimedOut,
    /// It needed more memory than it may have.
    #[error("the query needs more memory than it may use; ask for a shorter range")]
    OutOfMemory,
    /// The question passes a bound of its report, and would do so again. The text says which one, and what to ask instead.
    #[error("{0}")]
    TooLarge(String),
    /// A file is not what was written. The rest of the history can still be read once this file is left out.
    #[error("{} is damaged: {reason}", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// All that there was of the range is lost: no figure of it would mean anything.
    #[error("nothing of the range can be read: {} damaged ({damage})", incomplete.join(", "))]
    NothingReadable {
        /// What is missing: `<site> <first UTC date>..<last UTC date>` each.
        incomplete: Vec<String>,
        /// The first file or log position that is lost.
        damage: String,
    },
    /// The filter has a pattern that is none.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// The interval is too fine for the span.
    #[error("the range has more than {max} buckets of this interval; ask for a longer interval or a shorter range")]
    TooManyBuckets {
        /// The most that are answered.
        max: usize,
    },
    /// A moment was asked for that has not been yet.
    #[error("as_of {asked} is newer than the newest event, which is {newest}")]
    NotYet {
        /// The LSN asked for.
        asked: u64,
        /// The newest one.
        newest: u64,
    },
    /// Whoever asked no longer takes what is read.
    #[error("nobody waits for the answer any more")]
    Cancelled,
    /// The store is not open yet, or is closing.
    #[error("the store is not ready to answer queries")]
    NotReady,
    /// A fault of this program or of DuckDB. The text is for the log, not for clients.
    #[error("query failed: {0}")]
    Internal(String),
}

impl QueryError {
    /// A fault described by its source.
    pub(super) fn internal(fault: impl ToString) -> Self {
        Self::Internal(fault.to_string())
    }
}
