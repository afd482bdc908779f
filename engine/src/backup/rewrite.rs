//! Snapshots written anew: without what an erasure takes, or without days past retention.
//!
//! ```text
//! a snapshot that holds none of it    stays as it is, byte for byte
//! any other                           is opened as the store that it is: its log goes into Parquet, files are written anew or
//!                                     removed, as in the live store; then what makes an open store goes again
//! ```
//! A snapshot shares files with the store by second names. Files never change, so rewriting one leaves the other alone, and
//! each has to lose its own names. A crash leaves a store after a crash: it is opened again, and the work goes on.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use mallard_compactor::{Erasure, Limits, Manifest, ManifestLog, erasure_files};
use mallard_event::{Date, Event, Timestamp, codec};
use mallard_wal::disk::{self, Env};
use mallard_wal::{Drive, Kind, Lsn, scan};

use super::image::remove_tree;
use super::snapshot::Snapshots;
use crate::config::Config;
use crate::error::{Error, IoContext as _};
use crate::identity::Identity;
use crate::layout::Layout;
use crate::status::Progress;
use crate::store::{Step, Store};

/// What is to be taken out of snapshots.
pub(crate) struct Rewriting<'a> {
    /// The bounds of the live store.
    pub(crate) limits: &'a Limits,
    /// The events that an erasure takes.
    pub(crate) erasure: Option<&'a Erasure>,
    /// Events before this day.
    pub(crate) first_kept: Option<Date>,
}

impl Snapshots {
    /// Rewrites the next snapshot that is not in `done`, and notes it there; says whether anything was in it. `None` if all
    /// are done.
    pub(crate) fn rewrite_next(
        &self,
        rewriting: &Rewriting<'_>,
        done: &mut BTreeSet<String>,
    ) -> Result<Option<bool>, Error> {
        if !self.exist()? {
            return Ok(None);
        }
        let _lock = self.lock()?;
        let Some((id, _)) = self.ids()?.into_iter().find(|(id, _)| !done.contains(id)) else { return Ok(None) };
        let is_changed = match rewriting.run(self.env(), &self.folder(&id)) {
            Err(error) if is_unusable(&error) => {
                tracing::warn!(id, %error, "a snapshot that cannot be opened was removed: nobody could say what is in it");
                self.discard(&id).map(|()| true)
            }
            outcome => outcome,
        }?;
        done.insert(id);
        Ok(Some(is_changed))
    }
}

impl Rewriting<'_> {
    fn run(&self, env: &Env, folder: &Path) -> Result<bool, Error> {
        let layout = Layout::new(folder);
        let identity = Identity::load(env.disk.as_ref(), &layout)?;
        let manifest = ManifestLog::peek(env.disk.as_ref(), folder, identity.store_id)?;
        // An earlier attempt that was cut off has left its lock.
        let is_open = env.disk.open(&layout.lock()).is_ok();
        if !is_open && !self.is_in_files(&manifest) && !self.may_be_in_log(env, &layout, identity.store_id)? {
            return Ok(false);
        }
        let mut config = Config::new(folder);
        (config.flush_events, config.disk_reserve_bytes, config.dedup_window_us) = (1, 0, 0);
        config.limits = Limits { merge_bytes_max: 0, ..self.limits.clone() };
        config.is_date_sure = true;
        config.limits.retention_days = self.first_kept.and(self.limits.retention_days);
        let store = Store::open(config, env.clone(), Drive::Manual, Arc::new(Progress::default()))?;
        store.adopt(self.erasure.into_iter().cloned().collect())?;
        empty_log(&store)?;
        store.close()?;
        drop(store);
        // Or its log would be missed.
        let manifest = ManifestLog::peek(env.disk.as_ref(), folder, identity.store_id)?;
        ManifestLog::succeed(env, folder, identity.store_id, &manifest.without_log())?;
        tidy(env, &layout)?;
        Ok(true)
    }

    fn is_in_files(&self, manifest: &Manifest) -> bool {
        let is_erased = self.erasure.is_some_and(|erasure| erasure_files(manifest, erasure, None).next().is_some());
        is_erased || self.first_kept.is_some_and(|first| manifest.files().any(|file| file.date < first))
    }

    /// Whether a record of the log is one that has to go, or cannot be read.
    fn may_be_in_log(&self, env: &Env, layout: &Layout, store_id: u128) -> Result<bool, Error> {
        let folder = layout.wal();
        for entry in env.disk.list(&folder).at(&folder)? {
            let path = folder.join(&entry.name);
            let bytes = disk::read(env.disk.as_ref(), &path).at(&path)?;
            let Ok(scan) = scan(&bytes, store_id) else { return Ok(true) };
            let is_sound = matches!(scan.end, mallard_wal::End::Sealed(_) | mallard_wal::End::Clean { .. });
            let takes = |record: mallard_wal::Record<'_>| {
                let event = codec::decode(record.body_version, record.body).ok();
                let received_at = Timestamp::saturating_from_micros(record.received_us);
                record.kind == Kind::EVENT && event.is_none_or(|event| self.takes(&event, record.lsn, received_at))
            };
            if !is_sound || scan.records().any(takes) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn takes(&self, event: &Event, lsn: Lsn, received_at: Timestamp) -> bool {
        self.erasure.is_some_and(|erasure| erasure.takes(event, lsn, received_at))
            || self.first_kept.is_some_and(|first| event.timestamp.date() < first)
    }
}

/// Puts everything into Parquet files and finishes every erasure; afterwards the manifest alone is the store.
pub(super) fn empty_log(store: &Store) -> Result<(), Error> {
    let mut damage = None;
    loop {
        match store.maintain(&|_| {}) {
            Ok(Step::Idle { .. }) => break,
            Ok(_) => {}
            Err(error) if error.is_damage() => damage = Some(error),
            Err(error) => return Err(error),
        }
    }
    if store.is_erasing() || store.manifest().checkpoint() < store.high_water() {
        let refused = || {
            let reason = "its log cannot be compacted".to_owned();
            Error::Refused { path: store.layout().root().to_owned(), reason }
        };
        // NOTE: work that meets damage again and again rests. Whoever comes again goes on without what was found so far.
        return Err(damage.unwrap_or_else(refused));
    }
    Ok(())
}

/// Whether the snapshot itself is what is wrong, and no store can be made of it.
fn is_unusable(error: &Error) -> bool {
    use mallard_compactor::Error::{ManifestHeader, ManifestMisnamed, ManifestMissing, ManifestUnusable};
    let is_manifest = |error: &mallard_compactor::Error| {
        matches!(
            error,
            ManifestHeader { .. } | ManifestMisnamed { .. } | ManifestMissing { .. } | ManifestUnusable { .. }
        )
    };
    match error {
        Error::Refused { .. } => true,
        Error::Compactor(error) => is_manifest(error),
        _ => false,
    }
}

/// Removes what an open store has and an image has not.
fn tidy(env: &Env, layout: &Layout) -> Result<(), Error> {
    let disk = env.disk.as_ref();
    for entry in disk.list(&layout.wal()).at(&layout.wal())? {
        let path = layout.wal().join(&entry.name);
        disk.remove_file(&path).at(&path)?;
    }
    disk.sync_dir(&layout.wal()).at(&layout.wal())?;
    for folder in [layout.tmp(), layout.quarantine()] {
        remove_tree(disk, &folder)?;
    }
    // IMPORTANT: the lock last: while it is there, the work is not done.
    match disk.remove_file(&layout.lock()) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        removed => removed.at(&layout.lock())?,
    }
    disk.sync_dir(layout.root()).at(layout.root())
}
