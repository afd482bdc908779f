//! A write of the log that fails, in the real binary: nothing more is acknowledged, questions are answered for a while,
//! and the process ends so that its supervisor restarts it.

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
use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;
use support::Server;

const SITE: &str = "a.example";

#[test]
fn a_failed_write_of_the_log_ends_ingest_and_then_the_process_and_loses_nothing() {
    // In a folder that only we may enter, the server keeps our user, and we may set its limits.
    let home = tempfile::tempdir().unwrap();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let data_dir = home.path().join("data");
    let event = |number: u32| json!({ "d": SITE, "n": "pageview", "u": format!("https://{SITE}/{number}") });
    let server = Server::with_file_limits(&data_dir, &[("MALLARD_TEST_POISONED_SERVICE_MS", "3000")]);
    let session = server.log_in();
    for number in 0..10 {
        assert_eq!(server.post_event(&event(number)).status, 202);
    }
    server.forbid_writes();

    let answer = server.post_event(&event(10));
    assert_eq!((answer.status, answer.lsn()), (503, None), "{}", answer.text());
    // Maintenance may have been the first to meet the failing disk: then the log has taken nothing.
    let meant = ["Outcome unknown. Retry with the same id.", "Events cannot be stored until the server is restarted"];
    assert!(meant.contains(&answer.error().as_str()), "{}", answer.text());
    let answer = server.post_event(&event(11));
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")), "{}", answer.text());

    let pixel = server.get(&format!("/api/event?d={SITE}&u=%2Fmail"));
    assert_eq!((pixel.status, pixel.header("content-type"), pixel.body.len()), (503, Some("image/gif"), 43));

    assert_eq!(session.pageviews(SITE), 10, "questions are answered");
    assert_eq!(server.get("/health/ready").status, 503);
    let health = session.json("/health/detailed");
    assert_eq!((&health["status"], &health["ingest"]), (&json!("degraded"), &json!("poisoned")));
    assert!(server.get("/metrics").text().contains("\nmallard_wal_poisoned 1\n"));
    drop(session);

    server.logged("The log is poisoned: no event is accepted any more");
    assert_eq!(server.wait().code(), Some(71));

    let server = Server::with_password(&data_dir, &[]);
    assert_eq!(server.log_in().pageviews(SITE), 10, "every acknowledged event, and none of the others");
    assert_eq!(server.post_event(&event(12)).status, 202);
}
