//! Erasure over HTTP, with the real binary: when the answer says so, a search of the whole volume finds nothing, in bytes as
//! they are and in the rows of Parquet files; others are untouched; a kill at any time changes nothing of that.

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
use std::path::Path;
use std::process::Command;
use std::thread;

use rustix::fs::{FlockOperation, flock};
use rustix::process::Signal;
use serde_json::{Value, json};
use support::volume::{holders, rows};
use support::{Server, Session, until};

const OWN: Option<&str> = Some("http://localhost");
const DAYS: &str = "start_date=2025-01-01&end_date=2034-12-31";
const KILLS: u64 = 6;

/// One pageview of a page that names it, from a browser of this version.
fn view(server: &Server, site: &str, page: &str, browser: u64) -> u64 {
    let event = json!({ "d": site, "n": "pageview", "u": format!("https://{site}/{page}"), "p": { "note": page } });
    let agent = format!("Mozilla/5.0 Firefox/{browser}.0");
    let headers = [("content-type", "text/plain"), ("user-agent", agent.as_str())];
    let answer = server.connect().request("POST", "/api/event", &headers, &event.to_string()).unwrap();
    answer.lsn().unwrap_or_else(|| panic!("{}", answer.text()))
}

fn erase(session: &Session<'_>, query: &str) -> Value {
    let answer = session.delete(&format!("/api/gdpr/erase?{query}"), OWN);
    assert_eq!(answer.status, 200, "{query}: {}", answer.text());
    serde_json::from_slice(&answer.body).unwrap()
}

/// This text of the rows with this page, from the Parquet files of a folder.
fn fields_of(folder: &Path, column: &str, page: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            fields_of(&entry.path(), column, page, found);
            continue;
        }
        for row in rows(&entry.path()).iter().filter(|row| row.contains(page)) {
            let text = row.split(&format!("{column}: \"")).nth(1).and_then(|rest| rest.split('"').next()).unwrap();
            found.push(text.to_owned());
        }
    }
}

fn run(arguments: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_mallard-metrics")).env_clear().args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn nothing_of_a_site_is_left_on_the_volume_when_the_answer_says_so() {
    let home = tempfile::tempdir().unwrap();
    let (data_dir, copy) = (home.path().join("data"), home.path().join("copy"));
    let server = Server::with_password(&data_dir, &[]);
    let session = server.log_in();
    for number in 0..30 {
        view(&server, "a.example", &format!("quince-{number}"), number);
        view(&server, "b.example", &format!("walnut-{number}"), number);
    }
    assert_eq!(session.post("/api/store/snapshots", OWN).status, 201);
    run(&["backup", "--to", text(&copy), "--data-dir", text(&data_dir)]);
    let answer = erase(&session, &format!("site_id=b.example&{DAYS}&visitor_id=nobody"));
    assert_eq!((&answer["db_records_deleted"], &answer["snapshots_rewritten"]), (&json!(0), &json!(0)));
    // The erasure of nobody has put the first events into files; these are hot.
    for number in 30..35 {
        view(&server, "a.example", &format!("quince-{number}"), number);
    }
    assert_eq!(session.pageviews("a.example"), 35);
    assert!(holders(&data_dir, "quince-7").len() >= 2, "in the snapshot, and in a file");

    let answer = erase(&session, &format!("site_id=a.example&{DAYS}"));
    assert_eq!(answer["status"], "erased");
    assert_eq!((&answer["site_id"], &answer["start_date"]), (&json!("a.example"), &json!("2025-01-01")));
    assert_eq!((&answer["end_date"], &answer["lsn"]), (&json!("2034-12-31"), &json!(67)));
    assert_eq!((&answer["db_records_deleted"], &answer["snapshots_rewritten"]), (&json!(35), &json!(1)));
    assert_eq!((&answer["parquet_partitions_deleted"], &answer["wal_segments_rewritten"]), (&json!(1), &json!(1)));
    let line = server.logged("GDPR erasure completed");
    assert_eq!(line["fields"]["db_records_deleted"], 0, "the first was of nobody");
    let line = server.logged("GDPR erasure completed");
    assert_eq!((&line["fields"]["site_id"], &line["fields"]["db_records_deleted"]), (&json!("a.example"), &json!(35)));

    assert_eq!(holders(&data_dir, "quince"), Vec::<String>::new());
    assert!(!holders(&data_dir, "walnut-7").is_empty(), "the other site is untouched");
    assert_eq!((session.pageviews("a.example"), session.pageviews("b.example")), (0, 30));
    let metrics = server.get("/metrics").text();
    let has = |line: &str| assert!(metrics.lines().any(|found| found == line), "{line}\n{metrics}");
    has("mallard_events_ingested_total 65");
    has("mallard_events_erased_total 35");
    has("mallard_events_expired_total 0");
    has("mallard_erasures_total{outcome=\"erased\"} 2");
    assert_eq!(session.json("/health/detailed")["status"], "ok");
    run(&["verify", "--data-dir", text(&data_dir)]);

    // What comes afterwards is another matter, and a restart changes nothing.
    view(&server, "a.example", "later", 1);
    server.kill();
    let server = Server::with_password(&data_dir, &[]);
    assert_eq!((server.log_in().pageviews("a.example"), server.log_in().pageviews("b.example")), (1, 30));

    let (restored, ledger) = (home.path().join("restored"), data_dir.join("erasure.log"));
    run(&["restore", "--from", text(&copy), "--data-dir", text(&restored), "--erasure-ledger", text(&ledger)]);
    assert_eq!(holders(&restored, "quince"), Vec::<String>::new(), "the ledger was applied before anybody could look");
    let fork = Server::with_password(&restored, &[]);
    assert_eq!((fork.log_in().pageviews("a.example"), fork.log_in().pageviews("b.example")), (0, 30));
    let snapshot = fs::read_dir(data_dir.join("snapshots")).unwrap().map(|entry| entry.unwrap().path());
    let snapshot = snapshot.filter(|path| path.is_dir()).last().unwrap();
    let restored = home.path().join("from-snapshot");
    run(&["restore", "--from", text(&snapshot), "--data-dir", text(&restored)]);
    let fork = Server::with_password(&restored, &[]);
    assert_eq!((fork.log_in().pageviews("a.example"), fork.log_in().pageviews("b.example")), (0, 30));
}

