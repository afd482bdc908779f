//! [`Draft`] and [`ColumnDraft`]: a Parquet file in the making, from its first row to its name in its partition's folder.

use std::path::PathBuf;

use arrow::array::{ArrayRef, RecordBatch};
use mallard_event::{Date, SiteId, Timestamp, columns};
use mallard_wal::disk::durable;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowRowGroupWriterFactory, ArrowWriterOptions, compute_leaves};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::writer::SerializedFileWriter;

use super::Order;
use super::properties::properties;
use super::sink::Sink;
use crate::error::{Error, at};
use crate::job::Context;
use crate::layout;
use crate::manifest::{FileEntry, LsnRange};

/// What a file is, known before its first row is written.
#[derive(Clone, Debug)]
pub(crate) struct Identity<'a> {
    /// The site of all rows.
    pub(crate) site: &'a SiteId,
    /// The UTC day of all rows.
    pub(crate) date: Date,
    /// 0 from a compaction, more from a merge.
    pub(crate) level: u8,
    /// The lowest and the highest LSN of its rows.
    pub(crate) lsns: LsnRange,
    /// How many rows it will have.
    pub(crate) rows: u64,
    /// The earliest and the latest event.
    pub(crate) times: (Timestamp, Timestamp),
    /// The order of its rows.
    pub(crate) order: Order,
}

impl Identity<'_> {
    /// Its place relative to the data directory.
    pub(crate) fn path(&self) -> String {
        let name = layout::parquet_name(self.level, self.lsns);
        format!("{}/{name}", layout::partition_folder(self.site, self.date))
    }
}

/// A file that takes rows batch by batch.
pub(crate) struct Draft<'a> {
    target: Target<'a>,
    writer: ArrowWriter<Sink>,
}

/// A file that takes its row groups column by column, so that no more than one column need be in memory.
pub(crate) struct ColumnDraft<'a> {
    target: Target<'a>,
    writer: SerializedFileWriter<Sink>,
    factory: ArrowRowGroupWriterFactory,
}

/// Where a draft is going.
struct Target<'a> {
    context: &'a Context<'a>,
    identity: Identity<'a>,
    tmp: PathBuf,
}

impl<'a> Draft<'a> {
    /// Starts the file under `tmp/`.
    pub(crate) fn create(context: &'a Context<'a>, identity: Identity<'a>) -> Result<Self, Error> {
        let target = Target::new(context, identity);
        let sink = target.create()?;
        let properties = properties(&target.identity, context.store_id, context.limits);
        let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(sink, columns::schema(), options);
        let writer = writer.map_err(Error::parquet_write(&target.tmp))?;
        Ok(Self { target, writer })
    }

    /// Adds rows, which follow the ones before in the order of the file.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        self.writer.write(batch).map_err(Error::parquet_write(&self.target.tmp))
    }

    /// Ends the file and gives it its name, durably.
    pub(crate) fn publish(mut self) -> Result<FileEntry, Error> {
        let metadata = self.writer.finish().map_err(Error::parquet_write(&self.target.tmp))?;
        self.target.publish(&metadata, self.writer.inner())
    }

    /// The same file, before its first row, to be written column by column.
    pub(crate) fn by_column(self) -> Result<ColumnDraft<'a>, Error> {
        let Self { target, writer } = self;
        let (writer, factory) = writer.into_serialized_writer().map_err(Error::parquet_write(&target.tmp))?;
        Ok(ColumnDraft { target, writer, factory })
    }
}

impl ColumnDraft<'_> {
    /// Adds a row group; `column` is asked for the values of each column in turn.
    pub(crate) fn write_group(
        &mut self,
        mut column: impl FnMut(&'static str) -> Result<ArrayRef, Error>,
    ) -> Result<(), Error> {
        let tmp = &self.target.tmp;
        let schema = columns::schema();
        let index = self.writer.flushed_row_groups().len();
        let writers = self.factory.create_column_writers(index).map_err(Error::parquet_write(tmp))?;
        let mut group = self.writer.next_row_group().map_err(Error::parquet_write(tmp))?;
        for ((field, description), mut writer) in schema.fields().iter().zip(&columns::COLUMNS).zip(writers) {
            let values = column(description.name)?;
            let append = || -> Result<(), ParquetError> {
                for leaf in compute_leaves(field, &values)? {
                    writer.write(&leaf)?;
                }
                writer.close()?.append_to_row_group(&mut group)
            };
            append().map_err(Error::parquet_write(tmp))?;
        }
        group.close().map_err(Error::parquet_write(tmp))?;
        Ok(())
    }

    /// Ends the file and gives it its name, durably.
    pub(crate) fn publish(mut self) -> Result<FileEntry, Error> {
        let metadata = self.writer.finish().map_err(Error::parquet_write(&self.target.tmp))?;
        self.target.publish(&metadata, self.writer.inner())
    }
}

impl<'a> Target<'a> {
    fn new(context: &'a Context<'a>, identity: Identity<'a>) -> Self {
        let tmp = context.root.join(layout::TMP).join(layout::parquet_name(identity.level, identity.lsns));
        Self { context, identity, tmp }
    }

    /// NOTE: a leftover is removed, never written over. A power cut can leave a published file a second name in `tmp/`.
    fn create(&self) -> Result<Sink, Error> {
        let disk = self.context.disk();
        durable::remove(disk, &self.tmp).map_err(at("remove", &self.tmp))?;
        disk.create(&self.tmp).map(Sink::new).map_err(at("create", &self.tmp))
    }

    /// `sink` still holds the file open: see `durable::publish`.
    fn publish(&self, metadata: &ParquetMetaData, sink: &Sink) -> Result<FileEntry, Error> {
        let Identity { site, date, level, lsns, rows, times, .. } = self.identity;
        let path = self.identity.path();
        let found = u64::try_from(metadata.file_metadata().num_rows()).unwrap_or(0);
        if found != rows {
            return Err(Error::RowCount { path, expected: rows, found });
        }
        let (root, disk) = (self.context.root, self.context.disk());
        let folder = layout::partition_folder(site, date);
        durable::create_dirs(disk, root, folder.as_ref()).map_err(at("create", &root.join(&folder)))?;
        durable::publish(disk, &self.tmp, &root.join(&path)).map_err(at("publish", &root.join(&path)))?;
        Ok(FileEntry {
            site: site.clone(),
            date,
            level,
            schema_version: columns::SCHEMA_VERSION,
            lsns,
            rows,
            bytes: sink.bytes(),
            column_bytes: widest_column(metadata),
            min_timestamp: times.0,
            max_timestamp: times.1,
            crc32: sink.crc32(),
            path: path.into(),
        })
    }
}

/// What the widest column takes in memory: its texts, and 16 bytes per row for offsets or fixed values.
pub(crate) fn widest_column(metadata: &ParquetMetaData) -> u64 {
    let text_bytes = |column: usize| {
        let chunks = metadata.row_groups().iter().filter_map(|group| group.columns().get(column));
        chunks.filter_map(ColumnChunkMetaData::unencoded_byte_array_data_bytes).sum::<i64>()
    };
    let columns = metadata.file_metadata().schema_descr().num_columns();
    let widest = (0..columns).map(text_bytes).max().unwrap_or(0);
    let rows = metadata.file_metadata().num_rows();
    u64::try_from(widest + 16 * rows).unwrap_or(0)
}
