//! Root is given up before anything is read or written: a container is started as root because its volume belongs to root,
//! and does not stay so.
//!
//! A process of another user changes nothing. One of root hands the data directory over to [`SERVICE`], becomes that user
//! for good, and makes sure that it cannot go back. Where that user could not reach the directory (below `/root`, say), or
//! where it holds other things, the process stays what it is and says so: a warning is better than a server that does not
//! start.
//!
//! NOTE: the calls below are those of one thread. They come before any other thread is started, which then inherits.

use std::path::Path;

use mallard_engine::{Error, Owner, env, hand_over, obstacle};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};
use rustix::process::{getegid, geteuid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid, set_thread_uid};

use crate::exit::Failure;

/// A number that no distribution gives to anyone; the one that images without a user database have for "nobody special".
const SERVICE: Owner = Owner { uid: 65_532, gid: 65_532 };

/// Gives up root, if this process has it. The warning to log, if it had to stay root.
pub(crate) fn give_up(data_dir: &Path) -> Result<Option<String>, Failure> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let at = |source| Failure::DataDirectory(Error::Io { path: data_dir.to_owned(), source });
    if let Some(obstacle) = obstacle(data_dir, SERVICE).map_err(at)? {
        return Ok(Some(format!(
            "running as root: {obstacle}; start it as another user or choose another MALLARD_DATA_DIR"
        )));
    }
    hand_over(data_dir, SERVICE, &env::real()).map_err(Failure::DataDirectory)?;
    become_service().map_err(|error| Failure::Internal(format!("cannot give up the rights of root: {error}")))?;
    Ok(None)
}

/// After a command that had to stay root, because it writes elsewhere too: what it left in the data directory is the
/// server's.
pub(crate) fn return_to_service(data_dir: &Path) -> Result<(), Failure> {
    let is_ours = std::fs::metadata(data_dir).is_ok_and(|folder| {
        use std::os::unix::fs::MetadataExt as _;
        folder.uid() == SERVICE.uid
    });
    if geteuid().is_root() && is_ours {
        hand_over(data_dir, SERVICE, &env::real()).map_err(Failure::DataDirectory)?;
    }
    Ok(())
}

fn become_service() -> Result<(), Errno> {
    let (uid, gid) = (Uid::from_raw(SERVICE.uid), Gid::from_raw(SERVICE.gid));
    // IMPORTANT: the user last; afterwards nothing else may be changed any more.
    set_thread_groups(&[])?;
    set_thread_res_gid(gid, gid, gid)?;
    set_thread_res_uid(uid, uid, uid)?;
    let is_final = (geteuid(), getegid()) == (uid, gid) && set_thread_uid(Uid::ROOT).is_err();
    if is_final { Ok(()) } else { Err(Errno::PERM) }
}
