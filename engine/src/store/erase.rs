//! The steps of an erasure: one a call of maintenance, in the order that `erasure/mod.rs` draws.
//!
//! IMPORTANT: all of them run under the lock of maintenance, so that no compaction and no merge is between them. What is
//! compacted or merged before the files are looked at is looked at with them; a compaction after that leaves out what the
//! erasure takes.

use std::collections::BTreeSet;
use std::sync::{Arc, MutexGuard, PoisonError};

use mallard_compactor::{ERASURE_VERSION, Edit, Erasure, Job, Manifest, Reach, plan_erasure};
use mallard_wal::disk::is_failed_sync;
use mallard_wal::seeded::{Bug, is_seeded};
use mallard_wal::{Draft, Kind, Lsn};

use super::Store;
use super::failures::Work;
use super::maintain::{Maintenance, Step};
use super::state::Erasing;
use crate::backup::{Rewriting, Snapshots};
use crate::erasure::{Erased, ErasureRequest, ledger};
use crate::error::{AppendError, Error, ReceiptError};
use crate::receipt::Receipt;
use crate::tail::Entry;

/// Erasures that may be unfinished at one time: every query looks at all of them.
const UNFINISHED_MAX: usize = 100;
/// How soon it is looked whether readers have let go of replaced files, or another process of the snapshots.
pub(super) const WAIT_US: i64 = 1_000_000;

/// What maintenance remembers of the erasure in progress, in this life.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The erasure.
    id: Option<[u8; 16]>,
    is_in_ledger: bool,
    /// Whether the names of the files that it has replaced are gone for good.
    is_synced: bool,
    /// The snapshots that hold nothing any more of what it takes.
    snapshots: BTreeSet<String>,
}

/// What became of an attempt to rewrite a snapshot.
enum Snapshot {
    /// One more has nothing of the events.
    Rewritten,
    /// Another process takes or reads one.
    Busy,
    /// None is left.
    Done,
}

impl Store {
    /// Hands an erasure to the log and returns at once. It is decided, and no query shows the events any more, when the
    /// receipt says so; [`Store::erased`] says when nothing is left of them. Not refused when the disk is full.
    pub fn begin_erasure(&self, request: &ErasureRequest) -> Result<([u8; 16], Receipt), AppendError> {
        if self.shared.is_poisoned() {
            return Err(AppendError::Poisoned);
        }
        if self.shared.state().erasing.len() >= UNFINISHED_MAX {
            return Err(AppendError::Busy);
        }
        let mut id = [0; 16];
        self.env.entropy.fill(&mut id);
        let erasure = Erasure {
            id,
            store: shown(self.identity.store_id),
            lsn: Lsn::ZERO,
            at_us: self.env.clock.now_us(),
            site: request.site.clone(),
            start_us: request.span.start_us,
            end_us: request.span.end_us,
            subject: request.subject,
            reach: Reach::Lsn,
        };
        let draft = Draft::new(Kind::ERASURE, ERASURE_VERSION, 0, erasure.at_us, id, &erasure.encode())
            .map_err(|_| AppendError::TooLarge)?;
        self.shared.state().ended.insert(id, None);
        let receipt = self.log.append(draft, Entry::Erasure(Arc::new(erasure)));
        receipt.map(|receipt| (id, Receipt::new(receipt))).map_err(|refused| {
            self.forget_erasure(id);
            super::refusal(refused)
        })
    }

    /// Waits until an erasure is decided. Nobody waits any longer for one that is not.
    pub fn recorded(&self, id: [u8; 16], receipt: Receipt) -> Result<(), ReceiptError> {
        receipt.wait().map(drop).inspect_err(|_| self.forget_erasure(id))
    }

    /// What an erasure has done, once it is finished; says so once.
    pub fn erased(&self, id: [u8; 16]) -> Option<Erased> {
        let mut state = self.shared.state();
        let erased = (*state.ended.get(&id)?)?;
        state.ended.remove(&id);
        Some(erased)
    }

    /// The erasures that were finished since the last call and for which nobody waits: of an earlier life, or after an answer
    /// that they are not finished.
    pub(crate) fn unattended_erasures(&self) -> Vec<(Arc<Erasure>, Erased)> {
        std::mem::take(&mut self.shared.state().unattended)
    }

