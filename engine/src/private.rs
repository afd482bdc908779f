//! Nobody else on the machine reads a data directory: also one that another program, another umask or a backup tool has made.
//!
//! What this program makes is 0600 and 0700 from the start. What it finds is made so at every open, as far as a few calls go:
//! the directory itself, its folders, and the files beside them. Nobody passes a folder of mode 0700, so what is deeper needs
//! no look; the files of the original are made private as well, once, when they are adopted.
//!
//! A directory that also holds something that is not of a store keeps its mode: a mistaken `MALLARD_DATA_DIR=/etc` must stay
//! harmless. What is ours in it is made private all the same. Where the owner is somebody else, the log says so.

use std::ffi::OsStr;
use std::io;
use std::path::Path;

use mallard_wal::disk::{Disk, Entry};

use crate::layout::Layout;
use crate::owner::is_of_a_store;

/// Makes what an open finds private; what cannot be is a warning.
pub(crate) fn keep(disk: &dyn Disk, layout: &Layout) {
    let entries = entries(disk, layout.root());
    let is_ours = |entry: &Entry| is_of_a_store(OsStr::new(&entry.name));
    if entries.iter().all(is_ours) {
        close(disk, layout.root());
    }
    for entry in entries.iter().filter(|entry| is_ours(entry)) {
        close(disk, &layout.root().join(&entry.name));
    }
    for entry in self::entries(disk, &layout.control()) {
        close(disk, &layout.control().join(&entry.name));
    }
}

/// Makes a file below `root` private, and the folders between them.
pub(crate) fn close_below(disk: &dyn Disk, root: &Path, path: &Path) {
    for path in path.ancestors().take_while(|path| *path != root) {
        close(disk, path);
    }
}

fn close(disk: &dyn Disk, path: &Path) {
    match disk.make_private(path) {
        Ok(()) => {}
        // Of a server that runs beside this command.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            tracing::warn!(%error, "others may be able to read {}: its mode cannot be changed", path.display());
        }
    }
}

fn entries(disk: &dyn Disk, folder: &Path) -> Vec<Entry> {
    disk.list(folder).unwrap_or_else(|error| {
        tracing::warn!(%error, "whether others may read {} is not known", folder.display());
        Vec::new()
    })
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;
    use crate::env;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[expect(clippy::disallowed_methods, reason = "files of the test, as somebody else has left them")]
    fn left_open(root: &Path) {
        for folder in ["control", "events"] {
            fs::create_dir(root.join(folder)).unwrap();
            fs::set_permissions(root.join(folder), Permissions::from_mode(0o755)).unwrap();
        }
        for file in [".secret", "api_keys.json.original", "mallard.duckdb.original", "control/keys", "city.mmdb"] {
            fs::write(root.join(file), "x").unwrap();
            fs::set_permissions(root.join(file), Permissions::from_mode(0o644)).unwrap();
        }
        fs::set_permissions(root, Permissions::from_mode(0o755)).unwrap();
    }

    #[expect(clippy::disallowed_methods, reason = "somebody removes a file of theirs")]
    #[test]
    fn what_is_found_open_is_closed_and_what_is_not_of_a_store_is_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path();
        left_open(root);
        symlink(root.join("city.mmdb"), root.join("STORE")).unwrap();
        keep(env::real().disk.as_ref(), &Layout::new(root));
        for file in [".secret", "api_keys.json.original", "mallard.duckdb.original", "control/keys"] {
            assert_eq!(mode(&root.join(file)), 0o600, "{file}");
        }
        assert_eq!((mode(&root.join("control")), mode(&root.join("events"))), (0o700, 0o700));
        assert_eq!((mode(root), mode(&root.join("city.mmdb"))), (0o755, 0o644), "neither is a store's alone");
        fs::remove_file(root.join("city.mmdb")).unwrap();
        keep(env::real().disk.as_ref(), &Layout::new(root));
        assert_eq!(mode(root), 0o700);
    }
}
