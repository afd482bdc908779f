//! `mallard-metrics sql` as an operator meets it: beside a server under load, after SIGKILL, over an empty store; what each
//! format writes, byte by byte; what it answers with which exit code.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a test fails by panicking, prints its counts, and is no interface"
)]

mod support;

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use support::Server;
use support::load::{Books, Load};

const QUESTIONS_UNDER_LOAD: usize = 12;

fn command(data_dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mallard-metrics"));
    command.env_clear().args(["sql", "--data-dir"]).arg(data_dir).args(arguments);
    command
}

fn ask(data_dir: &Path, arguments: &[&str]) -> Output {
    command(data_dir, arguments).output().unwrap()
}

/// What a question that succeeds prints.
fn answer(data_dir: &Path, arguments: &[&str]) -> String {
    let output = ask(data_dir, arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", stderr(&output));
    String::from_utf8(output.stdout).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The only row of an answer.
fn object(data_dir: &Path, statement: &str) -> Value {
    serde_json::from_str(&answer(data_dir, &["--format", "ndjson", statement])).unwrap()
}

/// Three events of two sites in the log, one of them with everything that has a type of its own.
fn three_events(data_dir: &Path) -> Server {
    let server = Server::start(data_dir, &[]);
    for event in [
        json!({ "d": "a.example", "n": "pageview", "u": "https://a.example/one" }),
        json!({ "d": "a.example", "n": "Order, \"big\"", "u": "https://a.example/two", "ra": "12.5", "rc": "EUR", "i": true }),
        json!({ "d": "b.example", "n": "pageview", "u": "https://b.example/three" }),
    ] {
        assert!(server.post_event(&event).lsn().is_some());
    }
    server
}

#[test]
fn beside_a_server_under_load_the_answer_is_a_dense_prefix_with_everything_acknowledged_before() {
    let data_dir = tempfile::tempdir().unwrap();
    let busy = [("MALLARD_FLUSH_COUNT", "40"), ("MALLARD_FLUSH_INTERVAL", "1")];
    let server = Server::start(data_dir.path(), &busy);
    let load = Load::start(server.address(), 0);
    let mut compacted = 0;
    for _ in 0..QUESTIONS_UNDER_LOAD {
        load.wait_for(100);
        let before = load.books().last_acknowledged();
        let found = object(
            data_dir.path(),
            "select count(*) as events, count(distinct lsn) as lsns, min(lsn) as first, max(lsn) as last, \
             count(distinct event_id) as ids from events",
        );
        let events = found["events"].as_u64().unwrap();
        assert_eq!(found, json!({ "events": events, "lsns": events, "first": 1, "last": events, "ids": events }));
        assert!(events >= before, "{events} of {before}");
        compacted += usize::from(!parquet_files(data_dir.path()).is_empty());
    }
    assert!(compacted > 0, "compaction ran");
    server.kill();
    let mut books = Books::default();
    load.settle(&mut books);
    let found = object(data_dir.path(), "select count(*) as events, max(lsn) as last from events");
    assert!(found["last"].as_u64().unwrap() >= books.last_acknowledged(), "after SIGKILL: {found}");
    let counts = books.check(data_dir.path());
    assert_eq!(found["events"], counts.stored, "the question changed nothing, and the next start finds the same");
}

fn parquet_files(data_dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![data_dir.join("events")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.push(path),
            }
        }
    }
    found
}

#[test]
fn each_format_has_nulls_and_types_as_they_are() {
    let data_dir = tempfile::tempdir().unwrap();
    let _server = three_events(data_dir.path());
    let statement = "select lsn, event_name as name, '' as empty, null as nothing, revenue_amount as amount, interactive as i, \
                     lsn / 2 as half, timestamp '2024-01-15 10:00:00.5' as t, [lsn, null] as l \
                     from events where site_id = 'a.example' order by lsn";
    let of = |format| answer(data_dir.path(), &["--format", format, statement]);
    assert_eq!(
        of("csv"),
        "lsn,name,empty,nothing,amount,i,half,t,l\n\
         1,pageview,\"\",,,,0.5,2024-01-15 10:00:00.500,\"[1,null]\"\n\
         2,\"Order, \"\"big\"\"\",\"\",,12.5000,true,1.0,2024-01-15 10:00:00.500,\"[2,null]\"\n"
    );
    let first = r#"{"lsn":1,"name":"pageview","empty":"","nothing":null,"amount":null,"i":null,"half":0.5,"t":"2024-01-15 10:00:00.500","l":[1,null]}"#;
    let second = r#"{"lsn":2,"name":"Order, \"big\"","empty":"","nothing":null,"amount":"12.5000","i":true,"half":1.0,"t":"2024-01-15 10:00:00.500","l":[2,null]}"#;
    assert_eq!(of("ndjson"), format!("{first}\n{second}\n"));
    assert_eq!(of("json"), format!("[\n{first},\n{second}\n]\n"));
    let narrow = "select lsn, event_name as name, revenue_amount as amount from events order by lsn";
    assert_eq!(
        answer(data_dir.path(), &[narrow]),
        " lsn | name         | amount\n\
         -----+--------------+---------\n   \
         1 | pageview     | NULL\n   \
         2 | Order, \"big\" | 12.5000\n   \
         3 | pageview     | NULL\n\
         (3 rows)\n"
    );
}

