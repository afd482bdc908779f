//! Tests of what is held while a report is computed: long visits, many groups, many users, and files that an unfinished
//! erasure has not been through.

use std::sync::Arc;

use mallard_compactor::{Erasure, Reach};
use mallard_event::{Event, Stored, Subject as Person, Timestamp, VisitorId};
use mallard_wal::Lsn;

use super::behaviour::{pageview, question};
use super::fixture::{Days, Fixture};
use crate::query::journey::FunnelStep;
use crate::query::{Dimension, Filter, Groups, Key, QueryError, Question, Span, Subject, Term};

const DAY_US: i64 = 86_400_000_000;

/// Pageviews of one visit, a microsecond apart, changed by their number.
fn visit(count: u64, change: impl Fn(u64, Event) -> Event) -> Vec<Stored> {
    let view = |lsn: u64| {
        let timestamp = Timestamp::from_micros(lsn.cast_signed()).unwrap();
        Stored { lsn: Some(lsn), received_at: timestamp, event: change(lsn, pageview(timestamp)) }
    };
    (1..=count).map(view).collect()
}

fn in_memory(fixture: &Fixture, rows: &[Stored]) -> Days {
    fixture.snapshot(&question(0..1).site, rows, &vec![0; rows.len()])
}

fn groups(fixture: &Fixture, snapshot: &Days, keys: &[Dimension]) -> Result<Groups, QueryError> {
    let keys: Vec<Key> = keys.iter().map(|dimension| Key::Value(Subject::Dimension(*dimension))).collect();
    let answer = crate::query::groups(&fixture.duck, snapshot, &question(0..1), &keys, false, &fixture.deadline());
    answer.map(|answer| answer.value)
}

#[test]
fn a_text_of_groups_is_there_once_and_too_many_groups_are_refused() {
    let fixture = Fixture::new();
    let grid = |side: u64| {
        visit(side * side, |number, event| Event {
            pathname: format!("/{}/{}", "x".repeat(1000), number % side).into(),
            hostname: Some(format!("{}.{}", number / side, "y".repeat(200)).into()),
            ..event
        })
    };
    let by = [Dimension::Pages, Dimension::Hostnames];
    let found = groups(&fixture, &in_memory(&fixture, &grid(100)), &by).unwrap();
    assert_eq!(found.groups.len(), 10_000);
    let texts = |key: usize| found.names[key].iter().flatten().count();
    assert_eq!((texts(0), texts(1)), (100, 101));
    let refused = groups(&fixture, &in_memory(&fixture, &grid(300)), &by).unwrap_err();
    assert!(refused.to_string().starts_with("the groups of this answer need more than 16 MiB;"), "{refused}");
}

#[test]
fn a_visit_of_any_length_is_grouped_and_one_too_long_for_a_filter_on_visits_is_an_error_that_says_so() {
    let fixture = Fixture::new();
    let rows = visit(200_001, |_, event| event);
    let (snapshot, deadline) = (in_memory(&fixture, &rows), fixture.deadline());
    let found = groups(&fixture, &snapshot, &[Dimension::EntryPages, Dimension::Pages]).unwrap();
    let figures = found.groups[0].figures;
    assert_eq!((found.groups.len(), figures.pageviews, figures.visits, figures.visitors), (1, 200_001, 1, 1));
    let (goal, by) = (FunnelStep::Page("/".into()), Subject::Dimension(Dimension::ExitPages));
    let met = crate::query::goal_by(&fixture.duck, &snapshot, &question(0..1), &goal, &by, &10.into(), &deadline);
    assert_eq!(met.unwrap().value[0].conversions, 200_001);
    let entry = Term::is(Subject::Dimension(Dimension::EntryPages), ["/"], true).unwrap();
    let filtered = Question { filter: Filter::Term(entry), ..question(0..1) };
    let refused = crate::query::main(&fixture.duck, &snapshot, &filtered, &deadline).unwrap_err();
    assert!(refused.to_string().starts_with("one visit has more than 200000 events or 16 MiB,"), "{refused}");
}

#[test]
fn rows_that_an_unfinished_erasure_takes_are_left_out_while_files_are_read() {
    let fixture = Fixture::new();
    let (gone, stays) = (VisitorId::parse("gone").unwrap(), VisitorId::parse("stays").unwrap());
    let rows = visit(5000, |number, event| Event {
        visitor: if number % 5 == 0 { stays.clone() } else { gone.clone() },
        ..event
    });
    let mut snapshot = fixture.snapshot(&question(0..1).site, &rows, &vec![1; rows.len()]);
    let erasure = Erasure {
        id: [1; 16],
        store: 0,
        lsn: Lsn::new(5001),
        at_us: 0,
        site: question(0..1).site,
        start_us: 0,
        end_us: DAY_US,
        subject: Some(Person::visitor(&question(0..1).site, &gone)),
        reach: Reach::Lsn,
    };
    for day in snapshot.days.values_mut() {
        day.erasures = vec![Arc::new(erasure.clone())];
    }
    let (deadline, all) = (fixture.deadline(), question(0..1));
    let main = crate::query::main(&fixture.duck, &snapshot, &all, &deadline).unwrap().value;
    assert_eq!((main.unique_visitors, main.total_pageviews), (1, 1000));
    let mut sent = 0;
    let mut take = |row: &Stored| {
        assert_eq!(row.event.visitor, stays);
        sent += 1;
        true
    };
    crate::query::raw(&fixture.duck, &snapshot, &all, 60_000_000, &mut take).unwrap();
    assert_eq!(sent, 1000);
}

#[test]
fn retention_over_users_says_what_it_misses_of_all_the_days_that_it_reads() {
    let fixture = Fixture::new();
    let user = |number: u64| Some(format!("{number:064x}").into());
    let rows = visit(3, |number, event| Event { user_hash: user(number), ..event });
    let mut snapshot = in_memory(&fixture, &rows);
    snapshot.gap_us = Some(0);
    let (late, deadline) = (question(70..77), fixture.deadline());
    let cohorts = |is_identified| {
        crate::query::retention(&fixture.duck, &snapshot, &late, 2, is_identified, &deadline).unwrap().incomplete
    };
    assert_eq!(cohorts(true), ["lost at 0"]);
    assert_eq!(cohorts(false), Vec::<String>::new(), "of visitors, no earlier day is read");
}

#[test]
fn the_minutes_of_realtime_say_what_they_miss_of_the_day_before() {
    let fixture = Fixture::new();
    let mut snapshot = in_memory(&fixture, &visit(3, |_, event| event));
    // A gap ten minutes before midnight, asked about two minutes after it.
    let (minute_us, now_us) = (60_000_000, 2 * 60_000_000);
    snapshot.gap_us = Some(-10 * minute_us);
    let of = |minutes: i64| Question {
        span: Span { start_us: now_us - minutes * minute_us, end_us: now_us },
        ..question(0..1)
    };
    let answer =
        |minutes| crate::query::realtime(&fixture.duck, &snapshot, &of(5), &of(minutes), &fixture.deadline()).unwrap();
    assert_eq!(
        (answer(30).incomplete, answer(30).value.figures.total_pageviews),
        (vec!["lost at -600000000".to_owned()], 3)
    );
    assert_eq!(answer(8).incomplete, Vec::<String>::new());
}
