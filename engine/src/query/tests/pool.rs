//! Tests of DuckDB's limits: what it may reach, how long it may run, how much it may hold.

use std::sync::mpsc;
use std::thread;

use super::fixture::Fixture;
use crate::query::pool::Pool;
use crate::query::{Deadline, QueryConfig, QueryError};

/// Runs for hours.
const ENDLESS: &str = "SELECT count(*) FROM range(1_000_000_000_000) WHERE hash(range) = 42";

fn run(fixture: &Fixture, sql: &str) -> Result<usize, QueryError> {
    run_until(&fixture.duck.pool, sql, &fixture.deadline())
}

/// Number of rows.
fn run_until(pool: &Pool, sql: &str, deadline: &Deadline) -> Result<usize, QueryError> {
    let mut rows = 0;
    pool.lease(deadline)?.query(sql, |batch| {
        rows += batch.num_rows();
        Ok(())
    })?;
    Ok(rows)
}

#[test]
fn a_query_that_outlives_its_deadline_is_stopped_and_the_next_one_is_not() {
    let fixture = Fixture::new();
    let soon = Deadline::after(&fixture.env.clock, 50_000);
    assert_eq!(run_until(&fixture.duck.pool, ENDLESS, &soon), Err(QueryError::TimedOut));
    assert_eq!(run(&fixture, "SELECT 1"), Ok(1));
}

#[test]
fn more_queries_than_may_run_at_a_time_wait_for_their_turn_until_their_deadline() {
    let fixture = Fixture::with(&QueryConfig { concurrent_max: 1, ..QueryConfig::default() });
    let lease = fixture.duck.pool.lease(&fixture.deadline()).unwrap();
    let soon = Deadline::after(&fixture.env.clock, 1_000);
    assert_eq!(run_until(&fixture.duck.pool, "SELECT 1", &soon), Err(QueryError::TimedOut));
    thread::scope(|scope| {
        let waiting = scope.spawn(|| run(&fixture, "SELECT 1"));
        drop(lease);
        assert_eq!(waiting.join().unwrap(), Ok(1));
    });
}

#[test]
fn the_derived_database_is_refreshed_while_as_many_queries_run_as_may() {
    let fixture = Fixture::with(&QueryConfig { concurrent_max: 2, ..QueryConfig::default() });
    let deadline = fixture.deadline();
    let leases = [(); 2].map(|()| fixture.duck.pool.lease(&deadline).unwrap());
    fixture.duck.refresh_views(&fixture.dir.path().join("mallard.duckdb"), &[], true).unwrap();
    let soon = Deadline::after(&fixture.env.clock, 1_000);
    assert_eq!(run_until(&fixture.duck.pool, "SELECT 1", &soon), Err(QueryError::TimedOut), "it takes no query's turn");
    drop(leases);
    assert_eq!(run(&fixture, "SELECT 1"), Ok(1));
}

#[test]
fn closing_ends_running_queries_and_refuses_new_ones() {
    let fixture = Fixture::new();
    let (started, is_started) = mpsc::channel();
    thread::scope(|scope| {
        let endless = scope.spawn(|| {
            let lease = fixture.duck.pool.lease(&fixture.deadline()).unwrap();
            started.send(()).unwrap();
            lease.query(ENDLESS, |_| Ok(()))
        });
        is_started.recv().unwrap();
        fixture.duck.stop();
        assert_eq!(endless.join().unwrap(), Err(QueryError::NotReady));
    });
    assert_eq!(run(&fixture, "SELECT 1"), Err(QueryError::NotReady));
}

#[test]
fn what_fits_neither_in_memory_nor_in_the_spill_folder_is_out_of_memory() {
    let fixture = Fixture::with(&QueryConfig { memory_mb: 20, temp_bytes_max: 1 << 20, ..QueryConfig::default() });
    let sort = "SELECT range, md5(range::VARCHAR) AS text FROM range(2_000_000) ORDER BY text";
    assert_eq!(run(&fixture, sort), Err(QueryError::OutOfMemory));
    assert_eq!(run(&fixture, "SELECT 1"), Ok(1));
}

#[test]
fn a_sort_larger_than_memory_is_spilled_below_the_data_directory() {
    let fixture = Fixture::with(&QueryConfig { memory_mb: 32, ..QueryConfig::default() });
    let sort = "SELECT range, md5(range::VARCHAR) AS text FROM range(2_000_000) ORDER BY text";
    assert_eq!(run(&fixture, sort), Ok(2_000_000));
}

#[test]
fn duckdb_reaches_nothing_outside_the_data_directory_and_cannot_be_reconfigured() {
    let fixture = Fixture::new();
    std::fs::write(fixture.dir.path().join("inside.txt"), "inside").unwrap();
    let outside = tempfile::NamedTempFile::new().unwrap();
    let read = |path: &std::path::Path| {
        let literal =
            path.to_str().unwrap().replace('\'', "''").replace('[', "[[]").replace('*', "[*]").replace('?', "[?]");
        run(&fixture, &format!("SELECT * FROM read_text('{literal}')"))
    };
    assert_eq!(read(&fixture.dir.path().join("inside.txt")), Ok(1));
    assert!(read(outside.path()).is_err());
    for forbidden in [
        format!("COPY (SELECT 1) TO '{}'", outside.path().display()),
        format!("ATTACH '{}.db'", outside.path().display()),
        "INSTALL httpfs".into(),
        "LOAD httpfs".into(),
        "SET enable_external_access = true".into(),
        "SET memory_limit = '1TB'".into(),
        "SET temp_directory = '/tmp'".into(),
    ] {
        assert!(run(&fixture, &forbidden).is_err(), "{forbidden}");
    }
}

#[test]
fn after_a_fatal_fault_the_next_query_has_a_new_instance() {
    let fixture = Fixture::new();
    let table_exists = || run(&fixture, "SELECT * FROM marker").is_ok();
    run(&fixture, "CREATE TABLE marker AS SELECT 1").unwrap();
    assert!(table_exists());
    let lease = fixture.duck.pool.lease(&fixture.deadline()).unwrap();
    lease.give_up_instance();
    drop(lease);
    assert!(!table_exists());
}

#[test]
fn an_instance_that_cannot_be_opened_is_known_until_one_can() {
    // DuckDB refuses to work without a thread.
    let fixture = Fixture::with(&QueryConfig { threads: 0, ..QueryConfig::default() });
    assert!(!fixture.duck.is_failing(), "nobody has asked anything yet");
    assert!(matches!(run(&fixture, "SELECT 1"), Err(QueryError::Internal(_))));
    assert!(fixture.duck.is_failing());
    assert!(fixture.duck.probe().is_err() && fixture.duck.is_failing());
    let fixture = Fixture::new();
    fixture.duck.pool.pretend_to_fail();
    assert!(fixture.duck.is_failing());
    fixture.duck.probe().unwrap();
    assert!(!fixture.duck.is_failing());
    assert_eq!(run(&fixture, "SELECT 1"), Ok(1));
}
