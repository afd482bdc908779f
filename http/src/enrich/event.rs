//! The last step: a payload and what was found out about its sender become the columns of an [`Event`].

use mallard_event::payload::{Payload, Utm};
use mallard_event::{Event, EventId, Timestamp, VisitorId};
use smol_str::{SmolStr, ToSmolStr as _};

use super::Privacy;
use super::channel::{Arrival, channel};
use super::geo::Place;
use super::referrer::{Referral, without_query};
use super::user_agent::{Device, UserAgent};

const HOUR_US: i64 = 3_600 * 1_000_000;

/// What is known apart from the payload.
pub(super) struct Found<'a> {
    pub(super) visitor: VisitorId,
    pub(super) referral: Option<Referral>,
    pub(super) id: EventId,
    pub(super) place: Place,
    pub(super) user_agent: UserAgent<'a>,
    /// Of the site's own id of the user.
    pub(super) user_hash: Option<String>,
    /// When it happened: server time, or what a trusted sender states.
    pub(super) at: Timestamp,
}

/// Puts the event together, without what the operator does not want to be stored.
pub(super) fn build(payload: Payload, found: Found<'_>, privacy: Privacy) -> Event {
    let channel = channel(&arrival(&payload, found.referral.as_ref()));
    let browser = found.user_agent.browser();
    let system = found.user_agent.system();
    let device = payload.screen_width.map(Device::of_width).or_else(|| found.user_agent.device());
    let Utm { source, medium, campaign, content, term } = payload.url.utm;
    Event {
        visitor: found.visitor,
        event_id: found.id,
        timestamp: stored_time(found.at, privacy),
        time_rounded: Some(privacy.round_timestamps),
        name: payload.name,
        pathname: payload.url.pathname,
        hostname: Some(payload.url.hostname.unwrap_or_else(|| payload.site.as_str().into())),
        site: payload.site,
        referrer: payload.referrer.map(|referrer| stored_referrer(referrer, privacy)),
        referrer_source: found.referral.map(Referral::into_source),
        utm_source: source,
        utm_medium: medium,
        utm_campaign: campaign,
        utm_content: content,
        utm_term: term,
        browser: browser.as_ref().map(|browser| SmolStr::new_static(browser.name)),
        browser_version: kept(!privacy.suppress_browser_version, browser.and_then(|browser| browser.version)),
        os: system.as_ref().map(|system| SmolStr::new_static(system.name)),
        os_version: kept(!privacy.suppress_os_version, system.and_then(|system| system.version)),
        device_type: kept(!privacy.suppress_screen_size, device.map(|device| SmolStr::new_static(device.as_str()))),
        screen_size: kept(!privacy.suppress_screen_size, payload.screen_width.map(|width| width.to_smolstr())),
        country_code: found.place.country_code,
        region: found.place.region,
        city: found.place.city,
        props: payload.props,
        revenue_amount: payload.revenue_amount,
        revenue_currency: payload.revenue_currency,
        channel: Some(SmolStr::new_static(channel)),
        user_hash: found.user_hash.map(SmolStr::from),
        interactive: payload.interactive,
    }
}

/// Where the visitor came from, unless that is the site itself.
pub(crate) fn referral(payload: &Payload) -> Option<Referral> {
    let site = payload.site.as_str();
    let page = payload.url.hostname.as_deref().unwrap_or(site);
    Referral::of(payload.referrer.as_deref()?, &[site, page])
}

fn arrival<'a>(payload: &'a Payload, referral: Option<&'a Referral>) -> Arrival<'a> {
    let utm = &payload.url.utm;
    Arrival {
        utm_source: utm.source.as_deref(),
        utm_medium: utm.medium.as_deref(),
        is_tagged: *utm != Utm::default(),
        has_click_id: payload.url.has_click_id,
        referral,
    }
}

fn stored_referrer(referrer: SmolStr, privacy: Privacy) -> SmolStr {
    if privacy.strip_referrer_query { without_query(&referrer).into() } else { referrer }
}

/// A time as coarse as the operator wants times to be.
pub(super) fn stored_time(at: Timestamp, privacy: Privacy) -> Timestamp {
    if privacy.round_timestamps { start_of_hour(at) } else { at }
}

fn start_of_hour(instant: Timestamp) -> Timestamp {
    Timestamp::saturating_from_micros(instant.micros().div_euclid(HOUR_US) * HOUR_US)
}

fn kept(is_kept: bool, text: Option<SmolStr>) -> Option<SmolStr> {
    text.filter(|_| is_kept)
}
