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
    load::run(server.address, CONNECTIONS, TIME / 4);
    let (mut peace, mut flooded, mut guesses) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        peace.push(p99(&server));
        let flood = Flood::start(server.address, GUESSES);
        flooded.push(p99(&server));
        #[expect(clippy::cast_precision_loss, reason = "a count of requests is far below 2^52")]
        guesses.push(flood.end() as f64 / TIME.as_secs_f64());
    }
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

fn p99(server: &Server) -> f64 {
    let outcome = load::run(server.address, CONNECTIONS, TIME);
    assert_eq!(outcome.refused, 0, "every event of this load fits");
    outcome.percentiles_ms.get(99).copied().unwrap_or_default()
}
