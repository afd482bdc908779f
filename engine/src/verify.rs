//! [`verify`]: is everything that was accepted still there, and readable? Changes nothing, and may run beside a server.
//!
//! ```text
//! STORE     whose directory this is
//! manifest  the newest file: every checksum, every edit
//! log       every segment, every record; it begins at or below the checkpoint and goes on without a hole
//! ledger    its checksums, if there is one; those of the ids of erased events
//! Parquet   every live file: length, checksum of the whole, every row read, as many rows as the manifest says, each at a
//!           position of its own within the file's range, none at a position that is lost or in quarantine
//! ```
//! Not read: `snapshots/`, whose files are mostly those of the store, and `quarantine/`, which is damaged by its nature.
//! What a server does meanwhile is not a fault: a segment that is gone was trimmed, a file that is gone was merged, if the
//! manifest says so by then. A fault names its file; of a Parquet file also the site and the day that miss it.

mod positions;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mallard_compactor::{Condition, Erasure, FileEntry, LsnRange, Manifest, ManifestLog, forget_cached, read_file};
use mallard_wal::disk::Env;
use mallard_wal::{Examination, Lsn};

use crate::erasure::ledger;
use crate::error::Error;
use crate::identity::Identity;
use crate::layout::Layout;
use crate::repair::{self, read_notes};
use crate::store::erased_ids;
pub(crate) use positions::missing;
use positions::{FileRows, Positions};

/// Files of one kind that were read from end to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// How many.
    pub files: u64,
    /// Their lengths.
    pub bytes: u64,
    /// Records, or rows, in them.
    pub records: u64,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file, relative to the data directory; none if it is a file that is missing.
    pub path: Option<PathBuf>,
    /// What is wrong.
    pub what: String,
    /// The site and the UTC day whose answers it affects, if these are known.
    pub affects: Option<(String, String)>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{}: ", path.display())?;
        }
        f.write_str(&self.what)?;
        match &self.affects {
            Some((site, date)) => write!(f, " (site {site}, day {date})"),
            None => Ok(()),
        }
    }
}

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// The LSN through which the log is in Parquet files.
    pub compacted_lsn: u64,
    /// The newest LSN in the log.
    pub durable_lsn: u64,
    /// The log.
    pub log: Checked,
    /// The live Parquet files.
    pub parquet: Checked,
    /// Positions through the compacted LSN that are in no file, not lost and not in quarantine, and that neither retention nor an
    /// erasure took: erasures themselves, and what a repair could not account for. More than that is a fault.
    pub unaccounted: u64,
    /// Ranges of LSNs, both ends included, that an earlier recovery found destroyed.
    pub lost: Vec<(u64, u64)>,
    /// What repairs have done, what starts have found damaged, and nobody has acknowledged.
    pub repaired: Vec<String>,
    /// What is wrong now.
    pub faults: Vec<Fault>,
    /// Losses and damage that an operator has acknowledged.
    pub acknowledged: Vec<String>,
}

impl Verification {
    /// Whether nothing is wrong, nothing was lost, and no repair is unacknowledged.
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty() && self.lost.is_empty() && self.repaired.is_empty()
    }
}

/// Verifies the store in `data_dir`. `progress` hears how many bytes of how many have been read.
///
/// # Errors
/// What keeps the verification from going on: no store, a manifest that cannot be used, a file of another store.
pub fn verify(data_dir: &Path, env: &Env, progress: &mut dyn FnMut(u64, u64)) -> Result<Verification, Error> {
    let layout = Layout::new(data_dir);
    let identity = Identity::load(env.disk.as_ref(), &layout)?;
    repair::refuse_unfinished(env, &layout)?;
    let mut verifier = Verifier { env, layout: &layout, identity, progress, read: 0, found: Verification::default() };
    verifier.run()?;
    Ok(verifier.found)
}

