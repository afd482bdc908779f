//! Live files that are not what was published: left out of every view at once, kept, remembered, shown.
//!
//! ```text
//! a query or a merge finds one    -> suspect: views leave it out, answers say which day they miss
//! maintenance                     -> a second name under quarantine/, then the manifest remembers its condition
//! the next start                  -> sound again (an operator has put a copy back)? then it counts again
//! an operator acknowledges        -> no longer degraded; answers go on saying what they miss
//! ```
//! The file itself stays where it is, live and counted, until retention or an erasure removes it: nothing is forgotten.

use std::io;
use std::path::Path;
use std::sync::{Arc, MutexGuard, PoisonError};

use mallard_compactor::{Condition, Edit, FileEntry, Manifest, SCHEMA_ADOPTED, check_file, forget_cached, read_file};

use super::Store;
use super::maintain::{Maintenance, Step};
use crate::error::Error;
use crate::repair::{forget_notes, set_aside};

impl Store {
    /// Notes that a live file cannot be read as what was published; from now on no view has it. False if that is known,
    /// or if the file is none of the store's.
    pub(crate) fn suspect(&self, path: &Path, reason: &str) -> bool {
        let relative = path.strip_prefix(self.layout.root()).unwrap_or(path);
        let Some(relative) = relative.to_str() else { return false };
        let is_new = {
            let mut state = self.shared.state();
            let is_news = state.manifest.contains(relative) && !state.manifest.is_damaged(relative);
            is_news && Arc::make_mut(&mut state.suspects).insert(relative.to_owned(), reason.to_owned()).is_none()
        };
        if is_new {
            tracing::error!(file = relative, reason, "a Parquet file is damaged; answers about its day say so");
            self.shared.wake();
        }
        is_new
    }

    /// Work whose input is damaged says so, and is planned again without it.
    pub(super) fn suspect_input(&self, error: &mallard_compactor::Error) {
        if let Some(path) = error.damaged_file()
            && !(matches!(error, mallard_compactor::Error::Io { .. }) && self.is_sound_after_all(path))
        {
            self.suspect(path, &error.to_string());
        }
    }

    /// NOTE: one failed read is no verdict, since an erasure removes a damaged file as a whole: a device that has stalled
    /// answers the second time.
    fn is_sound_after_all(&self, path: &Path) -> bool {
        let (root, manifest) = (self.layout.root(), self.manifest());
        let relative = path.strip_prefix(root).ok().and_then(Path::to_str);
        relative.and_then(|path| manifest.get(path)).is_some_and(|file| check_file(&self.env, root, file).is_ok())
    }

    /// Whether files were found damaged of which the manifest does not know.
    pub(super) fn has_unrecorded_damage(&self) -> bool {
        let state = self.shared.state();
        state.suspects.keys().any(|path| state.manifest.contains(path) && !state.manifest.is_damaged(path))
    }

    /// Makes the manifest remember what has been found; `None` if there is nothing new.
    pub(super) fn set_aside(
        &self,
        maintenance: &mut MutexGuard<'_, Maintenance>,
        published: &dyn Fn(&Manifest),
    ) -> Result<Option<Step>, Error> {
        let (manifest, suspects) = {
            let state = self.shared.state();
            (Arc::clone(&state.manifest), Arc::clone(&state.suspects))
        };
        let news: Vec<&FileEntry> = suspects.keys().filter_map(|path| manifest.get(path)).collect();
        let news: Vec<&FileEntry> = news.into_iter().filter(|file| !manifest.is_damaged(&file.path)).collect();
        if news.is_empty() {
            return Ok(None);
        }
        news.iter().for_each(|file| self.keep_original(file));
        let conditions = news.iter().map(|file| (file.path.to_string(), Condition::Damaged)).collect();
        let step = Step::SetAside { files: news.len() };
        self.commit(maintenance, &manifest, Edit { conditions, ..Edit::default() }, |_| {})?;
        published(&self.manifest());
        Ok(Some(step))
    }

