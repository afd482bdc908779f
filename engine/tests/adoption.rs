//! A data directory of the original program: its Parquet files count from the first start on, a bad one is set aside and
//! named, its database keeps its bytes under another name, and everything goes on as in any other store.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and prints its counts"
)]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use mallard_engine::{
    Cancel, Cell, Config, Dimension, Engine, ErasureRequest, Error, QueryConfig, Question, Span, Sql, SqlCancel,
    SqlPart, Step, TimeZone, env, verify,
};
use mallard_event::columns::RowBuilder;
use mallard_event::{Amount, Event, EventId, EventName, SiteId, Stored, Subject, Timestamp, VisitorId};
use parquet::arrow::ArrowWriter;
use tempfile::TempDir;

/// The columns of the original.
const COLUMNS_ORIGINAL: usize = 25;
const SITE: &str = "a.example";
const DAY: &str = "2024-01-15";

fn event(site: &str, visitor: char, time: &str, path: &str) -> Event {
    Event::new(
        SiteId::parse(site).unwrap(),
        // 64 characters, as the original had them.
        VisitorId::parse(&visitor.to_string().repeat(64)).unwrap(),
        Timestamp::parse(&format!("{DAY}T{time}Z")).unwrap(),
        EventName::parse("pageview").unwrap(),
        path,
        EventId::parse("none").unwrap(),
    )
}

/// Rows as the original wrote them: 25 columns, times and amounts of lesser precision.
fn batch(events: &[Event]) -> RecordBatch {
    let mut builder = RowBuilder::new(events.len());
    for event in events {
        let mut event = event.clone();
        event.revenue_amount = Amount::parse("12.50").ok();
        builder.push(&Stored { lsn: None, received_at: event.timestamp, event });
    }
    let batch = builder.finish();
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns()).take(COLUMNS_ORIGINAL).map(|(field, array)| {
        let kind = match field.name().as_str() {
            "timestamp" => DataType::Timestamp(TimeUnit::Millisecond, None),
            "revenue_amount" => DataType::Decimal128(12, 2),
            _ => field.data_type().clone(),
        };
        (Field::new(field.name(), kind.clone(), true), cast(array, &kind).unwrap())
    });
    let (fields, arrays): (Vec<Field>, Vec<_>) = columns.unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

