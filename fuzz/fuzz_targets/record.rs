//! Any bytes as a record: no panic, and what parses is within the bytes it came from.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mallard_wal::Record;

fuzz_target!(|bytes: &[u8]| {
    if let Ok((record, length)) = Record::parse(bytes) {
        assert!(length <= bytes.len() && record.body.len() < length);
    }
});
