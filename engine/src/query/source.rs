//! Where rows come from: what the store shows to queries.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::compute::{filter_record_batch, not};
use arrow::record_batch::RecordBatch;
use mallard_compactor::{ERASURE_COLUMNS, Erasure};
use mallard_event::Date;

use super::pool::Lease;
use super::question::{QueryError, Span};

/// One consistent moment of one site. Two calls never disagree, and no file that it names is removed while it lives.
pub(crate) trait Snapshot {
    /// The newest LSN that is visible.
    fn as_of(&self) -> u64;
    /// The UTC days within `range` that have events or are known to have lost some, ascending.
    fn days_with_data(&self, range: RangeInclusive<Date>) -> Vec<Date>;
    /// Everything of one UTC day.
    fn day(&self, date: Date) -> Result<Source, QueryError>;
    /// The days of `span` of which a gap in the log may have taken events up to `as_of`: `<site> <UTC date>..<UTC date>`
    /// each.
    fn lost(&self, span: Span, as_of: Option<u64>) -> Vec<String>;
    /// Changes whenever the files, the hot rows or the known damage of a day change: two snapshots of the site with the
    /// same version of a day have the same answers for it.
    fn day_version(&self, date: Date) -> u64;
}

/// The rows of one site and UTC day.
#[derive(Debug, Default)]
pub(crate) struct Source {
    /// Live Parquet files: every row at or below the checkpoint.
    pub(crate) files: Vec<SourceFile>,
    /// Unfinished erasures that may take rows of these files: whoever reads them leaves those out.
    pub(crate) erasures: Vec<Arc<Erasure>>,
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

impl Source {
    /// What has to be read of its files beside what is asked for.
    pub(super) fn more_columns(&self) -> &'static [&'static str] {
        if self.erasures.is_empty() { &[] } else { &ERASURE_COLUMNS }
    }

    /// Runs a query over its files and hands on every batch, without the rows that an erasure takes: rows of files are read
    /// in no other way. The query selects [`Source::more_columns`], too.
    pub(super) fn query(
        &self,
        lease: &Lease<'_>,
        sql: &str,
        mut take: impl FnMut(&RecordBatch) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        lease.query(sql, |batch| take(&self.left_of(batch)?))
    }

    fn left_of(&self, batch: &RecordBatch) -> Result<RecordBatch, QueryError> {
        self.erasures.iter().try_fold(batch.clone(), |batch, erasure| {
            let taken = erasure.mask(&batch).ok_or_else(|| QueryError::internal("these are not rows of events"))?;
            filter_record_batch(&batch, &not(&taken).map_err(QueryError::internal)?).map_err(QueryError::internal)
        })
    }
}
