//! Queries: typed questions over the events of one site, typed answers.
//!
//! ```text
//! question.rs   what can be asked and answered            dimension.rs   the dimensions, one line each
//! report/       one file per report: plan, merge          span.rs        calendars: buckets of a time zone
//! cuts.rs       where a UTC day is cut                    partial.rs     one pass over a day: Fold -> DayPartial
//! cache.rs      partials that are kept                    sessions.rs    the rules of a session
//! stream.rs     files and hot rows, in order              tally.rs       counting by value
//! raw.rs        the events themselves, streamed
//! pick.rs       which lines of a list are answered
//! walk.rs       rows in order, for ordered reports        journey.rs     their steps and answers
//!                                                         grouping.rs    further answers
//! rows.rs       Arrow batches as typed rows               source.rs      what the store shows: Snapshot
//! filter/       which events count                        visits.rs      rows by visit, for filters that look at visits
//! pool.rs       DuckDB and its connections                deadline.rs    time limits
//! views.rs      the derived mallard.duckdb                sql.rs         the only place that writes SQL
//! console.rs    SQL of a user, in a DuckDB of its own     cell.rs        its answers as values
//! ```
//!
//! # How a report is computed
//!
//! Visitor ids end at 00:00 UTC, and sessions with them. So visitors, sessions, bounces and durations are additive over
//! UTC days, and every report is a *partial* per (site, UTC day) and a *merge*, exactly, in the memory of one day.
//! DuckDB reads, projects and sorts the rows of a day; one fold in Rust over that ordered stream, with the hot rows merged
//! in, computes everything that a dashboard asks about the day. The partial is kept until the day changes, so a dashboard
//! over years costs days, not events.
//!
//! # What holds
//!
//! - The answer depends on the events alone: not on which of them are in files, on the number of files, or on the cache.
//! - A query is bounded in time, DuckDB in memory and spilled bytes, a tally and the cache in memory.
//! - A failure is an error, never a zero. An answer that misses data says for which days.
//!
//! This module never writes events, never lists a folder, and shows its callers no type of DuckDB or Arrow.

mod cache;
mod cell;
mod config;
mod console;
mod cuts;
mod deadline;
mod dimension;
mod filter;
mod grouping;
mod journey;
mod partial;
mod pick;
mod pool;
mod question;
mod raw;
mod report;
mod rows;
mod sessions;
mod source;
mod span;
mod sql;
mod stream;
mod tally;
#[cfg(test)]
mod tests;
mod views;
mod visits;
mod walk;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mallard_event::Stored;
use mallard_wal::disk::Env;

use crate::layout::Layout;
pub use cache::CacheFigures;

use cache::PartialCache;
use filter::Program;
use pool::Pool;
use report::Asked;

pub use cell::Cell;
pub use config::QueryConfig;
pub(crate) use console::Console;
pub use console::{SqlCancel, SqlError, SqlPart};
pub use deadline::Cancel;
pub(crate) use deadline::Deadline;
pub use dimension::Dimension;
pub use filter::{Filter, FilterError, Subject, Term};
pub use grouping::{DailyRow, Grouping, Realtime, Revenue, ValueRow};
pub use journey::{
    Cohort, Direction, FlowRow, Funnel, FunnelReport, FunnelStep, GoalReport, GoalRow, GoalTotals, Identity, Journey,
    Journeys, PathRow, Position,
};
pub use pick::{Paths, Pick};
pub use question::{
    Answer, BreakdownRow, Bucket, Figures, Group, Groups, Interval, Key, MainReport, QueryError, Question, Span,
    Takings,
};
pub(crate) use source::{Snapshot, Source, SourceFile};

/// How long the derived database may take. It is not a query that somebody waits for.
const REFRESH_TIMEOUT_US: i64 = 60_000_000;

/// DuckDB over a data directory, and the partials computed with it.
#[derive(Debug)]
pub(crate) struct Duck {
    env: Env,
    draft: PathBuf,
    pool: Pool,
    cache: PartialCache,
}

impl Duck {
    /// Makes ready to answer. DuckDB itself starts with the first question that needs it. Refuses a data directory whose
    /// path DuckDB would take for a pattern.
    pub(crate) fn open(config: &QueryConfig, layout: &Layout, env: Env) -> std::io::Result<Self> {
        let pool = Pool::new(layout.root(), config)?;
        let draft = layout.tmp().join("mallard.duckdb");
        Ok(Self { env, draft, pool, cache: PartialCache::new(config) })
    }