    /// Nobody waits for this erasure any more.
    pub fn forget_erasure(&self, id: [u8; 16]) {
        self.shared.state().ended.remove(&id);
    }

    /// Whether an erasure is not finished.
    pub fn is_erasing(&self) -> bool {
        !self.shared.state().erasing.is_empty()
    }

    /// Takes over erasures that the log of this store may not have: of a ledger, or of the store that this one is a copy of.
    pub(crate) fn adopt(&self, erasures: Vec<Erasure>) -> Result<(), Error> {
        let mut maintenance = self.maintenance.lock().unwrap_or_else(PoisonError::into_inner);
        let (manifest, known) = {
            let state = self.shared.state();
            (Arc::clone(&state.manifest), state.erasing.iter().map(|one| one.erasure.id).collect::<BTreeSet<_>>())
        };
        let begun: Vec<_> = erasures.into_iter().filter(|erasure| !known.contains(&erasure.id)).collect();
        if begun.is_empty() {
            return Ok(());
        }
        self.commit(&mut maintenance, &manifest, Edit { begun, ..Edit::default() }, |_| {})
    }

    /// The erasures that are not finished.
    pub(super) fn erasures(&self) -> Vec<Arc<Erasure>> {
        self.shared.state().erasing.iter().map(|erasing| Arc::clone(&erasing.erasure)).collect()
    }

    /// The next step of the first erasure that is not finished; `None` if there is none, or if it has to wait.
    pub(super) fn erase_step(
        &self,
        maintenance: &mut MutexGuard<'_, Maintenance>,
        published: &dyn Fn(&Manifest),
    ) -> Result<Option<Step>, Error> {
        let Some(erasing) = self.shared.state().erasing.first().cloned() else { return Ok(None) };
        let id = erasing.erasure.id;
        if maintenance.erasure.id != Some(id) {
            maintenance.erasure = Progress { id: Some(id), ..Progress::default() };
        }
        if self.failures.rest_us(&Work::Erasure).is_some() {
            return Ok(None);
        }
        // Where it waits for somebody there is neither a failure nor a success.
        let mut waits = false;
        let step = self.failures.attempt(&Work::Erasure, || {
            let step = self.advance(maintenance, &erasing, published)?;
            waits = step.is_none();
            step.ok_or(Error::Busy)
        });
        if waits { Ok(None) } else { step.map(Some) }
    }

    fn advance(
        &self,
        maintenance: &mut MutexGuard<'_, Maintenance>,
        erasing: &Erasing,
        published: &dyn Fn(&Manifest),
    ) -> Result<Option<Step>, Error> {
        let erasure = &erasing.erasure;
        if !maintenance.erasure.is_in_ledger {
            // A failed sync may not be tried again; a refusal comes before any sync.
            let added = ledger::add(&self.env, &self.layout, erasure);
            added.inspect_err(|error| self.stop_unless_refused(error))?;
            maintenance.erasure.is_in_ledger = true;
        }
        if let Some(step) = self.empty_log(maintenance, erasure, published)? {
            return Ok(Some(step));
        }
        if !is_seeded(Bug::EraseForgetsFiles)
            && let Some(step) = self.erase_files(maintenance, erasing, published)?
        {
            return Ok(Some(step));
        }
        let unlinked = self.unlink_retired(maintenance)?;
        let trimmed = self.trim_log(self.manifest().checkpoint())?;
        if unlinked + trimmed > 0 {
            return Ok(Some(Step::Trimmed { files: unlinked + trimmed }));
        }
        if maintenance.has_readers() {
            return Ok(None);
        }
        if !maintenance.is_tidy && !self.may_tidy(maintenance) {
            return Ok(None);
        }
        if let Some(step) = self.tidy_for(maintenance, erasure, published)? {
            return Ok(Some(step));
        }
        self.forget_dead_copies()?;
        self.forget_originals(erasure)?;
        if !maintenance.erasure.is_synced {
            let synced = mallard_compactor::sync_partitions(&self.env, self.layout.root(), erasure);
            synced.inspect_err(|error| self.stop_if_final(error))?;
            maintenance.erasure.is_synced = true;
        }
        let snapshots = match is_seeded(Bug::EraseForgetsSnapshots) {
            true => Snapshot::Done,
            false => self.erase_snapshot(maintenance, erasure)?,
        };
        match snapshots {
            Snapshot::Rewritten => return Ok(Some(Step::Erased { events: 0 })),
            Snapshot::Busy => return Ok(None),
            Snapshot::Done => {}
        }
        let manifest = self.manifest();
        self.commit(maintenance, &manifest, Edit { ended: vec![erasure.id], ..Edit::default() }, |_| {})?;
        Ok(Some(Step::Erased { events: 0 }))
    }

