//! A checksummed write-ahead log of opaque records.

pub mod disk;
mod error;
mod fields;
mod frame;
pub mod log;
mod lsn;
mod names;
pub mod record;
pub mod recovery;
pub mod segment;

pub use error::Error;
pub use log::{Committed, Config, Drive, Log, LogError, Observer, OnCorruption, Receipt, Refused, Status, lock_dir};
pub use lsn::Lsn;
pub use record::{Draft, Kind, Record, RecordError, RecordTooLarge};
pub use recovery::{Origin, Recovery, Report, recover};
pub use segment::{
    Corruption, End, HeaderError, LoadedSegment, Scan, Seal, SealedSegment, SegmentHeader, SegmentWriter, scan,
};
