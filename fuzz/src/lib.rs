//! What the fuzz targets share.
//!
//! Bytes from nowhere stop at the first checksum. So most targets do not take their input for a file but for a *script*
//! of small steps ([`script`]), which a fuzzer varies step by step: first what a log or a segment goes through, then what
//! happens to its files ([`damage`]). The files are written by the program itself. The target that does take a file
//! ([`forge`]) makes its checksums right again before the program sees it.
//!
//! ```text
//! record     any bytes, also with a right checksum
//! segment    script: a segment, then damage                      what is read is a prefix of what was written
//! recovery   script: lives of a log, power cuts, then damage     what was acknowledged is there, or inside a gap
//! forge      a segment file with right checksums                 scan and recovery end, and agree with themselves
//! manifest   the records of a manifest file, then damage         it opens or is refused
//! edit       two manifest edits, one after the other, in every version
//! erasure    which events are to be no more
//! event      the body of an event
//! payload    the body of a request, a page's address, the pixel's query
//! batch      the body of a request with many events
//! filters    the parameter `filters` of reports
//! ```

pub mod damage;
pub mod entry;
pub mod forge;
pub mod history;
mod limit;
pub mod script;

use mallard_wal::{Config, Lsn, SegmentHeader, StoreTag};

/// The store of all targets; also that of the golden files, which are seeds.
pub const STORE_ID: u128 = 0x0123_4567_89ab_cdef_0011_2233_4455_6677;

/// The tag in its checksums.
pub fn store() -> StoreTag {
    StoreTag::of(STORE_ID)
}

/// A log with sizes at which every edge is near.
pub fn config() -> Config {
    Config {
        segment_bytes: 16 * 1024,
        first_segment_bytes: 16 * 1024,
        commit_align: 512,
        frame_payload_bytes_max: 8 * 1024,
        queue_bytes_max: 64 * 1024,
        mark_idle_ms: 1,
        ..Config::default()
    }
}

/// The header of a segment that is written without a log.
pub fn header(prepared_bytes: u64, commit_align: u32) -> SegmentHeader {
    SegmentHeader {
        store_id: STORE_ID,
        number: 1,
        base_lsn: Lsn::FIRST,
        epoch: 1,
        nonce: 0x1122_3344_5566_7788,
        created_us: 0,
        previous_chain: 0,
        commit_align,
        flags: 0,
        prepared_bytes,
        frame_payload_bytes_max: 8 * 1024,
    }
}
