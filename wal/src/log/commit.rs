//! The commit thread's work: take everything that waits, make it durable with one write and one sync, tell everybody.
//!
//! ```text
//! wait ─ batch ─ make room ─ one frame: pwrite, fdatasync ─ high water ─ observer.committed ─ receipts ─┐
//!  ↑                                                                                                   │
//!  └───────────────────────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! There is no timer: while one sync runs the next batch gathers behind it. The steps are the same whoever runs them, a
//! thread ([`Committer::run`]) or the owner of a manual log ([`Committer::pump`]).
//!
//! A failed write, sync or rename is final. The queue is latched first, then the observer is told, then every waiter gets
//! "outcome unknown"; nothing is written any more.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::Duration;

use super::active::{Active, Failure};
use super::observer::{Committed, Observer};
use super::queue::{Batch, Work};
use super::receipt::{LogError, NoSegment};
use super::shared::Shared;
use crate::disk::Clock;
use crate::seeded::{Bug, is_seeded};
use crate::{Error, Lsn, SealedSegment};

/// Everything the commit thread owns.
pub(super) struct Committer<T> {
    shared: Arc<Shared<T>>,
    observer: Arc<dyn Observer<T>>,
    clock: Arc<dyn Clock>,
    active: Active,
    batch: Batch<T>,
    mark_idle: Duration,
}

impl<T> Committer<T> {
    pub(super) fn new(
        shared: Arc<Shared<T>>,
        observer: Arc<dyn Observer<T>>,
        clock: Arc<dyn Clock>,
        active: Active,
        mark_idle_ms: u64,
    ) -> Self {
        let mark_idle = Duration::from_millis(mark_idle_ms);
        Self { shared, observer, clock, active, batch: Batch::default(), mark_idle }
    }

    /// Begins the first segment. Where none can be prepared that is no reason not to start: appends fail until one can.
    pub(super) fn begin(&mut self) -> Result<(), Error> {
        let result = self.active.begin();
        self.settle(result)
    }

    /// The commit thread's body: works until the log is closed, abandoned or poisoned.
    pub(super) fn run(mut self) -> Result<(), Error> {
        let worked = panic::catch_unwind(AssertUnwindSafe(|| while self.step() {}));
        if worked.is_err() {
            self.poison("the commit thread panicked");
        }
        self.shared.check_poison()
    }

    fn step(&mut self) -> bool {
        let idle = self.active.wants_mark().then_some(self.mark_idle);
        let work = self.shared.queue.wait(&mut self.batch, idle);
        self.perform(work)
    }

    /// One group commit, if anything waits; else a MARK, if it would say something new: a queue found empty is idle.
    pub(super) fn pump(&mut self) -> Result<bool, Error> {
        self.shared.queue.check_open()?;
        let work = self.shared.queue.poll(&mut self.batch);
        let has_worked = work.is_some();
        self.perform(work.unwrap_or(Work::Idle));
        self.shared.check_poison().map(|()| has_worked)
    }

    /// Commits what is queued and seals.
    pub(super) fn close(&mut self) -> Result<(), Error> {
        while let Some(work) = self.shared.queue.poll(&mut self.batch) {
            if !self.perform(work) {
                break;
            }
        }
        self.shared.check_poison()
    }

    /// Does one thing; returns whether there is more to come.
    fn perform(&mut self, work: Work) -> bool {
        match work {
            Work::Commit => self.commit(),
            Work::Seal(reply) => {
                // Whoever asked may have gone.
                reply.send(self.seal()).ok();
            }
            Work::Idle => self.mark(),
            Work::Close => {
                self.finish();
                return false;
            }
            Work::Abandon => return false,
        }
        true
    }

    fn commit(&mut self) {
        let made_room = self.active.make_room(self.batch.bytes).map(|sealed| self.publish_sealed(sealed));
        let started_us = self.clock.steady_us();
        match made_room.and_then(|_| self.active.commit(&self.batch.drafts)) {
            Ok(first) => self.acknowledge(first, started_us),
            Err(Failure::NoSegment(cause)) => self.refuse(cause),
            Err(Failure::Fatal(cause)) if is_seeded(Bug::GoOnAfterFailure) => {
                self.refuse(NoSegment { cause: cause.into(), is_lack_of_space: false });
            }
            Err(Failure::Fatal(cause)) => self.poison(&cause),
        }
    }

