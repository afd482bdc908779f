//! Any bytes as a record, as they are and with a right length and checksum: no panic, and what is read is what a writer
//! would have written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mallard_fuzz::{forge, store};
use mallard_wal::{Draft, Kind, Record};

fuzz_target!(|bytes: &[u8]| {
    check(bytes);
    let mut forged = bytes.to_vec();
    if forged.len() >= 44 {
        let length = u32::try_from(forged.len() - 4).expect("inputs are short");
        forge::put(&mut forged, 0, length);
        forge::end_in(&mut forged, forge::tagged);
        let is_record = check(&forged);
        assert!(is_record || forged[4] == Kind::GAP.0, "the checksum is right, and only gaps say more than that");
    }
});

fn check(bytes: &[u8]) -> bool {
    let Ok((record, length)) = Record::parse(bytes, store()) else { return false };
    assert_eq!(record.encoded(), &bytes[..length]);
    if record.kind == Kind::GAP {
        assert!(record.gap().is_some_and(|(first, last)| first == record.lsn && first <= last));
    } else {
        let Record { kind, body_version, flags, received_us, key, body, .. } = record;
        let draft = Draft::new(kind, body_version, flags, received_us, key, body).expect("it fits, for it was read");
        let mut again = Vec::new();
        draft.finish_into(store(), record.lsn, &mut again);
        assert_eq!(again, record.encoded());
    }
    true
}
