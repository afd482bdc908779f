//! What recovery tells its caller, and what it is told.

use crate::Lsn;

/// What the caller knows from elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The store whose log this is.
    pub store_id: u128,
    /// The LSN through which the log is compacted: what is at or below it is not needed any more.
    pub checkpoint: Lsn,
    /// How far the log has gone, if one has been begun; none if there need not be any.
    pub end: Option<KnownEnd>,
}

/// How far a log is known to have gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownEnd {
    /// The newest LSN that it is known to have held.
    pub high_water: Lsn,
    /// How many LSNs behind that can have been given out since, at most: where the log has lost its end they are skipped.
    pub further_max: u64,
}

impl Origin {
    /// Of a log of which nothing is known but what is compacted of it.
    pub const fn new(store_id: u128, checkpoint: Lsn) -> Self {
        Self { store_id, checkpoint, end: None }
    }
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
    /// The first LSN of the end that the log has lost, if it ended before the one that it was known to have held, or was not
    /// there at all. The last of the gaps stands for that end, and for all that can have come behind.
    pub lost_from: Option<Lsn>,
    /// The LSN of the next record.
    pub next_lsn: Lsn,
}
