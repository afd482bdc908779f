//! The log from outside: what appenders, observers and maintenance rely on while it runs.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod common;

use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::thread::{self, Thread};

use common::{Delivered, Home, draft, item_of, small};
use mallard_wal::disk::{Disk as _, real, sim};
use mallard_wal::{Config, Drive, Error, KnownEnd, LogError, Lsn, OnCorruption, Refused, lock_dir};

fn simulated() -> (Home, sim::SimDisk) {
    let (env, disk, _) = sim::env(1);
    (Home::new(env, Path::new("/"), small()), disk)
}

#[test]
fn a_committed_record_is_delivered_by_the_next_recovery() {
    let (home, _) = simulated();
    let running = home.start(0, Drive::Manual).unwrap();
    assert_eq!(running.commit(7, 100), 1);
    assert_eq!(running.commit(8, 0), 2);
    assert_eq!(running.ears.0.lock().unwrap().committed, [(1, 7), (2, 8)]);
    assert_eq!(running.log.high_water(), Lsn::new(2));
    drop(running);
    let (recovery, delivered) = home.recover(0).unwrap();
    assert_eq!(delivered, [Delivered::Record(1, 7), Delivered::Record(2, 8)]);
    assert_eq!(recovery.report().next_lsn, Lsn::new(3));
    assert_eq!(recovery.sealed().len(), 1);
}

#[test]
fn records_appended_together_get_consecutive_lsns_in_one_commit() {
    let (home, _) = simulated();
    let running = home.start(0, Drive::Manual).unwrap();
    let mut receipt = running.log.append_all((0..5).map(|item| (draft(item, 50), item)).collect()).unwrap();
    assert!(running.log.pump().unwrap());
    assert_eq!(receipt.try_wait().unwrap().unwrap(), Lsn::FIRST);
    assert_eq!(running.log.status().syncs, 1);
    assert_eq!(running.commit(5, 50), 6);
}

#[test]
fn what_waits_is_committed_as_one_frame_as_far_as_it_fits() {
    let (home, _) = simulated();
    let running = home.start(0, Drive::Manual).unwrap();
    let receipts: Vec<_> = (0..10).map(|item| running.log.append(draft(item, 1000), item).unwrap()).collect();
    assert!(running.log.pump().unwrap());
    assert_eq!(running.log.status().syncs, 1);
    assert_eq!(running.log.high_water(), Lsn::new(7), "seven records of 1052 bytes fit into 8 KiB");
    assert!(running.log.pump().unwrap());
    assert!(!running.log.pump().unwrap());
    assert_eq!(running.log.status().syncs, 2);
    for (receipt, lsn) in receipts.into_iter().zip(1..) {
        assert_eq!(receipt.wait().unwrap().get(), lsn);
    }
}

#[test]
fn a_full_queue_refuses_and_recovers_when_it_is_drained() {
    let (home, _) = simulated();
    let running = home.start(0, Drive::Manual).unwrap();
    let accepted = (0..1000).take_while(|&item| running.log.append(draft(item, 4000), item).is_ok()).count();
    assert_eq!(accepted, 64 * 1024 / 4052);
    assert_eq!(running.log.append(draft(99, 4000), 99).unwrap_err(), Refused::Busy);
    assert!(running.log.pump().unwrap());
    running.log.append(draft(99, 4000), 99).unwrap();
}

#[test]
fn records_that_do_not_fit_into_one_frame_are_refused() {
    let (home, _) = simulated();
    let running = home.start(0, Drive::Manual).unwrap();
    let too_large = Refused::TooLarge { bytes: 9052, bytes_max: 8192 };
    assert_eq!(running.log.append(draft(1, 9000), 1).unwrap_err(), too_large);
    let pair = vec![(draft(1, 5000), 1), (draft(2, 5000), 2)];
    assert!(matches!(running.log.append_all(pair), Err(Refused::TooLarge { bytes: 10_104, .. })));
    assert_eq!(running.log.status().queue_bytes, 0);
}

