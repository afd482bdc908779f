//! What recovery tells its caller, and what it is told.

use crate::Lsn;

/// What the caller knows from elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The store whose log this is.
    pub store_id: u128,
    /// The LSN through which the log is compacted: what is at or below it is not needed any more.
    pub checkpoint: Lsn,
}

/// What recovery found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Records delivered, gap records included.
    pub records: u64,
    /// Bytes of segments read.
    pub bytes: u64,
    /// Segments without any record at or above the checkpoint, which a trim will remove.
    pub leftovers: u64,
    /// Torn frames that were dropped: never acknowledged, so not a loss.
    pub torn_frames: u64,
    /// Bytes of torn frames.
    pub torn_bytes: u64,
    /// Bytes that the device failed to read.
    pub unreadable_bytes: u64,
    /// Ranges of lost LSNs above the checkpoint, first and last; also those that an earlier recovery recorded.
    pub gaps: Vec<(Lsn, Lsn)>,
    /// Names of the originals put into the quarantine, by this recovery: damaged ones, and those with a torn frame.
    pub quarantined: Vec<String>,
    /// The names among them of those that were damaged.
    pub damaged: Vec<String>,
    /// Whether there was no segment at all although the checkpoint is not zero: what came after it, if anything, is gone
    /// without a trace.
    pub log_was_missing: bool,
    /// The LSN of the next record.
    pub next_lsn: Lsn,
}
