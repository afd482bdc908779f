//! Clients that send events until their server goes away, and the books they keep: what was sent, what was acknowledged.
//! [`Books::check`] opens the store that the server left behind, without a server, and compares.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use mallard_engine::{Config, Engine, env};
use mallard_event::SiteId;
use serde_json::json;

use super::http::Client;

/// Clients at a time, each with a site of its own.
const CLIENTS: usize = 8;

/// Everything that all clients of all rounds have done. Ids are unique among all of them.
#[derive(Debug, Default)]
pub(crate) struct Books {
    sent: BTreeSet<String>,
    acknowledged: BTreeMap<String, u64>,
}

/// Clients at work.
#[derive(Debug)]
pub(crate) struct Load {
    clients: Vec<JoinHandle<Books>>,
    /// One for each acknowledgement.
    ticks: Receiver<()>,
}

/// What [`Books::check`] counted.
#[derive(Debug)]
pub(crate) struct Counts {
    /// Events sent.
    pub(crate) sent: usize,
    /// Of these, acknowledged.
    pub(crate) acknowledged: usize,
    /// Events stored.
    pub(crate) stored: usize,
    /// Position through which the log has been compacted into Parquet files.
    pub(crate) compacted_lsn: u64,
}

impl Load {
    /// Starts the clients.
    pub(crate) fn start(address: SocketAddr, round: u64) -> Self {
        let (tick, ticks) = mpsc::channel();
        let start = |client| {
            let tick = tick.clone();
            thread::spawn(move || send_until_gone(address, client, round, &tick))
        };
        Self { clients: (0..CLIENTS).map(start).collect(), ticks }
    }

    /// Returns when the clients have had `count` more acknowledgements together, or have lost their server.
    pub(crate) fn wait_for(&self, count: usize) {
        self.ticks.try_iter().for_each(drop);
        self.ticks.iter().take(count).for_each(drop);
    }

    /// Waits until the clients have noticed that the server is gone, and takes over their books.
    pub(crate) fn settle(self, books: &mut Books) {
        for client in self.clients {
            let theirs = client.join().expect("a client does not panic");
            books.sent.extend(theirs.sent);
            books.acknowledged.extend(theirs.acknowledged);
        }
    }
}

fn site(client: usize) -> String {
    format!("client-{client}.example")
}

fn send_until_gone(address: SocketAddr, client: usize, round: u64, tick: &Sender<()>) -> Books {
    let mut books = Books::default();
    let Ok(mut connection) = Client::connect(address) else { return books };
    for number in 0.. {
        let id = format!("{round}-{client}-{number}");
        let event =
            json!({ "d": site(client), "n": "pageview", "u": format!("https://{}/{id}", site(client)), "id": id });
        books.sent.insert(id.clone());
        let Ok(answer) = connection.post_event(&event) else { break };
        match (answer.status, answer.lsn()) {
            (202, Some(lsn)) => books.acknowledged.insert(id, lsn),
            (503, None) => break,
            other => panic!("{other:?}: {}", answer.text()),
        };
        // Nobody counts any more once the server was killed.
        tick.send(()).ok();
    }
    books
}

impl Books {
    /// Opens the store at `data_dir` and checks that every acknowledged event is stored once and under its LSN, that
    /// everything stored was sent, and that LSNs are dense.
    pub(crate) fn check(&self, data_dir: &Path) -> Counts {
        let engine = Engine::open(Config::new(data_dir), env::real()).expect("the store opens");
        let mut stored = BTreeMap::new();
        let mut lsns = BTreeSet::new();
        for site in (0..CLIENTS).map(site) {
            for row in engine.events(&SiteId::parse(&site).unwrap()).expect("the store can be read") {
                let id = row.event.event_id.as_str().to_owned();
                assert_eq!(row.event.site.as_str(), site, "{id}");
                assert_eq!(*row.event.pathname, format!("/{id}"), "the event is what was sent");
                let lsn = row.lsn.expect("every event of this server has an LSN");
                assert!(lsns.insert(lsn), "LSN {lsn} is used twice");
                assert_eq!(stored.insert(id.clone(), lsn), None, "{id} is stored twice");
            }
        }
        for (id, lsn) in &self.acknowledged {
            assert_eq!(stored.get(id), Some(lsn), "{id} was acknowledged");
        }
        for id in stored.keys() {
            assert!(self.sent.contains(id), "{id} was never sent");
        }
        assert!(lsns.iter().copied().eq(1..=lsns.len() as u64), "LSNs are dense: {:?}", first_hole(&lsns));
        let compacted_lsn = engine.status().compacted_lsn;
        engine.close().expect("the store closes");
        Counts { sent: self.sent.len(), acknowledged: self.acknowledged.len(), stored: stored.len(), compacted_lsn }
    }
}

fn first_hole(lsns: &BTreeSet<u64>) -> Option<u64> {
    (1..).zip(lsns).find(|(expected, lsn)| expected != *lsn).map(|(expected, _)| expected)
}
