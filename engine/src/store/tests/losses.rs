//! Losses of the log as an operator sees them: named, lasting, never hidden by those that are known.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mallard_compactor::{Edit, FileEntry, LsnRange, Manifest, ManifestLog};
use mallard_event::{Event, EventId, EventName, SiteId, Timestamp, VisitorId};
use mallard_wal::disk::sim::{self, SimDisk};
use mallard_wal::disk::{self, Clock as _, Disk as _, Env};
use mallard_wal::{Drive, Lsn, OnCorruption};

use crate::config::Config;
use crate::error::Error;
use crate::query::{Question, Span};
use crate::status::Progress;
use crate::store::{Step, Store};
use crate::{Verification, verify};

fn config(flush_events: u64) -> Config {
    let mut config = Config::new("/data");
    (config.flush_events, config.flush_interval_us, config.disk_reserve_bytes) = (flush_events, i64::MAX / 2, 0);
    config
}

fn try_open(env: &Env, config: Config) -> Result<Store, Error> {
    Store::open(config, env.clone(), Drive::Manual, Arc::new(Progress::default()))
}

/// The store in `/data`, which compacts when so many events wait.
pub(in crate::store) fn open(env: &Env, flush_events: u64) -> Store {
    try_open(env, config(flush_events)).unwrap()
}

/// Stores an event; returns its LSN.
pub(in crate::store) fn append(store: &Store, number: usize, now_us: i64) -> u64 {
    let at = Timestamp::saturating_from_micros(now_us);
    let (visitor, name) = (VisitorId::parse("visitor").unwrap(), EventName::parse("pageview").unwrap());
    let id = EventId::parse(&format!("event-{number}")).unwrap();
    let event = Event::new(SiteId::parse("a.example").unwrap(), visitor, at, name, "/", id);
    let receipt = store.append(event, at).unwrap();
    store.pump().unwrap();
    receipt.wait().unwrap()
}

/// Destroys the record of an event in the first segment.
pub(in crate::store) fn destroy(disk: &SimDisk, number: usize) {
    let path = Path::new("/data/wal/00000000000000000001.wal");
    let bytes = disk::read(disk, path).unwrap();
    let id = format!("event-{number}");
    let at = bytes.windows(id.len()).position(|window| window == id.as_bytes()).unwrap();
    disk.open_write(path).unwrap().write_all_at(b"?", at as u64).unwrap();
}

fn compact(store: &Store) {
    while !matches!(store.maintain(&|_| {}).unwrap(), Step::Idle { .. }) {}
}

fn segments(disk: &SimDisk) -> Vec<PathBuf> {
    let names = disk.list(Path::new("/data/wal")).unwrap().into_iter().map(|entry| entry.name);
    names.filter(|name| name.ends_with(".wal")).map(|name| Path::new("/data/wal").join(name)).collect()
}

fn verified(env: &Env) -> Verification {
    verify(Path::new("/data"), env, &mut |_, _| {}).unwrap()
}

fn faults(env: &Env) -> Vec<String> {
    verified(env).faults.iter().map(ToString::to_string).collect()
}

/// What answers about all days say that they may lack.
fn incomplete(store: &Store, env: &Env) -> Vec<String> {
    let site = SiteId::parse("a.example").unwrap();
    let day_us = 86_400 * 1_000_000;
    let now_us = env.clock.now_us();
    let span = Span { start_us: now_us - 9 * day_us, end_us: now_us + 9 * day_us };
    store.view(&site).lost(&Question::new(site.clone(), span, crate::TimeZone::UTC))
}

/// Five events in files and three in the log; the process was killed.
fn killed() -> (Env, SimDisk) {
    let (env, disk, clock) = sim::env(1);
    let store = open(&env, 1);
    for number in 1..=5 {
        append(&store, number, clock.now_us());
    }
    compact(&store);
    for number in 6..=8 {
        append(&store, number, clock.now_us());
    }
    assert_eq!((store.status().compacted_lsn, store.status().durable_lsn), (5, 8));
    drop(store);
    (env, disk)
}

