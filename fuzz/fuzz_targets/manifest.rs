//! A script: the records of a manifest file, written as the program does, and then what happens to its bytes. The manifest opens
//! with a state that opens again, or it is refused.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use mallard_compactor::{EDIT_VERSION, ManifestLog};
use mallard_fuzz::script::Script;
use mallard_fuzz::{STORE_ID, header};
use mallard_wal::disk::sim::{self, SimDisk};
use mallard_wal::disk::{Disk as _, Env};
use mallard_wal::{Draft, Kind, SegmentWriter};

const FILE: &str = "/manifest/00000000000000000001.manifest";

fuzz_target!(|bytes: &[u8]| {
    let (env, disk, _) = sim::env(1);
    let mut script = Script::new(bytes);
    write(&env, &mut script).expect("an empty disk has room");
    damage(&disk, &mut script);
    let Ok(log) = ManifestLog::open(&env, Path::new("/"), STORE_ID) else { return };
    let manifest = log.manifest().clone();
    drop(log);
    let again = ManifestLog::open(&env, Path::new("/"), STORE_ID).expect("what was opened opens again");
    assert_eq!(*again.manifest(), manifest);
});

/// Flips bits of the file, as long as the script says so.
fn damage(disk: &SimDisk, script: &mut Script<'_>) {
    let length = disk.open(Path::new(FILE)).and_then(|file| file.len()).expect("the file was written");
    while script.step(2).is_some() {
        let (at, bits) = (u64::from(script.u16()) % length.max(1), script.u8().max(1));
        disk.corrupt(Path::new(FILE), at, bits).expect("a byte of the file");
    }
}

fn write(env: &Env, script: &mut Script<'_>) -> std::io::Result<()> {
    let folder = Path::new("/manifest");
    env.disk.create_dir(folder)?;
    let file = env.disk.create(Path::new(FILE))?;
    let mut writer = SegmentWriter::create(file, header(0, 4096))?;
    while let Some(step) = script.step(9) {
        let kind = match step {
            0 | 1 => Kind::CHECKPOINT,
            2..=5 => Kind::EDIT,
            6 => Kind(script.u8()),
            7 => {
                writer.mark()?;
                continue;
            }
            _ => break,
        };
        let flags = u16::from(script.u8() % 4);
        // For zero that of now, else an older one, or one that does not exist.
        let version = EDIT_VERSION.wrapping_add(1).saturating_sub(script.u8().wrapping_add(32) / 32);
        let Ok(draft) = gapless(kind).map(|kind| Draft::new(kind, version, flags, 0, [0; 16], script.bytes())) else {
            continue;
        };
        writer.commit(&[draft.expect("an operand is shorter than a body may be")])?;
    }
    env.disk.sync_dir(folder)
}

/// Only recovery writes gaps.
fn gapless(kind: Kind) -> Result<Kind, ()> {
    if kind == Kind::GAP { Err(()) } else { Ok(kind) }
}
