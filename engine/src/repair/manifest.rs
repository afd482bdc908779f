//! The manifest: believed if it is the newest that there was, else made anew from the Parquet files.

use mallard_compactor::{Context, Erasure, Manifest, ManifestLog, Rebuild, RebuildPlan, parquet_paths};
use mallard_wal::segment::HeaderError;
use mallard_wal::{KnownEnd, Origin};

use super::log::Cut;
use super::{Action, Repair, identity, note_unaccounted, relative, unaccounted};
use crate::erasure::ledger;
use crate::error::Error;
use crate::identity::Identity;
use crate::store::origin;
use crate::verify;

/// The device's own refusal.
const EIO: i32 = 5;

impl Repair {
    /// Sees to it that there is a manifest to go by; returns what it knows of the log.
    pub(super) fn manifest(
        &mut self,
        identity: &Identity,
        is_log_in_order: bool,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Origin, Error> {
        let root = self.layout.root().to_owned();
        let reason = match ManifestLog::peek_newest(self.disk(), &root, identity.store_id) {
            Ok(manifest) => match self.successor(&manifest)? {
                None => return self.keep(&manifest).map(|()| origin(&self.config, identity, &manifest)),
                Some(file) => format!("it is of the past: {file} has replaced files that it names"),
            },
            Err(error) if is_repairable(&error) => error.to_string(),
            Err(error) => return Err(error.into()),
        };
        let rebuild = Rebuild::survey(&self.env, &root, identity.store_id, progress)?;
        let cut = match is_log_in_order {
            true => self.cut(identity, &rebuild)?,
            false => Cut { checkpoint: rebuild.newest(), ..Cut::default() },
        };
        let plan = rebuild.plan(cut.checkpoint, &cut.gaps);
        self.rebuild(identity, &plan, cut.erasures, &reason)?;
        // A store that lacks its manifest has had a log, for all that is known.
        let end = KnownEnd { high_water: plan.high_water(), further_max: self.config.backlog_max() };
        Ok(Origin { end: Some(end), ..Origin::new(identity.store_id, plan.checkpoint) })
    }

    /// A file that the manifest does not name and that holds what one of its missing files held: then a newer manifest has
    /// known of it.
    fn successor(&self, manifest: &Manifest) -> Result<Option<String>, Error> {
        let paths = parquet_paths(self.disk(), self.layout.root())?;
        let missing: Vec<_> = manifest.files().filter(|file| !paths.contains_key(&*file.path)).collect();
        let follows = |path: &String| {
            let replaces = |file: &&std::sync::Arc<mallard_compactor::FileEntry>| file.may_be_replaced_by(path);
            !manifest.contains(path) && missing.iter().any(replaces)
        };
        Ok(paths.into_keys().find(follows))
    }

    /// The manifest stays. After a repair that was cut off it may be the new one, beside what it has replaced.
    fn keep(&mut self, manifest: &Manifest) -> Result<(), Error> {
        if self.is_resumed {
            self.tidy(manifest)?;
        }
        self.account(manifest)
    }

    /// Positions that nothing explains stay so for ever: entries of the ledger are lost, or rows. An operator has to know, once.
    fn account(&mut self, manifest: &Manifest) -> Result<(), Error> {
        let noted = unaccounted(self.disk(), &self.layout).unwrap_or(0);
        let ledger = match self.entries_of_ledger() {
            Ok(entries) => entries,
            Err(_) => ledger::salvage(self.disk(), &self.layout.ledger())?.0,
        };
        let missing = verify::missing(manifest, &ledger, noted);
        if missing == 0 {
            return Ok(());
        }
        let what = format!(
            "{missing} positions through LSN {} are in no file, and nothing explains that: events, or erasures that are in no ledger any more; from now on they are accounted for",
            manifest.checkpoint()
        );
        let action = Action { path: "control/unaccounted".to_owned(), what, kept: None };
        self.announce(std::slice::from_ref(&action), &[])?;
        if self.is_dry { Ok(()) } else { note_unaccounted(&self.env, &self.layout, noted.saturating_add(missing)) }
    }

    fn tidy(&mut self, manifest: &Manifest) -> Result<(), Error> {
        let unnamed = parquet_paths(self.disk(), self.layout.root())?.into_keys();
        let unnamed = unnamed.filter(|path| !manifest.contains(path));
        let mut actions: Vec<Action> =
            unnamed.map(|path| self.aside(&path, "the repair that was cut off did not need it; set aside")).collect();
        actions.extend(self.older_manifests("the repair that was cut off has replaced it; set aside", true)?);
        self.announce(&actions, &[])?;
        self.carry_out(&actions)
    }

    fn rebuild(
        &mut self,
        identity: &Identity,
        plan: &RebuildPlan,
        in_log: Vec<Erasure>,
        reason: &str,
    ) -> Result<(), Error> {
        let mut actions = vec![Action {
            path: "manifest".to_owned(),
            what: format!(
                "{reason}; made anew: {} files as they are, {} in part, {} damaged, through LSN {}",
                plan.keep.len(),
                plan.rewrite.len(),
                plan.damaged.len(),
                plan.checkpoint
            ),
            kept: None,
        }];
        actions.extend(self.older_manifests("it cannot be believed; set aside", false)?);
        actions.extend(plan.aside.iter().map(|file| self.aside(&file.path, &file.reason)));
        let damaged = plan
            .damaged
            .iter()
            .map(|(file, reason)| format!("damaged: {} (site {}, day {}): {reason}", file.path, file.site, file.date));
        let unaccounted = (plan.unaccounted > 0).then(|| {
            let (count, last) = (plan.unaccounted, plan.checkpoint);
            format!("{count} of the positions through LSN {last} are in no file: erasures, what they or retention took, or lost")
        });
        let losses: Vec<String> = damaged.chain(unaccounted).collect();
        self.announce(&actions, &losses)?;
        if self.is_dry {
            return Ok(());
        }
        let own = self.entries_of_ledger()?;
        let erasures = ledger::of_store(own.into_iter().chain(in_log), identity.store_id);
        let context = Context {
            env: &self.env,
            root: self.layout.root(),
            store_id: identity.store_id,
            limits: &self.config.limits,
            erasures: &[],
            memory: None,
        };
        let manifest = plan.write(&context, erasures)?;
        // Before it is the manifest: a verification would call them lost. What erasures explain it finds by itself, so this
        // may be too many, and is never too few.
        note_unaccounted(&self.env, &self.layout, plan.unaccounted)?;
        // IMPORTANT: the new one first. It has the highest number, so from here on it is the manifest.
        ManifestLog::succeed(&self.env, self.layout.root(), identity.store_id, &manifest)?;
        self.carry_out(&actions)
    }

    /// All manifest files, or all but the newest.
    fn older_manifests(&self, what: &str, is_newest_kept: bool) -> Result<Vec<Action>, Error> {
        let mut paths = identity::files(self.disk(), &self.layout.manifest(), ".manifest")?;
        if is_newest_kept {
            paths.pop();
        }
        Ok(paths.iter().map(|path| self.aside(&relative(&self.layout, path), what)).collect())
    }
}

/// Whether the manifest is damaged, missing or of the past, and not merely of a newer program.
fn is_repairable(error: &mallard_compactor::Error) -> bool {
    use mallard_compactor::Error::{
        Io, ManifestHeader, ManifestMisnamed, ManifestMissing, ManifestStale, ManifestUnusable,
    };
    match error {
        ManifestHeader { source, .. } => !matches!(source, HeaderError::Unsupported { .. }),
        ManifestUnusable { source, .. } => !source.is_of_a_newer_program(),
        ManifestMissing { .. } | ManifestMisnamed { .. } | ManifestStale { .. } => true,
        Io { source, .. } => source.raw_os_error() == Some(EIO),
        _ => false,
    }
}
