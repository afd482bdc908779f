//! [`Limits`]: every bound of this crate, in one place.
//!
//! The defaults keep a job below 20 MiB of memory of its own. A compaction holds 24 bytes per record of its segments
//! (which are memory-mapped), one batch of rows and one encoded row group. A merge holds one column of its inputs,
//! one encoded column and 16 bytes per row.

/// The bounds of compaction, merge and retention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Sealed segments that one compaction takes.
    pub segments_max: usize,
    /// Rows of one Parquet row group.
    pub row_group_rows_max: usize,
    /// Whether files are compressed. Simulations write thousands of files of a few rows, where the codec is most of the work.
    pub is_compressed: bool,
    /// Rows that are decoded at a time.
    pub batch_rows_max: usize,
    /// Files of one level that make a merge of an open day worth while.
    pub merge_files_min: usize,
    /// Files that one merge reads.
    pub merge_files_max: usize,
    /// Rows that one merge reads.
    pub merge_rows_max: u64,
    /// Bytes on disk that one merge reads.
    pub merge_bytes_max: u64,
    /// Bytes that the widest column of a merge may take in memory.
    pub merge_column_bytes_max: u64,
    /// Rows up to which a closed day is always merged into one file.
    pub merge_small_rows_max: u64,
    /// How many times larger than all the others together the largest input of a larger merge may be: what keeps a
    /// late event from rewriting a whole day.
    pub merge_growth_max: u64,
    /// How long after its last instant a UTC day counts as closed.
    pub day_closed_after_us: i64,
    /// Whole UTC days to keep besides today; `None` keeps all.
    pub retention_days: Option<u32>,
    /// Files that one expiry removes.
    pub expire_files_max: usize,
    /// Files that one step of an erasure looks at, unless one day has more.
    pub erase_files_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            segments_max: 2,
            row_group_rows_max: ROW_GROUP_ROWS_MAX,
            is_compressed: true,
            batch_rows_max: 1024,
            merge_files_min: 8,
            merge_files_max: 64,
            merge_rows_max: 3 * ROW_GROUP_ROWS_MAX as u64,
            merge_bytes_max: 32 << 20,
            merge_column_bytes_max: 12 << 20,
            merge_small_rows_max: 4096,
            merge_growth_max: 8,
            day_closed_after_us: 3_600_000_000,
            retention_days: None,
            expire_files_max: 1024,
            erase_files_max: 32,
        }
    }
}

/// Rows of one row group: what DuckDB reads, skips and decodes as a unit.
const ROW_GROUP_ROWS_MAX: usize = 65_536;

impl Limits {
    /// Checks the relations between the bounds; whoever builds limits from a configuration calls this once.
    pub fn assert_sane(&self) {
        assert!(self.segments_max >= 1, "a compaction takes at least one segment");
        assert!(self.batch_rows_max >= 1, "a batch has at least one row");
        assert!(self.row_group_rows_max >= 1, "a row group has at least one row");
        assert!(self.merge_files_min >= 2, "a merge has at least two inputs");
        assert!(self.merge_files_max >= self.merge_files_min, "a merge may read the files that call for it");
        assert!(self.merge_growth_max >= 1, "files of equal size may be merged");
        assert!(self.day_closed_after_us >= 0, "a day does not close before it ends");
        assert!(self.expire_files_max >= 1, "an expiry removes at least one file");
        assert!(self.erase_files_max >= 1, "a step of an erasure looks at a file");
    }
}
