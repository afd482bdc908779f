//! Events in: from the bytes of a request to an LSN, in the order of checks of CONTRACT §5.3.
//!
//! ```text
//! event.rs  POST: type, size, JSON      pixel.rs  GET: query string
//!        \                                /
//!   RawPayload: syntax and types are right
//!     -> Origin allowlist 403              origin.rs
//!     -> lengths, characters, revenue 400
//!     -> site allowed, site limit 403
//!     -> bot 202, dropped
//!     -> (duplicates, then rate limits, will stand here: after bots, before the log)
//!     -> enrich -> engine.append 503
//!     -> wait for the fsync -> 202 with the LSN
//! ```
//! Dropping the request drops the wait, never the write: `append` hands the event to the commit thread at once.
//! A refused event leaves no trace but a counter. The client's address ends in [`crate::enrich`].

pub(crate) mod event;
pub(crate) mod nudge;
mod origin;
pub(crate) mod pixel;
pub(crate) mod relay;

use hyper::header::{ORIGIN, USER_AGENT};
use mallard_engine::{AppendError, ReceiptError};
use mallard_event::payload::{PayloadError, PayloadErrorKind, RawPayload, Trust};
use mallard_event::{Event, EventId, SiteId, Timestamp};
use tokio::time::timeout;

use crate::app::App;
use crate::enrich::Client;
use crate::enrich::client::client_address;
use crate::error::ApiError;
use crate::request::Request;
use crate::server::limits::LIMITS;

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
    /// A bot sent it.
    Dropped,
}

/// Everything after syntax and types.
async fn accept(app: &App, request: &Request, raw: RawPayload<'_>) -> Result<Outcome, ApiError> {
    origin::check(request.headers().get(ORIGIN), &app.config.site_ids)?;
    let mut payload = raw.validate(Trust::Anonymous).map_err(refused)?;
    if payload.id.is_none() {
        payload.id = header_id(request)?;
    }
    admit(app, &payload.site)?;
    let user_agent = request.header(USER_AGENT).unwrap_or_default();
    if app.enrich.is_bot(user_agent) {
        app.metrics.event_dropped("bot");
        return Ok(Outcome::Dropped);
    }
    if app.stop.is_stopping() {
        return Err(stopping());
    }
    let now = app.now();
    let ip = client_address(request.peer(), request.headers(), &app.config.trusted_proxies, app.config.on_fly);
    let enriched = app.enrich.event(payload, &Client { ip, user_agent }, now).await;
    let (event, received_at) = enriched.map_err(ApiError::internal)?;
    let id = event.event_id.clone();
    let lsn = store(app, event, received_at).await?;
    app.metrics.event_acknowledged(app.clock.now_us() - now.micros());
    Ok(Outcome::Stored { lsn, id })
}

/// Hands the event to the log and waits until it is durable.
async fn store(app: &App, event: Event, received_at: Timestamp) -> Result<u64, ApiError> {
    let receipt = app.engine.append_quietly(event, received_at).map_err(|error| match error {
        AppendError::Busy => ApiError::Busy,
        AppendError::DiskReserve => ApiError::InsufficientStorage,
        AppendError::Poisoned => ApiError::Unavailable("Events cannot be stored until the server is restarted".into()),
        AppendError::Closed => stopping(),
        AppendError::TooLarge => ApiError::bad_request("The event is too large"),
    })?;
    app.nudge.ring();
    match timeout(LIMITS.ack_timeout, app.receipts.wait(receipt)).await {
        Ok(Ok(lsn)) => Ok(lsn),
        Ok(Err(ReceiptError::NoSpace(_))) => Err(ApiError::InsufficientStorage),
        Ok(Err(ReceiptError::OutcomeUnknown)) | Err(_) => Err(ApiError::OutcomeUnknown),
    }
}

fn stopping() -> ApiError {
    ApiError::Unavailable("The server is stopping".into())
}

/// The allowlist, and the bound on the number of sites that a stranger can create.
fn admit(app: &App, site: &SiteId) -> Result<(), ApiError> {
    let allowed = &app.config.site_ids;
    if !allowed.is_empty() && !allowed.contains(site) {
        return Err(ApiError::forbidden("d (domain) is not a site of this server"));
    }
    if !app.engine.knows_site(site) && app.engine.site_count() >= app.config.max_sites {
        return Err(ApiError::forbidden("The server has as many sites as it may have (MALLARD_MAX_SITES)"));
    }
    Ok(())
}

fn header_id(request: &Request) -> Result<Option<EventId>, ApiError> {
    let Some(value) = request.headers().get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let id = EventId::parse(value.to_str().unwrap_or_default());
    id.map(Some).map_err(|invalid| ApiError::bad_request(format!("Idempotency-Key {}", invalid.reason)))
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
        ApiError::BodyTooLarge { .. } => "too_large",
        ApiError::BodyTimeout => "slow_body",
        ApiError::UnsupportedMediaType => "content_type",
        ApiError::Busy => "busy",
        ApiError::InsufficientStorage => "disk_reserve",
        ApiError::Unavailable(_) => "unavailable",
        ApiError::OutcomeUnknown => "outcome_unknown",
        _ => "other",
    });
}

#[cfg(test)]
mod tests {
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
