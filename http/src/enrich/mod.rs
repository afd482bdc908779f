//! From what a client sent to an [`Event`]: who, where, with what, from where (CONTRACT §5.6).
//!
//! ```text
//! client.rs      socket peer + headers -> address          proxies.rs   whose headers are believed
//! visitor.rs     address + user agent -> visitor id        salt.rs      the key of the day
//! user_agent.rs  browser, system, device                   bots.rs      program or person
//! referrer.rs    where from, by name                       channel.rs   where from, by kind
//!                                      sites.rs  the table behind both
//! geo.rs         address -> country, region, city
//! event.rs       all of it, put together
//! ```
//! The client's address ends here: it goes into a hash and a look-up, and into no field, log line or error. No type that
//! holds an address or a user agent has a `Debug` that shows it.
//!
//! Nothing here does I/O for an event, except the first one of a UTC day, for which the day's salt is made durable. The trusted
//! fields of a payload are there only if its sender may state them; `ip` and `user_agent` come in as the [`Client`].

mod bots;
mod channel;
pub mod client;
mod event;
pub mod geo;
mod proxies;
mod referrer;
mod salt;
mod sites;
mod spam;
mod user_agent;
mod visitor;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use mallard_engine::env::Entropy;
use mallard_event::payload::Payload;
use mallard_event::{Date, Event, EventId, Invalid, SiteId, Timestamp, VisitorId};
use tokio::sync::Mutex;
use tokio::task::{JoinError, spawn_blocking};

pub(crate) use self::event::referral;
use self::geo::Geo;
pub(crate) use self::referrer::Referral;
use self::salt::{DayKey, Salts};
use self::user_agent::UserAgent;
use crate::config::Config;
use crate::documents::{DocumentError, Documents};
use crate::request_id;

#[cfg(test)]
mod tests;

/// Who sent an event. It has no `Debug`.
#[derive(Clone, Copy)]
pub struct Client<'a> {
    /// By [`client::client_address`].
    pub ip: IpAddr,
    /// The `User-Agent` header; empty if there is none.
    pub user_agent: &'a str,
}

/// What the operator does not want to be stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Privacy {
    /// Referrers lose their query and fragment.
    pub strip_referrer_query: bool,
    /// Times are those of the start of the hour.
    pub round_timestamps: bool,
    /// Every event is another visitor.
    pub suppress_visitor_id: bool,
    /// No browser versions.
    pub suppress_browser_version: bool,
    /// No system versions.
    pub suppress_os_version: bool,
    /// No screen sizes and no device types.
    pub suppress_screen_size: bool,
}

/// An event could not be made. None of these is the client's fault.
#[derive(Debug, thiserror::Error)]
pub enum EnrichError {
    /// The salt of the day could not be made durable.
    #[error(transparent)]
    Salt(#[from] DocumentError),
    /// Making it was aborted.
    #[error("the day's salt could not be made: {0}")]
    Aborted(#[from] JoinError),
    /// An id was made that is none.
    #[error(transparent)]
    Id(#[from] Invalid),
}

/// Turns payloads into events.
pub struct Enricher {
    salts: Arc<Salts>,
    /// Held while the salt of a day is made, so that a rush at midnight waits here and not on blocking threads.
    first_of_day: Mutex<()>,
    entropy: Arc<dyn Entropy>,
    geo: Geo,
    filter_bots: bool,
    privacy: Privacy,
}

/// Reads the document of this module as a start does. For repair: changes nothing if writing does not.
pub(crate) fn check(
    documents: &Arc<dyn Documents>,
    entropy: &Arc<dyn Entropy>,
    now: Timestamp,
) -> Result<(), DocumentError> {
    Salts::open(Arc::clone(documents), Arc::clone(entropy), "", now).map(drop)
}

impl Enricher {
    /// Loads the day's salt and the GeoIP file. Blocks.
    pub fn open(
        config: &Config,
        privacy: Privacy,
        secret: &str,
        documents: Arc<dyn Documents>,
        entropy: Arc<dyn Entropy>,
        now: Timestamp,
    ) -> Result<Self, DocumentError> {
        Ok(Self {
            salts: Arc::new(Salts::open(documents, Arc::clone(&entropy), secret, now)?),
            first_of_day: Mutex::default(),
            entropy,
            geo: Geo::load(config.geoip_db.as_deref(), config.geoip_precision),
            filter_bots: config.filter_bots,
            privacy,
        })
    }

    /// Whether an event of this sender is to be dropped, because a program sent it and programs are not wanted.
    pub fn is_bot(&self, user_agent: &str) -> bool {
        self.filter_bots && bots::is_bot(UserAgent::parse(user_agent.as_bytes()))
    }

    /// Whether an event is to be dropped because its referrer was made up to be seen in reports.
    pub(crate) fn is_spam(&self, referral: Option<&Referral>) -> bool {
        self.filter_bots && referral.is_some_and(spam::is_spam)
    }

    /// Whether places can be found.
    pub fn geoip_loaded(&self) -> bool {
        self.geo.is_loaded()
    }

    /// The event, and the time of arrival to store with it: `now`, or as coarse as the operator wants times to be.
    pub(crate) async fn event(
        &self,
        payload: Payload,
        referral: Option<Referral>,
        client: &Client<'_>,
        now: Timestamp,
    ) -> Result<(Event, Timestamp), EnrichError> {
        let user_agent = UserAgent::parse(client.user_agent.as_bytes());
        let at = payload.timestamp.unwrap_or(now);
        let visitor = if self.privacy.suppress_visitor_id {
            VisitorId::parse(&self.uuid())?
        } else {
            visitor::visitor_id(&self.day_key(at.date(), now.date()).await?, &payload.site, client.ip, user_agent)?
        };
        let id = match payload.id {
            Some(ref id) => id.clone(),
            None => EventId::parse(&self.uuid())?,
        };
        let user_hash = payload.user_id.as_deref().map(|user| self.user_hash(&payload.site, user));
        let place = self.geo.place(client.ip);
        let event = event::build(
            payload,
            event::Found { visitor, referral, id, place, user_agent, user_hash, at },
            self.privacy,
        );
        Ok((event, event::stored_time(now, self.privacy)))
    }

    /// What is stored of a site's own id of a user.
    pub fn user_hash(&self, site: &SiteId, user_id: &str) -> String {
        self.salts.user_hash(site, user_id)
    }

    /// Destroys the salts of days that have ended; to be called every minute or so. Blocks; durable on return.
    pub fn destroy_ended_salts(&self, now: Timestamp) -> Result<(), DocumentError> {
        self.salts.destroy_ended(now)
    }

    async fn day_key(&self, date: Date, today: Date) -> Result<DayKey, EnrichError> {
        if date < today {
            return Ok(self.salts.backfill_key(date));
        }
        if let Some(key) = self.salts.key(date) {
            return Ok(key);
        }
        let _turn = self.first_of_day.lock().await;
        if let Some(key) = self.salts.key(date) {
            return Ok(key);
        }
        let salts = Arc::clone(&self.salts);
        Ok(spawn_blocking(request_id::carry(move || salts.make(date))).await??)
    }

    /// A random UUID v4 as text.
    fn uuid(&self) -> String {
        let mut bytes = [0; 16];
        self.entropy.fill(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
    }
}

impl fmt::Debug for Enricher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Enricher").field("geoip_loaded", &self.geoip_loaded()).finish_non_exhaustive()
    }
}