#[test]
fn one_visitor_is_erased_and_the_others_stay() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::with_password(home.path(), &[]);
    let session = server.log_in();
    for number in 0..20 {
        view(&server, "a.example", &format!("quince-{number}"), 100);
        view(&server, "a.example", &format!("walnut-{number}"), 200);
    }
    erase(&session, &format!("site_id=b.example&{DAYS}"));
    let mut visitors = Vec::new();
    fields_of(&home.path().join("events"), "visitor_id", "quince-3", &mut visitors);
    let [visitor] = &visitors[..] else { panic!("{visitors:?}") };
    view(&server, "a.example", "quince-20", 100);
    let answer = erase(&session, &format!("site_id=a.example&{DAYS}&visitor_id={visitor}"));
    assert_eq!(answer["db_records_deleted"], 21);
    assert_eq!(session.pageviews("a.example"), 20);
    for marker in ["quince", visitor] {
        assert_eq!(holders(home.path(), marker), Vec::<String>::new(), "{marker}");
    }
    let answer = erase(&session, &format!("site_id=a.example&{DAYS}&visitor_id={visitor}"));
    assert_eq!(answer["db_records_deleted"], 0, "repeating it is safe");
    assert_eq!(erase(&session, &format!("site_id=a.example&{DAYS}&user_id=alice@a.example"))["db_records_deleted"], 0);
    assert_eq!(holders(home.path(), "alice"), Vec::<String>::new(), "a user id is in no file");
}

