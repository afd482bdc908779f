//! Opening a data directory: the order of DESIGN §6.
//!
//! ```text
//! 1 folders, LOCK, STORE; a directory of the original program is adopted first
//! 2 manifest: the newest must verify
//! 3 the window of ids: from the newest files, then from the log
//! 4 log: replay everything above the checkpoint into the hot tail, without what an unfinished erasure takes; the last
//!   life's active segment becomes a sealed one
//! 5 a new active segment: events can be accepted
//! ```
//! A clean stop and a crash take the same way. What can wait (orphans, `tmp/`, the derived DuckDB file) is left to the first
//! steps of maintenance, so that a cold start costs the backlog and not the history.

use std::sync::{Arc, Mutex};

use mallard_compactor::{Erasure, Manifest, ManifestLog};
use mallard_event::{Timestamp, codec};
use mallard_wal::disk::{Env, Lock};
use mallard_wal::seeded::{Bug, is_seeded};
use mallard_wal::{Drive, Kind, Lsn, Origin, Record, Recovery};

use super::Store;
use super::dedup::Dedup;
use super::gaps::Heard;
use super::maintain::Maintenance;
use super::scrub::Scrub;
use super::space::Space;
use super::state::{Due, Shared, State};
use super::{FLAG_CLIENTS_ID, history};
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
    /// it holds something that must not be guessed at; [`Error::Io`] if the operating system refuses.
    pub fn open(config: Config, env: Env, drive: Drive, progress: Arc<Progress>) -> Result<Self, Error> {
        let layout = Layout::new(&config.data_dir);
        layout.create(env.disk.as_ref())?;
        let lock = lock(&env, &layout)?;
        repair::refuse_unfinished(&env, &layout)?;
        let not_adopted = adopt::adopt(&env, &layout)?;
        let identity = Identity::load_or_create(&env, &layout)?;
        let manifest_log = ManifestLog::open(&env, layout.root(), identity.store_id)?;
        let manifest = Arc::clone(manifest_log.manifest());
        let dedup = Dedup::new(config.dedup_window_us, config.dedup_ids_max);
        if config.dedup_window_us > 0 {
            history::recall(&env, &layout, &manifest, &dedup, config.dedup_window_us, config.dedup_ids_max);
        }
        let (recovery, tail, erasures, heard) = replay(&env, &layout, &config, &identity, &manifest, &dedup)?;
        let high_water = recovery.report().next_lsn.previous();
        let acknowledged = manifest.acknowledged();
        let damage = damage_of(&recovery, acknowledged).into_iter().chain(not_adopted);
        let damage = damage.chain(repair::read_notes(env.disk.as_ref(), &layout)?).collect();
        let begun = manifest.erasures().to_vec();
        let lost_days = heard.lost_days(&env, &layout, &identity, &manifest);
        let mut state = State::new(manifest, tail, high_water, damage, env.clock.now_us());
        state.lost_days = Arc::new(lost_days);
        if !is_seeded(Bug::ForgetErasing) {
            state.begin(begun.into_iter().chain(erasures));
        }
        let due = Due { events: config.flush_events, bytes: config.tail_bytes, age_us: config.flush_interval_us };
        let shared = Arc::new(Shared::new(state, progress, Arc::clone(&env.clock), due));
        let log = recovery.start(Arc::clone(&shared) as _, drive)?;
        let maintenance = Mutex::new(Maintenance::new(manifest_log));
        let space = Space::new(&env, &layout, config.disk_reserve_bytes);
        let scrub = Scrub::new(env.clock.now_us());
        Ok(Self {
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
    let origin = Origin { store_id: identity.store_id, checkpoint: manifest.checkpoint() };
    let recovery =
        mallard_wal::recover(env, &layout.wal(), &layout.quarantine(), &config.wal, origin, &mut |record| {
            heard.record(&record);
            if let Some(pending) = event_of(&record) {
                if record.flags & FLAG_CLIENTS_ID != 0 {
                    let arrived_us = history::latest_arrival_us(record.received_us, now_us);
                    dedup.remember(record.key, record.lsn.get(), arrived_us);
                }
                tail.push_replayed(record.lsn, pending);
            }
            erasures.extend(Erasure::of(&record).map(Arc::new));
        })?;
    Ok((recovery, tail, erasures, heard))
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

/// What an operator must hear about, from what recovery found.
fn damage_of(recovery: &Recovery, acknowledged: Lsn) -> Vec<String> {
    let report = recovery.report();
    let gap = |(first, last): &(Lsn, Lsn)| format!("lost lsn {first}-{last}");
    let quarantined = |name: &String| format!("damaged original kept: quarantine/{name}");
    let gaps = report.gaps.iter().filter(|(_, last)| *last > acknowledged);
    // NOTE: not `quarantined`: a torn frame was never acknowledged, and is no loss.
    gaps.map(gap).chain(report.damaged.iter().map(quarantined)).collect()
}