#[test]
fn a_full_segment_is_sealed_and_the_log_goes_on_in_the_next() {
    let (home, disk) = simulated();
    let running = home.start(0, Drive::Manual).unwrap();
    for item in 1..=200 {
        assert_eq!(running.commit(item, 400), item);
    }
    let sealed = running.log.sealed();
    assert!(sealed.len() > 3, "{sealed:?}");
    assert_eq!(running.ears.0.lock().unwrap().sealed, sealed);
    let mut next = 1;
    for segment in &sealed {
        assert_eq!(segment.first_lsn.get(), next);
        let loaded = segment.load(&disk).unwrap();
        for record in loaded.records() {
            assert_eq!((record.lsn.get(), item_of(&record)), (next, next));
            next += 1;
        }
        assert_eq!(segment.last_lsn.get(), next - 1);
        assert_eq!(segment.records, segment.last_lsn.get() - segment.first_lsn.get() + 1);
    }
    assert_eq!(running.log.status().active_records, 201 - next);
}

#[test]
fn seal_returns_the_segment_and_nothing_when_there_is_nothing_in_it() {
    let (home, disk) = simulated();
    let running = home.start(0, Drive::Manual).unwrap();
    assert_eq!(running.log.seal().unwrap(), None);
    running.commit(1, 10);
    running.commit(2, 10);
    let segment = running.log.seal().unwrap().unwrap();
    assert_eq!((segment.first_lsn, segment.last_lsn), (Lsn::new(1), Lsn::new(2)));
    assert_eq!((segment.min_received_us, segment.max_received_us), (1_000_001, 1_000_002));
    assert_eq!(segment.load(&disk).unwrap().records().count(), 2);
    assert_eq!(running.log.seal().unwrap(), None);
    assert_eq!(running.log.status().active_records, 0);
    assert_eq!(running.commit(3, 10), 3);
}

#[test]
fn trim_removes_what_the_checkpoint_covers_and_nothing_else() {
    let (home, _) = simulated();
    let running = home.start(0, Drive::Manual).unwrap();
    for item in 1..=9 {
        running.commit(item, 10);
        if item % 3 == 0 {
            running.log.seal().unwrap();
        }
    }
    assert_eq!(running.log.trim(Lsn::new(2)).unwrap(), 0);
    assert_eq!(running.log.trim(Lsn::new(6)).unwrap(), 2);
    assert_eq!(running.log.trim(Lsn::new(6)).unwrap(), 0);
    assert_eq!(running.log.sealed().len(), 1);
    drop(running);
    let (recovery, delivered) = home.recover(6).unwrap();
    assert_eq!(delivered, [Delivered::Record(7, 7), Delivered::Record(8, 8), Delivered::Record(9, 9)]);
    assert_eq!(recovery.report().gaps, []);
}

#[test]
fn segments_below_the_checkpoint_are_left_over_unread_and_trimmed() {
    let (home, disk) = simulated();
    let running = home.start(0, Drive::Manual).unwrap();
    for item in 1..=4 {
        running.commit(item, 10);
        running.log.seal().unwrap();
    }
    drop(running);
    disk.corrupt(&home.segments()[0], 5000, 0xff).unwrap();
    let running = home.start(3, Drive::Manual).unwrap();
    assert_eq!(running.delivered, [Delivered::Record(4, 4)]);
    assert_eq!(running.report.leftovers, 3);
    assert_eq!(running.log.sealed().len(), 1);
    assert_eq!(running.log.trim(Lsn::new(3)).unwrap(), 3);
    assert_eq!(home.segments().len(), 2);
}

#[test]
fn numbers_and_epochs_survive_a_log_that_was_compacted_to_its_end() {
    let (home, _) = simulated();
    for life in 1..=3 {
        let running = home.start(life - 1, Drive::Manual).unwrap();
        assert_eq!(running.delivered, []);
        assert_eq!(running.commit(life, 10), life);
        running.log.close().unwrap();
        running.log.trim(Lsn::new(life)).unwrap();
        assert_eq!(home.segments().len(), 1, "the newest segment carries the numbers on");
    }
}

#[test]
fn a_checkpoint_ahead_of_the_log_moves_the_log_forward() {
    let (home, _) = simulated();
    let running = home.start(0, Drive::Manual).unwrap();
    running.commit(1, 10);
    drop(running);
    let running = home.start(100, Drive::Manual).unwrap();
    assert_eq!(running.delivered, []);
    assert_eq!(running.commit(101, 10), 101);
    drop(running);
    let (recovery, delivered) = home.recover(100).unwrap();
    assert_eq!(delivered, [Delivered::Record(101, 101)]);
    assert_eq!(recovery.report().lost_from, None);
}

