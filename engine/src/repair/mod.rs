//! [`Repair`]: does explicitly what opening a store refuses to do, for a server that is stopped.
//!
//! ```text
//! begin      the lock; an unfinished restore and an unfinished adoption are refused: each has its own way out
//! store      STORE      lost or damaged       made anew from the headers of the log, the manifest, or (with neither) by lot
//!            wal/       files of another store, wrong names, two of one LSN     set aside, or given their name back
//!            ledger     damaged               the entries that verify
//!            manifest   damaged, missing or of the past        made anew from the Parquet files (mallard_compactor::Rebuild)
//!            log        damaged, or without its end     salvaged, as an open with `salvage` does
//! set_aside  a document of control/ that its owner cannot read
//! finish     the repair is over
//! ```
//!
//! - Nothing is deleted: what is replaced goes to `quarantine/repaired/`, under the path that it had. Only the salt and the
//!   sessions, which are in no copy, are not kept.
//! - `REPAIRING` is there from the first change to the last. Until it is gone nothing opens the store; a repair that was cut
//!   off is begun again and comes to the same end.
//! - `REPAIRED` says what was done, a line each, before it is done. The store is degraded by it until an operator
//!   acknowledges the loss.
//! - An erased event does not come back: whenever the manifest is made anew, the whole ledger is begun again.
//! - A dry run changes nothing and says the same, as far as it can be known before the first change.
//!
//! Only what would keep the store from opening is repaired. A damaged Parquet file does not: see [`crate::verify`].

mod folders;
mod identity;
mod log;
mod manifest;
mod notes;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use mallard_wal::Lsn;
use mallard_wal::disk::{Disk, Env, Lock, durable};

pub(crate) use folders::set_aside;
pub(crate) use notes::{add_notes, forget_notes, note_unaccounted, read_notes, unaccounted};

use crate::config::Config;
use crate::control::Control;
use crate::erasure::ledger;
use crate::error::{Error, IoContext as _};
use crate::identity::Identity;
use crate::layout::Layout;

/// One thing that a repair does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// The file, relative to the data directory.
    pub path: String,
    /// What is wrong with it, and what is done.
    pub what: String,
    /// Where the original goes, relative to the data directory, if it has to leave its place.
    pub kept: Option<String>,
}

/// What a repair did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repaired {
    /// In the order in which it is done.
    pub actions: Vec<Action>,
    /// What is lost, or may be: as health will say it.
    pub losses: Vec<String>,
}

impl Repaired {
    /// Whether there was nothing to repair.
    pub fn is_nothing(&self) -> bool {
        self.actions.is_empty()
    }
}

/// A repair that has begun.
#[derive(Debug)]
pub struct Repair {
    config: Config,
    env: Env,
    layout: Layout,
    is_dry: bool,
    /// Whether an earlier one was cut off.
    is_resumed: bool,
    /// Whether `REPAIRING` is there.
    is_marked: bool,
    repaired: Repaired,
    _lock: Box<dyn Lock>,
}

impl Repair {
    /// Begins a repair of the store of `config`; changes nothing yet. With `is_dry` it never will.
    ///
    /// # Errors
    /// [`Error::Locked`] beside a server; [`Error::Refused`] where there is no store, or a restore was not finished.
    pub fn begin(config: Config, env: Env, is_dry: bool) -> Result<Self, Error> {
        let layout = Layout::new(&config.data_dir);
        let disk = env.disk.as_ref();
        let names: Vec<String> = disk.list(layout.root()).at(layout.root())?.into_iter().map(|one| one.name).collect();
        let has = |name: &str| names.iter().any(|other| other == name);
        if !["STORE", "wal", "manifest", "REPAIRING"].into_iter().any(has) {
            let reason = "this is no data directory: nothing is repaired; `restore` makes one of a backup";
            return Err(refused(layout.root(), reason));
        }
        if has("RESTORING") {
            let reason = "a restore into this directory was not finished; empty the directory and restore again";
            return Err(refused(&layout.restoring(), reason));
        }
        if has("ADOPTING") {
            let reason = "the adoption of this directory was not finished; start the server, which begins it again";
            return Err(refused(&layout.adopting(), reason));
        }
        let lock = disk.lock(&layout.lock()).map_err(|source| match source.kind() {
            ErrorKind::WouldBlock => Error::Locked { path: layout.lock() },
            _ => Error::Io { path: layout.lock(), source },
        })?;
        let is_resumed = has("REPAIRING");
        let mut repaired = Repaired::default();
        if is_resumed {
            let what = "a repair was cut off; it is finished".to_owned();
            repaired.actions.push(Action { path: "REPAIRING".to_owned(), what, kept: None });
        }
        Ok(Self { config, env, layout, is_dry, is_resumed, is_marked: is_resumed, repaired, _lock: lock })
    }

