//! Events and their records, determined by a number.

use mallard_event::{Amount, Date, Event, EventId, EventName, Props, SiteId, Stored, Timestamp, VisitorId, codec};
use mallard_wal::{Draft, Kind};

pub(crate) const DAY_US: i64 = 86_400_000_000;

pub(crate) fn site(id: &str) -> SiteId {
    SiteId::parse(id).unwrap()
}

pub(crate) fn day(text: &str) -> Date {
    Date::parse(text).unwrap()
}

/// Microseconds of an RFC 3339 time.
pub(crate) fn us(text: &str) -> i64 {
    Timestamp::parse(text).unwrap().micros()
}

/// An event of `number`, with what is optional there or not.
pub(crate) fn event(site: &str, timestamp_us: i64, number: u64) -> Event {
    let text = |prefix: &str, every: u64| (number.is_multiple_of(every)).then(|| format!("{prefix}{number}").into());
    Event {
        site: SiteId::parse(site).unwrap(),
        visitor: VisitorId::parse(&format!("visitor-{}", number % 7)).unwrap(),
        timestamp: Timestamp::from_micros(timestamp_us).unwrap(),
        name: EventName::parse(if number.is_multiple_of(5) { "signup" } else { "pageview" }).unwrap(),
        pathname: format!("/page/{}", number % 11).into(),
        hostname: text("host-", 2),
        referrer: text("https://a.example/", 3),
        referrer_source: text("Source ", 3),
        utm_source: text("us-", 4),
        utm_medium: text("um-", 5),
        utm_campaign: text("uc-", 6),
        utm_content: text("un-", 7),
        utm_term: text("ut-", 8),
        browser: text("Browser ", 2),
        browser_version: text("1.", 2),
        os: text("OS ", 2),
        os_version: text("2.", 2),
        device_type: text("desktop-", 2),
        screen_size: text("19", 3),
        country_code: number.is_multiple_of(2).then(|| "DE".into()),
        region: text("Région ", 3),
        city: text("Zürich ", 3),
        props: number.is_multiple_of(3).then(|| Props::parse(&format!("{{\"plan\":\"{number}\"}}")).unwrap()),
        revenue_amount: number.is_multiple_of(4).then(|| Amount::parse(&format!("-{number}.1234")).unwrap()),
        revenue_currency: None,
        event_id: EventId::parse(&format!("event-{number}")).unwrap(),
        channel: text("Channel ", 4),
        user_hash: text("user-", 9),
        interactive: [None, Some(true), Some(false)][usize::try_from(number % 3).unwrap()],
        time_rounded: Some(number.is_multiple_of(2)),
    }
}

/// The record of an event, received a second after it happened.
pub(crate) fn record(event: &Event) -> Draft {
    let received_us = event.timestamp.micros() + 1_000_000;
    Draft::new(Kind::EVENT, codec::BODY_VERSION, 0, received_us, [0; 16], &codec::encode(event)).unwrap()
}

/// The row that [`record`] becomes at `lsn`.
pub(crate) fn stored(event: &Event, lsn: u64) -> Stored {
    let received_at = Timestamp::from_micros(event.timestamp.micros() + 1_000_000).unwrap();
    Stored { lsn: Some(lsn), received_at, event: event.clone() }
}
