//! One goal by the values of a subject: of all visitors with a value, how many met the goal under it.
//!
//! One pass over whole visits, because where a visit came from and where it ended is known of whole visits only, of which
//! a filter shows a part. A subject of events counts the events of the span that the filter keeps; one of visits counts the
//! visits that began in the span, and of each the events that the filter keeps.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use super::Asked;
use crate::query::filter::{Cell, Subject, VisitValue};
use crate::query::grouping::Revenue;
use crate::query::journey::{FunnelStep, GoalRow};
use crate::query::pick::{Counted, Pick};
use crate::query::question::{Answer, QueryError, Span};
use crate::query::rows::{AMOUNT, Row};
use crate::query::sessions::{Act, Session};
use crate::query::stream::Texts;
use crate::query::visits::{VisitSink, Visits};

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
    let cell = Cell::of(subject.clone(), &mut columns);
    let by = if subject.is_of_visit() { By::Visit(VisitValue::new(cell), None) } else { By::Event(cell) };
    let mut fold = Fold { goal, by, span: asked.question.span, rows: 0, tally: Tally::default() };
    let incomplete = asked.each_date(|date| {
        let rows = fold.rows;
        let texts = Texts { values: &TEXTS, tested: &columns };
        let damage = asked.reading(texts).day(&asked.snapshot.day(date)?, &mut Visits::new(&mut fold))?;
        Ok((fold.rows - rows, damage))
    })?;
    let is_wanted = |(_, counts): &Counted<Counts>| counts.met.conversions > 0 || matches!(pick, Pick::Of(_));
    let lines = pick.lines(fold.tally.values.into_iter().filter(is_wanted), |(value, counts), (other, others)| {
        let figures = |counts: &Counts| Reverse((counts.converted, counts.met.conversions));
        figures(counts).cmp(&figures(others)).then_with(|| value.cmp(other))
    });
    Ok(asked.answer(lines.into_iter().map(row).collect(), incomplete))
}

fn row((value, counts): Counted<Counts>) -> GoalRow {
    let sum = |(currency, ten_thousandths): (Option<Box<str>>, i128)| Revenue {
        currency: currency.map(String::from),
        ten_thousandths,
    };
    let Counts { visitors, converted, met: Met { conversions, revenue }, .. } = counts;
    let revenue = revenue.into_iter().map(sum).collect();
    GoalRow { value: value.map(String::from), visitors, converted, conversions, revenue }
}

struct Fold<'a> {
    goal: &'a FunnelStep,
    by: By,
    span: Span,
    rows: u64,
    tally: Tally,
}

/// Whose value the subject is.
#[derive(Debug)]
enum By {
    Event(Cell),
    /// That of the visit. What counts of the visit that is being read is held until its value is known.
    Visit(VisitValue, Option<Met>),
}

/// How a goal was met.
#[derive(Debug, Default)]
struct Met {
    conversions: u64,
    revenue: BTreeMap<Option<Box<str>>, i128>,
}

/// What was counted so far, in bounded memory.
#[derive(Debug, Default)]
struct Tally {
    values: HashMap<Option<Box<str>>, Counts>,
    bytes: usize,
    /// The number of the visitor that is being read, from 1.
    visitor: u64,
}

#[derive(Debug, Default)]
struct Counts {
    /// The visitors counted last; 0 before the first.
    visitor: u64,
    converted_visitor: u64,
    visitors: u64,
    converted: u64,
    met: Met,
}

impl VisitSink for Fold<'_> {
    fn begin(&mut self, is_new_visitor: bool) {
        self.tally.visitor += u64::from(is_new_visitor);
    }

    fn push(&mut self, row: Row<'_>, act: Act, is_kept: bool, session: &Session) -> Result<(), QueryError> {
        self.rows += 1;
        let met = || if self.goal.matches(row, act.kind) { Met::once(row) } else { Met::default() };
        match &mut self.by {
            By::Event(cell) if is_kept && self.span.contains(act.at_us) => {
                self.tally.count(cell.of_event(row).as_deref(), met())
            }
            By::Event(_) => Ok(()),
            By::Visit(value, counted) => {
                value.note(row, act.kind);
                if is_kept && self.span.contains(session.start_us()) {
                    counted.get_or_insert_default().add(met());
                }
                Ok(())
            }
        }
    }

    fn end(&mut self, _: &Session) -> Result<(), QueryError> {
        let By::Visit(value, counted) = &mut self.by else { return Ok(()) };
        let value = value.end();
        counted.take().map_or(Ok(()), |met| self.tally.count(value.as_deref(), met))
    }
}

impl Met {
    /// By this event.
    fn once(row: Row<'_>) -> Self {
        let earned = row.amount().map(|amount| (row.text(1).map(Box::from), amount));
        Self { conversions: 1, revenue: earned.into_iter().collect() }
    }

    fn add(&mut self, other: Self) {
        self.conversions += other.conversions;
        for (currency, sum) in other.revenue {
            *self.revenue.entry(currency).or_default() += sum;
        }
    }
}

impl Tally {
    /// Counts the visitor that is being read under a value, with what it met there.
    fn count(&mut self, value: Option<&str>, met: Met) -> Result<(), QueryError> {
        let value: Option<Box<str>> = value.map(Box::from);
        if !self.values.contains_key(&value) {
            self.spend(VALUE_BYTES + value.as_deref().map_or(0, str::len))?;
        }
        let visitor = self.visitor;
        let counts = self.values.entry(value).or_default();
        counts.visitors += u64::from(counts.visitor != visitor);
        counts.visitor = visitor;
        if met.conversions > 0 {
            counts.converted += u64::from(counts.converted_visitor != visitor);
            counts.converted_visitor = visitor;
        }
        let currencies = counts.met.revenue.len();
        counts.met.add(met);
        let more = counts.met.revenue.len() - currencies;
        self.spend(more * CURRENCY_BYTES)
    }

    fn spend(&mut self, bytes: usize) -> Result<(), QueryError> {
        self.bytes += bytes;
        if self.bytes > BYTES_MAX { Err(QueryError::OutOfMemory) } else { Ok(()) }
    }
}
