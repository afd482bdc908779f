//! `POST /api/events`: up to a thousand events of a sender with a key, as a JSON array or line by line (CONTRACT §5.5).
//!
//! ```text
//! a place among a few                      none for a while: 503
//!   -> items: each parsed and checked      rejected, dropped, or a candidate
//!   -> ids claimed, all at once            a duplicate takes no part; one on its way elsewhere is waited for, holding nothing
//!   -> enriched -> one append              durable together, or none of them: 503, 507
//!   -> one result per item, in order
//! ```

use std::collections::HashMap;

use hyper::StatusCode;
use hyper::header::CONTENT_TYPE;
use mallard_engine::{Claim, Claimed, Waiting};
use mallard_event::payload::{Payload, RawPayload, Trust};
use mallard_event::{Event, EventId, SiteId, Timestamp};
use serde::Serialize;
use tokio::time::timeout;

use super::{items, once, sender};
use crate::app::App;
use crate::auth::keys::Grant;
use crate::enrich::{self, Client};
use crate::error::ApiError;
use crate::request::Request;
use crate::response::{self, Response};
use crate::server::limits::LIMITS;

/// Batches at a time. Each may need a few times its megabyte; others wait unread.
pub(crate) const BATCHES_MAX: usize = 4;

/// What becomes of an item.
enum Fate {
    Rejected(ApiError),
    Dropped,
    /// Stored before, under this LSN.
    Duplicate(EventId, u64),
    /// The same event as the candidate at this place in the batch.
    Twin(EventId, usize),
    /// To be stored, as this one of the events of the batch.
    Stored(EventId, usize),
    /// Not settled yet.
    Candidate(Box<Payload>),
}

/// One event on its way to the log.
type Unit = (Event, Timestamp, Option<Claim>);

#[derive(Debug, Default, Serialize)]
struct Wire {
    accepted: usize,
    duplicates: usize,
    dropped: usize,
    rejected: usize,
    results: Vec<Outcome>,
}

#[derive(Debug, Serialize)]
struct Outcome {
    index: usize,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lsn: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Answers 202 when every event that could be accepted is durable.
pub(crate) async fn post(app: &App, mut request: Request) -> Result<Response, ApiError> {
    receive(app, &mut request).await.inspect_err(|error| super::count_refusal(app, error))
}

async fn receive(app: &App, request: &mut Request) -> Result<Response, ApiError> {
    let now = app.now();
    let grant = app.auth.authorize_sending(request.headers(), now)?;
    let form = items::Form::of(request.headers().get(CONTENT_TYPE))?;
    let Ok(_place) = timeout(LIMITS.batch_wait, app.batches.acquire()).await else {
        // A refusal is not read by a client that is still sending. Nothing of the body is kept.
        request.read_body(0).await.ok();
        return Err(ApiError::Busy);
    };
    let body = request.read_body(LIMITS.batch_bytes_max).await?;
    let items = items::split(&body, form)?;
    let key = super::idempotency_key(request)?;
    let keys = items::ids(key.as_deref(), items.len())?;
    let mut batch = Batch { app, request, grant, now, new_sites: Vec::new() };
    let mut fates: Vec<Fate> = items.iter().zip(keys).map(|(item, id)| batch.examine(item, id)).collect();
    let claims = batch.claim(&mut fates).await?;
    if app.stop.is_stopping() {
        return Err(ApiError::stopping());
    }
    let units = batch.enrich(&mut fates, claims).await?;
    let first_lsn = store(app, units).await?;
    let wire = report(app, &fates, first_lsn);
    let mut response = response::json(&wire)?;
    let is_refused = wire.rejected == wire.results.len();
    *response.status_mut() = if is_refused { StatusCode::BAD_REQUEST } else { StatusCode::ACCEPTED };
    Ok(response)
}

/// A batch and who sends it.
struct Batch<'a> {
    app: &'a App,
    request: &'a Request,
    grant: Grant,
    now: Timestamp,
    /// Sites without a stored event that this batch would make.
    new_sites: Vec<SiteId>,
}

