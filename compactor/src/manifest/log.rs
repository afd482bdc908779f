//! [`ManifestLog`]: the files under `manifest/`, and the one commit point of the store.
//!
//! ```text
//! manifest/<n, 20 digits>.manifest      a segment file (mallard_wal::segment) of its own number n, zero-filled to its
//!                                       full length and never sealed
//!   header page │ DATA: CHECKPOINT, the whole state │ DATA: EDIT │ MARK │ DATA: EDIT │ MARK │ zeros
//! ```
//!
//! - **Open** verifies the file with the highest number, all of it, and refuses the store if it is not sound. That file
//!   was synced before it got its name, so damage is damage; the file before it is out of date, and using it would bring
//!   removed files back to life.
//! - When the log has been recovered too it begins a new file with a full checkpoint, because nothing is ever appended to a
//!   file of another life of the process. A file is complete and synced under a temporary name before it gets its own.
//! - **Commit** writes an edit as one synced frame (an edit beyond 1 MiB: several) and a synced MARK. The MARK is what
//!   tells, from then on, damage to the last edit from a commit that was cut off.
//! - Files have their final length from the beginning, so a shortened one is seen, and a commit needs no new space. When
//!   the next edit has no room, the state with that edit becomes the checkpoint of a new file: that is then the commit.
//! - After a failed write or sync of a file with a name nothing is written any more: what the disk holds is known only
//!   to the next open.
//!
//! It relies on the lock of the data directory: nobody else makes files here.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mallard_wal::disk::{self, Disk, Env, File, durable};
use mallard_wal::record::{BODY_BYTES_MAX, Draft, RECORD_BYTES_MAX};
use mallard_wal::seeded::{Bug, is_seeded};
use mallard_wal::segment::{FRAME_PAYLOAD_BYTES_MAX, HEADER_BYTES, SegmentHeader, SegmentWriter, scan};
use mallard_wal::{Kind, Lsn};

use super::replay::{MORE, replay};
use super::{EDIT_VERSION, Edit, LsnRange, Manifest};
use crate::error::{Error, at};
use crate::layout;
use crate::orphans::parquet_files;

/// Frames start on pages, so that no commit touches a page of the one before.
const COMMIT_ALIGN: u32 = 4096;
/// What a frame takes besides its payload, at most: its header and its padding.
const FRAME_OVERHEAD_BYTES: usize = 2 * COMMIT_ALIGN as usize;
/// Records of the longest kind that fit into one frame.
const FRAME_RECORDS: usize = FRAME_PAYLOAD_BYTES_MAX as usize / RECORD_BYTES_MAX;
/// The least room for edits in a new file: some sixteen commits.
const ROOM_BYTES_MIN: usize = 128 * 1024;
/// How many files before the newest are kept, for a person who has to look.
const KEPT_FILES: u64 = 2;

const _: () = assert!(FRAME_RECORDS >= 1);

/// The open manifest: the current state, and the file that the next edit goes to.
#[derive(Debug)]
pub struct ManifestLog {
    env: Env,
    root: PathBuf,
    store_id: u128,
    epoch: u64,
    /// The number of the file that `writer` writes.
    number: u64,
    writer: SegmentWriter,
    manifest: Arc<Manifest>,
    is_poisoned: bool,
}

/// The state of a store at its opening, before anything is added to it: see [`ManifestRecovery::start`].
#[derive(Debug)]
pub struct ManifestRecovery {
    env: Env,
    root: PathBuf,
    store_id: u128,
    /// Of the newest file; 0 if there is none.
    epoch: u64,
    number: u64,
    manifest: Manifest,
}

impl ManifestRecovery {
    /// What the newest manifest says.
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Begins a new file with the state. `high_water` is the newest LSN that the recovered log holds, none if there is no
    /// segment of it; `lost` are the gaps in it, in ascending order.
    pub fn start(mut self, high_water: Option<Lsn>, lost: &[LsnRange]) -> Result<ManifestLog, Error> {
        self.manifest.go_on(high_water, lost);
        let Self { env, root, store_id, .. } = self;
        let place = Place { env: &env, root: &root, store_id, epoch: self.epoch + 1, number: self.number + 1 };
        let writer = place.prepare(&self.manifest)?.publish(env.disk.as_ref())?;
        let (epoch, number) = (place.epoch, place.number);
        let manifest = Arc::new(self.manifest);
        Ok(ManifestLog { env, root, store_id, epoch, number, writer, manifest, is_poisoned: false })
    }
}