#[test]
fn a_store_that_has_lost_its_log_says_so_until_that_is_acknowledged_and_gives_out_no_lsn_twice() {
    let (env, disk) = killed();
    for path in segments(&disk) {
        disk.remove_file(&path).unwrap();
    }
    assert_eq!(faults(&env), ["wal: there is no log: everything from LSN 6 on is missing"]);
    let mut strict = config(u64::MAX);
    strict.wal.on_corruption = OnCorruption::Refuse;
    let refusal = try_open(&env, strict).unwrap_err().to_string();
    assert!(
        refusal.contains("lost everything from LSN 6 on") && refusal.contains("mallard-metrics repair"),
        "{refusal}"
    );
    assert_eq!(segments(&disk), Vec::<PathBuf>::new(), "a refusal changes nothing");

    let store = open(&env, u64::MAX);
    let last = store.high_water().get();
    assert!(last >= 8, "{last}");
    let reason = format!("lost lsn 6-{last}");
    assert!(store.status().degraded_reasons.contains(&reason), "{:?}", store.status().degraded_reasons);
    assert_eq!(store.status().lost_lsns, last - 5, "before they are compacted");
    assert_eq!(incomplete(&store, &env).len(), 1);
    assert_eq!(append(&store, 9, env.clock.now_us()), last + 1);
    drop(store);
    assert_eq!(verified(&env).lost, [(6, last)]);
    assert_eq!(faults(&env), Vec::<String>::new(), "it is known by now");

    let store = open(&env, 1);
    compact(&store);
    assert_eq!(store.status().lost_lsns, last - 5, "after they are compacted");
    assert!(store.status().degraded_reasons.contains(&reason));
    let acknowledged = store.acknowledge_loss(&|_| {}).unwrap();
    assert!(acknowledged.contains(&reason), "{acknowledged:?}");
    assert_eq!(store.status().degraded_reasons, Vec::<String>::new());
    drop(store);
    let store = open(&env, 1);
    assert_eq!(store.status().degraded_reasons, Vec::<String>::new());
    assert_eq!(incomplete(&store, &env).len(), 1, "answers say so for ever");
    assert_eq!(store.events(&SiteId::parse("a.example").unwrap()).unwrap().len(), 6);
    drop(store);
    assert!(verified(&env).is_sound());
    assert_eq!(verified(&env).acknowledged, [reason]);
}

#[test]
fn a_store_that_has_lost_the_newest_segment_says_so_where_the_manifest_knows_of_it() {
    let (env, disk) = killed();
    // A start makes the manifest know of what is in the log.
    drop(open(&env, u64::MAX));
    let store = open(&env, u64::MAX);
    append(&store, 9, env.clock.now_us());
    drop(store);
    drop(open(&env, u64::MAX));
    let paths = segments(&disk);
    assert_eq!(paths.len(), 3, "six to eight, nine, and an active one: {paths:?}");
    for path in paths.iter().skip(1) {
        disk.remove_file(path).unwrap();
    }
    assert_eq!(faults(&env), ["wal: the log lacks LSNs 9 to 9 at its end"]);
    let store = open(&env, u64::MAX);
    let last = store.high_water().get();
    assert!(store.status().degraded_reasons.contains(&format!("lost lsn 9-{last}")));
    assert_eq!(append(&store, 10, env.clock.now_us()), last + 1);
    assert_eq!(store.status().buffered_events, 4, "the others are there");
}

#[test]
fn a_store_whose_log_was_never_begun_does_not_miss_it() {
    let (env, disk) = killed();
    let store = open(&env, 1);
    compact(&store);
    store.close().unwrap();
    let (id, manifest) = (store.store_id(), store.manifest());
    drop(store);
    // What a restore leaves, and what an older program did: its manifest says nothing of the log.
    ManifestLog::found(&env, Path::new("/data"), id, &manifest.without_log()).unwrap();
    for path in segments(&disk) {
        disk.remove_file(&path).unwrap();
    }
    assert!(verified(&env).is_sound());
    let store = open(&env, 1);
    assert_eq!(store.status().degraded_reasons, Vec::<String>::new());
    assert_eq!(append(&store, 9, env.clock.now_us()), 9);
    drop(store);
    let fresh = sim::env(2).0;
    drop(open(&fresh, 1));
    assert_eq!(open(&fresh, 1).status().degraded_reasons, Vec::<String>::new());
}

#[test]
fn a_store_that_has_lost_the_log_of_its_first_life_says_so() {
    let (env, disk, _) = sim::env(1);
    let store = open(&env, u64::MAX);
    append(&store, 1, env.clock.now_us());
    drop(store);
    for path in segments(&disk) {
        disk.remove_file(&path).unwrap();
    }
    assert_eq!(faults(&env), ["wal: there is no log: everything from LSN 1 on is missing"]);
    let store = open(&env, u64::MAX);
    assert!(append(&store, 2, env.clock.now_us()) > 1);
    assert!(store.status().degraded_reasons.iter().any(|reason| reason.starts_with("lost lsn 1-")));
}

