//! Erasure: exactly the events that it takes are left out of compactions and of rewritten files, and nothing else changes.

use std::sync::Arc;

use mallard_compactor::{EditError, Erasure, Job, Reach, erasure_files, plan_erasure};
use mallard_event::{Event, Stored, Subject, VisitorId};
use mallard_wal::{Draft, Kind, Lsn};
use proptest::prelude::*;

use crate::support::{DAY_US, Store, event, record, site, stored, us};

const NOON: &str = "2026-03-10T12:00:00Z";

fn erasure(lsn: u64, start_us: i64, end_us: i64, subject: Option<Subject>) -> Erasure {
    let (id, site) = ([u8::try_from(lsn % 251).unwrap(); 16], site("a"));
    Erasure { id, store: 1, lsn: Lsn::new(lsn), at_us: us(NOON), site, start_us, end_us, subject, reach: Reach::Lsn }
}

fn record_of(erasure: &Erasure) -> Draft {
    let in_log = Erasure { lsn: Lsn::ZERO, ..erasure.clone() };
    Draft::new(Kind::ERASURE, 1, 0, erasure.at_us, erasure.id, &in_log.encode()).unwrap()
}

/// What is left of rows, by the rule itself.
fn left(rows: &[Stored], erasure: &Erasure) -> Vec<Stored> {
    let is_taken = |row: &Stored| {
        row.lsn.unwrap() < erasure.lsn.get()
            && row.event.site == erasure.site
            && (erasure.start_us..erasure.end_us).contains(&row.event.timestamp.micros())
            && match erasure.subject {
                None => true,
                Some(Subject::Visitor(_)) => {
                    Some(Subject::visitor(&erasure.site, &row.event.visitor)) == erasure.subject
                }
                Some(Subject::User(_)) => {
                    let user = row.event.user_hash.as_deref();
                    user.map(|hash| Subject::user(&erasure.site, hash)) == erasure.subject
                }
            }
    };
    rows.iter().filter(|row| !is_taken(row)).cloned().collect()
}

/// Does every job of the erasure.
fn erase(store: &mut Store, erasure: &Erasure) -> u64 {
    store.erasures = vec![Arc::new(erasure.clone())];
    let (mut after, mut erased) = (None, 0);
    while let Some((job, last)) = plan_erasure(store.manifest(), erasure, after, us(NOON), &store.limits) {
        let edit = store.run(&job).unwrap();
        erased += edit.erased_rows;
        if !edit.remove.is_empty() {
            store.log.commit(&edit).unwrap();
            mallard_compactor::unlink(&store.env, store.root(), &edit).unwrap();
        }
        after = Some(last);
    }
    store.erasures.clear();
    erased
}

/// Events of two sites over three days.
fn events(count: u64) -> Vec<Event> {
    let at = |number: u64| us(NOON) - DAY_US * i64::try_from(number % 3).unwrap() + i64::try_from(number).unwrap();
    (0..count).map(|number| event(if number % 4 == 3 { "b" } else { "a" }, at(number), number)).collect()
}

fn rows(events: &[Event]) -> Vec<Stored> {
    (1..).zip(events).map(|(lsn, event)| stored(event, lsn)).collect()
}

