//! From exec to the first answered query: with an empty store, and after SIGKILL with a backlog in the log.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use mallard_benches::document::{Row, publish};
use mallard_benches::server::Server;
use mallard_benches::stopwatch::Stopwatch;
use mallard_benches::{load, median};

const ROUNDS: usize = 7;

fn main() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder on the disk");
    let empty = (0..ROUNDS).map(|round| first_answer_ms(&folder.path().join(format!("empty-{round}")))).collect();
    let backlog = folder.path().join("backlog");
    let events = {
        let mut server = Server::start(&backlog);
        let outcome = load::run(server.address, 64, Duration::from_secs(1));
        server.kill();
        outcome.accepted
    };
    let replayed = first_answer_ms(&backlog);
    let reopened = (0..ROUNDS).map(|_| first_answer_ms(&backlog)).collect();
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

/// Starts the server, asks a report as soon as it listens, and kills it.
fn first_answer_ms(data_dir: &Path) -> f64 {
    let mut server = Server::start(data_dir);
    // Outside the watch: it spends its time in Argon2 on purpose, and a dashboard has its session already.
    let session = log_in(server.address);
    let asked = Stopwatch::start();
    let path = "/api/stats/main?site_id=bench.example&period=day";
    while !get(server.address, path, &session).starts_with("HTTP/1.1 200") {}
    let answered_ms = asked.seconds() * 1e3;
    server.kill();
    server.listening_ms + answered_ms
}

fn log_in(server: SocketAddr) -> String {
    let body = r#"{"password":"benchmark"}"#;
    let answer = exchange(
        server,
        &format!(
            "POST /api/auth/login HTTP/1.1\r\nhost: {server}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ),
    );
    let cookie = answer.split("mm_session=").nth(1).expect("a session cookie");
    cookie.split(';').next().expect("the token").to_owned()
}

fn get(server: SocketAddr, path: &str, session: &str) -> String {
    exchange(
        server,
        &format!("GET {path} HTTP/1.1\r\nhost: {server}\r\nconnection: close\r\ncookie: mm_session={session}\r\n\r\n"),
    )
}

fn exchange(server: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(server).expect("a connection");
    stream.write_all(request.as_bytes()).expect("a request is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}