#[test]
fn an_empty_store_has_the_columns_and_no_rows_and_a_folder_without_a_store_is_an_error() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::start(data_dir.path(), &[]);
    assert_eq!(object(data_dir.path(), "select count(*) as events from events"), json!({ "events": 0 }));
    assert_eq!(answer(data_dir.path(), &["--format", "json", "from events"]), "[]\n");
    let columns = answer(data_dir.path(), &["--format", "csv", "describe events"]);
    assert_eq!(columns.lines().count(), 34, "{columns}");
    assert!(columns.contains("\nrevenue_amount,\"DECIMAL(18,4)\","), "{columns}");
    server.kill();
    let folder = tempfile::tempdir().unwrap();
    let output = ask(folder.path(), &["select 1"]);
    assert_eq!(output.status.code(), Some(73), "{}", stderr(&output));
    assert!(stderr(&output).contains("STORE"), "{}", stderr(&output));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was made");
}

#[test]
fn a_statement_comes_from_standard_input_and_the_rows_of_one_site_are_cut_at_a_number_which_is_said() {
    let data_dir = tempfile::tempdir().unwrap();
    let _server = three_events(data_dir.path());
    let mut child = command(data_dir.path(), &["--site", "a.example", "--max-rows", "1", "--format", "csv", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"-- the newest first\nselect lsn from events\norder by lsn desc;\n")
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stdout).as_ref()), (Some(0), "lsn\n2\n"));
    let said = "there are more than these 1 rows; --max-rows says how many are answered\nas of LSN 3\n";
    assert_eq!(stderr(&output), said);
}

#[test]
fn what_is_wrong_is_said_in_duckdbs_words_with_its_exit_code() {
    let data_dir = tempfile::tempdir().unwrap();
    let _server = three_events(data_dir.path());
    let secret = fs::canonicalize(data_dir.path()).unwrap().join(".secret");
    let secret = format!("select * from read_text('{}')", secret.display());
    for (arguments, code, said) in [
        (&["selec 1"][..], 1, "Parser Error: syntax error at or near \"selec\"\n\nLINE 1: selec 1\n"),
        (&["select nothing from events"], 1, "Binder Error: Referenced column \"nothing\" not found in FROM clause!\n"),
        (&["delete from events"], 1, "only statements that read are taken: SELECT, "),
        (&["select 1; select 2"], 1, "only one statement is taken at a time\n"),
        (&[&secret], 1, "Permission Error: Cannot access file"),
        (&["attach 'other.db'"], 1, "only statements that read are taken: SELECT, "),
        (
            &["--time-limit", "1", "select count(*) from range(1000000000000)"],
            1,
            "the query took too long and was stopped;",
        ),
        (&["--max-rows", "0", "select 1"], 64, "Configuration error: invalid value '0' for '--max-rows <N>'"),
        (&["--site", "a/b", "select 1"], 64, "Configuration error: --site: "),
        (&["--format", "xml", "select 1"], 64, "Configuration error: invalid value 'xml' for '--format <FORMAT>'"),
        (&[], 64, "Configuration error: "),
    ] {
        let output = ask(data_dir.path(), arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).starts_with(said), "{arguments:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
    let mut narrow = command(data_dir.path(), &["select len(list(range || repeat('x', 200))) from range(2000000)"]);
    let output = narrow.env("MALLARD_QUERY_MEMORY_MB", "32").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).starts_with("Out of Memory Error: "), "{}", stderr(&output));
}

#[test]
fn damage_is_an_error_that_names_the_file_unless_it_is_accepted() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::start(data_dir.path(), &[("MALLARD_FLUSH_COUNT", "1")]);
    assert!(
        server.post_event(&json!({ "d": "a.example", "n": "pageview", "u": "https://a.example/" })).lsn().is_some()
    );
    server.logged("Flushed events to Parquet");
    server.kill();
    let file = parquet_files(data_dir.path()).remove(0);
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).unwrap();
    let name = file.strip_prefix(data_dir.path()).unwrap().display().to_string();
    let count = "select count(*) as events from events";
    let refused = ask(data_dir.path(), &[count]);
    assert_eq!((refused.status.code(), refused.stdout.len()), (Some(74), 0));
    assert!(stderr(&refused).starts_with(&format!("damaged: {name} (site a.example, day ")), "{}", stderr(&refused));
    let accepted = ask(data_dir.path(), &["--accept-damage", "--format", "ndjson", count]);
    assert_eq!((accepted.status.code(), accepted.stdout.as_slice()), (Some(0), &b"{\"events\":0}\n"[..]));
    assert!(stderr(&accepted).starts_with(&format!("not in the answer: damaged: {name} ")), "{}", stderr(&accepted));
}

#[test]
fn ctrl_c_ends_the_question_and_a_reader_that_has_read_enough_is_no_failure() {
    let data_dir = tempfile::tempdir().unwrap();
    let _server = three_events(data_dir.path());
    let rows = ["--format", "ndjson", "--max-rows", "10000000", "--time-limit", "3600"];
    let endless = [&rows[..], &["select range as n from range(1000000000000)"]].concat();
    let mut child = command(data_dir.path(), &endless).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It answers, so it is under way, and nobody reads further: it waits for room in the pipe.
    let mut first = [0; 8];
    child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    assert_eq!(&first, b"{\"n\":0}\n");
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(130), "cancelled\n"));

    let mut child = command(data_dir.path(), &endless).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
}