#[test]
fn a_user_is_erased_by_the_name_that_the_site_knows_and_others_stay() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::with_password(home.path(), &[]);
    let session = server.log_in();
    assert_eq!(session.send("PUT", "/api/sites/a.example", &json!({ "identify_users": true })).status, 200);
    let key = session.create_key(&json!({ "name": "shop", "scope": "Ingest" }));
    let send = |user: &str, page: &str| {
        let event = json!({ "d": "a.example", "n": "pageview", "u": format!("/{page}"), "user_id": user });
        let answer =
            server.connect().request("POST", "/api/event", &[("x-api-key", &key)], &event.to_string()).unwrap();
        assert_eq!(answer.status, 202, "{}", answer.text());
    };
    for number in 0..10 {
        send("alice@a.example", &format!("quince-{number}"));
        send("bob@a.example", &format!("walnut-{number}"));
    }
    // The erasure of nobody puts what there is into files; what follows is hot.
    erase(&session, &format!("site_id=a.example&{DAYS}&user_id=nobody"));
    let mut hashes = [String::new(), String::new()];
    for (hash, page) in hashes.iter_mut().zip(["quince-3", "walnut-3"]) {
        let mut found = Vec::new();
        fields_of(&home.path().join("events"), "user_hash", page, &mut found);
        *hash = found.pop().unwrap();
        assert_eq!(hash.len(), 64, "{hash}");
    }
    send("alice@a.example", "quince-10");
    assert_eq!(session.post("/api/store/snapshots", OWN).status, 201);
    assert!(holders(home.path(), &hashes[0]).len() >= 2, "in a file and in the snapshot");

    let rows = |user: &str| {
        // One export at a time: the place of the one before is free soon after its last byte.
        let export = std::iter::repeat_with(|| {
            session.get(&format!("/api/stats/export?site_id=a.example&kind=events&format=json&user_id={user}"))
        });
        let export = { export }.find(|answer| answer.status != 429).unwrap();
        assert_eq!(export.status, 200, "{}", export.text());
        export.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<serde_json::Value>>()
    };
    let days = session.get("/api/stats/export?site_id=a.example&kind=daily&user_id=alice@a.example");
    assert_eq!((days.status, days.error()), (400, "user_id needs kind=events: days are of everybody".to_owned()));
    let hers = rows("alice@a.example");
    assert_eq!(hers.len(), 11, "a copy of what is kept of her, from files and from memory");
    assert!(hers.iter().all(|row| row["user_hash"] == hashes[0].as_str()), "{hers:?}");

    let answer = erase(&session, &format!("site_id=a.example&{DAYS}&user_id=alice@a.example"));
    assert_eq!((rows("alice@a.example").len(), rows("bob@a.example").len()), (0, 10));
    assert_eq!((&answer["db_records_deleted"], &answer["snapshots_rewritten"]), (&json!(11), &json!(1)));
    assert_eq!(session.pageviews("a.example"), 10);
    for marker in ["quince", hashes[0].as_str(), "alice", "bob@"] {
        assert_eq!(holders(home.path(), marker), Vec::<String>::new(), "{marker}");
    }
    assert!(!holders(home.path(), &hashes[1]).is_empty(), "the other user is untouched");
    let elsewhere = erase(&session, &format!("site_id=b.example&{DAYS}&user_id=bob@a.example"));
    assert_eq!(elsewhere["db_records_deleted"], 0, "a user is one of a site");
    assert_eq!(session.pageviews("a.example"), 10);
}

#[test]
fn a_retry_of_an_erased_event_is_acknowledged_and_not_stored_whatever_was_restarted() {
    let home = tempfile::tempdir().unwrap();
    let send = |server: &Server, id: &str| {
        server.post_event(&json!({ "d": "a.example", "n": "pageview", "u": "/quince", "id": id }))
    };
    let server = Server::with_password(home.path(), &[]);
    assert_eq!(send(&server, "order-1").lsn(), Some(1));
    erase(&server.log_in(), &format!("site_id=b.example&{DAYS}"));
    assert_eq!(send(&server, "order-2").lsn(), Some(3));
    let answer = erase(&server.log_in(), &format!("site_id=a.example&{DAYS}"));
    assert_eq!(answer["db_records_deleted"], 2, "one in a file, one in the log");
    let mut server = server;
    for round in 0..3 {
        for (id, lsn) in [("order-1", 1), ("order-2", 3)] {
            let answer = send(&server, id);
            assert_eq!(answer.status, 202);
            assert_eq!((answer.lsn(), answer.header("x-mallard-duplicate")), (Some(lsn), Some("1")), "{round}: {id}");
        }
        assert_eq!(server.log_in().pageviews("a.example"), 0);
        assert_eq!(server.log_in().json("/api/sites"), json!([]));
        assert_eq!(holders(home.path(), "order-"), Vec::<String>::new(), "no id is kept");
        assert_eq!(holders(home.path(), "quince"), Vec::<String>::new());
        if round == 0 {
            server.kill();
        } else {
            server.signal(Signal::TERM);
            assert!(server.wait().success());
        }
        server = Server::with_password(home.path(), &[]);
    }
    assert_eq!(send(&server, "order-3").status, 202);
    assert_eq!(server.log_in().pageviews("a.example"), 1, "another id is another event");
}

