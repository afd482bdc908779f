//! [`Moment`]: what a store held at one moment, found without its lock and held without changing it.
//!
//! ```text
//! 1 the manifest           its checkpoint C and its files
//! 2 the log                events above C, and erasures; kept in memory
//! 3 the manifest again     another checkpoint: segments above C may have been trimmed before they were read. Begin anew
//! 4 every file, opened     gone, and the manifest of now does not name it: merged or expired. Begin anew
//! 5 every file, checksummed
//! ```
//! An open file stays what it is, whatever becomes of its name, until this process ends. Events of the log, and what an
//! unfinished erasure leaves of a file, are written as Parquet into memory: one more file for whoever reads.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::Path;
use std::sync::Arc;

use arrow::compute::{filter_record_batch, not};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use mallard_compactor::{Condition, Erasure, FileEntry, Loose, LsnRange, Manifest, ManifestLog, SCHEMA_ADOPTED};
use mallard_event::SiteId;
use mallard_wal::disk::Env;
use mallard_wal::{Examination, Kind, Lsn};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::Missing;
use crate::error::{Error, IoContext as _};
use crate::identity::Identity;
use crate::layout::Layout;
use crate::query::SqlError;
use crate::repair;
use crate::store::event_of;
use crate::tail::Tail;

/// How often it is begun anew because maintenance was faster. An attempt takes milliseconds, a step of maintenance longer.
const ATTEMPTS_MAX: usize = 20;
/// Files that a process has open beside those of a moment.
const OTHER_FILES: u64 = 256;
const READ_BYTES: usize = 128 << 10;

/// One moment of a store.
#[derive(Debug)]
pub(super) struct Moment {
    /// The live files, and the one in memory.
    files: Vec<File>,
    /// Whether some are of the original program: columns from `lsn` on are missing, and types may be narrower.
    pub(super) has_adopted: bool,
    /// What is not there.
    pub(super) missing: Vec<Missing>,
    /// The newest LSN.
    pub(super) as_of: Lsn,
}

impl Moment {
    /// Finds a moment of the store, or of one of its sites. `check` ends it early.
    pub(super) fn find(
        env: &Env,
        layout: &Layout,
        site: Option<&SiteId>,
        check: &dyn Fn() -> Result<(), SqlError>,
    ) -> Result<Self, SqlError> {
        repair::refuse_unfinished(env, layout)?;
        let identity = Identity::load(env.disk.as_ref(), layout)?;
        let finder = Finder { env, layout, site, check, store_id: identity.store_id };
        for _ in 0..ATTEMPTS_MAX {
            if let Some(moment) = finder.attempt()? {
                return Ok(moment);
            }
        }
        let reason = "the store changed faster than it could be read; try again".into();
        Err(Error::Refused { path: layout.root().to_owned(), reason }.into())
    }

    /// The files, to be held by whoever reads them.
    pub(super) fn take_files(&mut self) -> Vec<File> {
        std::mem::take(&mut self.files)
    }
}

struct Finder<'a> {
    env: &'a Env,
    layout: &'a Layout,
    site: Option<&'a SiteId>,
    check: &'a dyn Fn() -> Result<(), SqlError>,
    store_id: u128,
}

/// What the log has above the checkpoint.
struct Hot {
    tail: Tail,
    erasures: Vec<Arc<Erasure>>,
    newest: Lsn,
}

/// The files of a moment, before a byte of them is believed.
#[derive(Default)]
struct Pinned<'a> {
    whole: Vec<(File, &'a FileEntry)>,
    /// Files of which unfinished erasures take some rows.
    cut: Vec<(&'a FileEntry, Vec<&'a Erasure>)>,
}