struct Verifier<'a> {
    env: &'a Env,
    layout: &'a Layout,
    identity: Identity,
    progress: &'a mut dyn FnMut(u64, u64),
    read: u64,
    found: Verification,
}

impl Verifier<'_> {
    fn run(&mut self) -> Result<(), Error> {
        // The manifest comes first: what the log loses afterwards is in a later one.
        let manifest = self.manifest()?;
        self.found.repaired = read_notes(self.env.disk.as_ref(), self.layout)?;
        self.found.compacted_lsn = manifest.checkpoint().get();
        self.found.unaccounted = positions::unaccounted(&manifest);
        for gap in manifest.gaps() {
            self.gap(*gap, &manifest);
        }
        let log = Examination::begin(self.env.disk.as_ref(), &self.layout.wal(), self.identity.store_id)?;
        let total = log.bytes_left() + manifest.files().map(|file| file.bytes).sum::<u64>();
        self.log(log, &manifest, total)?;
        self.unaccounted(&manifest);
        self.erased_ids();
        let mut positions = Positions::new(&manifest);
        for file in manifest.files() {
            self.file(file, &manifest, &mut positions, total)?;
        }
        Ok(())
    }

    /// LSNs that are lost, and whether an operator knows.
    fn gap(&mut self, gap: LsnRange, manifest: &Manifest) {
        let known = gap.within(manifest.acknowledged());
        self.found.acknowledged.extend(known.iter().map(|part| format!("lost lsn {}-{}", part.first, part.last)));
        let unknown = gap.without(manifest.acknowledged());
        self.found.lost.extend(unknown.iter().map(|part| (part.first.get(), part.last.get())));
    }

    fn manifest(&self) -> Result<Manifest, Error> {
        Ok(ManifestLog::peek(self.env.disk.as_ref(), self.layout.root(), self.identity.store_id)?)
    }

    fn log(&mut self, log: Examination<'_>, manifest: &Manifest, total: u64) -> Result<(), Error> {
        let checkpoint = manifest.checkpoint();
        let mut first = None;
        let mut newest = checkpoint;
        let mut is_end_damaged = false;
        for segment in log {
            let segment = segment?;
            is_end_damaged = segment.fault.is_some();
            first.get_or_insert(segment.first_lsn);
            newest = newest.max(segment.last_lsn);
            self.found.log.add(segment.bytes, segment.records);
            for (first, last) in segment.gaps.iter().filter(|(_, last)| *last > checkpoint) {
                self.gap(LsnRange::new(*first, *last), manifest);
            }
            if let Some(fault) = segment.fault {
                self.fault(Some(&segment.path), fault.to_string(), None);
            }
            self.advance(segment.bytes, total);
        }
        self.found.durable_lsn = newest.get();
        self.begins_in_time(first)?;
        // Where the end is damaged, that has been said.
        if is_end_damaged { Ok(()) } else { self.ends_in_time(first, newest, manifest) }
    }

    /// Everything above the checkpoint must be in the log. While this was looking, the checkpoint may have moved.
    fn begins_in_time(&mut self, first: Option<Lsn>) -> Result<(), Error> {
        let Some(first) = first else { return Ok(()) };
        let checkpoint = self.manifest()?.checkpoint();
        if first > checkpoint.next() {
            let missing = format!("the log lacks LSNs {} to {}", checkpoint.next(), first.previous());
            self.fault(None, missing, None);
        }
        Ok(())
    }

    /// What the manifest says that the log has held is in it, or in files by now.
    fn ends_in_time(&mut self, first: Option<Lsn>, newest: Lsn, manifest: &Manifest) -> Result<(), Error> {
        let Some(high_water) = manifest.high_water() else { return Ok(()) };
        let reached = newest.max(self.manifest()?.checkpoint());
        let is_there = || mallard_wal::first_lsn(self.env.disk.as_ref(), &self.layout.wal());
        if first.is_none() && is_there()?.is_none() {
            let missing = format!("there is no log: everything from LSN {} on is missing", reached.next());
            self.fault(Some(&self.layout.wal()), missing, None);
        } else if reached < high_water {
            let missing = format!("the log lacks LSNs {} to {high_water} at its end", reached.next());
            self.fault(Some(&self.layout.wal()), missing, None);
        }
        Ok(())
    }

    /// Whether something explains every position that has no row.
    ///
    /// NOTE: the ledger is read after the manifest. An erasure whose record the manifest has left behind is in the one or the
    /// other, and it may be told from the other records of the log by nothing else.
    fn unaccounted(&mut self, manifest: &Manifest) {
        let Some(ledger) = self.ledger() else { return };
        let by_repairs = match repair::unaccounted(self.env.disk.as_ref(), self.layout) {
            Ok(count) => count,
            Err(reason) => return self.fault(Some(&self.layout.unaccounted()), reason, None),
        };
        let missing = positions::missing(manifest, &ledger, by_repairs);
        if missing > 0 {
            let what = format!(
                "{missing} events through LSN {} are in no file, and neither a loss nor retention, an erasure or a repair explains that",
                manifest.checkpoint()
            );
            self.fault(None, what, None);
        }
    }

    fn ledger(&mut self) -> Option<Vec<Erasure>> {
        let path = self.layout.ledger();
        match ledger::read_if_any(self.env.disk.as_ref(), &path) {
            Ok(entries) => Some(entries),
            Err(error) => {
                let what = match error {
                    Error::Refused { reason, .. } => reason,
                    other => other.to_string(),
                };
                self.fault(Some(&path), what, None);
                None
            }
        }
    }

    fn erased_ids(&mut self) {
        if let Err(reason) = erased_ids::check(self.env, self.layout) {
            self.fault(Some(&erased_ids::path(self.layout)), reason, None);
        }
    }

    fn file(
        &mut self,
        file: &Arc<FileEntry>,
        manifest: &Manifest,
        positions: &mut Positions,
        total: u64,
    ) -> Result<(), Error> {
        let mut rows = FileRows::default();
        let outcome = forget_cached(self.env, self.layout.root(), file).and_then(|()| {
            read_file(self.env, self.layout.root(), file, &mut |batch| positions.take(file, &batch, &mut rows))
        });
        let wrong = match outcome {
            Ok(()) => rows.wrong(file),
            Err(error) => Some(error.to_string()),
        };
        match wrong {
            None => self.found.parquet.add(file.bytes, rows.count),
            // Merged or expired since the manifest was read.
            Some(_) if !self.manifest()?.contains(&file.path) => {}
            Some(_) if is_acknowledged(manifest, file) => {
                let known = format!("damaged: {} (site {}, day {})", file.path, file.site, file.date);
                self.found.acknowledged.push(known);
            }
            Some(what) => {
                let affects = (file.site.to_string(), file.date.to_string());
                self.fault(Some(&self.layout.root().join(&*file.path)), what, Some(affects));
            }
        }
        self.advance(file.bytes, total);
        Ok(())
    }

    fn fault(&mut self, path: Option<&Path>, what: String, affects: Option<(String, String)>) {
        let relative = |path: &Path| path.strip_prefix(self.layout.root()).unwrap_or(path).to_owned();
        self.found.faults.push(Fault { path: path.map(relative), what, affects });
    }

    fn advance(&mut self, bytes: u64, total: u64) {
        self.read += bytes;
        (self.progress)(self.read.min(total), total);
    }
}

fn is_acknowledged(manifest: &Manifest, file: &FileEntry) -> bool {
    manifest.damaged().any(|(other, condition)| other.path == file.path && condition == Condition::Acknowledged)
}

impl Checked {
    fn add(&mut self, bytes: u64, records: u64) {
        self.files += 1;
        self.bytes += bytes;
        self.records += records;
    }
}
