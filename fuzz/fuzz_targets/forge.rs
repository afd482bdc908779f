//! A segment file whose checksums are right, whatever else is in it: the scan and the recovery end, what they deliver is
//! in order, and a second recovery delivers the same. The first byte says which checksums are made right.
#![no_main]

use std::path::PathBuf;

use libfuzzer_sys::fuzz_target;
use mallard_fuzz::STORE_ID;
use mallard_fuzz::forge::Forge;
use mallard_fuzz::history::Machine;
use mallard_wal::{SegmentHeader, scan};

fuzz_target!(|bytes: &[u8]| {
    let Some((bits, file)) = bytes.split_first() else { return };
    let mut file = file.to_vec();
    Forge::from_bits(*bits).apply(&mut file);
    if let Ok(scan) = scan(&file, STORE_ID) {
        let ends: Vec<_> = scan.records().map(|record| (record.lsn, record.last_lsn())).collect();
        assert!(ends.windows(2).all(|pair| pair[0].1 < pair[1].0));
        assert!(ends.last().is_none_or(|(_, last)| last.next() == scan.next_lsn()));
    }
    recover(file);
});

fn recover(file: Vec<u8>) {
    let base = SegmentHeader::parse(&file, STORE_ID).map_or(1, |header| header.base_lsn.get());
    let path = PathBuf::from(format!("/wal/{base:020}.wal"));
    let machine = Machine::with_files([(&path, &file)]);
    let Some(first) = lsns(&machine) else { return };
    assert!(first.windows(2).all(|pair| pair[0].1 + 1 == pair[1].0), "LSNs are dense: {first:?}");
    assert_eq!(lsns(&machine), Some(first), "a second recovery delivers the same");
}

/// First and last LSN of each record.
fn lsns(machine: &Machine) -> Option<Vec<(u64, u64)>> {
    let mut lsns = Vec::new();
    machine.recover(0, &mut |record| lsns.push((record.lsn.get(), record.last_lsn().get()))).ok()?;
    Some(lsns)
}
