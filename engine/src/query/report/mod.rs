//! Reports: a partial of every UTC day that the question touches, and a merge.
//!
//! ```text
//! span ∩ UTC day ──> window ──> Cuts ──> PartialCache ──miss──> fold_day
//!                                            └──> DayPartial ──merge──> the answer
//! ```
//! To add a report, add a file here: what it needs of a day belongs into the partial, what it makes of it into the merge.

pub(super) mod breakdown;
pub(super) mod flow;
pub(super) mod funnel;
pub(super) mod main;
pub(super) mod retention;
pub(super) mod timeseries;

use std::ops::RangeInclusive;
use std::sync::Arc;

use mallard_event::{Date, Timestamp};

use super::cache::{Key, PartialCache};
use super::cuts::Cuts;
use super::deadline::Deadline;
use super::dimension::{Dimension, Facets};
use super::partial::DayPartial;
use super::pool::Pool;
use super::question::{Answer, QueryError, Question, Span};
use super::source::Snapshot;
use super::span::Calendar;
use super::stream::{damage_of, fold_day, read_day};
use super::walk::{DayFold, Walk};

/// A question that is being answered.
pub(super) struct Asked<'a> {
    pub(super) pool: &'a Pool,
    pub(super) cache: &'a PartialCache,
    pub(super) snapshot: &'a dyn Snapshot,
    pub(super) question: &'a Question,
    pub(super) deadline: &'a Deadline,
}

impl Asked<'_> {
    fn calendar(&self) -> Calendar<'_> {
        Calendar::new(&self.question.zone)
    }

    /// Hands the partial of every day with data to `merge`, in order, and says which days miss some.
    ///
    /// `plan` gives the cuts of a day's window, and what `merge` needs to know of them.
    fn each_day<P>(
        &self,
        wanted: Option<Dimension>,
        plan: impl Fn(Cuts) -> (Cuts, P),
        mut merge: impl FnMut(P, &DayPartial) -> Result<(), QueryError>,
    ) -> Result<Vec<String>, QueryError> {
        let mut coverage = Coverage::default();
        let is_whole_days = self.is_whole_days()?;
        for date in self.days() {
            self.deadline.check()?;
            let standard = Cuts::standard(self.calendar(), self.window(date))?;
            let (cuts, planned) = plan(standard.clone());
            let partial = if is_whole_days && cuts == standard {
                self.kept_partial(date, cuts, facets_of(wanted))?
            } else {
                Arc::new(self.partial(date, &cuts, wanted.map_or(Facets::NONE, Facets::only))?)
            };
            coverage.add(date, partial.rows, partial.damage.as_deref());
            merge(planned, &partial)?;
        }
        coverage.finish(self.question)
    }

    /// Folds every day with data that the question touches, hands the partials to `merge`, in order, and says which days
    /// miss some. `begin` gives the fold of a window; the rows have the columns of text `texts`.
    fn fold_days<F: DayFold>(
        &self,
        texts: &[&'static str],
        begin: impl Fn(Span) -> F,
        merge: impl FnMut(F::Partial) -> Result<(), QueryError>,
    ) -> Result<Vec<String>, QueryError> {
        self.fold_these_days(self.days(), texts, |date| begin(self.window(date)), merge)
    }

    /// The same for the given days.
    fn fold_these_days<F: DayFold>(
        &self,
        days: Vec<Date>,
        texts: &[&'static str],
        begin: impl Fn(Date) -> F,
        mut merge: impl FnMut(F::Partial) -> Result<(), QueryError>,
    ) -> Result<Vec<String>, QueryError> {
        let mut coverage = Coverage::default();
        for date in days {
            self.deadline.check()?;
            let source = self.snapshot.day(date)?;
            let (mut walk, mut fold) = (Walk::default(), begin(date));
            read_day(self.pool, &source, texts, self.deadline, &mut |row| fold.push(row, walk.step(row)?))?;
            coverage.add(date, walk.rows(), damage_of(&source).as_deref());
            merge(fold.finish()?)?;
        }
        coverage.finish(self.question)
    }

    /// The UTC days that the question touches and that have data.
    fn days(&self) -> Vec<Date> {
        let span = self.question.span;
        if span.is_empty() {
            return Vec::new();
        }
        let date = |at_us| Timestamp::saturating_from_micros(at_us).date();
        let days: RangeInclusive<Date> = date(span.start_us)..=date(span.end_us - 1);
        self.snapshot.days_with_data(days)
    }

    fn window(&self, date: Date) -> Span {
        let day = Span { start_us: date.start().micros(), end_us: date.end().micros() };
        day.intersection(self.question.span)
    }

    /// Whether the span consists of local days. Spans that do not, such as the last five minutes, are not asked twice.
    fn is_whole_days(&self) -> Result<bool, QueryError> {
        let Span { start_us, end_us } = self.question.span;
        Ok(self.calendar().is_start_of_day(start_us)? && self.calendar().is_start_of_day(end_us)?)
    }

    fn kept_partial(&self, date: Date, cuts: Cuts, facets: Facets) -> Result<Arc<DayPartial>, QueryError> {
        let key = Key { site: self.question.site.clone(), date, cuts, facets };
        let version = self.snapshot.day_version(date);
        self.cache.get_or_compute(key, version, self.deadline, |key| self.partial(date, &key.cuts, facets))
    }

    fn partial(&self, date: Date, cuts: &Cuts, facets: Facets) -> Result<DayPartial, QueryError> {
        fold_day(self.pool, &self.snapshot.day(date)?, cuts, facets, self.deadline)
    }

    fn answer<T>(&self, value: T, incomplete: Vec<String>) -> Answer<T> {
        Answer { value, as_of: self.snapshot.as_of(), incomplete }
    }
}

/// The facets of a partial worth keeping: those of the dashboard, or one beside it.
fn facets_of(wanted: Option<Dimension>) -> Facets {
    match wanted {
        Some(dimension) if !Facets::DASHBOARD.contains(dimension) => Facets::only(dimension),
        _ => Facets::DASHBOARD,
    }
}

/// A mean or rate; 0 over nothing.
#[expect(clippy::cast_precision_loss, reason = "a rate is rounded once, at its end; counts are exact below 2^53")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Which days of an answer miss data.
#[derive(Debug, Default)]
struct Coverage {
    rows: u64,
    damaged: Vec<RangeInclusive<Date>>,
    first_damage: Option<Box<str>>,
}

impl Coverage {
    fn add(&mut self, date: Date, rows: u64, damage: Option<&str>) {
        self.rows += rows;
        let Some(damage) = damage else { return };
        self.first_damage.get_or_insert_with(|| damage.into());
        match self.damaged.last_mut() {
            Some(last) if last.end().end() == date.start() => *last = *last.start()..=date,
            _ => self.damaged.push(date..=date),
        }
    }

    /// The ranges of dates that miss data; an error if nothing at all could be read.
    fn finish(self, question: &Question) -> Result<Vec<String>, QueryError> {
        match self.first_damage {
            Some(damage) if self.rows == 0 => {
                let reason = "nothing of the range can be read".to_owned();
                Err(QueryError::Damaged { file: String::from(damage).into(), reason })
            }
            _ => {
                let site = question.site.as_str();
                Ok(self.damaged.iter().map(|days| format!("{site} {}..{}", days.start(), days.end())).collect())
            }
        }
    }
}
