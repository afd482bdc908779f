//! Where the value of a subject is: [`Cell`] finds it in an event or in the rows of a visit, [`VisitValue`] in a visit that
//! is read row by row, of which no row is held.

use std::borrow::Cow;

use super::Subject;
use crate::query::dimension::Scope;
use crate::query::rows::{Kind, Row};

/// A subject, and the place of its column among [`Row::tested`].
#[derive(Clone, Debug)]
pub(in crate::query) struct Cell {
    subject: Subject,
    column: usize,
}

impl Cell {
    /// The value of `subject`, whose column is at this place.
    pub(in crate::query) fn of(subject: Subject, column: usize) -> Self {
        Self { subject, column }
    }

    /// The value of an event.
    pub(in crate::query) fn of_event<'a>(&self, row: Row<'a>) -> Option<Cow<'a, str>> {
        let text = row.tested(self.column)?;
        match &self.subject {
            Subject::Prop(key) => mallard_event::prop(text, key),
            _ => Some(Cow::Borrowed(text)),
        }
    }

    /// The value of a visit.
    pub(super) fn of_visit<'a>(&self, visit: impl Iterator<Item = Row<'a>> + Clone) -> Option<Cow<'a, str>> {
        let mut pageviews = visit.clone().filter(|row| row.act().kind == Kind::Pageview);
        let row = match self.scope() {
            Scope::Entry => pageviews.next(),
            Scope::Exit => pageviews.last(),
            Scope::Event | Scope::Session => pageviews.next().or_else(|| visit.clone().next()),
        };
        self.of_event(row?)
    }

    fn scope(&self) -> Scope {
        match self.subject {
            Subject::Dimension(dimension) | Subject::Visit(dimension) => dimension.scope(),
            Subject::EventName | Subject::Prop(_) => Scope::Event,
        }
    }
}

/// The value of the visit that is being read: that of its rows so far.
#[derive(Debug)]
pub(in crate::query) struct VisitValue {
    cell: Cell,
    value: Option<String>,
    has_event: bool,
    has_pageview: bool,
}

impl VisitValue {
    pub(in crate::query) fn new(cell: Cell) -> Self {
        Self { cell, value: None, has_event: false, has_pageview: false }
    }

    /// The next row of the visit.
    pub(in crate::query) fn note(&mut self, row: Row<'_>, kind: Kind) {
        let is_pageview = kind == Kind::Pageview;
        let is_first_pageview = is_pageview && !self.has_pageview;
        let decides = match self.cell.scope() {
            Scope::Entry => is_first_pageview,
            Scope::Exit => is_pageview,
            Scope::Event | Scope::Session => is_first_pageview || !self.has_event,
        };
        if decides {
            self.value = self.cell.of_event(row).map(Cow::into_owned);
        }
        self.has_event = true;
        self.has_pageview |= is_pageview;
    }

    /// Ends the visit and says its value.
    pub(in crate::query) fn end(&mut self) -> Option<String> {
        self.has_event = false;
        self.has_pageview = false;
        self.value.take()
    }
}
