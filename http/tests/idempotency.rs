//! An event that is sent again is stored once: at once, at the same time, after a restart, over SIGKILL under load.

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

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use mallard_engine::{Config, Engine, env};
use mallard_event::SiteId;
use serde_json::{Value, json};
use support::Server;
use support::http::{Client, Response};

fn event(site: &str, id: &str) -> Value {
    json!({ "d": site, "n": "pageview", "u": format!("https://{site}/{id}"), "id": id })
}

fn is_duplicate(answer: &Response) -> bool {
    assert_eq!(answer.status, 202, "{}", answer.text());
    answer.header("x-mallard-duplicate") == Some("1")
}

#[test]
fn a_retry_hears_the_original_position_and_the_first_payload_stays() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let first = server.post_event(&event("a.example", "one"));
    assert_eq!((first.lsn(), is_duplicate(&first)), (Some(1), false));
    let mut changed = event("a.example", "one");
    changed["u"] = json!("https://a.example/other");
    for retry in [event("a.example", "one"), changed] {
        let answer = server.post_event(&retry);
        assert_eq!((answer.lsn(), is_duplicate(&answer)), (Some(1), true));
        assert_eq!(answer.header("x-mallard-event-id"), Some("one"));
    }
    let headers = [("idempotency-key", "one")];
    let body = json!({ "d": "a.example", "n": "pageview", "u": "/" }).to_string();
    let by_header = server.connect().request("POST", "/api/event", &headers, &body).unwrap();
    assert_eq!((by_header.lsn(), is_duplicate(&by_header)), (Some(1), true));
    let pixel = server.get("/api/event?d=a.example&u=%2F&id=one");
    assert_eq!((pixel.status, pixel.header("content-type")), (200, Some("image/gif")));

    let other_site = server.post_event(&event("b.example", "one"));
    assert_eq!((other_site.lsn(), is_duplicate(&other_site)), (Some(2), false));
    let session = server.log_in();
    assert_eq!((session.pageviews("a.example"), session.pageviews("b.example")), (1, 1));
    let metrics = server.get("/metrics").text();
    for line in [
        "mallard_events_duplicate_total 4",
        "mallard_events_ingested_total 2",
        "mallard_dedup_entries 2",
        "mallard_dedup_window_seconds 86400",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} in {metrics}");
    }
}

#[test]
fn of_many_at_the_same_time_one_is_stored_and_all_hear_its_position() {
    const CLIENTS: usize = 32;
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    for round in 1..=20_u64 {
        let (start, event) = (Barrier::new(CLIENTS), event("a.example", &format!("r{round}")));
        let address = server.address();
        let answers: Vec<(Option<u64>, bool)> = thread::scope(|scope| {
            let client = || {
                let mut connection = Client::connect(address).unwrap();
                start.wait();
                let answer = connection.post_event(&event).unwrap();
                (answer.lsn(), is_duplicate(&answer))
            };
            let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
            clients.into_iter().map(|client| client.join().unwrap()).collect()
        });
        assert!(answers.iter().all(|(lsn, _)| *lsn == Some(round)), "{answers:?}");
        assert_eq!(answers.iter().filter(|(_, is_duplicate)| !is_duplicate).count(), 1);
    }
    assert_eq!(server.log_in().pageviews("a.example"), 20);
}

#[test]
fn the_window_survives_restarts_from_the_log_and_from_parquet() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::start(data_dir.path(), &[("MALLARD_FLUSH_COUNT", "3")]);
    for number in 1..=3 {
        assert_eq!(server.post_event(&event("a.example", &format!("p{number}"))).lsn(), Some(number));
    }
    server.logged("Flushed events to Parquet");
    assert_eq!(server.post_event(&event("a.example", "l4")).lsn(), Some(4));
    server.kill();
    for _ in 0..2 {
        let server = Server::start(data_dir.path(), &[]);
        for (id, lsn) in [("p1", 1), ("p2", 2), ("p3", 3), ("l4", 4)] {
            let answer = server.post_event(&event("a.example", id));
            assert_eq!((answer.lsn(), is_duplicate(&answer)), (Some(lsn), true), "{id}");
        }
        server.kill();
    }
    let server = Server::start(data_dir.path(), &[("MALLARD_DEDUP_WINDOW_SECS", "0")]);
    let switched_off = server.post_event(&event("a.example", "p1"));
    assert_eq!((switched_off.lsn(), is_duplicate(&switched_off)), (Some(5), false));
}

