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

use support::Server;
use support::load::{Books, Load};

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
    for round in 0..kills() {
        let server = Server::start(data_dir.path(), &BUSY);
        let load = Load::start(server.address(), round);
        // Lives of different lengths, so that the kill meets every phase. Most end while the backlog of the lives before
        // them is being compacted; every fifth one lives to see the end of that.
        if round % 5 == 4 {
            server.logged("Flushed events to Parquet");
        }
        load.wait_for(10 + (round as usize * 37) % 200);
        server.kill();
        load.settle(&mut books);
    }
    let counts = books.check(data_dir.path());
    println!("{} kills, {counts:?}", kills());
    assert!(counts.acknowledged as u64 >= 10 * kills());
    assert!(counts.compacted_lsn > 0, "compaction ran beside it");
}
