//! What goes wrong when: power cuts, planned errors, and the trace of what was called.

use std::collections::btree_map::OccupiedEntry;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::io::Errno;

/// The error number of a failing device.
pub const EIO: i32 = Errno::IO.raw_os_error();
/// The error number of a full volume.
pub const ENOSPC: i32 = Errno::NOSPC.raw_os_error();

/// How many calls the trace remembers.
const TRACE_CALLS_MAX: usize = 4096;

/// A planned failure. The numbers are those of `errno`, such as [`EIO`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This call fails without effect; a failed sync leaves behind what a failed sync leaves behind.
    ErrorOnce(i32),
    /// This call and every later one fail.
    ErrorForEver(i32),
    /// This call, if it is a write, writes a part and fails with [`EIO`]; any other call fails with [`EIO`].
    ShortWrite,
}

/// One call that changes something.
pub(super) struct Call {
    pub(super) what: What,
    pub(super) path: Arc<Path>,
}

pub(super) enum What {
    Create,
    CreateDir,
    Rename(PathBuf),
    HardLink(PathBuf),
    RemoveFile,
    RemoveDir,
    SyncDir,
    Lock,
    Write { bytes: usize, offset: u64 },
    SyncData,
    SetLen(u64),
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.what {
            What::Create => write!(f, "create {path}"),
            What::CreateDir => write!(f, "create_dir {path}"),
            What::Rename(to) => write!(f, "rename {path} -> {}", to.display()),
            What::HardLink(to) => write!(f, "hard_link {path} -> {}", to.display()),
            What::RemoveFile => write!(f, "remove_file {path}"),
            What::RemoveDir => write!(f, "remove_dir {path}"),
            What::SyncDir => write!(f, "sync_dir {path}"),
            What::Lock => write!(f, "lock {path}"),
            What::Write { bytes, offset } => write!(f, "write {path} {bytes} bytes at {offset}"),
            What::SyncData => write!(f, "sync_data {path}"),
            What::SetLen(bytes) => write!(f, "set_len {path} to {bytes}"),
        }
    }
}

/// What becomes of a call.
pub(super) enum Admission {
    /// It is carried out.
    Run,
    /// It fails with this error; a write writes a part before it does.
    Short(io::Error),
    /// It fails with this error.
    Fail(io::Error),
    /// The power goes while it is under way: it may have happened, and nobody is left to be told.
    PowerCut,
}

/// The plan of failures, and the count of calls that it refers to.
#[derive(Default)]
pub(super) struct Faults {
    operations: u64,
    power_cut_at: Option<u64>,
    power_is_off: bool,
    planned: BTreeMap<u64, Fault>,
    for_ever: Option<i32>,
    trace: VecDeque<Call>,
}

impl Faults {
    pub(super) const fn operations(&self) -> u64 {
        self.operations
    }

    pub(super) const fn cut_power_at(&mut self, operation: u64) {
        self.power_cut_at = Some(operation);
    }

    pub(super) fn fail_at(&mut self, operation: u64, fault: Fault) {
        self.planned.insert(operation, fault);
    }

    /// The power is back, and nothing is planned any more.
    pub(super) fn clear(&mut self) {
        self.power_cut_at = None;
        self.power_is_off = false;
        self.planned.clear();
        self.for_ever = None;
    }

    /// Fails if the machine has no power.
    pub(super) fn powered(&self) -> io::Result<()> {
        if self.power_is_off { Err(power_is_off()) } else { Ok(()) }
    }

    /// Counts a call, notes it, and decides its fate.
    pub(super) fn admit(&mut self, call: Call) -> Admission {
        if self.power_is_off {
            return Admission::Fail(power_is_off());
        }
        self.operations += 1;
        self.note(call);
        if self.power_cut_at.is_some_and(|at| at <= self.operations) {
            self.power_is_off = true;
            return Admission::PowerCut;
        }
        self.due().map_or(Admission::Run, |fault| self.strike(fault))
    }

    fn note(&mut self, call: Call) {
        if self.trace.len() == TRACE_CALLS_MAX {
            self.trace.pop_front();
        }
        self.trace.push_back(call);
    }

    /// The fault of the current call.
    fn due(&mut self) -> Option<Fault> {
        let planned = self.planned.first_entry().filter(|entry| *entry.key() <= self.operations);
        planned.map(OccupiedEntry::remove).or_else(|| self.for_ever.map(Fault::ErrorOnce))
    }

    fn strike(&mut self, fault: Fault) -> Admission {
        match fault {
            Fault::ErrorOnce(errno) => Admission::Fail(io::Error::from_raw_os_error(errno)),
            Fault::ErrorForEver(errno) => {
                self.for_ever = Some(errno);
                Admission::Fail(io::Error::from_raw_os_error(errno))
            }
            Fault::ShortWrite => Admission::Short(Errno::IO.into()),
        }
    }

    /// The last calls, oldest first, each with its number.
    pub(super) fn trace(&self) -> Vec<String> {
        let first = self.operations - self.trace.len() as u64;
        let numbers = (first + 1)..;
        self.trace.iter().zip(numbers).map(|(call, number)| format!("{number} {call}")).collect()
    }
}

pub(super) fn power_is_off() -> io::Error {
    io::Error::other("power is off")
}
