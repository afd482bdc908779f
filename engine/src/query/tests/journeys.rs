//! Ordered reports against their reference, and the cases of their definitions one by one.

use mallard_event::{Event, EventId, EventName, SiteId, Stored, Timestamp, VisitorId};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::fixture::{Days, Fixture};
use super::support::filter::{Wanted, filters, subjects};
use super::support::history::{History, histories};
use super::support::oracle::Oracle;
use super::{CASES, HOUR_US, SMALL};
use crate::TimeZone;
use crate::query::{Direction, Funnel, FunnelStep, Journey, Question, Span, report};

const MINUTE_US: i64 = 60_000_000;
const DAY_US: i64 = 24 * HOUR_US;
const WINDOWS_US: [Option<i64>; 6] = [None, Some(0), Some(1), Some(30 * MINUTE_US), Some(HOUR_US), Some(DAY_US)];

/// Histories, half of them with a filter in their question.
pub(super) fn filtered() -> impl Strategy<Value = (History, Wanted)> {
    let wanted = prop_oneof![Just(Wanted::All(Vec::new())), filters()];
    (histories(&SMALL), wanted).prop_map(|(history, wanted)| {
        let question = Question { filter: wanted.to_filter(), ..history.question };
        (History { question, ..history }, wanted)
    })
}

fn steps() -> impl Strategy<Value = Vec<FunnelStep>> {
    let page = select(&["/", "/a", "/b"][..]).prop_map(|path| FunnelStep::Page(path.into()));
    let event = select(&["pageview", "signup", "engagement"][..]).prop_map(|name| FunnelStep::Event(name.into()));
    vec(prop_oneof![page, event], 1..6)
}

#[test]
fn a_funnel_equals_the_reference() {
    let fixture = Fixture::new();
    let funnels = (steps(), select(&WINDOWS_US[..])).prop_map(|(steps, window_us)| Funnel { steps, window_us });
    proptest!(ProptestConfig::with_cases(CASES), |((history, wanted) in filtered(), funnels in vec(funnels, 8))| {
        let snapshot = fixture.snapshot(&history.question.site, &history.rows, &history.places);
        let oracle = Oracle::filtered(&history.rows, &history.question, &wanted);
        for funnel in funnels {
            let answer = super::super::funnel(&fixture.duck, &snapshot, &history.question, &funnel, &fixture.deadline());
            prop_assert_eq!(answer.unwrap().value, oracle.funnel(&funnel), "{:?}", funnel);
        }
    });
}

#[test]
fn a_flow_equals_the_reference() {
    let fixture = Fixture::new();
    proptest!(ProptestConfig::with_cases(CASES), |((history, wanted) in filtered())| {
        let snapshot = fixture.snapshot(&history.question.site, &history.rows, &history.places);
        let oracle = Oracle::filtered(&history.rows, &history.question, &wanted);
        for (page, limit) in [("/", 10), ("/a", 1), ("/none", 10)] {
            let answer = super::super::flow(&fixture.duck, &snapshot, &history.question, page, &limit.into(), &fixture.deadline());
            prop_assert_eq!(answer.unwrap().value, oracle.flow(page, limit), "{}", page);
        }
    });
}

#[test]
fn journeys_equal_the_reference() {
    let fixture = Fixture::new();
    let directions = select(vec![Direction::Before, Direction::After]);
    let froms = vec![
        FunnelStep::Page("/".into()),
        FunnelStep::Views("/*".into()),
        FunnelStep::Views("*b".into()),
        FunnelStep::Event("signup".into()),
    ];
    let journeys =
        (select(froms), directions, 0..4_usize).prop_map(|(from, direction, steps)| Journey { from, direction, steps });
    proptest!(ProptestConfig::with_cases(CASES), |(history in histories(&SMALL), journeys in vec(journeys, 4), limit in 0..5_usize)| {
        let snapshot = fixture.snapshot(&history.question.site, &history.rows, &history.places);
        let oracle = Oracle::new(&history.rows, &history.question);
        for journey in journeys {
            let answer = super::super::journeys(&fixture.duck, &snapshot, &history.question, &journey, &limit.into(), &fixture.deadline());
            prop_assert_eq!(answer.unwrap().value, oracle.journeys(&journey, limit), "{:?}", journey);
        }
    });
}

#[test]
fn goals_equal_the_reference_together_and_by_every_dimension() {
    let fixture = Fixture::new();
    let goals = [FunnelStep::Views("/*a".into()), FunnelStep::Event("signup".into()), FunnelStep::Page("/b".into())];
    proptest!(ProptestConfig::with_cases(CASES), |((history, wanted) in filtered(), subject in subjects(), goal in 0..3_usize)| {
        let snapshot = fixture.snapshot(&history.question.site, &history.rows, &history.places);
        let oracle = Oracle::filtered(&history.rows, &history.question, &wanted);
        let answer = super::super::goals(&fixture.duck, &snapshot, &history.question, &goals, &fixture.deadline());
        prop_assert_eq!(answer.unwrap().value, oracle.goals(&goals));
        let answer = super::super::goal_by(&fixture.duck, &snapshot, &history.question, &goals[goal], &subject, &1000.into(), &fixture.deadline());
        prop_assert_eq!(answer.unwrap().value, oracle.goal_by(&goals[goal], &subject), "{:?}", subject);
    });
}

