//! Events by their name or by the value of a property, with revenue per currency.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use mallard_event::prop;

use super::Asked;
use crate::query::grouping::{Grouping, Revenue, ValueRow};
use crate::query::pick::Pick;
use crate::query::question::{Answer, QueryError, Span};
use crate::query::rows::{AMOUNT, Kind, Row};
use crate::query::walk::{DayFold, Place};

const TEXTS: [&str; 3] = ["revenue_currency", "props", AMOUNT];
/// The most memory that the values of one answer may take.
const BYTES_MAX: usize = 16 << 20;
/// What a value costs beside its text, from above, and one more currency of it.
const VALUE_BYTES: usize = 160;
const CURRENCY_BYTES: usize = 64;

/// Answers with the values that are picked: by visitors and pageviews descending, then by value.
pub(in crate::query) fn report(
    asked: &Asked<'_>,
    grouping: &Grouping,
    pick: &Pick,
) -> Result<Answer<Vec<ValueRow>>, QueryError> {
    let mut total = Values::default();
    let incomplete = asked.fold_days(&TEXTS, |window| ValueFold::new(grouping, window), |day| total.add(day))?;
    let counted = total.counts.into_iter().map(|(value, counts)| (Some(value), counts));
    let lines = pick.lines(counted, |(value, counts), (other, others)| {
        let figures = |counts: &Counts| Reverse((counts.visitors, counts.pageviews));
        figures(counts).cmp(&figures(others)).then_with(|| value.cmp(other))
    });
    let rows = lines.into_iter().filter_map(|(value, counts)| Some(counts.into_row(value?)));
    Ok(asked.answer(rows.collect(), incomplete))
}

/// Counts by value, in bounded memory.
#[derive(Debug, Default)]
struct Values {
    counts: HashMap<Box<str>, Counts>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Counts {
    /// The visitor counted last; 0 before the first.
    visitor: u64,
    visitors: u64,
    pageviews: u64,
    events: u64,
    revenue: BTreeMap<Option<Box<str>>, i128>,
}

impl Values {
    fn of(&mut self, value: &str) -> Result<&mut Counts, QueryError> {
        if !self.counts.contains_key(value) {
            self.spend(value.len() + VALUE_BYTES)?;
            self.counts.insert(value.into(), Counts::default());
        }
        self.counts.get_mut(value).ok_or(QueryError::OutOfMemory)
    }

    fn spend(&mut self, bytes: usize) -> Result<(), QueryError> {
        self.bytes += bytes;
        if self.bytes > BYTES_MAX { Err(QueryError::OutOfMemory) } else { Ok(()) }
    }

    /// Adds the counts of another day.
    fn add(&mut self, day: Self) -> Result<(), QueryError> {
        for (value, counts) in day.counts {
            self.spend(counts.revenue.len() * CURRENCY_BYTES)?;
            let total = self.of(&value)?;
            total.visitors += counts.visitors;
            total.pageviews += counts.pageviews;
            total.events += counts.events;
            for (currency, sum) in counts.revenue {
                *total.revenue.entry(currency).or_default() += sum;
            }
        }
        Ok(())
    }
}

impl Counts {
    fn into_row(self, value: Box<str>) -> ValueRow {
        let revenue = |(currency, ten_thousandths): (Option<Box<str>>, i128)| Revenue {
            currency: currency.map(String::from),
            ten_thousandths,
        };
        ValueRow {
            value: value.into(),
            visitors: self.visitors,
            pageviews: self.pageviews,
            events: self.events,
            revenue: self.revenue.into_iter().map(revenue).collect(),
        }
    }
}

struct ValueFold<'a> {
    grouping: &'a Grouping,
    window: Span,
    visitor: u64,
    values: Values,
}

impl<'a> ValueFold<'a> {
    fn new(grouping: &'a Grouping, window: Span) -> Self {
        Self { grouping, window, visitor: 0, values: Values::default() }
    }

    fn count(&mut self, value: &str, kind: Kind, row: Row<'_>) -> Result<(), QueryError> {
        let visitor = self.visitor;
        let counts = self.values.of(value)?;
        counts.visitors += u64::from(counts.visitor != visitor);
        counts.visitor = visitor;
        counts.pageviews += u64::from(kind == Kind::Pageview);
        counts.events += u64::from(kind == Kind::Custom);
        let Some(amount) = row.amount() else { return Ok(()) };
        let currency = row.text(0).map(Box::from);
        if let Some(sum) = counts.revenue.get_mut(&currency) {
            *sum += amount;
            return Ok(());
        }
        counts.revenue.insert(currency, amount);
        self.values.spend(CURRENCY_BYTES)
    }
}

impl DayFold for ValueFold<'_> {
    type Partial = Values;

    fn push(&mut self, row: Row<'_>, place: Place) -> Result<(), QueryError> {
        self.visitor += u64::from(place.begins_visitor);
        if !self.window.contains(place.act.at_us) {
            return Ok(());
        }
        let grouping = self.grouping;
        match grouping {
            Grouping::Name if place.act.kind == Kind::Custom => self.count(row.name(), Kind::Custom, row),
            Grouping::Name => Ok(()),
            Grouping::Property(key) => match row.text(1).and_then(|text| prop(text, key)) {
                Some(value) => self.count(&value, place.act.kind, row),
                None => Ok(()),
            },
        }
    }

    fn finish(self) -> Result<Values, QueryError> {
        Ok(self.values)
    }
}
