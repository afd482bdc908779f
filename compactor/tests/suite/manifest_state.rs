//! The manifest's state: what an edit may do, and that its bytes never change.

use std::sync::Arc;

use crate::support::{day, site};
use mallard_compactor::{
    Condition, EDIT_VERSION, Edit, EditError, Erasure, FileEntry, LsnRange, Manifest, ManifestError, Reach, Taken,
    layout,
};
use mallard_event::Timestamp;
use mallard_wal::Lsn;
use proptest::prelude::*;

const GOLDEN_EDIT_V1: &[u8] = include_bytes!("../fixtures/v1/edit.bin");
const GOLDEN_EMPTY_V1: &[u8] = include_bytes!("../fixtures/v1/empty_edit.bin");
const GOLDEN_EDIT_V2: &[u8] = include_bytes!("../fixtures/v2/edit.bin");
const GOLDEN_EMPTY_V2: &[u8] = include_bytes!("../fixtures/v2/empty_edit.bin");
const GOLDEN_EDIT_V3: &[u8] = include_bytes!("../fixtures/v3/edit.bin");
const GOLDEN_EMPTY_V3: &[u8] = include_bytes!("../fixtures/v3/empty_edit.bin");
const GOLDEN_EDIT_V4: &[u8] = include_bytes!("../fixtures/v4/edit.bin");
const GOLDEN_EMPTY_V4: &[u8] = include_bytes!("../fixtures/v4/empty_edit.bin");
const GOLDEN_EDIT: &[u8] = include_bytes!("../fixtures/v5/edit.bin");
const GOLDEN_EMPTY: &[u8] = include_bytes!("../fixtures/v5/empty_edit.bin");

fn lsns(first: u64, last: u64) -> LsnRange {
    LsnRange::new(Lsn::new(first), Lsn::new(last))
}

/// A full file: as many rows as LSNs.
fn file(site_id: &str, date: &str, level: u8, first: u64, last: u64) -> FileEntry {
    let (site, date) = (site(site_id), day(date));
    let path = format!("{}/{level}-{first:020}-{last:020}.parquet", layout::partition_folder(&site, date));
    FileEntry {
        site,
        date,
        level,
        schema_version: 1,
        lsns: lsns(first, last),
        rows: last - first + 1,
        bytes: 1000 + first,
        column_bytes: 77,
        min_timestamp: date.start(),
        max_timestamp: Timestamp::from_micros(date.end().micros() - 1).unwrap(),
        crc32: 0xdead_beef,
        path: Arc::from(path),
    }
}

fn adding(files: Vec<FileEntry>, checkpoint: u64) -> Edit {
    Edit { add: files, checkpoint: Some(Lsn::new(checkpoint)), ..Edit::default() }
}

fn path(entry: &FileEntry) -> String {
    entry.path.to_string()
}

/// Two files of one partition, one of another, through LSN 40; 31..=40 was no event.
fn three_files() -> (Manifest, [FileEntry; 3]) {
    let files =
        [file("a", "2026-03-01", 0, 1, 10), file("a", "2026-03-01", 0, 11, 20), file("b", "2026-03-02", 0, 21, 30)];
    let mut manifest = Manifest::default();
    manifest.apply(&adding(files.to_vec(), 40)).unwrap();
    (manifest, files)
}

/// An edit that uses every field of version 1.
fn full_edit_of_version_1() -> Edit {
    Edit {
        add: vec![file("a", "2026-03-01", 1, 1, 20), file(&"x".repeat(256), "1969-12-31", 0, 41, 41)],
        remove: vec![path(&file("a", "2026-03-01", 0, 1, 10)), path(&file("a", "2026-03-01", 0, 11, 20))],
        checkpoint: Some(Lsn::new(50)),
        gaps: vec![lsns(42, 44)],
        quarantined: vec![lsns(45, 45), lsns(47, 48)],
        expired_rows: 3,
        ..Edit::default()
    }
}

