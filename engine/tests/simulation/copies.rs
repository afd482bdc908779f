//! Copies of a store, restored elsewhere: they hold what was visible when they were taken. And a search of the whole disk:
//! what was erased is not found, and does not come back.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use mallard_engine::{Archive, Config, Error, Image, Progress, Restore, Store, backup, verify};
use mallard_event::SiteId;
use mallard_wal::Drive;
use mallard_wal::disk::sim;
use mallard_wal::disk::{self, Disk, Env};

use crate::oracle::{Oracle, SITES, number_of};

/// The files of a copy, and the numbers of the events that were visible when it was taken; `None` if that is not known.
pub struct Copy {
    files: BTreeMap<String, Vec<u8>>,
    visible: Option<Vec<usize>>,
}

impl Archive for Copy {
    fn file(&mut self, path: &str, _bytes: u64, content: &mut dyn Read) -> io::Result<()> {
        content.read_to_end(self.files.entry(path.to_owned()).or_default()).map(drop)
    }
}

impl Copy {
    /// A backup.
    pub fn take(env: &Env, visible: Option<Vec<usize>>) -> Result<(Self, Image), Error> {
        let mut copy = Self { files: BTreeMap::new(), visible };
        let image = backup(Path::new("/data"), env, &[], &mut copy, &mut |_, _| {})?;
        Ok((copy, image))
    }

    /// What is in the folder of a snapshot; `None` if there is no such folder.
    pub fn of_snapshot(env: &Env, id: &str, visible: Option<Vec<usize>>) -> Option<Self> {
        let folder = Path::new("/data/snapshots").join(id);
        env.disk.list(&folder).ok()?;
        let mut files = BTreeMap::new();
        read_all(env.disk.as_ref(), &folder, "", &mut files);
        Some(Self { files, visible })
    }

    /// The copy is restored on another machine with the ledger of now: nobody finds there what was erased, and everything
    /// else that was visible is there once, but for what `may_be_gone`, and nothing more.
    pub fn assert_restores(&self, env: &Env, oracle: &Oracle, may_be_gone: &dyn Fn(usize) -> bool) {
        let (machine, target, _) = sim::env(1);
        target.create_dir(Path::new("/given")).unwrap();
        let ledger = disk::read(env.disk.as_ref(), Path::new("/data/erasure.log"));
        let given = Path::new("/given/erasure.log");
        let given = ledger.is_ok().then(|| {
            target.create(given).unwrap().write_all_at(&ledger.unwrap(), 0).unwrap();
            given
        });
        let mut restore = Restore::begin(Path::new("/data"), machine.clone(), given).unwrap();
        for (path, bytes) in &self.files {
            restore.file(Path::new(path), &mut &bytes[..]).unwrap();
        }
        restore.finish(false, &mut |_, _| {}).unwrap();
        assert_gone(&machine, oracle);
        let mut config = Config::new(Path::new("/data"));
        config.wal.segment_bytes = 16 << 10;
        let verified = verify(Path::new("/data"), &machine, &mut |_, _| {}).unwrap();
        assert_eq!(verified.faults, [], "a restored store is sound");
        let store = Store::open(config, machine, Drive::Manual, Arc::new(Progress::default())).unwrap();
        let sites = SITES.iter().map(|site| SiteId::parse(site).unwrap());
        let rows = sites.flat_map(|site| store.events(&site).unwrap());
        let mut restored: Vec<usize> = rows.map(|row| number_of(&row.event)).collect();
        restored.sort_unstable();
        let twice = restored.windows(2).find(|pair| pair[0] == pair[1]);
        assert_eq!(twice, None, "an event is restored twice");
        let erased = restored.iter().find(|number| oracle.erased().contains(number));
        assert_eq!(erased, None, "an event was erased and is restored");
        let Some(visible) = &self.visible else { return };
        let strange = restored.iter().find(|number| !visible.contains(number));
        assert_eq!(strange, None, "an event is restored that was not visible when the copy was taken");
        let lost = visible.iter().find(|number| restored.binary_search(number).is_err() && !may_be_gone(**number));
        assert_eq!(lost, None, "an event was visible when the copy was taken and is not restored");
    }
}

fn read_all(disk: &dyn Disk, folder: &Path, inside: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in disk.list(&folder.join(inside)).unwrap() {
        let path = if inside.is_empty() { entry.name } else { format!("{inside}/{}", entry.name) };
        if entry.is_dir {
            read_all(disk, folder, &path, files);
        } else {
            files.insert(path.clone(), disk::read(disk, &folder.join(&path)).unwrap());
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
