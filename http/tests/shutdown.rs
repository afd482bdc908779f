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
use support::Server;
use support::load::{Books, Load};

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
    println!("{ROUNDS} SIGTERMs, {counts:?}, the longest stop took {longest_ms} ms");
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
