//! What an ordered report needs to know of each row: whether it begins a visitor or a session.
//!
//! ```text
//! rows in the order (visitor, timestamp, lsn) ──> Walk ──Place──> DayFold ──> partial of the day
//! ```
//! A [`Walk`] is for one UTC day, because visitors and sessions end with it. Whoever walks rows out of order gets an
//! error, not a number.
//!
//! Of a filtered day a report sees the events that the filter keeps; sessions are those of all events.

use super::partial::out_of_order;
use super::question::QueryError;
use super::rows::Row;
use super::sessions::{Act, Session};
use super::stream::Sink;

/// An ordered report over one UTC day.
pub(super) trait DayFold {
    /// What the day adds to the answer.
    type Partial;

    /// Takes the next row.
    fn push(&mut self, row: Row<'_>, place: Place) -> Result<(), QueryError>;

    /// Ends the day.
    fn finish(self) -> Result<Self::Partial, QueryError>;
}

/// Where a row stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// The event.
    pub(super) act: Act,
    /// The row is the first of its visitor that is kept.
    pub(super) begins_visitor: bool,
    /// The row is the first of its session that is kept.
    pub(super) begins_session: bool,
}

/// A report that walks.
pub(super) struct Walked<F> {
    pub(super) walk: Walk,
    pub(super) fold: F,
}

impl<F: DayFold> Sink for Walked<F> {
    fn push(&mut self, row: Row<'_>, is_kept: bool) -> Result<(), QueryError> {
        self.walk.step(row, is_kept)?.map_or(Ok(()), |place| self.fold.push(row, place))
    }
}

/// One walk over the rows of a day.
#[derive(Debug, Default)]
pub(super) struct Walk {
    rows: u64,
    visitor: String,
    last: (i64, Option<u64>),
    session: Option<Session>,
    /// What the next row that is kept begins.
    begins_visitor: bool,
    begins_session: bool,
}

impl Walk {
    /// Rows so far.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Goes on to `row`. A row that is not kept has no place, but its session goes on.
    pub(super) fn step(&mut self, row: Row<'_>, is_kept: bool) -> Result<Option<Place>, QueryError> {
        let (visitor, at_us, lsn) = row.position();
        let begins_visitor = self.rows == 0 || self.visitor != visitor;
        if begins_visitor {
            if self.rows > 0 && visitor < self.visitor.as_str() {
                return Err(out_of_order());
            }
            self.visitor.clear();
            self.visitor.push_str(visitor);
            self.session = None;
        } else if (at_us, lsn) < self.last {
            return Err(out_of_order());
        }
        self.last = (at_us, lsn);
        self.rows += 1;
        let act = row.act();
        self.begins_visitor |= begins_visitor;
        self.begins_session |= self.enter_session(act);
        Ok(is_kept.then(|| Place {
            act,
            begins_visitor: std::mem::take(&mut self.begins_visitor),
            begins_session: std::mem::take(&mut self.begins_session),
        }))
    }

    fn enter_session(&mut self, act: Act) -> bool {
        match self.session.as_mut().filter(|session| session.continues_with(act)) {
            Some(session) => {
                session.extend(act);
                false
            }
            None => {
                self.session = Some(Session::begin(act));
                true
            }
        }
    }
}