fn folder(root: &Path, site: &str) -> PathBuf {
    let folder = root.join(format!("events/site_id={site}/date={DAY}"));
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn write(path: &Path, events: &[Event]) {
    let batch = batch(events);
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// Three views of two visitors in two files of one site, one in a site with a name like a folder's.
fn original() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let events = folder(root.path(), SITE);
    let morning = [event(SITE, 'a', "10:00:00.123", "/"), event(SITE, 'b', "10:01:00", "/")];
    write(&events.join("data_0.parquet"), &morning);
    write(&events.join("1705312800.parquet"), &[event(SITE, 'a', "10:05:00", "/pricing")]);
    write(&folder(root.path(), "a..b").join("x.parquet"), &[event("a..b", 'c', "23:59:59", "/")]);
    fs::write(root.path().join("mallard.duckdb"), b"01234567DUCK and rows").unwrap();
    fs::write(root.path().join("mallard.duckdb.wal"), b"more rows").unwrap();
    fs::write(root.path().join(".secret"), b"a secret of the original\n").unwrap();
    root
}

fn open(root: &Path) -> Engine {
    let mut config = Config::new(root);
    (config.flush_events, config.disk_reserve_bytes) = (1, 0);
    Engine::open(config, env::real()).unwrap()
}

/// A clean stop; the directory is free afterwards.
fn close(engine: Engine) {
    engine.close().unwrap();
}

fn question(site: &str) -> Question {
    let start = Timestamp::parse(&format!("{DAY}T00:00:00Z")).unwrap().micros();
    let span = Span { start_us: start, end_us: start + 86_400_000_000 };
    Question::new(SiteId::parse(site).unwrap(), span, TimeZone::UTC)
}

/// Visitors, pageviews and sessions of the day.
fn figures(engine: &Engine, site: &str) -> (u64, u64, u64) {
    let answer = engine.reports(&Cancel::default()).main(&question(site)).unwrap();
    assert!(answer.incomplete.is_empty(), "{:?}", answer.incomplete);
    (answer.value.unique_visitors, answer.value.total_pageviews, answer.value.visits)
}

fn settle(engine: &Engine) {
    while !matches!(engine.maintain().unwrap(), Step::Idle { .. }) {}
}

fn store(engine: &Engine, event: Event) -> u64 {
    let received_at = event.timestamp;
    engine.append(event, received_at).unwrap().wait().unwrap()
}

#[test]
fn the_history_of_the_original_counts_from_the_first_start_on() {
    let root = original();
    let engine = open(root.path());
    assert_eq!(figures(&engine, SITE), (2, 3, 2));
    assert_eq!(figures(&engine, "a..b"), (1, 1, 1));
    let pages = engine.reports(&Cancel::default()).breakdown(&question(SITE), Dimension::Pages, 10).unwrap().value;
    let pages: Vec<_> = pages.into_iter().map(|row| (row.value.unwrap(), row.visitors, row.pageviews)).collect();
    assert_eq!(pages, [("/".into(), 2, 2), ("/pricing".into(), 1, 1)]);
    let sites: Vec<_> =
        engine.sites().into_iter().map(|site| (site.site.as_str().to_owned(), site.events_total)).collect();
    assert_eq!(sites, [("a..b".to_owned(), 1), (SITE.to_owned(), 3)]);
    assert_eq!(engine.status().degraded_reasons, [""; 0]);
    let rows = engine.events(&SiteId::parse(SITE).unwrap()).unwrap();
    assert!(rows.iter().all(|row| row.lsn.is_none()), "what has no place in the log gets none");
    let first = Timestamp::parse("2024-01-15T10:00:00.123Z").unwrap();
    assert_eq!(rows.iter().map(|row| row.event.timestamp).min(), Some(first));
    assert_eq!(engine.control().secret().unwrap(), "a secret of the original");
    close(engine);

    let bytes = |name: &str| fs::read(root.path().join(name)).unwrap();
    assert_eq!(bytes("mallard.duckdb.original"), b"01234567DUCK and rows");
    assert_eq!(bytes("mallard.duckdb.original.wal"), b"more rows");
    assert!(!root.path().join("ADOPTING").exists());
}

#[test]
fn sql_over_old_and_new_files_has_all_columns_of_all_rows() {
    let root = original();
    let engine = open(root.path());
    store(&engine, event(SITE, 'd', "11:00:00", "/"));
    settle(&engine);
    store(&engine, event(SITE, 'd', "11:01:00", "/"));
    let cancel = SqlCancel::new().unwrap();
    let sql = Sql::open(root.path(), &env::real(), &QueryConfig::default(), None, &cancel).unwrap();
    let mut rows = Vec::new();
    let statement = "select count(*), count(lsn), sum(revenue_amount), min(timestamp), count(channel) from events";
    let is_whole = sql.ask(statement, 10, &mut |part| {
        if let SqlPart::Row(cells) = part {
            rows.push(cells.to_vec());
        }
        true
    });
    assert!(is_whole.unwrap() && sql.missing().is_empty(), "{:?}", sql.missing());
    let text = |text: &str| Cell::Text(text.to_owned());
    let (sum, first) = (text("50.0000"), text("2024-01-15 10:00:00.123"));
    assert_eq!(rows, [[Cell::Integer(6), Cell::Integer(2), sum, first, Cell::Integer(0)]]);
}

#[test]
fn an_erasure_takes_a_part_of_an_adopted_file_and_leaves_the_rest_as_it_was() {
    let root = original();
    let engine = open(root.path());
    let site = SiteId::parse(SITE).unwrap();
    let rows = |engine: &Engine| {
        let mut rows = engine.events(&site).unwrap();
        rows.sort_by_key(|row| row.event.timestamp);
        rows
    };
    let before = rows(&engine);
    let erase = |subject, seconds: std::ops::Range<i64>| {
        let start = Timestamp::parse("2024-01-15T10:00:00Z").unwrap().micros();
        let span = Span { start_us: start + seconds.start * 1_000_000, end_us: start + seconds.end * 1_000_000 };
        engine.erase(&ErasureRequest { site: site.clone(), span, subject }).unwrap().events
    };
    // One of the two rows of a file, and all of another.
    let visitor = before[0].event.visitor.clone();
    let theirs = before.iter().filter(|row| row.event.visitor == visitor).count() as u64;
    assert!(theirs > 0 && theirs < before.len() as u64);
    assert_eq!(erase(Some(Subject::visitor(&site, &visitor)), 0..86_400), theirs);
    let left: Vec<_> = before.iter().filter(|row| row.event.visitor != visitor).cloned().collect();
    assert_eq!(rows(&engine), left, "amounts, times and all");
    assert_eq!(figures(&engine, SITE).1, left.len() as u64);
    assert_eq!(figures(&engine, "a..b"), (1, 1, 1));
    close(engine);
    let engine = open(root.path());
    store(&engine, event(SITE, 'd', "11:00:00", "/"));
    settle(&engine);
    assert_eq!(figures(&engine, SITE).1, left.len() as u64 + 1);
    let verified = verify(root.path(), &env::real(), &mut |_, _| {}).unwrap();
    assert!(verified.faults.is_empty(), "{:?}", verified.faults);
    let one = left[0].event.timestamp.micros();
    let span = Span { start_us: one, end_us: one + 1 };
    let request = ErasureRequest { site: site.clone(), span, subject: None };
    assert_eq!(engine.erase(&request).unwrap().events, 1, "what was rewritten is erased like any other");
    assert_eq!(figures(&engine, SITE).1, left.len() as u64);
    close(engine);
}

#[test]
fn events_come_after_it_and_maintenance_and_restarts_change_nothing() {
    let root = original();
    let engine = open(root.path());
    assert_eq!(store(&engine, event(SITE, 'd', "11:00:00", "/")), 5, "four rows have the first four positions");
    assert_eq!(figures(&engine, SITE), (3, 4, 3));
    settle(&engine);
    assert_eq!(figures(&engine, SITE), (3, 4, 3));
    store(&engine, event(SITE, 'd', "11:01:00", "/"));
    settle(&engine);
    close(engine);
    for file in ["data_0.parquet", "1705312800.parquet"] {
        assert!(folder(root.path(), SITE).join(file).exists(), "{file} stays as it is");
    }
    let engine = open(root.path());
    assert_eq!(figures(&engine, SITE), (3, 5, 3));
    settle(&engine);
    close(engine);
    let verified = verify(root.path(), &env::real(), &mut |_, _| {}).unwrap();
    assert!(verified.faults.is_empty(), "{:?}", verified.faults);
    assert_eq!(fs::read(root.path().join("mallard.duckdb.original")).unwrap(), b"01234567DUCK and rows");
}

#[test]
fn a_bad_file_is_set_aside_with_all_its_bytes_and_named_until_somebody_has_taken_note() {
    let root = original();
    let events = folder(root.path(), SITE);
    let sound = fs::read(events.join("data_0.parquet")).unwrap();
    let cut = &sound[..sound.len() / 2];
    fs::write(events.join("cut.parquet"), cut).unwrap();
    fs::write(events.join("empty.parquet"), b"").unwrap();
    write(&events.join("elsewhere.parquet"), &[event("b.example", 'a', "10:00:00", "/")]);

    let engine = open(root.path());
    assert_eq!(figures(&engine, SITE), (2, 3, 2), "the others count");
    assert_eq!(engine.status().quarantined, 3);
    let reasons = engine.status().degraded_reasons;
    assert_eq!(reasons.iter().filter(|reason| reason.starts_with("not adopted: quarantine/original-")).count(), 3);
    let kept: Vec<Vec<u8>> = fs::read_dir(root.path().join("quarantine"))
        .unwrap()
        .map(|entry| fs::read(entry.unwrap().path()).unwrap())
        .collect();
    assert!(kept.len() == 3 && kept.iter().any(|bytes| bytes == cut));
    close(engine);

    let engine = open(root.path());
    assert!(!engine.status().degraded_reasons.is_empty(), "a restart does not make it good");
    engine.acknowledge_loss().unwrap();
    assert_eq!(engine.status().degraded_reasons, [""; 0]);
    close(engine);
}

/// Every file below a folder that holds these bytes.
fn holders(folder: &Path, marker: &[u8]) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let holds = |path: &PathBuf| fs::read(path).unwrap().windows(marker.len()).any(|window| window == marker);
    entries.flat_map(|path| if path.is_dir() { holders(&path, marker) } else { vec![path] }).filter(holds).collect()
}

