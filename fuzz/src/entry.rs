//! Numbered log entries: key, time and body follow from the number, so that a wrong record is seen.

use mallard_wal::disk::sim::SimRng;
use mallard_wal::{Draft, Kind, Record};

/// The entry with this number and a body of about this length.
pub fn draft(item: u64, bytes: usize) -> Draft {
    Draft::new(Kind::EVENT, 1, 0, received_us(item), key(item), &body(item, bytes)).expect("bodies are short")
}

/// The number of the entry that a record holds; panics if it is not exactly what [`draft`] made.
pub fn item_of(record: &Record<'_>) -> u64 {
    let (number, rest) = record.body.split_first_chunk().expect("a body begins with its number");
    let item = u64::from_le_bytes(*number);
    let header = (record.kind, record.body_version, record.flags, record.received_us, record.key);
    assert_eq!(header, (Kind::EVENT, 1, 0, received_us(item), key(item)), "a wrong record at LSN {}", record.lsn);
    assert!(record.body == body(item, rest.len()), "a wrong body at LSN {}", record.lsn);
    item
}

fn received_us(item: u64) -> i64 {
    1_000_000 + item as i64
}

fn key(item: u64) -> [u8; 16] {
    (u128::from(item) * 0x9e37_79b9_7f4a_7c15).to_le_bytes()
}

fn body(item: u64, bytes: usize) -> Vec<u8> {
    let mut body = vec![0; 8 + bytes];
    SimRng::new(item).fill(&mut body);
    body[..8].copy_from_slice(&item.to_le_bytes());
    body
}
