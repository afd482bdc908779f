//! Clients that send events until their server goes away, and the books they keep: what was sent, what was acknowledged.
//! [`Books::check`] opens the store that the server left behind, without a server, and compares.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use mallard_engine::{Cancel, Config, Dimension, Engine, Question, Span, TimeZone, env};
use mallard_event::{SiteId, Stored};
use serde_json::json;

use super::http::Client;

/// Clients at a time, each with a site of its own.
const CLIENTS: usize = 8;

/// Everything that all clients of all rounds have done. Ids are unique among all of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Books {
    sent: BTreeSet<String>,
    acknowledged: BTreeMap<String, u64>,
}

/// Books that clients write while others look.
type Shared = Arc<Mutex<Books>>;

/// Clients at work.
#[derive(Debug)]
pub(crate) struct Load {
    clients: Vec<JoinHandle<()>>,
    books: Shared,
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
        let books = Shared::default();
        let start = |client| {
            let (tick, books) = (tick.clone(), Arc::clone(&books));
            thread::spawn(move || send_until_gone(address, client, round, &books, &tick))
        };
        Self { clients: (0..CLIENTS).map(start).collect(), books, ticks }
    }

    /// Returns when the clients have had `count` more acknowledgements together, or have lost their server.
    pub(crate) fn wait_for(&self, count: usize) {
        self.ticks.try_iter().for_each(drop);
        self.ticks.iter().take(count).for_each(drop);
    }

    /// The books as they are now.
    pub(crate) fn books(&self) -> Books {
        self.books.lock().unwrap().clone()
    }

    /// Waits until the clients have noticed that the server is gone, and takes over their books.
    pub(crate) fn settle(self, books: &mut Books) {
        for client in self.clients {
            client.join().expect("a client does not panic");
        }
        let theirs = self.books.lock().unwrap().clone();
        books.sent.extend(theirs.sent);
        books.acknowledged.extend(theirs.acknowledged);
    }
}

fn site(client: usize) -> String {
    format!("client-{client}.example")
}

fn send_until_gone(address: SocketAddr, client: usize, round: u64, books: &Shared, tick: &Sender<()>) {
    let Ok(mut connection) = Client::connect(address) else { return };
    for number in 0.. {
        let id = format!("{round}-{client}-{number}");
        let event =
            json!({ "d": site(client), "n": "pageview", "u": format!("https://{}/{id}", site(client)), "id": id });
        books.lock().unwrap().sent.insert(id.clone());
        let Ok(answer) = connection.post_event(&event) else { break };
        match (answer.status, answer.lsn()) {
            (202, Some(lsn)) => books.lock().unwrap().acknowledged.insert(id, lsn),
            (503, None) => break,
            other => panic!("{other:?}: {}", answer.text()),
        };
        // Nobody counts any more once the server was killed.
        tick.send(()).ok();
    }
}

impl Books {
    /// These books and others, as of two loads.
    pub(crate) fn with(&self, other: &Self) -> Self {
        let mut both = self.clone();
        both.sent.extend(other.sent.iter().cloned());
        both.acknowledged.extend(other.acknowledged.iter().map(|(id, lsn)| (id.clone(), *lsn)));
        both
    }

    /// The highest position that was acknowledged; 0 if there is none.
    pub(crate) fn last_acknowledged(&self) -> u64 {
        self.acknowledged.values().copied().max().unwrap_or(0)
    }

    /// Opens the store at `data_dir` and checks that every acknowledged event is stored once and under its LSN, that
    /// everything stored was sent, and that LSNs are dense.
    pub(crate) fn check(&self, data_dir: &Path) -> Counts {
        self.check_between(self, data_dir)
    }

    /// The same for a store of a moment between these books and `later` ones.
    pub(crate) fn check_between(&self, later: &Self, data_dir: &Path) -> Counts {
        let engine = Engine::open(Config::new(data_dir), env::real()).expect("the store opens");
        let mut stored = BTreeMap::new();
        let mut lsns = BTreeSet::new();
        for site in (0..CLIENTS).map(site) {
            let rows = engine.events(&SiteId::parse(&site).unwrap()).expect("the store can be read");
            check_reports(&engine, &site, &rows);
            for row in rows {
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
            assert!(later.sent.contains(id), "{id} was never sent");
        }
        assert!(lsns.iter().copied().eq(1..=lsns.len() as u64), "LSNs are dense: {:?}", first_hole(&lsns));
        let compacted_lsn = engine.status().compacted_lsn;
        engine.close().expect("the store closes");
        Counts { sent: self.sent.len(), acknowledged: self.acknowledged.len(), stored: stored.len(), compacted_lsn }
    }
}

/// The reports, which DuckDB answers, count what the store holds.
fn check_reports(engine: &Engine, site: &str, rows: &[Stored]) {
    let times = || rows.iter().map(|row| row.event.timestamp.micros());
    let (Some(start_us), Some(last_us)) = (times().min(), times().max()) else { return };
    let span = Span { start_us, end_us: last_us + 1 };
    let question = Question::new(SiteId::parse(site).unwrap(), span, TimeZone::UTC);
    let (cancel, limit) = (Cancel::default(), usize::MAX);
    let reports = engine.reports(&cancel);
    let main = reports.main(&question).expect("the report is answered").value;
    let pages = reports.breakdown(&question, Dimension::Pages, limit).expect("the report is answered").value;
    assert_eq!(main.total_pageviews, rows.len() as u64, "pageviews of {site}");
    assert!(pages.iter().all(|page| page.pageviews == 1), "every page of {site} was seen once");
    assert_eq!(pages.len(), rows.len(), "pages of {site}");
}

fn first_hole(lsns: &BTreeSet<u64>) -> Option<u64> {
    (1..).zip(lsns).find(|(expected, lsn)| expected != *lsn).map(|(expected, _)| expected)
}
