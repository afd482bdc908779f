//! A script: the records of a manifest file, written as the program does. The manifest opens with a state that opens
//! again, or it is refused.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use mallard_compactor::{EDIT_VERSION, ManifestLog};
use mallard_fuzz::script::Script;
use mallard_fuzz::{STORE_ID, header};
use mallard_wal::disk::{Env, sim};
use mallard_wal::{Draft, Kind, SegmentWriter};

fuzz_target!(|bytes: &[u8]| {
    let (env, ..) = sim::env(1);
    write(&env, Script::new(bytes)).expect("an empty disk has room");
    let Ok(log) = ManifestLog::open(&env, Path::new("/"), STORE_ID) else { return };
    let manifest = log.manifest().clone();
    drop(log);
    let again = ManifestLog::open(&env, Path::new("/"), STORE_ID).expect("what was opened opens again");
    assert_eq!(*again.manifest(), manifest);
});

fn write(env: &Env, mut script: Script<'_>) -> std::io::Result<()> {
    let folder = Path::new("/manifest");
    env.disk.create_dir(folder)?;
    let file = env.disk.create(&folder.join(format!("{:020}.manifest", 1)))?;
    let mut writer = SegmentWriter::create(file, header(0, 4096))?;
    while let Some(step) = script.step(8) {
        let kind = match step {
            0 | 1 => Kind::CHECKPOINT,
            2..=5 => Kind::EDIT,
            6 => Kind(script.u8()),
            _ => {
                writer.mark()?;
                continue;
            }
        };
        let (flags, version) = (u16::from(script.u8() % 4), EDIT_VERSION ^ script.u8() / 240);
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
