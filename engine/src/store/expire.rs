//! Retention where no file of the store is removed: events that still wait in the log, days in snapshots, and originals that
//! were set aside.
//!
//! Whole UTC days. Files are removed by the plan of the compactor; here the log is sealed early when something in it has
//! expired, so that it becomes such a file. Snapshots lose their expired days, and originals go, once a day and after every start.

use std::collections::BTreeSet;
use std::sync::MutexGuard;

use mallard_event::{Date, Timestamp};

use super::Store;
use super::maintain::{Maintenance, Step};
use crate::backup::{Rewriting, Snapshots};
use crate::error::Error;

/// What maintenance remembers of retention in quarantine and in snapshots, in this life.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The first day that is kept, as of the last look at originals.
    originals: Option<Date>,
    /// The same, as of the last look at snapshots.
    first_kept: Option<Date>,
    /// The snapshots that hold nothing before it.
    done: BTreeSet<String>,
    /// Whether all of them are done.
    is_done: bool,
}

impl Store {
    /// Whether retention may delete by the date as it is now.
    pub(super) fn may_expire(&self) -> bool {
        self.config.limits.retention_days.is_some() && (self.config.is_date_sure || self.calendar.is_believed())
    }

    /// The first day that retention keeps; `None` if it keeps all, or may not go by the date.
    fn first_kept(&self) -> Option<Date> {
        let days = i32::try_from(self.config.limits.retention_days.filter(|_| self.may_expire())?).unwrap_or(i32::MAX);
        let today = Timestamp::saturating_from_micros(self.env.clock.now_us()).date();
        Some(Date::from_days(today.days().saturating_sub(days)).unwrap_or(Date::MIN))
    }

    /// Whether an event that waits for compaction is past retention.
    pub(super) fn tail_has_expired(&self) -> bool {
        let Some(first) = self.first_kept() else { return false };
        let state = self.shared.state();
        state.tail.sites().any(|(_, site)| site.days().keys().next().is_some_and(|day| *day < first))
    }

    /// Removes the originals that have expired, once a day. What keeps them does not keep days in snapshots.
    pub(super) fn expire_originals(&self, maintenance: &mut MutexGuard<'_, Maintenance>) -> Result<(), Error> {
        let Some(first_kept) = self.first_kept() else { return Ok(()) };
        if maintenance.expiry.originals != Some(first_kept) {
            self.forget_expired(first_kept)?;
            maintenance.expiry.originals = Some(first_kept);
        }
        Ok(())
    }

    /// Takes the expired days out of one more snapshot; `None` if there is none to do.
    pub(super) fn expire_snapshot(&self, maintenance: &mut MutexGuard<'_, Maintenance>) -> Result<Option<Step>, Error> {
        let Some(first_kept) = self.first_kept() else { return Ok(None) };
        let progress = &mut maintenance.expiry;
        if progress.first_kept != Some(first_kept) {
            *progress = Progress { originals: progress.originals, first_kept: Some(first_kept), ..Progress::default() };
        }
        if progress.is_done {
            return Ok(None);
        }
        let snapshots = Snapshots::of(self.env.clone(), self.layout.root());
        let rewriting = Rewriting { limits: &self.config.limits, erasure: None, first_kept: Some(first_kept) };
        match snapshots.rewrite_next(&rewriting, &mut progress.done) {
            Ok(Some(_)) => Ok(Some(Step::Expired { events: 0 })),
            Ok(None) => {
                progress.is_done = true;
                Ok(None)
            }
            // Somebody takes one: at the next step.
            Err(Error::Locked { .. }) => Ok(None),
            Err(error) => Err(error).inspect_err(|error| self.stop_unless_refused(error)),
        }
    }
}
