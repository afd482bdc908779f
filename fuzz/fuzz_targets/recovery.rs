//! Any bytes as the only segment of a log: recovery ends, what it delivers is in order, and doing it again delivers the
//! same records.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use mallard_wal::disk::{Env, sim};
use mallard_wal::{Config, Lsn, Origin};

fuzz_target!(|bytes: &[u8]| {
    let (env, _, _) = sim::env(1);
    for folder in ["/wal", "/quarantine"] {
        env.disk.create_dir(Path::new(folder)).unwrap();
    }
    let file = env.disk.create(Path::new("/wal/00000000000000000001.wal")).unwrap();
    file.write_all_at(bytes, 0).unwrap();
    file.sync_data().unwrap();
    env.disk.sync_dir(Path::new("/wal")).unwrap();
    let Some(first) = recover(&env) else { return };
    assert!(first.is_sorted());
    assert_eq!(recover(&env), Some(first));
});

fn recover(env: &Env) -> Option<Vec<Lsn>> {
    let config = Config { segment_bytes: 64 << 10, ..Config::default() };
    let origin = Origin { store_id: 1, checkpoint: Lsn::ZERO };
    let mut lsns = Vec::new();
    let (wal, quarantine) = (Path::new("/wal"), Path::new("/quarantine"));
    mallard_wal::recover(env, wal, quarantine, &config, origin, &mut |record| lsns.push(record.lsn)).ok()?;
    Some(lsns)
}
