//! [`Spill`]: the folder that one `sql` spills into.
//!
//! ```text
//! tmp/sql-<random>/       made before DuckDB starts, removed at the end
//! tmp/sql-<random>/LOCK   held for as long: a server that starts meanwhile leaves the folder alone
//! ```
//! The number of the process would not do for a name: in a container every program may be the first. What a kill leaves goes
//! at the next start of the server.

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

/// Whether a `sql` holds this folder of `tmp/`.
pub(crate) fn is_spilling(disk: &dyn Disk, folder: &Path, name: &str) -> bool {
    name.starts_with(PREFIX) && disk.lock(&folder.join(LOCK)).is_err()
}
