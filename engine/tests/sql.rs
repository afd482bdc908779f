//! SQL over a store that is open elsewhere: the moment that is found is that of the store and stays so, what is erased or
//! damaged is not in it, and a statement can neither write, nor read anything but the events, nor exceed its limits.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and damages files"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use mallard_engine::{
    Cell, Config, Engine, ErasureRequest, Progress, QueryConfig, Span, Sql, SqlCancel, SqlError, SqlPart, Step, Store,
    env,
};
use mallard_event::{Event, EventId, EventName, SiteId, Timestamp, VisitorId};
use mallard_wal::Drive;
use tempfile::TempDir;

const SITE: &str = "a.example";
const DAY: &str = "2024-01-15";

fn site(name: &str) -> SiteId {
    SiteId::parse(name).unwrap()
}

fn at(time: &str) -> Timestamp {
    Timestamp::parse(&format!("{DAY}T{time}Z")).unwrap()
}

fn open(root: &Path) -> Engine {
    let mut config = Config::new(root);
    (config.flush_events, config.disk_reserve_bytes) = (1, 0);
    Engine::open(config, env::real()).unwrap()
}

/// One pageview of a site; its LSN.
fn store(engine: &Engine, name: &str, path: &str, time: &str) -> u64 {
    let event = Event::new(
        site(name),
        VisitorId::parse("0123456789abcdef0123456789abcdef").unwrap(),
        at(time),
        EventName::parse("pageview").unwrap(),
        path,
        EventId::parse("none").unwrap(),
    );
    engine.append(event, at(time)).unwrap().wait().unwrap()
}

fn settle(engine: &Engine) {
    while !matches!(engine.maintain().unwrap(), Step::Idle { .. }) {}
}

fn console(root: &Path, config: &QueryConfig) -> Sql {
    Sql::open(root, &env::real(), config, None, &SqlCancel::new().unwrap()).unwrap()
}

fn rows(sql: &Sql, statement: &str) -> Result<Vec<Vec<Cell>>, SqlError> {
    let mut rows = Vec::new();
    let is_whole = sql.ask(statement, 1_000, &mut |part| {
        if let SqlPart::Row(cells) = part {
            rows.push(cells.to_vec());
        }
        true
    })?;
    assert!(is_whole);
    Ok(rows)
}

/// The paths of all events in the order of the log.
fn paths(sql: &Sql) -> Vec<String> {
    let rows = rows(sql, "select pathname from events order by lsn").unwrap();
    rows.into_iter()
        .map(|row| if let [Cell::Text(path)] = &row[..] { path.clone() } else { panic!("{row:?}") })
        .collect()
}

fn parquet_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(parquet_files(&path)),
            false => found.push(path),
        }
    }
    found.sort();
    found
}

/// A store with a file for each of ten pages, and one event in the log only.
fn ten_files_and_a_log() -> (TempDir, Engine) {
    let root = tempfile::tempdir().unwrap();
    let engine = open(root.path());
    for page in 0..10 {
        store(&engine, SITE, &format!("/{page}"), "10:00:00");
        while !matches!(engine.maintain().unwrap(), Step::Compacted { .. }) {}
    }
    store(&engine, SITE, "/log", "11:00:00");
    (root, engine)
}

#[test]
fn a_moment_is_held_while_compaction_merges_and_new_events_go_on() {
    let (root, engine) = ten_files_and_a_log();
    let before: Vec<String> = (0..10).map(|page| format!("/{page}")).chain(["/log".to_owned()]).collect();
    let held = console(root.path(), &QueryConfig::default());
    let files = parquet_files(&root.path().join("events"));
    store(&engine, SITE, "/later", "12:00:00");
    settle(&engine);
    let left = parquet_files(&root.path().join("events"));
    assert!(files.iter().all(|file| !left.contains(file)), "every file of the moment is gone: {left:?}");
    assert_eq!(paths(&held), before, "and the moment is what it was");
    assert_eq!(held.as_of(), 11);
    assert!(held.missing().is_empty(), "{:?}", held.missing());

    let now = console(root.path(), &QueryConfig::default());
    assert_eq!(paths(&now).last().unwrap(), "/later");
    assert_eq!(paths(&now).len(), 12);
    engine.close().unwrap();
    let stopped = console(root.path(), &QueryConfig::default());
    assert_eq!(paths(&stopped), paths(&now), "a stopped store is the same store");
}

