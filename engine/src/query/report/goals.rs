//! Goals: how often they were met, by how many visitors, and with what revenue; all at once. One by the values of a subject
//! is `goal_by.rs`.

use std::collections::BTreeMap;

use super::Asked;
use crate::query::grouping::Revenue;
use crate::query::journey::{FunnelStep, GoalReport, GoalTotals};
use crate::query::question::{Answer, QueryError, Span};
use crate::query::rows::{AMOUNT, Row};
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