/// An edit that uses every field of version 2.
fn full_edit_of_version_2() -> Edit {
    let path = |first, last| path(&file("a", "2026-03-01", 1, first, last));
    Edit {
        acknowledged: vec![lsns(1, 49)],
        conditions: vec![
            (path(1, 20), Condition::Damaged),
            (path(21, 22), Condition::Acknowledged),
            (path(23, 24), Condition::Sound),
        ],
        ..full_edit_of_version_1()
    }
}

/// An edit that uses every field of version 3.
fn full_edit_of_version_3() -> Edit {
    let erasure = Erasure {
        id: [5; 16],
        store: 6,
        lsn: Lsn::new(48),
        at_us: 7,
        site: site("a"),
        start_us: -8,
        end_us: 9,
        subject: None,
        reach: Reach::Received,
    };
    Edit {
        erased_rows: 0,
        erased_records: 1,
        begun: vec![erasure.clone(), Erasure { id: [4; 16], ..erasure }],
        ended: vec![[4; 16]],
        ..full_edit_of_version_2()
    }
}

/// An edit that uses every field of version 4.
fn full_edit_of_version_4() -> Edit {
    let taken = Taken { events: 10, partitions: 11, segments: 12 };
    Edit { taken: vec![([5; 16], taken)], ..full_edit_of_version_3() }
}

/// An edit that uses every field.
fn full_edit() -> Edit {
    let acknowledged = vec![lsns(42, 44), lsns(47, 48), lsns(60, 70)];
    Edit { acknowledged, high_water: Some(Lsn::new(80)), ..full_edit_of_version_4() }
}

#[test]
fn bytes_of_version_1_are_read_for_ever() {
    assert_eq!(Edit::decode(1, GOLDEN_EDIT_V1).unwrap(), full_edit_of_version_1());
    assert_eq!(Edit::decode(1, GOLDEN_EMPTY_V1).unwrap(), Edit::default());
}

#[test]
fn bytes_of_version_2_are_read_for_ever() {
    assert_eq!(Edit::decode(2, GOLDEN_EDIT_V2).unwrap(), full_edit_of_version_2());
    assert_eq!(Edit::decode(2, GOLDEN_EMPTY_V2).unwrap(), Edit::default());
}

#[test]
fn bytes_of_version_3_are_read_for_ever() {
    assert_eq!(Edit::decode(3, GOLDEN_EDIT_V3).unwrap(), full_edit_of_version_3());
    assert_eq!(Edit::decode(3, GOLDEN_EMPTY_V3).unwrap(), Edit::default());
}

#[test]
fn bytes_of_version_4_are_read_for_ever() {
    assert_eq!(Edit::decode(4, GOLDEN_EDIT_V4).unwrap(), full_edit_of_version_4());
    assert_eq!(Edit::decode(4, GOLDEN_EMPTY_V4).unwrap(), Edit::default());
}

#[test]
fn bytes_of_version_5_never_change() {
    assert_eq!(EDIT_VERSION, 5, "keep these files, and add those of the new version");
    assert_eq!(full_edit().encode(), GOLDEN_EDIT);
    assert_eq!(Edit::default().encode(), GOLDEN_EMPTY);
    assert_eq!(Edit::decode(5, GOLDEN_EDIT).unwrap(), full_edit());
    assert_eq!(Edit::decode(5, GOLDEN_EMPTY).unwrap(), Edit::default());
}

#[test]
fn an_edit_of_an_unknown_version_is_refused() {
    for version in [0, 6, 255] {
        assert_eq!(Edit::decode(version, GOLDEN_EDIT), Err(EditError::Version { version }));
    }
}

#[test]
fn an_edit_cut_anywhere_is_refused_and_so_are_bytes_after_its_end() {
    for length in 0..GOLDEN_EDIT.len() {
        assert_eq!(Edit::decode(EDIT_VERSION, &GOLDEN_EDIT[..length]), Err(EditError::Cut), "{length}");
    }
    let mut longer = GOLDEN_EDIT.to_vec();
    longer.extend([0, 0]);
    assert_eq!(Edit::decode(EDIT_VERSION, &longer), Err(EditError::LeftOver { bytes: 2 }));
}