impl ManifestLog {
    /// [`ManifestLog::recover`] and [`ManifestRecovery::start`], for a store whose log is of no interest.
    pub fn open(env: &Env, root: &Path, store_id: u128) -> Result<Self, Error> {
        Self::recover(env, root, store_id)?.start(None, &[])
    }

    /// Reads the state of the store in `root`. A store without any file has an empty one.
    pub fn recover(env: &Env, root: &Path, store_id: u128) -> Result<ManifestRecovery, Error> {
        let folder = root.join(layout::MANIFEST);
        durable::create_dirs(env.disk.as_ref(), root, layout::MANIFEST.as_ref()).map_err(at("create", &folder))?;
        remove_unfinished(env.disk.as_ref(), &folder)?;
        let (number, epoch, manifest) = match numbers(env.disk.as_ref(), &folder)?.last() {
            Some(newest) => {
                let read = |number| read(env.disk.as_ref(), &folder, number, store_id);
                let is_last = *newest == 1 || !is_seeded(Bug::FallBackToOlderManifest);
                let (header, manifest) =
                    read(*newest).or_else(|error| if is_last { Err(error) } else { read(*newest - 1) })?;
                (*newest, header.epoch, manifest)
            }
            None => (0, 0, empty(env.disk.as_ref(), root)?),
        };
        refuse_stale(env.disk.as_ref(), root, &manifest)?;
        #[cfg(feature = "seeded-bugs")]
        let manifest = crate::seeded::with_strays(env.disk.as_ref(), root, manifest);
        Ok(ManifestRecovery { env: env.clone(), root: root.to_owned(), store_id, epoch, number, manifest })
    }

    /// The state of the store in `root` as of now, for somebody who only looks: changes nothing, and a server may be
    /// committing meanwhile.
    pub fn peek(disk: &dyn Disk, root: &Path, store_id: u128) -> Result<Manifest, Error> {
        let folder = root.join(layout::MANIFEST);
        match numbers(disk, &folder)?.last() {
            Some(newest) => Ok(read(disk, &folder, *newest, store_id)?.1),
            None => empty(disk, root),
        }
    }

    /// [`ManifestLog::peek`], refused if what it finds is not the newest that there was.
    pub fn peek_newest(disk: &dyn Disk, root: &Path, store_id: u128) -> Result<Manifest, Error> {
        let manifest = Self::peek(disk, root, store_id)?;
        refuse_stale(disk, root, &manifest)?;
        Ok(manifest)
    }

    /// Writes `manifest` as the first manifest file of the store in `root`, which has none: of a copy, or of a fork that goes
    /// on under another store id. Durable on return.
    pub fn found(env: &Env, root: &Path, store_id: u128, manifest: &Manifest) -> Result<(), Error> {
        let folder = root.join(layout::MANIFEST);
        durable::create_dirs(env.disk.as_ref(), root, layout::MANIFEST.as_ref()).map_err(at("create", &folder))?;
        for number in numbers(env.disk.as_ref(), &folder)? {
            let path = folder.join(layout::manifest_name(number));
            durable::remove(env.disk.as_ref(), &path).map_err(at("remove", &path))?;
        }
        let place = Place { env, root, store_id, epoch: 1, number: 1 };
        place.prepare(manifest)?.publish(env.disk.as_ref()).map(drop)
    }

