//! Rows by visit: [`Sieve`] judges them by a filter, [`Visits`] hands whole visits on.
//!
//! A filter that looks at visits can judge an event only when its visit is complete, so the rows of one visit are held
//! until then, with the batches that they are in. That is bounded: a visit that needs more is an error, not a number.

use super::deadline::Deadline;
use super::filter::Program;
use super::question::QueryError;
use super::rows::{HeldRow, Row};
use super::sessions::Session;
use super::stream::Sink;

/// The most memory that batches may take which are kept for a visit that goes on.
const HELD_BYTES_MAX: usize = 16 << 20;
/// After how many rows time is looked at, where a row takes next to none.
const LOOK_ROWS: u32 = 64;
/// The most rows of a visit.
const HELD_ROWS_MAX: usize = 200_000;

/// The visit that is being read. Its visitor is that of its rows.
#[derive(Debug, Default)]
struct Held {
    rows: Vec<HeldRow>,
    session: Option<Session>,
    /// Memory of the batches that its rows are in, and of the newest batch.
    bytes: usize,
    batch_bytes: usize,
}

impl Held {
    fn note_batch(&mut self, bytes: usize) {
        self.batch_bytes = bytes;
        if !self.rows.is_empty() {
            self.bytes += bytes;
        }
    }

    fn is_of_visitor(&self, visitor: &str) -> bool {
        self.rows.last().is_some_and(|last| last.row().visitor() == visitor)
    }

    fn is_continued_by(&self, row: Row<'_>) -> bool {
        let session = self.session.as_ref().filter(|_| self.is_of_visitor(row.visitor()));
        session.is_some_and(|session| session.continues_with(row.act()))
    }

    /// Begins the next visit with the next row.
    fn clear(&mut self) {
        self.rows.clear();
        self.session = None;
        self.bytes = self.batch_bytes;
    }

    fn push(&mut self, row: Row<'_>) -> Result<(), QueryError> {
        if self.rows.len() == HELD_ROWS_MAX || self.bytes > HELD_BYTES_MAX.max(self.batch_bytes) {
            return Err(QueryError::OutOfMemory);
        }
        let act = row.act();
        match &mut self.session {
            Some(session) => session.extend(act),
            None => self.session = Some(Session::begin(act)),
        }
        self.rows.push(row.hold());
        Ok(())
    }
}

/// Judges rows and passes them on in their order.
pub(super) struct Sieve<'a, S> {
    program: &'a Program,
    pace: Pace<'a>,
    sink: &'a mut S,
    held: Held,
}

/// Looks at the deadline now and then: often enough for an end that is noticed, seldom enough to cost nothing.
struct Pace<'a> {
    deadline: &'a Deadline,
    rows_each: u32,
    rows_left: u32,
}

impl Pace<'_> {
    fn look(&mut self) -> Result<(), QueryError> {
        self.rows_left = match self.rows_left.checked_sub(1) {
            Some(left) => left,
            None => {
                self.deadline.check()?;
                self.rows_each
            }
        };
        Ok(())
    }
}

impl<'a, S: Sink> Sieve<'a, S> {
    pub(super) fn new(program: &'a Program, deadline: &'a Deadline, sink: &'a mut S) -> Self {
        let rows_each = if program.is_slow() { 0 } else { LOOK_ROWS };
        Self { program, pace: Pace { deadline, rows_each, rows_left: 0 }, sink, held: Held::default() }
    }

    /// The next rows are in a batch of this size.
    pub(super) fn note_batch(&mut self, bytes: usize) {
        self.held.note_batch(bytes);
        self.sink.note_batch(bytes);
    }

    /// Takes the next row in the order (visitor, timestamp, lsn).
    pub(super) fn push(&mut self, row: Row<'_>) -> Result<(), QueryError> {
        if self.program.is_by_event() {
            self.pace.look()?;
            return self.sink.push(row, self.program.keeps(row));
        }
        if !self.held.is_continued_by(row) {
            self.pass_on()?;
        }
        self.held.push(row)
    }

    /// Passes on what is left.
    pub(super) fn finish(mut self) -> Result<(), QueryError> {
        self.pass_on()?;
        self.sink.finish()
    }

    fn pass_on(&mut self) -> Result<(), QueryError> {
        let Self { program, pace, sink, held } = self;
        let rows = held.rows.iter().map(HeldRow::row);
        program.each_of_visit(rows, || pace.look(), |row, is_kept| sink.push(row, is_kept))?;
        held.clear();
        Ok(())
    }
}

/// One complete visit: all its events, also those outside of a question's span.
#[derive(Debug)]
pub(super) struct Visit<'a> {
    pub(super) rows: &'a [HeldRow],
    /// For each row, whether the filter keeps it.
    pub(super) kept: &'a [bool],
    pub(super) session: &'a Session,
    /// Whether it is the first of its visitor on this UTC day.
    pub(super) is_new_visitor: bool,
}

/// What takes the visits of a day, visitor by visitor, in the order of their times.
pub(super) trait VisitSink {
    fn take(&mut self, visit: &Visit<'_>) -> Result<(), QueryError>;
}

/// Gathers the rows of a day into visits.
pub(super) struct Visits<'a, S> {
    sink: &'a mut S,
    held: Held,
    kept: Vec<bool>,
    is_new_visitor: bool,
}

impl<'a, S: VisitSink> Visits<'a, S> {
    pub(super) fn new(sink: &'a mut S) -> Self {
        Self { sink, held: Held::default(), kept: Vec::new(), is_new_visitor: true }
    }

    fn pass_on(&mut self) -> Result<(), QueryError> {
        if let Some(session) = &self.held.session {
            let Self { kept, is_new_visitor, .. } = self;
            let visit = Visit { rows: &self.held.rows, kept, session, is_new_visitor: *is_new_visitor };
            self.sink.take(&visit)?;
        }
        self.held.clear();
        self.kept.clear();
        Ok(())
    }
}

impl<S: VisitSink> Sink for Visits<'_, S> {
    fn note_batch(&mut self, bytes: usize) {
        self.held.note_batch(bytes);
    }

    fn push(&mut self, row: Row<'_>, is_kept: bool) -> Result<(), QueryError> {
        if !self.held.is_continued_by(row) {
            let is_same_visitor = self.held.is_of_visitor(row.visitor());
            self.pass_on()?;
            self.is_new_visitor = !is_same_visitor;
        }
        self.kept.push(is_kept);
        self.held.push(row)
    }

    fn finish(&mut self) -> Result<(), QueryError> {
        self.pass_on()
    }
}
