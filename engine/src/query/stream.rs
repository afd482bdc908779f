//! One UTC day from its files and its hot rows to a partial: verify, sort, merge, fold.
//!
//! ```text
//! files ──crc32──> DuckDB: project, sort ──batches──┐
//!                                                   ├── merge by (visitor, timestamp, lsn) ──> Fold
//! hot rows ──────> sorted here ─────────────────────┘
//! ```
//! Hot rows do not pass through DuckDB. They are Arrow batches of the right types already, they must be folded in order
//! anyway, and a day that has no files yet is then answered without SQL. DuckDB spills when a day is large; what is kept
//! here is one batch at a time, and an index of the hot rows.
//!
//! A file is read only after its CRC has been checked, every time: that costs one per cent of reading it, and neither a
//! wrong number nor a crash of the Parquet reader comes of a damaged one.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use arrow::record_batch::RecordBatch;
use rustix::io::Errno;

use super::cuts::Cuts;
use super::deadline::Deadline;
use super::dimension::{Dimension, Facets};
use super::partial::{DayPartial, Fold};
use super::pool::Pool;
use super::question::QueryError;
use super::rows::{Row, Rows, column_names};
use super::source::{Source, SourceFile};
use super::sql;

const READ_BYTES: usize = 128 << 10;

/// Computes the partial of the day that `source` holds.
pub(super) fn fold_day(
    pool: &Pool,
    source: &Source,
    cuts: &Cuts,
    facets: Facets,
    deadline: &Deadline,
) -> Result<DayPartial, QueryError> {
    let mut fold = Fold::new(cuts, facets);
    let texts: Vec<&'static str> = facets.iter().map(Dimension::column).collect();
    read_day(pool, source, &texts, deadline, &mut |row| fold.push(row))?;
    fold.finish(damage_of(source))
}

/// What of the day that `source` holds cannot be read; `None` if nothing is known to be missing.
pub(super) fn damage_of(source: &Source) -> Option<Box<str>> {
    source.damaged.first().map(|damage| damage.as_str().into())
}

/// Hands every row of the day that `source` holds to `push`, in the order (visitor, timestamp, lsn), with the columns of
/// text `texts`.
pub(super) fn read_day(
    pool: &Pool,
    source: &Source,
    texts: &[&'static str],
    deadline: &Deadline,
    push: Push<'_>,
) -> Result<(), QueryError> {
    let tail = source.tail.iter().map(|batch| Rows::new(batch, texts)).collect::<Result<Vec<_>, _>>()?;
    let mut merge = Merge { hot: sorted(&tail), push };
    if !source.files.is_empty() {
        source.files.iter().try_for_each(|file| verify(file, deadline))?;
        pool.lease(deadline)?.query(&ordered_rows(&source.files, texts)?, |batch| {
            deadline.check()?;
            merge.take(batch, texts)
        })?;
    }
    merge.finish()
}

/// Where the rows of a day go, one by one.
type Push<'a> = &'a mut dyn FnMut(Row<'_>) -> Result<(), QueryError>;

/// The rows of `files` in the order of a day, with the columns of text `texts`.
fn ordered_rows(files: &[SourceFile], texts: &[&'static str]) -> Result<String, QueryError> {
    let columns = column_names(texts).join(", ");
    let table = sql::read_parquet(files.iter().map(|file| file.path.as_path()))?;
    Ok(format!("SELECT {columns} FROM {table} ORDER BY visitor_id, timestamp, lsn NULLS FIRST"))
}

/// The rows of all batches in the order of a day, the last first.
fn sorted(batches: &[Rows]) -> Vec<Row<'_>> {
    let mut rows: Vec<Row<'_>> = batches.iter().flat_map(Rows::iter).collect();
    rows.sort_unstable_by(|row, other| other.compare(*row));
    rows
}

/// Puts the rows of files among the hot rows.
struct Merge<'a, 'p> {
    /// What is left of the hot rows; the next one is the last.
    hot: Vec<Row<'a>>,
    push: Push<'p>,
}

impl Merge<'_, '_> {
    fn take(&mut self, batch: &RecordBatch, texts: &[&'static str]) -> Result<(), QueryError> {
        for row in Rows::new(batch, texts)?.iter() {
            while let Some(hot) = self.hot.pop_if(|hot| hot.compare(row).is_lt()) {
                (self.push)(hot)?;
            }
            (self.push)(row)?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(), QueryError> {
        while let Some(hot) = self.hot.pop() {
            (self.push)(hot)?;
        }
        Ok(())
    }
}

/// Fails with [`QueryError::Damaged`] unless the file is, byte for byte, what the manifest says.
fn verify(file: &SourceFile, deadline: &Deadline) -> Result<(), QueryError> {
    deadline.check()?;
    let damaged = |reason: String| QueryError::Damaged { file: file.path.clone(), reason };
    match crc32(&file.path) {
        Ok(crc) if crc == file.crc32 => Ok(()),
        Ok(crc) => Err(damaged(format!("its crc32 is {crc:08x}, the manifest says {:08x}", file.crc32))),
        Err(error) if is_about_the_file(&error) => Err(damaged(error.to_string())),
        Err(error) => Err(QueryError::Internal(format!("{}: {error}", file.path.display()))),
    }
}

/// Whether the file is gone or the device cannot read it; a process that has too many files open says nothing about it.
fn is_about_the_file(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(Errno::IO.raw_os_error())
}

fn crc32(path: &Path) -> io::Result<u32> {
    let mut file = File::open(path)?;
    let mut hasher = crc32fast::Hasher::new();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finalize()),
            read => hasher.update(buffer.get(..read).unwrap_or_default()),
        }
    }
}
