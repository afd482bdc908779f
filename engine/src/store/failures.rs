//! [`Failures`]: which work of maintenance goes on failing, and why.
//!
//! ```text
//! fails once        is tried again by the next step
//! PERSISTENT times  health is degraded and says why; it rests for REST_US between attempts, and other work goes on
//! succeeds          forgotten, as it is when there is nothing of the kind to do any more
//! ```
//! Without the rest, a compaction that cannot succeed would keep retention, merges and the scrub from their turn, since the
//! most urgent work comes first. Erasures keep their own time.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mallard_compactor::Job;
use mallard_event::Timestamp;
use mallard_wal::disk::Clock;

use crate::error::Error;

/// Attempts in a row that have failed: with the pauses of the maintenance thread some seconds.
const PERSISTENT: u32 = 3;
const REST_US: i64 = 30 * 1_000_000;

/// A kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Work {
    Cleaning,
    SettingAside,
    Erasure,
    Trimming,
    Sealing,
    Compaction,
    Merging,
    Retention,
    SnapshotRetention,
}

impl Work {
    /// The kind of a job of the plan.
    pub(super) const fn of(job: &Job) -> Self {
        match job {
            Job::Compact { .. } => Self::Compaction,
            Job::Merge { .. } => Self::Merging,
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
            Self::Merging => "a merge",
            Self::Retention => "retention",
            Self::SnapshotRetention => "retention in snapshots",
        })
    }
}

/// What fails.
#[derive(Debug)]
pub(super) struct Failures {
    clock: Arc<dyn Clock>,
    failing: Mutex<BTreeMap<Work, Failing>>,
}

#[derive(Debug)]
struct Failing {
    times: u32,
    /// When it began, as a date.
    since: Timestamp,
    /// When it was tried last, by the clock that nobody sets.
    last_us: i64,
    cause: String,
}

impl Failing {
    fn is_persistent(&self) -> bool {
        self.times >= PERSISTENT
    }
}

impl Failures {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, failing: Mutex::default() }
    }

    /// Notes what came of an attempt, and hands it on.
    pub(super) fn note<T>(&self, work: Work, outcome: Result<T, Error>) -> Result<T, Error> {
        let mut failing = self.failing();
        match &outcome {
            Ok(_) => drop(failing.remove(&work)),
            // A store that is poisoned says so itself, and what has to wait for somebody does not fail.
            Err(Error::Poisoned(_) | Error::Busy | Error::Locked { .. }) => {}
            Err(error) => {
                let since = Timestamp::saturating_from_micros(self.clock.now_us());
                let entry =
                    failing.entry(work).or_insert(Failing { times: 0, since, last_us: 0, cause: String::new() });
                entry.times = entry.times.saturating_add(1);
                entry.last_us = self.clock.steady_us();
                entry.cause = error.to_string();
            }
        }
        outcome
    }

    /// Microseconds until work that goes on failing is to be tried again; `None` if it may be now.
    pub(super) fn rest_us(&self, work: Work) -> Option<i64> {
        let failing = self.failing();
        let failing = failing.get(&work).filter(|failing| failing.is_persistent())?;
        let left_us = failing.last_us.saturating_add(REST_US).saturating_sub(self.clock.steady_us());
        Some(left_us).filter(|left_us| *left_us > 0)
    }

    /// There is nothing of this kind to do.
    pub(super) fn forget(&self, work: Work) {
        self.failing().remove(&work);
    }

    /// What goes on failing, in words.
    pub(super) fn reasons(&self) -> Vec<String> {
        let failing = self.failing();
        let persistent = failing.iter().filter(|(_, failing)| failing.is_persistent());
        let words = |(work, Failing { times, since, cause, .. }): (&Work, &Failing)| {
            format!("failing: {work}, {times} times in a row since {since}: {cause}")
        };
        persistent.map(words).collect()
    }

    fn failing(&self) -> MutexGuard<'_, BTreeMap<Work, Failing>> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