    /// Writes `manifest` as the newest manifest file of the store in `root`, beside those that are there, and returns its
    /// path. Durable on return. For a manifest that was made anew.
    pub fn succeed(env: &Env, root: &Path, store_id: u128, manifest: &Manifest) -> Result<PathBuf, Error> {
        let folder = root.join(layout::MANIFEST);
        durable::create_dirs(env.disk.as_ref(), root, layout::MANIFEST.as_ref()).map_err(at("create", &folder))?;
        let number = numbers(env.disk.as_ref(), &folder)?.last().map_or(1, |newest| newest + 1);
        let place = Place { env, root, store_id, epoch: 1, number };
        let file = place.prepare_beside(manifest)?;
        let path = file.target.clone();
        file.publish(env.disk.as_ref())?;
        Ok(path)
    }

    /// The current state.
    pub fn manifest(&self) -> &Arc<Manifest> {
        &self.manifest
    }

    /// Whether a write or sync of a file with a name has failed, so that nothing may be written any more.
    pub const fn is_poisoned(&self) -> bool {
        self.is_poisoned
    }

    /// Reads the file that edits go to from the device and compares it with the state.
    ///
    /// # Errors
    /// That of an open which would be refused, or that the device has lost edits.
    pub fn check(&self) -> Result<(), Error> {
        let (disk, folder) = (self.env.disk.as_ref(), self.root.join(layout::MANIFEST));
        let path = folder.join(layout::manifest_name(self.number));
        let forgotten = disk.open(&path).and_then(|file| file.forget_cache());
        forgotten.map_err(at("read", &path))?;
        let (_, found) = read(disk, &folder, self.number, self.store_id)?;
        let is_same = (found.checkpoint(), found.totals()) == (self.manifest.checkpoint(), self.manifest.totals());
        if is_same { Ok(()) } else { Err(Error::ManifestBehind { path }) }
    }

    /// Begins a new file with the state, in place of one that is damaged. Fails as [`ManifestLog::commit`] does.
    pub fn renew(&mut self) -> Result<(), Error> {
        if self.is_poisoned {
            return Err(Error::Poisoned);
        }
        let manifest = Arc::clone(&self.manifest);
        self.roll(&manifest)
    }

    /// Makes `edit` durable and returns the state with it. This is the commit point: before it returns, the edit may or
    /// may not survive a crash; after it, it does.
    ///
    /// An edit that does not fit the state, or a new file that could not be made, changes nothing and may be tried again.
    /// Any other failure leaves the outcome unknown, and the log refuses everything until it is opened anew.
    pub fn commit(&mut self, edit: &Edit) -> Result<Arc<Manifest>, Error> {
        if self.is_poisoned {
            return Err(Error::Poisoned);
        }
        let mut next = Manifest::clone(&self.manifest);
        next.apply(edit)?;
        let records = records(Kind::EDIT, edit, self.env.clock.now_us());
        if self.writer.fits(framed_bytes(&records)) {
            self.append(&records)?;
        } else {
            self.roll(&next)?;
        }
        self.manifest = Arc::new(next);
        Ok(Arc::clone(&self.manifest))
    }

    fn append(&mut self, records: &[Draft]) -> Result<(), Error> {
        self.is_poisoned = true;
        append(&mut self.writer, records).and_then(|()| mark(&mut self.writer)).map_err(|source| {
            let path = self.root.join(layout::MANIFEST).join(layout::manifest_name(self.number));
            Error::Io { action: "commit to", path, source }
        })?;
        self.is_poisoned = false;
        Ok(())
    }

    fn roll(&mut self, next: &Manifest) -> Result<(), Error> {
        let Self { env, root, store_id, epoch, number, .. } = self;
        let place = Place { env, root, store_id: *store_id, epoch: *epoch, number: *number + 1 };
        let file = place.prepare(next)?;
        self.is_poisoned = true;
        self.writer = file.publish(self.env.disk.as_ref())?;
        self.is_poisoned = false;
        self.number += 1;
        Ok(())
    }
}

/// A manifest file to be.
struct Place<'a> {
    env: &'a Env,
    root: &'a Path,
    store_id: u128,
    epoch: u64,
    number: u64,
}

/// A manifest file with its checkpoint, complete but for its name.
struct Prepared {
    writer: SegmentWriter,
    tmp: PathBuf,
    target: PathBuf,
}

