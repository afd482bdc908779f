//! [`Error`], why a job, the manifest log or a file failed.

use std::io;
use std::path::{Path, PathBuf};

use arrow::error::ArrowError;
use mallard_wal::Lsn;
use mallard_wal::disk::is_about_the_file;
use mallard_wal::segment::HeaderError;
use parquet::errors::ParquetError;
use thiserror::Error;

use crate::manifest::{ManifestError, ReplayError};

/// Why something of this crate failed. Whatever failed has committed nothing.
#[derive(Debug, Error)]
pub enum Error {
    /// The disk refused. After a failed write or sync the process must stop: what is on the disk is unknown.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The disk's answer.
        source: io::Error,
    },
    /// The log could not hand over a sealed segment.
    #[error("cannot read a sealed segment: {0}")]
    Segment(#[from] mallard_wal::Error),
    /// A Parquet file could not be written or read.
    #[error("parquet file {}: {source}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// The library's answer.
        source: ParquetError,
    },
    /// A live file is not the one that was published.
    #[error(
        "{} is damaged: expected {} bytes with crc {:08x}, found {} bytes with crc {:08x}; restore it from a backup",
        path.display(), expected.0, expected.1, found.0, found.1
    )]
    FileDamaged {
        /// The file.
        path: PathBuf,
        /// Length and CRC-32 of the manifest.
        expected: (u64, u32),
        /// Length and CRC-32 on the disk.
        found: (u64, u32),
    },
    /// The newest manifest file cannot be believed. An older one would bring removed files back, so none is used.
    #[error("manifest {} cannot be used: {source}; the older files beside it are out of date: run `mallard-metrics repair`", path.display())]
    ManifestUnusable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: ReplayError,
    },
    /// The newest manifest file is damaged in its first page, of another store or of a newer program.
    #[error("manifest {} is refused: {source}{}", path.display(), advice(source))]
    ManifestHeader {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: HeaderError,
    },
    /// A manifest file does not have the name it was made with.
    #[error("manifest {} was made as number {number}, someone has renamed it: run `mallard-metrics repair`", path.display())]
    ManifestMisnamed {
        /// The file.
        path: PathBuf,
        /// Its own number.
        number: u64,
    },
    /// The disk has lost edits that were committed to it.
    #[error("manifest {} has lost edits that were committed to it", path.display())]
    ManifestBehind {
        /// The file.
        path: PathBuf,
    },
    /// There is no manifest, and yet there are files that only a manifest could have named.
    #[error("{} has files under events/ and no manifest: run `mallard-metrics repair`", root.display())]
    ManifestMissing {
        /// The data directory.
        root: PathBuf,
    },
    /// The newest manifest is not the newest that there was: the log has been trimmed further than it says.
    #[error(
        "the newest manifest in {} ends at LSN {checkpoint}, the log begins later, and {file}, which it does not name, has what lies between: a newer one is missing; run `mallard-metrics repair`",
        root.join("manifest").display()
    )]
    ManifestStale {
        /// The data directory.
        root: PathBuf,
        /// Where the manifest ends.
        checkpoint: Lsn,
        /// A file of what lies between.
        file: String,
    },
    /// An edit does not fit the state.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// An earlier commit failed half-way. What the disk holds is known only after a restart.
    #[error("the manifest log is closed: an earlier commit failed; restart the process")]
    Poisoned,
    /// The segments of a compaction do not begin where the checkpoint ends, or do not follow each other.
    #[error(
        "a segment begins at LSN {found}, but the next record to compact is LSN {expected}; the log and the manifest disagree"
    )]
    SegmentOutOfLine {
        /// The LSN after the checkpoint or the segment before.
        expected: Lsn,
        /// The first LSN of the segment.
        found: Lsn,
    },
    /// A segment's records are not the dense run that its seal names.
    #[error("a sealed segment has LSN {found} where LSN {expected} must follow")]
    NotDense {
        /// The LSN that must follow.
        expected: Lsn,
        /// The LSN that follows.
        found: Lsn,
    },
    /// A record that was an event in the first pass over its segment is none in the second.
    #[error("a record of a sealed segment changed while it was compacted; nothing was committed")]
    Changed,
    /// The records of a compaction and what became of them do not add up.
    #[error(
        "compaction of LSNs {first}..={last} does not add up: {rows} rows, {erased} erased, {erasures} erasures, {quarantined} quarantined, {gaps} lost; nothing was committed"
    )]
    Audit {
        /// First LSN of the segments.
        first: Lsn,
        /// Last LSN of the segments.
        last: Lsn,
        /// Rows written.
        rows: u64,
        /// Events that an erasure takes.
        erased: u64,
        /// Records of erasures.
        erasures: u64,
        /// Records moved to quarantine.
        quarantined: u64,
        /// LSNs the log has lost.
        gaps: u64,
    },
    /// A file does not have the rows it must have.
    #[error("{path} has {found} rows instead of {expected}; nothing was committed")]
    RowCount {
        /// The file.
        path: String,
        /// Rows it must have.
        expected: u64,
        /// Rows it has.
        found: u64,
    },
    /// Two inputs of a merge hold the same record.
    #[error("the inputs of {path} hold LSN {lsn} twice; nothing was committed")]
    Duplicate {
        /// The file that was to be written.
        path: String,
        /// The record.
        lsn: u64,
    },
    /// An input of a merge lacks a column, or has it in another type.
    #[error("column {column} of {} is missing or of another type", path.display())]
    Column {
        /// The file.
        path: PathBuf,
        /// The column.
        column: &'static str,
    },
    /// Rows could not be put in order.
    #[error("cannot gather rows: {0}")]
    Rows(#[from] ArrowError),
    /// A job would write over a live file.
    #[error("{path} is live and must not be written again")]
    Live {
        /// The file.
        path: String,
    },
}

/// What to do about a manifest whose first page is refused.
fn advice(source: &HeaderError) -> &'static str {
    match source {
        HeaderError::Unsupported { .. } => "",
        HeaderError::Damaged | HeaderError::Foreign { .. } => "; run `mallard-metrics repair`",
    }
}

/// Says what was attempted on `path` when the disk refuses; for `map_err`.
pub(crate) fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Io { action, path: path.to_owned(), source }
}

impl Error {
    /// The Parquet file that cannot be read as what was published, if that is what failed: it is gone, cut or changed, or
    /// the device cannot read it. The same work may succeed without it.
    pub fn damaged_file(&self) -> Option<&Path> {
        match self {
            Self::FileDamaged { path, .. } | Self::Parquet { path, .. } => Some(path),
            Self::Io { action: "open" | "read", path, source } if is_about_the_file(source) => Some(path),
            _ => None,
        }
    }

    /// Says which new Parquet file could not be written; for `map_err`. What the disk refuses is the disk's answer here, too.
    pub(crate) fn parquet_write(path: &Path) -> impl FnOnce(ParquetError) -> Self {
        move |error| match error {
            ParquetError::External(source) => match source.downcast::<io::Error>() {
                Ok(source) => at("write", path)(*source),
                Err(source) => Self::parquet(path)(ParquetError::External(source)),
            },
            source => Self::parquet(path)(source),
        }
    }

    /// Says which Parquet file failed; for `map_err`.
    pub(crate) fn parquet(path: &Path) -> impl FnOnce(ParquetError) -> Self {
        move |source| Self::Parquet { path: path.to_owned(), source }
    }
}