    /// Replaces the derived database at `path` by one over exactly `files`. Waits for no query. `is_alike` says that the
    /// files all have the same columns.
    pub(crate) fn refresh_views(&self, path: &Path, files: &[PathBuf], is_alike: bool) -> Result<(), QueryError> {
        let deadline = Deadline::after(&self.env.clock, REFRESH_TIMEOUT_US);
        let lease = self.pool.lease_aside(&deadline)?;
        views::refresh(&lease, self.env.disk.as_ref(), path, &self.draft, (files, is_alike))
    }

    /// Whether DuckDB could not be opened when it was needed last. Waits for nothing.
    pub(crate) fn is_failing(&self) -> bool {
        self.pool.is_failing()
    }

    /// Opens DuckDB if it is not open. Waits for no query.
    pub(crate) fn probe(&self) -> Result<(), QueryError> {
        let deadline = Deadline::after(&self.env.clock, REFRESH_TIMEOUT_US);
        self.pool.lease_aside(&deadline).map(drop)
    }

    /// How the cache does.
    pub(crate) fn cache_figures(&self) -> CacheFigures {
        self.cache.figures()
    }

    /// Forgets every kept answer.
    pub(crate) fn forget(&self) {
        self.cache.clear();
    }

    /// Ends running queries with [`QueryError::NotReady`] and refuses new ones: the engine is closing.
    pub(crate) fn stop(&self) {
        self.pool.stop();
    }

    fn asked<'a>(
        &'a self,
        snapshot: &'a dyn Snapshot,
        question: &'a Question,
        deadline: &'a Deadline,
    ) -> Result<Asked<'a>, QueryError> {
        let (filter, program) = (Arc::new(question.filter.clone()), Arc::new(Program::new(&question.filter)?));
        Ok(Asked {
            pool: &self.pool,
            cache: &self.cache,
            snapshot,
            question,
            deadline,
            filter,
            program,
            is_part: false,
        })
    }
}

/// The figures at the top of a dashboard.
pub(crate) fn main(
    duck: &Duck,
    snapshot: &dyn Snapshot,
    question: &Question,
    deadline: &Deadline,
) -> Result<Answer<MainReport>, QueryError> {
    report::main::report(&duck.asked(snapshot, question, deadline)?)
}

/// Visitors and pageviews over time, without gaps.
pub(crate) fn timeseries(
    duck: &Duck,
    snapshot: &dyn Snapshot,
    question: &Question,
    interval: Interval,
    deadline: &Deadline,
) -> Result<Answer<Vec<Bucket>>, QueryError> {
    report::timeseries::report(&duck.asked(snapshot, question, deadline)?, interval)
}

/// The figures of `present` and the minutes of `recent`, which begins before it, maybe on another day.
pub(crate) fn realtime(
    duck: &Duck,
    snapshot: &dyn Snapshot,
    present: &Question,
    recent: &Question,
    deadline: &Deadline,
) -> Result<Answer<Realtime>, QueryError> {
    let figures = main(duck, snapshot, present, deadline)?.value;
    let minutes = timeseries(duck, snapshot, recent, Interval::Minute, deadline)?;
    let lost = snapshot.lost(recent.span, recent.as_of);
    minutes.lacking(lost).try_map(|minutes| Ok(Realtime { figures, minutes }))
}

/// The values of a dimension, the most frequent ones first.
pub(crate) fn breakdown(
    duck: &Duck,
    snapshot: &dyn Snapshot,
    question: &Question,
    dimension: Dimension,
    pick: &Pick,
    deadline: &Deadline,
) -> Result<Answer<Vec<BreakdownRow>>, QueryError> {
    report::breakdown::report(&duck.asked(snapshot, question, deadline)?, dimension, pick)
}

/// How many visitors filled the steps of a funnel, in order.
pub(crate) fn funnel(
    duck: &Duck,
    snapshot: &dyn Snapshot,
    question: &Question,
    funnel: &Funnel,
    deadline: &Deadline,
) -> Result<Answer<FunnelReport>, QueryError> {
    report::funnel::report(&duck.asked(snapshot, question, deadline)?, funnel)
}

