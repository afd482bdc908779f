//! The store: the log, the manifest and the hot tail as one thing, without DuckDB.
//!
//! ```text
//! append ── encode ── wal queue ── commit thread: frame, fdatasync ──> tail.push, then the receipts
//!                                                                          │
//! maintain (one step a call)                                               ▼
//!   seal ── plan ── run ── manifest commit ──────────> State { manifest, tail } swapped under one lock
//!                          the only commit point       │
//!                                                      └── then trim the log, unlink replaced files
//! view ── State cloned under that lock: files (lsn <= checkpoint) + tail (lsn > checkpoint)
//! ```
//!
//! Invariants (DESIGN §5): an event is visible only after it is durable, and before its receipt says so; in every
//! [`View`] an LSN is in a file or in the tail, never in both; files that a living view names are not unlinked.
//!
//! The store does not answer reports (see [`crate::query`]), has no thread of its own except the log's, and never asks
//! the operating system for the time, randomness or a file except through [`Env`], so that simulations replay.

mod aside;
mod calendar;
mod damage;
mod date;
mod dedup;
mod erase;
pub(crate) mod erased_ids;
mod expire;
mod failures;
mod gaps;
mod history;
mod leftovers;
mod maintain;
mod newcomers;
mod open;
mod recall;
mod scrub;
mod space;
mod state;
#[cfg(test)]
mod tests;
mod tidy;
mod view;

use std::sync::{Arc, Mutex};

use mallard_event::{Event, EventId, SiteId, Timestamp, codec};
use mallard_wal::disk::{Env, Lock};
use mallard_wal::{Draft, Kind, Log, Lsn, Refused};
use sha2::{Digest, Sha256};

use crate::config::Config;
use crate::error::{AppendError, Error};
use crate::identity::Identity;
use crate::layout::Layout;
use crate::receipt::Receipt;
use crate::status::{Ingest, SiteSummary, Status};
use crate::tail::{Entry, Pending};

pub use dedup::{Claim, Claimed, Waiting};
pub(crate) use erase::shown;
pub use maintain::Step;
pub(crate) use newcomers::Newcomer;
pub(crate) use open::{event_of, origin};
pub use view::View;

use calendar::Calendar;
use dedup::{Dedup, Fingerprint};
use failures::Failures;
use maintain::Maintenance;
use newcomers::Newcomers;
use scrub::Scrub;
use space::Space;
use state::Shared;

/// Well below what a sender waits for an answer, and long enough for a compaction to make room.
const HOLD_BACK_US_MAX: u64 = 1_000_000;

/// An open data directory.
#[derive(Debug)]
pub struct Store {
    config: Config,
    env: Env,
    layout: Layout,
    identity: Identity,
    log: Log<Entry>,
    shared: Arc<Shared>,
    space: Space,
    scrub: Scrub,
    dedup: Arc<Dedup>,
    newcomers: Arc<Newcomers>,
    maintenance: Mutex<Maintenance>,
    calendar: Calendar,
    failures: Failures,
    /// The newest LSN that the opening found.
    opened_at: Lsn,
    _lock: Arc<dyn Lock>,
}

impl Store {
    /// Asks for the right to store the event of this site and id: it is stored once within the window.
    pub fn claim(&self, site: &SiteId, id: &EventId) -> Claimed {
        self.dedup.claim(fingerprint(site, id.as_str()), self.calendar.steady_date_us())
    }

    /// How long whoever has an event to append is to wait first, in microseconds: nothing as long as compaction keeps up, then
    /// the longer the nearer the backlog comes to where events are refused, at most [`HOLD_BACK_US_MAX`]. Never blocks: how
    /// to wait is the caller's business.
    pub fn hold_back_us(&self) -> u64 {
        let (slow, max) = (self.config.tail_bytes_slow, self.config.tail_bytes_max);
        let over = self.shared.tail_bytes().saturating_sub(slow) as u64;
        let range = max.saturating_sub(slow).max(1) as u64;
        (HOLD_BACK_US_MAX.saturating_mul(over) / range).min(HOLD_BACK_US_MAX)
    }

