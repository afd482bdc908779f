//! What a caller of reports relies on beside the numbers: caching, damage, time limits.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use mallard_event::{Date, Event, EventId, EventName, SiteId, Stored, Timestamp, VisitorId};

use super::fixture::{Days, Fixture, batch};
use crate::TimeZone;
use crate::query::{Answer, Deadline, Dimension, Interval, MainReport, QueryError, Question, Span};

const HOUR_US: i64 = 3_600_000_000;
const DAY_US: i64 = 24 * HOUR_US;

/// Days of January 1970, from 0.
pub(super) fn question(days: std::ops::Range<i64>) -> Question {
    let span = Span { start_us: days.start * DAY_US, end_us: days.end * DAY_US };
    Question::new(SiteId::parse("site").unwrap(), span, TimeZone::UTC)
}

fn date(day: i32) -> Date {
    Date::from_days(day).unwrap()
}

/// One pageview on each of the days, `lsn` hours into it.
fn views(days: &[i64]) -> Vec<Stored> {
    let view = |(lsn, day): (u64, &i64)| {
        let timestamp = Timestamp::from_micros(day * DAY_US + lsn.cast_signed() * HOUR_US).unwrap();
        Stored { lsn: Some(lsn), received_at: timestamp, event: pageview(timestamp) }
    };
    (1..).zip(days).map(view).collect()
}

pub(super) fn pageview(timestamp: Timestamp) -> Event {
    let (site, visitor) = (SiteId::parse("site").unwrap(), VisitorId::parse("visitor").unwrap());
    let (name, id) = (EventName::parse("pageview").unwrap(), EventId::parse("id").unwrap());
    Event::new(site, visitor, timestamp, name, "/", id)
}

/// A snapshot with one file for each of the views.
fn in_files(fixture: &Fixture, rows: &[Stored]) -> Days {
    let places: Vec<usize> = (1..=rows.len()).collect();
    fixture.snapshot(&question(0..1).site, rows, &places)
}

/// A snapshot of `count` views with the paths of its files, one for each.
pub(super) fn views_in_files(fixture: &Fixture, count: i64) -> (Days, Vec<PathBuf>) {
    let snapshot = in_files(fixture, &views(&(0..count).collect::<Vec<_>>()));
    let files = snapshot.days.values().flat_map(|day| day.files.iter().map(|file| file.path.clone())).collect();
    (snapshot, files)
}

fn main(fixture: &Fixture, snapshot: &Days, question: &Question) -> Result<Answer<MainReport>, QueryError> {
    crate::query::main(&fixture.duck, snapshot, question, &fixture.deadline())
}

fn pageviews(fixture: &Fixture, snapshot: &Days, question: &Question) -> u64 {
    main(fixture, snapshot, question).unwrap().value.total_pageviews
}

#[test]
fn a_site_without_events_has_zeros_and_empty_buckets() {
    let fixture = Fixture::new();
    let snapshot = in_files(&fixture, &[]);
    let answer = main(&fixture, &snapshot, &question(0..2)).unwrap();
    let zeros = MainReport { avg_visit_duration_secs: Some(0.0), ..MainReport::default() };
    assert_eq!(answer, Answer { value: zeros, as_of: 0, incomplete: vec![] });
    let (duck, deadline) = (&fixture.duck, fixture.deadline());
    let series = crate::query::timeseries(duck, &snapshot, &question(0..2), Interval::Day, &deadline).unwrap();
    assert_eq!(series.value.iter().map(|bucket| bucket.visitors + bucket.pageviews).collect::<Vec<_>>(), [0, 0]);
    let pages =
        crate::query::breakdown(duck, &snapshot, &question(0..2), Dimension::Pages, &10.into(), &deadline).unwrap();
    assert_eq!(pages.value, []);
}

#[test]
#[expect(clippy::reversed_empty_ranges, reason = "that is what is asked")]
fn a_span_that_is_empty_or_reversed_holds_nothing() {
    let fixture = Fixture::new();
    let snapshot = in_files(&fixture, &views(&[0, 1]));
    for days in [1..1, 2..0] {
        assert_eq!(pageviews(&fixture, &snapshot, &question(days)), 0);
    }
}

