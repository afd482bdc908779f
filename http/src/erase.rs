//! `DELETE /api/gdpr/erase`: the events of a site and some local days, of everybody, of one visitor or of one user.
//!
//! The same dates and zone mean the same events as for a report. The work goes on if the client hangs up, and is not
//! subject to the limit of queries.

use std::sync::Arc;

use hyper::StatusCode;
use jiff::tz::TimeZone;
use mallard_engine::{EraseError, Erased, ErasureRequest, Filter};
use mallard_event::SiteId;
use serde::Serialize;
use tokio::task::spawn_blocking;
use tracing::{error, info};

use crate::app::App;
use crate::error::ApiError;
use crate::request::{Pairs, Request};
use crate::response::{self, Response};
use crate::stats::params::{self, Params, value};
use crate::{request_id, subject};

/// Requests that wait for the end of their erasure at a time: each keeps a thread.
pub(crate) const ERASURES_MAX: usize = 100;

/// All that an erasure is told. Elsewhere an unknown parameter is ignored; here a misspelt `visitor_id` would erase everybody.
const PARAMETERS: [&str; 6] = ["site_id", "start_date", "end_date", "timezone", "visitor_id", "user_id"];

const START: &str = "Invalid start_date. Use YYYY-MM-DD.";
const END: &str = "Invalid end_date. Use YYYY-MM-DD.";

#[derive(Debug, Serialize)]
struct Wire {
    status: &'static str,
    site_id: String,
    start_date: String,
    end_date: String,
    db_records_deleted: u64,
    parquet_partitions_deleted: u64,
    wal_segments_rewritten: u64,
    snapshots_rewritten: u64,
    lsn: u64,
}

#[derive(Debug, Serialize)]
struct Incomplete {
    error: &'static str,
    status: &'static str,
}

/// Erases; when the answer is 200, nothing of the events is left on the volume.
pub(crate) async fn delete(app: &App, request: &Request) -> Result<Response, ApiError> {
    let pairs = request.query_pairs();
    refuse_unclear(&pairs)?;
    let params = parse(&pairs, |site| app.sites.get(site).zone)?;
    let question = params.question(app.now())?;
    let subject = subject::of(app, &pairs, &params.site)?;
    let wanted = ErasureRequest { site: params.site, span: question.span, subject };
    let [start, end] = ["start_date", "end_date"].map(|name| value(&pairs, name).unwrap_or_default().to_owned());
    let engine = Arc::clone(&app.engine);
    let Ok(place) = Arc::clone(&app.erasures).try_acquire_owned() else { return Err(not_recorded()) };
    // The log line is written where the work is done: nobody may be waiting for the answer any more.
    let erasing = spawn_blocking(request_id::carry(move || {
        let outcome = engine.erase(&wanted);
        drop(place);
        if let Ok(erased) = &outcome {
            info!(
                site_id = wanted.site.as_str(),
                start_date = start,
                end_date = end,
                db_records_deleted = erased.events,
                parquet_partitions_deleted = erased.partitions,
                "GDPR erasure completed"
            );
        }
        outcome.map(|erased| wire(wanted.site, start, end, erased))
    }));
    match erasing.await.map_err(ApiError::internal)? {
        Ok(wire) => response::json(&wire),
        Err(EraseError::NotRecorded) => Err(not_recorded()),
        Err(EraseError::OutcomeUnknown) => Err(ApiError::Unavailable("Outcome unknown. Repeat the erasure.".into())),
        Err(EraseError::Incomplete(cause)) => {
            error!(%cause, "A GDPR erasure is recorded and not finished; it is tried again");
            incomplete()
        }
    }
}

fn not_recorded() -> ApiError {
    ApiError::Unavailable("The erasure was not recorded. Try again.".into())
}

fn wire(site: SiteId, start_date: String, end_date: String, erased: Erased) -> Wire {
    Wire {
        status: "erased",
        site_id: site.as_str().to_owned(),
        start_date,
        end_date,
        db_records_deleted: erased.events,
        parquet_partitions_deleted: erased.partitions,
        wal_segments_rewritten: erased.segments,
        snapshots_rewritten: erased.snapshots,
        lsn: erased.lsn,
    }
}

