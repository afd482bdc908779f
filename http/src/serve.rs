//! `serve`: puts the parts together, runs them, and takes them apart in the one order of DESIGN §5.12.
//!
//! ```text
//! logging -> root given up -> engine (lock, recovery) -> App -> listener -> "Listening"
//!     ... a signal, or a poisoned log ...
//! readiness off, new events 503 -> listener closed -> requests in progress end -> maintenance ends between two steps
//!     -> the log commits and seals what is queued -> unlock -> exit 0
//! ```
//! Every stage is bounded by what is left of the shutdown timeout, of which requests leave the last quarter to the log. A
//! stop that is cut short loses nothing: what was acknowledged is durable, and a crash recovers through the same code as a
//! clean stop.

use std::sync::Arc;
use std::time::Duration;

use mallard_engine::env::{self, Env};
use mallard_engine::{Engine, Error, Maintenance, Step};
use mallard_event::Timestamp;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::{error, info, warn};

use crate::app::App;
use crate::auth::Auth;
use crate::config::{Config, Loaded};
use crate::documents::Documents;
use crate::enrich::Enricher;
use crate::erase::ERASURES_MAX;
use crate::exit::Failure;
use crate::funnels::Funnels;
use crate::goals::Goals;
use crate::ingest::acks::Acks;
use crate::ingest::batch::BATCHES_MAX;
use crate::ingest::rates::Rates;
use crate::metrics::Metrics;
use crate::segments::Segments;
use crate::server::accept;
use crate::server::stop::{Signals, Stop};
use crate::sites::settings::SiteSettings;
use crate::stats::gate::Gate;
use crate::{aside, backup, logging, memory, privileges};

/// Exports of events at a time.
const EXPORTS_MAX: usize = 1;
/// Threads that may block beside queries, exports and erasures: password hashes, the first salt of a day, documents, snapshots,
/// closing the store. What these wait for is short, or limited where it is asked for.
const BLOCKING_RESERVE: usize = 32;
/// How long an idle one is kept: memory is scarcer than the time to start one.
const BLOCKING_KEEP_ALIVE: Duration = Duration::from_secs(10);
/// How long a server whose log is poisoned goes on answering queries before it ends and is restarted.
const POISONED_SERVICE: Duration = Duration::from_mins(1);
const POISON_CHECK: Duration = Duration::from_secs(1);
/// The number of the first process of a container.
const CONTAINERS_OWN: u32 = 1;
/// Share of the shutdown timeout that is kept for closing the store.
const CLOSE_SHARE: u32 = 4;
const OPEN_CHECK: Duration = Duration::from_secs(10);
const SALT_CHECK: Duration = Duration::from_mins(1);
/// Share of the machine's memory that queries get unless the operator says otherwise, and its floor.
const QUERY_MEMORY_SHARE: u64 = 4;
const QUERY_MEMORY_MB_MIN: u64 = 48;

/// Runs the server until it is asked to stop.
pub(crate) fn run(loaded: Loaded) -> Result<(), Failure> {
    let outcome = run_after(loaded, |_, _| Ok(()));
    if let Err(failure) = &outcome
        && failure.needs_a_repair()
        && std::process::id() == CONTAINERS_OWN
    {
        wait_to_be_stopped(failure);
    }
    outcome
}

/// The first process of a container would be restarted again and again, and there would be no container to run `repair` in. So
/// it stays, and serves nothing, until somebody stops it. The data directory is not locked meanwhile.
fn wait_to_be_stopped(failure: &Failure) {
    error!("{failure}");
    error!("this cannot be cured by a restart: `repair` can be run in this container, which waits to be stopped");
    let waited = runtime(1).and_then(|runtime| {
        runtime.block_on(async {
            let (signals, stop) = (Signals::register()?, Stop::default());
            tokio::spawn(signals.watch(stop.clone()));
            stop.begun().await;
            Ok(())
        })
    });
    if let Err(error) = waited {
        error!(%error, "cannot wait");
    }
}

/// Runs the server; `prepare` has the open engine to itself before anything else is read or written, and anybody can connect.
pub(crate) fn run_after(
    loaded: Loaded,
    prepare: impl FnOnce(&Arc<Engine>, Timestamp) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let environment = env::real();
    let effective = loaded.in_one_line();
    let config = loaded.config;
    logging::start(config.log_format, &config.log_filter, Arc::clone(&environment.clock))
        .map_err(|error| Failure::Configuration(format!("RUST_LOG: {error}")))?;
    info!(host = %config.host, port = config.port, data_dir = %config.data_dir.display(), "Starting Mallard Metrics");
    info!(effective, "Configuration");
    let stays_root = privileges::give_up(&config.data_dir)?;
    for warning in loaded.warnings.iter().chain(&stays_root) {
        warn!("{warning}");
    }
    let engine = Engine::open(engine_config(&config), environment.clone())?;
    let engine = Arc::new(engine);
    prepare(&engine, Timestamp::saturating_from_micros(environment.clock.now_us()))?;
    let app = Arc::new(app(config, engine, &environment)?);
    let runtime = runtime(blocking_threads_max(&app))
        .map_err(|error| Failure::Internal(format!("cannot start the runtime: {error}")))?;
    let outcome = runtime.block_on(serve(app));
    // A query that is still running, and an abandoned close, end with the process.
    runtime.shutdown_background();
    outcome
}

