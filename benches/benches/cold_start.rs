//! From exec to the first answered query: with an empty store, and after SIGKILL with a backlog in the log.

use std::path::Path;
use std::time::Duration;

use mallard_benches::document::{Row, publish};
use mallard_benches::server::Server;
use mallard_benches::stopwatch::Stopwatch;
use mallard_benches::{load, median};

const ROUNDS: usize = 7;

fn main() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder on the disk");
    let empty = (0..ROUNDS).map(|round| first_answer_ms(&folder.path().join(format!("empty-{round}")), 0)).collect();
    let backlog = folder.path().join("backlog");
    let events = {
        let mut server = Server::start(&backlog);
        let outcome = load::run(server.address, 64, Duration::from_secs(1));
        assert_eq!(server.events_ingested(), outcome.accepted, "what was acknowledged is stored");
        server.kill();
        outcome.accepted
    };
    let replayed = first_answer_ms(&backlog, events);
    let reopened = (0..ROUNDS).map(|_| first_answer_ms(&backlog, events)).collect();
    publish(
        "cold_start",
        "Cold start: from exec to the first answered query",
        &[
            row("empty store", median(empty), "<= 150 ms"),
            row(&format!("first start after SIGKILL, {events} events in the log"), replayed, "-"),
            row("later starts over the same store", median(reopened), "-"),
        ],
    );
}

fn row(what: &str, milliseconds: f64, target: &str) -> Row {
    Row::new(what, format!("{milliseconds:.0} ms"), "-".into(), "-".into(), target)
}

/// Starts the server, asks a report as soon as it listens, and kills it. The report must count every event.
fn first_answer_ms(data_dir: &Path, events: u64) -> f64 {
    let mut server = Server::start(data_dir);
    // Outside the watch: it spends its time in Argon2 on purpose, and a dashboard has its session already.
    let session = server.log_in();
    let asked = Stopwatch::start();
    let counted = loop {
        if let Some(pageviews) = server.pageviews(&session) {
            break pageviews;
        }
    };
    let answered_ms = asked.seconds() * 1e3;
    assert_eq!(counted, events, "every event that was acknowledged is in the answer");
    server.kill();
    server.listening_ms + answered_ms
}
