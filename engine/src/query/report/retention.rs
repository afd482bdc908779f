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
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use mallard_event::Date;

use super::{Asked, timeseries};
use crate::query::journey::{Cohort, Identity};
use crate::query::question::{Answer, Interval, QueryError, Span};
use crate::query::rows::Row;
use crate::query::walk::{DayFold, Place};

const TEXTS: [&str; 1] = ["user_hash"];
/// The most users whose first event is known, and the most of one day: about 24 MiB each.
const USERS_MAX: usize = 300_000;
/// At least the longest week there is, which a clock change makes longer than seven days.
const WEEK_US: i64 = 8 * 86_400 * 1_000_000;
/// Weeks are the bits of a number.
const WEEKS_MAX: usize = u64::BITS as usize;

/// Answers for every week of the span that has begun by `now_us`, over users if the site identifies them and any event
/// up to the end of the last week followed has one, else over visitors. `weeks` is the number of weeks followed, the first included.
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
        let end_us = users.end_us(weeks);
        let mut incomplete = users.read(asked, end_us)?;
        incomplete.extend(asked.snapshot.lost(Span { start_us: i64::MIN, end_us }, asked.question.as_of));
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
    known: HashMap<UserId, User>,
}

/// The first 128 bits of a user's hash.
type UserId = u128;

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
        Ok(Self { starts, begun, span, known: HashMap::new() })
    }

    /// Where the last week ends that is followed: every day before it is read.
    fn end_us(&self, weeks: usize) -> i64 {
        let cohorts = self.starts.partition_point(|start_us| *start_us < self.span.end_us);
        self.starts.get(cohorts.saturating_sub(1) + weeks).copied().unwrap_or(i64::MAX)
    }

    fn read(&mut self, asked: &Asked<'_>, end_us: i64) -> Result<Vec<String>, QueryError> {
        let mut days = asked.snapshot.days_with_data(Date::MIN..=Date::MAX);
        days.retain(|date| date.start().micros() < end_us);
        asked.fold_these_days(days, &TEXTS, |_| UsersOfDay::default(), |day| self.add(day))
    }

    fn add(&mut self, day: HashMap<UserId, Span>) -> Result<(), QueryError> {
        for (id, seen) in day {
            let weeks = [self.week(seen.start_us), self.week(seen.end_us)];
            let (span, count) = (self.span, self.known.len());
            let user = match self.known.entry(id) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(_) if count == USERS_MAX => return Err(too_many()),
                Entry::Vacant(unknown) => {
                    let [first, _] = weeks;
                    unknown.insert(User { cohort: first.filter(|_| span.contains(seen.start_us)), active: 0 })
                }
            };
            let Some(cohort) = user.cohort else { continue };
            for week in weeks.into_iter().flatten() {
                user.active |= week.checked_sub(cohort).and_then(|later| 1_u64.checked_shl(bits(later))).unwrap_or(0);
            }
        }
        Ok(())
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

fn too_many() -> QueryError {
    let text = format!(
        "retention remembers at most {USERS_MAX} users, from the first day of the site on; ask for an earlier range or for \
         fewer users by a filter"
    );
    QueryError::TooLarge(text)
}

/// The id of a user by its hash, whose first 32 digits are 128 random bits. A text that is no hash is made one.
fn id_of(hash: &str) -> UserId {
    let digits = hash.get(..32).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
    digits.and_then(|digits| UserId::from_str_radix(digits, 16).ok()).unwrap_or_else(|| {
        [0_u64, 1].into_iter().fold(0, |id, half| {
            let mut hasher = DefaultHasher::new();
            (half, hash).hash(&mut hasher);
            id << 64 | UserId::from(hasher.finish())
        })
    })
}

fn bits(weeks: usize) -> u32 {
    u32::try_from(weeks).unwrap_or(u32::MAX)
}

/// The users of one day, each with its first and its last event, both included.
#[derive(Debug, Default)]
struct UsersOfDay(HashMap<UserId, Span>);

impl DayFold for UsersOfDay {
    type Partial = HashMap<UserId, Span>;

    fn push(&mut self, row: Row<'_>, place: Place) -> Result<(), QueryError> {
        let (Some(hash), at_us) = (row.text(0), place.act.at_us) else { return Ok(()) };
        let count = self.0.len();
        match self.0.entry(id_of(hash)) {
            Entry::Occupied(mut known) => {
                let seen = known.get_mut();
                *seen = Span { start_us: seen.start_us.min(at_us), end_us: seen.end_us.max(at_us) };
            }
            Entry::Vacant(_) if count == USERS_MAX => return Err(too_many()),
            Entry::Vacant(unknown) => {
                unknown.insert(Span { start_us: at_us, end_us: at_us });
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Self::Partial, QueryError> {
        Ok(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_users_are_remembered_as_is_said_and_one_more_is_an_error_that_says_so() {
        let span = Span { start_us: 0, end_us: WEEK_US };
        let mut users = Users { starts: vec![0], begun: 1, span, known: HashMap::new() };
        let seen = Span { start_us: 1, end_us: 1 };
        users.add((0..USERS_MAX as u128).map(|id| (id, seen)).collect()).unwrap();
        users.add(HashMap::from([(7, seen)])).unwrap();
        let refused = users.add(HashMap::from([(u128::MAX, seen)])).unwrap_err();
        assert!(refused.to_string().starts_with("retention remembers at most 300000 users"), "{refused}");
        assert!(size_of::<(UserId, User)>() <= 48, "a bound on users is one on memory");
    }

    #[test]
    fn hashes_that_differ_are_different_users_whatever_they_are_made_of() {
        let hash = |number: u8| format!("{number:02x}").repeat(32);
        assert_ne!(id_of(&hash(1)), id_of(&hash(2)));
        assert_eq!(id_of(&hash(255)), u128::MAX);
        assert_ne!(id_of("anna"), id_of("bert"));
        assert_ne!(id_of(&format!("+{}", &hash(1)[1..])), id_of(&hash(1)));
    }
}
