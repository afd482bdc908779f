//! Reading a live Parquet file: its length and checksum are verified before a byte of it is believed.

use std::io;
use std::path::{Path, PathBuf};

use arrow::array::{ArrayRef, RecordBatch};
use mallard_event::columns;
use mallard_wal::Lsn;
use mallard_wal::disk::{self, Disk, Env, File};
use mallard_wal::seeded::{Bug, is_seeded};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};

use crate::adopt::SCHEMA_ADOPTED;
use crate::error::{Error, at};
use crate::manifest::FileEntry;

/// A file whose bytes are the ones that the manifest names.
#[derive(Debug)]
pub(crate) struct Verified {
    path: PathBuf,
    bytes: bytes::Bytes,
    metadata: ArrowReaderMetadata,
    /// Of a file that was adopted: the position of its first row.
    adopted_from: Option<Lsn>,
}

/// Gives the file's bytes, mapped or owned, to the Parquet reader without copying them.
pub(super) struct Shared(pub(super) disk::Bytes);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// All bytes of a file that never changes, for the Parquet reader. Mapped where that is possible: a file may be larger than the
/// memory of the machine.
pub(crate) fn whole(file: &dyn File) -> io::Result<bytes::Bytes> {
    file.bytes().map(|bytes| bytes::Bytes::from_owner(Shared(bytes)))
}

impl Verified {
    /// Opens a live file and verifies all of it.
    pub(crate) fn open(disk: &dyn Disk, root: &Path, entry: &FileEntry) -> Result<Self, Error> {
        let path = root.join(&*entry.path);
        let file = disk.open(&path).map_err(at("open", &path))?;
        let bytes = whole(file.as_ref()).map_err(at("read", &path))?;
        let found = (bytes.len() as u64, crc32fast::hash(&bytes));
        if found != (entry.bytes, entry.crc32) && !is_seeded(Bug::SkipFileChecksum) {
            return Err(Error::FileDamaged { path, expected: (entry.bytes, entry.crc32), found });
        }
        let metadata =
            ArrowReaderMetadata::load(&bytes, ArrowReaderOptions::default()).map_err(Error::parquet(&path))?;
        let adopted_from = (entry.schema_version == SCHEMA_ADOPTED).then_some(entry.lsns.first);
        Ok(Self { path, bytes, metadata, adopted_from })
    }

    /// Reads some columns, by name, or all of them, in batches of at most `batch_rows` rows.
    pub(crate) fn batches(&self, columns: Option<&[&str]>, batch_rows: usize) -> Result<Batches<'_>, Error> {
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(self.bytes.clone(), self.metadata.clone());
        let mask = match columns {
            Some(columns) => ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied()),
            None => ProjectionMask::all(),
        };
        let reader = builder.with_projection(mask).with_batch_size(batch_rows).build();
        Ok(Batches { path: &self.path, reader: reader.map_err(Error::parquet(&self.path))? })
    }

    /// The same with the columns and types of the table, which an adopted file lacks in part.
    pub(crate) fn complete_batches<'a>(
        &'a self,
        columns: Option<&'a [&'a str]>,
        batch_rows: usize,
    ) -> Result<impl Iterator<Item = Result<RecordBatch, Error>> + 'a, Error> {
        let batches = self.batches(columns, batch_rows)?;
        let complete = move |batch| match self.adopted_from {
            None => Ok(batch),
            Some(_) => columns::complete(&batch, columns).map_err(|_| self.bad_column("timestamp")),
        };
        Ok(batches.map(move |batch| batch.and_then(complete)))
    }

    /// The position of the first row of an adopted file, whose rows have no LSN; `None` for any other.
    pub(crate) fn adopted_from(&self) -> Option<Lsn> {
        self.adopted_from
    }

    /// One column of a batch of this file.
    pub(crate) fn column(&self, batch: &RecordBatch, column: &'static str) -> Result<ArrayRef, Error> {
        batch.column_by_name(column).cloned().ok_or_else(|| self.bad_column(column))
    }

    /// A column is not what the schema says.
    pub(crate) fn bad_column(&self, column: &'static str) -> Error {
        Error::Column { path: self.path.clone(), column }
    }
}

/// The batches of one file, in the order of its rows.
pub(crate) struct Batches<'a> {
    path: &'a Path,
    reader: ParquetRecordBatchReader,
}

impl Iterator for Batches<'_> {
    type Item = Result<RecordBatch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.reader.next()?;
        Some(batch.map_err(|error| Error::parquet(self.path)(error.into())))
    }
}

/// Reads a live file for its length and checksum alone, in the memory of a chunk, from the device: what the operating system
/// has cached of it is dropped before, which would show what the device has lost, and again after.
pub fn check_file(env: &Env, root: &Path, entry: &FileEntry) -> Result<(), Error> {
    let path = root.join(&*entry.path);
    let file = env.disk.open(&path).map_err(at("open", &path))?;
    file.forget_cache().map_err(at("read", &path))?;
    let (mut crc, mut bytes) = (crc32fast::Hasher::new(), 0);
    let mut chunk = vec![0; CHECK_CHUNK_BYTES];
    loop {
        let read = file.read_at(&mut chunk, bytes).map_err(at("read", &path))?;
        let Some(part) = chunk.get(..read).filter(|part| !part.is_empty()) else { break };
        crc.update(part);
        bytes += read as u64;
    }
    file.forget_cache().map_err(at("read", &path))?;
    let found = (bytes, crc.finalize());
    if found == (entry.bytes, entry.crc32) {
        return Ok(());
    }
    Err(Error::FileDamaged { path, expected: (entry.bytes, entry.crc32), found })
}

const CHECK_CHUNK_BYTES: usize = 256 << 10;

/// Drops what the operating system has cached of a live file, so that whoever reads it next asks the device.
pub fn forget_cached(env: &Env, root: &Path, entry: &FileEntry) -> Result<(), Error> {
    let path = root.join(&*entry.path);
    let file = env.disk.open(&path).map_err(at("open", &path))?;
    file.forget_cache().map_err(at("read", &path))
}

/// Reads a live file, row by row group, after verifying its length and checksum.
///
/// This is the reference reader: queries go through `DuckDB`, which does not know the checksum.
pub fn read_file(
    env: &Env,
    root: &Path,
    entry: &FileEntry,
    on_batch: &mut dyn FnMut(RecordBatch),
) -> Result<(), Error> {
    let file = Verified::open(env.disk.as_ref(), root, entry)?;
    for batch in file.batches(None, READ_BATCH_ROWS)? {
        on_batch(batch?);
    }
    Ok(())
}

/// Rows that the reference reader hands over at a time.
const READ_BATCH_ROWS: usize = 8192;
