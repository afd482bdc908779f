//! [`Restore`]: the files of an image into an empty folder, verified, as a store of its own.
//!
//! ```text
//! begin    the folder is empty          RESTORING is put into it: until the end nothing opens it
//! file     each file, synced
//! finish   everything verifies          else the folder stays as it is, unopened, unless damage is accepted
//!          every erasure is applied     those of the copy's ledger, and of a later one that the operator has
//!          the log goes into Parquet    so that only the manifest names the store
//!          a store id of its own        the old store's log can never be mixed up with the new one's
//!          RESTORING is removed
//! ```
//! A restore that is cut off leaves a folder that no server opens; empty it and begin again.

use std::io::{self, ErrorKind, Read};
use std::path::{Component, Path};
use std::sync::Arc;

use mallard_compactor::{Erasure, ManifestLog};
use mallard_wal::Drive;
use mallard_wal::disk::{Env, durable};
use mallard_wal::seeded::{Bug, is_seeded};

use super::rewrite;
use crate::config::Config;
use crate::erasure::ledger;
use crate::error::{Error, IoContext as _};
use crate::identity::Identity;
use crate::layout::Layout;
use crate::status::Progress;
use crate::store::{Store, shown};
use crate::verify::verify;

const CHUNK_BYTES: usize = 256 << 10;
/// Of the log while it is emptied.
const SEGMENT_BYTES: u32 = 64 << 10;
/// What an image consists of.
const FILES: [&str; 3] = ["STORE", ".secret", "erasure.log"];
const FOLDERS: [&str; 4] = ["control", "events", "manifest", "wal"];

/// A restore that has begun.
#[derive(Debug)]
pub struct Restore {
    env: Env,
    layout: Layout,
    ledger: Vec<Erasure>,
}

/// What was restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Events.
    pub events: u64,
    /// Sites with an event.
    pub sites: u64,
    /// The newest LSN.
    pub last_lsn: u64,
}

impl Restore {
    /// Begins in `data_dir`, which is empty or does not exist. `ledger` is an `erasure.log` that may know of more erasures
    /// than the copy.
    pub fn begin(data_dir: &Path, env: Env, ledger: Option<&Path>) -> Result<Self, Error> {
        let ledger = match ledger {
            Some(path) => ledger::read(env.disk.as_ref(), path)?,
            None => Vec::new(),
        };
        let layout = Layout::new(data_dir);
        let disk = env.disk.as_ref();
        match disk.list(data_dir) {
            Ok(entries) if entries.iter().all(|entry| entry.name == "lost+found") => {}
            Ok(entries) if entries.iter().any(|entry| layout.root().join(&entry.name) == layout.restoring()) => {
                return Err(refused(data_dir, "a restore into it did not finish; empty it, and restore again"));
            }
            Ok(_) => return Err(refused(data_dir, "it is not empty; restore into an empty folder")),
            Err(error) if error.kind() == ErrorKind::NotFound => layout.create_root(disk)?,
            Err(error) => return Err(error).at(data_dir),
        }
        disk.create(&layout.restoring()).at(&layout.restoring())?;
        disk.sync_dir(data_dir).at(data_dir)?;
        Ok(Self { env, layout, ledger })
    }

    /// Takes one file. What does not belong to an image is passed over.
    pub fn file(&mut self, path: &Path, content: &mut dyn Read) -> Result<(), Error> {
        if !is_of_an_image(path) {
            return Ok(());
        }
        let disk = self.env.disk.as_ref();
        if let Some(folder) = path.parent() {
            durable::create_dirs(disk, self.layout.root(), folder).at(path)?;
        }
        let target = self.layout.root().join(path);
        let file = disk.create(&target).at(&target)?;
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut at = 0;
        loop {
            let read = read_some(content, &mut chunk).at(&target)?;
            let Some(bytes) = chunk.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
            file.write_all_at(bytes, at).at(&target)?;
            at += read as u64;
        }
        file.sync_data().at(&target)?;
        let folder = target.parent().unwrap_or(&target);
        disk.sync_dir(folder).at(folder)
    }

