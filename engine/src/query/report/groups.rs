//! Figures by any combination of values: the report behind the Stats API of Plausible.
//!
//! One pass, visit by visit. Visitors are told apart within their UTC day, so the sums over days are exact. What a visit has
//! counted is held by the values of its events until those of the visit are known. Memory is that of the groups, bounded,
//! with each text once; it grows neither with the number of events nor with the length of a visit.

use std::collections::HashMap;

use super::Asked;
use crate::query::filter::{Cell, VisitValue};
use crate::query::journey::FunnelStep;
use crate::query::question::{Answer, Figures, Group, Groups, Key, QueryError, Span, Takings};
use crate::query::rows::{AMOUNT, Kind, Row};
use crate::query::sessions::{Act, Session};
use crate::query::stream::Texts;
use crate::query::visits::{VisitSink, Visits};

const GOAL_TEXTS: [&str; 1] = ["pathname"];
const MONEY_TEXTS: [&str; 3] = ["pathname", "revenue_currency", AMOUNT];
/// The most memory of the groups of one answer.
const BYTES_MAX: usize = 16 << 20;
/// What a text costs beside its length, from above: its place in a map that grows, its allocation, its place in the answer.
const TEXT_BYTES: usize = 160;
/// What a group costs beside its ids, from above, in the same way.
const GROUP_BYTES: usize = 400;
/// One more currency of a group.
const CURRENCY_BYTES: usize = 160;
/// After a visit of more groups than this, the memory that it took is given back.
const MARKS_KEPT_MAX: usize = 1024;

/// The place of a value among those of its key; 0 is a missing one.
type ValueId = u32;

/// Answers with every group that has an event or a visit, in the order of time and else in none; with what its events earned
/// if `has_takings`.
pub(in crate::query) fn report(
    asked: &Asked<'_>,
    keys: &[Key],
    has_takings: bool,
) -> Result<Answer<Groups>, QueryError> {
    let mut columns: Vec<&'static str> = asked.program.columns().to_vec();
    let plans = keys.iter().map(|key| Plan::of(asked, key, &mut columns)).collect::<Result<Vec<_>, _>>()?;
    let goals = plans.iter().position(|plan| matches!(plan.source, Source::Goals(_)));
    let values: &[&str] = match (has_takings, goals) {
        (true, _) => &MONEY_TEXTS,
        (false, Some(_)) => &GOAL_TEXTS,
        (false, None) => &[],
    };
    let ids = vec![0; keys.len()];
    let mut fold = Fold { span: asked.question.span, plans, goals, ids, ..Fold::default() };
    let incomplete = asked.each_date(|date| {
        let rows = fold.rows;
        let damage = asked
            .reading(Texts { values, tested: &columns })
            .day(&asked.snapshot.day(date)?, &mut Visits::new(&mut fold))?;
        Ok((fold.rows - rows, damage))
    })?;
    Ok(asked.answer(fold.into_groups(), incomplete))
}

/// How one key gets its values, and the texts of those that it had.
#[derive(Debug)]
struct Plan {
    source: Source,
    names: Names,
}

#[derive(Debug)]
enum Source {
    /// The starts of the buckets and the ids of their labels. Two hours that a clock change gives one label are one group.
    Time(Vec<(i64, ValueId)>),
    Event(Cell),
    Visit(VisitValue),
    /// The id of a goal is its place, from 1.
    Goals(Box<[FunnelStep]>),
}

/// The texts of one key by their place.
#[derive(Debug, Default)]
struct Names(HashMap<Box<str>, ValueId>);

#[derive(Debug, Default)]
struct Fold {
    span: Span,
    plans: Vec<Plan>,
    /// The plan that is by goals.
    goals: Option<usize>,
    groups: HashMap<Box<[ValueId]>, Counter>,
    bytes: usize,
    rows: u64,
    visitor: u64,
    /// What the visit that is being read has counted, by the ids of time and events; those of the visit are 0.
    marks: HashMap<Box<[ValueId]>, Mark>,
    /// The ids of the event that is being counted.
    ids: Vec<ValueId>,
}

#[derive(Debug, Default)]
struct Counter {
    figures: Figures,
    takings: Vec<Takings>,
    /// The visitor counted last; 0 before the first.
    visitor: u64,
}

