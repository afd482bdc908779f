//! Figures by any combination of values: the report behind the Stats API of Plausible.
//!
//! One pass over whole visits, day by day. Visitors are told apart within their UTC day, so the sums over days are exact.
//! Memory is that of the groups, bounded; it does not grow with the number of events.

use std::collections::HashMap;

use super::Asked;
use crate::query::filter::Cell;
use crate::query::question::{Answer, Figures, Group, Key, QueryError, Span};
use crate::query::rows::{HeldRow, Kind, Row};
use crate::query::sessions::Session;
use crate::query::stream::Texts;
use crate::query::visits::{Visit, VisitSink, Visits};

/// The most memory of the groups of one answer.
const BYTES_MAX: usize = 16 << 20;
/// What a text or a group costs beside its length, from above.
const ENTRY_BYTES: usize = 160;

/// The place of a value among those of its key; 0 is a missing one.
type ValueId = u32;

/// Answers with every group that has an event or a visit, in the order of time and else in none.
pub(in crate::query) fn report(asked: &Asked<'_>, keys: &[Key]) -> Result<Answer<Vec<Group>>, QueryError> {
    let mut columns: Vec<&'static str> = asked.program.columns().to_vec();
    let first = columns.len();
    let mut plans = Vec::with_capacity(keys.len());
    for (number, key) in keys.iter().enumerate() {
        plans.push(match key {
            Key::Time(interval) => Plan::Time(asked.calendar().buckets(asked.question.span, *interval)?),
            Key::Value(subject) => Plan::Value(Cell::of(subject.clone(), first + number), Values::default()),
        });
        columns.push(if let Key::Value(subject) = key { subject.column() } else { "event_name" });
    }
    let mut fold = Fold { span: asked.question.span, plans, ..Fold::default() };
    let incomplete = asked.each_date(|date| {
        let rows = fold.rows;
        let damage = asked
            .reading(Texts { values: &[], tested: &columns })
            .day(&asked.snapshot.day(date)?, &mut Visits::new(&mut fold))?;
        Ok((fold.rows - rows, damage))
    })?;
    Ok(asked.answer(fold.into_groups(asked, keys)?, incomplete))
}

/// How one key gets its values.
#[derive(Debug)]
enum Plan {
    /// The starts of the buckets.
    Time(Vec<i64>),
    Value(Cell, Values),
}

/// The texts of one key by their place.
#[derive(Debug, Default)]
struct Values(HashMap<Box<str>, ValueId>);

#[derive(Debug, Default)]
struct Fold {
    span: Span,
    plans: Vec<Plan>,
    groups: HashMap<Box<[ValueId]>, Counter>,
    bytes: usize,
    rows: u64,
    visitor: u64,
    visit: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counter {
    figures: Figures,
    /// The visitor and the visit counted last; 0 before the first.
    visitor: u64,
    visit: u64,
}

impl VisitSink for Fold {
    fn take(&mut self, visit: &Visit<'_>) -> Result<(), QueryError> {
        self.rows += visit.rows.len() as u64;
        self.visitor += u64::from(visit.is_new_visitor);
        self.visit += 1;
        let is_visit_counted = self.span.contains(visit.session.start_us());
        for (held, is_kept) in visit.rows.iter().zip(visit.kept) {
            let row = held.row();
            if *is_kept && self.span.contains(row.act().at_us) {
                self.count_event(row, visit)?;
            }
            if *is_kept && is_visit_counted {
                self.count_visit(row, visit)?;
            }
        }
        Ok(())
    }
}

impl Fold {
    fn count_event(&mut self, row: Row<'_>, visit: &Visit<'_>) -> Result<(), QueryError> {
        let (act, visitor) = (row.act(), self.visitor);
        let counter = self.counter(row, visit.rows, act.at_us)?;
        counter.figures.visitors += u64::from(counter.visitor != visitor);
        counter.visitor = visitor;
        counter.figures.pageviews += u64::from(act.kind == Kind::Pageview);
        counter.figures.events += u64::from(act.kind == Kind::Custom);
        Ok(())
    }

