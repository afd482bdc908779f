//! [`Image`]: a consistent moment of a store as a data directory of its own.
//!
//! ```text
//! 1 the ledger of erasures                 first: the log or the manifest of the image has whatever is in it
//! 2 the manifest as of now                 from here on: what it names, and the log above its checkpoint
//! 3 a second name for every file it names  gone meanwhile: merged or expired; begin anew
//! 4 the segments above the checkpoint      trimmed meanwhile: begin anew
//! 5 a manifest file with the state of 2
//! ```

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use mallard_compactor::{Manifest, ManifestLog};
use mallard_wal::disk::{self, Disk, Entry, Env};

use crate::error::{Error, IoContext as _};
use crate::identity::Identity;
use crate::layout::Layout;
use crate::repair;

/// How often it is begun anew because maintenance has removed a file or a segment meanwhile.
const ATTEMPTS_MAX: usize = 20;

/// What an image holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// Events in Parquet files. Those that are in the log only come on top.
    pub events: u64,
    /// LSN through which the log is in Parquet.
    pub compacted_lsn: u64,
    /// Newest LSN; `None` if the newest segment is damaged, or no event was ever stored.
    pub last_lsn: Option<u64>,
    /// Length of the Parquet files and segments.
    pub bytes: u64,
}

/// Makes the folder `target`, which must not exist and lies on the same file system, an image of the store. The documents
/// of `control/` in `without` are left out.
pub(super) fn take(env: &Env, store: &Layout, target: &Path, without: &[&str]) -> Result<Image, Error> {
    let taker = Taker { disk: env.disk.as_ref(), env, store, target: Layout::new(target), without };
    for _ in 0..ATTEMPTS_MAX {
        if let Some(image) = taker.attempt()? {
            return Ok(image);
        }
        remove_tree(env.disk.as_ref(), target)?;
    }
    let reason = "the store changed faster than it could be copied; try again".into();
    Err(Error::Refused { path: store.root().to_owned(), reason })
}

struct Taker<'a> {
    disk: &'a dyn Disk,
    env: &'a Env,
    store: &'a Layout,
    target: Layout,
    without: &'a [&'a str],
}

impl Taker<'_> {
    /// `None` if what the manifest names was gone before it could be named twice.
    fn attempt(&self) -> Result<Option<Image>, Error> {
        let (disk, root) = (self.disk, self.target.root());
        let identity = Identity::load(disk, self.store)?;
        repair::refuse_unfinished(self.env, self.store)?;
        disk.create_dir(root).at(root)?;
        self.link_if_there(&self.store.ledger(), &self.target.ledger())?;
        let manifest = ManifestLog::peek(disk, self.store.root(), identity.store_id)?;
        // An erasure that has begun and ended in between would be in neither, and its position without an explanation.
        if self.ledger(self.store)? != self.ledger(&self.target)? {
            return Ok(None);
        }
        for folder in [self.target.wal(), self.target.control()] {
            disk.create_dir(&folder).at(&folder)?;
        }
        if !self.link_files(&manifest)? {
            return Ok(None);
        }
        let log =
            mallard_wal::copy(disk, &self.store.wal(), &self.target.wal(), identity.store_id, manifest.checkpoint())?;
        let Some(log) = log else { return Ok(None) };
        self.link_documents()?;
        ManifestLog::found(self.env, root, identity.store_id, &manifest)?;
        for folder in [self.target.wal(), self.target.control(), root.to_owned()] {
            disk.sync_dir(&folder).at(&folder)?;
        }
        let totals = manifest.totals();
        Ok(Some(Image {
            events: totals.rows,
            compacted_lsn: manifest.checkpoint().get(),
            last_lsn: log.last_lsn.map(|lsn| lsn.get().max(manifest.checkpoint().get())),
            bytes: totals.bytes + log.bytes,
        }))
    }

    fn ledger(&self, of: &Layout) -> Result<Option<Vec<u8>>, Error> {
        match disk::read(self.disk, &of.ledger()) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            bytes => bytes.at(&of.ledger()).map(Some),
        }
    }

    /// The Parquet files; false if one is gone that the manifest of now does not name either.
    fn link_files(&self, manifest: &Manifest) -> Result<bool, Error> {
        let mut folders = BTreeSet::new();
        for file in manifest.files() {
            let (from, to) = (self.store.root().join(&*file.path), self.target.root().join(&*file.path));
            let folder = Path::new(&*file.path).parent().unwrap_or(Path::new(""));
            if !folders.contains(folder) {
                self.create_folders(folder, &mut folders)?;
            }
            match self.disk.hard_link(&from, &to) {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    if !self.names_still(&file.path)? {
                        return Ok(false);
                    }
                    // Missing is a kind of damage: the image has it too, and its manifest says so.
                }
                linked => linked.at(&from)?,
            }
        }
        // NOTE: each once, and only now. Half an image is removed before another attempt, so nothing has to be durable before
        // the whole is.
        for folder in folders {
            let folder = self.target.root().join(folder);
            self.disk.sync_dir(&folder).at(&folder)?;
        }
        Ok(true)
    }

    /// Creates a folder and those above it, and adds them to `folders`, which has those that are there.
    fn create_folders<'f>(&self, folder: &'f Path, folders: &mut BTreeSet<&'f Path>) -> Result<(), Error> {
        let missing: Vec<&Path> = folder.ancestors().filter(|folder| !folder.as_os_str().is_empty()).collect();
        for folder in missing.into_iter().rev() {
            if folders.insert(folder) {
                let folder = self.target.root().join(folder);
                self.disk.create_dir(&folder).at(&folder)?;
            }
        }
        Ok(())
    }

    fn names_still(&self, path: &str) -> Result<bool, Error> {
        let identity = Identity::load(self.disk, self.store)?;
        Ok(ManifestLog::peek(self.disk, self.store.root(), identity.store_id)?.contains(path))
    }

    /// What is replaced as a whole can be named twice.
    fn link_documents(&self) -> Result<(), Error> {
        let documents = self.disk.list(&self.store.control()).at(&self.store.control())?;
        let is_wanted = |entry: &Entry| {
            !entry.is_dir && !entry.name.ends_with(".new") && !self.without.contains(&entry.name.as_str())
        };
        let mut links: Vec<(PathBuf, PathBuf)> = documents
            .iter()
            .filter(|entry| is_wanted(entry))
            .map(|entry| (self.store.control().join(&entry.name), self.target.control().join(&entry.name)))
            .collect();
        links.push((self.store.store(), self.target.store()));
        links.push((self.store.secret(), self.target.secret()));
        links.iter().try_for_each(|(from, to)| self.link_if_there(from, to))
    }

    fn link_if_there(&self, from: &Path, to: &Path) -> Result<(), Error> {
        match self.disk.hard_link(from, to) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            linked => linked.at(from),
        }
    }
}

/// Removes a folder with all that is in it; one that is not there is fine.
pub(crate) fn remove_tree(disk: &dyn Disk, folder: &Path) -> Result<(), Error> {
    let entries = match disk.list(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        listed => listed.at(folder)?,
    };
    for entry in entries {
        let path = folder.join(&entry.name);
        if entry.is_dir {
            remove_tree(disk, &path)?;
        } else {
            disk.remove_file(&path).at(&path)?;
        }
    }
    disk.remove_dir(folder).at(folder)
}