/// Three files that are not adopted: one of the site, one of another day, one with rows of who knows whom.
fn with_refused_files() -> TempDir {
    let root = original();
    let other_day = root.path().join(format!("events/site_id={SITE}/date=2024-01-16"));
    fs::create_dir_all(&other_day).unwrap();
    fs::write(folder(root.path(), SITE).join("cut.parquet"), b"PAR1 quince").unwrap();
    fs::write(other_day.join("cut.parquet"), b"PAR1 walnut").unwrap();
    write(&folder(root.path(), SITE).join("elsewhere.parquet"), &[event("b.example", 'a', "10:00:00", "/medlar")]);
    fs::write(root.path().join("mallard.duckdb.wal"), b"rows of cherry").unwrap();
    root
}

#[test]
fn an_erasure_leaves_nothing_of_what_was_not_adopted_where_its_events_may_be() {
    let root = with_refused_files();
    let engine = open(root.path());
    let left = || ["quince", "walnut", "/medlar", "cherry"].map(|marker| holders(root.path(), marker.as_bytes()).len());
    assert_eq!(left(), [1; 4]);
    let erase = |site: &str| {
        let request = ErasureRequest { site: SiteId::parse(site).unwrap(), span: question(site).span, subject: None };
        engine.erase(&request).unwrap().events
    };
    assert_eq!(erase("b.example"), 0);
    assert_eq!(left(), [1, 1, 0, 0], "what may be of any site is gone, what is of another stays");
    assert_eq!(erase(SITE), 3);
    assert_eq!(left(), [0, 1, 0, 0], "another day stays");
    assert_eq!(figures(&engine, "a..b"), (1, 1, 1));
    close(engine);
}

