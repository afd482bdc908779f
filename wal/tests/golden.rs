//! Yesterday's files: what version 1 wrote is written byte for byte the same, and is read.
//!
//! The files were made once by the functions below and are never made again: a change that needs new ones is a new
//! version of the format, with fixtures of its own beside these.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod common;

use std::path::Path;

use common::{Delivered, Home, STORE_ID, draft, item_of, small};
use mallard_wal::disk::{self, sim};
use mallard_wal::{Drive, End, Lsn, Seal, SegmentHeader, SegmentWriter, scan};

const OPEN: &[u8] = include_bytes!("fixtures/v1/open.wal");
const SEALED: &[u8] = include_bytes!("fixtures/v1/sealed.wal");
const REBUILT: &[u8] = include_bytes!("fixtures/v1/rebuilt.wal");

const NAME: &str = "00000000000000000041.wal";

fn header() -> SegmentHeader {
    SegmentHeader {
        store_id: STORE_ID,
        number: 3,
        base_lsn: Lsn::new(41),
        epoch: 2,
        nonce: 0x1122_3344_5566_7788,
        created_us: 1_700_000_000_000_000,
        previous_chain: 0xdead_beef,
        commit_align: 512,
        flags: 0,
        prepared_bytes: 8192,
        frame_payload_bytes_max: 2048,
    }
}

/// Two records, two records, a MARK, one record; then perhaps the SEAL.
fn write(is_sealed: bool) -> Vec<u8> {
    let (env, ..) = sim::env(1);
    let path = Path::new("/segment");
    let file = env.disk.create(path).unwrap();
    file.set_len(8192).unwrap();
    let mut writer = SegmentWriter::create(file, header()).unwrap();
    assert_eq!(writer.commit(&[draft(41, 5), draft(42, 0)]).unwrap(), Lsn::new(41));
    assert_eq!(writer.commit(&[draft(43, 300), draft(44, 90)]).unwrap(), Lsn::new(43));
    assert!(writer.mark().unwrap());
    assert!(!writer.mark().unwrap());
    assert_eq!(writer.commit(&[draft(45, 1)]).unwrap(), Lsn::new(45));
    if is_sealed {
        writer.seal().unwrap();
    }
    disk::read(env.disk.as_ref(), path).unwrap()
}

/// The sealed segment after the body of LSN 43 was damaged and recovery has rebuilt it.
fn rebuild() -> Vec<u8> {
    let home = install(SEALED);
    let disk = &home.env.disk;
    let file = disk.open_write(&home.dir.join(NAME)).unwrap();
    file.write_all_at(b"damage", 4096 + 512 + 80 + 100).unwrap();
    file.sync_data().unwrap();
    home.recover(40).unwrap();
    disk::read(disk.as_ref(), &home.dir.join(NAME)).unwrap()
}

fn install(bytes: &[u8]) -> Home {
    let (env, ..) = sim::env(1);
    let home = Home::new(env, Path::new("/"), small());
    let file = home.env.disk.create(&home.dir.join(NAME)).unwrap();
    file.write_all_at(bytes, 0).unwrap();
    file.sync_data().unwrap();
    home.env.disk.sync_dir(&home.dir).unwrap();
    home
}

#[test]
fn segments_are_written_byte_for_byte_as_ever() {
    assert!(write(false) == OPEN);
    assert!(write(true) == SEALED);
    assert!(rebuild() == REBUILT);
}

#[test]
fn a_sealed_segment_of_version_1_is_read() {
    let scan = scan(SEALED, STORE_ID).unwrap();
    assert_eq!(scan.header, header());
    let expected = Seal {
        first_lsn: Lsn::new(41),
        last_lsn: Lsn::new(45),
        records: 5,
        min_received_us: 1_000_041,
        max_received_us: 1_000_045,
        frames: 4,
        file_crc: crc32fast::hash(&SEALED[..SEALED.len() - 512]),
        link: u32::from_le_bytes(SEALED[SEALED.len() - 512 + 52..][..4].try_into().unwrap()),
    };
    assert_eq!(scan.end, End::Sealed(expected));
    assert!(scan.records().map(|record| (record.lsn.get(), item_of(&record))).eq((41..=45).map(|lsn| (lsn, lsn))));
}

#[test]
fn an_open_segment_of_version_1_is_read_and_continued() {
    assert_eq!(scan(OPEN, STORE_ID).unwrap().end, End::Clean { at: 4096 + 512 + 1024 + 512 + 512 });
    let running = install(OPEN).start(40, Drive::Manual).unwrap();
    assert_eq!(running.delivered, (41..=45).map(|lsn| Delivered::Record(lsn, lsn)).collect::<Vec<_>>());
    assert_eq!(running.commit(46, 10), 46);
}

#[test]
fn a_rebuilt_segment_of_version_1_is_read() {
    let (_, delivered) = install(REBUILT).recover(40).unwrap();
    let record = |lsn| Delivered::Record(lsn, lsn);
    assert_eq!(delivered, [record(41), record(42), Delivered::Gap(43, 43), record(44), record(45)]);
}