/// What one visit has counted in one group.
#[derive(Debug, Default)]
struct Mark {
    has_event: bool,
    pageviews: u64,
    events: u64,
    takings: Vec<Takings>,
    /// The visit itself counts here.
    has_visit: bool,
}

impl VisitSink for Fold {
    fn begin(&mut self, is_new_visitor: bool) {
        self.visitor += u64::from(is_new_visitor);
    }

    fn push(&mut self, row: Row<'_>, act: Act, is_kept: bool, session: &Session) -> Result<(), QueryError> {
        self.rows += 1;
        for (plan, id) in self.plans.iter_mut().zip(&mut self.ids) {
            match &mut plan.source {
                Source::Event(cell) if is_kept => {
                    *id = plan.names.id_of(cell.of_event(row).as_deref(), &mut self.bytes)?;
                }
                Source::Visit(value) => value.note(row, act.kind),
                Source::Event(_) | Source::Time(_) | Source::Goals(_) => {}
            }
        }
        match self.goals {
            _ if !is_kept => Ok(()),
            None => self.count(row, act, session),
            Some(place) => self.count_goals(place, row, act, session),
        }
    }

    fn end(&mut self, session: &Session) -> Result<(), QueryError> {
        let Self { plans, marks, groups, bytes, ids, visitor, .. } = self;
        for (plan, id) in plans.iter_mut().zip(&mut *ids) {
            if let Source::Visit(value) = &mut plan.source {
                let value = value.end();
                *id = if marks.is_empty() { 0 } else { plan.names.id_of(value.as_deref(), bytes)? };
            }
        }
        for (mut key, mark) in marks.drain() {
            for ((plan, id), key) in plans.iter().zip(&*ids).zip(&mut *key) {
                if let Source::Visit(_) = plan.source {
                    *key = *id;
                }
            }
            if !groups.contains_key(&key) {
                spend(bytes, GROUP_BYTES + size_of_val(&*key))?;
            }
            groups.entry(key).or_default().add(mark, session, *visitor, bytes)?;
        }
        marks.shrink_to(MARKS_KEPT_MAX);
        Ok(())
    }
}

impl Fold {
    /// Counts an event, whose ids are known, and its visit.
    fn count(&mut self, row: Row<'_>, act: Act, session: &Session) -> Result<(), QueryError> {
        if self.span.contains(act.at_us) {
            let mark = self.mark(act.at_us)?;
            mark.has_event = true;
            mark.pageviews += u64::from(act.kind == Kind::Pageview);
            mark.events += u64::from(act.kind == Kind::Custom);
            if let Some(ten_thousandths) = row.amount() {
                let currency = row.text(1).map(Box::from);
                earn(&mut mark.takings, Takings { currency, ten_thousandths, events: 1 });
            }
        }
        if self.span.contains(session.start_us()) {
            self.mark(session.start_us())?.has_visit = true;
        }
        Ok(())
    }

    /// Counts an event under every goal that it meets.
    fn count_goals(&mut self, place: usize, row: Row<'_>, act: Act, session: &Session) -> Result<(), QueryError> {
        let is_met = |plan: &Plan, goal: usize| match &plan.source {
            Source::Goals(goals) => goals.get(goal).map(|goal| goal.matches(row, act.kind)),
            _ => None,
        };
        let mut goal = 0;
        while let Some(is_met) = self.plans.get(place).and_then(|plan| is_met(plan, goal)) {
            goal += 1;
            if is_met && let Some(id) = self.ids.get_mut(place) {
                *id = goal.try_into().map_err(QueryError::internal)?;
                self.count(row, act, session)?;
            }
        }
        Ok(())
    }

    /// What the visit has counted under the ids of its newest event and the bucket of `at_us`.
    fn mark(&mut self, at_us: i64) -> Result<&mut Mark, QueryError> {
        for (plan, id) in self.plans.iter().zip(&mut self.ids) {
            match &plan.source {
                Source::Time(starts) => {
                    let begun = starts.partition_point(|(start_us, _)| *start_us <= at_us);
                    *id = begun.checked_sub(1).and_then(|bucket| starts.get(bucket)).map_or(0, |(_, id)| *id);
                }
                Source::Visit(_) => *id = 0,
                Source::Event(_) | Source::Goals(_) => {}
            }
        }
        if !self.marks.contains_key(&*self.ids) {
            let needed = (self.marks.len() + 1) * (GROUP_BYTES + size_of_val(&*self.ids));
            spend(&mut self.bytes.clone(), needed)?;
            self.marks.insert(self.ids.as_slice().into(), Mark::default());
        }
        self.marks.get_mut(&*self.ids).ok_or_else(|| QueryError::internal("a mark that was made is gone"))
    }

