//! Events while 100 strangers guess the password as fast as they are answered, beside events in peace: same server, same load,
//! taken in turns.

use std::time::Duration;

use mallard_benches::document::{Row, publish};
use mallard_benches::flood::Flood;
use mallard_benches::server::Server;
use mallard_benches::{load, median};

const CONNECTIONS: usize = 4;
const GUESSES: usize = 100;
const TIME: Duration = Duration::from_secs(4);
const ROUNDS: usize = 5;

fn main() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder on the disk");
    let server = Server::start(&folder.path().join("data"));
    let session = server.log_in();
    let mut accepted = load::run(server.address, CONNECTIONS, TIME / 4).accepted;
    let (mut peace, mut flooded, mut guesses) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        peace.push(p99(&server, &mut accepted));
        let flood = Flood::start(server.address, GUESSES);
        flooded.push(p99(&server, &mut accepted));
        #[expect(clippy::cast_precision_loss, reason = "a count of requests is far below 2^52")]
        guesses.push(flood.end() as f64 / TIME.as_secs_f64());
    }
    // IMPORTANT: before a figure is made of it.
    assert_eq!(server.events_ingested(), accepted, "what was acknowledged is stored");
    assert_eq!(server.pageviews(&session), Some(accepted), "and counted");
    assert!(guesses.iter().all(|rate| *rate > 0.0), "there was a flood in every round");
    let (peace, flooded) = (median(peace), median(flooded));
    publish(
        "login_flood",
        "Events during a flood of log-ins",
        &[
            Row::new(
                "p99 of /api/event, 4 connections, 100 log-ins at a time",
                format!("{flooded:.2} ms"),
                format!("{peace:.2} ms without log-ins"),
                format!("{:.2}", flooded / peace),
                "<= 3",
            ),
            Row::new(
                "log-ins answered, 503 included",
                format!("{:.0}/s", median(guesses)),
                "-".into(),
                "-".into(),
                "-",
            ),
        ],
    );
}

fn p99(server: &Server, accepted: &mut u64) -> f64 {
    let outcome = load::run(server.address, CONNECTIONS, TIME);
    *accepted += outcome.accepted;
    assert_eq!(outcome.refused, 0, "every event of this load fits");
    outcome.percentiles_ms.get(99).copied().unwrap_or_default()
}
