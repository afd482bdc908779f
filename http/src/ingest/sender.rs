//! What a sender with a key may say: when, where from and who (the trusted fields of CONTRACT §5.1). Without a key none
//! of it is read.

use std::net::IpAddr;

use mallard_event::Timestamp;
use mallard_event::payload::{Payload, Trust};

use crate::app::App;
use crate::auth::keys::Grant;
use crate::enrich::client::{client_address, left_most_forwarded};
use crate::error::ApiError;
use crate::request::Request;

const DAY_US: i64 = 86_400 * 1_000_000;
/// How far a stated time may lie ahead: clocks differ.
const AHEAD_US: i64 = 300 * 1_000_000;
/// How far back, in days, if everything is kept for ever.
const PAST_DAYS: i64 = 3653;

/// How much of a payload is read.
pub(super) fn trust(grant: Option<&Grant>) -> Trust {
    if grant.is_some() { Trust::Keyed } else { Trust::Anonymous }
}

/// Checks what only a sender with a key can have said, and forgets users whom the site does not want to know.
pub(super) fn check(app: &App, grant: Option<&Grant>, payload: &mut Payload, now: Timestamp) -> Result<(), ApiError> {
    let Some(grant) = grant else { return Ok(()) };
    check_time(payload.timestamp, now, app.config.retention_days)?;
    if !grant.covers(&payload.site) {
        return Err(ApiError::forbidden("The key is not for this site"));
    }
    if payload.user_id.is_some() && !app.sites.get(&payload.site).identify_users {
        payload.user_id = None;
    }
    Ok(())
}

/// The visitor's address: as stated, or the first of the chain that a sender with a key forwards, or whoever calls.
pub(super) fn address(app: &App, request: &Request, payload: &Payload, is_keyed: bool) -> IpAddr {
    let headers = request.headers();
    let forwarded = || left_most_forwarded(headers).filter(|_| is_keyed);
    let caller = || client_address(request.peer(), headers, &app.config.trusted_proxies, app.config.on_fly);
    payload.ip.or_else(forwarded).unwrap_or_else(caller)
}

fn check_time(stated: Option<Timestamp>, now: Timestamp, retention_days: u32) -> Result<(), ApiError> {
    let Some(at) = stated else { return Ok(()) };
    let days = if retention_days == 0 { PAST_DAYS } else { i64::from(retention_days) };
    // The first whole day that is kept.
    let oldest = now.date().start().micros().saturating_sub(days.saturating_mul(DAY_US));
    if at.micros() > now.micros().saturating_add(AHEAD_US) {
        return Err(ApiError::bad_request("timestamp must be at most 5 minutes ahead"));
    }
    if at.micros() < oldest {
        return Err(ApiError::bad_request(format!("timestamp must be within the last {days} days")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::testing::at;

    fn check(stated: &str, retention_days: u32) -> bool {
        check_time(Some(at(stated)), at("2024-01-31T12:00:00Z"), retention_days).is_ok()
    }

    #[test]
    fn a_stated_time_lies_between_the_end_of_retention_and_five_minutes_ahead() {
        assert!(check("2024-01-31T12:05:00Z", 0) && !check("2024-01-31T12:05:01Z", 0));
        assert!(check("2024-01-29T00:00:00Z", 2) && !check("2024-01-28T23:59:59Z", 2));
        assert!(check("2014-02-01T00:00:00Z", 0) && !check("2014-01-29T00:00:00Z", 0));
    }
}
