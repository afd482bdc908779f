//! A damaged Parquet file under the real binary: its own site and day miss data and say so, nothing else does; health is
//! degraded until an operator acknowledges it; a copy put back counts again.

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
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use support::{Server, Session, until};

const DAMAGED: &str = "a.example";
const OTHER: &str = "b.example";
/// Two events make a file.
const FLUSH: [(&str, &str); 1] = [("MALLARD_FLUSH_COUNT", "2")];

fn post(server: &Server, site: &str) {
    let event = json!({ "d": site, "n": "pageview", "u": format!("https://{site}/") });
    assert_eq!(server.post_event(&event).status, 202);
}

/// The Parquet files of a site.
fn files(data_dir: &Path, site: &str) -> Vec<PathBuf> {
    let days = fs::read_dir(data_dir.join(format!("events/site_id={site}"))).unwrap();
    let files = days.flat_map(|day| fs::read_dir(day.unwrap().path()).unwrap());
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

fn report(session: &Session<'_>, site: &str) -> (u64, Option<String>) {
    let answer = session.get(&format!("/api/stats/main?site_id={site}&period=7d"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let report: Value = serde_json::from_slice(&answer.body).unwrap();
    (report["total_pageviews"].as_u64().unwrap(), answer.header("x-mallard-incomplete").map(str::to_owned))
}

fn health(server: &Server) -> (String, Vec<String>) {
    let health: Value = serde_json::from_slice(&server.get("/health/detailed").body).unwrap();
    let reasons = health["degraded_reasons"].as_array().unwrap().iter();
    (health["status"].as_str().unwrap().to_owned(), reasons.map(|reason| reason.as_str().unwrap().to_owned()).collect())
}

fn run(data_dir: &Path, command: &str) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_mallard-metrics"))
        .env_clear()
        .args([command, "--data-dir"])
        .arg(data_dir)
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap())
}

/// A store with two files of one site and one of another.
fn three_files(data_dir: &Path) {
    let server = Server::with_password(data_dir, &FLUSH);
    for site in [DAMAGED, DAMAGED, OTHER] {
        post(&server, site);
        post(&server, site);
        server.logged("Flushed events to Parquet");
    }
    server.kill();
    assert_eq!((files(data_dir, DAMAGED).len(), files(data_dir, OTHER).len()), (2, 1));
}

#[test]
fn a_damaged_file_takes_only_its_own_rows_and_every_answer_says_so() {
    let data_dir = tempfile::tempdir().unwrap();
    let data_dir = data_dir.path();
    three_files(data_dir);
    let file = files(data_dir, DAMAGED).remove(0);
    let sound = fs::read(&file).unwrap();
    let mut bytes = sound.clone();
    bytes[100] ^= 1;
    fs::write(&file, &bytes).unwrap();

    let server = Server::with_password(data_dir, &FLUSH);
    let session = server.log_in();
    let (pageviews, incomplete) = report(&session, DAMAGED);
    assert_eq!(pageviews, 2, "what can be read is counted");
    let incomplete = incomplete.expect("the answer misses data");
    assert!(incomplete.starts_with("a.example 20") && incomplete.contains(".."), "{incomplete}");
    assert_eq!(report(&session, OTHER), (2, None), "other sites miss nothing");
    post(&server, DAMAGED);
    assert_eq!(report(&session, DAMAGED), (3, Some(incomplete.clone())), "and events are accepted");

    let name = file.file_name().unwrap();
    until("the damage is noticed", || health(&server).0 != "ok");
    assert!(data_dir.join("quarantine").join(name).exists(), "the original is kept before the damage is recorded");
    let (status, reasons) = health(&server);
    let relative = file.strip_prefix(data_dir).unwrap().to_str().unwrap();
    assert_eq!(status, "degraded");
    assert!(
        reasons.iter().any(|reason| reason.starts_with(&format!("damaged: {relative} (site a.example, day "))),
        "{reasons:?}"
    );
    let (code, text) = run(data_dir, "verify");
    assert!(code == Some(74) && text.contains(relative), "{code:?} {text}");

    acknowledge(&server, &session);
    assert_eq!(health(&server), ("ok".to_owned(), vec![]));
    assert_eq!(report(&session, DAMAGED), (3, Some(incomplete.clone())), "answers go on saying what they miss");
    let (code, text) = run(data_dir, "verify");
    assert!(code == Some(0) && text.contains(&format!("acknowledged: damaged: {relative}")), "{code:?} {text}");
    drop(session);
    server.kill();

    let server = Server::with_password(data_dir, &FLUSH);
    assert_eq!(report(&server.log_in(), DAMAGED), (3, Some(incomplete)), "a restart changes nothing");
    assert_eq!(health(&server).0, "ok");
    server.kill();

    let copy = data_dir.join("copy");
    fs::write(&copy, &sound).unwrap();
    fs::rename(&copy, &file).unwrap();
    let server = Server::with_password(data_dir, &FLUSH);
    let session = server.log_in();
    post(&server, OTHER);
    post(&server, OTHER);
    server.logged("Flushed events to Parquet");
    assert_eq!(report(&session, DAMAGED), (5, None), "a copy put back counts again");
    assert_eq!(run(data_dir, "verify").0, Some(0));
}

/// Only an operator on the dashboard's own page may.
fn acknowledge(server: &Server, session: &Session<'_>) {
    let path = "/api/store/acknowledge-loss";
    assert_eq!(server.connect().request("POST", path, &[], "").unwrap().status, 401);
    assert_eq!(session.post(path, None).status, 403);
    assert_eq!(session.post(path, Some("https://evil.example")).status, 403);
    let answer = session.post(path, Some("http://localhost"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(answer["acknowledged"].as_array().unwrap().len(), 1, "{answer}");
}

#[test]
fn the_command_acknowledges_for_a_stopped_server_and_refuses_beside_a_running_one() {
    let data_dir = tempfile::tempdir().unwrap();
    let data_dir = data_dir.path();
    three_files(data_dir);
    assert_eq!(run(data_dir, "acknowledge-loss"), (Some(0), "nothing is lost\n".to_owned()));
    fs::remove_file(&files(data_dir, OTHER)[0]).unwrap();

    let server = Server::with_password(data_dir, &FLUSH);
    let answer = server.log_in().get(&format!("/api/stats/main?site_id={OTHER}&period=7d"));
    assert_eq!(answer.status, 500, "nothing of the range can be read");
    let days = answer.header("x-mallard-incomplete").expect("what is missing").to_owned();
    assert!(days.starts_with("b.example 20"), "{days}");
    let text = format!("Nothing of the range can be read. Damaged: {days}. See degraded_reasons of /health/detailed.");
    assert_eq!(answer.error(), text);
    until("the damage is noticed", || health(&server).0 != "ok");
    assert_eq!(run(data_dir, "acknowledge-loss").0, Some(75));
    server.kill();

    let (code, text) = run(data_dir, "acknowledge-loss");
    assert!(code == Some(0) && text.starts_with("acknowledged: damaged: events/site_id=b.example/"), "{code:?} {text}");
    assert_eq!(run(data_dir, "verify").0, Some(0));
}

/// Every report of a site, as a request.
fn reports(site: &str) -> Vec<(&'static str, String)> {
    let paths = [
        "/api/stats/main?",
        "/api/stats/timeseries?",
        "/api/stats/breakdown/pages?",
        "/api/stats/breakdown/events?",
        "/api/stats/breakdown/props?key=plan&",
        "/api/stats/sessions?",
        "/api/stats/funnel?steps=page:/&",
        "/api/stats/sequences?steps=page:/,page:/a&",
        "/api/stats/flow?page=/&",
        "/api/stats/retention?",
        "/api/stats/realtime?",
        "/api/stats/journeys?from=page:/&",
        "/api/stats/export?",
        "/api/stats/export?kind=events&",
        "/api/stats/goals?",
        "/api/stats/goals/1/pages?",
        "/api/v1/stats/realtime/visitors?",
        "/api/v1/stats/aggregate?",
        "/api/v1/stats/timeseries?",
        "/api/v1/stats/breakdown?property=event:page&",
    ];
    paths.map(|path| (path, format!("{path}site_id={site}&period=7d"))).into()
}

#[test]
fn every_report_says_what_it_misses_and_which_position_it_stands_for() {
    let data_dir = tempfile::tempdir().unwrap();
    let data_dir = data_dir.path();
    three_files(data_dir);
    let file = files(data_dir, DAMAGED).remove(0);
    let mut bytes = fs::read(&file).unwrap();
    bytes[100] ^= 1;
    fs::write(&file, &bytes).unwrap();
    let server = Server::with_password(data_dir, &FLUSH);
    let session = server.log_in();
    for site in [DAMAGED, OTHER] {
        let goal = session.send("POST", &format!("/api/sites/{site}/goals"), &json!({ "page": "/" }));
        assert_eq!(goal.status, 201, "{}", goal.text());
    }
    let openapi = session.json("/api/openapi.json");
    let documented = openapi["paths"].as_object().unwrap().keys();
    let documented = documented.filter(|path| path.starts_with("/api/stats/") || path.starts_with("/api/v1/stats/"));
    let forms: Vec<&str> = documented.map(|path| path.split('{').next().unwrap()).collect();
    let asked = reports(DAMAGED);
    for form in forms {
        assert!(asked.iter().any(|(path, _)| path.starts_with(form)), "{form} is not among these");
    }
    let body = |site: &str| json!({ "site_id": site, "metrics": ["visitors"], "date_range": "7d" });
    for (site, goal) in [(DAMAGED, 1), (OTHER, 2)] {
        let misses = site == DAMAGED;
        let ask = |(name, path): (&'static str, String)| {
            (name, session.get(&path.replace("/goals/1/", &format!("/goals/{goal}/"))))
        };
        let mut answers: Vec<_> = reports(site).into_iter().map(ask).collect();
        answers.push(("v2", session.post_json("/api/v2/query", &body(site))));
        for (name, answer) in answers {
            assert_eq!(answer.status, 200, "{name}: {}", answer.text());
            assert_eq!(answer.header("x-mallard-as-of"), Some("6"), "{name}");
            let missing = answer.header("x-mallard-incomplete");
            assert_eq!(missing.is_some_and(|days| days.starts_with("a.example 20")), misses, "{name}: {missing:?}");
        }
    }
}
