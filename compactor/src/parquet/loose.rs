//! [`Loose`]: rows of any sites and days as Parquet, for a reader of now. No partition has such a file, and no manifest names
//! one.

use std::io::Write;
use std::path::Path;

use arrow::array::RecordBatch;
use mallard_event::columns;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::error::Error;

/// Rows of a row group: what the writer holds.
const GROUP_ROWS_MAX: usize = 16_384;

/// A Parquet file in the making.
pub struct Loose<W: Write + Send> {
    writer: ArrowWriter<W>,
    rows: u64,
}

impl<W: Write + Send> Loose<W> {
    /// A file of the columns of events that is written to `to`.
    pub fn new(to: W) -> Result<Self, Error> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(GROUP_ROWS_MAX))
            .build();
        let writer = ArrowWriter::try_new(to, columns::schema(), Some(properties))
            .map_err(Error::parquet(Path::new("rows in memory")))?;
        Ok(Self { writer, rows: 0 })
    }

    /// Adds rows.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        self.rows += batch.num_rows() as u64;
        self.writer.write(batch).map_err(Error::parquet(Path::new("rows in memory")))
    }

    /// Ends the file and gives back what it was written to, with the number of its rows.
    pub fn finish(self) -> Result<(W, u64), Error> {
        let rows = self.rows;
        Ok((self.writer.into_inner().map_err(Error::parquet(Path::new("rows in memory")))?, rows))
    }
}
