//! Events by name and property, daily lines and exports against their reference.

use mallard_event::Stored;
use proptest::prelude::*;
use proptest::sample::select;

use super::fixture::Fixture;
use super::journeys::filtered;
use super::support::history::histories;
use super::support::oracle::Oracle;
use super::support::values::rows_inside;
use super::{CASES, SMALL};
use crate::query::{FilterError, Grouping, QueryError, Revenue};

#[test]
fn events_by_name_and_property_equal_the_reference() {
    let fixture = Fixture::new();
    let groupings = select(vec![
        Grouping::Name,
        Grouping::Property("plan".into()),
        Grouping::Property("seats".into()),
        Grouping::Property("".into()),
    ]);
    proptest!(ProptestConfig::with_cases(CASES), |((history, wanted) in filtered(), grouping in groupings, limit in 0..9_usize)| {
        let snapshot = fixture.snapshot(&history.question.site, &history.rows, &history.places);
        let oracle = Oracle::filtered(&history.rows, &history.question, &wanted);
        let answer = super::super::values(&fixture.duck, &snapshot, &history.question, &grouping, &limit.into(), &fixture.deadline());
        prop_assert_eq!(answer.unwrap().value, oracle.values_by(&grouping, limit));
    });
}

#[test]
fn daily_lines_equal_the_reference() {
    let fixture = Fixture::new();
    proptest!(ProptestConfig::with_cases(CASES / 4), |((history, wanted) in filtered())| {
        let snapshot = fixture.snapshot(&history.question.site, &history.rows, &history.places);
        let oracle = Oracle::filtered(&history.rows, &history.question, &wanted);
        let answer = super::super::daily(&fixture.duck, &snapshot, &history.question, &fixture.deadline());
        prop_assert_eq!(answer.unwrap().value, oracle.daily());
    });
}

#[test]
fn an_export_under_a_filter_holds_the_events_that_it_keeps_or_says_what_is_about_visits() {
    let fixture = Fixture::new();
    let counts = std::cell::Cell::new([0, 0]);
    proptest!(ProptestConfig::with_cases(CASES), |((history, wanted) in filtered())| {
        let (question, deadline) = (&history.question, 60_000_000);
        let snapshot = fixture.snapshot(&question.site, &history.rows, &history.places);
        let mut sent = Vec::new();
        let mut take = |row: &Stored| {
            sent.push(row.clone());
            true
        };
        let [kept, refused] = counts.get();
        match super::super::raw(&fixture.duck, &snapshot, question, deadline, &mut take) {
            Ok(()) => {
                let oracle = Oracle::filtered(&history.rows, question, &wanted);
                let mut expected = rows_inside(&history.rows, question);
                expected.retain(|row| oracle.keeps(row));
                prop_assert_eq!(sent, expected);
                counts.set([kept + 1, refused]);
            }
            Err(QueryError::Filter(FilterError::OfVisits(_))) => counts.set([kept, refused + 1]),
            Err(other) => panic!("{other}"),
        }
    });
    assert!(counts.get().iter().all(|count| *count > CASES / 16), "{counts:?}");
}

#[test]
fn an_export_holds_every_event_once_in_order_and_ends_when_nobody_takes_it() {
    let fixture = Fixture::new();
    proptest!(ProptestConfig::with_cases(CASES), |(history in histories(&SMALL), taken in 0..9_usize)| {
        let snapshot = fixture.snapshot(&history.question.site, &history.rows, &history.places);
        let expected = rows_inside(&history.rows, &history.question);
        let export = |take_max: usize| {
            let mut rows = Vec::new();
            let sent = super::super::raw(&fixture.duck, &snapshot, &history.question, 60_000_000, &mut |row| {
                let is_taken = rows.len() < take_max;
                rows.extend(is_taken.then(|| row.clone()));
                is_taken
            });
            (sent, rows)
        };
        prop_assert_eq!(export(usize::MAX), (Ok(()), expected.clone()));
        if taken < expected.len() {
            prop_assert_eq!(export(taken), (Err(QueryError::Cancelled), expected[..taken].to_vec()));
        }
    });
}

#[test]
fn a_sum_of_money_has_four_decimals_and_its_sign() {
    for (ten_thousandths, text) in [(125_000, "12.5000"), (-1, "-0.0001"), (0, "0.0000"), (-20_000, "-2.0000")] {
        assert_eq!(Revenue { currency: None, ten_thousandths }.to_string(), text);
    }
}