    /// Moves the log into Parquet through the last event that the erasure may take.
    fn empty_log(
        &self,
        maintenance: &mut MutexGuard<'_, Maintenance>,
        erasure: &Erasure,
        published: &dyn Fn(&Manifest),
    ) -> Result<Option<Step>, Error> {
        let (manifest, high_water) = {
            let state = self.shared.state();
            (Arc::clone(&state.manifest), state.high_water)
        };
        let through = match erasure.reach {
            Reach::Lsn => erasure.lsn.min(high_water),
            Reach::Received => high_water,
        };
        if manifest.checkpoint() >= through {
            return Ok(None);
        }
        let segments = self.uncompacted(&manifest);
        if segments.is_empty() {
            return Ok(self.log.seal()?.map(|_| Step::Sealed));
        }
        self.run(maintenance, &manifest, &Job::Compact { segments }, published).map(Some)
    }

    /// Takes the events out of the next few days.
    fn erase_files(
        &self,
        maintenance: &mut MutexGuard<'_, Maintenance>,
        erasing: &Erasing,
        published: &dyn Fn(&Manifest),
    ) -> Result<Option<Step>, Error> {
        let (manifest, erasure) = (self.manifest(), &erasing.erasure);
        let now_us = self.env.clock.now_us();
        let planned = plan_erasure(&manifest, erasure, erasing.done_until, now_us, &self.config.limits);
        let Some((job, last)) = planned else { return Ok(None) };
        let edit = self.make(maintenance, &manifest, &job)?;
        let events = edit.erased_rows;
        let done = |state: &mut super::state::State| {
            if let Some(erasing) = state.erasing_mut(erasure.id) {
                erasing.done_until = Some(last);
            }
        };
        if edit.remove.is_empty() {
            done(&mut self.shared.state());
        } else {
            self.commit_and_publish(maintenance, &manifest, edit, published, done)?;
        }
        Ok(Some(Step::Erased { events }))
    }

    /// Takes the events out of one more snapshot.
    fn erase_snapshot(
        &self,
        maintenance: &mut MutexGuard<'_, Maintenance>,
        erasure: &Erasure,
    ) -> Result<Snapshot, Error> {
        let snapshots = Snapshots::of(self.env.clone(), self.layout.root());
        let rewriting = Rewriting { limits: &self.config.limits, erasure: Some(erasure), first_kept: None };
        let done = &mut maintenance.erasure.snapshots;
        match snapshots.rewrite_next(&rewriting, done) {
            Ok(None) => Ok(Snapshot::Done),
            Ok(Some(is_changed)) => {
                if let Some(erasing) = self.shared.state().erasing_mut(erasure.id) {
                    erasing.snapshots += u64::from(is_changed);
                }
                Ok(Snapshot::Rewritten)
            }
            Err(Error::Locked { .. }) => Ok(Snapshot::Busy),
            Err(error) => Err(error).inspect_err(|error| self.stop_unless_refused(error)),
        }
    }

    /// IMPORTANT: what has failed to be written or synced may not be tried again in this life of the process, as in
    /// [`Store::stop_if_final`]. Reading may, and what was refused before it reached a device; a sync never is.
    pub(super) fn stop_unless_refused(&self, error: &Error) {
        if let Error::Compactor(error) = error {
            self.stop_if_final(error);
        }
        let is_final = match error {
            Error::Io { source, .. } => source.raw_os_error().is_some() || is_failed_sync(source),
            Error::Wal(mallard_wal::Error::Io { operation, .. }) => !matches!(*operation, "remove" | "read"),
            Error::Poisoned(_) | Error::Wal(mallard_wal::Error::Poisoned { .. }) => true,
            _ => false,
        };
        if is_final && !error.is_refusal() {
            self.shared.poison(&error.to_string());
        }
    }
}

/// The half of a store id that may be shown.
pub(crate) fn shown(store_id: u128) -> u64 {
    u64::try_from(store_id >> 64).unwrap_or_default()
}