#[test]
fn what_was_not_adopted_expires_with_its_day() {
    let root = with_refused_files();
    close(open(root.path()));
    let mut config = Config::new(root.path());
    config.limits.retention_days = Some(1);
    let engine = Engine::open(config, env::real()).unwrap();
    settle(&engine);
    let left = ["quince", "walnut", "/medlar"].map(|marker| holders(root.path(), marker.as_bytes()).len());
    assert_eq!(left, [0, 0, 1], "what has no day that anybody could know stays");
    close(engine);
}

#[test]
fn an_adoption_that_was_cut_off_is_begun_again() {
    let root = original();
    close(open(root.path()));
    // As after a crash before the last step: a log was never begun.
    for entry in fs::read_dir(root.path().join("wal")).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    fs::write(root.path().join("ADOPTING"), b"").unwrap();
    let engine = open(root.path());
    assert_eq!(figures(&engine, SITE), (2, 3, 2));
    close(engine);
}

#[test]
fn a_store_of_this_program_without_its_manifest_is_never_taken_for_one_of_the_original() {
    let root = original();
    let engine = open(root.path());
    store(&engine, event(SITE, 'd', "11:00:00", "/"));
    settle(&engine);
    close(engine);
    for name in ["wal", "manifest"] {
        fs::remove_dir_all(root.path().join(name)).unwrap();
    }
    fs::remove_file(root.path().join("STORE")).unwrap();
    let error = Engine::open(Config::new(root.path()), env::real()).unwrap_err();
    assert!(
        matches!(error, Error::Compactor(_)) && error.to_string().contains("no manifest: run `mallard-metrics repair`"),
        "{error}"
    );
    assert_eq!(fs::read_dir(folder(root.path(), SITE)).unwrap().count(), 3, "and nothing was moved");
    assert!(!root.path().join("ADOPTING").exists());
}
