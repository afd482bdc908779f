//! Where rows come from: what the store shows to queries.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use arrow::record_batch::RecordBatch;
use mallard_event::Date;

use super::question::QueryError;

/// One consistent moment of one site. Two calls never disagree, and no file that it names is removed while it lives.
pub(crate) trait Snapshot {
    /// The newest LSN that is visible.
    fn as_of(&self) -> u64;
    /// The UTC days within `range` that have events or are known to have lost some, ascending.
    fn days_with_data(&self, range: RangeInclusive<Date>) -> Vec<Date>;
    /// Everything of one UTC day.
    fn day(&self, date: Date) -> Result<Source, QueryError>;
    /// Changes whenever the files, the hot rows or the known damage of a day change: two snapshots of the site with the
    /// same version of a day have the same answers for it.
    fn day_version(&self, date: Date) -> u64;
}

/// The rows of one site and UTC day.
#[derive(Debug, Default)]
pub(crate) struct Source {
    /// Live Parquet files: every row at or below the checkpoint.
    pub(crate) files: Vec<SourceFile>,
    /// Hot rows, in batches of all columns: every row above the checkpoint, in any order.
    pub(crate) tail: Vec<RecordBatch>,
    /// Files and log positions that are lost, in words; none of them is in `files`.
    pub(crate) damaged: Vec<String>,
}

/// A live Parquet file.
#[derive(Clone, Debug)]
pub(crate) struct SourceFile {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// CRC-32 of the whole file, from the manifest.
    pub(crate) crc32: u32,
    /// Whether the original program wrote it: columns from `lsn` on are missing, and types may be narrower.
    pub(crate) is_adopted: bool,
}
