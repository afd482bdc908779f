//! [`FileEntry`]: what the manifest knows of one Parquet file.

use std::sync::Arc;

use mallard_event::{Date, SiteId, Timestamp};

use super::LsnRange;
use crate::layout;

/// One live Parquet file. It never changes; a merge replaces it by another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// The site of all its rows.
    pub site: SiteId,
    /// The UTC day of all its rows.
    pub date: Date,
    /// 0 from a compaction, one more than the highest of its inputs from a merge.
    pub level: u8,
    /// The layout of its columns (`mallard_event::columns`).
    pub schema_version: u16,
    /// The lowest and the highest LSN of its rows; others in between may be in other files.
    pub lsns: LsnRange,
    /// How many rows it has.
    pub rows: u64,
    /// Its length on disk.
    pub bytes: u64,
    /// What its widest column takes in memory: the bound of a merge, since a small file may hold very long texts.
    pub column_bytes: u64,
    /// The earliest event.
    pub min_timestamp: Timestamp,
    /// The latest event.
    pub max_timestamp: Timestamp,
    /// CRC-32 of the whole file.
    pub crc32: u32,
    /// Its place relative to the data directory, with `/` between the folders.
    pub path: Arc<str>,
}

impl FileEntry {
    /// Whether `path` is, by its name, what a merge or an erasure may have left of this file.
    pub fn may_be_replaced_by(&self, path: &str) -> bool {
        let same_folder =
            |(folder, name)| self.path.rsplit_once('/').is_some_and(|(own, _)| own == folder).then_some(name);
        let identity = path.rsplit_once('/').and_then(same_folder).and_then(layout::parquet_identity);
        identity.is_some_and(|(level, lsns)| {
            level > self.level && lsns.first <= self.lsns.last && self.lsns.first <= lsns.last
        })
    }
}
