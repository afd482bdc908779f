//! Opening a data directory: the order of DESIGN §6.
//!
//! ```text
//! 1 folders, LOCK, an empty tmp/, STORE; a directory of the original program is adopted first
//! 2 manifest: the newest must verify
//! 3 the window of ids: from the newest files, then from the log
//! 4 log: replay everything above the checkpoint into the hot tail, without what an unfinished erasure takes; the last
//!   life's active segment becomes a sealed one
//! 5 a new active segment: events can be accepted
//! 6 a new manifest file: it says that there is a log, and how far it goes
//! ```
//! Where 4 to 6 find no room on the volume, the ballast is given up and they begin again, once: a volume that is full keeps a
//! store from events and not from its questions.
//!
//! A clean stop and a crash take the same way. What can wait (orphans, the derived DuckDB file) is left to the first
//! steps of maintenance, so that a cold start costs the backlog and not the history.

use std::io;
use std::sync::{Arc, Mutex};

use mallard_compactor::{ERASURE_VERSION, Erasure, LsnRange, Manifest, ManifestLog};
use mallard_event::{Timestamp, codec};
use mallard_wal::disk::{Env, Lock};
use mallard_wal::seeded::{Bug, is_seeded};
use mallard_wal::{Drive, Kind, KnownEnd, Log, Lsn, Origin, Record, Recovery, recover_noting};

use super::Store;
use super::calendar::Calendar;
use super::dedup::Dedup;
use super::failures::Failures;
use super::gaps::Heard;
use super::maintain::Maintenance;
use super::scrub::Scrub;
use super::space::Space;
use super::state::{Due, Shared, State};
use super::{FLAG_CLIENTS_ID, date, history, leftovers};
use crate::adopt;
use crate::config::Config;
use crate::error::Error;
use crate::identity::Identity;
use crate::layout::Layout;
use crate::repair;
use crate::status::Progress;
use crate::tail::{Pending, Tail};

impl Store {
    /// Opens the data directory of `config`, creating it if it is missing, and recovers everything that was accepted.
    ///
    /// # Errors
    /// [`Error::Locked`] if another process has it open; [`Error::Refused`], [`Error::Wal`] or [`Error::Compactor`] if
    /// it holds something that must not be guessed at; [`Error::Io`] if the operating system refuses;
    /// [`Error::is_lack_of_space`] if the volume is full and there is no ballast to give up.
    pub fn open(config: Config, env: Env, drive: Drive, progress: Arc<Progress>) -> Result<Self, Error> {
        let layout = Layout::new(&config.data_dir);
        layout.create(env.disk.as_ref())?;
        let lock: Arc<dyn Lock> = Arc::from(lock(&env, &layout)?);
        let open = || Self::open_locked(config.clone(), env.clone(), drive, Arc::clone(&progress), Arc::clone(&lock));
        match open() {
            Err(error) if error.is_lack_of_space() => {
                if !Space::new(&env, &layout, config.disk_reserve_bytes).drop_ballast() {
                    return Err(error);
                }
                tracing::warn!(%error, "no space is left on the volume: the ballast was given up");
                open()
            }
            opened => opened,
        }
    }

    /// Nothing of an attempt that has failed is in the way of the next.
    fn open_locked(
        config: Config,
        env: Env,
        drive: Drive,
        progress: Arc<Progress>,
        lock: Arc<dyn Lock>,
    ) -> Result<Self, Error> {
        let layout = Layout::new(&config.data_dir);
        repair::refuse_unfinished(&env, &layout)?;
        let left = leftovers::empty_tmp(env.disk.as_ref(), &layout).err();
        adopt::adopt(&env, &layout)?;
        let identity = Identity::load_or_create(&env, &layout)?;
        let found = ManifestLog::recover(&env, layout.root(), identity.store_id)?;
        let manifest = found.manifest();
        let dedup = Dedup::new(config.dedup_window_us, config.dedup_ids_max);
        if config.dedup_window_us > 0 {
            history::recall(&env, &layout, manifest, &dedup, config.dedup_window_us, config.dedup_ids_max);
        }
        let (recovery, tail, erasures, heard) = replay(&env, &layout, &config, &identity, manifest, &dedup)?;
        let high_water = recovery.report().next_lsn.previous();
        let gaps = gaps_of(&recovery);
        let mut damage = repair::read_notes(env.disk.as_ref(), &layout)?;
        damage.extend(left.map(|error| {
            tracing::error!(%error, "tmp/ could not be emptied");
            format!("tmp/ could not be emptied, and may hold events: {error}")
        }));
        let begun = manifest.erasures().to_vec();
        let lost_days = heard.lost_days(&env, &layout, &identity, manifest);
        let mut state = State::new(Arc::new(manifest.clone()), tail, high_water, damage, env.clock.steady_us());
        state.log_gaps.clone_from(&gaps);
        state.lost_days = Arc::new(lost_days);
        if !is_seeded(Bug::ForgetErasing) {
            state.begin(begun.into_iter().chain(erasures));
        }
        let due = Due { events: config.flush_events, bytes: config.tail_bytes, age_us: config.flush_interval_us };
        let failures = Failures::new(Arc::clone(&env.clock), Arc::clone(&progress));
        let shared = Arc::new(Shared::new(state, progress, Arc::clone(&env.clock), due));
        let log = recovery.start(Arc::clone(&shared) as _, drive)?;
        // IMPORTANT: not before there is a log. From here on a store without one has lost it.
        let manifest_log = found.start(logged(&log, high_water), &gaps)?;
        shared.state().manifest = Arc::clone(manifest_log.manifest());
        let in_log = log.sealed().iter().map(|segment| segment.max_received_us).max();
        let newest_us = in_log.or_else(|| history::newest_arrival_us(&env, &layout, &shared.state().manifest));
        let calendar = Calendar::new(Arc::clone(&env.clock), newest_us, date::read(&env, &layout));
        let maintenance = Mutex::new(Maintenance::new(manifest_log));
        let space = Space::new(&env, &layout, config.disk_reserve_bytes);
        let scrub = Scrub::new(env.clock.steady_us());
        Ok(Self {
            calendar,
            failures,
            opened_at: high_water,
            config,
            env,
            layout,
            identity,
            log,
            shared,
            space,
            scrub,
            dedup,
            newcomers: Arc::default(),
            maintenance,
            _lock: lock,
        })
    }
}

