//! Any bytes as a segment file: no panic, LSNs that rise without repeating.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mallard_wal::scan;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(scan) = scan(bytes, 1) {
        let lsns: Vec<_> = scan.records().map(|record| record.lsn).collect();
        assert!(lsns.is_sorted() && lsns.windows(2).all(|pair| pair[0] < pair[1]));
    }
});