impl Prepared {
    /// Gives the file its name: from here on it is the newest.
    fn publish(self, disk: &dyn Disk) -> Result<SegmentWriter, Error> {
        durable::publish(disk, &self.tmp, &self.target).map_err(at("publish", &self.target))?;
        Ok(self.writer)
    }
}

impl Place<'_> {
    /// Makes the file with `manifest` as its checkpoint. Nothing of it counts yet.
    fn prepare(&self, manifest: &Manifest) -> Result<Prepared, Error> {
        remove_old(self.env.disk.as_ref(), &self.root.join(layout::MANIFEST), self.number)?;
        self.prepare_beside(manifest)
    }

    /// The same, and no older file is removed.
    fn prepare_beside(&self, manifest: &Manifest) -> Result<Prepared, Error> {
        let disk = self.env.disk.as_ref();
        let folder = self.root.join(layout::MANIFEST);
        let name = layout::manifest_name(self.number);
        let (tmp, target) = (folder.join(format!("{name}{UNFINISHED}")), folder.join(name));
        durable::remove(disk, &tmp).map_err(at("remove", &tmp))?;
        let file = disk.create(&tmp).map_err(at("create", &tmp))?;
        let written = self.write_checkpoint(file, manifest).inspect_err(|_| {
            // Gives the space back; if that fails too, the next attempt does it.
            disk.remove_file(&tmp).ok();
        });
        let writer = written.map_err(at("write", &tmp))?;
        Ok(Prepared { writer, tmp, target })
    }

    fn write_checkpoint(&self, file: Box<dyn File>, manifest: &Manifest) -> std::io::Result<SegmentWriter> {
        let now_us = self.env.clock.now_us();
        let records = records(Kind::CHECKPOINT, &manifest.to_checkpoint(), now_us);
        let checkpoint_bytes = framed_bytes(&records);
        let room_bytes = checkpoint_bytes.max(ROOM_BYTES_MIN);
        let prepared_bytes = (HEADER_BYTES + checkpoint_bytes + room_bytes).next_multiple_of(COMMIT_ALIGN as usize);
        fill_with_zeros(file.as_ref(), prepared_bytes)?;
        let header = SegmentHeader {
            store_id: self.store_id,
            number: self.number,
            base_lsn: Lsn::FIRST,
            epoch: self.epoch,
            nonce: self.nonce(),
            created_us: now_us,
            previous_chain: 0,
            commit_align: COMMIT_ALIGN,
            flags: 0,
            prepared_bytes: prepared_bytes as u64,
            frame_payload_bytes_max: FRAME_PAYLOAD_BYTES_MAX,
        };
        let mut writer = SegmentWriter::create(file, header)?;
        append(&mut writer, &records)?;
        Ok(writer)
    }

    fn nonce(&self) -> u64 {
        let mut bytes = [0; 8];
        self.env.entropy.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }
}

/// The ending of a file that is not complete yet.
const UNFINISHED: &str = ".new";

/// An edit as records of one kind, in order.
fn records(kind: Kind, edit: &Edit, now_us: i64) -> Vec<Draft> {
    let bytes = edit.encode();
    let count = bytes.len().div_ceil(BODY_BYTES_MAX);
    let record = |(index, body): (usize, &[u8])| {
        let flags = if index + 1 < count { MORE } else { 0 };
        Draft::new(kind, EDIT_VERSION, flags, now_us, [0; 16], body).expect("a part fits into a record")
    };
    bytes.chunks(BODY_BYTES_MAX).enumerate().map(record).collect()
}

/// What records take in a file, at most.
fn framed_bytes(records: &[Draft]) -> usize {
    let frames = records.len().div_ceil(FRAME_RECORDS);
    records.iter().map(Draft::encoded_len).sum::<usize>() + frames * FRAME_OVERHEAD_BYTES
}

/// Writes records, each frame synced before the next.
fn append(writer: &mut SegmentWriter, records: &[Draft]) -> std::io::Result<()> {
    for frame in records.chunks(FRAME_RECORDS) {
        writer.commit(frame)?;
    }
    Ok(())
}

fn mark(writer: &mut SegmentWriter) -> std::io::Result<bool> {
    if is_seeded(Bug::LeaveOutManifestMark) { Ok(false) } else { writer.mark() }
}

