//! What the plan chooses, as tables of states and answers.

use std::path::PathBuf;
use std::sync::Arc;

use crate::support::{DAY_US, day, site, us};
use mallard_compactor::{Edit, FileEntry, Job, Limits, LsnRange, Manifest, Order, layout, plan};
use mallard_event::columns::SCHEMA_VERSION;
use mallard_wal::{Lsn, SealedSegment};

const NOON: &str = "2026-03-10T12:00:00Z";
const TODAY: &str = "2026-03-10";
const EARLIER: &str = "2026-03-01";

/// A file whose LSNs begin at `first`.
fn file(site_id: &str, date: &str, level: u8, first: u64, rows: u64) -> FileEntry {
    let (site, date) = (site(site_id), day(date));
    let path = format!("{}/{level}-{first}.parquet", layout::partition_folder(&site, date));
    FileEntry {
        site,
        date,
        level,
        schema_version: SCHEMA_VERSION,
        lsns: LsnRange::new(Lsn::new(first), Lsn::new(first + rows - 1)),
        rows,
        bytes: rows * 50,
        column_bytes: rows * 40,
        min_timestamp: date.start(),
        max_timestamp: date.start(),
        crc32: 0,
        path: Arc::from(path),
    }
}

/// Files of one partition, one behind the other, each given by level and rows.
fn files(date: &str, levels_and_rows: &[(u8, u64)]) -> Vec<FileEntry> {
    let mut first = 1;
    let next = |&(level, rows): &(u8, u64)| {
        first += rows;
        file("a", date, level, first - rows, rows)
    };
    levels_and_rows.iter().map(next).collect()
}

fn manifest(add: Vec<FileEntry>) -> Manifest {
    let checkpoint = Some(Lsn::new(10_000_000));
    Manifest::from_checkpoint(&Edit { add, checkpoint, ..Edit::default() }).unwrap()
}

fn segment(first: u64, last: u64) -> SealedSegment {
    SealedSegment {
        path: PathBuf::from(format!("/data/wal/{first:020}.wal")),
        store_id: 1,
        number: first,
        first_lsn: Lsn::new(first),
        last_lsn: Lsn::new(last),
        records: last - first + 1,
        bytes: 4096,
        min_received_us: 0,
        max_received_us: 0,
    }
}