#[test]
fn a_key_of_one_site_erases_that_site_and_no_other() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::with_password(home.path(), &[]);
    let session = server.log_in();
    view(&server, "a.example", "page", 1);
    view(&server, "b.example", "page", 1);
    let key = |scope: &str| session.create_key(&json!({ "name": "a", "scope": scope, "sites": ["a.example"] }));
    let delete = |key: &str, query: &str| {
        let path = format!("/api/gdpr/erase?{query}");
        server.connect().request("DELETE", &path, &[("x-api-key", key)], "").unwrap()
    };
    let (admin, reader, sender) = (key("Admin"), key("ReadOnly"), key("Ingest"));
    let own = format!("site_id=a.example&{DAYS}");
    for query in
        [format!("site_id=b.example&{DAYS}"), format!("site_id=b.example&site_id=a.example&{DAYS}"), DAYS.to_owned()]
    {
        let answer = delete(&admin, &query);
        assert_eq!((answer.status, answer.error().as_str()), (403, "The key is not for this site"), "{query}");
    }
    assert_eq!((delete(&reader, &own).status, delete(&sender, &own).status), (403, 403));
    assert_eq!((session.pageviews("a.example"), session.pageviews("b.example")), (1, 1));
    let answer = delete(&admin, &format!("{own}&site_id=b.example"));
    assert_eq!((answer.status, answer.error()), (400, "site_id is given twice".to_owned()));
    let answer = delete(&admin, &own);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let line = server.logged("GDPR erasure completed");
    assert_eq!(line["request_id"].as_str(), answer.header("x-request-id"), "the line of another thread: {line}");
    assert_eq!((session.pageviews("a.example"), session.pageviews("b.example")), (0, 1));
}

#[test]
fn a_server_that_is_killed_during_an_erasure_finishes_it_after_the_restart() {
    let home = tempfile::tempdir().unwrap();
    // What of the site is there, and the rounds whose erasure was recorded, of which some were not finished by the kill.
    let (mut there, mut recorded, mut unfinished) = (0, 0, 0);
    for round in 0..KILLS {
        let server = Server::with_password(home.path(), &[("MALLARD_FLUSH_COUNT", "10")]);
        let session = server.log_in();
        for number in 0..25 {
            view(&server, "a.example", &format!("quince-{round}-{number}"), number);
            view(&server, "b.example", &format!("walnut-{round}-{number}"), number);
        }
        there += 25;
        assert_eq!(session.post("/api/store/snapshots", OWN).status, 201);
        let before = session.pageviews("b.example");
        let path = format!("/api/gdpr/erase?site_id=a.example&{DAYS}");
        let erasing = thread::spawn(session.deleting(path, "http://localhost"));
        // At once, or as soon as no answer shows the events, or the later the round, the more of the work is done.
        let late = if round % 3 == 2 { round * 4 } else { 0 };
        if round % 3 == 1 {
            until("the erasure is recorded", || session.pageviews("a.example") == 0);
        }
        for number in 0..late {
            view(&server, "b.example", &format!("walnut-{round}-late-{number}"), number);
        }
        server.kill();
        let killed = erasing.join().unwrap();
        let server = Server::with_password(home.path(), &[]);
        let session = server.log_in();
        if let Some(answer) = &killed {
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(holders(home.path(), "quince"), Vec::<String>::new(), "what the answer says holds");
        }
        // IMPORTANT: nobody asks again. No answer shows the events of an erasure that was recorded.
        match session.pageviews("a.example") {
            0 => {
                recorded += 1;
                there = 0;
                // Whatever is still there, this life removes, and says so.
                if !holders(home.path(), "quince").is_empty() {
                    unfinished += 1;
                    server.logged("GDPR erasure completed");
                }
                assert_eq!(holders(home.path(), "quince"), Vec::<String>::new(), "round {round}: it was recorded");
            }
            shown => assert_eq!((shown, killed.is_some()), (there, false), "round {round}: it takes all, or nothing"),
        }
        assert_eq!(session.pageviews("b.example"), before + late);
        assert_eq!(session.json("/health/detailed")["status"], "ok");
    }
    println!("{KILLS} kills: {recorded} erasures were recorded, {unfinished} of them were finished by the next life");
    assert!(recorded >= KILLS / 3, "{recorded} erasures were recorded");
    run(&["verify", "--data-dir", text(home.path())]);
}

