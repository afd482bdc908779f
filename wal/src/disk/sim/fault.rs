//! What goes wrong when: power cuts, planned errors, and the trace of what was called.
//!
//! Calls are counted twice. An *operation* changes something, and may be cut off by a power cut; a *call* is any of them,
//! those that only look included. Faults can be planned by either number.

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
    /// This call and every later one fail. Planned by an operation's number, calls that only look still work; planned by a
    /// call's number, nothing does.
    ErrorForEver(i32),
    /// This call, if it is a write, writes a part and fails with [`EIO`]; if it is a read, it reads a part and says so; any
    /// other call fails with [`EIO`].
    ShortWrite,
    /// The process is killed before this call, which does not happen, nor any later one until
    /// [`SimDisk::heal`](super::SimDisk::heal). Nothing is given up: what is in the page cache may be synced by the next
    /// process.
    Killed,
    /// A signal interrupts this call. Those that [`RealDisk`](crate::disk::real::RealDisk) repeats (opening, reading,
    /// writing, cutting) succeed; any other, and each sync, fails with `EINTR`.
    Interrupted,
}

/// One call.
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
    /// The sync of a folder that is not there, which comes no further than this.
    OpenDir,
    Lock,
    Write {
        bytes: usize,
        offset: u64,
    },
    SyncData,
    SetLen(u64),
    Open,
    Read {
        bytes: usize,
        offset: u64,
    },
    Length,
    ForgetCache,
    List,
    FreeBytes,
}

impl What {
    /// Whether the real disk repeats the call when a signal interrupts it.
    const fn is_repeated(&self) -> bool {
        matches!(self, Self::Create | Self::Open | Self::Read { .. } | Self::Write { .. } | Self::SetLen(_))
    }
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
            What::OpenDir => write!(f, "open_dir {path}"),
            What::Lock => write!(f, "lock {path}"),
            What::Write { bytes, offset } => write!(f, "write {path} {bytes} bytes at {offset}"),
            What::SyncData => write!(f, "sync_data {path}"),
            What::SetLen(bytes) => write!(f, "set_len {path} to {bytes}"),
            What::Open => write!(f, "open {path}"),
            What::Read { bytes, offset } => write!(f, "read {path} {bytes} bytes at {offset}"),
            What::Length => write!(f, "len {path}"),
            What::ForgetCache => write!(f, "forget_cache {path}"),
            What::List => write!(f, "list {path}"),
            What::FreeBytes => write!(f, "free_bytes {path}"),
        }
    }
}

/// What becomes of a call.
pub(super) enum Admission {
    /// It is carried out.
    Run,
    /// It fails with this error; a write writes a part before it does, a read reads a part instead.
    Short(io::Error),
    /// It fails with this error.
    Fail(io::Error),
    /// It does not happen, and nobody is left to be told.
    Gone,
    /// The power goes while it is under way: it may have happened, and nobody is left to be told.
    PowerCut,
}

/// The plan of failures, and the counts of calls that it refers to.
#[derive(Default)]
pub(super) struct Faults {
    calls: u64,
    operations: u64,
    power_cut_at: Option<u64>,
    power_is_off: bool,
    /// By the number of the operation.
    planned: BTreeMap<u64, Fault>,
    /// By the number of the call.
    planned_calls: BTreeMap<u64, Fault>,
    for_ever: Option<ForEver>,
    struck: Option<String>,
    /// The first call that was struck since the faults were cleared.
    first_struck: Option<String>,
    trace: VecDeque<Call>,
}

/// An error that does not go away.
#[derive(Clone, Copy)]
struct ForEver {
    errno: i32,
    /// Whether calls that only look fail too.
    is_blind: bool,
}

impl Faults {
    pub(super) const fn operations(&self) -> u64 {
        self.operations
    }

    pub(super) const fn calls(&self) -> u64 {
        self.calls
    }

    pub(super) const fn cut_power_at(&mut self, operation: u64) {
        self.power_cut_at = Some(operation);
    }

    pub(super) fn fail_at(&mut self, operation: u64, fault: Fault) {
        self.planned.insert(operation, fault);
    }

    pub(super) fn fail_call_at(&mut self, call: u64, fault: Fault) {
        self.planned_calls.insert(call, fault);
    }

    /// The last call that a planned fault has struck.
    pub(super) fn struck(&self) -> Option<String> {
        self.struck.clone()
    }

    /// The first call that a planned fault has struck since [`Faults::clear`].
    pub(super) fn first_struck(&self) -> Option<String> {
        self.first_struck.clone()
    }

