//! [`App`]: what every handler can reach. It is put together once, in [`crate::serve`], and never changes.

use std::sync::Arc;
use std::time::Duration;

use mallard_engine::env::Clock;
use mallard_engine::{Engine, Receipt};
use mallard_event::Timestamp;
use tokio::sync::Semaphore;

use crate::auth::Auth;
use crate::config::Config;
use crate::enrich::Enricher;
use crate::funnels::Funnels;
use crate::goals::Goals;
use crate::ingest::acks::Acks;
use crate::ingest::rates::Rates;
use crate::metrics::Metrics;
use crate::segments::Segments;
use crate::server::stop::Stop;
use crate::sites::settings::SiteSettings;
use crate::stats::gate::Gate;

/// The parts of a running server.
#[derive(Debug)]
pub struct App {
    /// What the operator asked for.
    pub config: Config,
    /// Where events go and answers come from.
    pub engine: Arc<Engine>,
    /// By what events wait to be durable, and the log hears of them.
    pub(crate) acks: Acks<Receipt>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// What is counted.
    pub metrics: Metrics,
    /// Who may do what.
    pub auth: Auth,
    /// How many events a second are taken.
    pub(crate) rates: Rates,
    /// What operators have decided about sites.
    pub sites: Arc<SiteSettings>,
    /// How a payload becomes an event.
    pub enrich: Enricher,
    /// What sites want their visitors to do.
    pub(crate) goals: Goals,
    /// Funnels of sites that are kept.
    pub(crate) funnels: Funnels,
    /// Filters under a name.
    pub segments: Arc<Segments>,
    /// How many queries run.
    pub queries: Gate,
    /// How many exports of events run. One may keep a connection to DuckDB for as long as a client reads.
    pub(crate) exports: Gate,
    /// How many batches are taken.
    pub(crate) batches: Semaphore,
    /// How many requests for an erasure wait for its end.
    pub(crate) erasures: Arc<Semaphore>,
    /// Whether the server is stopping.
    pub stop: Stop,
}

impl App {
    /// Server time.
    pub fn now(&self) -> Timestamp {
        Timestamp::saturating_from_micros(self.clock.now_us())
    }

    /// The patience with clients that a test has set.
    pub(crate) fn client_timeout(&self) -> Option<Duration> {
        self.config.client_timeout_ms.map(Duration::from_millis)
    }
}
