//! The partial answer of one UTC day, and the one pass over the day's rows that makes it.
//!
//! Visitor ids end at 00:00 UTC and sessions with them, so every figure is additive over UTC days: a report over any
//! span is the sum of partials, exactly, and needs the memory of one day.
//!
//! ```text
//! rows in the order (visitor, timestamp, lsn)
//!   event  ──inside the window?──> totals, pieces of the window, tables by event
//!   session ──began inside?──────> totals, tables by session           (with all its events, also those outside)
//! ```
//! Of a filtered day only the events that the filter keeps are counted, and the sessions with such an event.
//! A [`Fold`] holds one visitor's state and the tables. Whoever pushes rows out of order gets an error, not a number.

use super::cuts::{Cuts, Stretch};
use super::dimension::{Dimension, Facets, Scope};
use super::question::QueryError;
use super::rows::{Kind, Row};
use super::sessions::{Act, Session};
use super::stream::Sink;
use super::tally::{Counts, Table, Tally, ValueId};

/// The figures of a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) visitors: u64,
    pub(super) pageviews: u64,
    pub(super) events: u64,
    pub(super) sessions: u64,
    pub(super) bounces: u64,
    /// Pageviews of the sessions counted, which may lie outside of the window.
    pub(super) session_pageviews: u64,
    /// Sessions whose duration is known, and the sum of these durations.
    pub(super) timed_sessions: u64,
    pub(super) duration_us: u64,
}

impl Totals {
    pub(super) fn add(&mut self, other: &Self) {
        self.visitors += other.visitors;
        self.pageviews += other.pageviews;
        self.events += other.events;
        self.sessions += other.sessions;
        self.bounces += other.bounces;
        self.session_pageviews += other.session_pageviews;
        self.timed_sessions += other.timed_sessions;
        self.duration_us += other.duration_us;
    }

    fn add_session(&mut self, session: &Session) {
        self.sessions += 1;
        self.bounces += u64::from(session.is_bounce());
        self.session_pageviews += session.pageviews();
        if let Some(duration_us) = session.duration_us() {
            self.timed_sessions += 1;
            self.duration_us += duration_us;
        }
    }
}

/// What one UTC day adds to the reports over one window of it.
#[derive(Debug)]
pub(super) struct DayPartial {
    /// Rows of the day that were read, inside the window or not.
    pub(super) rows: u64,
    /// What could not be read of this day; `None` if nothing is known to be missing.
    pub(super) damage: Option<Box<str>>,
    pub(super) totals: Totals,
    days: Box<[Counts]>,
    hours: Box<[Counts]>,
    /// `None` instead of a table: too many values for the memory of a query.
    tables: Box<[(Dimension, Option<Table>)]>,
}

impl DayPartial {
    /// Visitors and pageviews of each piece of a stretch, one more than it has edges.
    pub(super) fn pieces(&self, stretch: Stretch) -> Vec<Counts> {
        match stretch {
            Stretch::Window => vec![Counts { visitors: self.totals.visitors, pageviews: self.totals.pageviews }],
            Stretch::Days => self.days.to_vec(),
            Stretch::Hours => self.hours.to_vec(),
        }
    }

    /// The counts by value of a dimension that was asked for.
    pub(super) fn table(&self, dimension: Dimension) -> Result<&Table, QueryError> {
        let table = self.tables.iter().find(|(tabulated, _)| *tabulated == dimension);
        let (_, table) = table.ok_or_else(|| QueryError::Internal(format!("{dimension:?} was not tabulated")))?;
        table.as_ref().ok_or(QueryError::OutOfMemory)
    }

    /// Memory held, for the bound of the cache.
    pub(super) fn bytes(&self) -> usize {
        let tables = self.tables.iter().filter_map(|(_, table)| table.as_ref()).map(Table::bytes).sum::<usize>();
        size_of::<Self>() + size_of_val(&*self.days) + size_of_val(&*self.hours) + size_of_val(&*self.tables) + tables
    }
}

