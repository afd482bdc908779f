//! A small store with a past: two sites, two days, merges, an erasure that is finished and one that is not, events that are in
//! the log only. Images of its disk, and what must be found in them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mallard_compactor::read_file;
use mallard_engine::{Config, ErasureRequest, Error, OnCorruption, Progress, Repair, Repaired, Span, Step, Store};
use mallard_event::columns::rows_from;
use mallard_event::{Event, EventId, EventName, SiteId, Stored, Subject, Timestamp, VisitorId};
use mallard_wal::Drive;
use mallard_wal::disk::sim::{self, SimClock, SimDisk};
use mallard_wal::disk::{self, Clock as _, Disk as _, Env};

pub const DAY_US: i64 = 86_400 * 1_000_000;
const SITES: [&str; 2] = ["a.example", "b.example"];

/// Every file of a data directory, by its path.
pub type Image = BTreeMap<PathBuf, Vec<u8>>;

/// A moment of the life.
#[derive(Clone)]
pub struct Moment {
    pub what: &'static str,
    pub image: Image,
    /// The numbers of the events that must be visible.
    pub events: BTreeSet<usize>,
    pub erased: BTreeSet<usize>,
    /// Those of them that an erasure takes of which only the log knows.
    pub erasing: BTreeSet<usize>,
}

impl Moment {
    /// The same, if the log has lost the erasure that is not finished.
    pub fn without_open_erasure(&self) -> Self {
        let mut moment = self.clone();
        moment.events.extend(&self.erasing);
        moment.erased = self.erased.difference(&self.erasing).copied().collect();
        moment
    }
}

pub fn config() -> Config {
    let mut config = Config::new(Path::new("/data"));
    config.flush_events = 4;
    config.wal.segment_bytes = 16 << 10;
    config.wal.commit_align = 512;
    config.wal.on_corruption = OnCorruption::Refuse;
    config.limits.is_compressed = false;
    config.limits.merge_files_min = 2;
    config.disk_reserve_bytes = 0;
    config
}

/// A machine.
pub struct Machine {
    pub env: Env,
    pub disk: SimDisk,
    pub clock: Arc<SimClock>,
    pub is_eager: bool,
}

impl Machine {
    /// A machine with these files.
    pub fn with(image: &Image) -> Self {
        let (env, disk, clock) = sim::env(7);
        clock.advance_us(3 * DAY_US);
        disk.create_dir(Path::new("/data")).unwrap();
        for (path, bytes) in image {
            let path = Path::new("/data").join(path);
            disk::durable::create_dirs(&disk, Path::new("/"), path.strip_prefix("/").unwrap().parent().unwrap())
                .unwrap();
            let file = disk.create(&path).unwrap();
            file.write_all_at(bytes, 0).unwrap();
            file.sync_data().unwrap();
            disk.sync_dir(path.parent().unwrap()).unwrap();
        }
        Self { env, disk, clock, is_eager: !image.is_empty() }
    }

    pub fn open(&self) -> Result<Store, Error> {
        // Everything goes into files as soon as maintenance may.
        let config = if self.is_eager { Config { flush_events: 1, ..config() } } else { config() };
        Store::open(config, self.env.clone(), Drive::Manual, Arc::new(Progress::default()))
    }

    pub fn repair(&self, is_dry: bool) -> Result<Repaired, Error> {
        let mut repair = Repair::begin(config(), self.env.clone(), is_dry)?;
        repair.store(&mut |_, _| {})?;
        repair.finish()
    }

    pub fn image(&self) -> Image {
        let mut image = Image::new();
        self.read(Path::new("/data"), &mut image);
        image.retain(|path, _| !path.ends_with("LOCK"));
        image
    }

    fn read(&self, folder: &Path, image: &mut Image) {
        for entry in self.disk.list(folder).unwrap() {
            let path = folder.join(&entry.name);
            if entry.is_dir {
                self.read(&path, image);
            } else {
                let bytes = disk::read(&self.disk, &path).unwrap();
                image.insert(path.strip_prefix("/data").unwrap().to_owned(), bytes);
            }
        }
    }
}

/// What an open store shows, by the numbers of events; fails if one is there twice. `None` if a file is damaged.
pub fn events(store: &Store) -> Option<BTreeSet<usize>> {
    let rows = SITES.map(|site| store.events(&SiteId::parse(site).unwrap()).ok());
    let [a, b] = rows;
    Some(numbers_of(a?.into_iter().chain(b?)))
}

/// What can be read of the files of a store that has nothing in its log.
pub fn events_in_files(store: &Store) -> BTreeSet<usize> {
    assert_eq!(store.status().buffered_events, 0);
    let mut rows = Vec::new();
    for file in store.manifest().files() {
        // What cannot be read is lost, which is what the caller wants to know.
        read_file(store.env(), Path::new("/data"), file, &mut |batch| rows.extend(rows_from(&batch).unwrap())).ok();
    }
    numbers_of(rows)
}

