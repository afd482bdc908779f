//! Who owns a data directory: a server that was started as root (a container with a fresh volume) gives the directory to
//! the user that it then becomes.
//!
//! What it has given away once is not walked again: the owner of a folder is changed after that of everything in it, so a
//! folder that has its owner is done. Only the uppermost two levels are looked at each time, for what a command that ran as
//! root may have left there. Links are not followed, and of a folder that holds anything else nothing is given away: a
//! mistaken `MALLARD_DATA_DIR=/etc` must stay harmless.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt as _, lchown};
use std::path::Path;

use mallard_wal::disk::Env;

use crate::error::{Error, IoContext as _};
use crate::layout::Layout;

/// Levels whose entries are looked at whoever owns their folder: `control/`, and the files in it.
const LEVELS_ALWAYS: usize = 2;

/// What a data directory may hold, of this program or of its predecessor, and what a new file system holds.
const NAMES: [&str; 20] = [
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
    "lost+found",
];
/// The derived file, its log, and what was moved aside.
const DUCKDB: &str = "mallard.duckdb";

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

/// What speaks against giving `data_dir` to `owner`, if anything does: that a folder above it may not be entered without
/// the rights of root, or that it is no data directory. Folders that are missing will be made by this process.
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
    stranger(&path)
}

/// Something in `data_dir` that is not of a store.
fn stranger(data_dir: &Path) -> io::Result<Option<String>> {
    let entries = match fs::read_dir(data_dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        entries => entries?,
    };
    for entry in entries {
        let name = entry?.file_name();
        if !NAMES.iter().any(|known| name == **known) && !name.as_encoded_bytes().starts_with(DUCKDB.as_bytes()) {
            return Ok(Some(format!("{} holds {}, which is not of a store", data_dir.display(), name.display())));
        }
    }
    Ok(None)
}

/// Makes sure that `data_dir` exists and that everything in it belongs to `owner`, unless there is an [`obstacle`], which
/// the caller has asked for. Needs the rights of root.
///
/// # Errors
/// [`Error::Io`] with the first file or folder whose owner cannot be changed.
pub fn hand_over(data_dir: &Path, owner: Owner, env: &Env) -> Result<(), Error> {
    Layout::new(data_dir).create_root(env.disk.as_ref())?;
    give(data_dir, owner, 0)
}

fn give(path: &Path, owner: Owner, level: usize) -> Result<(), Error> {
    let metadata = match fs::symlink_metadata(path) {
        // A server that runs beside this command has removed it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        metadata => metadata.at(path)?,
    };
    if metadata.is_dir() && (level < LEVELS_ALWAYS || !owner.has(&metadata)) {
        for entry in fs::read_dir(path).at(path)? {
            give(&entry.at(path)?.path(), owner, level + 1)?;
        }
    }
    // IMPORTANT: after everything below it. A walk that is cut off is begun again.
    if owner.has(&metadata) { Ok(()) } else { lchown(path, Some(owner.uid), Some(owner.gid)).at(path) }
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
        symlink(&outside, data_dir.join("link")).unwrap();
        let env = mallard_wal::disk::real::env();
        hand_over(&data_dir, NOBODY, &env).unwrap();
        for path in [&data_dir, &data_dir.join("events"), &deep, &data_dir.join("link")] {
            assert!(NOBODY.has(&fs::symlink_metadata(path).unwrap()), "{}", path.display());
        }
        assert!(!NOBODY.has(&fs::metadata(&outside).unwrap()));

        fs::create_dir_all(data_dir.join("snapshots/1/wal")).unwrap();
        hand_over(&data_dir, NOBODY, &env).unwrap();
        assert!(NOBODY.has(&fs::metadata(data_dir.join("snapshots/1/wal")).unwrap()), "what root has left later");
    }
}
