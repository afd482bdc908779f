//! Dead handles, power cuts, planned errors, failed syncs, damage, full volumes.

use std::collections::BTreeSet;
use std::io;

use mallard_wal::disk::sim::{CrashMode, EIO, ENOSPC, Fault, SECTOR_BYTES, SimDisk, SimRng};
use mallard_wal::disk::{Disk, is_failed_sync, is_lack_of_space, is_refusal, read, read_exact_at};

use super::{SEEDS, crash, disk_with_file, names, outcomes, path, root};

const SECTOR: u64 = SECTOR_BYTES as u64;

fn errno<T>(result: io::Result<T>) -> Option<i32> {
    result.err().and_then(|error| error.raw_os_error())
}

#[test]
fn handles_and_locks_of_before_a_crash_are_dead() {
    let (disk, file) = disk_with_file(0, b"bytes");
    let lock = disk.lock(path("/LOCK")).unwrap();
    disk.sync_dir(root()).unwrap();
    assert_eq!(disk.lock(path("/LOCK")).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    crash(&disk, 0);
    assert!(file.read_at(&mut [0], 0).is_err());
    assert!(file.write_all_at(b"x", 0).is_err());
    assert!(file.sync_data().is_err());
    assert!(file.set_len(0).is_err());
    assert!(file.len().is_err());
    assert!(file.forget_cache().is_err());
    assert!(file.bytes().is_err());
    let second = disk.lock(path("/LOCK")).unwrap();
    drop(lock);
    assert!(disk.lock(path("/LOCK")).is_err(), "the dead lock has released the living one");
    drop(second);
    disk.lock(path("/LOCK")).unwrap();
}

#[test]
fn nothing_works_without_power_until_the_machine_is_started_again() {
    let (disk, file) = disk_with_file(0, b"bytes");
    disk.cut_power_at(disk.operations() + 2);
    file.write_all_at(b"BYTES", 0).unwrap();
    assert_eq!(file.sync_data().unwrap_err().to_string(), "power is off");
    assert_eq!(file.sync_data().unwrap_err().kind(), io::ErrorKind::Other);
    assert!(file.read_at(&mut [0], 0).is_err());
    assert!(disk.open(path("/file")).is_err());
    assert!(disk.list(root()).is_err());
    assert!(disk.create(path("/new")).is_err());
    assert!(disk.sync_dir(root()).is_err());
    assert!(disk.free_bytes(root()).is_err());
    disk.crash_by(CrashMode::LoseAll, &mut SimRng::new(0));
    assert_eq!(read(&disk, path("/file")).unwrap(), b"bytes");
    disk.create(path("/new")).unwrap();
}

#[test]
fn the_call_that_the_power_cut_hits_may_or_may_not_have_happened() {
    let found = outcomes(|seed| {
        let (disk, _file) = disk_with_file(seed, b"");
        disk.cut_power_at(disk.operations() + 1);
        disk.rename(path("/file"), path("/renamed")).unwrap_err();
        crash(&disk, seed);
        names(&disk)
    });
    assert_eq!(found.len(), 2);
}

#[test]
fn planned_errors_strike_the_call_with_their_number() {
    let (disk, file) = disk_with_file(0, b"bytes");
    let next = disk.operations() + 1;
    disk.fail_at(next + 1, Fault::ErrorOnce(ENOSPC));
    disk.fail_at(next + 3, Fault::ErrorForEver(EIO));
    file.write_all_at(b"1", 0).unwrap();
    assert_eq!(errno(file.write_all_at(b"2", 0)), Some(ENOSPC));
    file.write_all_at(b"3", 0).unwrap();
    for _ in 0..3 {
        assert_eq!(errno(file.write_all_at(b"4", 0)), Some(EIO));
        assert_eq!(errno(disk.create(path("/new"))), Some(EIO));
    }
    assert_eq!(read(&disk, path("/file")).unwrap(), b"3ytes");
    assert_eq!(disk.operations(), next + 8);
    crash(&disk, 0);
    disk.create(path("/new")).unwrap();
}

#[test]
fn a_short_write_leaves_a_part() {
    let found = outcomes(|seed| {
        let (disk, file) = disk_with_file(seed, b"");
        disk.fail_at(disk.operations() + 1, Fault::ShortWrite);
        assert_eq!(errno(file.write_all_at(b"abcd", 0)), Some(EIO));
        read(&disk, path("/file")).unwrap()
    });
    assert!(found.contains(b"ab".as_slice()), "{found:?}");
    assert!(found.iter().all(|bytes| b"abcd".starts_with(bytes)));
}

#[test]
fn a_repeated_sync_says_done_about_bytes_that_the_failed_one_gave_up() {
    let found = outcomes(|seed| {
        let (disk, file) = disk_with_file(seed, &[1; SECTOR_BYTES]);
        file.write_all_at(&[2; SECTOR_BYTES], 0).unwrap();
        disk.fail_at(disk.operations() + 1, Fault::ErrorOnce(EIO));
        assert!(is_failed_sync(&file.sync_data().unwrap_err()));
        file.sync_data().unwrap();
        assert_eq!(read(&disk, path("/file")).unwrap(), [2; SECTOR_BYTES], "the cache still shows it");
        if seed % 2 == 0 {
            file.forget_cache().unwrap();
            let seen = read(&disk, path("/file")).unwrap();
            crash(&disk, seed);
            assert_eq!(seen, read(&disk, path("/file")).unwrap(), "without its cache a file is what the disk holds");
        } else {
            crash(&disk, seed);
        }
        (seed % 2, read(&disk, path("/file")).unwrap()[0])
    });
    assert_eq!(found, BTreeSet::from([(0, 1), (0, 2), (1, 1), (1, 2)]));
}

#[test]
fn bytes_that_a_failed_sync_gave_up_are_durable_once_written_and_synced_again() {
    for seed in 0..SEEDS {
        let (disk, file) = disk_with_file(seed, &[1; 1000]);
        file.write_all_at(&[2; 1000], 0).unwrap();
        disk.fail_at(disk.operations() + 1, Fault::ErrorOnce(EIO));
        file.sync_data().unwrap_err();
        file.write_all_at(&[2; 1000], 0).unwrap();
        file.sync_data().unwrap();
        crash(&disk, seed);
        assert_eq!(read(&disk, path("/file")).unwrap(), [2; 1000]);
    }
}

#[test]
fn a_repeated_sync_of_a_folder_says_done_about_names_that_the_failed_one_gave_up() {
    let found = outcomes(|seed| {
        let disk = SimDisk::new(seed);
        disk.create(path("/file")).unwrap();
        disk.fail_at(disk.operations() + 1, Fault::ErrorOnce(EIO));
        disk.sync_dir(root()).unwrap_err();
        disk.sync_dir(root()).unwrap();
        assert_eq!(names(&disk), ["file"]);
        crash(&disk, seed);
        disk.open(path("/file")).is_ok()
    });
    assert_eq!(found, BTreeSet::from([false, true]));
}

#[test]
fn forgetting_the_cache_keeps_what_is_not_yet_synced() {
    let (disk, file) = disk_with_file(0, b"old");
    file.write_all_at(b"new", 0).unwrap();
    file.forget_cache().unwrap();
    assert_eq!(read(&disk, path("/file")).unwrap(), b"new");
}

#[test]
fn a_broken_sector_fails_reads_until_it_is_written() {
    let (disk, file) = disk_with_file(0, &[1; 2000]);
    disk.break_sector(path("/file"), SECTOR + 3).unwrap();
    let mut buffer = [0; 2000];
    assert_eq!(file.read_at(&mut buffer, 0).unwrap(), SECTOR_BYTES, "what lies before it is read");
    assert_eq!(errno(file.read_at(&mut buffer, SECTOR)), Some(EIO));
    assert_eq!(errno(file.read_at(&mut buffer[..1], 2 * SECTOR - 1)), Some(EIO));
    read_exact_at(file.as_ref(), &mut buffer[..900], 2 * SECTOR).unwrap();
    assert_eq!(errno(file.bytes()), Some(EIO));
    crash(&disk, 0);
    assert_eq!(errno(read(&disk, path("/file"))), Some(EIO), "a crash does not repair it");
    disk.open_write(path("/file")).unwrap().write_all_at(&[1; 1], SECTOR).unwrap();
    assert_eq!(read(&disk, path("/file")).unwrap(), [1; 2000]);
}

#[test]
fn damage_is_durable_and_noticed_by_nobody() {
    let (disk, file) = disk_with_file(0, &[0; 2000]);
    let operations = disk.operations();
    disk.corrupt(path("/file"), 1000, 0x40).unwrap();
    disk.truncate(path("/file"), 1500).unwrap();
    assert!(disk.corrupt(path("/file"), 1500, 1).is_err());
    assert!(disk.truncate(path("/file"), 1501).is_err());
    assert_eq!(disk.operations(), operations);
    file.sync_data().unwrap();
    crash(&disk, 0);
    let bytes = read(&disk, path("/file")).unwrap();
    assert_eq!((bytes.len(), bytes[999], bytes[1000]), (1500, 0, 0x40));
}

#[test]
fn a_full_volume_takes_what_fits_and_gives_space_back_when_a_removal_is_durable() {
    let (disk, file) = disk_with_file(0, &[1; 600]);
    disk.set_capacity(1000);
    assert_eq!(disk.free_bytes(root()).unwrap(), 400);
    assert_eq!(errno(file.write_all_at(&[2; 1000], 500)), Some(ENOSPC));
    assert_eq!(file.len().unwrap(), 1000);
    file.write_all_at(&[3; 1000], 0).unwrap();
    assert_eq!(errno(file.set_len(1001)), Some(ENOSPC));
    assert_eq!(errno(disk.create(path("/new")).unwrap().write_all_at(b"x", 0)), Some(ENOSPC));
    drop(file);
    disk.remove_file(path("/file")).unwrap();
    assert_eq!(disk.free_bytes(root()).unwrap(), 0);
    disk.sync_dir(root()).unwrap();
    assert_eq!(disk.free_bytes(root()).unwrap(), 1000);
}

#[test]
fn a_crash_gives_back_the_space_of_what_it_takes() {
    let (disk, file) = disk_with_file(0, &[1; 600]);
    disk.set_capacity(10_000);
    file.write_all_at(&[1; 5000], 0).unwrap();
    disk.create(path("/unsynced")).unwrap().write_all_at(&[1; 5000], 0).unwrap();
    disk.crash_by(CrashMode::LoseAll, &mut SimRng::new(0));
    assert_eq!(disk.free_bytes(root()).unwrap(), 9400);
}

#[test]
fn the_trace_names_the_last_calls_with_their_numbers() {
    let (disk, file) = disk_with_file(0, b"bytes");
    file.set_len(2).unwrap();
    disk.rename(path("/file"), path("/renamed")).unwrap();
    assert_eq!(
        disk.trace(),
        [
            "1 create /file",
            "2 write /file 5 bytes at 0",
            "3 sync_data /file",
            "4 sync_dir /",
            "5 set_len /file to 2",
            "6 rename /file -> /renamed",
        ]
    );
}

#[test]
fn faults_can_be_planned_for_calls_that_only_look() {
    let (disk, file) = disk_with_file(0, &[7; 1000]);
    let plan = |fault| disk.fail_call_at(disk.calls() + 1, fault);
    plan(Fault::ErrorOnce(EIO));
    assert_eq!(errno(file.read_at(&mut [0; 10], 0)), Some(EIO));
    plan(Fault::ErrorOnce(EIO));
    assert_eq!(errno(disk.list(root())), Some(EIO));
    assert_eq!(disk.struck().unwrap(), "list /");
    plan(Fault::ShortWrite);
    assert_eq!(file.read_at(&mut [0; 10], 0).unwrap(), 5, "a short read");
    plan(Fault::ErrorOnce(ENOSPC));
    assert_eq!(file.len().unwrap(), 1000, "a full volume can be looked at");
    plan(Fault::ErrorForEver(EIO));
    assert_eq!((errno(disk.free_bytes(root())), errno(file.len())), (Some(EIO), Some(EIO)));
    disk.heal();
    assert_eq!(read(&disk, path("/file")).unwrap(), [7; 1000]);
}

#[test]
fn a_signal_interrupts_what_the_real_disk_does_not_repeat() {
    let (disk, file) = disk_with_file(0, b"bytes");
    let plan = || disk.fail_call_at(disk.calls() + 1, Fault::Interrupted);
    plan();
    file.write_all_at(b"BYTES", 0).unwrap();
    plan();
    file.read_at(&mut [0; 5], 0).unwrap();
    plan();
    assert_eq!(file.sync_data().unwrap_err().kind(), io::ErrorKind::Interrupted, "a sync is never repeated");
    plan();
    assert_eq!(disk.sync_dir(root()).unwrap_err().kind(), io::ErrorKind::Interrupted);
    assert!(disk.is_sound());
}

#[test]
fn a_killed_process_does_nothing_more_and_the_next_one_can_still_sync_what_it_wrote() {
    for seed in 0..SEEDS {
        let (disk, file) = disk_with_file(seed, &[1; SECTOR_BYTES]);
        file.write_all_at(&[2; SECTOR_BYTES], 0).unwrap();
        disk.fail_at(disk.operations() + 1, Fault::Killed);
        file.sync_data().unwrap_err();
        file.write_all_at(&[3; SECTOR_BYTES], 0).unwrap_err();
        assert!(!disk.has_power());
        disk.heal();
        let again = disk.open_write(path("/file")).unwrap();
        again.sync_data().unwrap();
        crash(&disk, seed);
        assert_eq!(read(&disk, path("/file")).unwrap(), [2; SECTOR_BYTES]);
    }
}

#[test]
fn the_same_answer_is_a_refusal_of_any_call_but_of_a_sync() {
    let edquot = rustix::io::Errno::DQUOT.raw_os_error();
    for errno in [ENOSPC, edquot] {
        let (disk, file) = disk_with_file(0, b"bytes");
        let fail_next = || disk.fail_at(disk.operations() + 1, Fault::ErrorOnce(errno));
        fail_next();
        let written = file.write_all_at(b"x", 0).unwrap_err();
        fail_next();
        let created = disk.create(path("/other")).unwrap_err();
        fail_next();
        let synced = file.sync_data().unwrap_err();
        fail_next();
        let named = disk.sync_dir(root()).unwrap_err();
        let errors = [written, created, synced, named];
        assert_eq!(errors.each_ref().map(is_refusal), [true, true, false, false], "{errors:?}");
        assert_eq!(errors.each_ref().map(is_failed_sync), [false, false, true, true], "{errors:?}");
        assert!(errors.iter().all(is_lack_of_space), "what is to be done about it stays the same: {errors:?}");
    }
}
