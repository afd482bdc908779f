//! [`SimDisk`]: the simulated file system, and what a test can do to it.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use super::fault::{Admission, Call, Fault, What, power_is_off};
use super::handle::SimFile;
use super::machine::Machine;
use super::{CrashMode, SimRng, hold};
use crate::disk::{Disk, Entry, File, Lock, failed_sync};

/// A file system in memory that can lose its power. Clones share it.
///
/// Paths start at one root, which always exists; a relative path means the same as an absolute one.
#[derive(Clone)]
pub struct SimDisk {
    machine: Arc<Mutex<Machine>>,
}

impl SimDisk {
    /// An empty disk; `seed` decides what failed calls leave behind.
    pub fn new(seed: u64) -> Self {
        Self { machine: Arc::new(Mutex::new(Machine::new(seed))) }
    }

    /// Cuts the power and starts the machine again: any subset of what was not synced survives.
    ///
    /// Open handles and locks are dead afterwards, and planned faults are forgotten.
    pub fn crash(&self, rng: &mut SimRng) {
        self.crash_by(CrashMode::Random, rng);
    }

    /// [`SimDisk::crash`] with a chosen treatment of what was not synced.
    pub fn crash_by(&self, mode: CrashMode, rng: &mut SimRng) {
        hold(&self.machine).crash(mode, rng);
    }

    /// Forgets planned faults and errors that last, without a power cut: a device that works again. The page cache stays as
    /// it is.
    pub fn heal(&self) {
        hold(&self.machine).faults.clear();
    }

    /// Whether the machine has power: false from a planned power cut until [`SimDisk::crash`].
    pub fn has_power(&self) -> bool {
        hold(&self.machine).faults.powered().is_ok()
    }

    /// Whether nothing is planned to go wrong any more, and no error lasts.
    pub fn is_sound(&self) -> bool {
        hold(&self.machine).faults.is_sound()
    }

    /// How many mutating calls there were so far, failed ones included. The first call has the number 1.
    pub fn operations(&self) -> u64 {
        hold(&self.machine).faults.operations()
    }

    /// Cuts the power during the mutating call with this number: it and every later call of any kind fail with
    /// "power is off" until [`SimDisk::crash`]. The call itself may or may not have happened, unless it is a sync.
    pub fn cut_power_at(&self, operation: u64) {
        hold(&self.machine).faults.cut_power_at(operation);
    }

    /// Makes the mutating call with this number fail.
    pub fn fail_at(&self, operation: u64, fault: Fault) {
        hold(&self.machine).faults.fail_at(operation, fault);
    }

    /// How many calls of any kind there were so far, also those that only look.
    pub fn calls(&self) -> u64 {
        hold(&self.machine).faults.calls()
    }

    /// Makes the call with this number, of any kind, go wrong.
    pub fn fail_call_at(&self, call: u64, fault: Fault) {
        hold(&self.machine).faults.fail_call_at(call, fault);
    }

    /// The last call that a planned fault has struck.
    pub fn struck(&self) -> Option<String> {
        hold(&self.machine).faults.struck()
    }

    /// The first call that a planned fault has struck since the last power cut or [`SimDisk::heal`].
    pub fn first_struck(&self) -> Option<String> {
        hold(&self.machine).faults.first_struck()
    }

    /// The last few thousand mutating calls, oldest first, for the message of a failed test.
    pub fn trace(&self) -> Vec<String> {
        hold(&self.machine).faults.trace()
    }

    /// Flips bits of one byte, as ageing media do: no call notices.
    pub fn corrupt(&self, path: &Path, offset: u64, xor: u8) -> io::Result<()> {
        let file = hold(&self.machine).file(path)?;
        hold(&file).corrupt(offset, xor)
    }

    /// [`SimDisk::corrupt`] of what the disk holds alone: the page cache still shows what it was, until it is forgotten.
    pub fn rot(&self, path: &Path, offset: u64, xor: u8) -> io::Result<()> {
        let file = hold(&self.machine).file(path)?;
        hold(&file).rot(offset, xor)
    }

