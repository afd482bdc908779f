//! [`Spill`]: the folder that one `sql` spills into.
//!
//! ```text
//! tmp/sql-<random>/       made before DuckDB starts, removed at the end
//! tmp/sql-<random>/LOCK   held for as long: a server that starts meanwhile leaves the folder alone
//! ```
//! The number of the process would not do for a name: in a container every program may be the first. What a kill leaves goes
//! at the next start of the server.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mallard_wal::disk::{Disk, Env, Lock};

use crate::backup::remove_tree;
use crate::layout::Layout;

const PREFIX: &str = "sql-";
const LOCK: &str = "LOCK";

/// A folder to spill into, gone when dropped.
#[derive(Debug)]
pub(super) struct Spill {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    lock: Option<Box<dyn Lock>>,
}

impl Spill {
    /// Makes the folder. Where that is not possible nothing can be spilled, which only a question that has to will notice.
    pub(super) fn new(env: &Env, layout: &Layout) -> Self {
        let mut random = [0; 8];
        env.entropy.fill(&mut random);
        let folder = layout.tmp().join(format!("{PREFIX}{:016x}", u64::from_le_bytes(random)));
        let made = env.disk.create_dir(&folder).and_then(|()| env.disk.lock(&folder.join(LOCK)));
        Self { disk: Arc::clone(&env.disk), folder, lock: made.ok() }
    }

    /// Where.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Spill {
    fn drop(&mut self) {
        if self.lock.is_some() {
            remove_tree(self.disk.as_ref(), &self.folder).ok();
        }
    }
}

/// Whether a `sql` holds this folder of `tmp/`. A lock that cannot be taken for another reason, such as a volume without room
/// for it, is held by nobody.
pub(crate) fn is_spilling(disk: &dyn Disk, folder: &Path, name: &str) -> bool {
    let is_held = |error: io::Error| error.kind() == io::ErrorKind::WouldBlock;
    name.starts_with(PREFIX) && disk.lock(&folder.join(LOCK)).is_err_and(is_held)
}

#[cfg(test)]
mod tests {
    use mallard_wal::disk::sim::{self, ENOSPC, Fault};

    use super::*;

    #[test]
    fn a_folder_that_nobody_holds_is_not_spilled_into_because_its_lock_cannot_be_taken() {
        let (env, disk, _) = sim::env(1);
        let layout = Layout::new("/data");
        layout.create(env.disk.as_ref()).unwrap();
        let folder = layout.tmp().join("sql-1");
        env.disk.create_dir(&folder).unwrap();
        let held = env.disk.lock(&folder.join(LOCK)).unwrap();
        assert!(is_spilling(&disk, &folder, "sql-1"));
        drop(held);
        disk.fail_at(disk.operations() + 1, Fault::ErrorOnce(ENOSPC));
        assert!(!is_spilling(&disk, &folder, "sql-1"));
        assert!(disk.is_sound(), "the fault has struck");
    }
}