    fn count_visit(&mut self, row: Row<'_>, visit: &Visit<'_>) -> Result<(), QueryError> {
        let number = self.visit;
        let counter = self.counter(row, visit.rows, visit.session.start_us())?;
        if counter.visit != number {
            counter.visit = number;
            counter.figures.add_visit(visit.session);
        }
        Ok(())
    }

    /// The counter of the group that an event is in.
    fn counter(&mut self, row: Row<'_>, visit: &[HeldRow], at_us: i64) -> Result<&mut Counter, QueryError> {
        let mut ids = Vec::with_capacity(self.plans.len());
        for plan in &mut self.plans {
            ids.push(match plan {
                Plan::Time(starts) => narrow(starts.partition_point(|start_us| *start_us <= at_us))?,
                Plan::Value(cell, values) => match cell.value(row, visit.iter().map(HeldRow::row)) {
                    Some(text) => values.id(&text, &mut self.bytes)?,
                    None => 0,
                },
            });
        }
        if !self.groups.contains_key(&*ids) {
            self.bytes += ENTRY_BYTES + size_of_val(&*ids);
            if self.bytes > BYTES_MAX {
                return Err(QueryError::OutOfMemory);
            }
        }
        Ok(self.groups.entry(ids.into()).or_default())
    }

    fn into_groups(self, asked: &Asked<'_>, keys: &[Key]) -> Result<Vec<Group>, QueryError> {
        let names: Vec<Vec<Option<String>>> =
            self.plans.into_iter().zip(keys).map(|(plan, key)| plan.names(asked, key)).collect::<Result<_, _>>()?;
        let mut groups: Vec<_> = self.groups.into_iter().collect();
        groups.sort_unstable_by(|(ids, _), (others, _)| ids.cmp(others));
        let group = |(ids, counter): (Box<[ValueId]>, Counter)| {
            let name = |(id, names): (&ValueId, &Vec<Option<String>>)| names.get(*id as usize).cloned().flatten();
            Group { values: ids.iter().zip(&names).map(name).collect(), figures: counter.figures }
        };
        Ok(groups.into_iter().map(group).collect())
    }
}

impl Plan {
    /// The names of a key's values by their place.
    fn names(self, asked: &Asked<'_>, key: &Key) -> Result<Vec<Option<String>>, QueryError> {
        let mut names = vec![None];
        match (self, key) {
            (Self::Time(starts), Key::Time(interval)) => {
                for start_us in starts {
                    names.push(Some(asked.calendar().label(start_us, *interval)?));
                }
            }
            (Self::Time(_), Key::Value(_)) => return Err(QueryError::internal("a key is not what was planned")),
            (Self::Value(_, Values(ids)), _) => {
                names.resize(ids.len() + 1, None);
                for (text, id) in ids {
                    if let Some(name) = names.get_mut(id as usize) {
                        *name = Some(text.into());
                    }
                }
            }
        }
        Ok(names)
    }
}

impl Values {
    fn id(&mut self, text: &str, bytes: &mut usize) -> Result<ValueId, QueryError> {
        if let Some(id) = self.0.get(text) {
            return Ok(*id);
        }
        *bytes += ENTRY_BYTES + text.len();
        let id = narrow(self.0.len() + 1)?;
        self.0.insert(text.into(), id);
        Ok(id)
    }
}

impl Figures {
    fn add_visit(&mut self, session: &Session) {
        self.visits += 1;
        self.bounces += u64::from(session.is_bounce());
        self.visit_pageviews += session.pageviews();
        if let Some(duration_us) = session.duration_us() {
            self.timed_visits += 1;
            self.duration_us += duration_us;
        }
    }
}

fn narrow(number: usize) -> Result<ValueId, QueryError> {
    number.try_into().map_err(QueryError::internal)
}