    fn into_groups(self) -> Groups {
        let names = self.plans.into_iter().map(|plan| plan.names.into_texts()).collect();
        let group = |(values, counter): (_, Counter)| {
            let Counter { figures, mut takings, .. } = counter;
            takings.sort_unstable_by(|one, other| one.currency.cmp(&other.currency));
            Group { values, figures, takings: takings.into() }
        };
        let mut groups: Vec<Group> = self.groups.into_iter().map(group).collect();
        groups.sort_unstable_by(|group, other| group.values.cmp(&other.values));
        Groups { names, groups }
    }
}

impl Plan {
    /// The plan of a key, whose columns are added to `columns`.
    fn of(asked: &Asked<'_>, key: &Key, columns: &mut Vec<&'static str>) -> Result<Self, QueryError> {
        let mut names = Names::default();
        let source = match key {
            Key::Time(interval) => {
                let starts = asked.calendar().buckets(asked.question.span, *interval)?;
                let mut labelled = |start_us| {
                    let label = asked.calendar().label(start_us, *interval)?;
                    // Buckets are bounded by their number.
                    Ok((start_us, names.id_of(Some(&label), &mut 0)?))
                };
                Source::Time(starts.into_iter().map(&mut labelled).collect::<Result<_, QueryError>>()?)
            }
            Key::Value(subject) => {
                let cell = Cell::of(subject.clone(), columns);
                if subject.is_of_visit() { Source::Visit(VisitValue::new(cell)) } else { Source::Event(cell) }
            }
            Key::Goals(goals) => {
                for goal in 0..goals.len() {
                    names.id_of(Some(&goal.to_string()), &mut 0)?;
                }
                Source::Goals(goals.clone())
            }
        };
        Ok(Self { source, names })
    }
}

impl Names {
    /// The id of a text, which may be new.
    fn id_of(&mut self, text: Option<&str>, bytes: &mut usize) -> Result<ValueId, QueryError> {
        let Some(text) = text else { return Ok(0) };
        if let Some(id) = self.0.get(text) {
            return Ok(*id);
        }
        spend(bytes, TEXT_BYTES + text.len())?;
        let id = (self.0.len() + 1).try_into().map_err(QueryError::internal)?;
        self.0.insert(text.into(), id);
        Ok(id)
    }

    fn into_texts(self) -> Vec<Option<Box<str>>> {
        let mut texts = vec![None; self.0.len() + 1];
        for (text, id) in self.0 {
            if let Some(place) = texts.get_mut(id as usize) {
                *place = Some(text);
            }
        }
        texts
    }
}

impl Counter {
    /// Adds what a visit of visitor number `visitor` has counted.
    fn add(&mut self, mark: Mark, session: &Session, visitor: u64, bytes: &mut usize) -> Result<(), QueryError> {
        let figures = &mut self.figures;
        if mark.has_event {
            figures.visitors += u64::from(self.visitor != visitor);
            self.visitor = visitor;
            figures.pageviews += mark.pageviews;
            figures.events += mark.events;
        }
        if mark.has_visit {
            figures.add_visit(session);
        }
        let currencies = self.takings.len();
        mark.takings.into_iter().for_each(|more| earn(&mut self.takings, more));
        spend(bytes, (self.takings.len() - currencies) * CURRENCY_BYTES)
    }
}

/// Adds to the sum of the same currency. There are few.
fn earn(takings: &mut Vec<Takings>, more: Takings) {
    match takings.iter_mut().find(|sum| sum.currency == more.currency) {
        Some(sum) => {
            sum.ten_thousandths += more.ten_thousandths;
            sum.events += more.events;
        }
        None => takings.push(more),
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

fn spend(bytes: &mut usize, more: usize) -> Result<(), QueryError> {
    *bytes += more;
    if *bytes <= BYTES_MAX {
        return Ok(());
    }
    let text = format!(
        "the groups of this answer need more than {} MiB; ask for fewer dimensions, for less by a filter, or for a shorter \
         range",
        BYTES_MAX >> 20
    );
    Err(QueryError::TooLarge(text))
}
