//! Maintenance: one step per call, each small, each safe to lose.
//!
//! A step that has written files but not committed leaves orphans; a step that has committed but not cleaned up leaves
//! segments and files that nothing names. Both are found again by the next steps or the next open.
//!
//! IMPORTANT: the order inside [`Store::commit`] is the product. Manifest first (the only commit point), then the swap
//! of the state, then the caller's derived views, and only then may anything be unlinked.

use std::path::PathBuf;
use std::sync::{Arc, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use mallard_compactor::{Context, Edit, Error as CompactorError, Job, Limits, Manifest, ManifestLog};
use mallard_event::SiteId;
use mallard_wal::disk::{is_about_the_file, is_refusal};
use mallard_wal::seeded::{Bug, is_seeded};
use mallard_wal::{Lsn, SealedSegment};

use super::Store;
use super::failures::Work;
use super::open::logged;
use super::state::{Shared, State};
use super::{damage, erase, erased_ids, expire};
use crate::error::Error;
use crate::repair::add_notes;

/// How long maintenance rests when nothing is due: commits wake it earlier.
const REST_US: i64 = 60 * 1_000_000;
const REST_US_MIN: i64 = 1_000;
/// The same while the log cannot begin a segment.
const RENEWAL_US: i64 = 5 * 1_000_000;

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
    /// Whether nothing is left of what no manifest names. IMPORTANT: it is not before the first step of a life, nor after a job
    /// or a commit that has failed, until somebody has looked: an erasure is not done while a file may have its rows.
    pub(super) is_tidy: bool,
    /// Whether the first step of this life was done.
    pub(super) has_begun: bool,
    /// The folders that could not be looked at the last time.
    pub(super) unread: Vec<PathBuf>,
    /// The erasure in progress.
    pub(super) erasure: erase::Progress,
    /// Retention in snapshots.
    pub(super) expiry: expire::Progress,
    /// What is kept of erased events.
    pub(super) erased_ids: erased_ids::Progress,
}

/// There while a commit is under way.
///
/// NOTE: a panic before or after it leaves nothing that counts, and is a failure of that work. One in between may leave a
/// manifest that says one thing and a state that says another: nothing more may be built on that, and the next open knows.
struct Committing<'a>(&'a Shared);

