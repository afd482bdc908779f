//! Where the value of a subject is: [`Cell`] finds it in an event or in the rows of a visit, [`VisitValue`] in a visit that
//! is read row by row, of which no row is held.

use std::borrow::Cow;

use super::Subject;
use crate::query::dimension::Scope;
use crate::query::rows::{Kind, Row};

/// A subject, and the places of its columns among [`Row::tested`].
#[derive(Clone, Debug)]
pub(in crate::query) struct Cell {
    subject: Subject,
    column: usize,
    second: Option<usize>,
}

impl Cell {
    /// The value of `subject`, whose columns are added to `columns` unless they are there.
    pub(in crate::query) fn of(subject: Subject, columns: &mut Vec<&'static str>) -> Self {
        let mut place = |wanted: &'static str| {
            columns.iter().position(|name| *name == wanted).unwrap_or_else(|| {
                columns.push(wanted);
                columns.len() - 1
            })
        };
        let (first, second) = subject.columns();
        let column = place(first);
        Self { second: second.map(place), subject, column }
    }

    /// The value of an event.
    pub(in crate::query) fn of_event<'a>(&self, row: Row<'a>) -> Option<Cow<'a, str>> {
        let text = row.tested(self.column);
        let second = || row.tested(self.second?);
        match &self.subject {
            Subject::Prop(key) => mallard_event::prop(text?, key),
            Subject::Source => text.or_else(second).map(Cow::Borrowed),
            Subject::Referrer => second().and(text).map(|text| Cow::Borrowed(bare(text))),
            Subject::Dimension(_) | Subject::Visit(_) | Subject::EventName => text.map(Cow::Borrowed),
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
            Subject::Source | Subject::Referrer => Scope::Session,
            Subject::EventName | Subject::Prop(_) => Scope::Event,
        }
    }
}

/// An address without its scheme and `www.`.
fn bare(address: &str) -> &str {
    let without = |text, prefix: &str| -> Option<&str> {
        let text: &str = text;
        let found = text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
        found.then(|| text.get(prefix.len()..)).flatten()
    };
    let address = without(address, "https://").or_else(|| without(address, "http://")).unwrap_or(address);
    without(address, "www.").unwrap_or(address)
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

#[cfg(test)]
mod tests {
    use super::bare;

    #[test]
    fn an_address_loses_its_scheme_and_www_and_nothing_else() {
        for (address, expected) in [
            ("https://www.t.co/fzWTE9OTPt", "t.co/fzWTE9OTPt"),
            ("HTTP://WWW.a.example/", "a.example/"),
            ("http://www2.a.example", "www2.a.example"),
            ("android-app://com.app", "android-app://com.app"),
            ("wwwé", "wwwé"),
            ("", ""),
        ] {
            assert_eq!(bare(address), expected);
        }
    }
}
