//! A script: a segment, as the program writes it, and what then happens to its bytes. What is read of it is a prefix of
//! what was written, with nothing altered; a SEAL that verifies means that all of it is there; one damaged byte is seen.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use mallard_fuzz::damage::{Damage, Strike};
use mallard_fuzz::script::Script;
use mallard_fuzz::{STORE_ID, entry, header};
use mallard_wal::disk::{self, sim};
use mallard_wal::{End, SegmentWriter, scan};

const PREPARED_BYTES: u64 = 32 * 1024;

fuzz_target!(|bytes: &[u8]| {
    let mut script = Script::new(bytes);
    let (image, written) = write(&mut script);
    let sound = scan(&image, STORE_ID).expect("the header is sound");
    assert_eq!(sound.records().count() as u64, written);

    let mut files = vec![image.clone()];
    let mut strikes = Vec::new();
    while let Some(strike) = Strike::parse(&mut script, &files) {
        strike.apply(&mut files);
        strikes.push(strike.damage);
    }
    let Ok(read) = scan(&files[0], STORE_ID) else {
        assert_ne!(files[0].get(..4096), image.get(..4096), "the header page is refused, and nothing is wrong with it");
        return;
    };
    let items: Vec<_> = read.records().map(|record| (record.lsn.get(), entry::item_of(&record))).collect();
    assert!(items.iter().copied().eq((1..=items.len() as u64).map(|lsn| (lsn, lsn))), "not a prefix: {items:?}");
    assert!(items.len() as u64 <= written);
    assert_eq!(read.next_lsn().get(), items.len() as u64 + 1);
    match read.end {
        End::Sealed(_) => assert_eq!(items.len() as u64, written, "a SEAL vouches for all that came before it"),
        _ if files[0] == image => assert_eq!(read.end, sound.end),
        End::Clean { .. } => assert!(!matches!(strikes[..], [Damage::Flip(_)]), "a flipped bit went unseen"),
        End::Torn { .. } | End::Corrupt { .. } => {}
    }
});

/// Writes a segment; returns its bytes and the number of its records.
fn write(script: &mut Script<'_>) -> (Vec<u8>, u64) {
    let (env, ..) = sim::env(1);
    let path = Path::new("/segment");
    let file = env.disk.create(path).expect("an empty disk has room");
    file.set_len(PREPARED_BYTES).expect("an empty disk has room");
    let mut writer = SegmentWriter::create(file, header(PREPARED_BYTES, 512)).expect("no call fails");
    let mut written = 0;
    let mut is_sealed = false;
    while let Some(step) = script.step(8).filter(|step| *step < 7) {
        match step {
            0..=4 => {
                let count = 1 + u64::from(script.u8() % 4);
                let size = usize::from(script.u16() % 1900);
                let drafts: Vec<_> = (written + 1..=written + count).map(|item| entry::draft(item, size)).collect();
                if writer.fits(drafts.iter().map(mallard_wal::Draft::encoded_len).sum()) {
                    writer.commit(&drafts).expect("no call fails");
                    written += count;
                }
            }
            5 => drop(writer.mark().expect("no call fails")),
            _ => {
                is_sealed = written > 0;
                break;
            }
        }
    }
    if is_sealed {
        writer.seal().expect("no call fails");
    }
    (disk::read(env.disk.as_ref(), path).expect("no call fails"), written)
}
