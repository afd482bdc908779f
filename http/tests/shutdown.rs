//! SIGTERM and SIGINT: every answer that was sent is true, and the process ends by itself with code 0.

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

use mallard_engine::env;
use rustix::process::Signal;
use serde_json::json;
use support::large::{LARGE, fill, request};
use support::load::{Books, Load};
use support::skip::say;
use support::{Server, until};

const ROUNDS: u64 = 20;

#[test]
fn sigterm_under_load_ends_the_server_with_code_0_and_loses_nothing() {
    let data_dir = tempfile::tempdir().unwrap();
    let clock = env::real().clock;
    let mut books = Books::default();
    let mut longest_ms = 0;
    for round in 0..ROUNDS {
        let server = Server::start(data_dir.path(), &[("MALLARD_FLUSH_COUNT", "100")]);
        let load = Load::start(server.address(), round);
        load.wait_for(300);
        let signalled_us = clock.now_us();
        server.signal(Signal::TERM);
        assert_eq!(server.wait().code(), Some(0));
        longest_ms = longest_ms.max((clock.now_us() - signalled_us) / 1000);
        load.settle(&mut books);
    }
    let counts = books.check(data_dir.path());
    say(&format!("{ROUNDS} SIGTERMs, {counts:?}, the longest stop took {longest_ms} ms"));
    assert!(
        longest_ms < 10_000,
        "a stop under load is a matter of a second or two, never of its timeout: {longest_ms} ms"
    );
    assert!(counts.acknowledged as u64 >= 300 * ROUNDS);
}

#[test]
fn an_event_that_was_acknowledged_before_sigint_is_counted_after_a_restart() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::start(data_dir.path(), &[]);
    let event = json!({ "d": "a.example", "n": "pageview", "u": "https://a.example/" });
    assert_eq!(server.post_event(&event).lsn(), Some(1));
    server.signal(Signal::INT);
    server.logged("Received SIGINT");
    server.logged("Shutdown complete");
    assert_eq!(server.wait().code(), Some(0));

    let server = Server::with_password(data_dir.path(), &[]);
    assert_eq!(server.log_in().pageviews("a.example"), 1);
}

#[test]
fn an_idle_connection_and_half_a_request_do_not_hold_the_stop_up() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::start(data_dir.path(), &[]);
    let mut idle = server.connect();
    assert_eq!(idle.request("GET", "/health", &[], "").unwrap().status, 200);
    let mut half = server.connect();
    half.send(b"GET /health HTTP/1.1\r\nhost:").unwrap();
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
    assert!(idle.is_closed());
    assert!(half.is_closed());
}

/// The messages of the log from the signal to the end, but for those of compaction.
fn last_words(server: &Server) -> Vec<String> {
    server.logged("Received SIGTERM");
    let mut messages = Vec::new();
    while messages.last().is_none_or(|last| last != "Shutdown complete") {
        messages.push(server.next_line()["fields"]["message"].as_str().unwrap_or_default().to_owned());
    }
    messages.retain(|message| message != "Flushed events to Parquet");
    messages
}

#[test]
fn an_answer_that_is_being_sent_when_the_stop_begins_is_sent_whole() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let session = server.log_in();
    fill(&server, &session);
    let mut idle = server.connect();
    assert_eq!(idle.request("GET", "/health", &[], "").unwrap().status, 200);
    let mut reader = server.connect();
    reader.send(&request(&session)).unwrap();
    until("the answer begins", || reader.has_answer());
    server.signal(Signal::TERM);
    assert!(idle.is_closed(), "connections without a request have ended by now");
    let answer = reader.read_response().unwrap();
    assert_eq!((answer.status, answer.text().lines().count()), (200, LARGE));
    assert!(reader.is_closed());
    assert_eq!(last_words(&server), ["Shutdown complete"]);
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn connections_that_were_open_before_the_stop_hear_of_it() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::start(data_dir.path(), &[("MALLARD_TEST_CLIENT_TIMEOUT_MS", "600000")]);
    let (mut sender, mut probe) = (server.connect(), server.connect());
    let event = json!({ "d": "a.example", "n": "pageview", "u": "/" });
    assert_eq!(sender.post_event(&event).unwrap().status, 202);
    assert_eq!(probe.request("GET", "/health/ready", &[], "").unwrap().status, 200);
    server.signal(Signal::TERM);
    server.logged("Received SIGTERM");
    let refused = sender.post_event(&event).unwrap();
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")));
    assert_eq!(refused.error(), "The server is stopping");
    assert_eq!(probe.request("GET", "/health/ready", &[], "").unwrap().status, 503);
    drop((sender, probe));
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn half_a_body_is_refused_soon_and_does_not_hold_the_stop_up() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::start(data_dir.path(), &[]);
    let mut half = server.connect();
    half.send(b"POST /api/event HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/plain\r\ncontent-length: 99\r\n")
        .unwrap();
    half.send(b"expect: 100-continue\r\n\r\n").unwrap();
    assert_eq!(half.read_response().unwrap().status, 100, "the server waits for the body");
    server.signal(Signal::TERM);
    let refused = half.read_response().unwrap();
    assert_eq!((refused.status, refused.error().as_str()), (503, "The server is stopping"));
    assert_eq!(last_words(&server), ["Shutdown complete"]);
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn a_client_that_takes_nothing_leaves_the_log_the_time_to_be_sealed() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[("MALLARD_SHUTDOWN_TIMEOUT", "8")]);
    let session = server.log_in();
    fill(&server, &session);
    let mut reader = server.connect();
    reader.send(&request(&session)).unwrap();
    until("the answer begins", || reader.has_answer());
    server.signal(Signal::TERM);
    let cut = "connections were cut at the end of the shutdown timeout";
    assert_eq!(last_words(&server), [cut, "Shutdown complete"]);
    assert_eq!(server.wait().code(), Some(0));
    reader.read_response().expect_err("the answer was cut, and shows it");
}
