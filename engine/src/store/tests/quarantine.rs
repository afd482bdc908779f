//! Second names for damaged files: none is given, or two files have the same.

use std::path::Path;

use mallard_compactor::{Edit, FileEntry, SCHEMA_ADOPTED};
use mallard_wal::disk::sim::Fault;
use mallard_wal::disk::{Disk as _, durable};

use super::{Bench, ROOT};

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
