//! Reports: a partial of every UTC day that the question touches, and a merge.
//!
//! ```text
//! span ∩ UTC day ──> window ──> Cuts ──> PartialCache ──miss──> Reading::day
//!                                            └──> DayPartial ──merge──> the answer
//! ```
//! To add a report, add a file here: what it needs of a day belongs into the partial, what it makes of it into the merge. No
//! report writes SQL of its own, knows a parameter's text, or keeps anything between two questions.

pub(super) mod breakdown;
pub(super) mod daily;
pub(super) mod flow;
pub(super) mod funnel;
pub(super) mod goal_by;
pub(super) mod goals;
pub(super) mod groups;
pub(super) mod main;
pub(super) mod paths;
pub(super) mod retention;
pub(super) mod timeseries;
pub(super) mod values;

use std::ops::RangeInclusive;
use std::sync::Arc;

use mallard_event::{Date, Timestamp};

use super::cache::{Key, PartialCache};
use super::cuts::Cuts;
use super::deadline::Deadline;
use super::dimension::{Dimension, Facets};
use super::filter::{Filter, Program};
use super::partial::{DayPartial, Fold};
use super::pool::Pool;
use super::question::{Answer, QueryError, Question, Span};
use super::source::Snapshot;
use super::span::Calendar;
use super::stream::{Reading, Texts};
use super::walk::{DayFold, Walk, Walked};

/// A question that is being answered.
pub(super) struct Asked<'a> {
    pub(super) pool: &'a Pool,
    pub(super) cache: &'a PartialCache,
    pub(super) snapshot: &'a dyn Snapshot,
    pub(super) question: &'a Question,
    pub(super) deadline: &'a Deadline,
    pub(super) filter: Arc<Filter>,
    pub(super) program: Arc<Program>,
    /// The question is a part of a larger one, which is answered even if nothing of this part can be read.
    pub(super) is_part: bool,
}

impl Asked<'_> {
    /// A part of this question, with the same filter.
    fn part<'p>(&'p self, question: &'p Question) -> Asked<'p> {
        let Self { pool, cache, snapshot, deadline, .. } = *self;
        let (filter, program) = (Arc::clone(&self.filter), Arc::clone(&self.program));
        Asked { pool, cache, snapshot, question, deadline, filter, program, is_part: true }
    }

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
        self.check_moment()?;
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
        coverage.finish(self.question, self.is_part)
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
        self.check_moment()?;
        for date in days {
            self.deadline.check()?;
            let source = self.snapshot.day(date)?;
            let mut walked = Walked { walk: Walk::default(), fold: begin(date) };
            let texts = Texts { values: texts, tested: self.program.columns() };
            let damage = self.reading(texts).day(&source, &mut walked)?;
            coverage.add(date, walked.walk.rows(), damage.as_deref());
            merge(walked.fold.finish()?)?;
        }
        coverage.finish(self.question, self.is_part)
    }

    /// Reads every day with data, in order, and says which days miss some. `read` returns the number of rows and what could
    /// not be read.
    fn each_date(
        &self,
        mut read: impl FnMut(Date) -> Result<(u64, Option<Box<str>>), QueryError>,
    ) -> Result<Vec<String>, QueryError> {
        let mut coverage = Coverage::default();
        self.check_moment()?;
        for date in self.days() {
            self.deadline.check()?;
            let (rows, damage) = read(date)?;
            coverage.add(date, rows, damage.as_deref());
        }
        coverage.finish(self.question, self.is_part)
    }

    /// Refuses a moment that has not been: its answer would change.
    fn check_moment(&self) -> Result<(), QueryError> {
        let newest = self.snapshot.as_of();
        match self.question.as_of {
            Some(asked) if asked > newest => Err(QueryError::NotYet { asked, newest }),
            _ => Ok(()),
        }
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
        let (site, filter) = (self.question.site.clone(), Arc::clone(&self.filter));
        // The newest moment is now.
        let as_of = self.question.as_of.filter(|asked| *asked < self.snapshot.as_of());
        let key = Key { site, date, cuts, facets, filter, as_of };
        let version = self.snapshot.day_version(date);
        self.cache.get_or_compute(key, version, self.deadline, |key| self.partial(date, &key.cuts, facets))
    }

    fn partial(&self, date: Date, cuts: &Cuts, facets: Facets) -> Result<DayPartial, QueryError> {
        let mut fold = Fold::new(cuts, facets);
        let values: Vec<&'static str> = facets.iter().map(Dimension::column).collect();
        let texts = Texts { values: &values, tested: self.program.columns() };
        let damage = self.reading(texts).day(&self.snapshot.day(date)?, &mut fold)?;
        fold.finish(damage)
    }

    /// How the rows of a day are read for this question.
    fn reading<'b>(&'b self, texts: Texts<'b>) -> Reading<'b> {
        let Self { pool, deadline, program, .. } = self;
        Reading { pool, deadline, texts, program, as_of: self.question.as_of }
    }

    fn answer<T>(&self, value: T, incomplete: Vec<String>) -> Answer<T> {
        let newest = self.snapshot.as_of();
        Answer { value, as_of: self.question.as_of.unwrap_or(newest), incomplete }
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

    /// The ranges of dates that miss data; an error if nothing at all could be read, unless it is a part.
    fn finish(self, question: &Question, is_part: bool) -> Result<Vec<String>, QueryError> {
        let site = question.site.as_str();
        let part = |days: &RangeInclusive<Date>| format!("{site} {}..{}", days.start(), days.end());
        let incomplete = self.damaged.iter().map(part).collect();
        match self.first_damage {
            Some(damage) if self.rows == 0 && !is_part => {
                Err(QueryError::NothingReadable { incomplete, damage: damage.into() })
            }
            _ => Ok(incomplete),
        }
    }
}
