//! Whole-process ingest over HTTP beside a bare hyper server that answers 202 and stores nothing: same load generator,
//! same machine, taken in turns.

use std::time::Duration;

use mallard_benches::document::{Row, publish};
use mallard_benches::server::Server;
use mallard_benches::{bare, load, median};

const CONNECTIONS: usize = 64;
const TIME: Duration = Duration::from_secs(4);
const ROUNDS: usize = 5;

fn main() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder on the disk");
    let server = Server::start(&folder.path().join("data"));
    let ceiling = bare::start();
    let (mut ours, mut bare_rates, mut one) = (Vec::new(), Vec::new(), Vec::new());
    let (mut middle, mut slow, mut accepted) = (Vec::new(), Vec::new(), 0);
    for _ in 0..ROUNDS {
        bare_rates.push(load::run(ceiling, CONNECTIONS, TIME).rate);
        let outcome = load::run(server.address, CONNECTIONS, TIME);
        assert_eq!(outcome.refused, 0, "every event of this load fits");
        ours.push(outcome.rate);
        middle.push(outcome.percentiles_ms.get(50).copied().unwrap_or_default());
        slow.push(outcome.percentiles_ms.get(99).copied().unwrap_or_default());
        let alone = load::run(server.address, 1, TIME / 4);
        one.push(alone.rate);
        accepted += outcome.accepted + alone.accepted;
    }
    assert_eq!(server.events_ingested(), accepted, "what was acknowledged is stored");
    assert_eq!(server.pageviews(&server.log_in()), Some(accepted), "and counted");
    let (ours, bare_rate) = (median(ours), median(bare_rates));
    let ceiling = format!("{bare_rate:.0}/s bare hyper, nothing stored");
    publish(
        "ingest",
        "Ingest over HTTP",
        &[
            Row::new("64 connections", format!("{ours:.0}/s"), ceiling, format!("{:.2}", ours / bare_rate), ">= 0.5"),
            Row::new(
                "64 connections, p50 / p99",
                format!("{:.2} / {:.2} ms", median(middle), median(slow)),
                "-".into(),
                "-".into(),
                "-",
            ),
            Row::new("1 connection", format!("{:.0}/s", median(one)), "-".into(), "-".into(), "-"),
        ],
    );
}
