//! Maintenance: one step per call, each small, each safe to lose.
//!
//! A step that has written files but not committed leaves orphans; a step that has committed but not cleaned up leaves
//! segments and files that nothing names. Both are found again by the next steps or the next open.
//!
//! IMPORTANT: the order inside [`Store::commit`] is the product. Manifest first (the only commit point), then the swap
//! of the state, then the caller's derived views, and only then may anything be unlinked.

use std::path::Path;
use std::sync::{Arc, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use mallard_compactor::{Context, Edit, Job, Limits, Manifest, ManifestLog};
use mallard_wal::disk::is_refusal;
use mallard_wal::seeded::{Bug, is_seeded};
use mallard_wal::{Lsn, SealedSegment};

use super::Store;
use super::failures::Work;
use super::open::logged;
use super::state::State;
use super::{damage, erase, erased_ids, expire};
use crate::error::Error;

/// How long maintenance rests when nothing is due: commits wake it earlier.
const REST_US: i64 = 60 * 1_000_000;
const REST_US_MIN: i64 = 1_000;

/// What one call of [`Store::maintain`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Removed files that no manifest names.
    Cleaned {
        /// How many.
        files: usize,
    },
    /// Sealed the active segment.
    Sealed,
    /// Moved sealed segments into Parquet files.
    Compacted {
        /// Events moved.
        events: u64,
    },
    /// Replaced small Parquet files by a larger one.
    Merged {
        /// Files replaced.
        files: usize,
    },
    /// Removed days beyond retention.
    Expired {
        /// Events removed.
        events: u64,
    },
    /// Did a part of an erasure.
    Erased {
        /// Events removed from files.
        events: u64,
    },
    /// Remembered that files are damaged.
    SetAside {
        /// How many.
        files: usize,
    },
    /// Unlinked segments or replaced files that nothing needs any more.
    Trimmed {
        /// How many.
        files: usize,
    },
    /// Nothing is due.
    Idle {
        /// When something will be, in microseconds from now, unless a commit wakes maintenance earlier.
        next_in_us: i64,
    },
}

/// What only maintenance touches.
#[derive(Debug)]
pub(super) struct Maintenance {
    manifest_log: ManifestLog,
    /// Edits whose removed files may still be read by views of an older manifest, oldest first.
    retired: Vec<Retired>,
    orphans_checked: bool,
    /// The erasure in progress.
    pub(super) erasure: erase::Progress,
    /// Retention in snapshots.
    pub(super) expiry: expire::Progress,
    /// What is kept of erased events.
    pub(super) erased_ids: erased_ids::Progress,
}

#[derive(Debug)]
struct Retired {
    /// The last version that named the files. Every older version had an entry before this one.
    last_reader: Weak<Manifest>,
    edit: Edit,
}

impl Retired {
    fn is_unread(&self) -> bool {
        self.last_reader.strong_count() == 0 || is_seeded(Bug::UnlinkViewed)
    }
}

impl Maintenance {
    pub(super) fn new(manifest_log: ManifestLog) -> Self {
        Self {
            manifest_log,
            retired: Vec::new(),
            orphans_checked: false,
            erasure: erase::Progress::default(),
            expiry: expire::Progress::default(),
            erased_ids: erased_ids::Progress::default(),
        }
    }

    /// Whether views may still read replaced files.
    pub(super) fn has_readers(&self) -> bool {
        !self.retired.is_empty()
    }
}

impl Store {
    /// Does the most urgent piece of work there is, or says when to come again. `published` is called after a commit
    /// and before any file is unlinked, with the manifest that is now live.
    ///
    /// # Errors
    /// A failed write or sync of a job or of the manifest poisons the store, unless nothing has reached a device. Any other
    /// failure leaves everything as it was and may be retried.
    pub fn maintain(&self, published: &dyn Fn(&Manifest)) -> Result<Step, Error> {
        let mut maintenance = self.maintenance.lock().unwrap_or_else(PoisonError::into_inner);
        let step = self.step(&mut maintenance, published);
        // The next attempt has the room that this one lacked.
        if step.as_ref().is_err_and(Error::is_lack_of_space) && self.space.drop_ballast() {
            tracing::warn!("no space is left on the volume: the ballast was given up");
        }
        step
    }

    /// Makes the ballast, if there is none and plenty of room; to be called when nothing else is to be done.
    pub(crate) fn hold_ballast(&self) {
        self.space.hold_ballast();
    }