fn lock(env: &Env, layout: &Layout) -> Result<Box<dyn Lock>, Error> {
    let path = layout.lock();
    env.disk.lock(&path).map_err(|source| match source.kind() {
        std::io::ErrorKind::WouldBlock => Error::Locked { path },
        _ => Error::Io { path, source },
    })
}

/// Reads the log above the checkpoint into a new hot tail.
fn replay(
    env: &Env,
    layout: &Layout,
    config: &Config,
    identity: &Identity,
    manifest: &Manifest,
    dedup: &Dedup,
) -> Result<(Recovery, Tail, Vec<Arc<Erasure>>, Heard), Error> {
    let now_us = env.clock.now_us();
    let mut tail = Tail::default();
    let mut erasures = Vec::new();
    let mut heard = Heard::default();
    let mut newer = None;
    let origin = origin(config, identity, manifest);
    let mut on_record = |record: Record<'_>| {
        heard.record(&record);
        newer = newer.or_else(|| is_newer(&record).then_some((record.lsn, record.kind, record.body_version)));
        if let Some(pending) = event_of(&record) {
            if record.flags & FLAG_CLIENTS_ID != 0 {
                let arrived_us = history::latest_arrival_us(record.received_us, now_us);
                dedup.remember(record.key, record.lsn.get(), arrived_us);
            }
            tail.push_replayed(record.lsn, pending);
        }
        erasures.extend(Erasure::of(&record).map(Arc::new));
    };
    // What is damaged and has lost no LSN is in no gap: this is all that says so after the next start.
    let on_damaged = |name: &str| note(env, layout, format!("damaged original kept: quarantine/{name}"));
    let (wal, quarantine) = (layout.wal(), layout.quarantine());
    let recovery = recover_noting(env, &wal, &quarantine, &config.wal, origin, &mut on_record, &on_damaged)?;
    // IMPORTANT: before anything is compacted. What this program cannot read would be set aside, and its events be in no answer
    // of the newer program either. The log stays as it is.
    if let Some((lsn, kind, version)) = newer {
        let reason = format!(
            "the record at LSN {lsn} (kind {}, version {version}) was written by a newer program; use that, or a later one",
            kind.0
        );
        return Err(Error::Refused { path: wal, reason });
    }
    if let Some(first) = recovery.report().lost_from {
        repair::add_notes(env, layout, [format!("the log had lost its end, from LSN {first} on")].into_iter())?;
    }
    Ok((recovery, tail, erasures, heard))
}

/// What the manifest knows of the log.
pub(crate) fn origin(config: &Config, identity: &Identity, manifest: &Manifest) -> Origin {
    let known = |high_water| KnownEnd { high_water, further_max: config.backlog_max() };
    let end = manifest.high_water().map(known);
    Origin { end, ..Origin::new(identity.store_id, manifest.checkpoint()) }
}

/// The newest LSN of a log of which there is a segment; none on a disk that was too full for the first.
pub(super) fn logged<T: Send + 'static>(log: &Log<T>, high_water: Lsn) -> Option<Lsn> {
    (log.status().wal_bytes > 0).then_some(high_water)
}

/// The event of a record. Other kinds, and events that do not decode, have none; compaction sets the latter aside,
/// counted and kept.
pub(crate) fn event_of(record: &Record<'_>) -> Option<Pending> {
    if record.kind != Kind::EVENT {
        return None;
    }
    let event = codec::decode(record.body_version, record.body).ok()?;
    let received_at = Timestamp::saturating_from_micros(record.received_us);
    Some(Pending { event, received_at, body_bytes: record.body.len(), claim: None, newcomer: None })
}

/// Whether only a newer program can have written this record.
fn is_newer(record: &Record<'_>) -> bool {
    match record.kind {
        Kind::EVENT => record.body_version > codec::BODY_VERSION,
        Kind::ERASURE => record.body_version > ERASURE_VERSION,
        Kind::GAP => false,
        _ => true,
    }
}

/// LSNs above the checkpoint that the log has lost.
fn gaps_of(recovery: &Recovery) -> Vec<LsnRange> {
    let gaps: Vec<LsnRange> = recovery.report().gaps.iter().map(|(first, last)| LsnRange::new(*first, *last)).collect();
    LsnRange::union(&gaps, &[])
}

fn note(env: &Env, layout: &Layout, line: String) -> io::Result<()> {
    repair::add_notes(env, layout, [line].into_iter()).map_err(|error| match error {
        Error::Io { source, .. } => source,
        other => io::Error::other(other),
    })
}