/// Lives of the server in the test below; a multiple of them under load.
const KILLS: usize = 25;
const CLIENTS: usize = 8;
/// A small flush count and the shortest interval keep sealing, compaction, merging and trimming busy.
const BUSY: [(&str, &str); 2] = [("MALLARD_FLUSH_COUNT", "40"), ("MALLARD_FLUSH_INTERVAL", "1")];

/// Where the server of the moment is, and what clients have achieved.
#[derive(Debug)]
struct World {
    address: Mutex<SocketAddr>,
    is_over: AtomicBool,
    acknowledged: AtomicUsize,
    retries: AtomicUsize,
}

/// Sends one id after the other, each until it is acknowledged, however many servers that takes.
fn insist(world: &World, client: usize) -> BTreeMap<String, u64> {
    let mut acknowledged = BTreeMap::new();
    let mut connection: Option<Client> = None;
    for number in 0.. {
        let id = format!("{client}-{number}");
        loop {
            // What was begun is finished, so that every id that was sent has to be stored.
            let address = *world.address.lock().unwrap();
            let answer = match connection.take().map_or_else(|| Client::connect(address), Ok) {
                Ok(mut open) => open.post_event(&event("a.example", &id)).map(|answer| (open, answer)),
                Err(error) => Err(error),
            };
            match answer {
                Ok((open, answer)) if answer.status == 202 => {
                    connection = Some(open);
                    acknowledged.insert(id, answer.lsn().expect("an acknowledged event has a position"));
                    world.acknowledged.fetch_add(1, Ordering::Relaxed);
                    break;
                }
                _ => {
                    world.retries.fetch_add(1, Ordering::Relaxed);
                    thread::yield_now();
                }
            }
        }
        if world.is_over.load(Ordering::Relaxed) {
            break;
        }
    }
    acknowledged
}

fn stored(data_dir: &Path) -> BTreeMap<String, Vec<u64>> {
    let engine = Engine::open(Config::new(data_dir), env::real()).unwrap();
    let mut stored = BTreeMap::<String, Vec<u64>>::new();
    for row in engine.events(&SiteId::parse("a.example").unwrap()).unwrap() {
        stored.entry(row.event.event_id.to_string()).or_default().push(row.lsn.unwrap());
    }
    engine.close().unwrap();
    stored
}

#[test]
fn clients_that_insist_over_sigkill_find_every_event_stored_exactly_once() {
    let data_dir = tempfile::tempdir().unwrap();
    let mut server = Server::start(data_dir.path(), &BUSY);
    let world = Arc::new(World {
        address: Mutex::new(server.address()),
        is_over: AtomicBool::new(false),
        acknowledged: AtomicUsize::new(0),
        retries: AtomicUsize::new(0),
    });
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let world = Arc::clone(&world);
            thread::spawn(move || insist(&world, client))
        })
        .collect();
    for life in 1..=KILLS {
        let enough = world.acknowledged.load(Ordering::Relaxed) + 50 + (life * 37) % 200;
        while world.acknowledged.load(Ordering::Relaxed) < enough {
            thread::yield_now();
        }
        server.kill();
        server = Server::start(data_dir.path(), &BUSY);
        *world.address.lock().unwrap() = server.address();
    }
    world.is_over.store(true, Ordering::Relaxed);
    let mut acknowledged = BTreeMap::new();
    for client in clients {
        acknowledged.extend(client.join().expect("a client does not panic"));
    }
    server.kill();
    let stored = stored(data_dir.path());
    for (id, lsns) in &stored {
        assert_eq!(lsns.len(), 1, "{id} is stored at {lsns:?}");
    }
    let stored: BTreeMap<_, _> = stored.into_iter().map(|(id, lsns)| (id, lsns[0])).collect();
    assert_eq!(stored, acknowledged, "every id, under the position that was acknowledged");
    println!("{KILLS} kills, {} events, {:?} retries", stored.len(), world.retries);
    assert!(world.retries.load(Ordering::Relaxed) >= KILLS);
}