    fn step(
        &self,
        maintenance: &mut MutexGuard<'_, Maintenance>,
        published: &dyn Fn(&Manifest),
    ) -> Result<Step, Error> {
        if let Some(cause) = self.poisoned() {
            return Err(Error::Poisoned(cause));
        }
        if !maintenance.orphans_checked {
            let cleaned = self.clean(maintenance, published);
            return self.failures.note(Work::Cleaning, cleaned);
        }
        let set_aside = self.set_aside(maintenance, published);
        if let Some(step) = self.failures.note(Work::SettingAside, set_aside)? {
            return Ok(step);
        }
        if let Some(step) = self.erase_step(maintenance, published)? {
            return Ok(step);
        }
        let trimmed = self.trim(maintenance);
        match self.failures.note(Work::Trimming, trimmed)? {
            0 => {}
            files => return Ok(Step::Trimmed { files }),
        }
        let sealed = self.log.sealed();
        // NOTE: what is sealed goes first. Sealing what has come meanwhile would make the more small segments, and files of
        // them, the further compaction is behind.
        if sealed.is_empty() && (self.seal_is_due() || self.tail_has_expired()) {
            let sealed = self.log.seal().map_err(Error::from);
            if self.failures.note(Work::Sealing, sealed)?.is_some() {
                return Ok(Step::Sealed);
            }
        }
        match self.next_job(&sealed) {
            (manifest, Some(job)) => {
                let run = self.run(maintenance, &manifest, &job, published);
                self.failures.note(Work::of(&job), run)
            }
            (_, None) => self.finish(maintenance),
        }
    }

    /// What the plan says, without what goes on failing and has to rest.
    fn next_job(&self, sealed: &[SealedSegment]) -> (Arc<Manifest>, Option<Job>) {
        let manifest = self.manifest();
        let now_us = self.env.clock.now_us();
        let is_resting = |work| self.failures.rest_us(work).is_some();
        let sealed = if is_resting(Work::Compaction) { &[] } else { sealed };
        let retention_days = self.config.limits.retention_days.filter(|_| self.may_expire());
        let limits = Limits { retention_days, ..self.config.limits.clone() };
        let planned = mallard_compactor::plan(&manifest, sealed, now_us, &limits);
        (manifest, planned.filter(|job| !is_resting(Work::of(job))))
    }

    /// The last of the work, when no job is due.
    fn finish(&self, maintenance: &mut MutexGuard<'_, Maintenance>) -> Result<Step, Error> {
        if self.failures.rest_us(Work::SnapshotRetention).is_none() {
            let expired = self.expire_snapshot(maintenance);
            if let Some(step) = self.failures.note(Work::SnapshotRetention, expired)? {
                return Ok(step);
            }
        }
        self.forget_erased_ids(maintenance)?;
        let jobs = [Work::Compaction, Work::Merging, Work::Retention];
        let resting: Vec<(Work, Option<i64>)> = jobs.map(|work| (work, self.failures.rest_us(work))).into();
        // What does not rest and was not planned does not have to be done any more.
        resting.iter().filter(|(_, rest)| rest.is_none()).for_each(|(work, _)| self.failures.forget(*work));
        let next_in_us = match resting.iter().filter_map(|(_, rest)| *rest).min() {
            Some(left_us) if !self.is_erasing() => left_us,
            _ => self.rest_us(),
        };
        Ok(Step::Idle { next_in_us })
    }

    /// Unlinks what nothing needs any more; returns how many files.
    fn trim(&self, maintenance: &mut MutexGuard<'_, Maintenance>) -> Result<usize, Error> {
        let unlinked = self.unlink_retired(maintenance)?;
        if unlinked > 0 {
            return Ok(unlinked);
        }
        let checkpoint = self.manifest().checkpoint();
        Ok(self.log.trim(if is_seeded(Bug::CompactTwice) { Lsn::ZERO } else { checkpoint })?)
    }

    /// Waits until there may be work for [`Store::maintain`], at most `limit`.
    pub fn wait_for_work(&self, limit: Duration) {
        self.shared.wait_for_work(limit);
    }

    /// Ends a [`Store::wait_for_work`] early.
    pub fn wake(&self) {
        self.shared.wake();
    }

    /// The manifest that is live now.
    pub fn manifest(&self) -> Arc<Manifest> {
        Arc::clone(&self.shared.state().manifest)
    }

    /// First step of a life: derived views are refreshed from the manifest, then leftovers of the last life go.
    fn clean(
        &self,
        maintenance: &mut MutexGuard<'_, Maintenance>,
        published: &dyn Fn(&Manifest),
    ) -> Result<Step, Error> {
        let manifest = self.manifest();
        let conditions = self.restored(&manifest);
        if !conditions.is_empty() {
            tracing::info!(files = conditions.len(), "damaged Parquet files are sound again");
            self.commit(maintenance, &manifest, Edit { conditions, ..Edit::default() }, |_| {})?;
        }
        let manifest = self.manifest();
        published(&manifest);
        let orphans = mallard_compactor::remove_orphans(&self.env, self.layout.root(), &manifest);
        let orphans = orphans.inspect_err(|error| self.stop_if_final(error))?;
        for path in &orphans.missing {
            self.suspect(Path::new(path), "it is missing or cut");
        }
        maintenance.orphans_checked = true;
        Ok(Step::Cleaned { files: orphans.removed.len() })
    }

