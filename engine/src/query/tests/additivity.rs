//! Every report is additive over UTC days: the sum of the reports of each day is that of the whole range. All that is
//! counted is laid out flat, a number under a name, so that one sum shows it of every report at once. The exception is retention
//! of identified users, who are known beyond their day; bounces and durations, which `main` shows as means, are those of
//! groups.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::fixture::{Days, Fixture};
use super::support::filter::{Wanted, filters};
use super::support::history::histories;
use super::{HOUR_US, SMALL};
use crate::query::{
    self, Dimension, Direction, Funnel, FunnelStep, Grouping, Interval, Journey, Key, Paths, Pick, Question, Revenue,
    Span, Subject,
};

const CASES: u32 = 48;
const DAY_US: i64 = 24 * HOUR_US;
const ALL: Pick = Pick::First(usize::MAX);

/// Numbers by the report they are of, the value they are under, and what they count.
#[derive(Debug, Default, PartialEq)]
struct Sums(BTreeMap<(String, Option<String>, &'static str), i128>);

impl Sums {
    fn add(&mut self, report: &str, value: Option<&str>, figures: &[(&'static str, u64)]) {
        for (name, figure) in figures {
            self.put(report, value, name, i128::from(*figure));
        }
    }

    fn put(&mut self, report: &str, value: Option<&str>, name: &'static str, figure: i128) {
        if figure != 0 {
            *self.0.entry((report.to_owned(), value.map(str::to_owned), name)).or_default() += figure;
        }
    }

    fn add_revenue(&mut self, report: &str, value: Option<&str>, revenue: &[Revenue]) {
        for sum in revenue {
            let report = format!("{report} in {:?}", sum.currency);
            self.put(&report, value, "revenue", sum.ten_thousandths);
        }
    }

    fn merge(&mut self, other: Self) {
        for ((report, value, name), figure) in other.0 {
            self.put(&report, value.as_deref(), name, figure);
        }
    }

    /// A sum of amounts of both signs may be nothing, as may be that of no amounts.
    fn without_zeros(mut self) -> Self {
        self.0.retain(|_, figure| *figure != 0);
        self
    }
}

/// What all reports count for a question.
fn everything(fixture: &Fixture, days: &Days, question: &Question, minutes_until_us: i64) -> Sums {
    let (duck, deadline, mut sums) = (&fixture.duck, fixture.deadline(), Sums::default());
    let main = query::main(duck, days, question, &deadline).unwrap().value;
    let figures = [("visitors", main.unique_visitors), ("views", main.total_pageviews), ("visits", main.visits)];
    sums.add("main", None, &figures);
    sums.add("main", None, &[("events", main.events)]);
    for interval in [Interval::Hour, Interval::Day, Interval::Week, Interval::Month] {
        for bucket in query::timeseries(duck, days, question, interval, &deadline).unwrap().value {
            let figures = [("visitors", bucket.visitors), ("views", bucket.pageviews)];
            sums.add(&format!("{interval:?}"), Some(&bucket.label), &figures);
        }
    }
    minutes(fixture, days, question, minutes_until_us, &mut sums);
    for row in query::daily(duck, days, question, &deadline).unwrap().value {
        sums.add("daily", Some(&row.date), &[("visitors", row.visitors), ("views", row.pageviews)]);
    }
    for cohort in query::retention(duck, days, question, 1, false, &deadline).unwrap().value {
        sums.add("retention", Some(&cohort.date), &[("visitors", cohort.size)]);
    }
    for dimension in Dimension::ALL {
        for row in query::breakdown(duck, days, question, *dimension, &ALL, &deadline).unwrap().value {
            let figures = [("visitors", row.visitors), ("views", row.pageviews)];
            sums.add(dimension.name(), row.value.as_deref(), &figures);
        }
    }
    for grouping in [Grouping::Name, Grouping::Property("plan".into())] {
        for row in query::values(duck, days, question, &grouping, &ALL, &deadline).unwrap().value {
            let (report, value) = (format!("{grouping:?}"), Some(row.value.as_str()));
            let figures = [("visitors", row.visitors), ("views", row.pageviews), ("events", row.events)];
            sums.add(&report, value, &figures);
            sums.add_revenue(&report, value, &row.revenue);
        }
    }
    ordered(fixture, days, question, &mut sums);
    goals(fixture, days, question, &mut sums);
    groups(fixture, days, question, &mut sums);
    sums.without_zeros()
}

fn ordered(fixture: &Fixture, days: &Days, question: &Question, sums: &mut Sums) {
    let (duck, deadline) = (&fixture.duck, fixture.deadline());
    let steps = vec![FunnelStep::Page("/".into()), FunnelStep::Page("/a".into()), FunnelStep::Event("signup".into())];
    for window_us in [None, Some(HOUR_US)] {
        let funnel = Funnel { steps: steps.clone(), window_us };
        let report = query::funnel(duck, days, question, &funnel, &deadline).unwrap().value;
        sums.add("funnel", None, &[("visitors", report.visitors)]);
        for (step, reached) in report.reached.iter().enumerate() {
            sums.add(&format!("step {step} within {window_us:?}"), None, &[("reached", *reached)]);
        }
    }
    for row in query::flow(duck, days, question, "/", &ALL, &deadline).unwrap().value {
        sums.add("flow", Some(&row.next_page), &[("visitors", row.visitors)]);
    }
    for direction in [Direction::After, Direction::Before] {
        let journey = Journey { from: FunnelStep::Page("/".into()), direction, steps: 3 };
        let paths = Paths::First(usize::MAX);
        let report = query::journeys(duck, days, question, &journey, &paths, &deadline).unwrap().value;
        for path in &report.paths {
            sums.add(&format!("paths {direction:?}"), Some(&path.pages.join(" > ")), &[("visits", path.visits)]);
        }
        for (step, position) in report.positions.iter().enumerate() {
            let name = format!("position {step} {direction:?}");
            let figures = [("reached", position.reached), ("dropped", position.dropped), ("other", position.other)];
            sums.add(&name, None, &figures);
            for (page, visits) in &position.pages {
                sums.add(&name, Some(page), &[("visits", *visits)]);
            }
        }
    }
}

/// The minutes of the first hours of the question: more would be too many buckets for one answer. A day that begins later has
/// none of them.
fn minutes(fixture: &Fixture, days: &Days, question: &Question, until_us: i64, sums: &mut Sums) {
    let span = Span { end_us: question.span.end_us.min(until_us), ..question.span };
    if span.is_empty() {
        return;
    }
    let question = Question { span, ..question.clone() };
    let series = query::timeseries(&fixture.duck, days, &question, Interval::Minute, &fixture.deadline()).unwrap();
    for bucket in series.value {
        let figures = [("visitors", bucket.visitors), ("views", bucket.pageviews)];
        sums.add("minutes", Some(&bucket.label), &figures);
    }
}

fn goals(fixture: &Fixture, days: &Days, question: &Question, sums: &mut Sums) {
    let (duck, deadline) = (&fixture.duck, fixture.deadline());
    let goals = [FunnelStep::Views("/*a".into()), FunnelStep::Event("signup".into())];
    let report = query::goals(duck, days, question, &goals, &deadline).unwrap().value;
    sums.add("goals", None, &[("visitors", report.visitors)]);
    for (number, goal) in report.goals.iter().enumerate() {
        let name = format!("goal {number}");
        sums.add(&name, None, &[("conversions", goal.conversions), ("converted", goal.converted)]);
        sums.add_revenue(&name, None, &goal.revenue);
    }
    for subject in [Subject::Dimension(Dimension::ExitPages), Subject::Prop("plan".into())] {
        for row in query::goal_by(duck, days, question, &goals[1], &subject, &ALL, &deadline).unwrap().value {
            let (report, value) = (format!("goal by {subject:?}"), row.value.as_deref());
            // Visitors are those of values under which the goal was met: on some days it was not.
            sums.add(&report, value, &[("conversions", row.conversions), ("converted", row.converted)]);
            sums.add_revenue(&report, value, &row.revenue);
        }
    }
}

fn groups(fixture: &Fixture, days: &Days, question: &Question, sums: &mut Sums) {
    let keys = [Key::Value(Subject::Visit(Dimension::Browsers)), Key::Value(Subject::Dimension(Dimension::Pages))];
    let groups = query::groups(&fixture.duck, days, question, &keys, false, &fixture.deadline()).unwrap().value;
    for group in &groups.groups {
        let values: Vec<Option<&str>> = groups.values(group).collect();
        let (value, figures) = (format!("{values:?}"), group.figures);
        let of_events = [("visitors", figures.visitors), ("views", figures.pageviews), ("events", figures.events)];
        let of_visits = [("visits", figures.visits), ("bounces", figures.bounces), ("timed", figures.timed_visits)];
        let sizes = [("visit views", figures.visit_pageviews), ("length", figures.duration_us)];
        for figures in [&of_events[..], &of_visits[..], &sizes[..]] {
            sums.add("groups", Some(&value), figures);
        }
    }
}

/// The stretches of UTC days that a span consists of.
fn days_of(span: Span) -> Vec<Span> {
    let mut days = Vec::new();
    let mut start_us = span.start_us;
    while start_us < span.end_us {
        let end_us = ((start_us.div_euclid(DAY_US) + 1) * DAY_US).min(span.end_us);
        days.push(Span { start_us, end_us });
        start_us = end_us;
    }
    days
}

#[test]
fn the_reports_of_the_days_add_up_to_that_of_the_whole_range() {
    let fixture = Fixture::new();
    let wanted = prop_oneof![Just(Wanted::All(Vec::new())), filters()];
    proptest!(ProptestConfig::with_cases(CASES), |(history in histories(&SMALL), wanted in wanted)| {
        let snapshot = fixture.snapshot(&history.question.site, &history.rows, &history.places);
        let question = Question { filter: wanted.to_filter(), ..history.question };
        let until_us = question.span.start_us + 30 * HOUR_US;
        let mut sum = Sums::default();
        for span in days_of(question.span) {
            sum.merge(everything(&fixture, &snapshot, &Question { span, ..question.clone() }, until_us));
        }
        prop_assert_eq!(sum.without_zeros(), everything(&fixture, &snapshot, &question, until_us));
    });
}
