//! Events in: from the bytes of a request to an LSN, in the order of checks of CONTRACT §5.3.
//!
//! ```text
//! event.rs  POST: type, size, JSON      pixel.rs  GET: query string
//!        \                                /
//!   RawPayload: syntax and types are right
//!     -> Origin allowlist 403              origin.rs
//!     -> lengths, characters, revenue 400  sender.rs: what only a key may say
//!     -> site allowed, site limit 403
//!     -> bot 202, dropped
//!     -> duplicate 202, the original LSN   once.rs
//!     -> rate limits 429                   rates.rs
//!     -> slower, if compaction does not keep up
//!     -> enrich -> engine.append 503
//!     -> wait for the fsync -> 202 with the LSN  acks.rs
//! batch.rs  POST of many: items.rs splits them, each takes the same steps, one append for all
//! ```
//! A key spares the check of the Origin and the rate limits.
//! Dropping the request drops the wait, never the write: `append` hands the event to the commit thread at once.
//! A refused event leaves no trace but a counter. The client's address ends in [`crate::enrich`].

pub(crate) mod acks;
pub(crate) mod batch;
pub(crate) mod event;
mod items;
mod once;
mod origin;
pub(crate) mod pixel;
pub(crate) mod rates;
mod sender;

use std::time::Duration;

use hyper::header::{ORIGIN, USER_AGENT};
use mallard_engine::{AppendError, Receipt, ReceiptError};
use mallard_event::payload::{PayloadError, PayloadErrorKind, RawPayload};
use mallard_event::{EventId, SiteId};
use tokio::time::sleep;

use self::once::Once;
use crate::app::App;
use crate::enrich::{self, Client};
use crate::error::ApiError;
use crate::request::Request;

const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// What became of an event that was not refused.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It is durable, and in the answer to the next query.
    Stored {
        /// Its place in the log.
        lsn: u64,
        /// Its id, the client's or ours.
        id: EventId,
    },
    /// It was stored before.
    Duplicate {
        /// Its place in the log.
        lsn: u64,
        /// The id by which it was recognised.
        id: EventId,
    },
    /// It was not wanted, for this reason.
    Dropped(&'static str),
}

/// Why an event is dropped: a program sent it, or its referrer is a spammer.
const BOT: &str = "bot";
const SPAM: &str = "spam";

/// Everything after syntax and types.
async fn accept(app: &App, request: &Request, raw: RawPayload<'_>) -> Result<Outcome, ApiError> {
    let now = app.now();
    let grant = app.auth.sender(request.headers(), now);
    if grant.is_none() {
        origin::check(request.headers().get(ORIGIN), &app.config.site_ids)?;
    }
    let mut payload = raw.validate(sender::trust(grant.as_ref())).map_err(refused)?;
    if payload.id.is_none() {
        payload.id = header_id(request)?;
    }
    sender::check(app, grant.as_ref(), &mut payload, now)?;
    admit(app, &payload.site, &[])?;
    let stated = payload.user_agent.take();
    let user_agent = stated.as_deref().or_else(|| request.header(USER_AGENT)).unwrap_or_default();
    if app.enrich.is_bot(user_agent) {
        return Ok(dropped(app, BOT));
    }
    let referral = enrich::referral(&payload);
    if grant.is_none() && app.enrich.is_spam(referral.as_ref()) {
        return Ok(dropped(app, SPAM));
    }
    let claim = match (once::claim(app, &payload.site, payload.id.as_ref()).await?, &payload.id) {
        (Once::Stored(lsn), Some(id)) => {
            app.metrics.events_duplicate(1);
            return Ok(Outcome::Duplicate { lsn, id: id.clone() });
        }
        (Once::Stored(_), None) => None,
        (Once::New(claim), _) => claim,
    };
    let ip = sender::address(app, request, &payload, grant.is_some());
    if grant.is_none() {
        app.rates.admit(&payload.site, ip, now).inspect_err(|_| app.metrics.rate_limited())?;
    }
    hold_back(app).await;
    if app.stop.is_stopping() {
        return Err(ApiError::stopping());
    }
    let enriched = app.enrich.event(payload, referral, &Client { ip, user_agent }, now).await;
    let (event, received_at) = enriched.map_err(ApiError::internal)?;
    let id = event.event_id.clone();
    let appended_us = app.clock.steady_us();
    let lsn = settle(app, app.engine.append_quietly(event, received_at, claim)).await?;
    app.metrics.event_acknowledged(app.clock.steady_us() - appended_us);
    Ok(Outcome::Stored { lsn, id })
}

fn dropped(app: &App, reason: &'static str) -> Outcome {
    app.metrics.event_dropped(reason);
    Outcome::Dropped(reason)
}

/// Slows senders down when compaction does not keep up, before any of them is refused. The wait is bounded, its memory is that
/// of the connection, and no thread waits.
async fn hold_back(app: &App) {
    let wait_us = app.engine.hold_back_us();
    if wait_us > 0 {
        app.metrics.event_slowed();
        sleep(Duration::from_micros(wait_us)).await;
    }
}

