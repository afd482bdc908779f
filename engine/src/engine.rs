//! [`Engine`]: the store and the reports over it, as one thing: open, append, ask, maintain, erase, copy, close.
//!
//! It passes each verb on to its owner ([`crate::store`] for what is written, [`crate::query`] for what is asked) and joins them
//! where one needs the other: views after a commit, a damaged file that a report has met, an erasure that waits for readers.
//! It has no thread, knows no HTTP and no JSON, and shows no type of DuckDB's or Arrow's.

use std::sync::Arc;
use std::time::Duration;

use mallard_compactor::{Erasure, Manifest};
use mallard_event::columns::SCHEMA_VERSION;
use mallard_event::{Event, EventId, SiteId, Stored, Timestamp};
use mallard_wal::Drive;
use mallard_wal::disk::Env;

use crate::config::Config;
use crate::control::Control;
use crate::erasure::{EraseError, Erased, ErasureRequest};
use crate::error::{AppendError, Error, IoContext as _, ReceiptError};
use crate::export::Export;
use crate::flights::Flights;
use crate::identity::Identity;
use crate::layout::Layout;
use crate::query::{self, CacheFigures, Cancel, Deadline, Duck, QueryError, Question};
use crate::receipt::Receipt;
use crate::reports::Reports;
use crate::status::{Progress, SiteSummary, Status, Totals};
use crate::store::{Claim, Claimed, Step, Store, View};

/// How long an erasure waits beyond the longest query for whoever still reads what it has replaced.
const ERASURE_PATIENCE_US: i64 = 10_000_000;
const ERASURE_POLL: Duration = Duration::from_millis(20);

/// An open analytics store. Share it by `Arc`; every method may be called from any thread.
#[derive(Debug)]
pub struct Engine {
    store: Store,
    duck: Duck,
    flights: Flights<View>,
    control: Control,
    progress: Arc<Progress>,
    query_timeout_us: i64,
}

impl Engine {
    /// Opens the data directory, recovers every accepted event, and is ready for events and questions.
    ///
    /// # Errors
    /// See [`Store::open`]. DuckDB starts with the first question that needs it.
    pub fn open(config: Config, env: Env) -> Result<Self, Error> {
        refuse_unfinished_restore(&config, &env)?;
        let progress = Arc::new(Progress::default());
        let query = config.query.clone();
        let store = Store::open(config, env.clone(), Drive::Thread, Arc::clone(&progress))?;
        let layout = store.layout().clone();
        let duck = Duck::open(&query, &layout, env.clone()).at(layout.root())?;
        let (flights, control) = (Flights::default(), Control::new(env, layout));
        Ok(Self { store, duck, flights, control, progress, query_timeout_us: query.timeout_us })
    }

    /// The same for a directory that is a store already: makes none.
    pub fn open_existing(config: Config, env: Env) -> Result<Self, Error> {
        refuse_unfinished_restore(&config, &env)?;
        Identity::load(env.disk.as_ref(), &Layout::new(&config.data_dir))?;
        Self::open(config, env)
    }

    /// Hands an event to the log and returns at once. The event is durable, and in the answer to every later question,
    /// when the receipt says so.
    pub fn append(&self, event: Event, received_at: Timestamp) -> Result<Receipt, AppendError> {
        self.store.append(event, received_at)
    }

    /// [`Engine::append`] of an event whose id may have been claimed, for a caller that may have more to append at once: the
    /// log need not begin to write before [`Engine::nudge`] is called, so that events which come together share a sync.
    pub fn append_quietly(
        &self,
        event: Event,
        received_at: Timestamp,
        claim: Option<Claim>,
    ) -> Result<Receipt, AppendError> {
        self.store.append_quietly(event, received_at, claim)
    }

    /// How long whoever has an event to append is to wait first, in microseconds, at most a second: 0 as long as compaction
    /// keeps up. Events are refused ([`AppendError::Busy`]) only when that was not enough.
    pub fn hold_back_us(&self) -> u64 {
        self.store.hold_back_us()
    }

    /// Lets the log begin to write what was appended quietly.
    pub fn nudge(&self) {
        self.store.nudge();
    }

    /// Asks for the right to store the event of this site and id. Within the window (`Config::dedup_window_us`, bounded by
    /// `Config::dedup_ids_max`, kept over restarts) an event is stored once, however often it is sent.
    pub fn claim(&self, site: &SiteId, id: &EventId) -> Claimed {
        self.store.claim(site, id)
    }

    /// [`Engine::append_all`] of events whose ids were claimed.
    pub fn append_all_claimed(&self, events: Vec<(Event, Timestamp, Option<Claim>)>) -> Result<Receipt, AppendError> {
        self.store.append_all_claimed(events)
    }