#[test]
fn a_day_is_read_again_when_it_has_changed_and_not_before() {
    let fixture = Fixture::new();
    let rows = views(&[0, 0, 0]);
    let mut snapshot = in_files(&fixture, &rows[..1]);
    assert_eq!(pageviews(&fixture, &snapshot, &question(0..1)), 1);
    let day = snapshot.days.get_mut(&date(0)).unwrap();
    day.tail = vec![batch(&[&rows[1], &rows[2]])];
    assert_eq!(pageviews(&fixture, &snapshot, &question(0..1)), 1, "the version says that nothing has changed");
    snapshot.days.get_mut(&date(0)).unwrap().version += 1;
    assert_eq!(pageviews(&fixture, &snapshot, &question(0..1)), 3);
}

fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path)
}

fn truncate(path: &Path) -> io::Result<()> {
    fs::OpenOptions::new().write(true).open(path)?.set_len(100)
}

fn flip_a_bit(path: &Path) -> io::Result<()> {
    let mut bytes = fs::read(path)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes)
}

#[test]
fn a_damaged_or_missing_file_is_an_error_that_names_it() {
    let fixture = Fixture::new();
    let rows = views(&[0, 1]);
    for spoil in [remove, truncate, flip_a_bit] {
        let snapshot = in_files(&fixture, &rows);
        let damaged = snapshot.days[&date(1)].files[0].path.clone();
        spoil(&damaged).unwrap();
        let error = main(&fixture, &snapshot, &question(0..2)).unwrap_err();
        assert!(matches!(&error, QueryError::Damaged { file, .. } if *file == damaged), "{error}");
        assert_eq!(pageviews(&fixture, &snapshot, &question(0..1)), 1, "the rest of the history stays readable");
    }
}

#[test]
fn an_answer_that_misses_data_says_for_which_days() {
    let fixture = Fixture::new();
    let mut snapshot = in_files(&fixture, &views(&[0, 1, 2, 3, 4]));
    for day in [0, 1, 3] {
        snapshot.days.get_mut(&date(day)).unwrap().damaged.push("events/x.parquet".into());
    }
    snapshot.days.get_mut(&date(3)).unwrap().files.clear();
    let answer = main(&fixture, &snapshot, &question(0..5)).unwrap();
    assert_eq!(answer.incomplete, ["site 1970-01-01..1970-01-02", "site 1970-01-04..1970-01-04"]);
    assert_eq!(answer.value.total_pageviews, 4);
    assert_eq!(main(&fixture, &snapshot, &question(4..5)).unwrap().incomplete, Vec::<String>::new());
    let error = main(&fixture, &snapshot, &question(3..4)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "nothing of the range can be read: site 1970-01-04..1970-01-04 damaged (events/x.parquet)"
    );
}

#[test]
fn a_question_that_came_too_late_is_not_answered() {
    let fixture = Fixture::new();
    let snapshot = in_files(&fixture, &views(&[0]));
    let passed = Deadline::after(&fixture.env.clock, 0);
    let answer = crate::query::main(&fixture.duck, &snapshot, &question(0..1), &passed);
    assert_eq!(answer, Err(QueryError::TimedOut));
}

#[test]
fn a_series_with_too_many_buckets_is_refused() {
    let fixture = Fixture::new();
    let snapshot = in_files(&fixture, &views(&[0]));
    let (duck, deadline) = (&fixture.duck, fixture.deadline());
    let series = crate::query::timeseries(duck, &snapshot, &question(0..3), Interval::Minute, &deadline);
    assert_eq!(series, Err(QueryError::TooManyBuckets { max: 4000 }));
}

#[test]
fn too_many_values_fail_their_breakdown_and_nothing_else() {
    let fixture = Fixture::new();
    let long = "/".repeat(2000);
    let rows: Vec<Stored> = (1..=10_000_u64)
        .map(|lsn| {
            let timestamp = Timestamp::from_micros(lsn.cast_signed()).unwrap();
            let event = Event { pathname: format!("{long}{lsn}").into(), ..pageview(timestamp) };
            Stored { lsn: Some(lsn), received_at: timestamp, event }
        })
        .collect();
    let snapshot = fixture.snapshot(&question(0..1).site, &rows, &vec![0; rows.len()]);
    let breakdown = |dimension| {
        crate::query::breakdown(&fixture.duck, &snapshot, &question(0..1), dimension, &10.into(), &fixture.deadline())
    };
    assert_eq!(breakdown(Dimension::Pages), Err(QueryError::OutOfMemory));
    assert_eq!(breakdown(Dimension::Browsers).unwrap().value[0].pageviews, 10_000);
    assert_eq!(pageviews(&fixture, &snapshot, &question(0..1)), 10_000);
}
