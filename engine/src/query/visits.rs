//! Rows by visit: [`Sieve`] judges them by a filter, [`Visits`] tells visits apart.
//!
//! A filter that looks at visits can judge an event only when its visit is complete, so the rows of one visit are held
//! until then, with the batches that they are in. That is bounded: a visit that needs more is an error, not a number.
//! Nothing else holds rows.

use super::deadline::Deadline;
use super::filter::Program;
use super::question::QueryError;
use super::rows::{HeldRow, Row};
use super::sessions::{Act, Session};
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
            return Err(too_long());
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

fn too_long() -> QueryError {
    QueryError::TooLarge(format!(
        "one visit has more than {HELD_ROWS_MAX} events or {} MiB, which a filter on visits or has_done cannot look at; ask \
         without it, or for a range without the UTC day of this visit",
        HELD_BYTES_MAX >> 20
    ))
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

/// What takes the rows of a day visit by visit, visitor by visitor, in the order of their times. It holds no rows, so a
/// visit may be of any length.
pub(super) trait VisitSink {
    /// A visit begins. `is_new_visitor` says that it is the first of its visitor on this UTC day.
    fn begin(&mut self, is_new_visitor: bool);

    /// Takes the next row of the visit, which is so far `session`.
    fn push(&mut self, row: Row<'_>, act: Act, is_kept: bool, session: &Session) -> Result<(), QueryError>;

    /// The visit is over.
    fn end(&mut self, session: &Session) -> Result<(), QueryError>;
}

/// Tells the visits of a day apart.
pub(super) struct Visits<'a, S> {
    sink: &'a mut S,
    visitor: String,
    /// The visit that is being read.
    session: Option<Session>,
}

impl<'a, S: VisitSink> Visits<'a, S> {
    pub(super) fn new(sink: &'a mut S) -> Self {
        Self { sink, visitor: String::new(), session: None }
    }

    /// Ends the visit unless it goes on with `act`, and begins the next one.
    fn enter(&mut self, visitor: &str, act: Act) -> Result<(), QueryError> {
        let is_new_visitor = self.session.is_none() || self.visitor != visitor;
        if is_new_visitor || self.session.as_ref().is_some_and(|session| !session.continues_with(act)) {
            self.finish()?;
            self.sink.begin(is_new_visitor);
        }
        if is_new_visitor {
            self.visitor.clear();
            self.visitor.push_str(visitor);
        }
        match &mut self.session {
            Some(session) => session.extend(act),
            ended => *ended = Some(Session::begin(act)),
        }
        Ok(())
    }
}

impl<S: VisitSink> Sink for Visits<'_, S> {
    fn push(&mut self, row: Row<'_>, is_kept: bool) -> Result<(), QueryError> {
        let act = row.act();
        self.enter(row.visitor(), act)?;
        self.session.as_ref().map_or(Ok(()), |session| self.sink.push(row, act, is_kept, session))
    }

    fn finish(&mut self) -> Result<(), QueryError> {
        self.session.take().map_or(Ok(()), |session| self.sink.end(&session))
    }
}
