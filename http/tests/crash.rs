//! SIGKILL of the real binary, again and again, under load and with compaction running all the time.

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

use std::time::{Duration, Instant};

use support::Server;
use support::load::{Books, Load};
use support::skip::say;

/// Kills, unless `MALLARD_TEST_KILLS` says otherwise.
const KILLS: u64 = 100;
/// A small flush count and the shortest interval keep sealing, compaction, merging and trimming busy.
const BUSY: [(&str, &str); 2] = [("MALLARD_FLUSH_COUNT", "40"), ("MALLARD_FLUSH_INTERVAL", "1")];

fn kills() -> u64 {
    std::env::var("MALLARD_TEST_KILLS").ok().map_or(KILLS, |text| text.parse().expect("a number"))
}

#[test]
fn every_acknowledged_event_survives_sigkill_exactly_once() {
    let data_dir = tempfile::tempdir().unwrap();
    let mut books = Books::default();
    let mut compaction = Compaction::default();
    for round in 0..kills() {
        let server = Server::start(data_dir.path(), &BUSY);
        let load = Load::start(server.address(), round);
        // Every other life ends soon after a compaction, while the view is renewed, segments are trimmed, and the next one
        // begins; the others after a number of events, wherever it is.
        if round % 2 == 0 {
            server.logged("Flushed events to Parquet");
            load.wait_for(10 + (round as usize * 37) % 200);
        } else {
            load.wait_for(10 + (round as usize * 97) % 1500);
        }
        compaction.observe(&server.get("/metrics").text());
        server.kill();
        load.settle(&mut books);
    }
    let counts = books.check(data_dir.path());
    say(&format!("{} kills, {counts:?}, {compaction:?}", kills()));
    assert!(counts.acknowledged as u64 >= 10 * kills());
    assert!(compaction.lives >= kills() / 2, "compaction runs all the time: {compaction:?}");
    assert!(counts.compacted_lsn >= compaction.lsn, "what was compacted stays so: {compaction:?}");
}

/// Lives under load, and how long each is: a few that end after a compaction, or with `MALLARD_TEST_FULL` five minutes of
/// lives of five seconds.
const LIVES: u64 = 4;
const FULL_LIVES: u64 = 60;
const FULL_LIFE: Duration = Duration::from_secs(5);

#[test]
fn compaction_advances_in_every_life_that_is_killed_under_load() {
    let is_full = std::env::var_os("MALLARD_TEST_FULL").is_some();
    let data_dir = tempfile::tempdir().unwrap();
    let mut books = Books::default();
    let mut compaction = Compaction::default();
    let lives = if is_full { FULL_LIVES } else { LIVES };
    for round in 0..lives {
        let begun = Instant::now();
        let server = Server::start(data_dir.path(), &BUSY);
        let load = Load::start(server.address(), round);
        if is_full {
            while begun.elapsed() < FULL_LIFE {
                load.wait_for(10);
            }
        } else {
            server.logged("Flushed events to Parquet");
            load.wait_for(100);
        }
        compaction.observe(&server.get("/metrics").text());
        server.kill();
        load.settle(&mut books);
    }
    let counts = books.check(data_dir.path());
    println!("{lives} kills under load, {counts:?}, {compaction:?}");
    assert_eq!(compaction.lives, lives, "the compacted position has moved in every life");
}

/// How far compaction was seen to get, right before the kills.
#[derive(Debug, Default)]
struct Compaction {
    /// Lives in which the compacted position moved on.
    lives: u64,
    /// Compactions of all lives.
    count: u64,
    /// The compacted position.
    lsn: u64,
}

impl Compaction {
    fn observe(&mut self, metrics: &str) {
        let lsn = metric(metrics, "mallard_wal_compacted_lsn");
        assert!(lsn >= self.lsn, "the compacted position went back from {} to {lsn}", self.lsn);
        self.lives += u64::from(lsn > self.lsn);
        self.count += metric(metrics, "mallard_compactions_total{outcome=\"published\"}");
        self.lsn = lsn;
    }
}

fn metric(metrics: &str, name: &str) -> u64 {
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{name} is not in {metrics}"))
}
