//! The simulated disk and the real one, mapped and not, behave alike for as long as the power is on.

use std::fmt::{Debug, Write};
use std::io;
use std::path::{Path, PathBuf};

use mallard_wal::disk::real::RealDisk;
use mallard_wal::disk::sim::{CrashMode, SimDisk, SimRng};
use mallard_wal::disk::{Disk, File, read};

const SEEDS: u64 = 25;
const STEPS: usize = 400;
const HANDLES: u64 = 4;

/// Names of files: in the root, in folders that may or may not exist, and below a file.
const FILES: [&str; 9] = ["a", "b", "c", "one/a", "one/b", "two/a", "one/deep/a", "missing/a", "a/below"];
const FOLDERS: [&str; 5] = ["one", "two", "one/deep", "missing/deep", "a/folder"];

/// A program that does random things to a disk and writes down everything it is told.
struct Player<'a> {
    disk: &'a dyn Disk,
    root: &'a Path,
    rng: SimRng,
    handles: Vec<Box<dyn File>>,
    log: String,
}

impl<'a> Player<'a> {
    fn new(disk: &'a dyn Disk, root: &'a Path, seed: u64) -> Self {
        Self { disk, root, rng: SimRng::new(seed), handles: Vec::new(), log: String::new() }
    }

    fn pick(&mut self, names: &[&'static str]) -> (&'static str, PathBuf) {
        let index = usize::try_from(self.rng.below(names.len() as u64)).expect("a small number");
        let name = names.get(index).expect("the index is below the length");
        (name, self.root.join(name))
    }

    /// Notes the result of a call: the value, or the error number of the operating system.
    fn note<T: Debug>(&mut self, call: &str, result: io::Result<T>) {
        match result {
            Ok(value) => writeln!(self.log, "{call}: {value:?}"),
            Err(error) => writeln!(self.log, "{call}: {:?} {:?}", error.kind(), error.raw_os_error()),
        }
        .expect("a string takes everything");
    }

    fn keep(&mut self, call: &str, result: io::Result<Box<dyn File>>) {
        let opened = result.map(|file| {
            self.handles.insert(0, file);
            self.handles.truncate(usize::try_from(HANDLES).expect("a small number"));
        });
        self.note(call, opened);
    }

    fn change_names(&mut self) {
        let (name, path) = self.pick(&FILES);
        let (other, to) = self.pick(&FILES);
        match self.rng.below(6) {
            0 | 1 => self.keep(&format!("create {name}"), self.disk.create(&path)),
            2 => self.keep(&format!("open {name}"), self.disk.open(&path)),
            3 => self.note(&format!("rename {name} {other}"), self.disk.rename(&path, &to)),
            4 => self.note(&format!("hard_link {name} {other}"), self.disk.hard_link(&path, &to)),
            _ => self.note(&format!("remove_file {name}"), self.disk.remove_file(&path)),
        }
    }

    fn change_folders(&mut self) {
        let (name, path) = self.pick(&FOLDERS);
        match self.rng.below(10) {
            0..5 => self.note(&format!("create_dir {name}"), self.disk.create_dir(&path)),
            5..7 => self.note(&format!("remove_dir {name}"), self.disk.remove_dir(&path)),
            7..9 => self.note(&format!("list {name}"), self.disk.list(&path)),
            _ => self.note(&format!("sync_dir {name}"), self.disk.sync_dir(&path)),
        }
    }

    fn open_for_writing(&mut self) {
        let (name, path) = self.pick(&FILES);
        self.keep(&format!("open_write {name}"), self.disk.open_write(&path));
    }

    /// Does something with an open file, whatever has become of its name.
    fn use_a_handle(&mut self) {
        let choice = usize::try_from(self.rng.below(HANDLES)).expect("a small number");
        let (offset, length) = (self.rng.below(6000), self.rng.below(3000));
        let mut buffer = vec![0; usize::try_from(length).expect("a small number")];
        self.rng.fill(&mut buffer);
        let action = self.rng.below(40);
        let Some(file) = self.handles.get(choice) else { return };
        match action {
            0 => self.note("sync_data", file.sync_data()),
            1 => self.note("forget_cache", file.forget_cache()),
            2..6 => self.note("set_len", file.set_len(offset)),
            6..10 => self.note("len", file.len()),
            10..14 => self.note("bytes", file.bytes().map(|bytes| bytes.to_vec())),
            14..24 => {
                let read = file.read_at(&mut buffer, offset);
                self.note("read_at", read.map(|read| buffer.get(..read).map(<[u8]>::to_vec)));
            }
            _ => self.note("write_all_at", file.write_all_at(&buffer, offset)),
        }
    }

    fn step(&mut self) {
        match self.rng.below(10) {
            0..3 => self.change_names(),
            3 => self.change_folders(),
            4 => self.open_for_writing(),
            _ => self.use_a_handle(),
        }
    }

    fn play(mut self) -> String {
        for _ in 0..STEPS {
            self.step();
        }
        self.log + &dump(self.disk, self.root)
    }
}

/// Every name below a folder with all that is behind it.
fn dump(disk: &dyn Disk, folder: &Path) -> String {
    let mut text = String::new();
    for entry in disk.list(folder).expect("the folder is there") {
        let path = folder.join(&entry.name);
        let content = if entry.is_dir { dump(disk, &path) } else { format!("{:?}", read(disk, &path).ok()) };
        writeln!(text, "{entry:?} {content}").expect("a string takes everything");
    }
    text
}

#[test]
fn every_disk_gives_the_same_answers_to_the_same_calls() {
    for seed in 0..SEEDS {
        let simulated = Player::new(&SimDisk::new(seed), Path::new("/"), seed).play();
        for map in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let real = Player::new(&RealDisk { map }, folder.path(), seed).play();
            for (simulated, real) in simulated.lines().zip(real.lines()) {
                assert_eq!(simulated, real, "seed {seed}, map {map}");
            }
            assert_eq!(simulated.len(), real.len(), "seed {seed}, map {map}");
        }
    }
}