fn fill_with_zeros(file: &dyn File, bytes: usize) -> std::io::Result<()> {
    let zeros = [0; 16 * 1024];
    for offset in (0..bytes).step_by(zeros.len()) {
        let rest = bytes - offset;
        file.write_all_at(zeros.get(..rest).unwrap_or(&zeros), offset as u64)?;
    }
    Ok(())
}

/// The numbers of the files, ascending.
pub(crate) fn numbers(disk: &dyn Disk, folder: &Path) -> Result<Vec<u64>, Error> {
    let entries = match disk.list(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        entries => entries.map_err(at("list", folder))?,
    };
    Ok(entries.iter().filter_map(|entry| layout::manifest_number(&entry.name)).collect())
}

fn read(disk: &dyn Disk, folder: &Path, number: u64, store_id: u128) -> Result<(SegmentHeader, Manifest), Error> {
    let path = folder.join(layout::manifest_name(number));
    let bytes = disk::read(disk, &path).map_err(at("read", &path))?;
    let scan = scan(&bytes, store_id).map_err(|source| Error::ManifestHeader { path: path.clone(), source })?;
    if scan.header.number != number {
        return Err(Error::ManifestMisnamed { path, number: scan.header.number });
    }
    let manifest = replay(&scan).map_err(|source| Error::ManifestUnusable { path, source })?;
    Ok((scan.header, manifest))
}

/// A manifest whose end is not where the log begins, while there are files of what lies between, is one of the past: the
/// newer ones are gone. Those files would be orphans of it, and be removed.
///
/// NOTE: in a sound store the log reaches down to the checkpoint, so the folders are listed for a damaged one only.
fn refuse_stale(disk: &dyn Disk, root: &Path, manifest: &Manifest) -> Result<(), Error> {
    let (wal, checkpoint) = (root.join(layout::WAL), manifest.checkpoint());
    let first = match disk.list(&wal) {
        // A manifest without a log, as in tests of this crate.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        _ => mallard_wal::first_lsn(disk, &wal)?,
    };
    if first.is_some_and(|first| first <= checkpoint.next()) {
        return Ok(());
    }
    let fills_the_hole = |path: &String| {
        let name = path.rsplit('/').next().and_then(layout::parquet_identity);
        name.is_some_and(|(_, lsns)| lsns.last > checkpoint && first.is_none_or(|first| lsns.first < first))
    };
    match parquet_files(disk, root)?.into_keys().find(fills_the_hole) {
        Some(file) => Err(Error::ManifestStale { root: root.to_owned(), checkpoint, file }),
        None => Ok(()),
    }
}

/// The state of a store that has no manifest file, if it is a new one.
fn empty(disk: &dyn Disk, root: &Path) -> Result<Manifest, Error> {
    let events = root.join(layout::EVENTS);
    match disk.list(&events) {
        // NOTE: without this check all of them would be orphans of an empty manifest, and be removed.
        Ok(entries) if !entries.is_empty() => Err(Error::ManifestMissing { root: root.to_owned() }),
        Err(error) if error.kind() != ErrorKind::NotFound => Err(at("list", &events)(error)),
        _ => Ok(Manifest::default()),
    }
}

fn remove_unfinished(disk: &dyn Disk, folder: &Path) -> Result<(), Error> {
    for entry in disk.list(folder).map_err(at("list", folder))? {
        if entry.name.ends_with(UNFINISHED) {
            let path = folder.join(&entry.name);
            durable::remove(disk, &path).map_err(at("remove", &path))?;
        }
    }
    Ok(())
}

/// Removes all files but the last few before `number`.
///
/// NOTE: before the new file is begun, not after: then a removal that fails is an edit that was not committed, and not
/// one whose fate is unknown.
fn remove_old(disk: &dyn Disk, folder: &Path, number: u64) -> Result<(), Error> {
    for old in numbers(disk, folder)? {
        if old + KEPT_FILES < number {
            let path = folder.join(layout::manifest_name(old));
            durable::remove(disk, &path).map_err(at("remove", &path))?;
        }
    }
    Ok(())
}
