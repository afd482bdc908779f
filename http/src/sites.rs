//! `/api/sites`: every site with a stored event, at once, and what an operator decides about each.

pub mod settings;

use std::sync::Arc;

use jiff::tz::TimeZone;
use mallard_engine::SiteSummary;
use mallard_event::SiteId;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

use self::settings::{Change, SITES_MAX, Settings, TooMany};
use crate::app::App;
use crate::auth::Principal;
use crate::auth::durably;
use crate::error::ApiError;
use crate::request::Request;
use crate::response::{self, Response};
use crate::stats::params::timezone;

const BODY_BYTES_MAX: usize = 4 << 10;

#[derive(Deserialize)]
struct Body {
    timezone: Option<String>,
    identify_users: Option<bool>,
}

#[derive(Debug, Serialize)]
struct Site<'a> {
    site_id: &'a str,
    timezone: String,
    identify_users: bool,
    first_event_at: Option<String>,
    last_event_at: Option<String>,
    events_total: u64,
}

/// `GET /api/sites`: the list, in the order of the ids; without what the principal may not read.
pub(crate) fn get(app: &App, principal: Option<&Principal>) -> Result<Response, ApiError> {
    let sites = app.engine.sites();
    let visible = sites.iter().filter(|summary| principal.is_some_and(|principal| principal.covers(&summary.site)));
    let wire = visible.map(|summary| Site::of(&summary.site, &app.sites.get(&summary.site), Some(summary)));
    response::json(&wire.collect::<Vec<_>>())
}

/// `PUT /api/sites/{site_id}`: changes what the body names; durable before the answer. The site need not have events yet.
pub(crate) async fn put(app: &App, request: Request, site: &str) -> Result<Response, ApiError> {
    let site = site_of(site)?;
    let body: Body = request.into_json(BODY_BYTES_MAX).await?;
    let zone = body.timezone.as_deref().map(timezone).transpose()?;
    let change = Change { zone: zone.map(named).transpose()?, identify_users: body.identify_users };
    let (sites, changed) = (Arc::clone(&app.sites), site.clone());
    let settings = durably(move || sites.change(&changed, change)).await?;
    let settings = settings
        .map_err(|TooMany| ApiError::Conflict(format!("{SITES_MAX} sites have settings, more are not kept").into()))?;
    let summary = app.engine.sites().into_iter().find(|summary| summary.site == site);
    response::json(&Site::of(&site, &settings, summary.as_ref()))
}

/// 400 if it can be no site; the path may have it percent-encoded.
pub(crate) fn site_of(segment: &str) -> Result<SiteId, ApiError> {
    let decoded = percent_decode_str(segment).decode_utf8_lossy();
    SiteId::parse(&decoded).map_err(|invalid| ApiError::bad_request(format!("site_id {}", invalid.reason)))
}

/// A zone without a name could not be kept.
fn named(zone: TimeZone) -> Result<TimeZone, ApiError> {
    if zone.iana_name().is_some() { Ok(zone) } else { Err(ApiError::bad_request("timezone must be an IANA name")) }
}

impl<'a> Site<'a> {
    fn of(site: &'a SiteId, settings: &Settings, summary: Option<&SiteSummary>) -> Self {
        Self {
            site_id: site.as_str(),
            timezone: settings.timezone().to_owned(),
            identify_users: settings.identify_users,
            first_event_at: summary.map(|summary| summary.first_event_at.to_string()),
            last_event_at: summary.map(|summary| summary.last_event_at.to_string()),
            events_total: summary.map_or(0, |summary| summary.events_total),
        }
    }
}