    /// Repairs what keeps the store from opening. `progress` hears how many bytes of how many have been read, if all Parquet
    /// files have to be.
    ///
    /// # Errors
    /// [`Error::Refused`], [`Error::Wal`] or [`Error::Compactor`] for what cannot be repaired; the text says what to do.
    pub fn store(&mut self, progress: &mut dyn FnMut(u64, u64)) -> Result<(), Error> {
        if !self.is_dry {
            self.layout.create(self.env.disk.as_ref())?;
        }
        let identity = self.identity()?;
        let is_log_in_order = self.strangers(&identity)?;
        self.ledger()?;
        let origin = self.manifest(&identity, is_log_in_order, progress)?;
        if is_log_in_order {
            self.log(&identity, origin)?;
        }
        Ok(())
    }

    /// The documents, for their owners to look at.
    pub fn control(&self) -> Control {
        Control::new(self.env.clone(), self.layout.clone())
    }

    /// Takes a document of `control/`, or `.secret`, away; `what` says why, and what follows from it. One that must not
    /// outlive its day is not kept.
    pub fn set_aside_document(&mut self, path: &str, what: &str, is_kept: bool) -> Result<(), Error> {
        let mut action = self.aside(path, what);
        action.kept = action.kept.filter(|_| is_kept);
        self.announce(std::slice::from_ref(&action), &[])?;
        if !is_kept && !self.is_dry {
            let path = self.layout.root().join(path);
            durable::remove(self.disk(), &path).at(&path)?;
        }
        self.carry_out(&[action])
    }

    /// Ends the repair: from now on the store may be opened. Returns what was done.
    pub fn finish(self) -> Result<Repaired, Error> {
        if self.is_marked && !self.is_dry {
            let path = self.layout.repairing();
            durable::remove(self.env.disk.as_ref(), &path).at(&path)?;
        }
        Ok(self.repaired)
    }

    fn disk(&self) -> &dyn Disk {
        self.env.disk.as_ref()
    }

    /// The ledger of erasures, or what verifies of it.
    fn ledger(&mut self) -> Result<(), Error> {
        let path = self.layout.ledger();
        if self.entries_of_ledger().is_ok() {
            return Ok(());
        }
        let (entries, _) = ledger::salvage(self.disk(), &path)?;
        let what = format!("it is damaged; {} entries verify and were taken over", entries.len());
        let loss = "erasures whose entries in erasure.log were damaged are not applied to older copies any more";
        let mut action = self.aside("erasure.log", &what);
        action.kept = Some(format!("{}/erasure.log", Layout::REPAIRED_FILES));
        self.announce(std::slice::from_ref(&action), &[loss.to_owned()])?;
        if self.is_dry {
            return Ok(());
        }
        // IMPORTANT: the sound one replaces the damaged one at once; without a ledger nothing would be known to be erased.
        self.copy_aside(&path, "erasure.log")?;
        ledger::replace(&self.env, &self.layout, &entries)
    }

    fn entries_of_ledger(&self) -> Result<Vec<mallard_compactor::Erasure>, Error> {
        ledger::read_if_any(self.disk(), &self.layout.ledger())
    }

    /// Says what will be done, durably, and that the store may not be opened meanwhile.
    fn announce(&mut self, actions: &[Action], losses: &[String]) -> Result<(), Error> {
        self.repaired.actions.extend_from_slice(actions);
        self.repaired.losses.extend_from_slice(losses);
        if self.is_dry || actions.is_empty() {
            return Ok(());
        }
        let disk = self.env.disk.as_ref();
        if !self.is_marked {
            let path = self.layout.repairing();
            disk.create(&path).at(&path)?;
            self.is_marked = true;
        }
        disk.sync_dir(self.layout.root()).at(self.layout.root())?;
        let lines = actions.iter().map(|action| format!("repaired: {}: {}", action.path, action.what));
        add_notes(&self.env, &self.layout, lines.chain(losses.iter().cloned()))
    }

    /// Moves the originals of actions to where they are kept.
    fn carry_out(&self, actions: &[Action]) -> Result<(), Error> {
        if self.is_dry {
            return Ok(());
        }
        for action in actions {
            if let Some(kept) = &action.kept {
                self.move_aside(&action.path, kept)?;
            }
        }
        Ok(())
    }

    fn identity(&mut self) -> Result<Identity, Error> {
        identity::load_or_repair(self)
    }
}

fn refused(path: &Path, reason: &str) -> Error {
    Error::Refused { path: path.to_owned(), reason: reason.to_owned() }
}

/// Nothing opens a store while it is being repaired.
pub(crate) fn refuse_unfinished(env: &Env, layout: &Layout) -> Result<(), Error> {
    match env.disk.open(&layout.repairing()) {
        Err(_) => Ok(()),
        Ok(_) => Err(refused(&layout.repairing(), "a repair was not finished; run `mallard-metrics repair` again")),
    }
}

/// A range of positions as an operator reads it.
fn lost(first: Lsn, last: Lsn) -> String {
    format!("lost lsn {first}-{last}")
}

/// A path of this data directory, relative to it.
fn relative(layout: &Layout, path: &Path) -> String {
    let path: PathBuf = path.strip_prefix(layout.root()).unwrap_or(path).to_owned();
    path.to_string_lossy().into_owned()
}
