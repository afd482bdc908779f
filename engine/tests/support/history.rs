//! Generated histories: a few visitors of some sites over a few days around a clock change, with every case that the
//! definitions tell apart made likely.

use std::ops::Range;

use mallard_engine::{Question, Span, TimeZone};
use mallard_event::{Amount, Currency, Event, EventId, EventName, Props, SiteId, Stored, Timestamp, VisitorId};
use proptest::array::uniform17;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const MINUTE_US: i64 = 60_000_000;
const HOUR_US: i64 = 60 * MINUTE_US;
const DAY_US: i64 = 24 * HOUR_US;
/// Zones with the UTC day at which a history begins: both clock changes of several, and zones without any.
const PLACES: [(&str, &str); 10] = [
    ("UTC", "2024-02-27"),
    ("America/New_York", "2024-03-09"),
    ("America/New_York", "2024-11-01"),
    ("Asia/Kolkata", "2024-01-14"),
    ("Pacific/Chatham", "2024-04-05"),
    ("Pacific/Chatham", "2024-09-27"),
    ("Australia/Lord_Howe", "2024-04-05"),
    ("Atlantic/Azores", "2024-03-30"),
    ("Atlantic/Azores", "2024-10-26"),
    ("America/Sao_Paulo", "2018-11-03"),
];

/// Silences around those that the rules name.
const GAPS_US: [i64; 12] = [
    0,
    0,
    1,
    40_000_000,
    7 * MINUTE_US,
    30 * MINUTE_US - 1,
    30 * MINUTE_US,
    30 * MINUTE_US,
    30 * MINUTE_US + 1,
    HOUR_US,
    2 * HOUR_US,
    9 * HOUR_US,
];

/// Names of events; views are as frequent as all others.
const NAMES: [&str; 6] = ["pageview", "pageview", "pageview", "engagement", "signup", "Pageview"];

/// Values of text columns, among them those that NULL could be mistaken for.
const TEXTS: [Option<&str>; 6] = [None, Some(""), Some("(unknown)"), Some("(direct)"), Some("Zürich"), Some("a'b")];

/// Users whom a site identifies, or none.
const USERS: [Option<&str>; 5] = [None, None, Some("ann"), Some("bob"), Some("cy")];

/// Revenue: an amount in ten-thousandths, and its currency.
const REVENUES: [(Option<i64>, Option<&str>); 6] = [
    (None, None),
    (None, Some("EUR")),
    (Some(125_000), Some("EUR")),
    (Some(-1), Some("USD")),
    (Some(99_999_999_999_999), Some("USD")),
    (Some(70_001), None),
];

