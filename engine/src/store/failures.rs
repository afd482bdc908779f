//! [`Failures`]: which work of maintenance goes on failing, and why.
//!
//! ```text
//! fails once        is tried again by the next step, after a pause; counted, and in the log
//! PERSISTENT times  health is degraded and says why; it rests for REST_US between attempts, and other work goes on
//! succeeds          forgotten, as it is when there is nothing of the kind to do any more
//! ```
//! Without the rest, a compaction that cannot succeed would keep retention, merges and the scrub from their turn, since the
//! most urgent work comes first. An erasure rests from its first failure on, for less: compaction goes on beside it, and
//! somebody waits for it. Merges are remembered by site and day.
//!
//! IMPORTANT: this is the only place that knows when failing work is tried again. What rests holds up nothing, so after its
//! failure there is no pause either: one that outlasted the rest would find the same work due again, and nothing else would
//! ever have its turn.
//!
//! A panic is a failure of the work in which it happened. That is sound, because what a step makes is nothing before it is
//! committed, and the locks of the store guard single assignments; a panic in the commit itself poisons the store
//! ([`Store::commit`](super::Store)), and the process ends.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mallard_compactor::Job;
use mallard_event::{Date, SiteId, Timestamp};
use mallard_wal::disk::Clock;

use crate::error::Error;
use crate::status::Progress;

/// Attempts in a row that have failed: with the pauses of the maintenance thread some seconds.
const PERSISTENT: u32 = 3;
const REST_US: i64 = 30 * 1_000_000;
const REST_OF_ERASURE_US: i64 = 5 * 1_000_000;
/// How long maintenance waits before the next step, after a failure of work that may be tried again at once.
const PAUSE_US: i64 = 1_000_000;
/// Of a kind that is remembered by site and day, how many are named.
const NAMED_MAX: usize = 10;

/// A kind of work.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Work {
    Cleaning,
    SettingAside,
    Erasure,
    Trimming,
    Sealing,
    Compaction,
    Merging { site: SiteId, date: Date },
    Retention,
    RetentionOfOriginals,
    SnapshotRetention,
    ErasedIds,
    Date,
    Planning,
    Manifest,
}

impl Work {
    /// The kind of a job of the plan.
    pub(super) fn of(job: &Job) -> Self {
        match job {
            Job::Compact { .. } => Self::Compaction,
            Job::Merge { site, date, .. } => Self::Merging { site: site.clone(), date: *date },
            Job::Expire { .. } => Self::Retention,
            Job::Erase { .. } => Self::Erasure,
        }
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cleaning => "the removal of leftovers",
            Self::SettingAside => "the record of damage",
            Self::Erasure => "an erasure",
            Self::Trimming => "the removal of replaced files",
            Self::Sealing => "the seal of a segment",
            Self::Compaction => "compaction",
            Self::Merging { site, date } => return write!(f, "a merge of site {site}, day {date}"),
            Self::Retention => "retention",
            Self::RetentionOfOriginals => "retention in quarantine",
            Self::SnapshotRetention => "retention in snapshots",
            Self::ErasedIds => "the removal of what was kept of erased events",
            Self::Date => "the record of the date",
            Self::Planning => "the plan of maintenance",
            Self::Manifest => "the check of the manifest",
        })
    }
}

/// What fails.
#[derive(Debug)]
pub(super) struct Failures {
    clock: Arc<dyn Clock>,
    progress: Arc<Progress>,
    failing: Mutex<Notes>,
}

#[derive(Debug, Default)]
struct Notes {
    of: BTreeMap<Work, Failing>,
    /// What has failed last.
    last: Option<Work>,
}

#[derive(Debug)]
struct Failing {
    times: u32,
    /// When it began, as a date.
    since: Timestamp,
    /// When it may be tried again, by the clock that nobody sets.
    due_us: i64,
    cause: String,
}

impl Failing {
    fn is_persistent(&self) -> bool {
        self.times >= PERSISTENT
    }
}

impl Failures {
    pub(super) fn new(clock: Arc<dyn Clock>, progress: Arc<Progress>) -> Self {
        Self { clock, progress, failing: Mutex::default() }
    }

