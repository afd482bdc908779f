//! Where visitors went from a page: the next other page of the same session.

use std::cmp::Reverse;

use super::Asked;
use crate::query::journey::FlowRow;
use crate::query::pick::{Counted, Pick};
use crate::query::question::{Answer, QueryError, Span};
use crate::query::rows::{Kind, Row};
use crate::query::tally::{Counts, Table, Tally};
use crate::query::walk::{DayFold, Place};

const TEXTS: [&str; 1] = ["pathname"];

/// Answers with the next pages that are picked: by visitors descending, then by path. A view of `page` counts if it
/// lies in the span; the view after it belongs to the same session and may lie beyond.
pub(in crate::query) fn report(asked: &Asked<'_>, page: &str, pick: &Pick) -> Result<Answer<Vec<FlowRow>>, QueryError> {
    let mut tally = Tally::new();
    let incomplete = asked.fold_days(&TEXTS, |window| FlowFold::new(page, window), |day| tally.add(&day))?;
    let lines = pick.lines(tally.into_counts(), |(path, counts), (other, others)| {
        Reverse(counts.visitors).cmp(&Reverse(others.visitors)).then_with(|| path.cmp(other))
    });
    let row = |(path, counts): Counted<Counts>| Some(FlowRow { next_page: path?.into(), visitors: counts.visitors });
    Ok(asked.answer(lines.into_iter().filter_map(row).collect(), incomplete))
}

struct FlowFold<'a> {
    page: &'a str,
    window: Span,
    tally: Tally,
    visitor: u64,
    state: State,
}

/// How far the current visitor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Not on the page in this session.
    Elsewhere,
    /// On the page, within the span.
    Arrived,
    /// Gone on, and counted.
    Counted,
}

impl<'a> FlowFold<'a> {
    fn new(page: &'a str, window: Span) -> Self {
        Self { page, window, tally: Tally::new(), visitor: 0, state: State::Elsewhere }
    }
}

impl DayFold for FlowFold<'_> {
    type Partial = Table;

    fn push(&mut self, row: Row<'_>, place: Place) -> Result<(), QueryError> {
        if place.begins_visitor {
            self.visitor += 1;
            self.state = State::Elsewhere;
        }
        if place.begins_session && self.state == State::Arrived {
            self.state = State::Elsewhere;
        }
        let Some(path) = row.text(0).filter(|_| place.act.kind == Kind::Pageview) else { return Ok(()) };
        match self.state {
            State::Elsewhere if path == self.page && self.window.contains(place.act.at_us) => {
                self.state = State::Arrived;
            }
            State::Arrived if path != self.page => {
                let id = self.tally.id(Some(path)).ok_or(QueryError::OutOfMemory)?;
                self.tally.count(id, self.visitor, 0);
                self.state = State::Counted;
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(self) -> Result<Table, QueryError> {
        self.tally.into_table()
    }
}