/// A log of six records in two sealed segments and an active one, of which the files from the `first` on are gone.
fn without_files_from(first: usize) -> Home {
    let (home, disk) = simulated();
    let running = home.start(0, Drive::Manual).unwrap();
    for item in 1..=6 {
        running.commit(item, 10);
        if item % 2 == 0 {
            running.log.seal().unwrap();
        }
    }
    drop(running);
    for path in home.segments().into_iter().skip(first) {
        disk.remove_file(&path).unwrap();
    }
    home
}

#[test]
fn a_log_that_has_lost_its_end_goes_on_behind_all_that_it_can_have_held() {
    let end = Some(KnownEnd { high_water: Lsn::new(5), further_max: 100 });
    for (files, checkpoint, records, gap) in [
        (0, 0, &[][..], Some((1, 105))),
        (0, 3, &[], Some((4, 105))),
        (0, 5, &[], Some((6, 105))),
        (0, 9, &[], Some((10, 109))),
        (1, 0, &[1, 2], Some((3, 105))),
        (2, 0, &[1, 2, 3, 4], Some((5, 105))),
        (3, 0, &[1, 2, 3, 4, 5, 6], None),
        (1, 7, &[], None),
    ] {
        let case = format!("{files} files, checkpoint {checkpoint}");
        let home = without_files_from(files);
        let (recovery, delivered) = home.recover_from(checkpoint, end).unwrap();
        let records = records.iter().map(|lsn| Delivered::Record(*lsn, *lsn));
        let gap = gap.map(|(first, last)| Delivered::Gap(first, last));
        let expected: Vec<_> = records.chain(gap.clone()).collect();
        assert_eq!(delivered, expected, "{case}");
        let Some(Delivered::Gap(first, last)) = gap else {
            assert_eq!(recovery.report().lost_from, None, "{case}");
            continue;
        };
        assert_eq!(recovery.report().lost_from, Some(Lsn::new(first)), "{case}");
        assert_eq!(recovery.report().gaps, [(Lsn::new(first), Lsn::new(last))], "{case}");
        let (again, same) = home.recover_from(checkpoint, end).unwrap();
        assert_eq!((again.report().lost_from, same), (None, expected), "{case}: known by now");
        assert_eq!(again.report().next_lsn, Lsn::new(last + 1), "{case}");
    }
}

#[test]
fn a_log_that_has_lost_its_end_is_refused_on_request_and_left_alone() {
    let end = Some(KnownEnd { high_water: Lsn::new(5), further_max: 100 });
    for (files, lost_from) in [(0, 1), (2, 5)] {
        let mut home = without_files_from(files);
        home.config.on_corruption = OnCorruption::Refuse;
        let error = home.recover_from(0, end).unwrap_err();
        assert!(matches!(error, Error::EndMissing { first, .. } if first == Lsn::new(lost_from)), "{error}");
        let text = error.to_string();
        assert!(text.contains("repair") && text.contains("restore"), "{text}");
        assert_eq!(home.segments().len(), files);
    }
}

#[test]
fn an_active_segment_that_has_lost_its_records_is_kept() {
    let (home, disk) = simulated();
    let running = home.start(0, Drive::Manual).unwrap();
    let empty = mallard_wal::disk::read(&disk, &home.segments()[0]).unwrap();
    running.commit(1, 10);
    running.commit(2, 10);
    drop(running);
    // What a device leaves that has not written what it was told to.
    let file = disk.open_write(&home.segments()[0]).unwrap();
    file.write_all_at(&empty, 0).unwrap();
    let end = Some(KnownEnd { high_water: Lsn::new(2), further_max: 1 });
    let (recovery, delivered) = home.recover_from(0, end).unwrap();
    assert_eq!(delivered, [Delivered::Gap(1, 3)]);
    assert_eq!(recovery.report().damaged, ["00000000000000000001.wal"]);
    let kept = mallard_wal::disk::read(&disk, &home.quarantine.join("00000000000000000001.wal")).unwrap();
    assert_eq!(kept, empty);
}

#[test]
fn a_log_that_need_not_have_been_begun_is_not_missed() {
    let (home, _) = simulated();
    assert_eq!(home.recover(0).unwrap().0.report().lost_from, None);
    assert_eq!(home.recover(5).unwrap().0.report().lost_from, None);
}