/// One pass over the rows of a day.
#[derive(Debug)]
pub(super) struct Fold<'a> {
    cuts: &'a Cuts,
    totals: Totals,
    days: Pieces<'a>,
    hours: Pieces<'a>,
    facets: Vec<Facet>,
    rows: u64,
    visitor: Visitor,
}

/// The visitor whose rows are being read.
#[derive(Debug, Default)]
struct Visitor {
    id: String,
    /// Its number, from 1; 0 before the first.
    number: u64,
    is_counted: bool,
    session: Option<Session>,
    /// The filter kept an event of the session.
    is_session_kept: bool,
    last_us: i64,
    last_lsn: Option<u64>,
}

/// One dimension being tabulated. Its tally is given up when it would outgrow the memory of a query.
#[derive(Debug)]
struct Facet {
    dimension: Dimension,
    tally: Option<Tally>,
    /// [`Scope::is_of_sessions`]: the value that the current session is counted under.
    attributed: ValueId,
}

impl<'a> Fold<'a> {
    pub(super) fn new(cuts: &'a Cuts, facets: Facets) -> Self {
        let facet = |dimension| Facet { dimension, tally: Some(Tally::new()), attributed: 0 };
        Self {
            cuts,
            totals: Totals::default(),
            days: Pieces::new(&cuts.days),
            hours: Pieces::new(&cuts.hours),
            facets: facets.iter().map(facet).collect(),
            rows: 0,
            visitor: Visitor::default(),
        }
    }

    pub(super) fn finish(mut self, damage: Option<Box<str>>) -> Result<DayPartial, QueryError> {
        self.end_session();
        let table = |facet: Facet| Ok((facet.dimension, facet.tally.map(Tally::into_table).transpose()?));
        Ok(DayPartial {
            rows: self.rows,
            damage,
            totals: self.totals,
            days: self.days.counts.into(),
            hours: self.hours.counts.into(),
            tables: self.facets.into_iter().map(table).collect::<Result<_, QueryError>>()?,
        })
    }

    fn enter_visitor(&mut self, row: Row<'_>) -> Result<(), QueryError> {
        let (visitor, at_us, lsn) = row.position();
        let last = &self.visitor;
        if last.number == 0 || last.id != visitor {
            if last.number > 0 && visitor < last.id.as_str() {
                return Err(out_of_order());
            }
            self.end_session();
            self.visitor.begin(visitor);
            self.days.forget_visitor();
            self.hours.forget_visitor();
        } else if (at_us, lsn) < (last.last_us, last.last_lsn) {
            return Err(out_of_order());
        }
        (self.visitor.last_us, self.visitor.last_lsn) = (at_us, lsn);
        Ok(())
    }

    /// Continues the session or begins the next one, and keeps the values that it is counted under.
    fn enter_session(&mut self, act: Act, row: Row<'_>) {
        let session = self.visitor.session.as_mut().filter(|session| session.continues_with(act));
        let is_view = act.kind == Kind::Pageview;
        let (begins, is_first_view, start_us) = match session {
            Some(session) => {
                let is_first_view = is_view && session.pageviews() == 0;
                session.extend(act);
                (false, is_first_view, session.start_us())
            }
            None => {
                self.end_session();
                self.visitor.session = Some(Session::begin(act));
                (true, is_view, act.at_us)
            }
        };
        if (begins || is_view) && self.cuts.window.contains(start_us) {
            for (facet, value) in self.facets.iter_mut().zip(row.values()) {
                facet.attribute(value, begins, is_view, is_first_view);
            }
        }
    }

    fn end_session(&mut self) {
        let Some(session) = self.visitor.session.take() else { return };
        let is_kept = std::mem::take(&mut self.visitor.is_session_kept);
        if !is_kept || !self.cuts.window.contains(session.start_us()) {
            return;
        }
        self.totals.add_session(&session);
        for facet in &mut self.facets {
            facet.count_session(&session, self.visitor.number);
        }
    }