#[test]
fn retention_equals_the_reference() {
    let fixture = Fixture::new();
    // Of some histories the events lie weeks apart, so that users come back long after.
    let later = prop_oneof![Just(Vec::new()), vec(select(&[0, 0, 0, 1, 1, 2, 5, 33, 51, 52, 60][..]), 1..9)];
    let cases = (filtered(), later, 1..53_usize, any::<bool>(), 0..500_i64);
    proptest!(ProptestConfig::with_cases(CASES), |(((mut history, wanted), later, weeks, is_identified, days) in cases)| {
        for (row, weeks) in history.rows.iter_mut().zip(later.iter().cycle()) {
            let at_us = row.event.timestamp.micros() + weeks * 7 * DAY_US;
            row.event.timestamp = Timestamp::from_micros(at_us).unwrap();
        }
        let snapshot = fixture.snapshot(&history.question.site, &history.rows, &history.places);
        let question = Question { span: wide(history.question.span), ..history.question };
        let now_us = question.span.start_us + days * DAY_US;
        let oracle = Oracle::filtered(&history.rows, &question, &wanted);
        let deadline = fixture.deadline();
        let asked = fixture.duck.asked(&snapshot, &question, &deadline).unwrap();
        let answer = report::retention::report(&asked, weeks, is_identified, now_us).unwrap().value;
        prop_assert_eq!(answer, oracle.retention(&history.rows, weeks, is_identified, now_us));
    });
}

/// Weeks before and after what happens, so that users come back in later ones.
fn wide(span: Span) -> Span {
    Span { start_us: span.start_us - 3 * DAY_US, end_us: span.end_us + 24 * DAY_US }
}

/// One visitor's events on the first of January 1970: the time in microseconds, the name, the path.
fn one_visitor(fixture: &Fixture, events: &[(i64, &str, &str)]) -> (Days, Question) {
    let site = SiteId::parse("site").unwrap();
    let row = |(lsn, (at_us, name, path)): (u64, &(i64, &str, &str))| {
        let timestamp = Timestamp::from_micros(*at_us).unwrap();
        let (visitor, name) = (VisitorId::parse("visitor").unwrap(), EventName::parse(name).unwrap());
        let event = Event::new(site.clone(), visitor, timestamp, name, path, EventId::parse("id").unwrap());
        Stored { lsn: Some(lsn), received_at: timestamp, event }
    };
    let rows: Vec<Stored> = (1..).zip(events).map(row).collect();
    let snapshot = fixture.snapshot(&site, &rows, &vec![1; rows.len()]);
    (snapshot, Question::new(site, Span { start_us: 0, end_us: DAY_US }, TimeZone::UTC))
}

fn reached(events: &[(i64, &str, &str)], steps: &[&str], window_us: i64) -> Vec<u64> {
    let fixture = Fixture::new();
    let (snapshot, question) = one_visitor(&fixture, events);
    let steps = steps.iter().map(|path| FunnelStep::Page((*path).into())).collect();
    let funnel = Funnel { steps, window_us: Some(window_us) };
    super::super::funnel(&fixture.duck, &snapshot, &question, &funnel, &fixture.deadline()).unwrap().value.reached
}

#[test]
fn the_window_of_a_funnel_includes_its_bound() {
    let events = [(0, "pageview", "/a"), (10, "signup", "/b")];
    assert_eq!(reached(&events, &["/a", "/b"], 10), [1, 1]);
    assert_eq!(reached(&events, &["/a", "/b"], 9), [1, 0]);
}

#[test]
fn one_event_fills_one_step_and_the_best_start_counts() {
    assert_eq!(reached(&[(0, "pageview", "/a")], &["/a", "/a"], 10), [1, 0]);
    assert_eq!(reached(&[(0, "pageview", "/a"), (0, "pageview", "/a")], &["/a", "/a"], 10), [1, 1]);
    let late = [(0, "pageview", "/a"), (50, "pageview", "/a"), (55, "pageview", "/b"), (60, "pageview", "/c")];
    assert_eq!(reached(&late, &["/a", "/b", "/c"], 10), [1, 1, 1]);
}

#[test]
fn events_of_the_same_microsecond_keep_the_order_of_the_log() {
    let events = [(7, "pageview", "/b"), (7, "pageview", "/a")];
    assert_eq!(reached(&events, &["/a", "/b"], 10), [1, 0]);
    assert_eq!(reached(&events, &["/b", "/a"], 10), [1, 1]);
}

#[test]
fn a_custom_event_on_the_same_page_is_no_next_page_and_a_new_session_is_no_way_on() {
    let fixture = Fixture::new();
    let flow = |events: &[(i64, &str, &str)]| {
        let (snapshot, question) = one_visitor(&fixture, events);
        let answer =
            super::super::flow(&fixture.duck, &snapshot, &question, "/a", &10.into(), &fixture.deadline()).unwrap();
        answer.value.into_iter().map(|row| (row.next_page, row.visitors)).collect::<Vec<_>>()
    };
    let same_page = [(0, "pageview", "/a"), (1, "click", "/a"), (2, "click", "/c"), (3, "pageview", "/b")];
    assert_eq!(flow(&same_page), [("/b".to_owned(), 1)]);
    assert_eq!(flow(&[(0, "pageview", "/a"), (30 * MINUTE_US + 1, "pageview", "/b")]), []);
    assert_eq!(flow(&[(0, "pageview", "/a"), (30 * MINUTE_US, "pageview", "/b")]), [("/b".to_owned(), 1)]);
}
