//! The log of a running process: appends in, group commits out.
//!
//! ```text
//!  appenders ──append──► queue (bounded by bytes) ──► commit thread ──► active segment ──► sealed segments ──► trim
//!      ▲                                                   │ one frame: one pwrite, one fdatasync
//!      └────────────── receipt: the LSN ◄──────────────────┘ observer: committed, sealed, synced, poisoned
//! ```
//!
//! Invariants
//!
//! - A receipt resolves to an LSN only after an fdatasync that covers it, in a segment whose name is durable.
//! - The observer hears of a batch after its sync and before its receipts.
//! - Appending never blocks: a full queue refuses.
//! - The first failed write, sync or rename of the commit path is the last: every waiter gets "outcome unknown", every
//!   append is refused, the process must restart. Nothing is retried.
//! - A segment that cannot be *prepared* (a full disk, most often) is not such a failure: no record was written, and what was
//!   begun is thrown away. The batch that needed it gets [`LogError::NotWritten`], the log goes on and tries again with the next batch.
//!
//! The log does not look into a body, does not compact, does not decide when to seal but for a full segment, and does not
//! read: records come back through [`recover`](crate::recover) and [`SealedSegment::load`].

mod active;
mod commit;
mod config;
mod observer;
mod prepare;
mod queue;
mod receipt;
mod shared;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};

use thiserror::Error as ThisError;

pub use config::{Config, OnCorruption};
pub use observer::{Committed, Observer};
pub use receipt::{LogError, NoSegment, Receipt};

use self::active::Active;
use self::commit::Committer;
use self::shared::Shared;
use crate::disk::{Env, Lock};
use crate::{Draft, Error, Lsn, Recovery, SealedSegment};

/// Why an append was refused; nothing of it is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ThisError)]
pub enum Refused {
    /// The queue is full.
    #[error("the queue of the log is full: try again in a moment")]
    Busy,
    /// A write or sync failed before.
    #[error("the log is poisoned: restart to recover")]
    Poisoned,
    /// The log was closed.
    #[error("the log is closed")]
    Closed,
    /// The records do not fit into one frame.
    #[error("{bytes} bytes of records do not fit into one commit of {bytes_max}: split them")]
    TooLarge {
        /// Bytes of the records.
        bytes: usize,
        /// The most that one commit takes.
        bytes_max: usize,
    },
}

/// Who runs the commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drive {
    /// A thread of the log's own, and one that prepares segments.
    Thread,
    /// The owner, by calling [`Log::pump`]: everything happens inline and in a fixed order.
    Manual,
}

/// Figures of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Bytes of records that wait for the commit thread.
    pub queue_bytes: usize,
    /// Bytes that may wait.
    pub queue_bytes_max: usize,
    /// Bytes of all segment files, the active one at its full length.
    pub wal_bytes: u64,
    /// Records in the active segment.
    pub active_records: u64,
    /// When the oldest record in the active segment was received.
    pub active_oldest_us: Option<i64>,
    /// The first failure, if the log is poisoned.
    pub poisoned: Option<String>,
    /// Why appends fail for want of a segment, until one succeeds or a segment is begun.
    pub no_segment: Option<NoSegment>,
    /// Number of frames with records synced since the start.
    pub syncs: u64,
}

/// A segment that is wholly at or below the checkpoint and waits to be trimmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leftover {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
}

impl From<SealedSegment> for Leftover {
    fn from(segment: SealedSegment) -> Self {
        Self { path: segment.path, bytes: segment.bytes }
    }
}

/// An ordered, durable log of records, each with an item of the owner's that comes back once the record is durable.
///
/// Closing it is [`Log::close`]. Dropping it without is like a kill: what is queued is lost, what was acknowledged is not.
pub struct Log<T> {
    shared: Arc<Shared<T>>,
    driver: Driver<T>,
}

enum Driver<T> {
    Thread(Mutex<Option<JoinHandle<Result<(), Error>>>>),
    Manual(Box<Mutex<Committer<T>>>),
}

impl Recovery {
    /// Starts the log in a new segment behind everything that was recovered.
    ///
    /// A segment that cannot be prepared is no error, whatever the cause: appends fail until one can be, and
    /// [`Status::no_segment`] says why. A failed write, sync or rename of one that was is.
    pub fn start<T: Send + 'static>(self, observer: Arc<dyn Observer<T>>, drive: Drive) -> Result<Log<T>, Error> {
        let active = Active::new(&self, drive)?;
        let (clock, dir, mark_idle_ms) = (self.env.clock.clone(), self.dir.clone(), self.config.mark_idle_ms);
        let shared = Arc::new(Shared::new(self));
        let mut committer = Committer::new(shared.clone(), observer, clock, active, mark_idle_ms);
        committer.begin()?;
        let driver = match drive {
            Drive::Manual => Driver::Manual(Box::new(Mutex::new(committer))),
            Drive::Thread => {
                let builder = thread::Builder::new().name("wal-commit".to_owned());
                let spawned = builder.spawn(move || committer.run());
                Driver::Thread(Mutex::new(Some(spawned.map_err(Error::io("start a thread for", &dir))?)))
            }
        };
        Ok(Log { shared, driver })
    }
}

