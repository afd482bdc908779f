//! What a crash does to names.

use std::collections::BTreeSet;

use mallard_wal::disk::sim::SimDisk;
use mallard_wal::disk::{Disk, read};

use super::{SEEDS, crash, disk_with_file, names, outcomes, path, root};

#[test]
fn a_synced_file_without_a_synced_name_may_vanish() {
    let found = outcomes(|seed| {
        let disk = SimDisk::new(seed);
        let file = disk.create(path("/file")).unwrap();
        file.write_all_at(b"bytes", 0).unwrap();
        file.sync_data().unwrap();
        crash(&disk, seed);
        read(&disk, path("/file")).ok()
    });
    assert_eq!(found, BTreeSet::from([None, Some(b"bytes".to_vec())]));
}

#[test]
fn a_synced_name_says_nothing_about_the_bytes() {
    let found = outcomes(|seed| {
        let disk = SimDisk::new(seed);
        disk.create(path("/file")).unwrap().write_all_at(b"bytes", 0).unwrap();
        disk.sync_dir(root()).unwrap();
        crash(&disk, seed);
        read(&disk, path("/file")).unwrap()
    });
    assert_eq!(found, BTreeSet::from([Vec::new(), b"bytes".to_vec(), vec![0; 5]]));
}

#[test]
fn a_synced_folder_in_an_unsynced_one_may_vanish_with_all_that_is_in_it() {
    let found = outcomes(|seed| {
        let disk = SimDisk::new(seed);
        disk.create_dir(path("/outer")).unwrap();
        disk.create_dir(path("/outer/inner")).unwrap();
        disk.create(path("/outer/inner/file")).unwrap();
        disk.sync_dir(path("/outer/inner")).unwrap();
        disk.sync_dir(path("/outer")).unwrap();
        crash(&disk, seed);
        disk.open(path("/outer/inner/file")).is_ok()
    });
    assert_eq!(found, BTreeSet::from([false, true]));
}

#[test]
fn a_rename_in_one_folder_happens_as_a_whole_or_not_at_all() {
    let found = outcomes(|seed| {
        let (disk, _file) = disk_with_file(seed, b"");
        disk.rename(path("/file"), path("/renamed")).unwrap();
        crash(&disk, seed);
        names(&disk)
    });
    assert_eq!(found, BTreeSet::from([vec!["file".to_owned()], vec!["renamed".to_owned()]]));
}

#[test]
fn a_rename_over_a_file_leaves_one_of_the_two() {
    let found = outcomes(|seed| {
        let (disk, _file) = disk_with_file(seed, b"old");
        let file = disk.create(path("/new")).unwrap();
        file.write_all_at(b"new", 0).unwrap();
        file.sync_data().unwrap();
        disk.rename(path("/new"), path("/file")).unwrap();
        crash(&disk, seed);
        read(&disk, path("/file")).unwrap()
    });
    assert_eq!(found, BTreeSet::from([b"old".to_vec(), b"new".to_vec()]));
}

#[test]
fn a_rename_across_folders_may_leave_both_names_or_none() {
    let found = outcomes(|seed| {
        let (disk, _file) = disk_with_file(seed, b"");
        disk.create_dir(path("/folder")).unwrap();
        disk.sync_dir(root()).unwrap();
        disk.rename(path("/file"), path("/folder/file")).unwrap();
        crash(&disk, seed);
        (disk.open(path("/file")).is_ok(), disk.open(path("/folder/file")).is_ok())
    });
    assert_eq!(found.len(), 4);
}

#[test]
fn an_unsynced_removal_may_be_undone_with_the_bytes_of_the_file() {
    let found = outcomes(|seed| {
        let (disk, _file) = disk_with_file(seed, b"bytes");
        disk.remove_file(path("/file")).unwrap();
        crash(&disk, seed);
        read(&disk, path("/file")).ok()
    });
    assert_eq!(found, BTreeSet::from([None, Some(b"bytes".to_vec())]));
}

#[test]
fn two_names_of_one_file_share_its_bytes_before_and_after_a_crash() {
    for seed in 0..SEEDS {
        let (disk, file) = disk_with_file(seed, &[1; 2000]);
        disk.hard_link(path("/file"), path("/second")).unwrap();
        disk.sync_dir(root()).unwrap();
        file.write_all_at(&[2; 2000], 0).unwrap();
        assert_eq!(read(&disk, path("/second")).unwrap(), [2; 2000]);
        crash(&disk, seed);
        let bytes = read(&disk, path("/file")).unwrap();
        assert_eq!(bytes, read(&disk, path("/second")).unwrap());
        disk.open_write(path("/file")).unwrap().write_all_at(&[3], 0).unwrap();
        assert_eq!(read(&disk, path("/second")).unwrap()[0], 3);
    }
}