#[test]
fn an_erasure_that_cannot_finish_is_no_success_and_is_finished_in_the_background() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::with_password(home.path(), &[("MALLARD_QUERY_TIMEOUT_SECS", "1")]);
    let session = server.log_in();
    view(&server, "a.example", "quince", 1);
    assert_eq!(session.post("/api/store/snapshots", OWN).status, 201);
    // As a backup does that is read from a snapshot.
    let lock = fs::File::open(home.path().join("snapshots/LOCK")).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    let answer = session.delete(&format!("/api/gdpr/erase?site_id=a.example&{DAYS}"), OWN);
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((answer.status, &body["status"]), (500, &json!("incomplete")), "{body}");
    assert_eq!(session.pageviews("a.example"), 0, "no answer shows it any more");
    assert!(!holders(home.path(), "quince").is_empty(), "the snapshot has it still");
    assert_eq!(server.metric("mallard_erasures_total{outcome=\"incomplete\"}"), 1);
    drop(lock);
    let line = server.logged("GDPR erasure completed");
    let fields = &line["fields"];
    assert_eq!((&fields["site_id"], &fields["db_records_deleted"]), (&json!("a.example"), &json!(1)));
    assert_eq!((&fields["start_date"], &fields["end_date"]), (&json!("2025-01-01"), &json!("2034-12-31")));
    assert_eq!(holders(home.path(), "quince"), Vec::<String>::new());
}

#[test]
fn only_operators_erase_and_mistakes_erase_nothing() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::with_password(home.path(), &[]);
    let session = server.log_in();
    view(&server, "a.example", "page", 1);
    let path = format!("/api/gdpr/erase?site_id=a.example&{DAYS}");
    let anonymous = server.connect().request("DELETE", &path, &[], "").unwrap();
    assert_eq!(anonymous.status, 401);
    assert_eq!(session.delete(&path, None).status, 403, "a page of another origin has no say");
    assert_eq!(session.delete(&path, Some("https://evil.example")).status, 403);
    assert_eq!(session.get(&path).status, 405);
    for (query, error) in [
        ("site_id=a.example&start_date=2026-1-1&end_date=2026-01-02", "Invalid start_date. Use YYYY-MM-DD."),
        ("site_id=a.example&start_date=2026-01-01", "Invalid end_date. Use YYYY-MM-DD."),
        ("start_date=2026-01-01&end_date=2026-01-02", "site_id must not be empty"),
        ("site_id=a.example&start_date=2026-01-02&end_date=2026-01-01", "end_date must be on or after start_date"),
        (&format!("site_id=a.example&{DAYS}&visitor_id=x&user_id=y"), "Give visitor_id or user_id, not both"),
        (
            &format!("site_id=a.example&{DAYS}&visitorid=x"),
            "Unknown parameter: 'visitorid'. An erasure takes site_id, start_date, end_date, timezone, visitor_id, user_id.",
        ),
        (&format!("site_id=a.example&{DAYS}&visitor_id=x&visitor_id=y"), "visitor_id is given twice"),
        (&format!("site_id=a.example&{DAYS}&user_id="), "user_id must be 1 to 256 bytes"),
        (&format!("site_id=a.example&{DAYS}&visitor_id="), "visitor_id must be 1 to 64 visible ASCII characters"),
    ] {
        let answer = session.delete(&format!("/api/gdpr/erase?{query}"), OWN);
        assert_eq!((answer.status, answer.error()), (400, error.to_owned()), "{query}");
    }
    assert_eq!(session.pageviews("a.example"), 1);
    let day = session.json("/api/sites")[0]["first_event_at"].as_str().unwrap()[..10].to_owned();
    let elsewhere = erase(&session, "site_id=a.example&start_date=2025-01-01&end_date=2025-01-01&timezone=Asia/Tokyo");
    assert_eq!(elsewhere["db_records_deleted"], 0, "another day");
    assert_eq!(erase(&session, &format!("site_id=a.example&start_date={day}&end_date={day}"))["db_records_deleted"], 1);
    assert_eq!(session.json("/api/sites"), json!([]));
}
