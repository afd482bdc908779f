//! [`SimFile`] and [`SimLock`]: what a program holds of a simulated file.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use rustix::io::Errno;

use super::fate::{CrashMode, Fate};
use super::fault::{Admission, Call, What, power_is_off};
use super::hold;
use super::inode::Inode;
use super::machine::Machine;
use crate::disk::{self, Bytes, File, Lock};

/// An open simulated file. It follows the file, not the name.
///
/// Locks are taken in one order everywhere: the machine, then the inode.
pub(super) struct SimFile {
    machine: Arc<Mutex<Machine>>,
    inode: Arc<Mutex<Inode>>,
    /// The life of the machine in which this was opened.
    life: u64,
    /// The name by which it was opened, for the trace.
    path: Arc<Path>,
    writable: bool,
}

impl SimFile {
    pub(super) fn new(
        machine: Arc<Mutex<Machine>>,
        inode: Arc<Mutex<Inode>>,
        life: u64,
        path: &Path,
        writable: bool,
    ) -> Self {
        Self { machine, inode, life, path: path.into(), writable }
    }

    fn alive(&self) -> io::Result<MutexGuard<'_, Machine>> {
        let machine = hold(&self.machine);
        machine.faults.powered()?;
        if machine.life != self.life {
            return Err(io::Error::other("this handle was opened before the crash"));
        }
        Ok(machine)
    }

    /// Admits a call that only looks.
    fn look(&self, what: What) -> io::Result<(Admission, MutexGuard<'_, Machine>)> {
        let mut machine = self.alive()?;
        let admission = machine.faults.admit_look(|| Call { what, path: self.path.clone() });
        Ok((admission, machine))
    }

    /// Admits a call that only looks, and that has no part.
    fn look_whole(&self, what: What) -> io::Result<MutexGuard<'_, Machine>> {
        match self.look(what)? {
            (Admission::Run, machine) => Ok(machine),
            (Admission::Fail(error) | Admission::Short(error), _) => Err(error),
            (Admission::PowerCut | Admission::Gone, _) => Err(power_is_off()),
        }
    }

    fn admit(&self, what: What) -> io::Result<(Admission, MutexGuard<'_, Machine>)> {
        let mut machine = self.alive()?;
        let admission = machine.faults.admit(Call { what, path: self.path.clone() });
        Ok((admission, machine))
    }
}

impl File for SimFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let (admission, _machine) = self.look(What::Read { bytes: buffer.len(), offset })?;
        let inode = hold(&self.inode);
        match admission {
            Admission::Run => inode.read_at(buffer, offset),
            Admission::Short(_) => {
                let part = buffer.len().div_ceil(2);
                inode.read_at(buffer.get_mut(..part).unwrap_or_default(), offset)
            }
            Admission::Fail(error) => Err(error),
            Admission::PowerCut | Admission::Gone => Err(power_is_off()),
        }
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if !self.writable && !bytes.is_empty() {
            return Err(Errno::BADF.into());
        }
        let (admission, mut machine) = self.admit(What::Write { bytes: bytes.len(), offset })?;
        let mut inode = hold(&self.inode);
        match admission {
            Admission::Run => inode.write_at(bytes, offset),
            Admission::Fail(error) => Err(error),
            Admission::Short(error) => {
                let written = Fate::new(CrashMode::Random, &mut machine.rng).between(bytes.len());
                inode.write_at(bytes.get(..written).unwrap_or(bytes), offset)?;
                Err(error)
            }
            Admission::Gone => Err(power_is_off()),
            Admission::PowerCut => {
                drop(inode.write_at(bytes, offset));
                Err(power_is_off())
            }
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        let (admission, mut machine) = self.admit(What::SyncData)?;
        let mut inode = hold(&self.inode);
        match admission {
            Admission::Run => {
                inode.sync();
                Ok(())
            }
            Admission::Fail(error) | Admission::Short(error) => {
                inode.fail_sync(&mut Fate::new(CrashMode::Random, &mut machine.rng));
                Err(disk::failed_sync(error))
            }
            Admission::PowerCut | Admission::Gone => Err(power_is_off()),
        }
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        if !self.writable {
            return Err(Errno::INVAL.into());
        }
        let (admission, _machine) = self.admit(What::SetLen(bytes))?;
        match admission {
            Admission::Run => hold(&self.inode).set_len(bytes),
            Admission::Fail(error) | Admission::Short(error) => Err(error),
            Admission::Gone => Err(power_is_off()),
            Admission::PowerCut => {
                drop(hold(&self.inode).set_len(bytes));
                Err(power_is_off())
            }
        }
    }

    fn len(&self) -> io::Result<u64> {
        let _machine = self.look_whole(What::Length)?;
        Ok(hold(&self.inode).len())
    }

    fn forget_cache(&self) -> io::Result<()> {
        let _machine = self.look_whole(What::ForgetCache)?;
        hold(&self.inode).forget_cache();
        Ok(())
    }

    fn bytes(&self) -> io::Result<Bytes> {
        disk::read_whole(self).map(Bytes::from)
    }
}

impl fmt::Debug for SimFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimFile({})", self.path.display())
    }
}

/// A held lock of a simulated file: held for as long as the inode's weak reference finds this.
#[derive(Debug)]
pub(super) struct SimLock {
    _guard: Arc<()>,
}

impl SimLock {
    pub(super) const fn new(guard: Arc<()>) -> Self {
        Self { _guard: guard }
    }
}

impl Lock for SimLock {}
