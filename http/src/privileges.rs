//! Root is given up before anything is read or written: a container is started as root because its volume belongs to root,
//! and does not stay so.
//!
//! A process of another user changes nothing. One of root becomes the user whose the data directory is; a directory of root's,
//! such as a new volume, is handed over to [`SERVICE`] first. It becomes that user for good, and makes sure that it cannot go
//! back. Where that user could not reach the directory (below `/root`, say), or where a directory of root's holds other things,
//! the process stays what it is and says so: a warning is better than a server that does not start. What it then writes is
//! handed over by the first start that can.
//!
//! NOTE: the calls below are those of one thread. They come before any other thread is started, which then inherits.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use mallard_engine::{Error, Owner, env, hand_over, obstacle};
use rustix::io::Errno;
use rustix::process::{Gid, Uid, getegid, geteuid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid, set_thread_uid};

use crate::exit::Failure;

/// A number that no distribution gives to anyone; the one that images without a user database have for "nobody special".
const SERVICE: Owner = Owner { uid: 65_532, gid: 65_532 };

/// Gives up root, if this process has it. The warning to log, if it had to stay root.
pub(crate) fn give_up(data_dir: &Path) -> Result<Option<String>, Failure> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let owner = owner_of(data_dir).unwrap_or(SERVICE);
    let at = |source| Failure::DataDirectory(Error::Io { path: data_dir.to_owned(), source });
    if let Some(obstacle) = obstacle(data_dir, owner).map_err(at)? {
        return Ok(Some(format!(
            "running as root: {obstacle}; start it as another user or choose another MALLARD_DATA_DIR"
        )));
    }
    hand_over(data_dir, owner, &env::real()).map_err(Failure::DataDirectory)?;
    become_user(owner).map_err(|error| Failure::Internal(format!("cannot give up the rights of root: {error}")))?;
    Ok(None)
}

/// After a command that had to stay root, because it writes elsewhere too: what it left in the data directory is the
/// server's.
pub(crate) fn return_to_owner(data_dir: &Path) -> Result<(), Failure> {
    match owner_of(data_dir).filter(|_| geteuid().is_root()) {
        Some(owner) if matches!(obstacle(data_dir, owner), Ok(None)) => {
            hand_over(data_dir, owner, &env::real()).map_err(Failure::DataDirectory)
        }
        _ => Ok(()),
    }
}

/// Whose the directory is, if it is there and not root's.
fn owner_of(data_dir: &Path) -> Option<Owner> {
    let folder = fs::metadata(data_dir).ok()?;
    (folder.uid() != 0).then(|| Owner { uid: folder.uid(), gid: folder.gid() })
}

fn become_user(owner: Owner) -> Result<(), Errno> {
    let (uid, gid) = (Uid::from_raw(owner.uid), Gid::from_raw(owner.gid));
    // IMPORTANT: the user last; afterwards nothing else may be changed any more.
    set_thread_groups(&[])?;
    set_thread_res_gid(gid, gid, gid)?;
    set_thread_res_uid(uid, uid, uid)?;
    let is_final = (geteuid(), getegid()) == (uid, gid) && set_thread_uid(Uid::ROOT).is_err();
    if is_final { Ok(()) } else { Err(Errno::PERM) }
}