impl<T> Log<T> {
    /// Queues one record; `item` goes to [`Observer::committed`] when it is durable. Never blocks.
    pub fn append(&self, draft: Draft, item: T) -> Result<Receipt, Refused> {
        let receipt = self.append_quietly(draft, item)?;
        self.nudge();
        Ok(receipt)
    }

    /// [`Log::append`] for a caller that may have more to append at once: the commit thread need not begin before
    /// [`Log::nudge`] is called. So the records that come together share a frame.
    pub fn append_quietly(&self, draft: Draft, item: T) -> Result<Receipt, Refused> {
        self.shared.queue.push_quietly(draft, item)
    }

    /// Lets the commit thread begin with what was appended.
    pub fn nudge(&self) {
        self.shared.queue.nudge();
    }

    /// Queues records that become durable together or not at all; the receipt names the first LSN.
    ///
    /// Panics if there is none.
    pub fn append_all(&self, records: Vec<(Draft, T)>) -> Result<Receipt, Refused> {
        self.shared.queue.push_all(records)
    }

    /// Seals the active segment and begins the next; none if it has no record. Records that still wait in the queue
    /// go to the next segment. Where there is no active segment it tries to begin one. Blocks until it is done.
    pub fn seal(&self) -> Result<Option<SealedSegment>, Error> {
        match &self.driver {
            Driver::Manual(committer) => {
                self.shared.queue.check_open()?;
                hold(committer).seal()
            }
            Driver::Thread(_) => {
                let (reply, answer) = mpsc::sync_channel(1);
                self.shared.queue.request_seal(reply)?;
                // Without an answer the thread is gone: poisoned or closed.
                answer.recv().unwrap_or_else(|_| self.shared.check_poison().and(Err(Error::Closed)))
            }
        }
    }

    /// Unlinks the segments that are wholly at or below the checkpoint, durably; returns how many.
    pub fn trim(&self, checkpoint: Lsn) -> Result<usize, Error> {
        self.shared.trim(checkpoint)
    }

    /// The sealed segments that were not trimmed, in log order.
    pub fn sealed(&self) -> Vec<SealedSegment> {
        self.shared.sealed_segments()
    }

    /// The newest committed LSN.
    pub fn high_water(&self) -> Lsn {
        self.shared.high_water()
    }

    /// The log's figures.
    pub fn status(&self) -> Status {
        self.shared.status()
    }

    /// With [`Drive::Manual`]: one group commit; false if nothing waited, in which case a MARK is written if it would
    /// say something new.
    ///
    /// Panics with [`Drive::Thread`], where commits happen by themselves.
    pub fn pump(&self) -> Result<bool, Error> {
        match &self.driver {
            Driver::Manual(committer) => hold(committer).pump(),
            Driver::Thread(_) => panic!("only a manual log is pumped"),
        }
    }

    /// Refuses further appends, commits what is queued, seals the active segment and ends the threads. Closing twice is
    /// fine; closing a poisoned log is an error that says so.
    pub fn close(&self) -> Result<(), Error> {
        self.shared.queue.close();
        match &self.driver {
            Driver::Manual(committer) => hold(committer).close(),
            Driver::Thread(thread) => match hold(thread).take().map(JoinHandle::join) {
                Some(Ok(result)) => result,
                Some(Err(_)) | None => self.shared.check_poison(),
            },
        }
    }
}

impl<T> Drop for Log<T> {
    fn drop(&mut self) {
        self.shared.queue.abandon();
        if let Driver::Thread(thread) = &self.driver {
            // Nothing is written any more once this returns.
            hold(thread).take().map(JoinHandle::join);
        }
    }
}

impl<T> fmt::Debug for Log<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("status", &self.status()).finish_non_exhaustive()
    }
}

/// Locks a data directory for this process, for as long as the guard lives.
pub fn lock_dir(env: &Env, dir: &Path) -> Result<Box<dyn Lock>, Error> {
    let path = dir.join("LOCK");
    env.disk.lock(&path).map_err(|source| match source.kind() {
        io::ErrorKind::WouldBlock => Error::Locked { path },
        _ => Error::Io { operation: "lock", path, source },
    })
}

/// A random number for a segment's header.
pub(crate) fn nonce(env: &Env) -> u64 {
    let mut bytes = [0; 8];
    env.entropy.fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

fn hold<V>(mutex: &Mutex<V>) -> std::sync::MutexGuard<'_, V> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
