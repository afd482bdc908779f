//! Who owns a data directory: a server that was started as root (a container with a fresh volume) gives the directory to
//! the user that it then becomes.
//!
//! What it has given away once is not walked again: the owner of a folder is changed after that of everything in it, so a
//! folder that has its owner is done. Only the uppermost two levels are looked at each time, for what a command that ran as
//! root may have left there. A server that had to stay root has written anywhere; its file in `manifest/`, which every
//! server writes, tells so, and everything is walked once. Links are not followed, and nothing but what a store holds is
//! given away: a mistaken `MALLARD_DATA_DIR=/etc` must stay harmless.

use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt as _, lchown};
use std::path::{Path, PathBuf};

use mallard_wal::disk::Env;

use crate::error::{Error, IoContext as _};
use crate::layout::Layout;

/// Levels whose entries are looked at whoever owns their folder: `control/`, and the files in it.
const LEVELS_ALWAYS: usize = 2;

/// What a data directory may hold, of this program or of its predecessor, and what a new file system holds.
const NAMES: [&str; 21] = [
    "ADOPTING",
    "LOCK",
    "STORE",
    "RESTORING",
    "REPAIRING",
    "REPAIRED",
    "wal",
    "manifest",
    "events",
    "rollup",
    "quarantine",
    "archive",
    "snapshots",
    "control",
    "tmp",
    "ballast",
    "erasure.log",
    ".secret",
    "api_keys.json",
    "api_keys.json.original",
    "lost+found",
];
/// The derived file, its log, and what was moved aside.
const DUCKDB: &str = "mallard.duckdb";
/// Every server writes a file there when it starts. It is given away last: until then a walk that was cut off is known.
const MANIFEST: &str = "manifest";

/// A user and a group, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

impl Owner {
    fn has(self, metadata: &Metadata) -> bool {
        (metadata.uid(), metadata.gid()) == (self.uid, self.gid)
    }

    /// Whether this owner may look for a name in a folder of someone.
    fn may_enter(self, folder: &Metadata) -> bool {
        let class = match () {
            () if folder.uid() == self.uid => 0o100,
            () if folder.gid() == self.gid => 0o010,
            () => 0o001,
        };
        folder.mode() & class != 0
    }
}

