//! How the log tells its owner what happened, without knowing who that is.

use super::NoSegment;
use crate::Lsn;
use crate::segment::SealedSegment;

/// The owner of a log, as the log sees it. Called on the commit thread (with [`Drive::Manual`](super::Drive::Manual): on
/// the caller of `pump`), one call at a time, in log order; a slow observer slows commits. An observer must not call
/// the log's blocking methods, nor wait for a lock that somebody holds around `Log::seal` or `Log::close`: it would wait
/// for itself.
pub trait Observer<T>: Send + Sync {
    /// A group commit is durable. Called after its sync and before its receipts resolve, so that whoever holds a receipt
    /// also sees what this call published.
    fn committed(&self, batch: Committed<T>);

    /// A segment is sealed: it never changes again and may be compacted.
    fn sealed(&self, segment: SealedSegment);

    /// A write or sync failed. Called once; from now on every append is refused.
    fn poisoned(&self, cause: &str);

    /// No next segment could be prepared: appends that need one fail until one can be. Called once, and again only after an
    /// append has succeeded.
    fn lacks_segment(&self, cause: &NoSegment) {
        let _ = cause;
    }

    /// A frame of `records` records was written and synced in `micros`.
    fn synced(&self, micros: u64, records: usize) {
        let _ = (micros, records);
    }
}

/// The items of one group commit, which are durable: only the log can make one.
#[derive(Debug)]
pub struct Committed<T> {
    first_lsn: Lsn,
    items: Vec<T>,
}

impl<T> Committed<T> {
    pub(super) const fn new(first_lsn: Lsn, items: Vec<T>) -> Self {
        Self { first_lsn, items }
    }

    /// LSN of the first item; item `i` has the LSN `i` further on.
    pub const fn first_lsn(&self) -> Lsn {
        self.first_lsn
    }

    /// The items, in log order.
    pub fn into_items(self) -> Vec<T> {
        self.items
    }
}