impl Finder<'_> {
    /// `None` if maintenance was faster.
    fn attempt(&self) -> Result<Option<Moment>, SqlError> {
        (self.check)()?;
        let manifest = self.manifest()?;
        let mut missing = known_losses(&manifest);
        let hot = self.log(&manifest, &mut missing)?;
        if self.manifest()?.checkpoint() != manifest.checkpoint() {
            return Ok(None);
        }
        let Some(pinned) = self.pin(&manifest, &hot.erasures, &mut missing)? else { return Ok(None) };
        let in_memory = match self.in_memory(&hot.tail, &pinned.cut) {
            Err(error) if is_gone(&error) => return Ok(None),
            in_memory => in_memory?,
        };
        let mut moment = Moment { files: Vec::new(), has_adopted: false, missing, as_of: hot.newest };
        for (mut file, entry) in pinned.whole {
            (self.check)()?;
            match crc32(&mut file) {
                Ok(crc) if crc == entry.crc32 => {
                    moment.has_adopted |= entry.schema_version == SCHEMA_ADOPTED;
                    moment.files.push(file);
                }
                Ok(_) => moment.missing.push(damaged(entry, "its checksum is not the manifest's")),
                Err(error) => moment.missing.push(damaged(entry, &error.to_string())),
            }
        }
        moment.files.extend(in_memory);
        Ok(Some(moment))
    }

    fn manifest(&self) -> Result<Manifest, Error> {
        Ok(ManifestLog::peek(self.env.disk.as_ref(), self.layout.root(), self.store_id)?)
    }

    fn is_wanted(&self, site: &SiteId) -> bool {
        self.site.is_none_or(|wanted| wanted == site)
    }

    /// Events and erasures above the checkpoint; what an erasure takes is left out already.
    fn log(&self, manifest: &Manifest, missing: &mut Vec<Missing>) -> Result<Hot, Error> {
        let checkpoint = manifest.checkpoint();
        let mut hot = Hot { tail: Tail::default(), erasures: manifest.erasures().to_vec(), newest: checkpoint };
        let mut log = Examination::begin(self.env.disk.as_ref(), &self.layout.wal(), self.store_id)?;
        let mut undecodable = 0_u64;
        while let Some(segment) = log.next_with(&mut |record| {
            if record.lsn <= checkpoint {
                return;
            }
            hot.erasures.extend(Erasure::of(&record).map(Arc::new));
            match event_of(&record) {
                Some(pending) if self.is_wanted(&pending.event.site) => hot.tail.push_replayed(record.lsn, pending),
                None if record.kind == Kind::EVENT => undecodable += 1,
                _ => {}
            }
        }) {
            let segment = segment?;
            hot.newest = hot.newest.max(segment.last_lsn);
            let gaps = segment.gaps.iter().filter(|(_, last)| *last > checkpoint);
            missing.extend(gaps.flat_map(|(first, last)| lost(LsnRange::new(*first, *last), manifest)));
            if let Some(fault) = segment.fault {
                missing.push(unnoticed(format!("{}: {fault}", self.relative(&segment.path))));
            }
        }
        let is_there = mallard_wal::first_lsn(self.env.disk.as_ref(), &self.layout.wal())?.is_some();
        if manifest.high_water().is_some_and(|high_water| high_water > hot.newest || !is_there) {
            missing.push(unnoticed(format!("the log has lost everything from LSN {} on", hot.newest.next())));
        }
        if undecodable > 0 {
            missing.push(unnoticed(format!(
                "{undecodable} records of the log are no events that this program understands"
            )));
        }
        for erasure in &hot.erasures {
            hot.tail.erase(erasure);
        }
        Ok(hot)
    }

    /// Opens every file that the answer may need; `None` if one was merged or expired before that.
    fn pin<'a>(
        &self,
        manifest: &'a Manifest,
        erasures: &'a [Arc<Erasure>],
        missing: &mut Vec<Missing>,
    ) -> Result<Option<Pinned<'a>>, Error> {
        let wanted: Vec<&FileEntry> = manifest
            .files()
            .map(AsRef::as_ref)
            .filter(|file: &&FileEntry| self.is_wanted(&file.site) && !manifest.is_damaged(&file.path))
            .collect();
        let mut pinned = Pinned::default();
        make_room(self.layout.root(), wanted.len())?;
        for entry in wanted {
            let taking: Vec<&Erasure> =
                erasures.iter().map(AsRef::as_ref).filter(|erasure: &&Erasure| erasure.may_take_from(entry)).collect();
            if !taking.is_empty() {
                pinned.cut.push((entry, taking));
                continue;
            }
            let path = self.layout.root().join(&*entry.path);
            match File::open(&path) {
                Ok(file) => pinned.whole.push((file, entry)),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    if !self.manifest()?.contains(&entry.path) {
                        return Ok(None);
                    }
                    missing.push(damaged(entry, "it is not there"));
                }
                Err(source) => return Err(Error::Io { path, source }),
            }
        }
        Ok(Some(pinned))
    }

    /// The hot rows, and what erasures leave of files, as a file in memory; none if there are no such rows.
    fn in_memory(&self, tail: &Tail, cut: &[(&FileEntry, Vec<&Erasure>)]) -> Result<Option<File>, Error> {
        let rows = |error: ArrowError| Error::Rows(error.to_string());
        let memory = memfd_create("mallard-metrics-sql", MemfdFlags::CLOEXEC).map_err(io::Error::from);
        let mut loose = Loose::new(File::from(memory.at(Path::new("memory"))?))?;
        for (_, site) in tail.sites() {
            for date in site.days().keys() {
                for batch in site.day(*date).map_err(rows)? {
                    loose.write(&batch)?;
                }
            }
        }
        for (entry, erasures) in
            cut.iter().filter(|(entry, erasures)| !erasures.iter().any(|one| one.takes_all_of(entry)))
        {
            // One batch at a time is held.
            let mut written = Ok(());
            mallard_compactor::read_file(self.env, self.layout.root(), entry, &mut |batch| {
                if written.is_ok() {
                    written = left_of(batch, erasures).map_err(rows).and_then(|left| Ok(loose.write(&left)?));
                }
            })?;
            written?;
        }
        let (file, rows) = loose.finish()?;
        Ok((rows > 0).then_some(file))
    }

    fn relative(&self, path: &Path) -> String {
        path.strip_prefix(self.layout.root()).unwrap_or(path).display().to_string()
    }
}