#[test]
fn a_closed_log_refuses_appends_and_has_committed_what_was_queued() {
    let (home, _) = simulated();
    let running = home.start(0, Drive::Manual).unwrap();
    let receipt = running.log.append(draft(1, 10), 1).unwrap();
    running.log.close().unwrap();
    assert_eq!(receipt.wait(), Ok(Lsn::FIRST));
    assert_eq!(running.log.append(draft(2, 10), 2).unwrap_err(), Refused::Closed);
    assert!(matches!(running.log.seal(), Err(Error::Closed)));
    assert!(matches!(running.log.pump(), Err(Error::Closed)));
    running.log.close().unwrap();
    drop(running);
    let (recovery, delivered) = home.recover(0).unwrap();
    assert_eq!(delivered, [Delivered::Record(1, 1)]);
    assert_eq!(recovery.report().quarantined, Vec::<String>::new());
}

#[test]
fn what_was_queued_when_the_log_is_dropped_has_an_unknown_outcome() {
    let (home, _) = simulated();
    let running = home.start(0, Drive::Manual).unwrap();
    let receipt = running.log.append(draft(1, 10), 1).unwrap();
    drop(running);
    assert_eq!(receipt.wait(), Err(LogError::OutcomeUnknown));
}

#[test]
fn a_disk_without_room_for_a_segment_fails_appends_until_there_is_room() {
    let (home, disk) = simulated();
    let running = home.start(0, Drive::Manual).unwrap();
    disk.set_capacity(0);
    let mut item = 0;
    let cause = loop {
        item += 1;
        let receipt = running.log.append(draft(item, 4000), item).unwrap();
        running.log.pump().unwrap();
        match receipt.wait() {
            Ok(lsn) => assert_eq!(lsn.get(), item),
            Err(LogError::NotWritten(cause)) => break cause,
            Err(error) => panic!("{error}"),
        }
    };
    assert!(item > 2, "the prepared segment was used up first");
    assert!(cause.is_lack_of_space && cause.cause.contains("make room"), "{cause}");
    assert_eq!(running.log.status().no_segment, Some(cause));
    assert_eq!(running.log.status().poisoned, None);
    disk.set_capacity(1 << 30);
    assert_eq!(running.commit(item, 4000), item);
    assert_eq!(running.log.status().no_segment, None);
    drop(running);
    assert_eq!(home.recover(0).unwrap().1.len() as u64, item);
}

#[test]
fn a_full_disk_does_not_keep_the_log_from_starting() {
    let (home, disk) = simulated();
    disk.set_capacity(0);
    let running = home.start(0, Drive::Manual).unwrap();
    assert!(running.log.status().no_segment.is_some());
    let receipt = running.log.append(draft(1, 10), 1).unwrap();
    running.log.pump().unwrap();
    assert!(matches!(receipt.wait(), Err(LogError::NotWritten(_))));
    disk.set_capacity(1 << 30);
    assert_eq!(running.commit(1, 10), 1);
}

