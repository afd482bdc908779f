//! Recovery: what a start does with the files of earlier lives.
//!
//! ```text
//! survey   list the folder, read every header page       foreign, newer or misnamed files: refused, nothing touched
//! walk     each segment in log order
//!            wholly at or below the checkpoint            skipped unread, left to be trimmed
//!            sealed, sound, continued by the next         delivered
//!            the last one, without a SEAL                 its verified frames rewritten as a sealed segment
//!            ... and with a torn frame at the end         the original kept in the quarantine first
//!            damaged                                      kept in the quarantine, salvaged, rebuilt with gap records
//!            missing                                      replaced by a segment with one gap record
//! end      the log ends before what it was known to hold  a segment with one gap record, as far as it can have gone
//! start    the log goes on in a new segment of its own
//! ```
//!
//! Invariants
//!
//! - After recovery every segment on the disk is sealed and sound, the LSNs from the checkpoint on are dense (gap records
//!   standing for ranges), and each SEAL's link meets the next header. So recovering twice gives the same.
//! - A record is delivered only from a file that has been read back sound and is durable under its name.
//! - No byte of a damaged file is changed or deleted: it gets a second name in the quarantine before another file takes
//!   its first.
//! - Nothing is ever appended to a file of another life. After a failed fsync the page cache may show what the disk does
//!   not hold; so the last segment's cache is dropped before it is read.
//! - A crash at any point of recovery is followed by a recovery with the same result.
//!
//! Recovery does not decide what is in a body, does not read the manifest (it is told the checkpoint), and deletes
//! nothing but `*.wal.new`. Torn or corrupt is decided in `segment::tail`.

mod image;
mod repair;
mod report;
mod salvage;
mod survey;
mod walk;

use std::io;
use std::path::{Path, PathBuf};

pub use report::{KnownEnd, Origin, Report};

pub use self::image::read_past_damage;
pub(crate) use self::survey::{Found, Survey};
pub use self::survey::{first_lsn, strangers};
use self::walk::{Place, Walk};
use crate::disk::Env;
use crate::log::{Config, Leftover};
use crate::record::Record;
use crate::seeded::{Bug, is_seeded};
use crate::segment::SealedSegment;
use crate::{Error, Lsn};

/// A recovered log that does not run yet: see [`Recovery::start`].
#[derive(Debug)]
pub struct Recovery {
    pub(crate) env: Env,
    pub(crate) dir: PathBuf,
    pub(crate) config: Config,
    pub(crate) store_id: u128,
    pub(crate) epoch: u64,
    /// The number of the next segment.
    pub(crate) next_number: u64,
    /// What the next segment carries as `previous_chain`.
    pub(crate) link: u32,
    pub(crate) sealed: Vec<SealedSegment>,
    pub(crate) leftovers: Vec<Leftover>,
    report: Report,
}

impl Recovery {
    /// What was found and done.
    pub const fn report(&self) -> &Report {
        &self.report
    }

    /// The segments with records above the checkpoint, all sealed, in log order.
    pub fn sealed(&self) -> &[SealedSegment] {
        &self.sealed
    }

    /// The LSN of the next record.
    pub(crate) fn next_lsn(&self) -> Lsn {
        let reused = u64::from(is_seeded(Bug::ReuseLsn) && self.report.next_lsn > Lsn::FIRST);
        Lsn::new(self.report.next_lsn.get() - reused)
    }
}

/// Recovers the log in `dir`: calls `on_record` for every record above the checkpoint, in log order, gap records
/// included (a gap that begins at or below the checkpoint is delivered whole), and leaves the folder such that
/// [`Recovery::start`] can go on.
///
/// `dir` and `quarantine` must exist, on one file system, and be durable in their parents; the caller holds the
/// directory's lock. After an error the folder is as it was, or recovered in part; the call may be repeated.
pub fn recover(
    env: &Env,
    dir: &Path,
    quarantine: &Path,
    config: &Config,
    origin: Origin,
    on_record: &mut dyn FnMut(Record<'_>),
) -> Result<Recovery, Error> {
    recover_noting(env, dir, quarantine, config, origin, on_record, &|_| Ok(()))
}

/// [`recover`] for a caller that must not forget what was damaged: `on_damaged` hears the name of each damaged original
/// once the quarantine has it and before another file takes its place, so that a crash between the two is heard of again.
pub fn recover_noting(
    env: &Env,
    dir: &Path,
    quarantine: &Path,
    config: &Config,
    origin: Origin,
    on_record: &mut dyn FnMut(Record<'_>),
    on_damaged: &dyn Fn(&str) -> io::Result<()>,
) -> Result<Recovery, Error> {
    config.check();
    let disk = env.disk.as_ref();
    let survey = Survey::take(disk, dir, origin.store_id)?;
    for path in &survey.unfinished {
        disk.remove_file(path).map_err(Error::io("remove", path))?;
    }
    // An earlier life may have been killed between a rename and the sync of the folder.
    disk.sync_dir(dir).map_err(Error::io("sync", dir))?;
    let epoch = survey.highest(|header| header.epoch) + 1;
    let place = Place { env, dir, quarantine, config, origin, epoch, now_us: env.clock.now_us(), on_damaged };
    let mut walk = Walk::new(place, on_record);
    for (at, found) in survey.segments.iter().enumerate() {
        walk.segment(found, survey.segments.get(at + 1))?;
    }
    if let Some(end) = origin.end
        && (survey.segments.is_empty() || walk.next_lsn <= end.high_water)
    {
        walk.fill_end(end, survey.segments.last())?;
    }
    let mut report = walk.report;
    report.next_lsn = walk.next_lsn;
    report.leftovers = walk.leftovers.len() as u64;
    Ok(Recovery {
        env: env.clone(),
        dir: dir.to_owned(),
        config: config.clone(),
        store_id: origin.store_id,
        epoch,
        next_number: survey.highest(|header| header.number).max(walk.number) + 1,
        link: walk.link,
        sealed: walk.sealed,
        leftovers: walk.leftovers,
        report,
    })
}
