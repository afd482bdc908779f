//! What the commit thread and the users of the log both see.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::queue::Queue;
use super::{Leftover, NoSegment, Status};
use crate::disk::Disk;
use crate::seeded::{Bug, is_seeded};
use crate::segment::{SealedSegment, SegmentWriter};
use crate::{Error, Lsn, Recovery};

/// The queue, and the log's figures.
pub(super) struct Shared<T> {
    pub(super) queue: Queue<T>,
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    figures: Mutex<Figures>,
}

/// The log as of the last commit.
#[derive(Debug)]
struct Figures {
    high_water: Lsn,
    sealed: Vec<SealedSegment>,
    leftovers: Vec<Leftover>,
    active: Option<ActiveFigures>,
    no_segment: Option<NoSegment>,
    syncs: u64,
}

/// The active segment as of the last commit.
#[derive(Clone, Copy, Debug)]
struct ActiveFigures {
    records: u64,
    oldest_us: Option<i64>,
    file_bytes: u64,
}

impl ActiveFigures {
    fn of(writer: &SegmentWriter) -> Self {
        let file_bytes = writer.header().prepared_bytes;
        Self { records: writer.records(), oldest_us: writer.oldest_us(), file_bytes }
    }
}

impl<T> Shared<T> {
    pub(super) fn new(recovery: Recovery) -> Self {
        let config = &recovery.config;
        let queue = Queue::new(config.queue_bytes_max, config.payload_bytes_max());
        let figures = Figures {
            high_water: recovery.next_lsn().previous(),
            sealed: recovery.sealed,
            leftovers: recovery.leftovers,
            active: None,
            no_segment: None,
            syncs: 0,
        };
        Self { queue, disk: recovery.env.disk, dir: recovery.dir, figures: Mutex::new(figures) }
    }

    /// A frame was synced.
    pub(super) fn committed(&self, writer: Option<&SegmentWriter>) {
        let mut figures = self.figures();
        figures.syncs += 1;
        figures.no_segment = None;
        figures.active = writer.map(ActiveFigures::of);
        figures.high_water = writer.map_or(figures.high_water, |writer| writer.next_lsn().previous());
    }

    /// The active segment is another one.
    pub(super) fn changed(&self, writer: Option<&SegmentWriter>) {
        self.figures().active = writer.map(ActiveFigures::of);
    }

    /// A segment was begun: what kept one from being prepared does so no longer.
    pub(super) fn has_segment(&self) {
        self.figures().no_segment = None;
    }

    /// A segment was sealed.
    pub(super) fn sealed(&self, segment: SealedSegment) {
        self.figures().sealed.push(segment);
    }

    /// The next segment could not be prepared; whether that is news.
    pub(super) fn lacks_segment(&self, cause: &NoSegment) -> bool {
        self.figures().no_segment.replace(cause.clone()).is_none()
    }

    pub(super) fn check_poison(&self) -> Result<(), Error> {
        match self.queue.poisoned() {
            Some(cause) => Err(Error::Poisoned { cause: cause.to_string() }),
            None => Ok(()),
        }
    }

    pub(super) fn high_water(&self) -> Lsn {
        self.figures().high_water
    }

    pub(super) fn sealed_segments(&self) -> Vec<SealedSegment> {
        self.figures().sealed.clone()
    }

    pub(super) fn status(&self) -> Status {
        let poisoned = self.queue.poisoned().map(|cause| cause.to_string());
        let (queue_bytes, queue_bytes_max) = (self.queue.bytes(), self.queue.bytes_max());
        let figures = self.figures();
        let sealed_bytes: u64 = figures.sealed.iter().map(|segment| segment.bytes).sum();
        let leftover_bytes: u64 = figures.leftovers.iter().map(|leftover| leftover.bytes).sum();
        Status {
            queue_bytes,
            queue_bytes_max,
            wal_bytes: sealed_bytes + leftover_bytes + figures.active.map_or(0, |active| active.file_bytes),
            active_records: figures.active.map_or(0, |active| active.records),
            active_oldest_us: figures.active.and_then(|active| active.oldest_us),
            poisoned,
            no_segment: figures.no_segment.clone(),
            syncs: figures.syncs,
        }
    }

    /// Unlinks the segments that are wholly at or below the checkpoint, and syncs the folder; returns how many.
    ///
    /// While there is no active segment the newest stays: it carries the numbers and the chain to the next life.
    pub(super) fn trim(&self, checkpoint: Lsn) -> Result<usize, Error> {
        let doomed = self.below(checkpoint);
        for leftover in &doomed {
            match self.disk.remove_file(&leftover.path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::io("remove", &leftover.path)(error));
                }
                _ => {}
            }
        }
        if doomed.is_empty() {
            return Ok(0);
        }
        self.disk.sync_dir(&self.dir).map_err(Error::io("sync", &self.dir))?;
        let mut figures = self.figures();
        figures.leftovers.retain(|leftover| !doomed.contains(leftover));
        Ok(doomed.len())
    }

    /// Moves what is wholly at or below the checkpoint to the leftovers, and returns those that may go.
    fn below(&self, checkpoint: Lsn) -> Vec<Leftover> {
        let mut figures = self.figures();
        let below = figures.sealed.extract_if(.., |segment| {
            segment.last_lsn <= checkpoint || (is_seeded(Bug::TrimOneTooMany) && segment.first_lsn == checkpoint.next())
        });
        let below: Vec<_> = below.map(Leftover::from).collect();
        figures.leftovers.extend(below);
        let mut doomed = figures.leftovers.clone();
        if figures.active.is_none() && figures.sealed.is_empty() {
            doomed.pop();
        }
        doomed
    }

    /// Held for a few moves, so a panic leaves nothing half done.
    fn figures(&self) -> MutexGuard<'_, Figures> {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