    fn count_event(&mut self, act: Act, row: Row<'_>) {
        let pageviews = u64::from(act.kind == Kind::Pageview);
        self.totals.pageviews += pageviews;
        self.totals.events += u64::from(act.kind == Kind::Custom);
        if !self.visitor.is_counted {
            self.visitor.is_counted = true;
            self.totals.visitors += 1;
        }
        self.days.count(act.at_us, pageviews);
        self.hours.count(act.at_us, pageviews);
        for (facet, value) in self.facets.iter_mut().zip(row.values()) {
            facet.count_event(value, pageviews, self.visitor.number);
        }
    }
}

impl Sink for Fold<'_> {
    fn push(&mut self, row: Row<'_>, is_kept: bool) -> Result<(), QueryError> {
        self.enter_visitor(row)?;
        self.rows += 1;
        let act = row.act();
        self.enter_session(act, row);
        self.visitor.is_session_kept |= is_kept;
        if is_kept && self.cuts.window.contains(act.at_us) {
            self.count_event(act, row);
        }
        Ok(())
    }
}

pub(super) fn out_of_order() -> QueryError {
    QueryError::internal("the rows of a day did not arrive in the order (visitor, timestamp, lsn)")
}

impl Visitor {
    fn begin(&mut self, id: &str) {
        self.id.clear();
        self.id.push_str(id);
        self.number += 1;
        self.is_counted = false;
    }
}

impl Facet {
    /// The tally and the place of `value` in it; `None` once there were too many values.
    fn place(&mut self, value: Option<&str>) -> Option<(&mut Tally, ValueId)> {
        match self.tally.as_mut()?.id(value) {
            Some(id) => self.tally.as_mut().map(|tally| (tally, id)),
            None => {
                self.tally = None;
                None
            }
        }
    }

    /// Takes the value of an event that begins its session, or of a pageview, if it decides what the session counts under.
    fn attribute(&mut self, value: Option<&str>, begins: bool, is_view: bool, is_first_view: bool) {
        let value = match self.dimension.scope() {
            Scope::Session if begins || is_first_view => value,
            Scope::Entry if begins || is_first_view => value.filter(|_| is_view),
            Scope::Exit => value.filter(|_| is_view),
            _ => return,
        };
        let before = self.attributed;
        self.attributed = self.place(value).map_or(before, |(_, id)| id);
    }

    fn count_event(&mut self, value: Option<&str>, pageviews: u64, visitor: u64) {
        if self.dimension.scope() == Scope::Event
            && let Some((tally, id)) = self.place(value)
        {
            tally.count(id, visitor, pageviews);
        }
    }

    fn count_session(&mut self, session: &Session, visitor: u64) {
        if self.dimension.scope().is_of_sessions()
            && let Some(tally) = &mut self.tally
        {
            tally.count(self.attributed, visitor, session.pageviews());
        }
    }
}

/// Counts by piece of the window. A visitor's rows ascend in time, so it has been in a piece iff it is in it now.
#[derive(Debug)]
struct Pieces<'a> {
    edges: &'a [i64],
    counts: Vec<Counts>,
    current: Option<usize>,
}

impl<'a> Pieces<'a> {
    fn new(edges: &'a [i64]) -> Self {
        Self { edges, counts: vec![Counts::default(); edges.len() + 1], current: None }
    }

    fn forget_visitor(&mut self) {
        self.current = None;
    }

    fn count(&mut self, at_us: i64, pageviews: u64) {
        let piece = self.edges.partition_point(|edge_us| *edge_us <= at_us);
        let is_new = self.current.replace(piece) != Some(piece);
        if let Some(counts) = self.counts.get_mut(piece) {
            counts.add(Counts { visitors: is_new.into(), pageviews });
        }
    }
}
