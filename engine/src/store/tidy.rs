//! What no manifest names and what may hold rows all the same goes: at the first step of a life, after work that has failed,
//! and at the latest before an erasure is called done.
//!
//! ```text
//! tmp/*.parquet, tmp/quarantine    what a job was writing when it was refused, or died
//! events/                          what a job had published when the next file, or the commit, was refused
//! quarantine/*.parquet             second names of damaged files that are live no more; originals that were never live stay
//! ```

use std::io::ErrorKind;
use std::path::Path;
use std::sync::MutexGuard;

use mallard_compactor::layout::EVENTS;
use mallard_compactor::{Edit, Erasure, Error as CompactorError, Manifest};

use super::Store;
use super::failures::Work;
use super::maintain::{Maintenance, Step};
use crate::error::{Error, IoContext as _};

/// The ending of Parquet files.
pub(super) const PARQUET: &str = ".parquet";
/// Where the records that cannot become rows are written before they get their name.
const RECORDS: &str = "quarantine";

impl Store {
    /// Whether it is time to look for what no manifest names. IMPORTANT: not while views may read what was replaced in this life,
    /// which looks like a leftover. Nor before the manifest knows of every file that is missing: what looks like a leftover may
    /// be what is left of the data.
    pub(super) fn may_tidy(&self, maintenance: &Maintenance) -> bool {
        !maintenance.is_tidy && !maintenance.has_readers() && !self.has_unrecorded_damage()
    }

    /// Tidies, if it is time to and that does not go on failing.
    pub(super) fn tidy_step(
        &self,
        maintenance: &mut MutexGuard<'_, Maintenance>,
        published: &dyn Fn(&Manifest),
    ) -> Result<Option<Step>, Error> {
        if !self.may_tidy(maintenance) {
            return Ok(None);
        }
        self.failures.attempt_unless_resting(&Work::Cleaning, || self.tidy(maintenance, published).map(Some))
    }

    /// Removes what no manifest names.
    fn tidy(
        &self,
        maintenance: &mut MutexGuard<'_, Maintenance>,
        published: &dyn Fn(&Manifest),
    ) -> Result<Step, Error> {
        maintenance.unread.clear();
        if !maintenance.has_begun {
            self.begin_life(maintenance, published)?;
            maintenance.has_begun = true;
        }
        self.remove_drafts()?;
        self.forget_dead_copies()?;
        let manifest = self.manifest();
        let orphans = mallard_compactor::remove_orphans(&self.env, self.layout.root(), &manifest);
        let orphans = orphans.inspect_err(|error| self.stop_if_final(error))?;
        for path in &orphans.missing {
            self.suspect(Path::new(path), "it is missing or cut");
        }
        let folder = |error: &CompactorError| match error {
            CompactorError::Io { path, .. } => Some(path.clone()),
            _ => None,
        };
        maintenance.unread = orphans.unread.iter().filter_map(folder).collect();
        // What could be looked at is done; the rest is tried again.
        if let Some(error) = orphans.unread.into_iter().next() {
            return Err(error.into());
        }
        maintenance.is_tidy = orphans.missing.is_empty();
        Ok(Step::Cleaned { files: orphans.removed.len() })
    }

    /// What an operator has put back counts again, and derived views are refreshed from the manifest: no view of an earlier life
    /// names what is about to go.
    fn begin_life(
        &self,
        maintenance: &mut MutexGuard<'_, Maintenance>,
        published: &dyn Fn(&Manifest),
    ) -> Result<(), Error> {
        let manifest = self.manifest();
        let conditions = self.restored(&manifest);
        if !conditions.is_empty() {
            tracing::info!(files = conditions.len(), "damaged Parquet files are sound again");
            self.commit(maintenance, &manifest, Edit { conditions, ..Edit::default() }, |_| {})?;
        }
        published(&self.manifest());
        Ok(())
    }

    /// What is left to tidy before this erasure may be called done; `None` if nothing is. Folders of other sites that cannot be
    /// listed are no reason to wait.
    pub(super) fn tidy_for(
        &self,
        maintenance: &mut MutexGuard<'_, Maintenance>,
        erasure: &Erasure,
        published: &dyn Fn(&Manifest),
    ) -> Result<Option<Step>, Error> {
        if maintenance.is_tidy {
            return Ok(None);
        }
        let events = self.layout.root().join(EVENTS);
        let own = events.join(format!("site_id={}", erasure.site.folder()));
        match self.failures.attempt(&Work::Cleaning, || self.tidy(maintenance, published)) {
            Ok(_) if maintenance.is_tidy => Ok(None),
            Ok(step) => Ok(Some(step)),
            Err(_) if self.has_unrecorded_damage() => Ok(Some(Step::Cleaned { files: 0 })),
            Err(error) => {
                let is_in_the_way = |folder: &Path| *folder == *events || folder.starts_with(&own);
                let unread = &maintenance.unread;
                match unread.is_empty() || unread.iter().any(|folder| is_in_the_way(folder)) {
                    true => Err(error),
                    false => Ok(None),
                }
            }
        }
    }

    /// Removes what a job has left in `tmp/`. Other things there belong to somebody: see `leftovers.rs`.
    fn remove_drafts(&self) -> Result<(), Error> {
        let (disk, tmp) = (self.env.disk.as_ref(), self.layout.tmp());
        let entries = match disk.list(&tmp) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            entries => entries.at(&tmp)?,
        };
        let is_draft = |name: &str| name.ends_with(PARQUET) || name == RECORDS;
        let drafts = entries.into_iter().filter(|entry| !entry.is_dir && is_draft(&entry.name));
        let mut has_removed = false;
        for draft in drafts {
            let path = tmp.join(&draft.name);
            disk.remove_file(&path).at(&path)?;
            has_removed = true;
        }
        if has_removed { self.sync_folder(&tmp) } else { Ok(()) }
    }
}