fn incomplete() -> Result<Response, ApiError> {
    let error = "The erasure is recorded and no query shows the events, but not everything could be removed yet. It is \
                 retried in the background; repeating the call is safe.";
    let mut response = response::json(&Incomplete { error, status: "incomplete" })?;
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    Ok(response)
}

fn refuse_unclear(pairs: &Pairs<'_>) -> Result<(), ApiError> {
    for (index, (name, _)) in pairs.iter().enumerate() {
        if !PARAMETERS.contains(&name.as_ref()) {
            let known = PARAMETERS.join(", ");
            return Err(ApiError::bad_request(format!("Unknown parameter: '{name}'. An erasure takes {known}.")));
        }
        if pairs.iter().take(index).any(|(earlier, _)| earlier == name) {
            return Err(ApiError::bad_request(format!("{name} is given twice")));
        }
    }
    Ok(())
}

/// Site, days and zone, all checked as those of a report are; the zone is the site's, unless one is named.
fn parse(pairs: &Pairs<'_>, zone_of: impl FnOnce(&SiteId) -> TimeZone) -> Result<Params, ApiError> {
    let site = params::site_id(value(pairs, "site_id").unwrap_or_default())?;
    let zone = value(pairs, "timezone").map_or_else(|| Ok(zone_of(&site)), params::timezone)?;
    let first = params::date(value(pairs, "start_date").unwrap_or_default(), START)?;
    let last = params::date(value(pairs, "end_date").unwrap_or_default(), END)?;
    let range = params::range_of(first, last)?;
    Ok(Params { site, range, zone, filter: Filter::default(), as_of: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(query: &str) -> Result<Params, String> {
        let pairs = url::form_urlencoded::parse(query.as_bytes()).collect();
        parse(&pairs, |_| TimeZone::UTC).map_err(|error| error.to_string())
    }

    #[test]
    fn a_parameter_that_is_unknown_or_given_twice_is_named() {
        let refusal = |query: &str| {
            let pairs = url::form_urlencoded::parse(query.as_bytes()).collect();
            refuse_unclear(&pairs).map_err(|error| error.to_string())
        };
        let message = "Unknown parameter: 'visitorid'. An erasure takes site_id, start_date, end_date, timezone, visitor_id, user_id.";
        assert_eq!(refusal("site_id=a&visitorid=b").unwrap_err(), message);
        assert_eq!(refusal("user_id=a&user_id=b").unwrap_err(), "user_id is given twice");
        assert_eq!(refusal("site_id=a&start_date=b&end_date=c&timezone=d&visitor_id=e&user_id=f"), Ok(()));
    }

    #[test]
    fn site_and_dates_are_required_and_named_when_they_are_wrong() {
        assert_eq!(parsed("start_date=2026-01-01&end_date=2026-01-02").unwrap_err(), "site_id must not be empty");
        assert_eq!(parsed("site_id=a&end_date=2026-01-02").unwrap_err(), START);
        assert_eq!(parsed("site_id=a&start_date=2026-1-01&end_date=2026-01-02").unwrap_err(), START);
        assert_eq!(parsed("site_id=a&start_date=2026-01-01").unwrap_err(), END);
        let order = parsed("site_id=a&start_date=2026-01-02&end_date=2026-01-01").unwrap_err();
        assert_eq!(order, "end_date must be on or after start_date");
        let long = parsed("site_id=a&start_date=2014-01-01&end_date=2024-01-02").unwrap_err();
        assert!(long.starts_with("Date range must not exceed 3653 days."), "{long}");
        let zone = parsed("site_id=a&start_date=2026-01-01&end_date=2026-01-02&timezone=x").unwrap_err();
        assert!(zone.starts_with("Invalid timezone: 'x'."), "{zone}");
        assert!(parsed("site_id=a&start_date=2026-01-01&end_date=2026-01-01").is_ok());
    }
}