#[test]
fn the_random_calls_reach_successes_and_failures_of_every_kind() {
    let log: String = (0..SEEDS).map(|seed| Player::new(&SimDisk::new(seed), Path::new("/"), seed).play()).collect();
    for call in ["create ", "open ", "open_write", "rename", "hard_link", "remove_file", "create_dir", "remove_dir"] {
        let of_call = || log.lines().filter(|line| line.starts_with(call));
        assert!(of_call().any(|line| line.ends_with(": ()")), "{call} never succeeds");
        assert!(of_call().any(|line| line.contains("NotFound")), "{call} never misses a name");
    }
    for kind in ["AlreadyExists", "NotADirectory", "DirectoryNotEmpty", "Some(9)", "InvalidInput"] {
        assert!(log.contains(kind), "{kind} never happens");
    }
}

fn all_disks(root: &Path) -> [(Box<dyn Disk>, PathBuf); 2] {
    [(Box::new(RealDisk::default()), root.to_owned()), (Box::new(SimDisk::new(0)), PathBuf::from("/"))]
}

#[test]
fn a_folder_is_not_a_file_and_a_file_is_not_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    for (disk, root) in all_disks(folder.path()) {
        let (file, folder) = (root.join("file"), root.join("folder"));
        disk.create(&file).unwrap();
        disk.create_dir(&folder).unwrap();
        let kind = |result: io::Result<()>| result.unwrap_err().kind();
        assert_eq!(kind(disk.create_dir(&file)), io::ErrorKind::AlreadyExists);
        assert_eq!(kind(disk.create(&folder).map(drop)), io::ErrorKind::AlreadyExists);
        assert_eq!(kind(disk.open_write(&folder).map(drop)), io::ErrorKind::IsADirectory);
        assert_eq!(kind(disk.remove_file(&folder)), io::ErrorKind::IsADirectory);
        assert_eq!(kind(disk.rename(&file, &folder)), io::ErrorKind::IsADirectory);
        assert_eq!(kind(disk.hard_link(&folder, &root.join("link"))), io::ErrorKind::PermissionDenied);
        assert_eq!(kind(disk.remove_dir(&file)), io::ErrorKind::NotADirectory);
        assert_eq!(kind(disk.list(&file).map(drop)), io::ErrorKind::NotADirectory);
        assert_eq!(kind(disk.sync_dir(&file)), io::ErrorKind::NotADirectory);
        assert_eq!(kind(disk.free_bytes(&root.join("missing")).map(drop)), io::ErrorKind::NotFound);
    }
}

#[test]
fn a_lock_is_held_once_until_its_guard_is_dropped_also_within_one_process() {
    let folder = tempfile::tempdir().unwrap();
    for (disk, root) in all_disks(folder.path()) {
        let path = root.join("LOCK");
        let guard = disk.lock(&path).unwrap();
        assert_eq!(disk.lock(&path).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!(disk.lock(&path).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(guard);
        let _again = disk.lock(&path).unwrap();
        assert!(disk.lock(&path).is_err());
    }
}

#[test]
fn a_simulated_disk_that_was_synced_after_random_calls_survives_a_crash() {
    for seed in 0..SEEDS {
        let disk = SimDisk::new(seed);
        Player::new(&disk, Path::new("/"), seed).play();
        sync_all(&disk, Path::new("/"));
        let before = dump(&disk, Path::new("/"));
        disk.crash_by(CrashMode::LoseAll, &mut SimRng::new(seed));
        assert_eq!(dump(&disk, Path::new("/")), before);
    }
}

fn sync_all(disk: &dyn Disk, folder: &Path) {
    for entry in disk.list(folder).expect("the folder is there") {
        let path = folder.join(&entry.name);
        if entry.is_dir {
            sync_all(disk, &path);
        } else {
            disk.open(&path).and_then(|file| file.sync_data()).expect("no fault is planned");
        }
    }
    disk.sync_dir(folder).expect("no fault is planned");
}
