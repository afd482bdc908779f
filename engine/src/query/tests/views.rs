//! Tests of the derived database file, opened as any DuckDB client would.

use std::fs;
use std::path::{Path, PathBuf};

use duckdb::Connection;

use super::behaviour::views_in_files;
use super::fixture::Fixture;

fn database(fixture: &Fixture) -> PathBuf {
    fixture.dir.path().join("mallard.duckdb")
}

fn refresh(fixture: &Fixture, files: &[PathBuf]) {
    fixture.duck.refresh_views(&database(fixture), files, true).unwrap();
}

/// Number of events and of columns that a client sees.
fn seen_by_a_client(path: &Path) -> (u64, u64) {
    let client = Connection::open(path).unwrap();
    let number = |sql: &str| client.query_row(sql, [], |row| row.get(0)).unwrap();
    (number("SELECT count(*) FROM events"), number("SELECT count(*) FROM (DESCRIBE events)"))
}

#[test]
fn a_client_sees_the_events_of_exactly_the_files_named() {
    let fixture = Fixture::new();
    let (_snapshot, files) = views_in_files(&fixture, 3);
    refresh(&fixture, &files);
    assert_eq!(seen_by_a_client(&database(&fixture)), (3, 33));
    refresh(&fixture, &files[..1]);
    assert_eq!(seen_by_a_client(&database(&fixture)), (1, 33));
}

#[test]
fn of_files_that_are_alike_only_one_footer_is_read_for_the_view() {
    let fixture = Fixture::new();
    let (_snapshot, files) = views_in_files(&fixture, 3);
    let made = |is_alike| fixture.duck.refresh_views(&database(&fixture), &files, is_alike);
    assert_eq!((made(true), made(false)), (Ok(()), Ok(())));
    fs::remove_file(&files[2]).unwrap();
    assert_eq!(made(true), Ok(()));
    assert!(made(false).is_err(), "every footer is read");
}

#[test]
fn a_store_without_files_has_an_empty_view_of_the_same_columns() {
    let fixture = Fixture::new();
    let (_snapshot, files) = views_in_files(&fixture, 1);
    let described = |files: &[PathBuf]| {
        refresh(&fixture, files);
        let client = Connection::open(database(&fixture)).unwrap();
        let mut columns = client.prepare("SELECT column_name, column_type FROM (DESCRIBE events)").unwrap();
        let column = |row: &duckdb::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?));
        columns.query_map([], column).unwrap().collect::<Result<Vec<_>, _>>().unwrap()
    };
    assert_eq!(described(&[]), described(&files));
    refresh(&fixture, &[]);
    assert_eq!(seen_by_a_client(&database(&fixture)), (0, 33));
}

#[test]
fn a_file_that_is_no_database_is_moved_aside() {
    let fixture = Fixture::new();
    for (number, garbage) in [(1, &b""[..]), (2, &[7; 5000][..])] {
        fs::write(database(&fixture), garbage).unwrap();
        refresh(&fixture, &[]);
        let aside = fixture.dir.path().join(format!("mallard.duckdb.broken-{number}"));
        assert_eq!(fs::read(aside).unwrap(), garbage);
        assert_eq!(seen_by_a_client(&database(&fixture)), (0, 33));
    }
}

#[test]
fn a_leftover_log_of_duckdb_does_not_matter() {
    let fixture = Fixture::new();
    let log = fixture.dir.path().join("mallard.duckdb.wal");
    let draft_log = fixture.dir.path().join("tmp/mallard.duckdb.wal");
    for leftover in [&log, &draft_log] {
        fs::write(leftover, [7; 5000]).unwrap();
    }
    refresh(&fixture, &[]);
    assert_eq!(seen_by_a_client(&database(&fixture)), (0, 33));
    assert!(!log.exists() && !draft_log.exists());
}