/// What speaks against becoming `owner` and giving `data_dir` to it, if anything does: that a folder above it may not be
/// entered without the rights of root, or that it is not the owner's yet and no data directory. Folders that are missing
/// will be made by this process.
pub fn obstacle(data_dir: &Path, owner: Owner) -> io::Result<Option<String>> {
    let path = std::path::absolute(data_dir)?;
    for folder in path.ancestors().skip(1) {
        match fs::metadata(folder) {
            Ok(metadata) if !owner.may_enter(&metadata) => {
                return Ok(Some(format!("user {} may not enter {}", owner.uid, folder.display())));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    // What is the owner's already is not given away: whatever else somebody has put there does not keep this process root.
    if fs::metadata(&path).is_ok_and(|folder| owner.has(&folder)) { Ok(None) } else { stranger(&path) }
}

/// Something in `data_dir` that is not of a store.
fn stranger(data_dir: &Path) -> io::Result<Option<String>> {
    let entries = match fs::read_dir(data_dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        entries => entries?,
    };
    for entry in entries {
        let name = entry?.file_name();
        if !is_of_a_store(&name) {
            return Ok(Some(format!("{} holds {}, which is not of a store", data_dir.display(), name.display())));
        }
    }
    Ok(None)
}

/// Whether a file or folder of this name in a data directory is of a store, ours or the original's.
pub(crate) fn is_of_a_store(name: &OsStr) -> bool {
    NAMES.iter().any(|known| name == *known) || name.as_encoded_bytes().starts_with(DUCKDB.as_bytes())
}

/// Makes sure that `data_dir` exists and that all of the store in it belongs to `owner`, and so do the folders above it that
/// had to be made, unless there is an [`obstacle`], which the caller has asked for. Needs the rights of root.
///
/// # Errors
/// [`Error::Io`] with the first file or folder whose owner cannot be changed.
pub fn hand_over(data_dir: &Path, owner: Owner, env: &Env) -> Result<(), Error> {
    let path = std::path::absolute(data_dir).at(data_dir)?;
    let made: Vec<&Path> = path.ancestors().skip(1).take_while(|folder| !folder.exists()).collect();
    Layout::new(data_dir).create_root(env.disk.as_ref())?;
    for folder in made {
        give_itself(folder, owner)?;
    }
    let manifest = data_dir.join(MANIFEST);
    let levels = if is_all_of(owner, &manifest)? { LEVELS_ALWAYS } else { usize::MAX };
    for path in entries(data_dir)?.iter().filter(|path| **path != manifest) {
        if path.file_name().is_some_and(is_of_a_store) {
            give(path, owner, levels, 1)?;
        }
    }
    give(&manifest, owner, levels, 1)?;
    give_itself(data_dir, owner)
}

/// Whether everything in this folder belongs to `owner`; so it is if there is no such folder.
fn is_all_of(owner: Owner, folder: &Path) -> Result<bool, Error> {
    let owners = entries(folder)?.into_iter().map(|path| Ok(metadata(&path)?.is_none_or(|found| owner.has(&found))));
    owners.reduce(|all, one| Ok(all? && one?)).unwrap_or(Ok(true))
}

/// Gives a file or folder away, after what is in it: down to `levels`, and further where a folder has another owner.
fn give(path: &Path, owner: Owner, levels: usize, level: usize) -> Result<(), Error> {
    let Some(metadata) = metadata(path)? else { return Ok(()) };
    if metadata.is_dir() && (level < levels || !owner.has(&metadata)) {
        for entry in entries(path)? {
            give(&entry, owner, levels, level + 1)?;
        }
    }
    // IMPORTANT: after everything below it. A walk that is cut off is begun again.
    give_itself(path, owner)
}

fn give_itself(path: &Path, owner: Owner) -> Result<(), Error> {
    match metadata(path)? {
        Some(metadata) if !owner.has(&metadata) => lchown(path, Some(owner.uid), Some(owner.gid)).at(path),
        _ => Ok(()),
    }
}

/// The file itself, also of a link; `None` if a server that runs beside this command has removed it.
fn metadata(path: &Path) -> Result<Option<Metadata>, Error> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        metadata => metadata.map(Some).at(path),
    }
}

/// What a folder holds; nothing if there is none.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries.at(folder)?.map(|entry| Ok(entry.at(folder)?.path())).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    const NOBODY: Owner = Owner { uid: 65_534, gid: 65_534 };

    #[test]
    fn a_folder_that_others_may_not_enter_is_an_obstacle() {
        let root = tempfile::tempdir().unwrap();
        let data_dir = root.path().join("a/b/data");
        let set = |mode| fs::set_permissions(root.path(), fs::Permissions::from_mode(mode)).unwrap();
        set(0o755);
        assert_eq!(obstacle(&data_dir, NOBODY).unwrap(), None, "what is missing will be made");
        set(0o700);
        let message = format!("user 65534 may not enter {}", root.path().display());
        assert_eq!(obstacle(&data_dir, NOBODY).unwrap(), Some(message));
        let own = fs::metadata(root.path()).unwrap();
        assert_eq!(obstacle(&data_dir, Owner { uid: own.uid(), gid: own.gid() }).unwrap(), None);
    }

    #[test]
    fn a_folder_with_anything_that_is_not_of_a_store_is_not_given_away() {
        let root = tempfile::tempdir().unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let data_dir = root.path().join("data");
        for name in ["lost+found", "events", "STORE"] {
            fs::create_dir_all(data_dir.join(name)).unwrap();
        }
        assert_eq!(obstacle(&data_dir, NOBODY).unwrap(), None);
        fs::create_dir(data_dir.join("passwd")).unwrap();
        let message = obstacle(&data_dir, NOBODY).unwrap().unwrap();
        assert!(message.ends_with("holds passwd, which is not of a store"), "{message}");
        let own = fs::metadata(&data_dir).unwrap();
        let own = Owner { uid: own.uid(), gid: own.gid() };
        assert_eq!(obstacle(&data_dir, own).unwrap(), None, "what is the owner's already");
    }

    #[test]
    fn a_data_directory_is_handed_over_whole_and_nothing_outside_of_it() {
        if !fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0) {
            println!("skipped: only root may give files away");
            return;
        }
        let root = tempfile::tempdir().unwrap();
        let outside = root.path().join("outside");
        fs::create_dir(&outside).unwrap();
        let data_dir = root.path().join("data");
        let deep = data_dir.join("events/site_id=a/date=2026-01-01");
        fs::create_dir_all(&deep).unwrap();
        symlink(&outside, data_dir.join("events/link")).unwrap();
        fs::create_dir(data_dir.join("backup")).unwrap();
        let env = mallard_wal::disk::real::env();
        hand_over(&data_dir, NOBODY, &env).unwrap();
        for path in [&data_dir, &data_dir.join("events"), &deep, &data_dir.join("events/link")] {
            assert!(NOBODY.has(&fs::symlink_metadata(path).unwrap()), "{}", path.display());
        }
        assert!(!NOBODY.has(&fs::metadata(&outside).unwrap()));
        assert!(!NOBODY.has(&fs::metadata(data_dir.join("backup")).unwrap()), "what is not of a store");

        fs::create_dir_all(data_dir.join("snapshots/1/wal")).unwrap();
        hand_over(&data_dir, NOBODY, &env).unwrap();
        assert!(NOBODY.has(&fs::metadata(data_dir.join("snapshots/1/wal")).unwrap()), "what root has left later");
    }
}
