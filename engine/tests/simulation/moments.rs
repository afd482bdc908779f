//! Readers beside commits and maintenance: whatever moment they meet, it shows every committed event, once.
//!
//! This is the one test here that depends on how threads take turns. It can miss a fault, never invent one: what it asserts
//! holds at every moment.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use mallard_engine::{SiteSummary, Store};
use mallard_event::SiteId;

use crate::act::Act;
use crate::oracle::SITES;
use crate::world::{Setting, World};

const COMPACTIONS: usize = 150;
/// NOTE: one is not enough. A thread that lets go of a lock and takes it again at once is overtaken only while it wakes
/// another one, by a third.
const READERS: usize = 3;
/// Reading all rows takes as long as looking at the totals some hundred times.
const LOOKS_PER_READING: usize = 256;

#[test]
fn every_moment_beside_commits_and_maintenance_shows_each_committed_event_once() {
    let mut world = World::new(Setting::new(4));
    world.open();
    let (store, is_over) = (world.store(), AtomicBool::new(false));
    let looks: usize = thread::scope(|scope| {
        let readers = [(); READERS].map(|()| scope.spawn(|| look(&store, &is_over)));
        for _ in 0..COMPACTIONS {
            world.act(Act::Append(4));
            world.act(Act::Pump);
            world.act(Act::Settle);
        }
        is_over.store(true, Ordering::Relaxed);
        readers.into_iter().map(|reader| reader.join().unwrap()).sum()
    });
    world.check();
    println!("{looks} looks beside {COMPACTIONS} compactions");
}

/// Looks again and again; returns how often.
fn look(store: &Store, is_over: &AtomicBool) -> usize {
    let mut looks = 0;
    while !is_over.load(Ordering::Relaxed) {
        check_totals(store);
        looks += 1;
        if looks % LOOKS_PER_READING == 0 {
            check_rows(store);
        }
    }
    looks
}

/// The sum over all sites is taken at one moment.
fn check_totals(store: &Store) {
    let before = store.high_water().get();
    let visible: u64 = store.sites().iter().map(|site| site.events_total).sum();
    let after = store.high_water().get();
    assert!((before..=after).contains(&visible), "{visible} events are visible of {before} to {after} committed ones");
}

fn check_rows(store: &Store) {
    for site in SITES {
        let site = SiteId::parse(site).unwrap();
        let before = total(store, &site);
        let rows = store.events(&site).unwrap();
        let after = total(store, &site);
        assert!(rows.is_sorted_by(|one, next| one.lsn < next.lsn), "an event of {site:?} is visible twice");
        let visible = rows.len() as u64;
        assert!((before..=after).contains(&visible), "{visible} rows of {site:?} are visible of {before} to {after}");
    }
}

fn total(store: &Store, site: &SiteId) -> u64 {
    let is_of_site = |summary: &&SiteSummary| summary.site == *site;
    store.sites().iter().find(is_of_site).map_or(0, |summary| summary.events_total)
}