#[test]
fn two_processes_cannot_lock_one_folder() {
    let (env, _, _) = sim::env(1);
    let guard = lock_dir(&env, Path::new("/")).unwrap();
    assert!(matches!(lock_dir(&env, Path::new("/")), Err(Error::Locked { .. })));
    drop(guard);
    lock_dir(&env, Path::new("/")).unwrap();
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            std::task::Poll::Ready(output) => return output,
            std::task::Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn many_threads_append_at_once_and_every_receipt_resolves_to_its_own_lsn() {
    const THREADS: u64 = 8;
    const EACH: u64 = 200;
    let root = tempfile::tempdir().unwrap();
    let config = Config { segment_bytes: 128 * 1024, ..small() };
    let home = Home::new(real::env(), root.path(), config);
    let running = home.start(0, Drive::Thread).unwrap();
    let append = |thread: u64| {
        (thread * EACH..(thread + 1) * EACH).map(|item| {
            let receipt = loop {
                match running.log.append(draft(item, 200), item) {
                    Ok(receipt) => break receipt,
                    Err(Refused::Busy) => thread::yield_now(),
                    Err(refused) => panic!("{refused}"),
                }
            };
            let lsn = if item % 2 == 0 { block_on(receipt) } else { receipt.wait() };
            (lsn.unwrap().get(), item)
        })
    };
    let mut acknowledged: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> =
            (0..THREADS).map(|thread| scope.spawn(move || append(thread).collect::<Vec<_>>())).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    acknowledged.sort_unstable();
    assert!(acknowledged.iter().map(|(lsn, _)| *lsn).eq(1..=THREADS * EACH), "LSNs are dense and unique");
    assert_eq!(running.ears.0.lock().unwrap().committed, acknowledged, "the observer heard the same");
    assert_eq!(running.ears.0.lock().unwrap().synced_records as u64, THREADS * EACH);
    running.log.close().unwrap();
    drop(running);
    let (_, delivered) = home.recover(0).unwrap();
    let expected: Vec<_> = acknowledged.iter().map(|&(lsn, item)| Delivered::Record(lsn, item)).collect();
    assert_eq!(delivered, expected);
}

#[test]
fn seal_and_trim_work_beside_running_appends() {
    let root = tempfile::tempdir().unwrap();
    let home = Home::new(real::env(), root.path(), small());
    let running = home.start(0, Drive::Thread).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            for item in 1..=500 {
                assert_eq!(running.log.append(draft(item, 100), item).unwrap().wait().unwrap().get(), item);
            }
        });
        scope.spawn(|| {
            for _ in 0..20 {
                if let Some(segment) = running.log.seal().unwrap() {
                    assert_eq!(segment.load(home.env.disk.as_ref()).unwrap().records().count() as u64, segment.records);
                }
            }
        });
    });
    let sealed = running.log.sealed();
    let checkpoint = sealed[sealed.len() / 2].last_lsn;
    running.log.trim(checkpoint).unwrap();
    drop(running);
    let (_, delivered) = home.recover(checkpoint.get()).unwrap();
    assert_eq!(common::assert_dense(&delivered, checkpoint.get() + 1), 501);
}

#[test]
fn an_idle_log_writes_one_mark() {
    let root = tempfile::tempdir().unwrap();
    let home = Home::new(real::env(), root.path(), small());
    let running = home.start(0, Drive::Thread).unwrap();
    running.log.append(draft(1, 10), 1).unwrap().wait().unwrap();
    let path = home.segments().remove(0);
    // The MARK is the second frame: header page, one frame of 512, the MARK.
    let mark = || {
        let bytes = mallard_wal::disk::read(home.env.disk.as_ref(), &path).unwrap();
        bytes[4608..4612] == *b"MWF\x01" && bytes[4612] == 2
    };
    while !mark() {
        thread::yield_now();
    }
    running.log.close().unwrap();
}

#[test]
fn an_observer_that_panics_poisons_the_log_and_leaves_no_waiter_behind() {
    struct Panics;
    impl mallard_wal::Observer<u64> for Panics {
        fn committed(&self, _: mallard_wal::Committed<u64>) {
            panic!("the observer panics on purpose");
        }
        fn sealed(&self, _: mallard_wal::SealedSegment) {}
        fn poisoned(&self, _: &str) {}
    }
    let root = tempfile::tempdir().unwrap();
    let home = Home::new(real::env(), root.path(), small());
    let log = home.recover(0).unwrap().0.start(Arc::new(Panics), Drive::Thread).unwrap();
    let receipt = log.append(draft(1, 10), 1).unwrap();
    assert_eq!(receipt.wait(), Err(LogError::OutcomeUnknown));
    assert!(matches!(log.close(), Err(Error::Poisoned { .. })));
    assert_eq!(log.append(draft(2, 10), 2).unwrap_err(), Refused::Poisoned);
}

#[test]
fn a_log_that_could_not_begin_a_segment_says_so_no_longer_once_a_seal_has_begun_one() {
    let (home, disk) = simulated();
    disk.set_capacity(0);
    let running = home.start(0, Drive::Manual).unwrap();
    assert!(running.log.status().no_segment.is_some());
    assert_eq!(running.log.seal().unwrap(), None);
    assert!(running.log.status().no_segment.is_some(), "there is still no room");
    disk.set_capacity(1 << 30);
    assert_eq!(running.log.seal().unwrap(), None, "there is nothing to seal");
    assert_eq!(running.log.status().no_segment, None);
    assert!(running.log.status().wal_bytes > 0);
    assert_eq!(running.commit(1, 10), 1);
}