#[test]
fn a_count_that_claims_more_than_there_is_is_refused_without_allocating_it() {
    let mut bytes = Edit::default().encode();
    bytes[16..20].fill(0xff);
    assert_eq!(Edit::decode(EDIT_VERSION, &bytes), Err(EditError::Field { field: "lsn range" }));
    let mut bytes = Edit::default().encode();
    let taken = bytes.len() - 12;
    bytes[taken..taken + 4].fill(0xff);
    assert_eq!(Edit::decode(EDIT_VERSION, &bytes), Err(EditError::Cut));
}

#[test]
fn a_path_that_leaves_the_folder_of_events_is_refused() {
    for bad in [
        "",
        "events",
        "/events/a.parquet",
        "events/../x.parquet",
        "events//x.parquet",
        "events/a/x.txt",
        "wal/x.parquet",
    ] {
        let edit = Edit { remove: vec![bad.to_owned()], ..Edit::default() };
        assert_eq!(Edit::decode(EDIT_VERSION, &edit.encode()), Err(EditError::Field { field: "path" }), "{bad}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_decoding_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), at in 0..GOLDEN_EDIT.len()) {
        drop(Edit::decode(EDIT_VERSION, &bytes));
        let mut patched = GOLDEN_EDIT.to_vec();
        for (target, byte) in patched.iter_mut().skip(at).zip(&bytes) {
            *target = *byte;
        }
        if let Ok(edit) = Edit::decode(EDIT_VERSION, &patched) {
            prop_assert_eq!(edit.encode(), patched, "what decodes is what encodes");
            drop(Manifest::from_checkpoint(&edit));
            drop(Manifest::default().apply(&edit));
        }
    }
}

#[test]
fn edits_add_up_to_files_totals_and_sites() {
    let (mut manifest, [one, two, three]) = three_files();
    let expiry = Edit { remove: vec![path(&three)], expired_rows: 10, ..Edit::default() };
    let (before, totals) = (manifest.clone(), manifest.totals());
    assert_eq!((totals.files, totals.rows, totals.bytes), (3, 30, one.bytes + two.bytes + three.bytes));
    assert_eq!(manifest.site(&site("a")).unwrap().rows, 20);
    assert_eq!(manifest.site(&site("b")).unwrap().min_timestamp, day("2026-03-02").start());

    manifest.apply(&expiry).unwrap();
    assert_eq!((manifest.totals().files, manifest.totals().rows, manifest.totals().expired_rows), (2, 20, 10));
    assert_eq!(manifest.site(&site("b")), None, "a site without a file has no totals");
    assert_eq!(manifest.sites().map(|(site, _)| site.as_str()).collect::<Vec<_>>(), ["a"]);
    assert!(!manifest.contains(&three.path));
    assert!(before.contains(&three.path), "a clone keeps the state it was made of");
}

#[test]
fn files_of_a_site_are_found_by_their_days() {
    let dates = ["2026-03-01", "2026-03-02", "2026-03-05"];
    let files: Vec<_> =
        dates.iter().zip([1, 11, 21]).map(|(date, first)| file("a", date, 0, first, first + 9)).collect();
    let other = file("ab", "2026-03-02", 0, 31, 40);
    let mut manifest = Manifest::default();
    manifest.apply(&adding([files.clone(), vec![other]].concat(), 40)).unwrap();
    let found = |first: &str, last: &str| -> Vec<u64> {
        manifest.files_of(&site("a"), day(first)..=day(last)).map(|entry| entry.lsns.first.get()).collect()
    };
    assert_eq!(found("2026-03-01", "2026-03-05"), [1, 11, 21]);
    assert_eq!(found("2026-03-02", "2026-03-04"), [11]);
    assert_eq!(found("2026-03-03", "2026-03-04"), [0; 0]);
    assert_eq!(found("2026-03-04", "2026-03-03"), [0; 0], "a range that ends before it begins names no day");
    assert_eq!(manifest.files_of(&site("none"), day("2026-03-01")..=day("2026-03-05")).count(), 0);
}

#[test]
fn a_checkpoint_describes_the_whole_state() {
    let (mut manifest, _) = three_files();
    manifest.apply(&full_edit_that_fits()).unwrap();
    let checkpoint = manifest.to_checkpoint();
    let again = Manifest::from_checkpoint(&Edit::decode(EDIT_VERSION, &checkpoint.encode()).unwrap()).unwrap();
    assert_eq!(again, manifest);
    assert_eq!(Manifest::from_checkpoint(&Manifest::default().to_checkpoint()).unwrap(), Manifest::default());
}

/// A merge, an expiry and a compaction at once.
fn full_edit_that_fits() -> Edit {
    let mut edit = full_edit();
    edit.remove.push(path(&file("b", "2026-03-02", 0, 21, 30)));
    edit.expired_rows = 10;
    edit.conditions.truncate(1);
    edit
}

#[test]
fn an_edit_that_does_not_fit_is_refused_and_changes_nothing() {
    use ManifestError::{CheckpointBack, Impossible, Misplaced, NotLive, RowsLost, RowsMade, Taken};
    let (manifest, [one, two, _]) = three_files();
    let merged = || file("a", "2026-03-01", 1, 1, 20);
    let merge = |add, remove| Edit { add, remove, ..Edit::default() };
    let new = || file("a", "2026-03-01", 0, 41, 50);
    let gone = "events/site_id=a/date=2026-03-01/9.parquet".to_owned();
    let with = |change: &dyn Fn(&mut FileEntry)| {
        let mut entry = new();
        change(&mut entry);
        adding(vec![entry], 60)
    };
    let p = |lsn| Lsn::new(lsn);
    let cases = [
        (merge(vec![], vec![gone.clone()]), NotLive { path: gone }),
        (merge(vec![], vec![path(&one), path(&one)]), NotLive { path: path(&one) }),
        (adding(vec![one.clone()], 60), Taken { path: path(&one) }),
        (adding(vec![new(), new()], 60), Taken { path: path(&new()) }),
        (adding(vec![], 40), CheckpointBack { from: p(40), to: p(40) }),
        (adding(vec![], 39), CheckpointBack { from: p(40), to: p(39) }),
        (adding(vec![new()], 49), Misplaced { lsns: lsns(41, 50), floor: p(0), ceiling: p(49) }),
        (
            adding(vec![file("a", "2026-03-01", 0, 40, 50)], 60),
            Misplaced { lsns: lsns(40, 50), floor: p(40), ceiling: p(50) },
        ),
        (
            Edit { gaps: vec![lsns(40, 41)], ..adding(vec![], 60) },
            Misplaced { lsns: lsns(40, 41), floor: p(40), ceiling: p(60) },
        ),
        (
            Edit { quarantined: vec![lsns(45, 46), lsns(46, 47)], ..adding(vec![], 60) },
            Misplaced { lsns: lsns(46, 47), floor: p(46), ceiling: p(60) },
        ),
        (merge(vec![merged()], vec![path(&one)]), RowsLost { removed: 10, rewritten: 20, expired: 0, erased: 0 }),
        (merge(vec![], vec![path(&one), path(&two)]), RowsLost { removed: 20, rewritten: 0, expired: 0, erased: 0 }),
        (Edit { expired_rows: 1, ..adding(vec![], 60) }, RowsLost { removed: 0, rewritten: 0, expired: 1, erased: 0 }),
        (Edit { gaps: vec![lsns(45, 60)], ..adding(vec![new()], 60) }, RowsMade { accounted: 26, positions: 20 }),
        (with(&|entry| entry.rows = 11), Impossible { path: path(&new()), what: "number of rows" }),
        (with(&|entry| entry.rows = 0), Impossible { path: path(&new()), what: "number of rows" }),
        (
            with(&|entry| entry.min_timestamp = day("2026-02-28").start()),
            Impossible { path: path(&new()), what: "range of times" },
        ),
        (
            with(&|entry| entry.max_timestamp = entry.date.end()),
            Impossible { path: path(&new()), what: "range of times" },
        ),
        (with(&|entry| entry.site = site("b")), Impossible { path: path(&new()), what: "path" }),
    ];
    for (edit, refusal) in cases {
        let mut changed = manifest.clone();
        assert_eq!(changed.apply(&edit), Err(refusal));
        assert_eq!(changed, manifest);
    }
}

#[test]
fn a_checkpoint_that_contradicts_itself_is_refused() {
    let (manifest, [one, ..]) = three_files();
    let checkpoint = manifest.to_checkpoint();
    let removing = Edit { remove: vec![path(&one)], ..checkpoint.clone() };
    assert_eq!(Manifest::from_checkpoint(&removing), Err(ManifestError::CheckpointRemoves));
    let too_many = Edit { expired_rows: 11, ..checkpoint.clone() };
    assert_eq!(Manifest::from_checkpoint(&too_many), Err(ManifestError::RowsMade { accounted: 41, positions: 40 }));
    let too_far = Edit { checkpoint: Some(Lsn::new(25)), ..checkpoint };
    assert!(matches!(Manifest::from_checkpoint(&too_far), Err(ManifestError::Misplaced { .. })));
}

#[test]
fn a_damaged_file_stays_live_and_is_remembered_until_it_is_sound_or_gone() {
    let (mut manifest, [one, two, three]) = three_files();
    let condition =
        |entry: &FileEntry, condition| Edit { conditions: vec![(path(entry), condition)], ..Edit::default() };
    let damaged = |manifest: &Manifest| -> Vec<_> {
        manifest.damaged().map(|(entry, condition)| (path(entry), condition)).collect()
    };
    let rows = manifest.totals();
    for entry in [&one, &two, &three] {
        manifest.apply(&condition(entry, Condition::Damaged)).unwrap();
    }
    assert_eq!(manifest.totals(), rows, "its rows are missed, not forgotten");
    assert!(manifest.is_damaged(&one.path));

    manifest.apply(&condition(&one, Condition::Acknowledged)).unwrap();
    manifest.apply(&condition(&two, Condition::Sound)).unwrap();
    let expected = [(path(&one), Condition::Acknowledged), (path(&three), Condition::Damaged)];
    assert_eq!(damaged(&manifest), expected);
    assert_eq!(damaged(&Manifest::from_checkpoint(&manifest.to_checkpoint()).unwrap()), expected);

    manifest.apply(&Edit { remove: vec![path(&three)], expired_rows: 10, ..Edit::default() }).unwrap();
    assert_eq!(damaged(&manifest), [(path(&one), Condition::Acknowledged)]);
    let gone = condition(&three, Condition::Damaged);
    assert_eq!(manifest.apply(&gone), Err(ManifestError::NotLive { path: path(&three) }));
}

#[test]
fn what_an_operator_knows_of_is_ranges_and_only_grows() {
    let (mut manifest, _) = three_files();
    let knows = |first, last| Edit { acknowledged: vec![lsns(first, last)], ..Edit::default() };
    manifest.apply(&knows(48, 50)).unwrap();
    manifest.apply(&knows(20, 22)).unwrap();
    manifest.apply(&knows(23, 24)).unwrap();
    assert_eq!(manifest.acknowledged(), [lsns(20, 24), lsns(48, 50)], "and may be ahead of the checkpoint");
    assert_eq!(Manifest::from_checkpoint(&manifest.to_checkpoint()).unwrap(), manifest);
    let disordered = Edit { acknowledged: vec![lsns(9, 9), lsns(3, 4)], ..Edit::default() };
    assert!(matches!(manifest.apply(&disordered), Err(ManifestError::Misplaced { .. })));
}

#[test]
fn the_newest_position_that_the_log_held_moves_forward_only() {
    let (mut manifest, _) = three_files();
    assert_eq!(manifest.high_water(), None, "no log has been begun");
    let held = |lsn| Edit { high_water: Some(Lsn::new(lsn)), ..Edit::default() };
    manifest.apply(&held(0)).unwrap();
    assert_eq!(manifest.high_water(), Some(Lsn::ZERO), "begun, and empty");
    manifest.apply(&held(50)).unwrap();
    manifest.apply(&held(20)).unwrap();
    manifest.apply(&Edit::default()).unwrap();
    assert_eq!(manifest.high_water(), Some(Lsn::new(50)));
    assert_eq!(Manifest::from_checkpoint(&manifest.to_checkpoint()).unwrap(), manifest);
    assert_eq!(manifest.without_log().high_water(), None);
}
