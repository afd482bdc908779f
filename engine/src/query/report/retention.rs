//! Who came back, by the week of the first visit.
//!
//! - Of users whom the site identifies, everything is known: the first event of each, from the first day of the store,
//!   and the weeks in which it had another one. This is the one report that needs a set across days.
//! - Of visitors, whose ids end with the UTC day, only the size of a week is known. The rest is `None`, never 0.
//!
//! A UTC day lies in at most two weeks of any zone, so the weeks in which a user was active on a day are those of its
//! first and its last event of the day.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use mallard_event::Date;

use super::{Asked, timeseries};
use crate::query::journey::{Cohort, Identity};
use crate::query::question::{Answer, Interval, QueryError, Span};
use crate::query::rows::Row;
use crate::query::walk::{DayFold, Place};

const TEXTS: [&str; 1] = ["user_hash"];
/// The most memory that the set of users may take.
const BYTES_MAX: usize = 24 << 20;
/// At least the longest week there is, which a clock change makes longer than seven days.
const WEEK_US: i64 = 8 * 86_400 * 1_000_000;
/// What a user costs beside the text of its hash, from above.
const USER_BYTES: usize = 80;
/// Weeks are the bits of a number.
const WEEKS_MAX: usize = u64::BITS as usize;

/// Answers for every week of the span that has begun by `now_us`, over users if the site identifies them and any event
/// has one, else over visitors. `weeks` is the number of weeks followed, the first included.
pub(in crate::query) fn report(
    asked: &Asked<'_>,
    weeks: usize,
    is_identified: bool,
    now_us: i64,
) -> Result<Answer<Vec<Cohort>>, QueryError> {
    if weeks > WEEKS_MAX {
        return Err(QueryError::Internal(format!("retention follows at most {WEEKS_MAX} weeks")));
    }
    if is_identified {
        let mut users = Users::new(asked, now_us)?;
        let incomplete = users.read(asked, weeks)?;
        if !users.known.is_empty() {
            return Ok(asked.answer(users.cohorts(asked, weeks)?, incomplete));
        }
    }
    let answer = timeseries::report(asked, Interval::Week)?;
    let begun = answer.value.into_iter().filter(|week| week.start_us <= now_us);
    let cohort = |date, size| {
        let retained = (0..weeks).map(|week| (week == 0).then_some(size)).collect();
        Cohort { date, size, retained, identity: Identity::DailyVisitor }
    };
    let value = begun.map(|week| cohort(week.label, week.visitors)).collect();
    Ok(Answer { value, as_of: answer.as_of, incomplete: answer.incomplete })
}

/// Every user seen so far.
struct Users {
    /// Where the weeks begin, from that of the span's start to the next one.
    starts: Vec<i64>,
    /// How many of them have begun.
    begun: usize,
    span: Span,
    known: HashMap<Box<str>, User>,
    bytes: usize,
}

/// What is known of a user.
#[derive(Clone, Copy, Debug)]
struct User {
    /// The week of its first event; `None` if that lies outside of the span.
    cohort: Option<usize>,
    /// Bit `n`: an event in the week `n` weeks after the first.
    active: u64,
}

impl Users {
    fn new(asked: &Asked<'_>, now_us: i64) -> Result<Self, QueryError> {
        let span = asked.question.span;
        let until_next_week = Span { end_us: now_us.saturating_add(WEEK_US), ..span };
        let starts = asked.calendar().buckets(until_next_week, Interval::Week)?;
        let begun = starts.partition_point(|start_us| *start_us <= now_us);
        Ok(Self { starts, begun, span, known: HashMap::new(), bytes: 0 })
    }

    fn read(&mut self, asked: &Asked<'_>, weeks: usize) -> Result<Vec<String>, QueryError> {
        let cohorts = self.starts.partition_point(|start_us| *start_us < self.span.end_us);
        let end_us = self.starts.get(cohorts.saturating_sub(1) + weeks).copied().unwrap_or(i64::MAX);
        let mut days = asked.snapshot.days_with_data(Date::MIN..=Date::MAX);
        days.retain(|date| date.start().micros() < end_us);
        asked.fold_these_days(days, &TEXTS, |_| UsersOfDay::default(), |day| self.add(day))
    }

    fn add(&mut self, day: HashMap<Box<str>, Span>) -> Result<(), QueryError> {
        for (hash, seen) in day {
            let weeks = [self.week(seen.start_us), self.week(seen.end_us)];
            let (span, bytes) = (self.span, hash.len() + USER_BYTES);
            let user = match self.known.entry(hash) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => {
                    self.bytes += bytes;
                    let [first, _] = weeks;
                    unknown.insert(User { cohort: first.filter(|_| span.contains(seen.start_us)), active: 0 })
                }
            };
            let Some(cohort) = user.cohort else { continue };
            for week in weeks.into_iter().flatten() {
                user.active |= week.checked_sub(cohort).and_then(|later| 1_u64.checked_shl(bits(later))).unwrap_or(0);
            }
        }
        if self.bytes > BYTES_MAX { Err(QueryError::OutOfMemory) } else { Ok(()) }
    }

    /// The number of the week that holds `at_us`; `None` if it lies before the first or has not begun.
    fn week(&self, at_us: i64) -> Option<usize> {
        let week = self.starts.partition_point(|start_us| *start_us <= at_us).checked_sub(1);
        week.filter(|week| *week < self.begun)
    }

    fn cohorts(&self, asked: &Asked<'_>, weeks: usize) -> Result<Vec<Cohort>, QueryError> {
        let mut retained = vec![vec![0; weeks]; self.begun];
        for user in self.known.values() {
            let Some(cohort) = user.cohort.and_then(|cohort| retained.get_mut(cohort)) else { continue };
            for (later, count) in cohort.iter_mut().enumerate() {
                *count += user.active >> later & 1;
            }
        }
        let of_span = self.starts.iter().zip(retained).enumerate();
        let of_span = of_span.take_while(|(_, (start_us, _))| **start_us < self.span.end_us);
        let cohort = |(number, (start_us, counts)): (usize, (&i64, Vec<u64>))| {
            let has_begun = |later: usize| number + later < self.begun;
            Ok(Cohort {
                date: asked.calendar().label(*start_us, Interval::Week)?,
                size: counts.first().copied().unwrap_or(0),
                retained: counts.iter().enumerate().map(|(later, count)| has_begun(later).then_some(*count)).collect(),
                identity: Identity::User,
            })
        };
        of_span.map(cohort).collect()
    }
}

fn bits(weeks: usize) -> u32 {
    u32::try_from(weeks).unwrap_or(u32::MAX)
}

/// The users of one day, each with its first and its last event, both included.
#[derive(Debug, Default)]
struct UsersOfDay {
    seen: HashMap<Box<str>, Span>,
    bytes: usize,
}

impl DayFold for UsersOfDay {
    type Partial = HashMap<Box<str>, Span>;

    fn push(&mut self, row: Row<'_>, place: Place) -> Result<(), QueryError> {
        let (Some(hash), at_us) = (row.text(0), place.act.at_us) else { return Ok(()) };
        if let Some(seen) = self.seen.get_mut(hash) {
            *seen = Span { start_us: seen.start_us.min(at_us), end_us: seen.end_us.max(at_us) };
            return Ok(());
        }
        self.bytes += hash.len() + USER_BYTES;
        self.seen.insert(hash.into(), Span { start_us: at_us, end_us: at_us });
        if self.bytes > BYTES_MAX { Err(QueryError::OutOfMemory) } else { Ok(()) }
    }

    fn finish(self) -> Result<Self::Partial, QueryError> {
        Ok(self.seen)
    }
}