fn numbers_of(rows: impl IntoIterator<Item = Stored>) -> BTreeSet<usize> {
    let mut numbers = BTreeSet::new();
    for row in rows {
        let number = row.event.event_id.as_str().strip_prefix("event-").unwrap().parse().unwrap();
        assert!(numbers.insert(number), "event {number} is visible twice");
    }
    numbers
}

pub fn settle(store: &Store) {
    for _ in 0..300 {
        if matches!(store.maintain(&|_| {}), Ok(Step::Idle { .. })) {
            return;
        }
    }
    panic!("maintenance does not come to an end");
}

/// A life in progress.
struct Life {
    machine: Machine,
    store: Store,
    sent: Vec<Event>,
    events: BTreeSet<usize>,
    erased: BTreeSet<usize>,
    last_erased: BTreeSet<usize>,
    moments: Vec<Moment>,
}

impl Life {
    fn begin() -> Self {
        let machine = Machine::with(&Image::new());
        let store = machine.open().unwrap();
        let (events, erased) = (BTreeSet::new(), BTreeSet::new());
        Self { machine, store, sent: Vec::new(), events, erased, last_erased: BTreeSet::new(), moments: Vec::new() }
    }

    fn append(&mut self, count: usize) {
        for _ in 0..count {
            let number = self.sent.len();
            let (site, now_us) = (SiteId::parse(SITES[number % 2]).unwrap(), self.machine.clock.now_us());
            let visitor = VisitorId::parse(&format!("visitor-{}", number % 3)).unwrap();
            // Every fifth event happened on the day before.
            let at = Timestamp::saturating_from_micros(now_us - DAY_US * i64::from(number % 5 == 4));
            let (name, id) =
                (EventName::parse("pageview").unwrap(), EventId::parse(&format!("event-{number}")).unwrap());
            let event = Event::new(site, visitor, at, name, "/", id);
            self.sent.push(event.clone());
            let receipt = self.store.append(event, Timestamp::saturating_from_micros(now_us)).unwrap();
            self.store.pump().unwrap();
            receipt.wait().unwrap();
            self.events.insert(number);
        }
    }

    /// Erases what a visitor has done on a site.
    fn erase(&mut self, site: &str, visitor: &str) {
        let (site, visitor) = (SiteId::parse(site).unwrap(), VisitorId::parse(visitor).unwrap());
        let span = Span { start_us: 0, end_us: self.machine.clock.now_us() + 9 * DAY_US };
        let subject = Some(Subject::visitor(&site, &visitor));
        let (_, receipt) = self.store.begin_erasure(&ErasureRequest { site: site.clone(), span, subject }).unwrap();
        self.store.pump().unwrap();
        receipt.wait().unwrap();
        let sent = &self.sent;
        let taken =
            self.events.iter().filter(|number| sent[**number].site == site && sent[**number].visitor == visitor);
        let taken: BTreeSet<usize> = taken.copied().collect();
        assert!(!taken.is_empty());
        self.events.retain(|number| !taken.contains(number));
        self.erased.extend(&taken);
        self.last_erased = taken;
    }

    fn restart(mut self) -> Self {
        drop(self.store);
        self.store = self.machine.open().unwrap();
        self
    }

    fn moment(&mut self, what: &'static str) {
        let (image, events, erased) = (self.machine.image(), self.events.clone(), self.erased.clone());
        let erasing = if self.store.is_erasing() { self.last_erased.clone() } else { BTreeSet::new() };
        self.moments.push(Moment { what, image, events, erased, erasing });
    }

    fn steps(&mut self, count: usize, what: &'static str) {
        for _ in 0..count {
            self.store.maintain(&|_| {}).unwrap();
            self.moment(what);
        }
    }
}

/// Moments of a life, each as a kill would have left it.
pub fn moments() -> Vec<Moment> {
    let mut life = Life::begin();
    life.append(3);
    life.moment("events in the log only");
    life.append(9);
    life.steps(6, "a first compaction");
    settle(&life.store);
    life.append(8);
    settle(&life.store);
    life.erase(SITES[0], "visitor-1");
    life.steps(8, "an erasure in progress");
    life.machine.clock.advance_us(10_000_000);
    settle(&life.store);
    assert!(!life.store.is_erasing());
    life.moment("an erasure that is finished");
    life.machine.clock.advance_us(DAY_US);
    life = life.restart();
    life.append(8);
    life.steps(6, "a second day");
    settle(&life.store);
    life.append(8);
    settle(&life.store);
    life.machine.clock.advance_us(DAY_US);
    life.append(4);
    life.steps(8, "merges of closed days");
    settle(&life.store);
    life.append(3);
    life.erase(SITES[1], "visitor-0");
    life.append(2);
    life.moment("an erasure that has begun");
    life.moments
}

/// The last moment, with a bit of everything.
pub fn last() -> Moment {
    moments().pop().unwrap()
}