#[test]
fn what_is_lost_after_an_acknowledgement_is_not_acknowledged() {
    let (env, disk, _) = sim::env(1);
    let store = open(&env, u64::MAX);
    for number in 1..=9 {
        append(&store, number, env.clock.now_us());
    }
    drop(store);
    destroy(&disk, 3);
    let store = open(&env, u64::MAX);
    let reasons = store.acknowledge_loss(&|_| {}).unwrap();
    assert!(reasons.contains(&"lost lsn 3-3".to_owned()), "{reasons:?}");
    assert_eq!(store.status().degraded_reasons, Vec::<String>::new());
    drop(store);
    assert!(verified(&env).is_sound());

    // Below the newest LSN of then, and still only in the log.
    destroy(&disk, 4);
    destroy(&disk, 7);
    for life in ["in the log", "compacted"] {
        let store = open(&env, 1);
        if life == "compacted" {
            compact(&store);
        }
        let reasons = store.status().degraded_reasons;
        let lost: Vec<_> = reasons.iter().filter(|reason| reason.starts_with("lost lsn")).collect();
        assert_eq!(lost, ["lost lsn 4-4", "lost lsn 7-7"], "{life}");
        assert_eq!(store.status().lost_lsns, 3, "{life}");
        drop(store);
        let found = verified(&env);
        assert_eq!((found.is_sound(), found.lost), (false, vec![(4, 4), (7, 7)]), "{life}");
        assert_eq!(found.acknowledged, ["lost lsn 3-3"], "{life}");
    }
}

#[test]
fn damage_that_has_lost_nothing_is_shown_until_it_is_acknowledged() {
    let (env, disk) = killed();
    let path = segments(&disk).pop().unwrap();
    // The header page, which says nothing that the rest does not.
    disk.corrupt(&path, 40, 0xff).unwrap();
    let kept = format!("damaged original kept: quarantine/{}", path.file_name().unwrap().to_str().unwrap());
    for life in 1..=3 {
        let store = open(&env, u64::MAX);
        assert_eq!(store.status().degraded_reasons, [kept.as_str()], "life {life}");
        assert_eq!((store.status().buffered_events, store.status().lost_lsns), (3, 0), "life {life}");
        drop(store);
        assert_eq!(verified(&env).repaired, [kept.as_str()], "life {life}");
    }
    let store = open(&env, u64::MAX);
    assert_eq!(store.acknowledge_loss(&|_| {}).unwrap(), [kept]);
    drop(store);
    assert_eq!(open(&env, u64::MAX).status().degraded_reasons, Vec::<String>::new());
    assert!(verified(&env).is_sound());
}

#[test]
fn rows_at_positions_that_are_not_theirs_are_faults_and_so_are_damaged_ids_of_erased_events() {
    let (env, disk) = killed();
    let store = open(&env, 1);
    compact(&store);
    let (id, manifest) = (store.store_id(), store.manifest());
    drop(store);
    let file = FileEntry::clone(manifest.files().next().unwrap());
    assert_eq!(file.lsns, LsnRange::new(Lsn::new(1), Lsn::new(5)));
    let twin = FileEntry { path: file.path.replace("/0-", "/9-").into(), level: 9, ..file.clone() };
    let bytes = disk::read(&disk, &Path::new("/data").join(&*file.path)).unwrap();
    disk.create(&Path::new("/data").join(&*twin.path)).unwrap().write_all_at(&bytes, 0).unwrap();
    let short = Edit { checkpoint: Some(Lsn::new(20)), ..manifest.to_checkpoint() };
    let sound = Edit { expired_rows: 12, ..short.clone() };
    let faults_of = |edit: &Edit| {
        let manifest = Manifest::from_checkpoint(edit).unwrap();
        ManifestLog::found(&env, Path::new("/data"), id, &manifest).unwrap();
        verified(&env).faults.into_iter().map(|fault| fault.what).collect::<Vec<_>>()
    };
    assert_eq!(faults_of(&sound), Vec::<String>::new());
    assert_eq!(verified(&env).unaccounted, 0);
    let missing = |count: u64| {
        format!(
            "{count} events through LSN 20 are in no file, and neither a loss nor retention, an erasure or a repair explains that"
        )
    };
    assert_eq!(faults_of(&short), [missing(12)]);
    assert_eq!(verified(&env).unaccounted, 12, "of twenty positions eight are rows");
    assert_eq!(faults_of(&Edit { erased_rows: 11, ..short }), [missing(1)], "one is one too many");

    let mut doubled = Edit { expired_rows: 7, ..sound.clone() };
    doubled.add.push(twin);
    assert_eq!(faults_of(&doubled), ["5 of its rows have the position of another row"]);
    let mut misplaced = sound.clone();
    misplaced.add[0].lsns = LsnRange::new(Lsn::new(2), Lsn::new(6));
    assert_eq!(faults_of(&misplaced), ["1 of its rows are not within its positions 2..=6"]);
    let risen = Edit { gaps: vec![LsnRange::one(Lsn::new(3))], expired_rows: 11, ..sound.clone() };
    assert_eq!(faults_of(&risen), ["1 of its rows have a position that is lost or in quarantine"]);

    disk.create(Path::new("/data/control/erased-ids")).unwrap().write_all_at(b"MALLEIDS", 0).unwrap();
    assert_eq!(faults_of(&sound), ["it is damaged, or of a newer program"]);
}
