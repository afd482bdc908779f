//! What jobs make of their inputs: exactly the rows that went in, whatever the records, the sites and the days.

use crate::support::{DAY_US, STORE_ID, Store, day, event, record, site, stored, us};
use mallard_compactor::{Error, FileEntry, Job, LsnRange, Order};
use mallard_event::{Event, SiteId, Stored};
use mallard_wal::{Draft, Kind, Lsn, Record, StoreTag};

/// Events of three sites over two days; the days interleave, and some instants repeat.
fn mixed(count: u64) -> Vec<Event> {
    let start = us("2026-03-01T12:00:00Z");
    let at = |number: u64| start + i64::try_from(number % 2).unwrap() * DAY_US + i64::try_from(number / 3).unwrap();
    (0..count).map(|number| event(["a.example", "b.example", "c"][(number % 3) as usize], at(number), number)).collect()
}

fn records(events: &[Event]) -> Vec<Draft> {
    events.iter().map(record).collect()
}

/// The rows of `events`, which begin at LSN 1.
fn expected(events: &[Event]) -> Vec<Stored> {
    events.iter().zip(1..).map(|(event, lsn)| stored(event, lsn)).collect()
}

fn lsns(first: u64, last: u64) -> LsnRange {
    LsnRange::new(Lsn::new(first), Lsn::new(last))
}

#[test]
fn a_compaction_makes_rows_of_exactly_the_records_of_its_segments() {
    let events = mixed(5000);
    let mut store = Store::with_segments(&[records(&events[..3000]), records(&events[3000..])]);
    let job = store.plan(0).unwrap();
    let edit = store.run(&job).unwrap();
    assert_eq!(edit.checkpoint, Some(Lsn::new(5000)));
    assert_eq!(store.log.commit(&edit).unwrap().totals().rows, 5000);
    assert_eq!(store.rows(), expected(&events));
    assert_eq!(edit.add.len(), 6, "three sites on two days");
}

#[test]
fn a_file_is_named_by_site_day_level_and_lsns_and_described_truly() {
    let events = [
        event("a.example", us("2026-03-01T10:00:00Z"), 1),
        event("b.example", us("2026-03-01T10:00:00Z"), 2),
        event("a.example", us("2026-03-01T09:00:00Z"), 3),
    ];
    let mut store = Store::with_segments(&[records(&events)]);
    store.step(0).unwrap();
    let paths: Vec<_> = store.manifest().files().map(|entry| entry.path.to_string()).collect();
    assert_eq!(
        paths,
        [
            "events/site_id=a.example/date=2026-03-01/0-00000000000000000001-00000000000000000003.parquet",
            "events/site_id=b.example/date=2026-03-01/0-00000000000000000002-00000000000000000002.parquet",
        ]
    );
    assert_eq!(store.files_below("events"), paths);
    let entry = store.manifest().get(&paths[0]).unwrap();
    assert_eq!((entry.rows, entry.level, entry.lsns), (2, 0, lsns(1, 3)));
    assert_eq!((entry.site.clone(), entry.date), (site("a.example"), day("2026-03-01")));
    assert_eq!((entry.min_timestamp, entry.max_timestamp), (events[2].timestamp, events[0].timestamp));
}

#[test]
fn rows_of_level_0_are_sorted_by_timestamp_and_then_by_lsn() {
    let start = us("2026-03-01T12:00:00Z");
    let at = [5, 3, 5, 1, 3, 3, 9, 0];
    let events: Vec<_> = at.iter().zip(0..).map(|(offset, number)| event("a", start + offset, number)).collect();
    let mut store = Store::with_segments(&[records(&events)]);
    store.step(0).unwrap();
    let entry = store.manifest().files().next().unwrap();
    let order: Vec<_> = store.rows_of(entry).iter().map(|row| row.lsn.unwrap()).collect();
    assert_eq!(order, [8, 4, 2, 5, 6, 1, 3, 7]);
}

#[test]
fn a_job_that_runs_again_writes_the_same_files() {
    let store = Store::with_segments(&[records(&mixed(500))]);
    let job = store.plan(0).unwrap();
    let (first, again) = (store.run(&job).unwrap(), store.run(&job).unwrap());
    assert_eq!(first, again, "checksums and lengths included");
    assert_eq!(store.files_below("events").len(), first.add.len());
    assert_eq!(store.files_below("tmp"), Vec::<String>::new());
}

#[test]
fn a_run_makes_nothing_live() {
    let store = Store::with_segments(&[records(&mixed(50))]);
    store.run(&store.plan(0).unwrap()).unwrap();
    assert_eq!(store.manifest().totals().files, 0);
    assert_eq!(store.manifest().checkpoint(), Lsn::ZERO);
}