/// Properties, with the same key several times, values of every type, and JSON that is no object.
const PROPS: [Option<&str>; 8] = [
    None,
    None,
    Some(r#"{"plan":"pro"}"#),
    Some(r#"{"plan":"free","seats":3}"#),
    Some(r#"{"seats":"3","plan":true}"#),
    Some(r#"{"plan":null,"":""}"#),
    Some(r#"["plan"]"#),
    Some(r#"{"pl\u0061n":"\u0070ro"}"#),
];

/// The site that questions are about is the busiest; another has a name that is a folder's.
const SITES: [&str; 5] = ["first", "first", "first", "second", ".."];

/// Two of the first three differ in their case only.
const VISITORS: [&str; 9] = ["v", "w", "W", "x", "vv", "~", "y", "z", "0"];

/// How much happens.
#[derive(Clone, Debug)]
pub(crate) struct Size {
    /// Walks of one visitor each, of one to nine events.
    pub(crate) walks: Range<usize>,
    /// Visitors of each site, at most nine.
    pub(crate) visitors: usize,
    /// UTC days in which walks begin; some go on for a day or two.
    pub(crate) days: i64,
}

/// Events, where each of them lies, and a question about them.
#[derive(Clone, Debug)]
pub(crate) struct History {
    pub(crate) rows: Vec<Stored>,
    /// For each row: 0 in the hot tail, or the number of a file of its day.
    pub(crate) places: Vec<usize>,
    pub(crate) question: Question,
}

#[derive(Clone, Debug)]
struct Walk {
    site: &'static str,
    visitor: &'static str,
    start_us: i64,
    is_rounded: bool,
    steps: Vec<Step>,
}

#[derive(Clone, Debug)]
struct Step {
    gap_us: i64,
    name: &'static str,
    pathname: &'static str,
    texts: [Option<&'static str>; 17],
    interactive: Option<bool>,
    extras: Extras,
    is_rounded: bool,
    /// Events reach the log in the order of these, not of their times.
    arrival: u32,
    place: usize,
}

/// What only some events carry: a user, revenue, properties.
type Extras = (Option<&'static str>, (Option<i64>, Option<&'static str>), Option<&'static str>);

pub(crate) fn histories(size: &Size) -> impl Strategy<Value = History> + use<> {
    (select(&PLACES[..]), vec(walk(size), size.walks.clone()), stretch(size.days)).prop_map(
        |((zone, day), walks, (start_us, end_us))| {
            let zone = TimeZone::get(zone).unwrap();
            let base_us = format!("{day}T00:00:00Z").parse::<jiff::Timestamp>().unwrap().as_microsecond();
            let span = match (start_us % HOUR_US, end_us % HOUR_US) {
                (0, 0) => local_days(&zone, base_us + start_us, base_us + end_us),
                _ => Span { start_us: base_us + start_us, end_us: base_us + end_us },
            };
            let question = Question::new(SiteId::parse("first").unwrap(), span, zone);
            let (rows, places) = rows_of(&walks, base_us);
            History { rows, places, question }
        },
    )
}

fn walk(size: &Size) -> impl Strategy<Value = Walk> + use<> {
    let start = (0..size.days * 96, select(&[0, 1, -1][..]));
    (select(&SITES[..]), select(&VISITORS[..size.visitors]), start, prop::bool::weighted(0.2), vec(step(), 1..10))
        .prop_map(|(site, visitor, (slot, shift_us), is_rounded, steps)| {
            let start_us = slot * 15 * MINUTE_US + shift_us;
            Walk { site, visitor, start_us, is_rounded, steps }
        })
}

fn step() -> impl Strategy<Value = Step> {
    let facts = (select(&GAPS_US[..]), select(&NAMES[..]), select(&["/", "/a", "/b"][..]));
    let flags = (any::<Option<bool>>(), prop::bool::weighted(0.05));
    let extras = (select(&USERS[..]), select(&REVENUES[..]), select(&PROPS[..]));
    (facts, uniform17(select(&TEXTS[..])), flags, extras, any::<u32>(), 0_usize..4).prop_map(
        |((gap_us, name, pathname), texts, (interactive, is_rounded), extras, arrival, place)| Step {
            gap_us,
            name,
            pathname,
            texts,
            interactive,
            extras,
            is_rounded,
            arrival,
            place,
        },
    )
}

/// Start and end of a span within a history: of whole hours, to become local days, or of anything.
fn stretch(days: i64) -> impl Strategy<Value = (i64, i64)> {
    let hours = (0..=days * 24, 0..=days * 24).prop_map(|(start, end)| (start * HOUR_US, end * HOUR_US));
    let micros = (0..=days * DAY_US, 0..=days * DAY_US);
    prop_oneof![3 => hours, 1 => micros].prop_map(|(one, other)| (one.min(other), one.max(other)))
}

/// From the start of one local day to the end of another, as a dashboard asks.
fn local_days(zone: &TimeZone, start_us: i64, end_us: i64) -> Span {
    let zoned = |us| jiff::Timestamp::from_microsecond(us).unwrap().to_zoned(zone.clone());
    let start = zoned(start_us).start_of_day().unwrap();
    let end = zoned(end_us).tomorrow().unwrap().start_of_day().unwrap();
    Span { start_us: start.timestamp().as_microsecond(), end_us: end.timestamp().as_microsecond() }
}

/// The events of all walks, numbered by arrival, with their places.
fn rows_of(walks: &[Walk], base_us: i64) -> (Vec<Stored>, Vec<usize>) {
    let mut events: Vec<(&Step, Event)> = walks.iter().flat_map(|walk| events_of(walk, base_us)).collect();
    events.sort_by_key(|(step, _)| step.arrival);
    let numbered = (1..).zip(events).map(|(lsn, (step, mut event))| {
        let received_at = event.timestamp;
        event.event_id = EventId::parse(&format!("id-{lsn}")).unwrap();
        (Stored { lsn: Some(lsn), received_at, event }, step.place)
    });
    numbered.unzip()
}

fn events_of(walk: &Walk, base_us: i64) -> impl Iterator<Item = (&Step, Event)> {
    walk.steps.iter().scan(base_us + walk.start_us, |at_us, step| {
        *at_us += step.gap_us;
        Some((step, event(walk, step, *at_us)))
    })
}

fn event(walk: &Walk, step: &Step, at_us: i64) -> Event {
    let is_rounded = walk.is_rounded || step.is_rounded;
    let at_us = if is_rounded { at_us.div_euclid(HOUR_US) * HOUR_US } else { at_us };
    let text = |index: usize| step.texts[index].map(Into::into);
    let (user, (amount, currency), props) = step.extras;
    Event {
        site: SiteId::parse(walk.site).unwrap(),
        visitor: VisitorId::parse(walk.visitor).unwrap(),
        timestamp: Timestamp::from_micros(at_us).unwrap(),
        name: EventName::parse(step.name).unwrap(),
        pathname: step.pathname.into(),
        hostname: text(0),
        // Some are addresses.
        referrer: step.texts[1]
            .map(|text| if text.len() > 3 { format!("https://www.{text}").into() } else { text.into() }),
        referrer_source: text(2),
        utm_source: text(3),
        utm_medium: text(4),
        utm_campaign: text(5),
        utm_content: text(6),
        utm_term: text(7),
        browser: text(8),
        browser_version: text(9),
        os: text(10),
        os_version: text(11),
        device_type: text(12),
        screen_size: text(13),
        country_code: text(14),
        region: text(15),
        city: text(16),
        props: props.map(|text| Props::parse(text).unwrap()),
        revenue_amount: amount.map(|units| Amount::from_ten_thousandths(units).unwrap()),
        revenue_currency: currency.map(|code| Currency::parse(code).unwrap()),
        event_id: EventId::parse("id").unwrap(),
        channel: text(2),
        user_hash: user.map(Into::into),
        interactive: step.interactive,
        time_rounded: is_rounded.then_some(true).or(step.interactive.map(|_| false)),
    }
}