    fn acknowledge(&mut self, first: Lsn, started_us: i64) {
        let records = self.batch.drafts.len();
        let micros = u64::try_from(self.clock.steady_us() - started_us).unwrap_or(0);
        // IMPORTANT: in this order. Who holds a receipt must find the high water raised and the records published.
        self.shared.committed(self.active.writer());
        self.observer.synced(micros, records);
        self.observer.committed(Committed::new(first, std::mem::take(&mut self.batch.items)));
        let mut lsn = first;
        for (sender, records) in self.batch.senders.drain(..) {
            // Whoever waited may have gone.
            sender.send(Ok(lsn)).ok();
            lsn = lsn.advance(records as u64);
        }
        self.clear_batch();
    }

    /// Nothing was written: tells the batch so and goes on.
    fn refuse(&mut self, cause: NoSegment) {
        self.lacks_segment(&cause);
        for (sender, _) in self.batch.senders.drain(..) {
            sender.send(Err(LogError::NotWritten(cause.clone()))).ok();
        }
        self.clear_batch();
    }

    /// Tells the observer once.
    fn lacks_segment(&self, cause: &NoSegment) {
        if self.shared.lacks_segment(cause) {
            self.observer.lacks_segment(cause);
        }
    }

    fn poison(&mut self, cause: &str) {
        if is_seeded(Bug::ShowBeforeSync) {
            self.observer.committed(Committed::new(self.active.next_lsn(), std::mem::take(&mut self.batch.items)));
        }
        let waiting = self.shared.queue.poison(cause);
        // What the active segment holds is unknown from here on.
        self.shared.changed(None);
        self.observer.poisoned(cause);
        let written = self.batch.senders.drain(..).map(|(sender, _)| sender);
        for sender in written.chain(waiting) {
            sender.send(Err(LogError::OutcomeUnknown)).ok();
        }
        self.clear_batch();
    }

    fn clear_batch(&mut self) {
        self.batch.drafts.clear();
        self.batch.items.clear();
        self.batch.bytes = 0;
    }

    fn mark(&mut self) {
        match self.active.mark() {
            Ok(()) => {}
            Err(Failure::Fatal(cause)) => self.poison(&cause),
            Err(Failure::NoSegment(_)) => unreachable!("a mark needs no segment"),
        }
    }

    /// Seals the active segment and begins the next one.
    pub(super) fn seal(&mut self) -> Result<Option<SealedSegment>, Error> {
        let ended = self.active.end().map(|sealed| self.publish_sealed(sealed));
        let sealed = self.settle(ended)?;
        let renewed = self.active.renew();
        if self.settle(renewed)? {
            self.shared.has_segment();
        }
        Ok(sealed)
    }

    fn finish(&mut self) {
        let ended = self.active.end().map(|sealed| self.publish_sealed(sealed));
        if self.settle(ended).is_ok() {
            self.shared.queue.abandon();
        }
    }

    /// Turns a failure into its consequence: a missing segment is only noted, anything else poisons the log.
    fn settle<V: Default>(&mut self, result: Result<V, Failure>) -> Result<V, Error> {
        let value = match result {
            Ok(value) => value,
            Err(Failure::NoSegment(cause)) => {
                self.lacks_segment(&cause);
                V::default()
            }
            Err(Failure::Fatal(cause)) => {
                self.poison(&cause);
                return Err(Error::Poisoned { cause });
            }
        };
        self.shared.changed(self.active.writer());
        Ok(value)
    }

    fn publish_sealed(&self, sealed: Option<SealedSegment>) -> Option<SealedSegment> {
        if let Some(segment) = &sealed {
            self.shared.sealed(segment.clone());
            self.observer.sealed(segment.clone());
        }
        sealed
    }
}