/// The rows of a batch that no erasure takes.
fn left_of(batch: RecordBatch, erasures: &[&Erasure]) -> Result<RecordBatch, ArrowError> {
    erasures.iter().try_fold(batch, |batch, erasure| {
        let taken =
            erasure.mask(&batch).ok_or_else(|| ArrowError::SchemaError("these are not rows of events".into()))?;
        filter_record_batch(&batch, &not(&taken)?)
    })
}

fn known_losses(manifest: &Manifest) -> Vec<Missing> {
    let known = manifest.acknowledged();
    let gaps = manifest.gaps().iter().flat_map(|gap| lost(*gap, manifest));
    let records = manifest.quarantined().iter().map(|range| Missing {
        what: format!("undecodable records {}-{} are in quarantine/", range.first, range.last),
        is_acknowledged: range.without(known).is_empty(),
    });
    let files = manifest.damaged().map(|(file, condition)| Missing {
        is_acknowledged: condition == Condition::Acknowledged,
        ..damaged(file, "it is left out")
    });
    gaps.chain(records).chain(files).collect()
}

/// A gap, in parts that an operator knows of and parts that nobody has acknowledged.
fn lost(gap: LsnRange, manifest: &Manifest) -> Vec<Missing> {
    let missing = |part: LsnRange, is_acknowledged| Missing {
        what: format!("lost lsn {}-{}", part.first, part.last),
        is_acknowledged,
    };
    let known = gap.within(manifest.acknowledged()).into_iter().map(|part| missing(part, true));
    let unknown = gap.without(manifest.acknowledged()).into_iter().map(|part| missing(part, false));
    known.chain(unknown).collect()
}

fn damaged(file: &FileEntry, reason: &str) -> Missing {
    unnoticed(format!("damaged: {} (site {}, day {}): {reason}", file.path, file.site, file.date))
}

fn unnoticed(what: String) -> Missing {
    Missing { what, is_acknowledged: false }
}

/// Whether a file had gone before it could be read.
fn is_gone(error: &Error) -> bool {
    let Error::Compactor(mallard_compactor::Error::Io { source, .. }) = error else { return false };
    source.kind() == ErrorKind::NotFound
}

/// Lets this process open as many files as it may, and refuses more: each is open under two numbers, and once more by its
/// name.
fn make_room(root: &Path, files: usize) -> Result<(), Error> {
    let needed = 3 * files as u64 + OTHER_FILES;
    let limit = getrlimit(Resource::Nofile);
    if limit.maximum.is_some_and(|maximum| maximum < needed) {
        let reason = format!(
            "its {files} files are more than this process may open; raise the limit (ulimit -Hn {needed}), or ask about one site"
        );
        return Err(Error::Refused { path: root.to_owned(), reason });
    }
    let raised = Rlimit { current: limit.maximum, ..limit };
    setrlimit(Resource::Nofile, raised).map_err(io::Error::from).at(root)
}

fn crc32(file: &mut File) -> io::Result<u32> {
    let mut hasher = crc32fast::Hasher::new();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finalize()),
            read => hasher.update(buffer.get(..read).unwrap_or_default()),
        }
    }
}