/// The chosen merge as its level, its order and the (level, rows) of its inputs.
fn merge(files: Vec<FileEntry>, limits: &Limits) -> Option<(u8, Order, Vec<(u8, u64)>)> {
    match plan(&manifest(files), &[], us(NOON), limits)? {
        Job::Merge { inputs, level, order, .. } => {
            assert!(inputs.is_sorted_by_key(|entry| entry.lsns.first), "inputs are in LSN order");
            Some((level, order, inputs.iter().map(|entry| (entry.level, entry.rows)).collect()))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_is_to_be_done_in_an_empty_store() {
    assert!(plan(&Manifest::default(), &[], us(NOON), &Limits::default()).is_none());
}

#[test]
fn the_oldest_segments_above_the_checkpoint_are_compacted_a_few_at_a_time() {
    let manifest = manifest(files(TODAY, &[(0, 10)]));
    let segments =
        [(9_999_000, 10_000_000), (10_000_001, 10_000_100), (10_000_101, 10_000_200), (10_000_201, 10_000_300)]
            .map(|(first, last)| segment(first, last));
    let Some(Job::Compact { segments: chosen }) = plan(&manifest, &segments, us(NOON), &Limits::default()) else {
        panic!("segments come first");
    };
    assert_eq!(chosen, segments[1..3]);
}

#[test]
fn segments_come_before_expiry_and_expiry_before_merges() {
    let limits = Limits { retention_days: Some(5), ..Limits::default() };
    let manifest = manifest(files(EARLIER, &[(0, 10), (0, 10)]));
    let job = |segments: &[SealedSegment], limits| plan(&manifest, segments, us(NOON), limits);
    assert!(matches!(job(&[segment(10_000_001, 10_000_002)], &limits), Some(Job::Compact { .. })));
    assert!(matches!(job(&[], &limits), Some(Job::Expire { .. })));
    assert!(matches!(job(&[], &Limits::default()), Some(Job::Merge { .. })));
}

#[test]
fn a_day_expires_when_that_many_whole_days_lie_between_it_and_today() {
    let expired = |retention_days, date: &str| {
        let limits = Limits { retention_days, ..Limits::default() };
        plan(&manifest(files(date, &[(0, 10)])), &[], us(NOON), &limits).is_some()
    };
    for (retention_days, date, is_expired) in [
        (None, "1970-01-01", false),
        (Some(1), "2026-03-10", false),
        (Some(1), "2026-03-09", false),
        (Some(1), "2026-03-08", true),
        (Some(365), "2025-03-10", false),
        (Some(365), "2025-03-09", true),
        (Some(u32::MAX), "0001-01-01", false),
    ] {
        assert_eq!(expired(retention_days, date), is_expired, "{retention_days:?} {date}");
    }
}

#[test]
fn an_expiry_removes_a_bounded_number_of_files() {
    let limits = Limits { retention_days: Some(5), expire_files_max: 3, ..Limits::default() };
    let manifest = manifest(files(EARLIER, &[(0, 1); 9]));
    let Some(Job::Expire { files }) = plan(&manifest, &[], us(NOON), &limits) else { panic!() };
    assert_eq!(files.len(), 3);
}

#[test]
fn an_open_day_is_merged_level_by_level_when_a_level_has_enough_files() {
    let limits = Limits { merge_files_min: 4, ..Limits::default() };
    let open_day = |levels_and_rows: &[(u8, u64)]| merge(files(TODAY, levels_and_rows), &limits);
    assert_eq!(open_day(&[(0, 10); 3]), None);
    assert_eq!(open_day(&[(0, 10); 5]), Some((1, Order::Time, vec![(0, 10); 5])));
    assert_eq!(open_day(&[(1, 40), (0, 10), (0, 10), (0, 10)]), None, "levels are counted apart");
    assert_eq!(
        open_day(&[(1, 40), (1, 40), (0, 1), (1, 40), (1, 40)]),
        Some((2, Order::Time, vec![(1, 40); 4])),
        "a file of another level in between stays"
    );
}

#[test]
fn a_closed_day_with_more_than_one_file_becomes_one_by_visitor() {
    let closed_day = |levels_and_rows: &[(u8, u64)]| merge(files(EARLIER, levels_and_rows), &Limits::default());
    assert_eq!(closed_day(&[(0, 10)]), None, "one file is as few as can be");
    assert_eq!(closed_day(&[(3, 100), (0, 10)]), Some((4, Order::Visitor, vec![(3, 100), (0, 10)])));
    assert_eq!(
        closed_day(&[(1, 50_000), (0, 20_000), (0, 30_000)]),
        Some((2, Order::Visitor, vec![(1, 50_000), (0, 20_000), (0, 30_000)]))
    );
}

#[test]
fn a_day_closes_an_hour_after_its_last_instant() {
    let manifest = manifest(files(EARLIER, &[(0, 10), (0, 10)]));
    let is_merged_at = |now_us| plan(&manifest, &[], now_us, &Limits::default()).is_some();
    assert!(!is_merged_at(us("2026-03-02T00:59:59.999999Z")));
    assert!(is_merged_at(us("2026-03-02T01:00:00Z")));
    assert!(!is_merged_at(us("2026-03-01T12:00:00Z") - 50 * DAY_US), "a day to come is not closed");
}

#[test]
fn a_late_event_does_not_rewrite_a_large_day() {
    let closed_day = |levels_and_rows: &[(u8, u64)]| merge(files(EARLIER, levels_and_rows), &Limits::default());
    assert_eq!(closed_day(&[(2, 90_000), (0, 1)]), None);
    assert_eq!(closed_day(&[(2, 90_000), (0, 1), (0, 5)]), Some((1, Order::Visitor, vec![(0, 1), (0, 5)])));
    assert_eq!(
        closed_day(&[(2, 90_000), (1, 12_000)]),
        Some((3, Order::Visitor, vec![(2, 90_000), (1, 12_000)])),
        "an eighth of the day is worth it"
    );
}

#[test]
fn a_merge_stays_within_every_bound() {
    let ten = || files(EARLIER, &[(0, 1000); 10]);
    for (limits, inputs) in [
        (Limits { merge_files_max: 9, ..Limits::default() }, 9),
        (Limits { merge_rows_max: 3999, ..Limits::default() }, 3),
        (Limits { merge_bytes_max: 5 * 50_000, ..Limits::default() }, 5),
        (Limits { merge_column_bytes_max: 2 * 40_000, ..Limits::default() }, 2),
    ] {
        assert_eq!(merge(ten(), &limits).unwrap().2.len(), inputs, "{limits:?}");
    }
    assert_eq!(merge(ten(), &Limits { merge_rows_max: 1999, ..Limits::default() }), None, "no two files fit");
}

#[test]
fn the_partition_with_the_most_inputs_is_merged_first() {
    let mut all = files(EARLIER, &[(0, 10); 3]);
    all.extend((0..4).map(|index| file("b", EARLIER, 0, 1000 + index, 1)));
    all.extend((0..4).map(|index| file("c", EARLIER, 0, 2000 + index, 1)));
    let Some(Job::Merge { site: chosen, inputs, .. }) = plan(&manifest(all), &[], us(NOON), &Limits::default()) else {
        panic!();
    };
    assert_eq!((chosen, inputs.len()), (site("b"), 4));
}

#[test]
fn files_of_the_last_level_or_of_another_schema_are_left_alone() {
    assert_eq!(merge(files(EARLIER, &[(255, 10), (0, 10)]), &Limits::default()), None);
    let mut two = files(EARLIER, &[(0, 10), (0, 10)]);
    two[0].schema_version = SCHEMA_VERSION + 1;
    assert_eq!(merge(two, &Limits::default()), None);
}

#[test]
fn merging_a_closed_day_comes_to_an_end() {
    let mut state =
        manifest(files(EARLIER, &[(0, 60_000), (0, 60_000), (0, 60_000), (0, 60_000), (1, 7), (0, 3), (0, 3)]));
    let mut merges = 0;
    while let Some(Job::Merge { site, date, inputs, level, .. }) = plan(&state, &[], us(NOON), &Limits::default()) {
        let rows = inputs.iter().map(|entry| entry.rows).sum();
        let last = inputs.iter().map(|entry| entry.lsns.last).max().unwrap();
        let mut output = file(site.as_str(), &date.to_string(), level, inputs[0].lsns.first.get(), rows);
        output.lsns.last = last;
        let remove = inputs.iter().map(|entry| entry.path.to_string()).collect();
        state.apply(&Edit { add: vec![output], remove, ..Edit::default() }).unwrap();
        merges += 1;
        assert!(merges < 10, "{:?}", state.files().map(|entry| entry.rows).collect::<Vec<_>>());
    }
    assert_eq!(state.totals().rows, 240_013);
    assert!(state.totals().files <= 3, "{:?}", state.files().map(|entry| entry.rows).collect::<Vec<_>>());
}