#[test]
fn a_merge_has_exactly_the_rows_of_its_inputs_whatever_the_number_of_row_groups() {
    let events: Vec<_> = (0..450).map(|n| event("a", us("2026-03-01T12:00:00Z") + (n * 37 % 500), n as u64)).collect();
    for row_group_rows_max in [40, 65_536] {
        let segments: Vec<_> = events.chunks(50).map(records).collect();
        let mut store = Store::with_segments(&segments);
        store.limits.segments_max = 1;
        store.limits.row_group_rows_max = row_group_rows_max;
        let now = us("2026-03-01T23:00:00Z");
        store.settle(now);
        let files: Vec<_> = store.manifest().files().map(|entry| (entry.level, entry.rows)).collect();
        assert_eq!(files, [(1, 450)], "nine files of level 0 of an open day are one");
        assert_eq!(store.rows(), expected(&events));
        assert_eq!(store.files_below("events").len(), 1, "the inputs are unlinked");
    }
}

#[test]
fn a_closed_day_is_one_file_sorted_by_visitor_timestamp_and_lsn() {
    let mut store = Store::with_segments(&[records(&mixed(90)), records(&mixed(60)), records(&mixed(30))]);
    store.limits.segments_max = 1;
    store.settle(us("2026-03-09T00:00:00Z"));
    for partition in store.manifest().partitions() {
        let [entry] = partition.files else { panic!("{partition:?}") };
        let keys: Vec<_> =
            store.rows_of(entry).into_iter().map(|row| (row.event.visitor, row.event.timestamp, row.lsn)).collect();
        assert!(keys.is_sorted(), "{keys:?}");
        assert_eq!(keys.len(), 30, "30 rows of each site and day");
    }
    assert_eq!(store.manifest().totals().rows, 180);
}

#[test]
fn the_files_of_a_day_past_retention_are_removed_and_its_rows_counted() {
    let mut store = Store::with_segments(&[records(&mixed(60))]);
    store.limits.retention_days = Some(1);
    store.settle(us("2026-03-03T00:00:00Z"));
    assert_eq!(
        store.manifest().partitions().map(|partition| partition.date).collect::<Vec<_>>(),
        [day("2026-03-02"); 3]
    );
    assert_eq!((store.manifest().totals().rows, store.manifest().totals().expired_rows), (30, 30));
    assert!(store.files_below("events").iter().all(|path| path.contains("date=2026-03-02")));
    store.settle(us("2026-03-04T00:00:00Z"));
    assert_eq!(store.manifest().totals().files, 0);
    assert_eq!(store.env.disk.list(&store.root().join("events")).unwrap(), [], "no empty folder stays behind");
}

#[test]
fn every_site_id_has_a_folder_of_its_own_below_events() {
    let long = ["x".repeat(256), format!("{}y", "x".repeat(255))];
    let ids = ["..", ".", "a..b", "a", "A", "x:8080", &long[0], &long[1]];
    let at = us("2026-03-01T12:00:00Z");
    let events: Vec<_> = ids.iter().zip(0..).map(|(id, number)| event(id, at, number)).collect();
    let mut store = Store::with_segments(&[records(&events)]);
    store.settle(at);
    assert_eq!(store.rows(), expected(&events));
    assert_eq!(store.manifest().partitions().count(), ids.len());
    let files = store.files_below("events");
    assert_eq!(files.len(), ids.len());
    assert!(files[0].starts_with("events/site_id=./date="), "{files:?}");
    assert!(files[1].starts_with("events/site_id=../date="), "{files:?}");
    for id in ids {
        assert_eq!(store.manifest().site(&site(id)).unwrap().rows, 1);
    }
}

/// A good event, then one of each kind of record that has no row, then a good one.
fn with_unreadable() -> (Vec<Draft>, [Event; 2]) {
    let at = us("2026-03-01T12:00:00Z");
    let good = [event("a", at, 1), event("a", at, 2)];
    let odd = |kind, version, body: &[u8]| Draft::new(kind, version, 0, at, [9; 16], body).unwrap();
    let records = vec![
        record(&good[0]),
        odd(Kind::EVENT, 1, b"no event"),
        odd(Kind::EVENT, 99, b"an event of a newer program"),
        odd(Kind::ERASURE, 1, b""),
        odd(Kind::SITE, 1, b"site"),
        odd(Kind(200), 1, b"unknown"),
        record(&good[1]),
    ];
    (records, good)
}

#[test]
fn a_record_without_a_row_is_kept_as_it_is_and_the_others_are_compacted() {
    let (records, good) = with_unreadable();
    let mut store = Store::with_segments(&[records]);
    store.settle(0);
    assert_eq!(store.rows(), [stored(&good[0], 1), stored(&good[1], 7)]);
    assert_eq!(store.manifest().checkpoint(), Lsn::new(7));
    assert_eq!(store.manifest().quarantined(), [lsns(2, 6)]);

    let path = "quarantine/00000000000000000002-00000000000000000006.records";
    assert_eq!(store.files_below("quarantine"), [path]);
    let bytes = mallard_wal::disk::read(store.env.disk.as_ref(), &store.root().join(path)).unwrap();
    let mut rest = bytes.as_slice();
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (record, length) = Record::parse(rest, StoreTag::of(STORE_ID)).unwrap();
        found.push((record.lsn.get(), record.kind.0, record.body.to_vec()));
        rest = &rest[length..];
    }
    assert_eq!(found.len(), 5);
    assert_eq!(found[0], (2, 1, b"no event".to_vec()));
    assert_eq!(found[4], (6, 200, b"unknown".to_vec()));
}

