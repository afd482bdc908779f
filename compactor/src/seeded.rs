//! A seeded bug: opening a store takes every Parquet file that the folders list. See `mallard_wal::seeded`.

use std::path::Path;

use mallard_event::columns;
use mallard_wal::Lsn;
use mallard_wal::disk::{self, Disk};
use mallard_wal::seeded::{Bug, is_seeded};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::manifest::{Edit, FileEntry, LsnRange, Manifest};
use crate::orphans::parquet_files;

/// The state with every file below `events/` that a Parquet reader can open.
pub(crate) fn with_strays(disk: &dyn Disk, root: &Path, mut manifest: Manifest) -> Manifest {
    if is_seeded(Bug::OpenByListing) {
        let found = parquet_files(disk, root).unwrap_or_default();
        let strays = found.into_keys().filter(|path| !manifest.contains(path));
        let add = strays.filter_map(|path| entry(disk, root, &path)).collect();
        manifest.take_unchecked(&Edit { add, ..Edit::default() });
    }
    manifest
}

fn entry(disk: &dyn Disk, root: &Path, path: &str) -> Option<FileEntry> {
    let bytes = disk::read(disk, &root.join(path)).ok()?;
    let (length, crc32) = (bytes.len() as u64, crc32fast::hash(&bytes));
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes)).ok()?.build().ok()?;
    let rows: Vec<_> = reader.filter_map(|batch| columns::rows_from(&batch.ok()?).ok()).flatten().collect();
    let lsns = || rows.iter().filter_map(|row| row.lsn).map(Lsn::new);
    let times = || rows.iter().map(|row| row.event.timestamp);
    Some(FileEntry {
        site: rows.first()?.event.site.clone(),
        date: times().min()?.date(),
        level: 0,
        schema_version: columns::SCHEMA_VERSION,
        lsns: LsnRange::new(lsns().min()?, lsns().max()?),
        rows: rows.len() as u64,
        bytes: length,
        column_bytes: length,
        min_timestamp: times().min()?,
        max_timestamp: times().max()?,
        crc32,
        path: path.into(),
    })
}