    /// Verifies what was taken and makes it a store of its own. `progress` hears how many bytes of how many are verified.
    /// With `accepts_damage` what verifies is restored, and the store knows what it misses, as after damage on its disk.
    pub fn finish(self, accepts_damage: bool, progress: &mut dyn FnMut(u64, u64)) -> Result<Restored, Error> {
        let root = self.layout.root();
        // A copy is files, and some folders of a store may have none.
        self.layout.create(self.env.disk.as_ref())?;
        let found = verify(root, &self.env, progress)?;
        if let Some(fault) = found.faults.first().filter(|_| !accepts_damage) {
            let count = found.faults.len();
            return Err(refused(root, &format!("the copy is damaged ({count} faults): {fault}")));
        }
        self.empty_the_log()?;
        let restored = self.fork()?;
        durable::remove(self.env.disk.as_ref(), &self.layout.restoring()).at(root)?;
        Ok(restored)
    }

    /// Everything into Parquet files, without what was erased.
    fn empty_the_log(&self) -> Result<(), Error> {
        let mut config = Config::new(self.layout.root());
        (config.flush_events, config.disk_reserve_bytes) = (1, 0);
        // Nothing but erasures comes into this log, and no zeros have to be written for it.
        config.wal.segment_bytes = SEGMENT_BYTES;
        let store = Store::open(config, self.env.clone(), Drive::Manual, Arc::new(Progress::default()))?;
        if !is_seeded(Bug::RestoreErased) {
            store.adopt(self.erasures(store.store_id())?)?;
        }
        rewrite::empty_log(&store)?;
        store.close()
    }

    /// Those that the copied store made itself, and those that only the given ledger knows. What it had from the store that it was
    /// restored from was applied then, and is not about what came later.
    fn erasures(&self, store_id: u128) -> Result<Vec<Erasure>, Error> {
        let own = ledger::read_if_any(self.env.disk.as_ref(), &self.layout.ledger())?;
        let is_known = |given: &Erasure| own.iter().any(|erasure| erasure.id == given.id);
        let given: Vec<Erasure> = self.ledger.iter().filter(|erasure| !is_known(erasure)).cloned().collect();
        let made_there = own.into_iter().filter(|erasure| erasure.store == shown(store_id));
        Ok(ledger::of_store(made_there.chain(given), store_id))
    }

    /// A new store id, an empty log, the manifest as it is.
    fn fork(&self) -> Result<Restored, Error> {
        let (disk, root) = (self.env.disk.as_ref(), self.layout.root());
        let identity = Identity::load(disk, &self.layout)?;
        let manifest = ManifestLog::peek(disk, root, identity.store_id)?;
        for entry in disk.list(&self.layout.wal()).at(&self.layout.wal())? {
            let path = self.layout.wal().join(&entry.name);
            disk.remove_file(&path).at(&path)?;
        }
        disk.sync_dir(&self.layout.wal()).at(&self.layout.wal())?;
        let fork = Identity::replace(&self.env, &self.layout)?;
        ManifestLog::found(&self.env, root, fork.store_id, &manifest.without_log())?;
        Ok(Restored {
            events: manifest.totals().rows,
            sites: manifest.sites().count() as u64,
            last_lsn: manifest.checkpoint().get(),
        })
    }
}

fn refused(path: &Path, reason: &str) -> Error {
    Error::Refused { path: path.to_owned(), reason: reason.to_owned() }
}

/// Plain names only, below what an image consists of.
fn is_of_an_image(path: &Path) -> bool {
    let names: Option<Vec<&str>> = path
        .components()
        .map(|component| match component {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect();
    match names.as_deref() {
        Some([file]) => FILES.contains(file),
        Some([folder, ..]) => FOLDERS.contains(folder),
        _ => false,
    }
}

/// Like `read`, but not stopped by signals.
fn read_some(content: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match content.read(buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_an_image_consists_of_is_taken() {
        for taken in ["STORE", ".secret", "control/password", "events/site_id=..//date=2026-01-01/0-1-2.parquet"] {
            assert!(is_of_an_image(Path::new(taken)), "{taken}");
        }
        for passed in ["", "LOCK", "/STORE", "../STORE", "events/../../x", "quarantine/a", "tmp/x", "mallard.duckdb"] {
            assert!(!is_of_an_image(Path::new(passed)), "{passed}");
        }
    }
}