#[test]
fn a_segment_without_any_row_moves_the_checkpoint_all_the_same() {
    let (records, _) = with_unreadable();
    let mut store = Store::with_segments(&[records[1..3].to_vec()]);
    store.settle(0);
    assert_eq!(store.manifest().checkpoint(), Lsn::new(2));
    assert_eq!((store.manifest().totals().files, store.segments.len()), (0, 0));
}

#[test]
fn segments_at_or_below_the_checkpoint_are_not_compacted_again() {
    let mut store = Store::with_segments(&[records(&mixed(20)), records(&mixed(10))]);
    let segments = store.segments.clone();
    store.limits.segments_max = 1;
    store.step(0).unwrap();
    store.segments.clone_from(&segments);
    let Some(Job::Compact { segments: next }) = store.plan(0) else { panic!() };
    assert_eq!(next, segments[1..], "the crash came before the trim");
    store.step(0).unwrap();
    store.segments = segments;
    assert!(!matches!(store.plan(0), Some(Job::Compact { .. })));
}

#[test]
fn segments_that_do_not_continue_the_checkpoint_are_refused() {
    let mut store = Store::with_segments(&[records(&mixed(20)), records(&mixed(10)), records(&mixed(10))]);
    let segments = store.segments.clone();
    let out_of_line = |store: &Store, chosen: &[usize]| {
        let segments = chosen.iter().map(|index| segments[*index].clone()).collect();
        match store.run(&Job::Compact { segments }) {
            Err(Error::SegmentOutOfLine { expected, found }) => (expected.get(), found.get()),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(out_of_line(&store, &[1]), (1, 21), "the first segment is missing");
    assert_eq!(out_of_line(&store, &[0, 2]), (21, 31), "one in the middle is missing");
    store.limits.segments_max = 1;
    store.step(0).unwrap();
    let mut straddling = store.segments[0].clone();
    straddling.first_lsn = Lsn::new(20);
    let straddles = store.run(&Job::Compact { segments: vec![straddling] });
    assert!(matches!(straddles, Err(Error::SegmentOutOfLine { .. })), "{straddles:?}");
}

#[test]
fn a_damaged_segment_is_not_compacted() {
    let store = Store::with_segments(&[records(&mixed(20))]);
    store.disk.corrupt(&store.segments[0].path, 5000, 1).unwrap();
    let result = store.run(&store.plan(0).unwrap());
    assert!(matches!(result, Err(Error::Segment(_))), "{result:?}");
    assert_eq!(store.files_below("events"), Vec::<String>::new());
}

fn merge_of(inputs: Vec<FileEntry>) -> Job {
    let (site, date): (SiteId, _) = (inputs[0].site.clone(), inputs[0].date);
    Job::Merge { site, date, inputs, level: 1, order: Order::Time }
}

#[test]
fn a_damaged_input_stops_a_merge() {
    let mut store = Store::with_segments(&[records(&mixed(30)), records(&mixed(30))]);
    store.limits.segments_max = 1;
    store.step(0).unwrap();
    store.step(0).unwrap();
    let inputs: Vec<_> =
        store.manifest().partitions().next().unwrap().files.iter().map(|entry| (**entry).clone()).collect();
    store.disk.corrupt(&store.root().join(&*inputs[1].path), 200, 4).unwrap();
    let result = store.run(&merge_of(inputs.clone()));
    let Err(error @ Error::FileDamaged { .. }) = result else { panic!("{result:?}") };
    assert!(error.to_string().contains(&*inputs[1].path), "the message names the file: {error}");
}

#[test]
fn a_record_in_two_inputs_stops_a_merge() {
    let mut store = Store::with_segments(&[records(&mixed(30))]);
    store.step(0).unwrap();
    let entry = store.manifest().files().next().unwrap().as_ref().clone();
    let result = store.run(&merge_of(vec![entry.clone(), entry]));
    assert!(matches!(result, Err(Error::Duplicate { lsn: 1, .. })), "{result:?}");
}

#[test]
fn a_job_never_writes_over_a_live_file() {
    let mut store = Store::with_segments(&[records(&mixed(30))]);
    store.step(0).unwrap();
    let entry = store.manifest().files().next().unwrap().as_ref().clone();
    let job = Job::Merge {
        site: entry.site.clone(),
        date: entry.date,
        inputs: vec![entry.clone()],
        level: 0,
        order: Order::Time,
    };
    let result = store.run(&job);
    assert!(matches!(&result, Err(Error::Live { path }) if **path == *entry.path), "{result:?}");
}
