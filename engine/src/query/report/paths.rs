//! The pages that visits saw before or after a page or an event.
//!
//! Of each session, the first event of the span that matches is looked at. Views that follow it, or lead to it, are its
//! path; a page that is loaded again is not a step. A span's edge never cuts a session.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;

use super::Asked;
use crate::query::filter::is_like;
use crate::query::journey::{Direction, FunnelStep, Journey, Journeys, PathRow, Position};
use crate::query::pick::{Counted, Paths, Pick};
use crate::query::question::{Answer, QueryError, Span};
use crate::query::rows::{Kind, Row};
use crate::query::tally::{Table, Tally};
use crate::query::walk::{DayFold, Place};

const TEXTS: [&str; 1] = ["pathname"];
/// Stands between the pages of a path; no stored path has it, because control characters are removed.
const BETWEEN: char = '\n';

/// Answers with the most frequent paths that are picked, and for each step with the most frequent pages.
pub(in crate::query) fn report(
    asked: &Asked<'_>,
    journey: &Journey,
    wanted: &Paths,
) -> Result<Answer<Journeys>, QueryError> {
    let mut tally = Tally::new();
    let begin = |window| PathFold::new(journey, window);
    let incomplete = asked.fold_days(&TEXTS, begin, |day| tally.add(&day))?;
    // Visits are counted where a breakdown counts pageviews.
    let counted = tally.into_counts().map(|(path, counts)| (path, counts.pageviews));
    Ok(asked.answer(journeys(counted.collect(), journey.steps, wanted), incomplete))
}

fn journeys(counted: Vec<Counted<u64>>, steps: usize, wanted: &Paths) -> Journeys {
    let visits = counted.iter().map(|(_, visits)| visits).sum();
    let mut before = visits;
    let positions = (0..steps).map(|step| {
        let position = position(&counted, step, before, &wanted.pages(step));
        before = position.reached;
        position
    });
    let positions = positions.collect();
    let paths = match wanted {
        Paths::First(lines) => Pick::First(*lines),
        Paths::Of(other) => Pick::Of(other.paths.iter().map(|row| joined(&row.pages)).collect()),
    };
    let lines = paths.lines(counted.into_iter(), most_first);
    let paths: Vec<PathRow> = lines
        .into_iter()
        .map(|(path, visits)| PathRow { pages: pages_of(path.as_deref()).map(str::to_owned).collect(), visits })
        .collect();
    let other = visits - paths.iter().map(|path| path.visits).sum::<u64>();
    Journeys { visits, positions, paths, other }
}

fn position(counted: &[Counted<u64>], step: usize, before: u64, pick: &Pick) -> Position {
    let mut pages = BTreeMap::<&str, u64>::new();
    for (path, visits) in counted {
        if let Some(page) = pages_of(path.as_deref()).nth(step) {
            *pages.entry(page).or_default() += visits;
        }
    }
    let reached = pages.values().sum();
    let pages = pages.into_iter().map(|(page, visits)| (Some(Box::from(page)), visits));
    let pages: Vec<(String, u64)> =
        pick.lines(pages, most_first).into_iter().filter_map(|(page, visits)| Some((page?.into(), visits))).collect();
    let other = reached - pages.iter().map(|(_, visits)| visits).sum::<u64>();
    Position { reached, dropped: before - reached, pages, other }
}

/// By visits, then by text.
fn most_first((text, visits): &Counted<u64>, (other, others): &Counted<u64>) -> Ordering {
    Reverse(visits).cmp(&Reverse(others)).then_with(|| text.cmp(other))
}

/// The pages of a path; `None` is the path without any.
fn pages_of(path: Option<&str>) -> impl Iterator<Item = &str> {
    path.into_iter().flat_map(|path| path.split(BETWEEN))
}

fn joined(pages: &[String]) -> Option<String> {
    (!pages.is_empty()).then(|| pages.join(&BETWEEN.to_string()))
}

struct PathFold<'a> {
    journey: &'a Journey,
    window: Span,
    tally: Tally,
    is_met: bool,
    /// The page that a further view of is no step.
    current: String,
    /// Views of the session, in the direction of the question; the nearest first.
    pages: Vec<String>,
}

impl<'a> PathFold<'a> {
    fn new(journey: &'a Journey, window: Span) -> Self {
        Self { journey, window, tally: Tally::new(), is_met: false, current: String::new(), pages: Vec::new() }
    }

    fn end_session(&mut self) -> Result<(), QueryError> {
        if self.is_met {
            let path = joined(&self.pages);
            let id = self.tally.id(path.as_deref()).ok_or(QueryError::OutOfMemory)?;
            self.tally.count(id, 0, 1);
        }
        self.is_met = false;
        self.current.clear();
        self.pages.clear();
        Ok(())
    }

    fn view(&mut self, path: &str) {
        if self.current == path {
            return;
        }
        path.clone_into(&mut self.current);
        match self.journey.direction {
            Direction::After if self.is_met && self.pages.len() < self.journey.steps => self.pages.push(path.into()),
            Direction::Before if !self.is_met => {
                self.pages.insert(0, path.into());
                self.pages.truncate(self.journey.steps);
            }
            _ => {}
        }
    }
}

impl DayFold for PathFold<'_> {
    type Partial = Table;

    fn push(&mut self, row: Row<'_>, place: Place) -> Result<(), QueryError> {
        if place.begins_session {
            self.end_session()?;
        }
        let path = row.text(0).unwrap_or_default();
        if !self.is_met && self.window.contains(place.act.at_us) && self.journey.from.matches(row, place.act.kind) {
            self.is_met = true;
            path.clone_into(&mut self.current);
        } else if place.act.kind == Kind::Pageview {
            self.view(path);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Table, QueryError> {
        self.end_session()?;
        self.tally.into_table()
    }
}

impl FunnelStep {
    /// Whether a row whose first column of text is the path fills this step.
    pub(super) fn matches(&self, row: Row<'_>, kind: Kind) -> bool {
        match self {
            Self::Page(path) => row.text(0) == Some(path),
            Self::Views(pattern) => kind == Kind::Pageview && row.text(0).is_some_and(|path| is_like(pattern, path)),
            Self::Event(name) => row.name() == &**name,
        }
    }
}