impl Batch<'_> {
    /// Parses and checks one item.
    fn examine(&mut self, item: &[u8], id: Option<EventId>) -> Fate {
        match self.check(item, id) {
            Ok(payload) if self.is_bot(&payload) => Fate::Dropped,
            Ok(payload) => Fate::Candidate(Box::new(payload)),
            Err(error) => Fate::Rejected(error),
        }
    }

    fn check(&mut self, item: &[u8], id: Option<EventId>) -> Result<Payload, ApiError> {
        let raw = RawPayload::parse(item).map_err(super::refused)?;
        let mut payload = raw.validate(Trust::Keyed).map_err(super::refused)?;
        payload.id = payload.id.or(id);
        sender::check(self.app, Some(&self.grant), &mut payload, self.now)?;
        super::admit(self.app, &payload.site, &self.new_sites)?;
        if !self.app.engine.knows_site(&payload.site) && !self.new_sites.contains(&payload.site) {
            self.new_sites.push(payload.site.clone());
        }
        Ok(payload)
    }

    /// The sending program's own user agent says nothing about the visitor.
    fn is_bot(&self, payload: &Payload) -> bool {
        payload.user_agent.as_deref().is_some_and(|user_agent| self.app.enrich.is_bot(user_agent))
    }

    /// Claims the ids of all candidates at once; one per candidate that remains.
    async fn claim(&self, fates: &mut [Fate]) -> Result<Vec<Option<Claim>>, ApiError> {
        let claiming = async {
            loop {
                match self.claim_all(fates) {
                    Ok(claims) => return claims,
                    // IMPORTANT: without a claim in hand, or two batches could wait for one another.
                    Err(first) => drop(first.await),
                }
            }
        };
        timeout(LIMITS.ack_timeout, claiming).await.map_err(|_| ApiError::OutcomeUnknown)
    }

    fn claim_all(&self, fates: &mut [Fate]) -> Result<Vec<Option<Claim>>, Waiting> {
        let mut claims = Vec::new();
        let mut seen: HashMap<(SiteId, EventId), usize> = HashMap::new();
        for (place, fate) in fates.iter_mut().enumerate() {
            let Fate::Candidate(payload) = fate else { continue };
            let Some(id) = payload.id.clone().filter(|_| once::is_on(self.app)) else {
                claims.push(None);
                continue;
            };
            let key = (payload.site.clone(), id.clone());
            if let Some(first) = seen.get(&key) {
                *fate = Fate::Twin(id, *first);
                continue;
            }
            match self.app.engine.claim(&payload.site, &id) {
                Claimed::New(claim) => claims.push(Some(claim)),
                Claimed::Stored(lsn) => *fate = Fate::Duplicate(id, lsn),
                Claimed::Waiting(first) => return Err(first),
            }
            seen.insert(key, place);
        }
        Ok(claims)
    }

    /// Turns what remains into events.
    async fn enrich(&self, fates: &mut [Fate], claims: Vec<Option<Claim>>) -> Result<Vec<Unit>, ApiError> {
        let mut units = Vec::with_capacity(claims.len());
        let mut claims = claims.into_iter();
        for fate in fates {
            let Fate::Candidate(payload) = fate else { continue };
            let mut payload = payload.as_ref().clone();
            let referral = enrich::referral(&payload);
            let ip = sender::address(self.app, self.request, &payload, true);
            let user_agent = payload.user_agent.take().unwrap_or_default();
            let client = Client { ip, user_agent: &user_agent };
            let (event, received_at) =
                self.app.enrich.event(payload, referral, &client, self.now).await.map_err(ApiError::internal)?;
            *fate = Fate::Stored(event.event_id.clone(), units.len());
            units.push((event, received_at, claims.next().flatten()));
        }
        Ok(units)
    }
}

/// Makes all events durable in one unit; returns the first LSN.
async fn store(app: &App, units: Vec<Unit>) -> Result<u64, ApiError> {
    if units.is_empty() {
        return Ok(0);
    }
    let count = units.len();
    super::hold_back(app).await;
    let appended_us = app.clock.steady_us();
    let first_lsn = super::settle(app, app.engine.append_all_claimed(units)).await?;
    let elapsed_us = app.clock.steady_us() - appended_us;
    (0..count).for_each(|_| app.metrics.event_acknowledged(elapsed_us));
    Ok(first_lsn)
}

/// The result of every item, counted.
fn report(app: &App, fates: &[Fate], first_lsn: u64) -> Wire {
    let mut wire = Wire::default();
    for (index, fate) in fates.iter().enumerate() {
        let outcome = |status, id: Option<&EventId>, lsn| Outcome {
            index,
            status,
            id: id.map(ToString::to_string),
            lsn,
            error: None,
        };
        let result = match fate {
            Fate::Stored(id, number) => {
                wire.accepted += 1;
                outcome("accepted", Some(id), Some(first_lsn + *number as u64))
            }
            Fate::Duplicate(id, lsn) => {
                wire.duplicates += 1;
                outcome("duplicate", Some(id), Some(*lsn))
            }
            Fate::Twin(id, place) => {
                wire.duplicates += 1;
                outcome("duplicate", Some(id), lsn_at(fates, *place, first_lsn))
            }
            Fate::Dropped | Fate::Candidate(_) => {
                wire.dropped += 1;
                app.metrics.event_dropped("bot");
                outcome("dropped", None, None)
            }
            Fate::Rejected(error) => {
                wire.rejected += 1;
                super::count_refusal(app, error);
                Outcome { error: Some(error.to_string()), ..outcome("rejected", None, None) }
            }
        };
        wire.results.push(result);
    }
    app.metrics.events_duplicate(wire.duplicates);
    wire
}

fn lsn_at(fates: &[Fate], place: usize, first_lsn: u64) -> Option<u64> {
    match fates.get(place)? {
        Fate::Stored(_, number) => Some(first_lsn + *number as u64),
        Fate::Duplicate(_, lsn) => Some(*lsn),
        _ => None,
    }
}
