//! A store on a simulated disk, small enough to be looked at as a whole.

mod events;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mallard_compactor::{
    Context, Edit, Erasure, Error, FileEntry, Job, Limits, Manifest, ManifestLog, plan, read_file, remove_orphans, run,
    unlink,
};
use mallard_event::{Stored, columns::rows_from};
use mallard_wal::disk::{Env, durable, sim};
use mallard_wal::segment::{SealedSegment, SegmentHeader, SegmentWriter};
use mallard_wal::{Draft, Lsn};

pub(crate) use events::{DAY_US, day, event, record, site, stored, us};

pub(crate) const STORE_ID: u128 = 0x0123_4567_89ab_cdef_0011_2233_4455_6677;
pub(crate) const ROOT: &str = "/data";

/// A data directory with sealed segments and a manifest.
pub(crate) struct Store {
    pub(crate) env: Env,
    pub(crate) disk: sim::SimDisk,
    pub(crate) limits: Limits,
    pub(crate) erasures: Vec<Arc<Erasure>>,
    pub(crate) log: ManifestLog,
    pub(crate) segments: Vec<SealedSegment>,
}

impl Store {
    /// An empty store.
    pub(crate) fn new() -> Self {
        let (env, disk, _clock) = sim::env(7);
        env.disk.create_dir(Path::new(ROOT)).unwrap();
        env.disk.sync_dir(Path::new("/")).unwrap();
        durable::create_dirs(env.disk.as_ref(), Path::new(ROOT), Path::new("wal")).unwrap();
        let log = ManifestLog::open(&env, Path::new(ROOT), STORE_ID).unwrap();
        Self { env, disk, limits: Limits::default(), erasures: Vec::new(), log, segments: Vec::new() }
    }

    /// A store whose log has one sealed segment for each list of records.
    pub(crate) fn with_segments(segments: &[Vec<Draft>]) -> Self {
        let mut store = Self::new();
        for records in segments {
            store.seal(records);
        }
        store
    }

    pub(crate) fn root(&self) -> &'static Path {
        Path::new(ROOT)
    }

    pub(crate) fn manifest(&self) -> &Arc<Manifest> {
        self.log.manifest()
    }

    pub(crate) fn context(&self) -> Context<'_> {
        Context {
            env: &self.env,
            root: Path::new(ROOT),
            store_id: STORE_ID,
            limits: &self.limits,
            erasures: &self.erasures,
            memory: None,
        }
    }

    /// Adds a sealed segment with these records behind the others.
    pub(crate) fn seal(&mut self, records: &[Draft]) -> &SealedSegment {
        let number = self.segments.len() as u64 + 1;
        let first = self.segments.last().map_or(self.manifest().checkpoint(), |last| last.last_lsn).next();
        self.segments.push(seal(&self.env, number, first, records));
        self.segments.last().unwrap()
    }

    pub(crate) fn plan(&self, now_us: i64) -> Option<Job> {
        plan(self.manifest(), &self.segments, now_us, &self.limits)
    }

    pub(crate) fn run(&self, job: &Job) -> Result<Edit, Error> {
        run(&self.context(), self.manifest(), job)
    }

    /// Does the next job with all that follows it, as the engine does; false if there is none.
    pub(crate) fn step(&mut self, now_us: i64) -> Result<bool, Error> {
        let Some(job) = self.plan(now_us) else { return Ok(false) };
        let edit = self.run(&job)?;
        self.log.commit(&edit)?;
        unlink(&self.env, Path::new(ROOT), &edit)?;
        self.trim()?;
        Ok(true)
    }

    /// Does all there is to do.
    pub(crate) fn settle(&mut self, now_us: i64) {
        while self.step(now_us).unwrap() {}
    }

    /// Removes the segments at or below the checkpoint.
    pub(crate) fn trim(&mut self) -> Result<(), Error> {
        let checkpoint = self.manifest().checkpoint();
        for segment in self.segments.iter().filter(|segment| segment.last_lsn <= checkpoint) {
            let path = segment.path.clone();
            let failed = |source| Error::Io { action: "trim", path: path.clone(), source };
            durable::remove(self.env.disk.as_ref(), &path).map_err(failed)?;
        }
        self.segments.retain(|segment| segment.last_lsn > checkpoint);
        Ok(())
    }

    /// Opens the store again after a crash or a kill, as the engine does.
    pub(crate) fn reopen(&mut self) {
        self.log = ManifestLog::open(&self.env, Path::new(ROOT), STORE_ID).unwrap();
        for left in self.files_below("tmp") {
            self.env.disk.remove_file(&Path::new(ROOT).join(left)).unwrap();
        }
        let orphans = remove_orphans(&self.env, Path::new(ROOT), self.log.manifest()).unwrap();
        assert_eq!(orphans.missing, Vec::<String>::new(), "a live file is gone\n{}", self.disk.trace().join("\n"));
        let there = |segment: &SealedSegment| self.env.disk.open(&segment.path).is_ok();
        self.segments.retain(there);
    }

    /// The rows of all live files, by LSN.
    pub(crate) fn rows(&self) -> Vec<Stored> {
        let mut rows: Vec<Stored> = self.manifest().files().flat_map(|entry| self.rows_of(entry)).collect();
        rows.sort_by_key(|row| row.lsn);
        rows
    }

    /// The rows of one file, in its order.
    pub(crate) fn rows_of(&self, entry: &FileEntry) -> Vec<Stored> {
        rows_of(&self.env, entry)
    }

    /// All files below a folder, relative to the data directory, in order.
    pub(crate) fn files_below(&self, folder: &str) -> Vec<String> {
        let mut files = Vec::new();
        walk(&self.env, folder, &mut files);
        files
    }
}

pub(crate) fn rows_of(env: &Env, entry: &FileEntry) -> Vec<Stored> {
    let mut rows = Vec::new();
    read_file(env, Path::new(ROOT), entry, &mut |batch| rows.extend(rows_from(&batch).unwrap())).unwrap();
    rows
}

fn walk(env: &Env, folder: &str, files: &mut Vec<String>) {
    let Ok(entries) = env.disk.list(&Path::new(ROOT).join(folder)) else { return };
    for entry in entries {
        let path = format!("{folder}/{}", entry.name);
        if entry.is_dir { walk(env, &path, files) } else { files.push(path) }
    }
}

/// Writes and seals a segment.
fn seal(env: &Env, number: u64, first: Lsn, records: &[Draft]) -> SealedSegment {
    let path = PathBuf::from(format!("{ROOT}/wal/{:020}.wal", first.get()));
    let header = SegmentHeader {
        store_id: STORE_ID,
        number,
        base_lsn: first,
        epoch: 1,
        nonce: number,
        created_us: 0,
        previous_chain: 0,
        commit_align: 512,
        flags: 0,
        prepared_bytes: 0,
        frame_payload_bytes_max: 1 << 20,
    };
    let mut writer = SegmentWriter::create(env.disk.create(&path).unwrap(), header).unwrap();
    for frame in records.chunks(1000) {
        writer.commit(frame).unwrap();
    }
    let seal = writer.seal().unwrap();
    env.disk.sync_dir(path.parent().unwrap()).unwrap();
    let bytes = env.disk.open(&path).unwrap().len().unwrap();
    SealedSegment {
        path,
        store_id: STORE_ID,
        number,
        first_lsn: seal.first_lsn,
        last_lsn: seal.last_lsn,
        records: seal.records,
        bytes,
        min_received_us: seal.min_received_us,
        max_received_us: seal.max_received_us,
    }
}