/// The pages that were viewed next after `page`, the most frequent ones first.
pub(crate) fn flow(
    duck: &Duck,
    snapshot: &dyn Snapshot,
    question: &Question,
    page: &str,
    pick: &Pick,
    deadline: &Deadline,
) -> Result<Answer<Vec<FlowRow>>, QueryError> {
    report::flow::report(&duck.asked(snapshot, question, deadline)?, page, pick)
}

/// Who came back, by the week of the first visit.
pub(crate) fn retention(
    duck: &Duck,
    snapshot: &dyn Snapshot,
    question: &Question,
    weeks: usize,
    is_identified: bool,
    deadline: &Deadline,
) -> Result<Answer<Vec<Cohort>>, QueryError> {
    report::retention::report(&duck.asked(snapshot, question, deadline)?, weeks, is_identified, duck.env.clock.now_us())
}

/// Figures by any combination of values: a group for each that occurs, in the order of time; with what its events earned if
/// `has_takings`.
pub(crate) fn groups(
    duck: &Duck,
    snapshot: &dyn Snapshot,
    question: &Question,
    keys: &[Key],
    has_takings: bool,
    deadline: &Deadline,
) -> Result<Answer<Groups>, QueryError> {
    report::groups::report(&duck.asked(snapshot, question, deadline)?, keys, has_takings)
}

/// The labels of all buckets of a question, in order and each once: where a clock is put back, two buckets have one.
///
/// # Errors
/// [`QueryError::TooManyBuckets`].
pub fn labels(question: &Question, interval: Interval) -> Result<Vec<String>, QueryError> {
    let calendar = span::Calendar::new(&question.zone);
    let starts = calendar.buckets(question.span, interval)?;
    let mut labels =
        starts.into_iter().map(|start_us| calendar.label(start_us, interval)).collect::<Result<Vec<_>, _>>()?;
    labels.dedup();
    Ok(labels)
}

/// The names of custom events, or the values of a property, the most frequent ones first.
pub(crate) fn values(
    duck: &Duck,
    snapshot: &dyn Snapshot,
    question: &Question,
    grouping: &Grouping,
    pick: &Pick,
    deadline: &Deadline,
) -> Result<Answer<Vec<ValueRow>>, QueryError> {
    report::values::report(&duck.asked(snapshot, question, deadline)?, grouping, pick)
}

/// Every local day of the span in one line.
pub(crate) fn daily(
    duck: &Duck,
    snapshot: &dyn Snapshot,
    question: &Question,
    deadline: &Deadline,
) -> Result<Answer<Vec<DailyRow>>, QueryError> {
    report::daily::report(&duck.asked(snapshot, question, deadline)?)
}

/// Hands every event of the question to `take`, day by day, in the order (timestamp, lsn), as they are read.
pub(crate) fn raw(
    duck: &Duck,
    snapshot: &dyn Snapshot,
    question: &Question,
    timeout_us: i64,
    take: &mut dyn FnMut(&Stored) -> bool,
) -> Result<(), QueryError> {
    raw::read(&duck.pool, snapshot, question, || Deadline::after(&duck.env.clock, timeout_us), take)
}

/// The pages that visits saw before or after a page or an event.
pub(crate) fn journeys(
    duck: &Duck,
    snapshot: &dyn Snapshot,
    question: &Question,
    journey: &Journey,
    paths: &Paths,
    deadline: &Deadline,
) -> Result<Answer<Journeys>, QueryError> {
    report::paths::report(&duck.asked(snapshot, question, deadline)?, journey, paths)
}

/// How goals were met.
pub(crate) fn goals(
    duck: &Duck,
    snapshot: &dyn Snapshot,
    question: &Question,
    goals: &[FunnelStep],
    deadline: &Deadline,
) -> Result<Answer<GoalReport>, QueryError> {
    report::goals::report(&duck.asked(snapshot, question, deadline)?, goals)
}

/// How a goal was met under the values of a subject.
pub(crate) fn goal_by(
    duck: &Duck,
    snapshot: &dyn Snapshot,
    question: &Question,
    goal: &FunnelStep,
    subject: &Subject,
    pick: &Pick,
    deadline: &Deadline,
) -> Result<Answer<Vec<GoalRow>>, QueryError> {
    report::goal_by::report(&duck.asked(snapshot, question, deadline)?, goal, subject, pick)
}