    /// Hands several events to the log as one unit: all of them become durable, or none. The receipt gives the first
    /// LSN; the others follow it without a gap.
    pub fn append_all(&self, events: Vec<(Event, Timestamp)>) -> Result<Receipt, AppendError> {
        self.store.append_all(events)
    }

    /// The reports of one request. All of them together may take `QueryConfig::timeout_us` from now; what runs ends early
    /// with [`QueryError::Cancelled`] when `cancel` says so.
    pub fn reports(&self, cancel: &Cancel) -> Reports<'_> {
        let deadline = Deadline::of_request(&self.store.env().clock, self.query_timeout_us, cancel);
        Reports::new(&self.store, &self.duck, &self.flights, deadline)
    }

    /// The present moment of the question's site, for [`Engine::send`]. Reads no file.
    pub fn export(&self, question: Question) -> Result<Export, QueryError> {
        Export::new(self.store.view(&question.site), question)
    }

    /// Hands every event of an export to `take`, in the order (timestamp, lsn), until it answers `false`. One day may take
    /// [`Export::DAY_TIMEOUT_US`]. A file that turns out to be damaged ends the export with an error; the next one leaves
    /// it out and says so.
    pub fn send(&self, export: &Export, take: &mut dyn FnMut(&Stored) -> bool) -> Result<(), QueryError> {
        let sent = query::raw(&self.duck, export.view(), export.question(), Export::DAY_TIMEOUT_US, take);
        if let Err(QueryError::Damaged { file, reason }) = &sent {
            self.store.suspect(file, reason);
        }
        sent
    }

    /// Whether an erasure is not finished that may have to wait until `export` is dropped.
    pub fn hinders_erasure(&self, export: &Export) -> bool {
        self.store.is_erasing() && self.store.has_replaced(export.view())
    }

    /// An operator knows of every loss there is: health no longer shows them, answers go on saying what they miss. Returns
    /// what they are. Waits for the step of maintenance in progress.
    pub fn acknowledge_loss(&self) -> Result<Vec<String>, Error> {
        self.store.acknowledge_loss(&|manifest| self.refresh_views(manifest))
    }

    /// Erases events: when it returns, nothing of them is left in memory, in the log, in files, in local snapshots and in
    /// kept answers. Takes as long as that takes; queries go on beside it, and none shows them once it is recorded.
    ///
    /// # Errors
    /// [`EraseError::Incomplete`] says that it is recorded and will be finished by maintenance, in this life or the next.
    /// Repeating an erasure is always safe.
    pub fn erase(&self, request: &ErasureRequest) -> Result<Erased, EraseError> {
        let (id, receipt) = self.store.begin_erasure(request).map_err(|_| EraseError::NotRecorded)?;
        self.store.recorded(id, receipt).map_err(|error| match error {
            ReceiptError::NoSpace(_) | ReceiptError::NotWritten(_) => EraseError::NotRecorded,
            ReceiptError::OutcomeUnknown => EraseError::OutcomeUnknown,
        })?;
        let deadline =
            Deadline::after(&self.store.env().clock, self.query_timeout_us.saturating_add(ERASURE_PATIENCE_US));
        let outcome = self.finish_erasure(id, &deadline);
        self.store.forget_erasure(id);
        self.duck.forget();
        outcome.inspect(|_| self.progress.erasure_finished()).inspect_err(|_| self.progress.erasure_failed())
    }

    /// Maintains until the erasure is finished, whoever does the steps.
    fn finish_erasure(&self, id: [u8; 16], deadline: &Deadline) -> Result<Erased, EraseError> {
        loop {
            let step = self.maintain();
            if let Some(erased) = self.store.erased(id) {
                return Ok(erased);
            }
            match step {
                // It waits for readers of replaced files, or for a snapshot that is being taken.
                Ok(Step::Idle { .. }) if deadline.check().is_err() => {
                    return Err(EraseError::Incomplete(Error::Busy));
                }
                Ok(Step::Idle { .. }) => self.store.wait_for_work(ERASURE_POLL),
                Ok(_) => {}
                Err(error) if error.is_damage() => {}
                Err(error) => return Err(EraseError::Incomplete(error)),
            }
        }
    }

    /// Does one piece of maintenance, or says when the next one is due. See [`crate::Maintenance`] for a thread.
    pub fn maintain(&self) -> Result<Step, Error> {
        let step = self.store.maintain(&|manifest| self.refresh_views(manifest));
        self.store.unattended_erasures().iter().for_each(|(erasure, erased)| report(erasure, *erased));
        match step {
            Ok(Step::Compacted { events }) => self.progress.compacted(events),
            Ok(Step::Idle { next_in_us }) => {
                self.store.hold_ballast();
                return Ok(Step::Idle { next_in_us: next_in_us.min(self.store.scrub()) });
            }
            _ => {}
        }
        step
    }

    /// Brings `mallard.duckdb` up to date. IMPORTANT: runs after the commit and before files are unlinked, so that the
    /// view never names a file that is gone. Nothing depends on that file, so a failure holds nothing up.
    fn refresh_views(&self, manifest: &Manifest) {
        let root = self.store.layout().root();
        let root = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
        let sound = manifest.files().filter(|file| !manifest.is_damaged(&file.path));
        let sound: Vec<_> = sound.collect();
        let is_alike = sound.iter().all(|file| file.schema_version == SCHEMA_VERSION);
        let files: Vec<_> = sound.iter().map(|file| root.join(&*file.path)).collect();
        if let Err(error) = self.duck.refresh_views(&self.store.layout().duckdb(), &files, is_alike) {
            tracing::warn!(%error, "mallard.duckdb could not be refreshed");
        }
    }

    /// How long to wait after a step of maintenance that has failed, in microseconds.
    pub(crate) fn pause_us(&self) -> i64 {
        self.store.pause_us()
    }

    /// Waits until there may be work for [`Engine::maintain`], at most `limit`.
    pub fn wait_for_work(&self, limit: Duration) {
        self.store.wait_for_work(limit);
    }

    /// Ends a [`Engine::wait_for_work`] early.
    pub fn wake(&self) {
        self.store.wake();
    }

    /// Every stored event of a site in the order of the log, read without DuckDB. Needs memory for all of them.
    pub fn events(&self, site: &SiteId) -> Result<Vec<Stored>, Error> {
        self.store.events(site)
    }

    /// Whether any event of `site` has been stored.
    pub fn knows_site(&self, site: &SiteId) -> bool {
        self.store.knows_site(site)
    }

    /// Number of sites with a stored event.
    pub fn site_count(&self) -> usize {
        self.store.site_count()
    }

    /// Every site with a stored event, by name.
    pub fn sites(&self) -> Vec<SiteSummary> {
        self.store.sites()
    }

    /// Figures for health pages and metrics. Never waits for a query or a compaction.
    pub fn status(&self) -> Status {
        self.store.status()
    }

    /// Counters since the engine was opened.
    pub fn totals(&self) -> Totals {
        self.progress.totals()
    }

    /// How the cache of answers does.
    pub fn cache(&self) -> CacheFigures {
        self.duck.cache_figures()
    }

    /// Whether DuckDB could not be opened when it was needed last, so that no question about stored files has an answer.
    /// Waits for nothing; [`Engine::probe`] tries again.
    pub fn cannot_answer(&self) -> bool {
        self.duck.is_failing()
    }

    /// Tries to open DuckDB, if it is not open. Blocks, and waits for no query.
    pub fn probe(&self) -> Result<(), QueryError> {
        self.duck.probe()
    }

    /// Why nothing more may be written, if so: the process should end with an error, so that its supervisor restarts it.
    pub fn poisoned(&self) -> Option<String> {
        self.store.poisoned()
    }

    /// Nothing more may be written: the process has to end.
    pub(crate) fn poison(&self, cause: &str) {
        self.store.poison(cause);
    }

    /// Takes a document of `control/` away that its owner cannot read, so that the server can go on without it: into
    /// `quarantine/repaired/`, unless it must not outlive its day. `what` says what is wrong and what follows: health is
    /// degraded by it until an operator acknowledges it. To be called before [`crate::Maintenance`] starts.
    pub fn set_aside_document(&self, name: &str, what: &str, is_kept: bool) -> Result<(), Error> {
        self.store.set_aside_document(name, what, is_kept)
    }

    /// Small durable documents.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// Ends running questions, refuses new events, commits and seals what is queued. Stop [`crate::Maintenance`] first.
    /// Dropping the engine instead, or killing the process, loses nothing either.
    pub fn close(&self) -> Result<(), Error> {
        self.duck.stop();
        self.store.close()
    }
}

/// Says in the log that an erasure is done, as whoever waits for one does: with its days in UTC, since nothing else is kept.
fn report(erasure: &Erasure, erased: Erased) {
    let day = |at_us| Timestamp::saturating_from_micros(at_us).date();
    tracing::info!(
        site_id = erasure.site.as_str(),
        start_date = %day(erasure.start_us),
        end_date = %day(erasure.end_us.saturating_sub(1)),
        db_records_deleted = erased.events,
        parquet_partitions_deleted = erased.partitions,
        "GDPR erasure completed"
    );
}

fn refuse_unfinished_restore(config: &Config, env: &Env) -> Result<(), Error> {
    let path = Layout::new(&config.data_dir).restoring();
    if env.disk.open(&path).is_err() {
        return Ok(());
    }
    let reason = "a restore into this directory was not finished; empty the directory and restore again".into();
    Err(Error::Refused { path, reason })
}
