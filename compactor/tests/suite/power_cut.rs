//! Power cuts at every mutating call of compaction, commit, unlink, trim and merge.
//!
//! After each: the store opens, no live file is missing or damaged, every record is in exactly one live file or still in
//! the log above the checkpoint, and going on from there gives the rows that a store without any accident has.

use crate::support::{Store, event, record, stored, us};
use mallard_compactor::Limits;
use mallard_event::{Event, Stored};
use mallard_wal::disk::sim::{CrashMode, SimRng};

const NOW: &str = "2026-03-09T00:00:00Z";

fn events() -> Vec<Event> {
    let start = us("2026-03-01T12:00:00Z");
    let sites = ["a.example", ".."];
    (0..24).map(|number| event(sites[(number % 2) as usize], start + number as i64, number)).collect()
}

/// Four segments of six records; compaction makes four small files of each site, which merges then make one.
fn store(events: &[Event]) -> Store {
    let segments: Vec<_> = events.chunks(6).map(|events| events.iter().map(record).collect()).collect();
    let mut store = Store::with_segments(&segments);
    store.limits = Limits { segments_max: 1, is_compressed: false, ..Limits::default() };
    store
}

fn expected(events: &[Event]) -> Vec<Stored> {
    events.iter().zip(1..).map(|(event, lsn)| stored(event, lsn)).collect()
}

/// Every LSN is once in the live files or in the segments above the checkpoint.
fn check_exactly_once(store: &Store, count: u64, context: &str) {
    let mut lsns: Vec<u64> = store.rows().iter().map(|row| row.lsn.unwrap()).collect();
    let checkpoint = store.manifest().checkpoint();
    assert!(lsns.iter().all(|lsn| *lsn <= checkpoint.get()), "{context}: a live row above the checkpoint");
    for segment in &store.segments {
        let records = segment.load(store.env.disk.as_ref()).unwrap();
        lsns.extend(
            records.records().map(|record| record.lsn).filter(|lsn| *lsn > checkpoint).map(mallard_wal::Lsn::get),
        );
    }
    lsns.sort_unstable();
    assert_eq!(lsns, (1..=count).collect::<Vec<_>>(), "{context}\n{}", store.disk.trace().join("\n"));
}

/// Works until the power fails or nothing is left to do; true if nothing is left.
fn work(store: &mut Store) -> bool {
    loop {
        match store.step(us(NOW)) {
            Ok(true) => {}
            Ok(false) => return true,
            Err(_) => return false,
        }
    }
}

/// Cuts the power at each mutating call in turn; returns how many there were.
fn cut_everywhere(mode: CrashMode, seed: u64) -> u64 {
    let events = events();
    for operation in 1.. {
        let mut store = store(&events);
        store.disk.cut_power_at(store.disk.operations() + operation);
        if work(&mut store) {
            return operation - 1;
        }
        let context = format!("{mode:?}, seed {seed}, power cut at operation {operation}");
        store.disk.crash_by(mode, &mut SimRng::new(seed * 10_000 + operation));
        store.reopen();
        check_exactly_once(&store, 24, &context);

        assert!(work(&mut store), "{context}: the work does not go on");
        assert_eq!(store.rows(), expected(&events), "{context}");
        let live: Vec<_> = store.manifest().files().map(|entry| entry.path.to_string()).collect();
        assert_eq!(live.len(), 2, "{context}: one file of each site");
        assert_eq!(store.files_below("events"), live, "{context}: a file is left that is not live");
    }
    unreachable!()
}

#[test]
fn whatever_of_the_unsynced_survives_every_record_is_there_exactly_once() {
    let operations = cut_everywhere(CrashMode::Random, 1);
    assert!(operations > 100, "only {operations} mutating calls");
    for seed in 2..12 {
        cut_everywhere(CrashMode::Random, seed);
    }
}

#[test]
fn when_nothing_unsynced_survives_every_record_is_there_exactly_once() {
    cut_everywhere(CrashMode::LoseAll, 0);
}

#[test]
fn when_the_process_is_killed_every_record_is_there_exactly_once() {
    cut_everywhere(CrashMode::KeepAll, 0);
}

#[test]
fn a_second_power_cut_during_the_work_after_the_first_is_survived_too() {
    let events = events();
    for seed in 0..300 {
        let mut rng = SimRng::new(seed);
        let mut store = store(&events);
        for _ in 0..3 {
            store.disk.cut_power_at(store.disk.operations() + 1 + rng.below(60));
            work(&mut store);
            store.disk.crash(&mut rng);
            store.reopen();
            check_exactly_once(&store, 24, &format!("seed {seed}"));
        }
        assert!(work(&mut store));
        assert_eq!(store.rows(), expected(&events), "seed {seed}");
    }
}

#[test]
fn orphans_are_removed_only_if_every_live_file_is_there() {
    let events = events();
    let mut store = store(&events);
    store.settle(us("2026-03-01T13:00:00Z"));
    let live: Vec<_> = store.manifest().files().map(|entry| entry.path.to_string()).collect();
    let folder = live[0].rsplit_once('/').unwrap().0;
    let orphan = format!("{folder}/9-orphan.parquet");
    let kept = format!("{folder}/notes.txt");
    for path in [&orphan, &kept] {
        store.env.disk.create(&store.root().join(path)).unwrap();
    }
    let remove = |store: &Store| mallard_compactor::remove_orphans(&store.env, store.root(), store.manifest()).unwrap();

    store.env.disk.rename(&store.root().join(&live[1]), &store.root().join("stray")).unwrap();
    let orphans = remove(&store);
    assert_eq!((orphans.removed, orphans.missing), (vec![], vec![live[1].clone()]));
    assert!(store.files_below("events").contains(&orphan));

    store.env.disk.rename(&store.root().join("stray"), &store.root().join(&live[1])).unwrap();
    let orphans = remove(&store);
    assert_eq!((orphans.removed, orphans.missing), (vec![orphan.clone()], vec![]));
    assert!(!store.files_below("events").contains(&orphan));
    assert!(store.files_below("events").contains(&kept), "a file of another kind is not ours");
    assert_eq!(store.rows(), expected(&events));
}