    /// A second name for the damaged file, which outlives its removal. A file that is gone has none.
    ///
    /// NOTE: a volume that gives no second name must not keep the damage from being recorded, nor maintenance from going on.
    fn keep_original(&self, file: &FileEntry) {
        let disk = self.env.disk.as_ref();
        let quarantine = self.layout.quarantine();
        let copy = quarantine.join(Copy::of(file).name);
        let kept = match disk.hard_link(&self.layout.root().join(&*file.path), &copy) {
            Err(error) if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists) => Err(error),
            _ => disk.sync_dir(&quarantine),
        };
        if let Err(error) = kept {
            let file = &*file.path;
            tracing::warn!(file, %error, "a damaged file has no name in quarantine/: it is kept until its day is removed");
        }
    }

    /// Takes a document of `control/` away that its owner cannot read, and goes on without it: a reason for being degraded until
    /// an operator acknowledges it.
    pub(crate) fn set_aside_document(&self, name: &str, what: &str, is_kept: bool) -> Result<(), Error> {
        let note = set_aside(&self.env, &self.layout, &format!("control/{name}"), what, is_kept)?;
        tracing::error!("{note}");
        self.shared.state().damage.push(note);
        Ok(())
    }

    /// Files that were damaged and are what was published again.
    pub(super) fn restored(&self, manifest: &Manifest) -> Vec<(String, Condition)> {
        let root = self.layout.root();
        let is_sound = |file: &FileEntry| {
            forget_cached(&self.env, root, file).and_then(|()| read_file(&self.env, root, file, &mut |_| {})).is_ok()
        };
        let restored = manifest.damaged().filter(|(file, _)| is_sound(file));
        restored.map(|(file, _)| (file.path.to_string(), Condition::Sound)).collect()
    }

    /// An operator knows of every loss there is: the store is no longer degraded by them. Returns what they are.
    pub fn acknowledge_loss(&self, published: &dyn Fn(&Manifest)) -> Result<Vec<String>, Error> {
        let mut maintenance = self.maintenance.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cause) = self.poisoned() {
            return Err(Error::Poisoned(cause));
        }
        self.set_aside(&mut maintenance, published)?;
        let (manifest, losses, acknowledged) = {
            let state = self.shared.state();
            (Arc::clone(&state.manifest), state.losses(), state.acknowledged())
        };
        if losses.is_empty() {
            return Ok(losses);
        }
        let conditions = manifest.damaged().map(|(file, _)| (file.path.to_string(), Condition::Acknowledged)).collect();
        let edit = Edit { acknowledged, conditions, ..Edit::default() };
        self.commit(&mut maintenance, &manifest, edit, |_| {})?;
        forget_notes(self.env.disk.as_ref(), &self.layout)?;
        self.shared.state().damage.clear();
        Ok(losses)
    }
}

/// The names of a damaged file's second entry, under `quarantine/`.
#[derive(Debug)]
pub(super) struct Copy {
    pub(super) name: String,
    /// The file's own, under which earlier versions kept every file.
    pub(super) bare: String,
}

impl Copy {
    /// A file of this program has a name that no other has: its first LSN is of one site and day. Two that were adopted may
    /// have the same in two folders.
    pub(super) fn of(file: &FileEntry) -> Self {
        let bare = file.path.rsplit('/').next().unwrap_or(&file.path).to_owned();
        let name = match file.schema_version == SCHEMA_ADOPTED {
            true => format!("adopted-{:08x}-{bare}", crc32fast::hash(file.path.as_bytes())),
            false => bare.clone(),
        };
        Self { name, bare }
    }
}

/// Whether an edit removes damaged files, which have second names.
pub(super) fn removes_damaged(manifest: &Manifest, edit: &Edit) -> bool {
    edit.remove.iter().any(|path| manifest.is_damaged(path))
}