/// So many that nobody waits for a thread behind those who may keep one for long. They are started when they are needed.
fn blocking_threads_max(app: &App) -> usize {
    app.queries.size() + app.exports.size() + ERASURES_MAX + BLOCKING_RESERVE
}

fn runtime(blocking_threads_max: usize) -> std::io::Result<Runtime> {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().max_blocking_threads(blocking_threads_max).thread_keep_alive(BLOCKING_KEEP_ALIVE).build()
}

fn engine_config(config: &Config) -> mallard_engine::Config {
    let mut engine = mallard_engine::Config::new(&config.data_dir);
    engine.flush_events = config.flush_count;
    engine.flush_interval_us = i64::from(config.flush_interval_secs) * 1_000_000;
    engine.wal.on_corruption = config.on_corruption;
    engine.dedup_window_us = i64::from(config.dedup_window_secs) * 1_000_000;
    engine.sites_max = config.max_sites;
    engine.dedup_ids_max = config.dedup_max_ids;
    engine.disk_reserve_bytes = config.disk_reserve_mb << 20;
    if let Some(kilobytes) = config.backlog_kb {
        (engine.tail_bytes_slow, engine.tail_bytes_max) = (kilobytes << 9, kilobytes << 10);
    }
    engine.limits.retention_days = Some(config.retention_days).filter(|days| *days > 0);
    engine.query.memory_mb = query_memory_mb(config);
    engine.query.cache_ttl_us = i64::from(config.cache_ttl_secs) * 1_000_000;
    engine.query.cache_entries_max = config.cache_max_entries;
    engine.query.timeout_us = i64::from(config.query_timeout_secs) * 1_000_000;
    engine
}

/// The memory of DuckDB.
pub(crate) fn query_memory_mb(config: &Config) -> u64 {
    match config.query_memory_mb {
        0 => ((memory::limit_bytes() / QUERY_MEMORY_SHARE) >> 20).max(QUERY_MEMORY_MB_MIN),
        megabytes => megabytes,
    }
}

async fn serve(app: Arc<App>) -> Result<(), Failure> {
    let signals = Signals::register().map_err(|error| Failure::Internal(format!("cannot watch signals: {error}")))?;
    let listener = bind(&app.config).await?;
    let maintenance = maintain(&app)?;
    announce(&app, &listener);
    tokio::spawn(signals.watch(app.stop.clone()));
    tokio::spawn(end_if_poisoned(Arc::clone(&app)));
    tokio::spawn(destroy_salts(Arc::clone(&app)));
    tokio::spawn(open_again(Arc::clone(&app)));
    tokio::spawn(backup::api::on_schedule(Arc::clone(&app)));
    let engine = Arc::clone(&app.engine);
    tokio::spawn(app.acks.clone().run(move || engine.nudge()));

    let timeout = Duration::from_secs(u64::from(app.config.shutdown_timeout_secs.max(1)));
    let drain = timeout.saturating_sub(timeout / CLOSE_SHARE);
    let accepting = tokio::spawn(accept::serve(listener, Arc::clone(&app), drain));
    app.stop.begun().await;
    let deadline = Instant::now() + timeout;
    accepting.await.map_err(|error| Failure::Internal(format!("the accept loop failed: {error}")))?;
    let outcome = close(Arc::clone(&app.engine), maintenance, deadline).await;
    info!("Shutdown complete");
    // Also where it was maintenance that failed, and the log could be closed in order.
    match app.engine.poisoned() {
        Some(cause) => Err(Error::Poisoned(cause).into()),
        None => outcome,
    }
}

/// Takes the engine apart on a blocking thread.
async fn close(engine: Arc<Engine>, maintenance: Maintenance, deadline: Instant) -> Result<(), Failure> {
    let closing = spawn_blocking(move || {
        maintenance.stop();
        engine.close()
    });
    match timeout_at(deadline, closing).await {
        Ok(Ok(closed)) => Ok(closed?),
        Ok(Err(panic)) => Err(Failure::Internal(format!("closing the store failed: {panic}"))),
        Err(_elapsed) => {
            warn!("the shutdown timeout ended before the store was closed; the next start recovers it");
            Ok(())
        }
    }
}