    /// Hands an event to the log. Returns at once; the event is durable and visible when the receipt says so.
    pub fn append(&self, event: Event, received_at: Timestamp) -> Result<Receipt, AppendError> {
        let receipt = self.append_quietly(event, received_at, None)?;
        self.nudge();
        Ok(receipt)
    }

    /// [`Store::append`], with the right to store its id, for a caller that may have more to append at once and calls
    /// [`Store::nudge`] after the last.
    pub fn append_quietly(
        &self,
        event: Event,
        received_at: Timestamp,
        claim: Option<Claim>,
    ) -> Result<Receipt, AppendError> {
        self.admit()?;
        let newcomer = self.admit_site(&event.site)?;
        let (draft, pending) = prepare(event, received_at, claim, newcomer)?;
        self.log.append_quietly(draft, pending).map(Receipt::new).map_err(refusal)
    }

    /// Lets the commit thread begin with what was appended quietly.
    pub fn nudge(&self) {
        self.log.nudge();
    }

    /// Hands several events to the log as one unit: all of them become durable, or none.
    pub fn append_all(&self, events: Vec<(Event, Timestamp)>) -> Result<Receipt, AppendError> {
        self.append_all_claimed(events.into_iter().map(|(event, received_at)| (event, received_at, None)).collect())
    }

    /// The same, with the rights to store their ids.
    pub fn append_all_claimed(&self, events: Vec<(Event, Timestamp, Option<Claim>)>) -> Result<Receipt, AppendError> {
        self.admit()?;
        let prepared = events.into_iter().map(|(event, received_at, claim)| {
            let newcomer = self.admit_site(&event.site)?;
            prepare(event, received_at, claim, newcomer)
        });
        let batch = prepared.collect::<Result<_, _>>()?;
        self.log.append_all(batch).map(Receipt::new).map_err(refusal)
    }

    /// A store that has failed takes nothing more, also where it was maintenance that failed and the log could go on. And
    /// neither a volume that fills up nor a compaction that does not keep up may end in a failed write.
    fn admit(&self) -> Result<(), AppendError> {
        if self.shared.is_poisoned() {
            return Err(AppendError::Poisoned);
        }
        if self.space.is_short() {
            return Err(AppendError::DiskReserve);
        }
        match self.shared.tail_bytes() >= self.config.tail_bytes_max {
            true => Err(AppendError::Busy),
            false => Ok(()),
        }
    }

    fn admit_site(&self, site: &SiteId) -> Result<Option<Newcomer>, AppendError> {
        self.newcomers.admit(&self.shared.state(), site, self.config.sites_max)
    }

    /// Drive::Manual only: performs one group commit; false if nothing was queued.
    pub fn pump(&self) -> Result<bool, Error> {
        Ok(self.log.pump()?)
    }

    /// Whether any event of `site` has been stored.
    pub fn knows_site(&self, site: &SiteId) -> bool {
        self.shared.state().knows_site(site)
    }

    /// Every site with a stored event.
    pub fn sites(&self) -> Vec<SiteSummary> {
        self.shared.state().sites()
    }

    /// Number of sites with a stored event.
    pub fn site_count(&self) -> usize {
        self.shared.state().site_count()
    }

    /// The newest LSN through which everything is committed and visible.
    pub fn high_water(&self) -> Lsn {
        self.shared.state().high_water
    }

