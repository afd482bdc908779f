//! A write-ahead log of opaque records: durable ordered bytes, `append(bytes) -> Receipt(LSN)`.
//!
//! ```text
//!                recover ─────────────► Recovery ──start──► Log ──close──►
//!                   │ every record above the checkpoint      │ append, append_all → receipts
//!                   ▼ in order, gaps included                 │ seal, trim, status
//!                 owner ◄────────────── Observer ─────────────┘
//!
//!  folder    00000000000000000001.wal   sealed     ┐ compacted by somebody else, then trimmed
//!            00000000000000008213.wal   sealed     ┘
//!            00000000000000016440.wal   active     one commit thread writes, behind everything that is there
//!            00000000000000000004.wal.new          zero-filled, the next one
//!
//!  segment   header page │ frame │ frame │ ... │ SEAL        (crate::segment)
//!  frame     header │ record, record, ... │ zeros            one group commit: one write, one fdatasync
//!  record    envelope │ body │ LSN, crc                      (crate::record)
//! ```
//!
//! What it promises
//!
//! 1. A receipt resolves to an LSN only when an fdatasync has covered the record *and* its segment's name is durable.
//! 2. LSNs are dense, from 1, and never given out twice.
//! 3. A recovery gives back every acknowledged record above the checkpoint, once, in order. What damage has destroyed it
//!    names as gaps, exactly, and keeps the damaged file; it never delivers a wrong record.
//! 4. The first failed write or sync is the last: the log is poisoned, every waiter learns that its outcome is unknown,
//!    and nothing is written any more. No sync is ever repeated.
//! 5. Nothing is appended to a file that another life of the process has made.
//! 6. An append never waits: a full queue refuses.
//!
//! Each has tests that fail without it: `tests/simulation.rs` (power cuts and failing calls at every moment),
//! `tests/damage.rs` (flipped bits, cut files, unreadable sectors), `tests/model.rs` (the log is a list).
//!
//! What it does not do: look into a body, know sites or Parquet or HTTP, decide when to compact, retry. Time, randomness
//! and the disk are arguments ([`disk::Env`]). The bytes are specified in `docs/format.md`.

mod copy;
pub mod disk;
mod error;
mod examine;
mod fields;
mod frame;
pub mod log;
mod lsn;
mod names;
pub mod record;
pub mod recovery;
#[doc(hidden)]
pub mod seeded;
pub mod segment;
mod store;

pub use copy::{Copied, copy};
pub use error::Error;
pub use examine::{Examination, Examined, Fault};
pub use log::{
    Committed, Config, Drive, Log, LogError, NoSegment, Observer, OnCorruption, Receipt, Refused, Status, lock_dir,
};
pub use lsn::Lsn;
pub use names::segment as segment_path;
pub use record::{Draft, Kind, Record, RecordError, RecordTooLarge};
pub use recovery::{KnownEnd, Origin, Recovery, Report, first_lsn, recover, recover_noting, strangers};
pub use segment::{
    Corruption, End, HeaderError, LoadedSegment, Scan, Seal, SealedSegment, SegmentHeader, SegmentWriter, scan,
};
pub use store::{StoreTag, shown_store_id};
