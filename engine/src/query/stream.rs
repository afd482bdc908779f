//! One UTC day from its files and its hot rows to whoever takes its rows: verify, sort, merge, filter.
//!
//! ```text
//! files ──crc32──> DuckDB: project, sort ──batches──┐
//!                                                   ├── merge by (visitor, timestamp, lsn) ──> Sieve ──> Sink
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
use std::rc::Rc;

use mallard_wal::disk::is_about_the_file;

use super::deadline::Deadline;
use super::filter::Program;
use super::pool::Pool;
use super::question::QueryError;
use super::rows::{Row, Rows};

pub(super) use super::rows::Texts;
use super::source::{Source, SourceFile};
use super::sql;
use super::visits::Sieve;

const READ_BYTES: usize = 128 << 10;

/// What takes the rows of a day.
pub(super) trait Sink {
    /// Takes the next row in the order (visitor, timestamp, lsn), and whether the filter keeps it. Rows that it does not
    /// keep are shown because they are part of visits.
    fn push(&mut self, row: Row<'_>, is_kept: bool) -> Result<(), QueryError>;

    /// The next rows are in a batch of this size: what it costs to hold one of them.
    fn note_batch(&mut self, _bytes: usize) {}

    /// There are no more rows.
    fn finish(&mut self) -> Result<(), QueryError> {
        Ok(())
    }
}

/// How the rows of a day are read for one question.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading<'a> {
    pub(super) pool: &'a Pool,
    pub(super) deadline: &'a Deadline,
    /// The columns that are read; those of the program come first among [`Texts::tested`].
    pub(super) texts: Texts<'a>,
    pub(super) program: &'a Program,
    /// Rows with a higher LSN are left out.
    pub(super) as_of: Option<u64>,
}

impl Reading<'_> {
    /// Pushes every row of the day that `source` holds. Returns what could not be read, if anything.
    pub(super) fn day(&self, source: &Source, sink: &mut impl Sink) -> Result<Option<Box<str>>, QueryError> {
        let tail = source.tail.iter().map(|batch| Rows::new(batch, self.texts)).collect::<Result<Vec<_>, _>>()?;
        let mut merge =
            Merge { hot: sorted(&tail), as_of: self.as_of, sieve: Sieve::new(self.program, self.deadline, sink) };
        if !source.files.is_empty() {
            source.files.iter().try_for_each(|file| verify(file, self.deadline))?;
            source.query(&self.pool.lease(self.deadline)?, &self.ordered_rows(source)?, |batch| {
                self.deadline.check()?;
                merge.sieve.note_batch(batch.get_array_memory_size());
                merge.take(&Rows::new(batch, self.texts)?)
            })?;
        }
        merge.finish()?;
        // Where nothing is known to be missing, nothing is said.
        Ok(source.damaged.first().map(|damage| damage.as_str().into()))
    }

    /// The rows of the files in the order of a day, with the columns that are read.
    fn ordered_rows(&self, source: &Source) -> Result<String, QueryError> {
        let mut columns = self.texts.column_names();
        columns.extend(source.more_columns());
        columns.sort_unstable();
        columns.dedup();
        let (columns, (table, within_an_instant)) = (columns.join(", "), sql::day(&source.files)?);
        Ok(format!("SELECT {columns} FROM {table} ORDER BY visitor_id, timestamp, {within_an_instant}"))
    }
}

/// The rows of all batches in the order of a day, the last first.
fn sorted(batches: &[Rc<Rows>]) -> Vec<Row<'_>> {
    let mut rows: Vec<Row<'_>> = batches.iter().flat_map(Rows::iter).collect();
    rows.sort_unstable_by(|row, other| other.compare(*row));
    rows
}

/// Puts the rows of files among the hot rows.
struct Merge<'a, S> {
    /// What is left of the hot rows; the next one is the last.
    hot: Vec<Row<'a>>,
    as_of: Option<u64>,
    sieve: Sieve<'a, S>,
}

impl<S: Sink> Merge<'_, S> {
    fn take(&mut self, rows: &Rc<Rows>) -> Result<(), QueryError> {
        for row in rows.iter() {
            while let Some(hot) = self.hot.pop_if(|hot| hot.compare(row).is_lt()) {
                self.push(hot)?;
            }
            self.push(row)?;
        }
        Ok(())
    }

    fn push(&mut self, row: Row<'_>) -> Result<(), QueryError> {
        // An adopted row has no LSN: it was there before the log began.
        let (_, _, lsn) = row.position();
        if lsn.zip(self.as_of).is_some_and(|(lsn, as_of)| lsn > as_of) { Ok(()) } else { self.sieve.push(row) }
    }

    fn finish(mut self) -> Result<(), QueryError> {
        while let Some(hot) = self.hot.pop() {
            self.push(hot)?;
        }
        self.sieve.finish()
    }
}

/// Fails with [`QueryError::Damaged`] unless the file is, byte for byte, what the manifest says.
pub(super) fn verify(file: &SourceFile, deadline: &Deadline) -> Result<(), QueryError> {
    deadline.check()?;
    let damaged = |reason: String| QueryError::Damaged { file: file.path.clone(), reason };
    match crc32(&file.path) {
        Ok(crc) if crc == file.crc32 => Ok(()),
        Ok(crc) => Err(damaged(format!("its crc32 is {crc:08x}, the manifest says {:08x}", file.crc32))),
        Err(error) if is_about_the_file(&error) => Err(damaged(error.to_string())),
        Err(error) => Err(QueryError::Internal(format!("{}: {error}", file.path.display()))),
    }
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
