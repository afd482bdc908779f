//! One goal by the values of a subject: of all visitors with a value, how many met the goal under it.
//!
//! One pass over whole visits, because where a visit came from and where it ended is known of whole visits only, of which
//! a filter shows a part. A subject of events counts the events of the span that the filter keeps; one of visits counts the
//! visits that began in the span, and of each the events that the filter keeps.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use super::Asked;
use crate::query::filter::{Cell, Subject};
use crate::query::grouping::Revenue;
use crate::query::journey::{FunnelStep, GoalRow};
use crate::query::pick::{Counted, Pick};
use crate::query::question::{Answer, QueryError, Span};
use crate::query::rows::{AMOUNT, HeldRow, Row};
use crate::query::stream::Texts;
use crate::query::visits::{Visit, VisitSink, Visits};

const TEXTS: [&str; 3] = ["pathname", "revenue_currency", AMOUNT];
/// The most memory of the values of one answer.
const BYTES_MAX: usize = 16 << 20;
/// What a value costs beside its text, from above, and one more currency of it.
const VALUE_BYTES: usize = 200;
const CURRENCY_BYTES: usize = 64;

/// Answers for the values that are picked, those with most converted visitors first, how often a goal was met. Values under
/// which it was not met are no lines, unless they are picked by name.
pub(in crate::query) fn report(
    asked: &Asked<'_>,
    goal: &FunnelStep,
    subject: &Subject,
    pick: &Pick,
) -> Result<Answer<Vec<GoalRow>>, QueryError> {
    let mut columns: Vec<&'static str> = asked.program.columns().to_vec();
    let cell = Cell::of(subject.clone(), columns.len());
    columns.push(subject.column());
    let mut fold =
        Fold { goal, cell, is_of_visit: subject.is_of_visit(), span: asked.question.span, tally: Tally::default() };
    let incomplete = asked.each_date(|date| {
        let rows = fold.tally.rows;
        let texts = Texts { values: &TEXTS, tested: &columns };
        let damage = asked.reading(texts).day(&asked.snapshot.day(date)?, &mut Visits::new(&mut fold))?;
        Ok((fold.tally.rows - rows, damage))
    })?;
    let is_wanted = |(_, counts): &Counted<Counts>| counts.conversions > 0 || matches!(pick, Pick::Of(_));
    let lines = pick.lines(fold.tally.values.into_iter().filter(is_wanted), |(value, counts), (other, others)| {
        let figures = |counts: &Counts| Reverse((counts.converted, counts.conversions));
        figures(counts).cmp(&figures(others)).then_with(|| value.cmp(other))
    });
    Ok(asked.answer(lines.into_iter().map(row).collect(), incomplete))
}

fn row((value, counts): Counted<Counts>) -> GoalRow {
    let sum = |(currency, ten_thousandths): (Option<Box<str>>, i128)| Revenue {
        currency: currency.map(String::from),
        ten_thousandths,
    };
    let Counts { visitors, converted, conversions, .. } = counts;
    let revenue = counts.revenue.into_iter().map(sum).collect();
    GoalRow { value: value.map(String::from), visitors, converted, conversions, revenue }
}

struct Fold<'a> {
    goal: &'a FunnelStep,
    cell: Cell,
    is_of_visit: bool,
    span: Span,
    tally: Tally,
}

/// What was counted so far, in bounded memory.
#[derive(Debug, Default)]
struct Tally {
    values: HashMap<Option<Box<str>>, Counts>,
    bytes: usize,
    rows: u64,
    visitor: u64,
}

#[derive(Debug, Default)]
struct Counts {
    /// The visitors counted last; 0 before the first.
    visitor: u64,
    converted_visitor: u64,
    visitors: u64,
    converted: u64,
    conversions: u64,
    revenue: BTreeMap<Option<Box<str>>, i128>,
}

impl VisitSink for Fold<'_> {
    fn take(&mut self, visit: &Visit<'_>) -> Result<(), QueryError> {
        self.tally.rows += visit.rows.len() as u64;
        self.tally.visitor += u64::from(visit.is_new_visitor);
        let is_begun_inside = self.span.contains(visit.session.start_us());
        for (held, _) in visit.rows.iter().zip(visit.kept).filter(|(_, is_kept)| **is_kept) {
            let row = held.row();
            let act = row.act();
            let is_counted = if self.is_of_visit { is_begun_inside } else { self.span.contains(act.at_us) };
            if is_counted {
                let value = self.cell.value(row, visit.rows.iter().map(HeldRow::row));
                self.tally.count(value.as_deref(), self.goal.matches(row, act.kind).then_some(row))?;
            }
        }
        Ok(())
    }
}

impl Tally {
    /// Counts an event of the current visitor, which may have met the goal.
    fn count(&mut self, value: Option<&str>, met: Option<Row<'_>>) -> Result<(), QueryError> {
        let value: Option<Box<str>> = value.map(Box::from);
        if !self.values.contains_key(&value) {
            self.spend(VALUE_BYTES + value.as_deref().map_or(0, str::len))?;
        }
        let visitor = self.visitor;
        let counts = self.values.entry(value).or_default();
        counts.visitors += u64::from(counts.visitor != visitor);
        counts.visitor = visitor;
        let Some(row) = met else { return Ok(()) };
        counts.converted += u64::from(counts.converted_visitor != visitor);
        counts.converted_visitor = visitor;
        counts.conversions += 1;
        let Some(amount) = row.amount() else { return Ok(()) };
        let currencies = counts.revenue.len();
        *counts.revenue.entry(row.text(1).map(Box::from)).or_default() += amount;
        let more = counts.revenue.len() - currencies;
        self.spend(more * CURRENCY_BYTES)
    }

    fn spend(&mut self, bytes: usize) -> Result<(), QueryError> {
        self.bytes += bytes;
        if self.bytes > BYTES_MAX { Err(QueryError::OutOfMemory) } else { Ok(()) }
    }
}
