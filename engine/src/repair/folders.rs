//! Where originals go: `quarantine/repaired/` and the path that they had, numbered if that is taken.

use std::io::ErrorKind;
use std::path::Path;

use mallard_wal::disk::{Disk, Env, durable};

use super::{Action, Repair, notes};
use crate::error::{Error, IoContext as _};
use crate::layout::Layout;

/// How many originals of one path are kept.
const COPIES_MAX: u32 = 1000;

impl Repair {
    /// The action that takes a file away.
    pub(super) fn aside(&self, path: &str, what: &str) -> Action {
        Action { path: path.to_owned(), what: what.to_owned(), kept: Some(self.free_name(path)) }
    }

    /// The first name for an original of `path` that is not taken.
    pub(super) fn free_name(&self, path: &str) -> String {
        free_name(self.disk(), &self.layout, path)
    }

    /// Gives a file another place; one that is gone has got it already.
    pub(super) fn move_aside(&self, path: &str, kept: &str) -> Result<(), Error> {
        move_aside(self.disk(), &self.layout, path, kept)
    }

    /// Gives a file a second name, for an original that is about to be replaced.
    pub(super) fn copy_aside(&self, from: &Path, path: &str) -> Result<(), Error> {
        let (disk, root) = (self.disk(), self.layout.root());
        durable::create_dirs(disk, root, Path::new(Layout::REPAIRED_FILES)).at(from)?;
        let to = root.join(self.free_name(path));
        disk.hard_link(from, &to).at(from)?;
        let folder = to.parent().unwrap_or(root);
        disk.sync_dir(folder).at(folder)
    }
}

fn free_name(disk: &dyn Disk, layout: &Layout, path: &str) -> String {
    let name = |copy: u32| match copy {
        0 => format!("{}/{path}", Layout::REPAIRED_FILES),
        _ => format!("{}/{path}.{copy}", Layout::REPAIRED_FILES),
    };
    let is_free = |name: &String| {
        let opened = disk.open(&layout.root().join(name));
        opened.is_err_and(|error| error.kind() == ErrorKind::NotFound)
    };
    (0..COPIES_MAX).map(name).find(is_free).unwrap_or_else(|| name(COPIES_MAX))
}

fn move_aside(disk: &dyn Disk, layout: &Layout, path: &str, kept: &str) -> Result<(), Error> {
    let root = layout.root();
    let (from, to) = (root.join(path), root.join(kept));
    if let Some(folder) = Path::new(kept).parent() {
        durable::create_dirs(disk, root, folder).at(&to)?;
    }
    match durable::publish(disk, &from, &to) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        moved => moved.at(&from),
    }
}

/// Takes a file away that a server can do without, and notes that and why; returns the note. One that must not outlive its day
/// is not kept.
pub(crate) fn set_aside(env: &Env, layout: &Layout, path: &str, what: &str, is_kept: bool) -> Result<String, Error> {
    let disk = env.disk.as_ref();
    let kept = is_kept.then(|| free_name(disk, layout, path));
    let place = kept.as_ref().map(|kept| format!("; the original is {kept}")).unwrap_or_default();
    let note = format!("set aside: {path}: {what}{place}");
    // IMPORTANT: the note first. A crash in between finds the file again, and the note twice is one line.
    notes::add_notes(env, layout, std::iter::once(note.clone()))?;
    match kept {
        Some(kept) => move_aside(disk, layout, path, &kept)?,
        None => durable::remove(disk, &layout.root().join(path)).at(&layout.root().join(path))?,
    }
    Ok(note)
}
