//! The sizes and times of a log, and their relations.

use crate::frame::FRAME_HEADER_BYTES;
use crate::record::RECORD_BYTES_MAX;
use crate::segment::{ALIGN_MAX, ALIGN_MIN, FRAME_PAYLOAD_BYTES_MAX, HEADER_BYTES};

/// The longest segment: recovery reads a segment into memory.
const SEGMENT_BYTES_MAX: u32 = 64 * 1024 * 1024;
/// The shortest: a header page, a data frame of one alignment unit, a MARK and a SEAL at the largest alignment.
const SEGMENT_BYTES_MIN: u32 = 4 * ALIGN_MAX;

/// What recovery does about corruption.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnCorruption {
    /// Keep the damaged original in the quarantine, recover every record that verifies, record the rest as gaps.
    #[default]
    Salvage,
    /// Fail with an error that names the damage, and change nothing.
    Refuse,
}

/// Sizes and times of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Length of a prepared segment. Bounds the unit of compaction and of replay.
    pub segment_bytes: u32,
    /// Length of the first segment after a start, which is zero-filled while the first event waits for it. Small, so
    /// that a cold start is quick; the next one is prepared in the background at full length.
    pub first_segment_bytes: u32,
    /// Frames start on multiples of this: a power of two from 512 to 4096.
    pub commit_align: u32,
    /// The longest frame payload: what one group commit takes at most.
    pub frame_payload_bytes_max: u32,
    /// Bytes of records that may wait for the commit thread; past that an append is refused as busy.
    pub queue_bytes_max: usize,
    /// How long the queue must stay empty before a MARK is written.
    pub mark_idle_ms: u64,
    /// What recovery does about corruption.
    pub on_corruption: OnCorruption,
}

impl Default for Config {
    fn default() -> Self {
        DEFAULT
    }
}

const DEFAULT: Config = Config {
    segment_bytes: 8 * 1024 * 1024,
    first_segment_bytes: 256 * 1024,
    commit_align: 4096,
    frame_payload_bytes_max: FRAME_PAYLOAD_BYTES_MAX,
    queue_bytes_max: 4 * 1024 * 1024,
    mark_idle_ms: 50,
    on_corruption: OnCorruption::Salvage,
};

const _: () = {
    DEFAULT.check();
    assert!(DEFAULT.payload_bytes_max() >= RECORD_BYTES_MAX, "a frame must hold the longest record");
    assert!(DEFAULT.payload_bytes_max() == FRAME_PAYLOAD_BYTES_MAX as usize, "a segment must hold the longest frame");
};

impl Config {
    /// Asserts the relations that the log relies on. Small sizes are fine, shapes that cannot work are the caller's bug.
    pub const fn check(&self) {
        assert!(self.commit_align.is_power_of_two(), "commit_align must be a power of two");
        assert!(self.commit_align >= ALIGN_MIN && self.commit_align <= ALIGN_MAX, "commit_align must be 512..=4096");
        assert!(self.frame_payload_bytes_max <= FRAME_PAYLOAD_BYTES_MAX, "a frame holds at most 1 MiB");
        assert!(self.segment_bytes <= SEGMENT_BYTES_MAX, "a segment is read into memory as a whole");
        assert!(self.segment_bytes >= SEGMENT_BYTES_MIN, "a segment must hold a header, a frame, a MARK and a SEAL");
        assert!(
            self.queue_bytes_max >= self.payload_bytes_max(),
            "the queue must hold a whole frame, or the largest batch could never be accepted"
        );
    }

    /// The longest frame payload: as configured, or what fits into a segment beside its header, a MARK and a SEAL.
    pub(crate) const fn payload_bytes_max(&self) -> usize {
        let align = self.commit_align as usize;
        let units = (self.segment_bytes as usize - HEADER_BYTES) / align - 2;
        let fits = units * align - FRAME_HEADER_BYTES;
        let wanted = self.frame_payload_bytes_max as usize;
        if fits < wanted { fits } else { wanted }
    }

    /// The length that a segment file had while it was written, guessed from the length it has; for files that lost
    /// their header, which knows.
    pub(crate) fn full_bytes(&self, bytes: u64) -> u64 {
        let usual = [self.first_segment_bytes(), self.segment_bytes].map(u64::from);
        if usual.contains(&bytes) { bytes } else { self.segment_bytes.into() }
    }

    /// The length of the segment that is made while the first event of a life waits for it.
    pub(crate) fn first_segment_bytes(&self) -> u32 {
        self.first_segment_bytes.clamp(SEGMENT_BYTES_MIN, self.segment_bytes)
    }
}