#[test]
fn what_an_erasure_takes_is_in_no_answer_from_its_record_on_at_every_step_of_it() {
    let (root, engine) = ten_files_and_a_log();
    settle(&engine);
    store(&engine, SITE, "/hot", "10:30:00");
    engine.close().unwrap();
    drop(engine);
    let mut config = Config::new(root.path());
    (config.flush_events, config.disk_reserve_bytes) = (1, 0);
    let store = Store::open(config, env::real(), Drive::Thread, Arc::new(Progress::default())).unwrap();
    let span = Span { start_us: at("10:00:00").micros(), end_us: at("10:45:00").micros() };
    let (id, receipt) = store.begin_erasure(&ErasureRequest { site: site(SITE), span, subject: None }).unwrap();
    receipt.wait().unwrap();
    let mut steps = 0;
    let erased = loop {
        let sql = console(root.path(), &QueryConfig::default());
        assert_eq!(paths(&sql), ["/log"], "after {steps} steps");
        drop(sql);
        if let Some(erased) = store.erased(id) {
            break erased;
        }
        store.maintain(&|_| {}).unwrap();
        steps += 1;
    };
    assert_eq!(erased.events, 11);
    assert!(steps > 1, "{steps}");
}

#[test]
fn one_site_is_asked_without_the_files_of_others_and_a_damaged_file_is_named() {
    let (root, engine) = ten_files_and_a_log();
    store(&engine, "b.example", "/other", "10:00:00");
    settle(&engine);
    let mut others = parquet_files(&root.path().join("events/site_id=b.example"));
    let victim = others.remove(0);
    let mut bytes = fs::read(&victim).unwrap();
    bytes[100] ^= 1;
    fs::write(&victim, bytes).unwrap();
    let sql = console(root.path(), &QueryConfig::default());
    let [missing] = sql.missing() else { panic!("{:?}", sql.missing()) };
    let name = victim.strip_prefix(root.path()).unwrap().to_str().unwrap();
    assert!(missing.what.starts_with(&format!("damaged: {name} (site b.example, day {DAY})")), "{missing:?}");
    assert!(!missing.is_acknowledged);
    assert_eq!(paths(&sql).len(), 11, "the rest can be asked about");

    let cancel = SqlCancel::new().unwrap();
    let one = Sql::open(root.path(), &env::real(), &QueryConfig::default(), Some(&site(SITE)), &cancel).unwrap();
    assert!(one.missing().is_empty(), "{:?}", one.missing());
    assert_eq!(paths(&one).len(), 11);
}