    /// How long there is nothing to do.
    fn rest_us(&self) -> i64 {
        match self.is_erasing() {
            true => erase::WAIT_US,
            false => self.shared.due_in_us().unwrap_or(REST_US).clamp(REST_US_MIN, REST_US),
        }
    }

    pub(super) fn run(
        &self,
        maintenance: &mut MutexGuard<'_, Maintenance>,
        manifest: &Arc<Manifest>,
        job: &Job,
        published: &dyn Fn(&Manifest),
    ) -> Result<Step, Error> {
        let edit = self.make(maintenance, manifest, job)?;
        let step = match job {
            Job::Compact { .. } => Step::Compacted { events: edit.add.iter().map(|file| file.rows).sum() },
            Job::Merge { inputs, .. } => Step::Merged { files: inputs.len() },
            Job::Expire { .. } => Step::Expired { events: edit.expired_rows },
            Job::Erase { .. } => Step::Erased { events: edit.erased_rows },
        };
        let copies = damage::copies(manifest, &edit);
        self.commit(maintenance, manifest, edit, |_| {})?;
        published(&self.manifest());
        if !copies.is_empty() {
            self.forget_copies(&copies)?;
        }
        Ok(step)
    }

    /// Does the work of a job; nothing of it counts before the edit is committed.
    pub(super) fn make(
        &self,
        maintenance: &mut MutexGuard<'_, Maintenance>,
        manifest: &Manifest,
        job: &Job,
    ) -> Result<Edit, Error> {
        self.keep_erased_ids(maintenance)?;
        let erasures = if is_seeded(Bug::CompactErased) { Vec::new() } else { self.erasures() };
        let context = Context {
            env: &self.env,
            root: self.layout.root(),
            store_id: self.identity.store_id,
            limits: &self.config.limits,
            erasures: &erasures,
            memory: Some(self),
        };
        Ok(mallard_compactor::run(&context, manifest, job).inspect_err(|error| {
            self.suspect_input(error);
            self.stop_if_final(error);
        })?)
    }

    /// IMPORTANT: a job whose write, sync or rename failed may not be run again in this life of the process. The kernel
    /// reports a failed sync once and forgets it; the second attempt would succeed over folders and bytes that never
    /// reached the disk, and the manifest would name them. A refusal (a full disk, a quota, no permission, too many open
    /// files) is different: nothing has reached a device.
    pub(super) fn stop_if_final(&self, error: &mallard_compactor::Error) {
        if let mallard_compactor::Error::Io { source, action, .. } = error
            && !matches!(*action, "open" | "read" | "list")
            && !is_refusal(source)
            && !is_seeded(Bug::RetryJob)
        {
            self.shared.poison(&error.to_string());
        }
    }

    /// Makes `edit` true, and with it `change`. After the manifest's sync it is, whatever happens next; before, nothing has
    /// happened.
    pub(super) fn commit(
        &self,
        maintenance: &mut MutexGuard<'_, Maintenance>,
        manifest: &Arc<Manifest>,
        edit: Edit,
        change: impl FnOnce(&mut State),
    ) -> Result<(), Error> {
        if is_seeded(Bug::TrimBeforeCommit) {
            self.log.trim(edit.checkpoint.unwrap_or_default())?;
        }
        if is_seeded(Bug::UnlinkBeforeCommit) {
            mallard_compactor::unlink(&self.env, self.layout.root(), &edit)?;
        }
        let high_water = self.shared.state().high_water;
        let edit = Edit { high_water: logged(&self.log, high_water), ..edit };
        let committed = maintenance.manifest_log.commit(&edit);
        let next = committed.inspect_err(|error| match maintenance.manifest_log.is_poisoned() {
            true => self.shared.poison(&error.to_string()),
            // No new file could be begun, or the edit was refused: nothing has changed.
            false => self.stop_if_final(error),
        })?;
        self.shared.publish(next, |state| {
            state.begin(edit.begun.iter().cloned().map(Arc::new));
            change(state);
            edit.ended.iter().for_each(|id| state.end(*id));
        });
        maintenance.retired.push(Retired { last_reader: Arc::downgrade(manifest), edit });
        Ok(())
    }

    /// Unlinks what removed files no view can name any more.
    pub(super) fn unlink_retired(&self, maintenance: &mut MutexGuard<'_, Maintenance>) -> Result<usize, Error> {
        let mut unlinked = 0;
        while let Some(retired) = maintenance.retired.first().filter(|retired| retired.is_unread()) {
            let unlinking = mallard_compactor::unlink(&self.env, self.layout.root(), &retired.edit);
            unlinking.inspect_err(|error| self.stop_if_final(error))?;
            unlinked += retired.edit.remove.len();
            // NOTE: only now: what fails is tried again, and an erasure is not done before.
            maintenance.retired.remove(0);
        }
        Ok(unlinked)
    }

    /// Whether the active segment has events that should be in files by now.
    fn seal_is_due(&self) -> bool {
        self.shared.due_in_us() == Some(0) && self.log.status().active_records > 0
    }
}
