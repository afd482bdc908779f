//! Erasure: events that are to be no more, in memory, in the log, in files and in local snapshots.
//!
//! ```text
//! 1 a record in the log            the commit point: it has an LSN, and from here on no query shows the events below it
//! 2 the ledger                     erasure.log: what every restore applies again
//! 3 the log goes into Parquet      through the record, without the events
//! 4 the files, day by day          written anew without the events, the old ones unlinked when nobody reads them any more
//! 5 the quarantine                 originals of damaged segments, which may hold anything
//! 6 the snapshots                  each is a store of its own: 1 and 3 to 5 inside of it
//! 7 the manifest forgets it        only now it is done
//! ```
//! Each step may be cut off and done again. What is left to do follows from the log and the manifest, so that a start goes
//! on where a crash has interrupted; the order and its reasons are decision 0008.
//!
//! Here are the words of it and the ledger; the steps are those of the store (`store/erase.rs`).

pub(crate) mod ledger;

use mallard_event::{SiteId, Subject};

use crate::error::Error;
use crate::query::Span;

/// Which events are to be erased: those of one site whose own times lie in a span, of everybody or of one subject, and that
/// were accepted before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasureRequest {
    /// The site.
    pub site: SiteId,
    /// The stretch of time.
    pub span: Span,
    /// Whose events; `None` for everybody's.
    pub subject: Option<Subject>,
}

/// What an erasure has done, over crashes and restarts. Each event is counted once, in whatever it was, and for the first
/// erasure that took it; copies in snapshots are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// Its position in the log.
    pub lsn: u64,
    /// Events removed.
    pub events: u64,
    /// Days whose Parquet files were removed or written anew.
    pub partitions: u64,
    /// Segments of the log that held events and are gone.
    pub segments: u64,
    /// Snapshots written anew by the process that finished it; those that an earlier one had written before a crash are not counted.
    pub snapshots: u64,
}

/// An erasure was not made, or is not finished.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// Nothing was recorded: the log is busy, closing or poisoned, or too many erasures are unfinished.
    #[error("the erasure was not recorded; try again")]
    NotRecorded,
    /// It is recorded, no query shows the events any more, and something of them is still on the disk: maintenance goes on
    /// trying.
    #[error("the erasure is recorded and not finished: {0}")]
    Incomplete(Error),
    /// The log failed: it may or may not be recorded. Repeating it is safe.
    #[error("the outcome of the erasure is unknown; repeat it")]
    OutcomeUnknown,
}
