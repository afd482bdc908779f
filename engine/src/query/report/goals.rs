//! Goals: how often they were met, by how many visitors, and with what revenue; all at once, or one by a dimension.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::{Asked, breakdown};
use crate::query::dimension::{Dimension, Scope};
use crate::query::grouping::Revenue;
use crate::query::journey::{FunnelStep, GoalReport, GoalRow, GoalTotals};
use crate::query::pick::{Counted, Pick};
use crate::query::question::{Answer, QueryError, Span};
use crate::query::rows::{AMOUNT, Kind, Row};
use crate::query::tally::{self, Table, Tally};
use crate::query::walk::{DayFold, Place};

const TEXTS: [&str; 3] = ["pathname", "revenue_currency", AMOUNT];

/// Answers for each goal how it was met.
pub(in crate::query) fn report(asked: &Asked<'_>, goals: &[FunnelStep]) -> Result<Answer<GoalReport>, QueryError> {
    let mut visitors = 0;
    let mut totals: Vec<Counts> = goals.iter().map(|_| Counts::default()).collect();
    let incomplete = asked.fold_days(
        &TEXTS,
        |window| GoalFold::new(goals, window),
        |(day_visitors, day)| {
            visitors += day_visitors;
            totals.iter_mut().zip(day).for_each(|(total, day)| total.add(day));
            Ok(())
        },
    )?;
    let goals = totals.into_iter().map(Counts::into_totals).collect();
    Ok(asked.answer(GoalReport { visitors, goals }, incomplete))
}

/// Answers for the values of a dimension that are picked, those with most converted visitors first, how often a goal was met.
///
/// A conversion has the value that its own event has, or its session, as in the breakdown, whose visitors are those that
/// could have converted.
pub(in crate::query) fn by_dimension(
    asked: &Asked<'_>,
    goal: &FunnelStep,
    dimension: Dimension,
    pick: &Pick,
) -> Result<Answer<Vec<GoalRow>>, QueryError> {
    let all = breakdown::report(asked, dimension, &Pick::First(usize::MAX))?;
    let visitors: BTreeMap<Option<String>, u64> = all.value.into_iter().map(|row| (row.value, row.visitors)).collect();
    let mut tally = Tally::new();
    let texts = [TEXTS[0], dimension.column()];
    let begin = |window| ValueFold::new(goal, dimension, window);
    let incomplete = asked.fold_days(&texts, begin, |day| tally.add(&day))?;
    let lines = pick.lines(tally.into_counts(), |(value, counts), (other, others)| {
        let figures = |counts: &tally::Counts| Reverse((counts.visitors, counts.pageviews));
        figures(counts).cmp(&figures(others)).then_with(|| value.cmp(other))
    });
    let row = |(value, counts): Counted<tally::Counts>| {
        let value = value.map(String::from);
        let visitors = visitors.get(&value).copied().unwrap_or(0);
        // Conversions are counted where a breakdown counts pageviews.
        GoalRow { value, visitors, converted: counts.visitors, conversions: counts.pageviews }
    };
    Ok(asked.answer(lines.into_iter().map(row).collect(), incomplete))
}

#[derive(Debug, Default)]
struct Counts {
    conversions: u64,
    visitors: u64,
    is_met: bool,
    revenue: BTreeMap<Option<Box<str>>, i128>,
}

impl Counts {
    fn count(&mut self, row: Row<'_>) {
        self.conversions += 1;
        self.visitors += u64::from(!self.is_met);
        self.is_met = true;
        if let Some(amount) = row.amount() {
            *self.revenue.entry(row.text(1).map(Box::from)).or_default() += amount;
        }
    }

    fn add(&mut self, day: Self) {
        self.conversions += day.conversions;
        self.visitors += day.visitors;
        for (currency, sum) in day.revenue {
            *self.revenue.entry(currency).or_default() += sum;
        }
    }

