//! Copies of a store elsewhere, and a search of the whole disk: what was erased is not found, and does not come back.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use mallard_engine::{Archive, Config, Error, Image, Progress, Restore, Store, backup};
use mallard_event::SiteId;
use mallard_wal::Drive;
use mallard_wal::disk::sim;
use mallard_wal::disk::{self, Disk, Env};

use crate::oracle::{Oracle, SITES, number_of};

/// The files of a copy.
#[derive(Default)]
pub struct Copy(BTreeMap<String, Vec<u8>>);

impl Archive for Copy {
    fn file(&mut self, path: &str, _bytes: u64, content: &mut dyn Read) -> io::Result<()> {
        content.read_to_end(self.0.entry(path.to_owned()).or_default()).map(drop)
    }
}

impl Copy {
    pub fn take(env: &Env) -> Result<(Self, Image), Error> {
        let mut copy = Self::default();
        let image = backup(Path::new("/data"), env, &[], &mut copy, &mut |_, _| {})?;
        Ok((copy, image))
    }

    /// The copy is restored on another machine with the ledger of now: nobody finds there what was erased.
    pub fn assert_erased(&self, env: &Env, oracle: &Oracle) {
        let (machine, target, _) = sim::env(1);
        target.create_dir(Path::new("/given")).unwrap();
        let ledger = disk::read(env.disk.as_ref(), Path::new("/data/erasure.log")).unwrap();
        target.create(Path::new("/given/erasure.log")).unwrap().write_all_at(&ledger, 0).unwrap();
        let given = Some(Path::new("/given/erasure.log"));
        let mut restore = Restore::begin(Path::new("/data"), machine.clone(), given).unwrap();
        for (path, bytes) in &self.0 {
            restore.file(Path::new(path), &mut &bytes[..]).unwrap();
        }
        restore.finish(false, &mut |_, _| {}).unwrap();
        assert_gone(&machine, oracle);
        let config = Config::new(Path::new("/data"));
        let store = Store::open(config, machine, Drive::Manual, Arc::new(Progress::default())).unwrap();
        for site in SITES {
            for row in store.events(&SiteId::parse(site).unwrap()).unwrap() {
                let number = number_of(&row.event);
                assert!(!oracle.erased().contains(&number), "event {number} was erased and is restored");
            }
        }
    }
}

/// No file holds the id of an erased event.
pub fn assert_gone(env: &Env, oracle: &Oracle) {
    search(env.disk.as_ref(), Path::new("/data"), oracle);
}

fn search(disk: &dyn Disk, folder: &Path, oracle: &Oracle) {
    for entry in disk.list(folder).unwrap() {
        let path = folder.join(&entry.name);
        if entry.is_dir {
            search(disk, &path, oracle);
            continue;
        }
        let bytes = disk::read(disk, &path).unwrap();
        for number in numbers_in(&bytes) {
            let is_erased = oracle.erased().contains(&number);
            assert!(!is_erased, "event {number} was erased and is in {}", path.display());
        }
    }
}

/// The numbers of all events whose id is somewhere in these bytes.
fn numbers_in(bytes: &[u8]) -> Vec<usize> {
    const PREFIX: &[u8] = b"event-";
    let starts = bytes.windows(PREFIX.len()).enumerate().filter(|(_, window)| *window == PREFIX);
    let digits = |start: usize| bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let text = |start: usize| String::from_utf8_lossy(&bytes[start..start + digits(start)]).into_owned();
    starts.filter_map(|(at, _)| text(at + PREFIX.len()).parse().ok()).collect()
}