/// Waits until what was handed to the log is durable; the (first) LSN.
async fn settle(app: &App, appended: Result<Receipt, AppendError>) -> Result<u64, ApiError> {
    let receipt = appended.map_err(|error| match error {
        AppendError::Busy => ApiError::Busy,
        AppendError::DiskReserve => ApiError::InsufficientStorage,
        AppendError::Poisoned => ApiError::Unavailable("Events cannot be stored until the server is restarted".into()),
        AppendError::Closed => ApiError::stopping(),
        AppendError::TooLarge => ApiError::TooLargeForLog,
        AppendError::TooManySites => too_many_sites(),
    })?;
    match app.acks.settled(receipt).await {
        Some(Ok(lsn)) => Ok(lsn),
        Some(Err(ReceiptError::NoSpace(_))) => Err(ApiError::InsufficientStorage),
        Some(Err(ReceiptError::NotWritten(_))) => {
            Err(ApiError::Unavailable("Events cannot be stored at the moment. Nothing was stored.".into()))
        }
        Some(Err(ReceiptError::OutcomeUnknown)) | None => Err(ApiError::OutcomeUnknown),
    }
}

/// The allowlist, and the bound on the number of sites that a stranger can create; `new` ones are about to be. Of sites that
/// arrive at the same time the engine admits no more than there may be.
fn admit(app: &App, site: &SiteId, new: &[SiteId]) -> Result<(), ApiError> {
    let allowed = &app.config.site_ids;
    if !allowed.is_empty() && !allowed.contains(site) {
        return Err(ApiError::forbidden("d (domain) is not a site of this server"));
    }
    let is_known = new.contains(site) || app.engine.knows_site(site);
    if !is_known && app.engine.site_count() + new.len() >= app.config.max_sites {
        return Err(too_many_sites());
    }
    Ok(())
}

fn too_many_sites() -> ApiError {
    ApiError::forbidden("The server has as many sites as it may have (MALLARD_MAX_SITES)")
}

fn header_id(request: &Request) -> Result<Option<EventId>, ApiError> {
    let Some(key) = idempotency_key(request)? else { return Ok(None) };
    let id = EventId::parse(&key);
    id.map(Some).map_err(|invalid| ApiError::bad_request(format!("Idempotency-Key {}", invalid.reason)))
}

fn idempotency_key(request: &Request) -> Result<Option<String>, ApiError> {
    let Some(value) = request.headers().get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let refused = |_| ApiError::bad_request("Idempotency-Key must be 1 to 64 visible ASCII characters");
    value.to_str().map(|text| Some(text.to_owned())).map_err(refused)
}

fn refused(error: PayloadError) -> ApiError {
    match error.kind {
        PayloadErrorKind::Syntax | PayloadErrorKind::Invalid => ApiError::bad_request(error.message),
        PayloadErrorKind::Missing | PayloadErrorKind::WrongType => ApiError::Unprocessable(error.message.into()),
    }
}

/// Counts a refusal by its kind.
fn count_refusal(app: &App, error: &ApiError) {
    app.metrics.event_rejected(match error {
        ApiError::BadRequest(_) => "invalid",
        ApiError::Unprocessable(_) => "schema",
        ApiError::Forbidden(_) => "forbidden",
        ApiError::BodyTooLarge { .. } | ApiError::TooLargeForLog => "too_large",
        ApiError::BodyTimeout => "slow_body",
        ApiError::UnsupportedMediaType => "content_type",
        ApiError::Busy => "busy",
        ApiError::InsufficientStorage => "disk_reserve",
        ApiError::Unavailable(_) => "unavailable",
        ApiError::OutcomeUnknown => "outcome_unknown",
        ApiError::TooManyRequests { .. } => "rate_limit",
        ApiError::Unauthorized(_) => "unauthorized",
        _ => "other",
    });
}

#[cfg(test)]
mod tests {
    use mallard_event::payload::Trust;

    use super::*;

    fn status(body: &str) -> (u16, String) {
        let payload = RawPayload::parse(body.as_bytes()).and_then(|raw| raw.validate(Trust::Anonymous));
        let error = refused(payload.unwrap_err());
        (error.status().as_u16(), error.to_string())
    }

    #[test]
    fn a_refusal_names_the_field_and_has_the_status_of_its_rule() {
        for (body, expected, field) in [
            ("{", 400, "body"),
            (r#"{"d":"a","n":"pageview"}"#, 422, "u"),
            (r#"{"d":1,"n":"pageview","u":"/"}"#, 422, "d"),
            (r#"{"d":"a/b","n":"pageview","u":"/"}"#, 400, "d"),
            (r#"{"d":"a","n":"buy","u":"/","ra":1e11}"#, 400, "ra"),
        ] {
            let (status, message) = status(body);
            assert_eq!(status, expected, "{body}");
            assert!(message.starts_with(field), "{body}: {message}");
        }
    }
}