    /// The figures that health and metrics show.
    pub fn status(&self) -> Status {
        let log = self.log.status();
        let disk_free_bytes = self.space.free_bytes();
        let poisoned = self.poisoned();
        let ingest = match poisoned {
            Some(_) => Ingest::Poisoned,
            None if self.space.is_short() => Ingest::DiskReserve,
            None => log.no_segment.as_ref().map_or(Ingest::Accepting, |lack| match lack.is_lack_of_space {
                true => Ingest::DiskReserve,
                false => Ingest::NoSegment,
            }),
        };
        let shortage = self.space.is_short().then(|| self.space.shortage());
        let no_segment = log.no_segment.as_ref().map(|lack| format!("the log cannot begin a segment: {lack}"));
        let dedup = self.dedup.window(self.calendar.steady_date_us());
        let failing = self.failures.reasons();
        let state = self.shared.state();
        let damage = state.degraded_reasons(poisoned.as_deref());
        Status {
            durable_lsn: state.high_water.get(),
            compacted_lsn: state.manifest.checkpoint().get(),
            buffered_events: state.tail.events(),
            buffered_bytes: state.tail.bytes() as u64,
            balance: state.balance(),
            ingest,
            parquet_files: state.manifest.totals().files,
            sites: state.site_count() as u64,
            wal_bytes: log.wal_bytes,
            queue_bytes: log.queue_bytes as u64,
            disk_free_bytes,
            disk_reserve_bytes: self.space.reserve_bytes(),
            dedup_ids: dedup.entries,
            dedup_window_us: dedup.effective_us,
            quarantined: state.quarantined(),
            lost_lsns: state.lost_lsns(),
            failing: failing.len() as u64,
            degraded_reasons: damage.into_iter().chain(failing).chain(shortage.or(no_segment)).collect(),
        }
    }

    /// Why nothing more may be written, if so.
    pub fn poisoned(&self) -> Option<String> {
        self.shared.poisoned()
    }

    /// Nothing more may be written: the process has to end.
    pub(crate) fn poison(&self, cause: &str) {
        self.shared.poison(cause);
    }

    /// The paths of this data directory.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The outside world this store was opened with.
    pub fn env(&self) -> &Env {
        &self.env
    }

    /// The random id of this store.
    pub fn store_id(&self) -> u128 {
        self.identity.store_id
    }

    /// Refuses new events, commits what is queued, seals the log. A crash instead of this loses nothing either.
    pub fn close(&self) -> Result<(), Error> {
        Ok(self.log.close()?)
    }
}

/// The log's form of an event, and what travels beside it to the tail. The record's key is the fingerprint by which a
/// retry will be recognised.
fn prepare(
    event: Event,
    received_at: Timestamp,
    claim: Option<Claim>,
    newcomer: Option<Newcomer>,
) -> Result<(Draft, Entry), AppendError> {
    let body = codec::encode(&event);
    let (key, flags) = match &claim {
        Some(claim) => (claim.fingerprint(), FLAG_CLIENTS_ID),
        None => (fingerprint(&event.site, event.event_id.as_str()), 0),
    };
    let draft = Draft::new(Kind::EVENT, codec::BODY_VERSION, flags, received_at.micros(), key, &body)
        .map_err(|_| AppendError::TooLarge)?;
    Ok((draft, Entry::Event(Box::new(Pending { event, received_at, body_bytes: body.len(), claim, newcomer }))))
}

/// Flag of a record: the event's id is its sender's, so a retry may come.
const FLAG_CLIENTS_ID: u16 = 1;

/// 128 bits of SHA-256 over the site and the event's id: what is kept of an id for recognising retries.
fn fingerprint(site: &SiteId, event_id: &str) -> Fingerprint {
    let mut hash = Sha256::new();
    hash.update(site.as_str());
    hash.update([0]);
    hash.update(event_id);
    hash.finalize().first_chunk().copied().unwrap_or_default()
}

fn refusal(refused: Refused) -> AppendError {
    match refused {
        Refused::Busy => AppendError::Busy,
        Refused::Poisoned => AppendError::Poisoned,
        Refused::Closed => AppendError::Closed,
        Refused::TooLarge { .. } => AppendError::TooLarge,
    }
}