/// Puts the parts together. Blocks: documents are read, and a password from the environment is hashed.
fn app(config: Config, engine: Arc<Engine>, environment: &Env) -> Result<App, Failure> {
    let now = Timestamp::saturating_from_micros(environment.clock.now_us());
    let secret = match &config.secret {
        Some(secret) => secret.clone(),
        None => engine.control().secret()?,
    };
    let documents: Arc<dyn Documents> = Arc::clone(&engine) as _;
    let entropy = &environment.entropy;
    aside::set_damaged_aside(&engine, entropy, now)?;
    let unreadable = |error: &dyn std::error::Error| Failure::Documents(error.to_string());
    let sites = SiteSettings::open(Arc::clone(&documents)).map_err(|error| unreadable(&error))?;
    let enrich = Enricher::open(&config, config.privacy, &secret, Arc::clone(&documents), Arc::clone(entropy), now);
    let goals = Goals::open(Arc::clone(&documents)).map_err(|error| unreadable(&error))?;
    let funnels = Funnels::open(Arc::clone(&documents)).map_err(|error| unreadable(&error))?;
    Ok(App {
        goals,
        funnels,
        segments: Arc::new(Segments::open(Arc::clone(&documents)).map_err(|error| unreadable(&error))?),
        auth: Auth::open(&config, documents, Arc::clone(entropy)).map_err(|error| unreadable(&error))?,
        enrich: enrich.map_err(|error| unreadable(&error))?,
        metrics: Metrics::default(),
        rates: Rates::new(config.rate_limit_per_site, config.rate_limit_per_client),
        sites: Arc::new(sites),
        queries: Gate::new(config.max_concurrent_queries),
        exports: Gate::new(EXPORTS_MAX),
        batches: Semaphore::new(BATCHES_MAX),
        erasures: Arc::new(Semaphore::new(ERASURES_MAX)),
        engine,
        acks: Acks::default(),
        clock: Arc::clone(&environment.clock),
        stop: Stop::default(),
        config,
    })
}

async fn bind(config: &Config) -> Result<TcpListener, Failure> {
    let address = format!("{}:{}", config.host, config.port);
    TcpListener::bind((config.host.as_str(), config.port)).await.map_err(|source| Failure::Bind { address, source })
}

/// Says where the server is, and what is left to do at the first start.
fn announce(app: &App, listener: &TcpListener) {
    let Ok(addr) = listener.local_addr() else { return };
    info!(%addr, "Listening");
    let host = if addr.ip().is_unspecified() { "localhost".to_owned() } else { addr.ip().to_string() };
    info!("Open http://{host}:{}/ in a browser", addr.port());
    if let Some(token) = app.auth.setup_token() {
        warn!(
            "No password is set. Open the dashboard and choose one; from another machine it asks for this set-up token: {token}"
        );
    }
}

fn maintain(app: &App) -> Result<Maintenance, Failure> {
    let retention_days = app.config.retention_days;
    let report = move |step: Step| match step {
        Step::Compacted { events } => info!(count = events, "Flushed events to Parquet"),
        Step::Expired { events } => info!(removed = events, retention_days, "Data retention cleanup completed"),
        _ => {}
    };
    Maintenance::start(&app.engine, report)
        .map_err(|error| Failure::Internal(format!("cannot start maintenance: {error}")))
}

/// A poisoned log accepts nothing until the process is restarted, which its supervisor does when it ends with an error.
/// Queries are answered for a while longer, and readiness is off, so that whoever looks finds the reason.
async fn end_if_poisoned(app: Arc<App>) {
    let cause = loop {
        match app.engine.poisoned() {
            Some(cause) => break cause,
            None => sleep(POISON_CHECK).await,
        }
    };
    let service = app.config.poisoned_service_ms.map_or(POISONED_SERVICE, Duration::from_millis);
    error!(cause, ends_in_secs = service.as_secs(), "The log is poisoned: no event is accepted any more");
    sleep(service).await;
    app.stop.begin();
}

/// A server that is not ready is asked nothing, so that no question would find out that DuckDB can be opened again.
async fn open_again(app: Arc<App>) {
    loop {
        sleep(OPEN_CHECK).await;
        if !app.engine.cannot_answer() {
            continue;
        }
        let engine = Arc::clone(&app.engine);
        if let Ok(Err(error)) = spawn_blocking(move || engine.probe()).await {
            error!(%error, "DuckDB cannot be opened; this is tried again");
        }
    }
}

/// Past days become unlinkable in time, whether or not events arrive.
async fn destroy_salts(app: Arc<App>) {
    loop {
        let task = {
            let app = Arc::clone(&app);
            spawn_blocking(move || app.enrich.destroy_ended_salts(app.now()))
        };
        if let Ok(Err(error)) = task.await {
            error!(%error, "the salt of an ended day could not be destroyed; this is tried again");
        }
        sleep(SALT_CHECK).await;
    }
}
