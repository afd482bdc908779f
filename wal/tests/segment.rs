//! One segment by itself: a file that grows as it is written, as the manifest uses it, and a writer that has failed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod common;

use std::path::Path;

use common::{STORE_ID, draft, item_of};
use mallard_wal::disk::sim::{self, EIO, Fault};
use mallard_wal::disk::{self, Disk};
use mallard_wal::{Corruption, End, HeaderError, Lsn, SegmentHeader, SegmentWriter, scan};

const PATH: &str = "/growing";

fn header() -> SegmentHeader {
    SegmentHeader {
        store_id: STORE_ID,
        number: 1,
        base_lsn: Lsn::FIRST,
        epoch: 1,
        nonce: 77,
        created_us: 0,
        previous_chain: 0,
        commit_align: 512,
        flags: 0,
        prepared_bytes: 0,
        frame_payload_bytes_max: 4096,
    }
}

/// Five frames of one, two, three... records.
fn growing(disk: &dyn Disk) -> SegmentWriter {
    let mut writer = SegmentWriter::create(disk.create(Path::new(PATH)).unwrap(), header()).unwrap();
    let mut item = 1;
    for records in 1..=5 {
        let drafts: Vec<_> = (item..item + records).map(|item| draft(item, 100)).collect();
        assert_eq!(writer.commit(&drafts).unwrap().get(), item);
        item += records;
    }
    writer
}

fn bytes_of(disk: &dyn Disk) -> Vec<u8> {
    disk::read(disk, Path::new(PATH)).unwrap()
}

fn items(bytes: &[u8]) -> Vec<u64> {
    scan(bytes, STORE_ID).unwrap().records().map(|record| item_of(&record)).collect()
}

#[test]
fn a_growing_segment_ends_where_its_writer_stopped() {
    let (env, ..) = sim::env(1);
    let writer = growing(env.disk.as_ref());
    let bytes = bytes_of(env.disk.as_ref());
    assert_eq!(writer.bytes(), bytes.len() as u64);
    assert!(writer.fits(1 << 20), "a file that grows has room");
    assert_eq!(scan(&bytes, STORE_ID).unwrap().end, End::Clean { at: writer.bytes() });
    assert_eq!(scan(&bytes, STORE_ID).unwrap().next_lsn(), writer.next_lsn());
    assert_eq!(items(&bytes), (1..=15).collect::<Vec<_>>());
}

#[test]
fn a_growing_segment_cut_anywhere_holds_a_prefix_of_its_records() {
    let (env, ..) = sim::env(1);
    drop(growing(env.disk.as_ref()));
    let bytes = bytes_of(env.disk.as_ref());
    for length in 4096..bytes.len() {
        let cut = &bytes[..length];
        let items = items(cut);
        assert_eq!(items, (1..=items.len() as u64).collect::<Vec<_>>());
        let end = scan(cut, STORE_ID).unwrap().end;
        assert!(matches!(end, End::Clean { .. } | End::Torn { .. }), "cut at {length}: {end:?}");
    }
    assert_eq!(scan(&bytes[..4095], STORE_ID).unwrap_err(), HeaderError::Damaged);
}

#[test]
fn damage_before_the_last_frame_is_corruption_and_in_the_last_frame_it_is_torn() {
    let (env, ..) = sim::env(1);
    drop(growing(env.disk.as_ref()));
    let bytes = bytes_of(env.disk.as_ref());
    let last_frame = bytes.len() - 1024;
    for at in 4096..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        match scan(&damaged, STORE_ID).unwrap().end {
            End::Corrupt { reason: Corruption::Acknowledged { .. }, .. } => assert!(at < last_frame, "byte {at}"),
            End::Torn { .. } => assert!(at >= last_frame, "byte {at}"),
            End::Corrupt { reason: Corruption::Padding, .. } => assert_eq!(bytes[at], 0, "byte {at}"),
            end => panic!("byte {at}: {end:?}"),
        }
    }
}

#[test]
fn a_writer_that_failed_once_refuses_for_ever() {
    for failing in 0..2 {
        let (env, disk, _) = sim::env(1);
        let mut writer = growing(env.disk.as_ref());
        disk.fail_at(disk.operations() + 1 + failing, Fault::ErrorOnce(EIO));
        assert!(writer.commit(&[draft(16, 1)]).is_err());
        let operations = disk.operations();
        assert!(writer.commit(&[draft(16, 1)]).is_err());
        assert!(writer.mark().is_err());
        assert!(writer.seal().is_err());
        assert_eq!(disk.operations(), operations, "the disk is not asked again");
    }
}

#[test]
fn a_header_with_any_byte_changed_is_damaged() {
    let page = header().encode();
    assert_eq!(SegmentHeader::parse(&page, STORE_ID), Ok(header()));
    for at in 0..page.len() {
        let mut damaged = page;
        damaged[at] ^= 1;
        assert_eq!(SegmentHeader::parse(&damaged, STORE_ID), Err(HeaderError::Damaged), "byte {at}");
    }
}

#[test]
fn a_header_of_another_store_says_whose_it_is() {
    let found = HeaderError::Foreign { expected: 5, found: STORE_ID };
    assert_eq!(SegmentHeader::parse(&header().encode(), 5), Err(found));
}