    fn into_totals(self) -> GoalTotals {
        let sum = |(currency, ten_thousandths): (Option<Box<str>>, i128)| Revenue {
            currency: currency.map(String::from),
            ten_thousandths,
        };
        let revenue = self.revenue.into_iter().map(sum).collect();
        GoalTotals { conversions: self.conversions, converted: self.visitors, revenue }
    }
}

struct GoalFold<'a> {
    goals: &'a [FunnelStep],
    window: Span,
    counts: Vec<Counts>,
    visitors: u64,
    is_counted: bool,
}

impl<'a> GoalFold<'a> {
    fn new(goals: &'a [FunnelStep], window: Span) -> Self {
        let counts = goals.iter().map(|_| Counts::default()).collect();
        Self { goals, window, counts, visitors: 0, is_counted: false }
    }
}

impl DayFold for GoalFold<'_> {
    type Partial = (u64, Vec<Counts>);

    fn push(&mut self, row: Row<'_>, place: Place) -> Result<(), QueryError> {
        if place.begins_visitor {
            self.is_counted = false;
            self.counts.iter_mut().for_each(|counts| counts.is_met = false);
        }
        if self.window.contains(place.act.at_us) {
            self.visitors += u64::from(!self.is_counted);
            self.is_counted = true;
            let goals = self.goals.iter().zip(&mut self.counts);
            goals.filter(|(goal, _)| goal.matches(row, place.act.kind)).for_each(|(_, counts)| counts.count(row));
        }
        Ok(())
    }

    fn finish(self) -> Result<Self::Partial, QueryError> {
        Ok((self.visitors, self.counts))
    }
}

struct ValueFold<'a> {
    goal: &'a FunnelStep,
    dimension: Dimension,
    window: Span,
    tally: Tally,
    visitor: u64,
    /// What the current session counts under, and its conversions so far.
    value: Option<String>,
    has_view: bool,
    conversions: u64,
    is_inside: bool,
}

impl<'a> ValueFold<'a> {
    fn new(goal: &'a FunnelStep, dimension: Dimension, window: Span) -> Self {
        let tally = Tally::new();
        Self {
            goal,
            dimension,
            window,
            tally,
            visitor: 0,
            value: None,
            has_view: false,
            conversions: 0,
            is_inside: false,
        }
    }

    fn end_session(&mut self) -> Result<(), QueryError> {
        if self.conversions > 0 {
            let value = self.value.take();
            self.count(value.as_deref(), self.conversions)?;
        }
        self.conversions = 0;
        Ok(())
    }

    fn count(&mut self, value: Option<&str>, conversions: u64) -> Result<(), QueryError> {
        let id = self.tally.id(value).ok_or(QueryError::OutOfMemory)?;
        self.tally.count(id, self.visitor, conversions);
        Ok(())
    }

    /// Keeps the value that the session counts under.
    fn attribute(&mut self, row: Row<'_>, place: Place) {
        let (begins, is_view) = (place.begins_session, place.act.kind == Kind::Pageview);
        let is_first_view = is_view && (begins || !self.has_view);
        self.has_view = is_view || (self.has_view && !begins);
        let value = row.text(1).map(str::to_owned);
        match self.dimension.scope() {
            Scope::Session if begins || is_first_view => self.value = value,
            Scope::Entry if begins || is_first_view => self.value = value.filter(|_| is_view),
            Scope::Exit if begins || is_view => self.value = value.filter(|_| is_view),
            _ => {}
        }
    }
}

impl DayFold for ValueFold<'_> {
    type Partial = Table;

    fn push(&mut self, row: Row<'_>, place: Place) -> Result<(), QueryError> {
        if place.begins_session {
            self.end_session()?;
            self.is_inside = self.window.contains(place.act.at_us);
        }
        self.visitor += u64::from(place.begins_visitor);
        self.attribute(row, place);
        if !self.goal.matches(row, place.act.kind) {
            return Ok(());
        }
        if self.dimension.scope().is_of_sessions() {
            self.conversions += u64::from(self.is_inside);
        } else if self.window.contains(place.act.at_us) {
            self.count(row.text(1), 1)?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Table, QueryError> {
        self.end_session()?;
        self.tally.into_table()
    }
}