#[test]
fn a_statement_reads_the_events_and_nothing_else_and_writes_nothing() {
    let (root, engine) = ten_files_and_a_log();
    store(&engine, "b.example", "/other", "10:00:00");
    settle(&engine);
    let file = parquet_files(&root.path().join("events/site_id=b.example")).remove(0);
    let (file, secret) = (file.display().to_string(), root.path().join("STORE").display().to_string());
    let out = root.path().join("out").display().to_string();
    let cancel = SqlCancel::new().unwrap();
    let sql = Sql::open(root.path(), &env::real(), &QueryConfig::default(), Some(&site(SITE)), &cancel).unwrap();
    for statement in [
        "insert into events select * from events",
        "delete from events",
        "create table t as select 1",
        "create temp table t as select 1",
        "drop view events",
        &format!("copy events to '{out}'"),
        &format!("export database '{out}'"),
        &format!("attach '{out}'"),
        "set memory_limit = '8GB'",
        "reset memory_limit",
        "pragma database_list",
        "call pragma_version()",
        "install icu",
        "load icu",
        "begin",
        "commit",
        "checkpoint",
        "prepare p as select 1",
        "select 1; drop view events",
        "explain delete from events",
        "explain analyze create table t as select 1",
        "",
        " ; ",
    ] {
        let refused = rows(&sql, statement);
        assert!(matches!(refused, Err(SqlError::Refused(_))), "{statement}: {refused:?}");
    }
    for statement in [
        format!("select * from read_parquet('{file}')"),
        format!("from '{file}'"),
        format!("select * from read_text('{secret}')"),
        format!("select * from read_csv('{secret}')"),
        format!("select * from glob('{}/*')", root.path().display()),
        "select * from read_blob('/proc/self/environ')".to_owned(),
        "select * from glob('/proc/self/fd/*')".to_owned(),
        "select * from read_csv('https://example.com/a.csv')".to_owned(),
        "with gone as (delete from events returning *) select * from gone".to_owned(),
        "from query('drop view events')".to_owned(),
    ] {
        let refused = rows(&sql, &statement);
        assert!(matches!(refused, Err(SqlError::Statement(_))), "{statement}: {refused:?}");
    }
    assert_eq!(paths(&sql).len(), 11, "and the next question is answered");
    assert!(!root.path().join("out").exists());
    for statement in
        ["describe events", "summarize events", "show tables", "values (1)", "from events", "explain from events"]
    {
        assert!(!rows(&sql, statement).unwrap().is_empty(), "{statement}");
    }
    drop(engine);
}

#[test]
fn time_memory_rows_and_ctrl_c_end_a_question_and_leave_nothing_behind() {
    let (root, _engine) = ten_files_and_a_log();
    let endless = "select count(*) from range(1000000000000)";
    let hasty = console(root.path(), &QueryConfig { timeout_us: 300_000, ..QueryConfig::default() });
    assert!(matches!(rows(&hasty, endless), Err(SqlError::TimedOut)));

    let narrow = QueryConfig { memory_mb: 32, temp_bytes_max: 1 << 20, ..QueryConfig::default() };
    let sql = console(root.path(), &narrow);
    let greedy = "select len(list(range || repeat('x', 200))) from range(1000000)";
    let Err(SqlError::Statement(text)) = rows(&sql, greedy) else { panic!("it fits") };
    assert!(text.contains("Out of Memory Error") && text.contains("limit"), "{text}");
    assert_eq!(paths(&sql).len(), 11, "and the next question is answered");

    // 120 MB in the order of a hash: most of it is spilled.
    let roomy = console(root.path(), &QueryConfig { memory_mb: 64, ..QueryConfig::default() });
    let sorted = "select lpad(range::varchar, 200, 'x') as t from range(600000) order by hash(range)";
    assert!(!roomy.ask(sorted, 1, &mut |_| true).unwrap());
    drop((hasty, sql, roomy));
    let left: Vec<_> = fs::read_dir(root.path().join("tmp")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(left.iter().all(|path| !path.to_string_lossy().contains("sql")), "{left:?}");

    let mut seen = 0;
    let cut = console(root.path(), &QueryConfig::default()).ask("from events", 3, &mut |part| {
        seen += usize::from(matches!(part, SqlPart::Row(_)));
        true
    });
    assert_eq!((cut.unwrap(), seen), (false, 3));

    let cancel = SqlCancel::new().unwrap();
    let patient = QueryConfig { timeout_us: 600_000_000, ..QueryConfig::default() };
    let sql = Sql::open(root.path(), &env::real(), &patient, None, &cancel).unwrap();
    let ended = thread::scope(|scope| {
        // Whether before it begins or while it runs: it ends.
        scope.spawn(|| cancel.cancel());
        rows(&sql, endless)
    });
    assert!(matches!(ended, Err(SqlError::Cancelled)), "{ended:?}");
}