fn cases() -> impl Strategy<Value = (Erasure, usize, u64)> {
    let visitor = |number: u64| Subject::visitor(&site("a"), &VisitorId::parse(&format!("visitor-{number}")).unwrap());
    let user = |number: u64| Subject::user(&site("a"), &format!("user-{}", 9 * number));
    let subject = prop_oneof![
        Just(None),
        (0..8_u64).prop_map(move |number| Some(visitor(number))),
        (0..8_u64).prop_map(move |number| Some(user(number)))
    ];
    let days = (-3..2_i64, 0..3_i64, 0..DAY_US);
    ((1..200_u64, days, subject), 0..120_usize, 0..3_u64).prop_map(
        move |((lsn, (first, count, shift), subject), cut, _)| {
            let start_us = us("2026-03-10T00:00:00Z") + first * DAY_US + shift;
            (erasure(lsn, start_us, start_us + count * DAY_US, subject), cut, 0)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn files_and_log_lose_exactly_what_an_erasure_takes((erasure, cut, _) in cases()) {
        let events = events(120);
        let (before, after) = events.split_at(cut);
        let records = |events: &[Event]| events.iter().map(record).collect::<Vec<_>>();
        // A part is in files already, the rest goes from the log into files beside the erasure.
        let mut store = Store::new();
        if !before.is_empty() {
            store.seal(&records(before));
            store.settle(us(NOON));
        }
        if !after.is_empty() {
            store.seal(&records(after));
        }
        store.erasures = vec![Arc::new(erasure.clone())];
        while store.step(us(NOON)).unwrap() {}
        erase(&mut store, &erasure);
        let expected = left(&rows(&events), &erasure);
        prop_assert_eq!(store.rows(), expected.clone());
        let totals = store.manifest().totals();
        prop_assert_eq!(totals.rows + totals.erased_rows, 120, "every event is stored or erased");
        prop_assert_eq!(totals.rows, expected.len() as u64);
        // Again, and merged, and opened again: the same.
        prop_assert_eq!(erase(&mut store, &erasure), 0);
        store.settle(us(NOON) + 30 * DAY_US);
        store.reopen();
        prop_assert_eq!(store.rows(), expected);
    }

    #[test]
    fn no_bytes_make_the_reader_of_an_erasure_panic(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        if let Ok(erasure) = Erasure::decode(1, &bytes) {
            prop_assert_eq!(erasure.encode(), bytes, "what decodes is what encodes");
        }
    }
}

#[test]
fn the_bytes_of_an_erasure_never_change() {
    let whole = erasure(300, -5, 7, Some(Subject::Visitor([9; 16])));
    let golden = [
        &[49; 16][..],
        &1_u64.to_le_bytes(),
        &300_u64.to_le_bytes(),
        &us(NOON).to_le_bytes(),
        &(-5_i64).to_le_bytes(),
        &7_i64.to_le_bytes(),
        &[0, 1],
        &[9; 16],
        b"\x01\x00a",
    ]
    .concat();
    assert_eq!(whole.encode(), golden);
    assert_eq!(Erasure::decode(1, &golden), Ok(whole));
    for length in 0..golden.len() {
        assert_eq!(Erasure::decode(1, &golden[..length]), Err(EditError::Cut), "{length}");
    }
    assert_eq!(Erasure::decode(2, &golden), Err(EditError::Version { version: 2 }));
}

#[test]
fn a_compaction_over_the_record_of_an_erasure_makes_the_manifest_remember_it() {
    let events = events(10);
    let erasure = erasure(11, 0, i64::MAX, None);
    let mut records: Vec<_> = events.iter().map(record).collect();
    records.push(record_of(&erasure));
    let mut store = Store::with_segments(&[records]);
    store.erasures = vec![Arc::new(erasure.clone())];
    store.settle(us(NOON));
    assert_eq!(store.manifest().checkpoint(), Lsn::new(11));
    assert_eq!(store.rows(), left(&rows(&events), &erasure));
    assert_eq!(store.manifest().quarantined(), [], "the record is understood");
    let pending: Vec<_> = store.manifest().erasures().iter().map(|pending| Erasure::clone(pending)).collect();
    assert_eq!(pending, std::slice::from_ref(&erasure));
    store.reopen();
    assert_eq!(store.manifest().erasures().len(), 1, "it goes on after a crash");
    let ended = mallard_compactor::Edit { ended: vec![erasure.id], ..Default::default() };
    store.log.commit(&ended).unwrap();
    assert!(store.manifest().erasures().is_empty());
    assert!(store.log.commit(&ended).is_err(), "what has not begun does not end");
}

#[test]
fn an_erasure_of_another_store_goes_by_the_time_of_arrival() {
    let events = events(60);
    let mut store = Store::with_segments(&[events.iter().map(record).collect()]);
    store.settle(us(NOON));
    let until = us(NOON) + 1_000_000 + 30;
    let foreign = Erasure { reach: Reach::Received, at_us: until, ..erasure(1, 0, i64::MAX, None) };
    erase(&mut store, &foreign);
    let is_kept = |row: &Stored| row.event.site != foreign.site || row.received_at.micros() > until;
    let expected: Vec<_> = rows(&events).into_iter().filter(is_kept).collect();
    assert!(expected.len() > 15 && expected.len() < 60, "{}", expected.len());
    assert_eq!(store.rows(), expected);
}

#[test]
fn a_damaged_file_of_an_erased_day_is_removed_and_others_are_not_opened() {
    let events = events(60);
    let mut store = Store::with_segments(&[events.iter().map(record).collect()]);
    store.settle(us(NOON));
    let wanted = erasure(61, us("2026-03-10T00:00:00Z"), us("2026-03-11T00:00:00Z"), Some(Subject::Visitor([1; 16])));
    let file = erasure_files(store.manifest(), &wanted, None).next().unwrap().clone();
    let condition = (file.path.to_string(), mallard_compactor::Condition::Damaged);
    store.log.commit(&mallard_compactor::Edit { conditions: vec![condition], ..Default::default() }).unwrap();
    assert_eq!(erase(&mut store, &wanted), file.rows, "nobody can say whose rows these are");
    assert!(!store.manifest().contains(&file.path));
    let planned = plan_erasure(store.manifest(), &erasure(1, 0, i64::MAX, None), None, 0, &store.limits);
    assert!(planned.is_none(), "nothing was accepted before the first position");
    assert!(!matches!(store.plan(us(NOON)), Some(Job::Erase { .. })), "the plan leaves erasures to their own");
}