    /// Cuts a file durably, as a careless tool does: no call notices.
    pub fn truncate(&self, path: &Path, bytes: u64) -> io::Result<()> {
        let file = hold(&self.machine).file(path)?;
        hold(&file).cut(bytes)
    }

    /// Makes reads of the sector that holds `offset` fail with [`EIO`](super::EIO) until it is written again.
    pub fn break_sector(&self, path: &Path, offset: u64) -> io::Result<()> {
        let file = hold(&self.machine).file(path)?;
        hold(&file).break_sector(offset)
    }

    /// Makes listings of a folder fail with [`EIO`](super::EIO), or no more.
    pub fn break_folder(&self, path: &Path, is_broken: bool) -> io::Result<()> {
        let folder = hold(&self.machine).folder(path)?;
        hold(&folder).is_broken = is_broken;
        Ok(())
    }

    /// Sets the size of the volume. Files keep what they have.
    pub fn set_capacity(&self, bytes: u64) {
        hold(&self.machine).space.set_capacity(bytes);
    }

    /// Admits a call that only looks.
    fn look(&self, what: What, path: &Path) -> io::Result<MutexGuard<'_, Machine>> {
        let mut machine = hold(&self.machine);
        match machine.faults.admit_look(|| Call { what, path: path.into() }) {
            Admission::Run => Ok(machine),
            Admission::Fail(error) | Admission::Short(error) => Err(error),
            Admission::PowerCut | Admission::Gone => Err(power_is_off()),
        }
    }

    /// Carries out a call that changes names.
    fn change<T>(&self, what: What, path: &Path, run: impl FnOnce(&Machine) -> io::Result<T>) -> io::Result<T> {
        let mut machine = hold(&self.machine);
        match machine.faults.admit(Call { what, path: path.into() }) {
            Admission::Run => run(&machine),
            Admission::Fail(error) | Admission::Short(error) => Err(error),
            Admission::Gone => Err(power_is_off()),
            Admission::PowerCut => {
                drop(run(&machine));
                Err(power_is_off())
            }
        }
    }

    fn file(&self, path: &Path, writable: bool) -> io::Result<Box<dyn File>> {
        let machine = self.look(What::Open, path)?;
        let inode = machine.file(path)?;
        Ok(Box::new(SimFile::new(self.machine.clone(), inode, machine.life, path, writable)))
    }
}

impl Disk for SimDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn File>> {
        self.change(What::Create, path, |machine| {
            let inode = machine.create(path)?;
            let file: Box<dyn File> = Box::new(SimFile::new(self.machine.clone(), inode, machine.life, path, true));
            Ok(file)
        })
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        self.file(path, false)
    }

    fn open_write(&self, path: &Path) -> io::Result<Box<dyn File>> {
        self.file(path, true)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.change(What::CreateDir, path, |machine| machine.create_dir(path))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(What::Rename(to.to_owned()), from, |machine| machine.rename(from, to))
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(What::HardLink(to.to_owned()), from, |machine| machine.hard_link(from, to))
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.change(What::RemoveFile, path, |machine| machine.remove_file(path))
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.change(What::RemoveDir, path, |machine| machine.remove_dir(path))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut machine = hold(&self.machine);
        let what = if machine.folder(path).is_ok() { What::SyncDir } else { What::OpenDir };
        match machine.faults.admit(Call { what, path: path.into() }) {
            Admission::Run => machine.sync_dir(path),
            Admission::Fail(error) | Admission::Short(error) => {
                machine.fail_sync_dir(path)?;
                Err(failed_sync(error))
            }
            Admission::PowerCut | Admission::Gone => Err(power_is_off()),
        }
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        self.look(What::List, path)?.list(path)
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        let machine = self.look(What::FreeBytes, path)?;
        machine.node(path)?;
        Ok(machine.space.free())
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>> {
        self.change(What::Lock, path, |machine| machine.lock(path))
    }
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimDisk({} operations)", self.operations())
    }
}