    /// The power is back, and nothing is planned any more.
    pub(super) fn clear(&mut self) {
        self.first_struck = None;
        self.power_cut_at = None;
        self.power_is_off = false;
        self.planned.clear();
        self.planned_calls.clear();
        self.for_ever = None;
    }

    /// Whether nothing will go wrong any more.
    pub(super) fn is_sound(&self) -> bool {
        let is_planned = !self.planned.is_empty() || !self.planned_calls.is_empty() || self.power_cut_at.is_some();
        !is_planned && self.for_ever.is_none()
    }

    /// Fails if the machine has no power.
    pub(super) fn powered(&self) -> io::Result<()> {
        if self.power_is_off { Err(power_is_off()) } else { Ok(()) }
    }

    /// Counts an operation, notes it, and decides its fate.
    pub(super) fn admit(&mut self, call: Call) -> Admission {
        if self.power_is_off {
            return Admission::Fail(power_is_off());
        }
        self.calls += 1;
        self.operations += 1;
        if self.power_cut_at.is_some_and(|at| at <= self.operations) {
            self.note(call);
            self.power_is_off = true;
            return Admission::PowerCut;
        }
        let due = due(&mut self.planned, self.operations).map(|fault| (fault, false));
        let due = due.or_else(|| due_call(&mut self.planned_calls, self.calls));
        let fault = due.or_else(|| self.for_ever.map(|lasting| (Fault::ErrorOnce(lasting.errno), lasting.is_blind)));
        let admission = fault.map_or(Admission::Run, |(fault, is_blind)| self.strike(fault, is_blind, &call));
        self.note(call);
        admission
    }

    /// Counts a call that only looks, and decides its fate.
    pub(super) fn admit_look(&mut self, call: impl FnOnce() -> Call) -> Admission {
        if self.power_is_off {
            return Admission::Fail(power_is_off());
        }
        self.calls += 1;
        let lasting = self.for_ever.filter(|lasting| lasting.is_blind);
        let due = due_call(&mut self.planned_calls, self.calls);
        match due.or_else(|| lasting.map(|lasting| (Fault::ErrorOnce(lasting.errno), true))) {
            Some((fault, is_blind)) => self.strike_look(fault, is_blind, &call()),
            None => Admission::Run,
        }
    }

    fn note(&mut self, call: Call) {
        if self.trace.len() == TRACE_CALLS_MAX {
            self.trace.pop_front();
        }
        self.trace.push_back(call);
    }

    fn strike(&mut self, fault: Fault, is_blind: bool, call: &Call) -> Admission {
        self.struck = Some(call.to_string());
        self.first_struck.get_or_insert_with(|| call.to_string());
        match fault {
            Fault::ErrorOnce(errno) => Admission::Fail(io::Error::from_raw_os_error(errno)),
            Fault::ErrorForEver(errno) => {
                self.for_ever = Some(ForEver { errno, is_blind });
                Admission::Fail(io::Error::from_raw_os_error(errno))
            }
            Fault::ShortWrite => Admission::Short(Errno::IO.into()),
            Fault::Killed => {
                self.power_is_off = true;
                Admission::Gone
            }
            Fault::Interrupted if call.what.is_repeated() => Admission::Run,
            Fault::Interrupted => Admission::Fail(Errno::INTR.into()),
        }
    }

    /// NOTE: a full volume can be looked at as well as any other.
    fn strike_look(&mut self, fault: Fault, is_blind: bool, call: &Call) -> Admission {
        let admission = self.strike(fault, is_blind, call);
        match fault {
            Fault::ErrorOnce(ENOSPC) | Fault::ErrorForEver(ENOSPC) => Admission::Run,
            _ => admission,
        }
    }

    /// The last operations, oldest first, each with its number.
    pub(super) fn trace(&self) -> Vec<String> {
        let first = self.operations - self.trace.len() as u64;
        let numbers = (first + 1)..;
        self.trace.iter().zip(numbers).map(|(call, number)| format!("{number} {call}")).collect()
    }
}

/// The fault that is due by now.
fn due(planned: &mut BTreeMap<u64, Fault>, now: u64) -> Option<Fault> {
    planned.first_entry().filter(|entry| *entry.key() <= now).map(OccupiedEntry::remove)
}

/// The same of all calls, where what lasts leaves nothing to look at.
fn due_call(planned: &mut BTreeMap<u64, Fault>, now: u64) -> Option<(Fault, bool)> {
    due(planned, now).map(|fault| (fault, true))
}

pub(super) fn power_is_off() -> io::Error {
    io::Error::other("power is off")
}
