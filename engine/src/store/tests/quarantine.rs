//! What is in quarantine: second names for damaged files, where none is given, or two files have the same; segments that cannot
//! be read any more.

use std::path::Path;

use mallard_compactor::{Edit, FileEntry, SCHEMA_ADOPTED};
use mallard_wal::disk::sim::Fault;
use mallard_wal::disk::{Disk as _, durable};

use super::{Bench, DAY_US, ROOT};

const EPERM: i32 = 1;

#[test]
fn damage_is_recorded_and_maintenance_goes_on_where_the_volume_gives_no_second_name() {
    let mut bench = Bench::new(1);
    bench.files("a", 1);
    let file = bench.live("a").remove(0);
    bench.disk.corrupt(&Bench::path(&file), 100, 1).unwrap();
    assert!(bench.store().suspect(&Bench::path(&file), "its crc32 is another"));
    bench.disk.fail_at(bench.disk.operations() + 1, Fault::ErrorOnce(EPERM));
    bench.settle_well();
    assert!(bench.disk.struck().unwrap().starts_with("hard_link"), "{:?}", bench.disk.struck());
    assert!(bench.store().manifest().is_damaged(&file.path));
    assert!(bench.reasons()[0].contains(&*file.path), "{:?}", bench.reasons());
    bench.files("a", 1);
}

/// Adopted files have names of the original's, which two folders may share.
#[test]
fn adopted_files_of_two_days_that_share_a_name_are_both_kept_and_forgotten_apart() {
    let mut bench = Bench::new(1);
    bench.files("a", 1);
    bench.files("b", 1);
    let [one, other] = ["a", "b"].map(|site| adopt(&bench, &bench.live(site).remove(0)));
    for file in [&one, &other] {
        assert!(bench.store().suspect(&Bench::path(file), "damaged"));
    }
    bench.settle_well();
    let kept = || bench.disk.list(&bench.store().layout().quarantine()).unwrap().len();
    assert_eq!(kept(), 2);
    super::unreadable::erase_visitor(&bench, "a");
    bench.settle_well();
    assert_eq!((bench.live("a").len(), bench.live("b").len(), kept()), (0, 1, 1), "the other's copy stays");
}

/// A sector of a file cannot be read: what is in the others still says how old it is.
#[test]
fn a_segment_in_quarantine_that_cannot_be_read_does_not_end_retention_in_snapshots() {
    let mut bench = Bench::with(|config| {
        (config.flush_events, config.limits.retention_days, config.is_date_sure) = (100, Some(2), true);
    });
    bench.send("a", 30);
    let sealed = bench.store().log.seal().unwrap().unwrap();
    let bytes = mallard_wal::disk::read(&bench.disk, &sealed.path).unwrap();
    let quarantine = &bench.store().layout().quarantine();
    let names = ["00000000000000000001.wal", "00000000000000000001.wal.1", "00000000000000000001.wal.2"];
    for name in names {
        bench.disk.create(&quarantine.join(name)).unwrap().write_all_at(&bytes, 0).unwrap();
    }
    bench.disk.break_sector(&quarantine.join(names[0]), 0).unwrap();
    bench.disk.break_sector(&quarantine.join(names[1]), bytes.len() as u64 - 1).unwrap();
    bench.settle_well();
    assert_eq!(bench.snapshots().take(&[]).unwrap().image.events, 30);
    bench.settle_well();
    bench.clock.advance_us(5 * DAY_US);
    bench.settle_well();
    assert_eq!(bench.reasons(), Vec::<String>::new());
    let left: Vec<_> = bench.disk.list(quarantine).unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(left, [names[0]], "nobody can say how old it is");
    assert_eq!(bench.snapshots().list().unwrap()[0].image.events, 0, "the snapshot's events have expired");
}

/// Makes a live file one that was adopted as `data.parquet`.
fn adopt(bench: &Bench, file: &FileEntry) -> FileEntry {
    let path = Path::new(&*file.path).parent().unwrap().join("data.parquet");
    durable::publish(&bench.disk, &Bench::path(file), &Path::new(ROOT).join(&path)).unwrap();
    let adopted = FileEntry { path: path.to_str().unwrap().into(), schema_version: SCHEMA_ADOPTED, ..file.clone() };
    let edit = Edit { add: vec![adopted.clone()], remove: vec![file.path.to_string()], ..Edit::default() };
    let store = bench.store();
    let mut maintenance = store.maintenance.lock().unwrap();
    store.commit(&mut maintenance, &store.manifest(), edit, |_| {}).unwrap();
    adopted
}