impl Drop for Committing<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.poison("a commit of the manifest has failed by a fault of this program");
        }
    }
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
            is_tidy: false,
            has_begun: false,
            unread: Vec::new(),
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
        if let Some(step) = self.tidy_step(maintenance, published)? {
            return Ok(step);
        }
        let set_aside =
            self.failures.attempt_unless_resting(&Work::SettingAside, || self.set_aside(maintenance, published));
        if let Some(step) = set_aside? {
            return Ok(step);
        }
        if let Some(step) = self.relieve(maintenance, published)? {
            return Ok(step);
        }
        if let Some(step) = self.erase_step(maintenance, published)? {
            return Ok(step);
        }
        match self.failures.attempt_unless_resting(&Work::Trimming, || self.trim(maintenance))? {
            0 => {}
            files => return Ok(Step::Trimmed { files }),
        }
        let sealed = self.log.sealed();
        // NOTE: what is sealed goes first. Sealing what has come meanwhile would make the more small segments, and files of
        // them, the further compaction is behind.
        if sealed.is_empty() && (self.seal_is_due() || self.tail_has_expired()) {
            let sealed = self.failures.attempt_unless_resting(&Work::Sealing, || Ok(self.log.seal()?));
            if sealed?.is_some() {
                return Ok(Step::Sealed);
            }
        }
        match self.failures.attempt_unless_resting(&Work::Planning, || Ok(Some(self.next_job(&sealed))))? {
            Some((manifest, Some(job))) => {
                self.failures.attempt(&Work::of(&job), || self.run(maintenance, &manifest, &job, published))
            }
            Some((_, None)) | None => self.finish(maintenance, published),
        }
    }

    /// How long to wait after a step that has failed, in microseconds.
    pub(crate) fn pause_us(&self) -> i64 {
        self.failures.pause_us()
    }

    /// What the plan says, without what goes on failing and has to rest.
    pub(super) fn next_job(&self, sealed: &[SealedSegment]) -> (Arc<Manifest>, Option<Job>) {
        let manifest = self.manifest();
        let now_us = self.env.clock.now_us();
        let is_resting = |work: &Work| self.failures.rest_us(work).is_some();
        let sealed = if is_resting(&Work::Compaction) { &[] } else { sealed };
        let may_expire = self.may_expire() && !is_resting(&Work::Retention);
        let retention_days = self.config.limits.retention_days.filter(|_| may_expire);
        let limits = Limits { retention_days, ..self.config.limits.clone() };
        let rests = |site: &SiteId, date| is_resting(&Work::Merging { site: site.clone(), date });
        let planned = mallard_compactor::plan_without(&manifest, sealed, now_us, &limits, &rests);
        (manifest, planned)
    }

    /// Where an erasure would go on and senders are slowed down already, what waits goes into files first: an erasure may take
    /// long, and events would be refused meanwhile. `None` if that is not so, or cannot be done.
    fn relieve(
        &self,
        maintenance: &mut MutexGuard<'_, Maintenance>,
        published: &dyn Fn(&Manifest),
    ) -> Result<Option<Step>, Error> {
        if !self.is_erasing() || self.shared.tail_bytes() <= self.config.tail_bytes_slow {
            return Ok(None);
        }
        let manifest = self.manifest();
        let segments = self.uncompacted(&manifest);
        if segments.is_empty() {
            let sealed = self.failures.attempt_unless_resting(&Work::Sealing, || Ok(self.log.seal()?));
            return Ok(sealed?.map(|_| Step::Sealed));
        }
        let job = Job::Compact { segments };
        let compact = || self.run(maintenance, &manifest, &job, published).map(Some);
        self.failures.attempt_unless_resting(&Work::Compaction, compact)
    }

    /// The next segments that a compaction takes.
    pub(super) fn uncompacted(&self, manifest: &Manifest) -> Vec<SealedSegment> {
        let above = self.log.sealed().into_iter().filter(|segment| segment.last_lsn > manifest.checkpoint());
        above.take(self.config.limits.segments_max).collect()
    }

    /// The last of the work, when no job is due.
    fn finish(
        &self,
        maintenance: &mut MutexGuard<'_, Maintenance>,
        published: &dyn Fn(&Manifest),
    ) -> Result<Step, Error> {
        // Nobody reads any more what was replaced when this step began.
        if let Some(step) = self.tidy_step(maintenance, published)? {
            return Ok(step);
        }
        let originals = &Work::RetentionOfOriginals;
        self.failures.attempt_unless_resting(originals, || self.expire_originals(maintenance))?;
        let expired =
            self.failures.attempt_unless_resting(&Work::SnapshotRetention, || self.expire_snapshot(maintenance));
        if let Some(step) = expired? {
            return Ok(step);
        }
        self.failures.attempt_unless_resting(&Work::ErasedIds, || self.forget_erased_ids(maintenance))?;
        self.failures.attempt_unless_resting(&Work::Date, || self.keep_date())?;
        self.renew_log()?;
        self.failures.forget_jobs();
        Ok(Step::Idle { next_in_us: self.next_in_us() })
    }

    /// Lets a log that has no segment try to begin one: whoever goes by what health says may send nothing before it has.
    fn renew_log(&self) -> Result<(), Error> {
        let log = self.log.status();
        if log.no_segment.is_none() || log.active_records > 0 {
            return Ok(());
        }
        self.failures.attempt_unless_resting(&Work::Sealing, || Ok(self.log.seal()?)).map(drop)
    }

    /// How long there is nothing to do; what rests is tried again. NOTE: while compaction rests, events go on being due.
    fn next_in_us(&self) -> i64 {
        let flushes = [Work::Compaction, Work::Sealing].iter().all(|work| self.failures.rest_us(work).is_none());
        match self.failures.first_rest_us() {
            Some(left_us) if self.is_erasing() || flushes => left_us.min(self.rest_us()),
            Some(left_us) => left_us,
            None => self.rest_us(),
        }
    }

    /// Unlinks what nothing needs any more; returns how many files.
    fn trim(&self, maintenance: &mut MutexGuard<'_, Maintenance>) -> Result<usize, Error> {
        let unlinked = self.unlink_retired(maintenance)?;
        if unlinked > 0 {
            return Ok(unlinked);
        }
        let checkpoint = self.manifest().checkpoint();
        self.trim_log(if is_seeded(Bug::CompactTwice) { Lsn::ZERO } else { checkpoint })
    }

    /// Unlinks the segments at or below the checkpoint. IMPORTANT: where the sync of their folder has failed, the next one would
    /// say "done", and a power cut could bring the names back.
    pub(super) fn trim_log(&self, checkpoint: Lsn) -> Result<usize, Error> {
        self.log.trim(checkpoint).map_err(Error::from).inspect_err(|error| self.stop_unless_refused(error))
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

    /// How long there is nothing to do.
    fn rest_us(&self) -> i64 {
        if self.is_erasing() {
            return erase::WAIT_US;
        }
        let rest_us_max = if self.log.status().no_segment.is_some() { RENEWAL_US } else { REST_US };
        self.shared.due_in_us().unwrap_or(REST_US).clamp(REST_US_MIN, rest_us_max)
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
        self.commit_and_publish(maintenance, manifest, edit, published, |_| {})?;
        Ok(step)
    }

    /// Commits, tells the derived views, and removes the second names of the damaged files that are live no more.
    pub(super) fn commit_and_publish(
        &self,
        maintenance: &mut MutexGuard<'_, Maintenance>,
        manifest: &Arc<Manifest>,
        edit: Edit,
        published: &dyn Fn(&Manifest),
        change: impl FnOnce(&mut State),
    ) -> Result<(), Error> {
        let has_copies = damage::removes_damaged(manifest, &edit);
        self.commit(maintenance, manifest, edit, change)?;
        let was_tidy = maintenance.is_tidy;
        maintenance.is_tidy &= !has_copies;
        published(&self.manifest());
        if has_copies {
            self.forget_dead_copies()?;
            maintenance.is_tidy = was_tidy;
        }
        Ok(())
    }

    /// Does the work of a job; nothing of it counts before the edit is committed.
    pub(super) fn make(
        &self,
        maintenance: &mut MutexGuard<'_, Maintenance>,
        manifest: &Manifest,
        job: &Job,
    ) -> Result<Edit, Error> {
        self.keep_erased_ids(maintenance)?;
        // Whatever ends the job before its edit is there leaves files that no manifest names.
        let was_tidy = std::mem::replace(&mut maintenance.is_tidy, false);
        let erasures = if is_seeded(Bug::CompactErased) { Vec::new() } else { self.erasures() };
        let context = Context {
            env: &self.env,
            root: self.layout.root(),
            store_id: self.identity.store_id,
            limits: &self.config.limits,
            erasures: &erasures,
            memory: Some(self),
        };
        let edit = mallard_compactor::run(&context, manifest, job).inspect_err(|error| {
            self.suspect_input(error);
            self.stop_if_final(error);
        })?;
        maintenance.is_tidy = was_tidy;
        Ok(edit)
    }

    /// IMPORTANT: a job whose write, sync or rename failed may not be run again in this life of the process. The kernel
    /// reports a failed sync once and forgets it; the second attempt would succeed over folders and bytes that never
    /// reached the disk, and the manifest would name them. A refusal (a full disk, a quota, no permission, too many open
    /// files) is different: nothing has reached a device. A sync is never refused in that sense.
    pub(super) fn stop_if_final(&self, error: &mallard_compactor::Error) {
        if let mallard_compactor::Error::Io { source, action, .. } = error
            && !matches!(*action, "open" | "read" | "list" | "unlink")
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
        let committing = Committing(&self.shared);
        let committed = maintenance.manifest_log.commit(&edit);
        let next = committed.inspect_err(|error| {
            maintenance.is_tidy = false;
            match maintenance.manifest_log.is_poisoned() {
                true => self.shared.poison(&error.to_string()),
                // No new file could be begun, or the edit was refused: nothing has changed.
                false => self.stop_if_final(error),
            }
        })?;
        self.shared.publish(next, |state| {
            state.begin(edit.begun.iter().cloned().map(Arc::new));
            change(state);
            edit.ended.iter().for_each(|id| state.end(*id));
        });
        maintenance.retired.push(Retired { last_reader: Arc::downgrade(manifest), edit });
        drop(committing);
        Ok(())
    }

    /// Reads the manifest back from the device. Where it is damaged its state is written anew, from memory, while there is a
    /// memory of it: a start would be refused.
    pub(super) fn check_manifest(&self) -> Result<(), Error> {
        let mut maintenance = self.maintenance.lock().unwrap_or_else(PoisonError::into_inner);
        let manifest_log = &mut maintenance.manifest_log;
        // One failed read is no verdict.
        let Err(error) = manifest_log.check().or_else(|_| manifest_log.check()) else { return Ok(()) };
        if self.poisoned().is_some()
            || matches!(&error, CompactorError::Io { source, .. } if !is_about_the_file(source))
        {
            return Err(error.into());
        }
        tracing::error!(%error, "the manifest is damaged: it is written anew");
        manifest_log.renew().inspect_err(|error| match manifest_log.is_poisoned() {
            true => self.shared.poison(&error.to_string()),
            false => self.stop_if_final(error),
        })?;
        let note = format!("the manifest was damaged while the server ran, and was written anew from memory: {error}");
        self.shared.state().damage.push(note.clone());
        add_notes(&self.env, &self.layout, [note].into_iter()).inspect_err(|error| self.stop_unless_refused(error))
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