    /// Does a piece of work, and notes what came of it. A panic is an error of that work.
    pub(super) fn attempt<T>(&self, work: &Work, act: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        let outcome = catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|panic| Err(Error::Panicked(said(&*panic))));
        self.note(work, outcome)
    }

    /// [`Failures::attempt`], unless this work goes on failing and has to rest: then nothing is to be done.
    pub(super) fn attempt_unless_resting<T: Default>(
        &self,
        work: &Work,
        act: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.rest_us(work).is_some() { Ok(T::default()) } else { self.attempt(work, act) }
    }

    /// Notes what came of an attempt, and hands it on.
    fn note<T>(&self, work: &Work, outcome: Result<T, Error>) -> Result<T, Error> {
        match &outcome {
            Ok(_) => drop(self.failing().of.remove(work)),
            // A store that is poisoned says so itself, and what has to wait for somebody does not fail.
            Err(Error::Poisoned(_) | Error::Busy | Error::Locked { .. }) => {}
            Err(error) => self.failed(work, error),
        }
        outcome
    }

    fn failed(&self, work: &Work, error: &Error) {
        match work {
            Work::Compaction | Work::Sealing => {
                self.progress.compaction_failed();
                tracing::error!(%error, "Periodic flush failed");
            }
            _ => {
                self.progress.maintenance_failed();
                tracing::error!(%work, %error, "Maintenance failed");
            }
        }
        let since = Timestamp::saturating_from_micros(self.clock.now_us());
        let mut failing = self.failing();
        let new = Failing { times: 0, since, due_us: 0, cause: String::new() };
        let entry = failing.of.entry(work.clone()).or_insert(new);
        entry.times = entry.times.saturating_add(1);
        let rest_us = match work {
            // Without the damaged file it may go on at once, unless that does not help.
            Work::Erasure if error.is_damage() && !entry.is_persistent() => 0,
            Work::Erasure => REST_OF_ERASURE_US,
            _ if entry.is_persistent() => REST_US,
            _ => 0,
        };
        entry.due_us = self.clock.steady_us().saturating_add(rest_us);
        entry.cause = error.to_string();
        failing.last = Some(work.clone());
    }

    /// How long maintenance is to wait after a step that has failed, in microseconds.
    pub(super) fn pause_us(&self) -> i64 {
        let last = self.failing().last.take();
        let rests = last.is_some_and(|work| self.rest_us(&work).is_some());
        if rests { 0 } else { PAUSE_US }
    }

    /// Microseconds until work that goes on failing is to be tried again; `None` if it may be now.
    pub(super) fn rest_us(&self, work: &Work) -> Option<i64> {
        self.failing().of.get(work).and_then(|failing| self.left_us(failing))
    }

    fn left_us(&self, failing: &Failing) -> Option<i64> {
        Some(failing.due_us.saturating_sub(self.clock.steady_us())).filter(|left_us| *left_us > 0)
    }

    /// Microseconds until the first of what rests is to be tried again; `None` if nothing does.
    pub(super) fn first_rest_us(&self) -> Option<i64> {
        self.failing().of.values().filter_map(|failing| self.left_us(failing)).min()
    }

    /// No job is due: what was planned before, failed and does not rest does not have to be done any more.
    pub(super) fn forget_jobs(&self) {
        let is_job = |work: &Work| matches!(work, Work::Compaction | Work::Merging { .. } | Work::Retention);
        self.failing().of.retain(|work, failing| !is_job(work) || self.left_us(failing).is_some());
    }

    /// What goes on failing, in words.
    pub(super) fn reasons(&self) -> Vec<String> {
        let failing = self.failing();
        let persistent = failing.of.iter().filter(|(_, failing)| failing.is_persistent());
        let words = |(work, Failing { times, since, cause, .. }): (&Work, &Failing)| {
            format!("failing: {work}, {times} times in a row since {since}: {cause}")
        };
        let (merges, others): (Vec<_>, Vec<_>) = persistent.partition(|(work, _)| matches!(work, Work::Merging { .. }));
        let more = merges.len().saturating_sub(NAMED_MAX);
        let more = (more > 0).then(|| format!("failing: merges of {more} more days"));
        let merges = merges.into_iter().take(NAMED_MAX).map(words);
        others.into_iter().map(words).chain(merges).chain(more).collect()
    }

    fn failing(&self) -> MutexGuard<'_, Notes> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a panic said.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "it said nothing".to_owned())
}
