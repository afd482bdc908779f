//! Tests of whole reports: through DuckDB, over files and hot rows.

#![allow(clippy::disallowed_methods, reason = "tests plant, damage and remove files behind the program's back")]

mod additivity;
mod behaviour;
mod bounds;
mod fixture;
mod journeys;
mod pool;
#[path = "../../../tests/support/mod.rs"]
mod support;
mod values;
mod views;

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::{Dimension, FunnelStep, Group, Interval, Key, Question, Snapshot, Span};
use fixture::Fixture;
use support::filter::{filters, subjects};
use support::history::{History, Size, histories};
use support::oracle::{Groups, Oracle};

const CASES: u32 = 192;
const HOUR_US: i64 = 3_600_000_000;
/// Few enough events that a counter-example can be read.
const SMALL: Size = Size { walks: 0..9, visitors: 3, days: 4 };

/// Asks everything and compares it with the reference.
fn check_every_report(fixture: &Fixture, snapshot: &dyn Snapshot, oracle: &Oracle<'_>, question: &Question) {
    let (duck, deadline) = (&fixture.duck, fixture.deadline());
    let main = super::main(duck, snapshot, question, &deadline).unwrap();
    assert_eq!(main.value, oracle.main());
    for interval in [Interval::Hour, Interval::Day, Interval::Week, Interval::Month] {
        let series = super::timeseries(duck, snapshot, question, interval, &deadline).unwrap();
        assert_eq!(series.value, oracle.timeseries(interval), "{interval:?}");
    }
    for dimension in Dimension::ALL {
        for limit in [1000, 2] {
            let breakdown = super::breakdown(duck, snapshot, question, *dimension, &limit.into(), &deadline).unwrap();
            assert_eq!(breakdown.value, oracle.breakdown(*dimension, limit), "{dimension:?}");
        }
    }
}

#[test]
fn every_report_equals_the_reference_however_rows_lie_in_files_and_memory() {
    let fixture = Fixture::new();
    proptest!(ProptestConfig::with_cases(CASES), |(history in histories(&SMALL))| {
        let snapshot = fixture.snapshot(&history.question.site, &history.rows, &history.places);
        let oracle = Oracle::new(&history.rows, &history.question);
        check_every_report(&fixture, &snapshot, &oracle, &history.question);
    });
}

#[test]
fn every_report_of_a_filtered_question_equals_the_reference() {
    let fixture = Fixture::new();
    let cases = (histories(&SMALL), filters(), proptest::option::of(0..40_u64));
    proptest!(ProptestConfig::with_cases(CASES), |((history, wanted, as_of) in cases)| {
        let as_of = as_of.map(|as_of| as_of.min(history.rows.len() as u64));
        let question = Question { filter: wanted.to_filter().checked().unwrap(), as_of, ..history.question };
        let snapshot = fixture.snapshot(&question.site, &history.rows, &history.places);
        let oracle = Oracle::filtered(&history.rows, &question, &wanted);
        check_every_report(&fixture, &snapshot, &oracle, &question);
    });
}

#[test]
fn figures_by_any_values_equal_the_reference() {
    let fixture = Fixture::new();
    let cases = (histories(&SMALL), filters(), vec(keys(), 0..4), proptest::option::of(0..4_usize));
    proptest!(ProptestConfig::with_cases(CASES), |((history, wanted, mut keys, goals_at) in cases)| {
        keys.splice(goals_at.map_or(0..0, |place| place.min(keys.len())..place.min(keys.len())), goals_at.map(|_| goals()));
        let question = Question { filter: wanted.to_filter(), ..history.question };
        let snapshot = fixture.snapshot(&question.site, &history.rows, &history.places);
        let answer = super::groups(&fixture.duck, &snapshot, &question, &keys, true, &fixture.deadline()).unwrap();
        let oracle = Oracle::filtered(&history.rows, &question, &wanted);
        let count = answer.value.groups.len();
        let groups = by_values(&answer.value);
        prop_assert_eq!(groups.len(), count, "a group has one line");
        prop_assert_eq!(groups, oracle.groups(&keys));
        let earned = |group: &&Group| !group.takings.is_empty();
        let takings = answer.value.groups.iter().filter(earned);
        let takings: Vec<_> = takings.map(|group| (values_of(&answer.value, group), group.takings.to_vec())).collect();
        prop_assert_eq!(BTreeMap::from_iter(takings), oracle.takings(&keys));
    });
}

fn by_values(answer: &super::Groups) -> Groups {
    answer.groups.iter().map(|group| (values_of(answer, group), group.figures)).collect()
}

fn values_of(answer: &super::Groups, group: &Group) -> Vec<Option<String>> {
    answer.values(group).map(|value| value.map(str::to_owned)).collect()
}

/// By goals, at most once among the keys.
fn goals() -> Key {
    let goals = [
        FunnelStep::Page("/".into()),
        FunnelStep::Views("/*".into()),
        FunnelStep::Event("signup".into()),
        FunnelStep::Views("/b".into()),
    ];
    Key::Goals(goals.into())
}

fn keys() -> impl Strategy<Value = Key> {
    prop_oneof![
        2 => subjects().prop_map(Key::Value),
        1 => select(&[Interval::Hour, Interval::Day, Interval::Week][..]).prop_map(Key::Time),
    ]
}

#[test]
fn a_series_by_minute_equals_the_reference() {
    let fixture = Fixture::new();
    proptest!(ProptestConfig::with_cases(CASES / 4), |(history in histories(&SMALL), hours in 1..30_i64)| {
        let span = Span { end_us: history.question.span.start_us + hours * HOUR_US, ..history.question.span };
        let question = Question { span, ..history.question };
        let snapshot = fixture.snapshot(&question.site, &history.rows, &history.places);
        let oracle = Oracle::new(&history.rows, &question);
        let series = super::timeseries(&fixture.duck, &snapshot, &question, Interval::Minute, &fixture.deadline()).unwrap();
        prop_assert_eq!(series.value, oracle.timeseries(Interval::Minute));
    });
}

#[test]
fn counts_of_two_spans_that_meet_at_midnight_utc_add_up_to_those_of_both() {
    let fixture = Fixture::new();
    proptest!(ProptestConfig::with_cases(CASES / 4), |(history in histories(&SMALL), days in 0..4_i64, wanted in filters())| {
        let history = History { question: Question { filter: wanted.to_filter(), ..history.question }, ..history };
        let snapshot = fixture.snapshot(&history.question.site, &history.rows, &history.places);
        let Span { start_us, end_us } = history.question.span;
        let midnight_us = (start_us.div_euclid(24 * HOUR_US) + days) * 24 * HOUR_US;
        let middle_us = midnight_us.clamp(start_us, end_us);
        let counts = |start_us, end_us| {
            let question = Question { span: Span { start_us, end_us }, ..history.question.clone() };
            let report = super::main(&fixture.duck, &snapshot, &question, &fixture.deadline()).unwrap().value;
            [report.unique_visitors, report.total_pageviews, report.visits, report.events]
        };
        let (before, after, both) = (counts(start_us, middle_us), counts(middle_us, end_us), counts(start_us, end_us));
        prop_assert_eq!([0, 1, 2, 3].map(|count| before[count] + after[count]), both);
    });
}
