//! The vocabulary of ordered reports: steps, also as filters, and what is answered about them. Nothing here computes.

use super::dimension::Dimension;
use super::filter::{Filter, FilterError, Subject, Term};
use super::grouping::Revenue;

/// What an event must be to fill a step.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FunnelStep {
    /// Any event at exactly this path.
    Page(Box<str>),
    /// A pageview whose path is this pattern, in which each `*` stands for any characters, or none.
    Views(Box<str>),
    /// An event of exactly this name.
    Event(Box<str>),
}

impl FunnelStep {
    /// The filter that keeps exactly the events that fill this step.
    ///
    /// # Errors
    /// [`FilterError`] if it is longer than a filter's value may be.
    pub fn filter(&self) -> Result<Filter, FilterError> {
        let is = |subject, value: &str| Term::is(subject, [value], true).map(Filter::Term);
        let path = || Subject::Dimension(Dimension::Pages);
        match self {
            Self::Page(wanted) => is(path(), wanted),
            Self::Event(name) => is(Subject::EventName, name),
            Self::Views(pattern) => {
                let path = Filter::Term(Term::like(path(), [&**pattern])?);
                Ok(Filter::All(vec![is(Subject::EventName, "pageview")?, path]))
            }
        }
    }
}

/// Which way a journey goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Back to what led there; the nearest page first.
    Before,
    /// On to what followed.
    After,
}

/// Which paths are asked for: those of the first event of each session that fills a step.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Journey {
    /// What the event must be.
    pub from: FunnelStep,
    /// Which way to go.
    pub direction: Direction,
    /// The most pages of a path.
    pub steps: usize,
}

/// The paths of visits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journeys {
    /// Sessions with such an event in the span.
    pub visits: u64,
    /// What was seen at each step.
    pub positions: Vec<Position>,
    /// The most frequent paths, each as far as it goes.
    pub paths: Vec<PathRow>,
    /// Visits on all other paths.
    pub other: u64,
}

/// One step of all paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// Visits whose path has this step.
    pub reached: u64,
    /// Visits whose path ended with the step before.
    pub dropped: u64,
    /// The most frequent pages, and their visits.
    pub pages: Vec<(String, u64)>,
    /// Visits that saw any other page.
    pub other: u64,
}

/// One path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathRow {
    /// Its pages, in the direction asked for.
    pub pages: Vec<String>,
    /// Visits that took it.
    pub visits: u64,
}

/// How goals were met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoalReport {
    /// All visitors of the span.
    pub visitors: u64,
    /// One entry for each goal, in the order of asking.
    pub goals: Vec<GoalTotals>,
}

/// How one goal was met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoalTotals {
    /// Events that met it.
    pub conversions: u64,
    /// Visitors with such an event, each UTC day counted apart.
    pub converted: u64,
    /// Revenue of these events, one sum for each currency.
    pub revenue: Vec<Revenue>,
}

/// How a goal was met under one value of a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoalRow {
    /// The value; `None` if there is none.
    pub value: Option<String>,
    /// All visitors with this value.
    pub visitors: u64,
    /// Visitors who met the goal under it.
    pub converted: u64,
    /// Events that met it.
    pub conversions: u64,
    /// Revenue of these events, one sum for each currency.
    pub revenue: Vec<Revenue>,
}

/// Steps to be filled in their order, the last within a time of the first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Funnel {
    /// The steps.
    pub steps: Vec<FunnelStep>,
    /// The longest time from the first step to the last, bound included; `None` for any time.
    pub window_us: Option<i64>,
}

/// How far visitors came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunnelReport {
    /// For each step, the visitors who filled it and all before it. Each UTC day counts apart.
    pub reached: Vec<u64>,
    /// All visitors of the span.
    pub visitors: u64,
}

/// One line of a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowRow {
    /// The page that was viewed next.
    pub next_page: String,
    /// Visitors whose first onward view led there.
    pub visitors: u64,
}

/// Over whose identity retention is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Identity {
    /// Users whom the site identifies.
    User,
    /// Visitors, whose ids end with the UTC day: nobody can be seen coming back.
    DailyVisitor,
}

/// One week's users and what became of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cohort {
    /// The Monday on which the week begins.
    pub date: String,
    /// Users first seen in this week, within the span.
    pub size: u64,
    /// Of these, the users with an event in the week that is as many weeks later as the index says; `None` for a week
    /// that has not begun, or that the identity cannot tell.
    pub retained: Vec<Option<u64>>,
    /// Over whose identity.
    pub identity: Identity,
}
