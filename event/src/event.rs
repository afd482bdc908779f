//! [`Event`], what a visitor did, and [`Stored`], an event with its place in the log.

use smol_str::SmolStr;

use crate::{Amount, Currency, EventId, EventName, Props, SiteId, Timestamp, VisitorId};

/// One thing a visitor did, after enrichment. It holds no IP address and no user agent.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The site it happened on.
    pub site: SiteId,
    /// Who did it, by a pseudonym of the day.
    pub visitor: VisitorId,
    /// When it happened.
    pub timestamp: Timestamp,
    /// What happened; `pageview` for a view.
    pub name: EventName,
    /// The path of the page, from its `/`.
    pub pathname: SmolStr,
    /// The host of the page.
    pub hostname: Option<SmolStr>,
    /// The page that led here, as the browser tells it.
    pub referrer: Option<SmolStr>,
    /// The name of the site that led here.
    pub referrer_source: Option<SmolStr>,
    /// `utm_source` of the page's query.
    pub utm_source: Option<SmolStr>,
    /// `utm_medium` of the page's query.
    pub utm_medium: Option<SmolStr>,
    /// `utm_campaign` of the page's query.
    pub utm_campaign: Option<SmolStr>,
    /// `utm_content` of the page's query.
    pub utm_content: Option<SmolStr>,
    /// `utm_term` of the page's query.
    pub utm_term: Option<SmolStr>,
    /// The family of the browser.
    pub browser: Option<SmolStr>,
    /// The browser's version, digits and dots.
    pub browser_version: Option<SmolStr>,
    /// The family of the operating system.
    pub os: Option<SmolStr>,
    /// The system's version, digits and dots.
    pub os_version: Option<SmolStr>,
    /// `mobile`, `tablet` or `desktop`.
    pub device_type: Option<SmolStr>,
    /// The width of the screen in pixels, as decimal text.
    pub screen_size: Option<SmolStr>,
    /// ISO code of the country.
    pub country_code: Option<SmolStr>,
    /// First subdivision of the country, in English.
    pub region: Option<SmolStr>,
    /// City, in English.
    pub city: Option<SmolStr>,
    /// Custom properties.
    pub props: Option<Props>,
    /// Revenue.
    pub revenue_amount: Option<Amount>,
    /// Currency of the revenue.
    pub revenue_currency: Option<Currency>,
    /// The id under which the event is stored once.
    pub event_id: EventId,
    /// The kind of way that led here, such as `Organic Search`.
    pub channel: Option<SmolStr>,
    /// A keyed hash of the site's own user id, where the site opted in.
    pub user_hash: Option<SmolStr>,
    /// Whether the event counts as an interaction; `None` if the client did not say.
    pub interactive: Option<bool>,
    /// Whether `timestamp` was rounded to the start of its hour.
    pub time_rounded: Option<bool>,
}

impl Event {
    /// An event of which nothing is known but what every event has.
    pub fn new(
        site: SiteId,
        visitor: VisitorId,
        timestamp: Timestamp,
        name: EventName,
        pathname: &str,
        event_id: EventId,
    ) -> Self {
        Self {
            site,
            visitor,
            timestamp,
            name,
            pathname: pathname.into(),
            event_id,
            hostname: None,
            referrer: None,
            referrer_source: None,
            utm_source: None,
            utm_medium: None,
            utm_campaign: None,
            utm_content: None,
            utm_term: None,
            browser: None,
            browser_version: None,
            os: None,
            os_version: None,
            device_type: None,
            screen_size: None,
            country_code: None,
            region: None,
            city: None,
            props: None,
            revenue_amount: None,
            revenue_currency: None,
            channel: None,
            user_hash: None,
            interactive: None,
            time_rounded: None,
        }
    }
}

/// An event as a query sees it: with its LSN and the time of its arrival.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Its place in the log; `None` for a row adopted from a file of the original, which had no log.
    pub lsn: Option<u64>,
    /// When the server received it. The original did not keep this: an adopted row repeats the event's own time.
    pub received_at: Timestamp,
    /// The event.
    pub event: Event,
}
