//! Events for the tests of bytes and columns.

#![allow(dead_code, reason = "each test program uses a part")]

use mallard_event::{Amount, Currency, Date, Event, EventId, EventName, Props, SiteId, Stored, Timestamp, VisitorId};
use proptest::option;
use proptest::prelude::*;
use smol_str::SmolStr;

/// The least an event can hold.
pub(crate) fn minimal() -> Event {
    Event::new(
        SiteId::parse("example.com").unwrap(),
        VisitorId::parse("0123456789abcdef0123456789abcdef").unwrap(),
        Timestamp::from_micros(1_706_745_599_999_999).unwrap(),
        EventName::parse("pageview").unwrap(),
        "/",
        EventId::parse("3f0e9f0c-6d0f-4a55-9e1c-0d2b7f6f6a01").unwrap(),
    )
}

/// Every field has a value, and no two fields the same.
pub(crate) fn full() -> Event {
    let text = |text: &str| Some(text.into());
    Event {
        name: EventName::parse("Käufe").unwrap(),
        pathname: "/shop/entenhausen".into(),
        hostname: text("www.example.com"),
        referrer: text("https://news.example.org/today"),
        referrer_source: text("news.example.org"),
        utm_source: text("newsletter"),
        utm_medium: text("email"),
        utm_campaign: text("spring sale"),
        utm_content: text("button"),
        utm_term: text("ducks"),
        browser: text("Firefox"),
        browser_version: text("131.0"),
        os: text("Windows"),
        os_version: text("10.0"),
        device_type: text("desktop"),
        screen_size: text("1920"),
        country_code: text("DE"),
        region: text("Land Berlin"),
        city: text("Berlin"),
        props: Some(Props::parse(r#"{"plan":"pro"}"#).unwrap()),
        revenue_amount: Some(Amount::parse("-49.99").unwrap()),
        revenue_currency: Some(Currency::parse("EUR").unwrap()),
        channel: text("Email"),
        user_hash: Some("e".repeat(64).into()),
        interactive: Some(true),
        time_rounded: Some(false),
        ..minimal()
    }
}

type Text = Option<SmolStr>;

fn text() -> impl Strategy<Value = Text> {
    option::of("\\PC{0,12}".prop_map(Into::into))
}

fn timestamp() -> impl Strategy<Value = Timestamp> {
    let micros = Date::MIN.start().micros()..=Date::MAX.end().micros();
    micros.prop_map(|micros| Timestamp::from_micros(micros).unwrap())
}

fn keys() -> impl Strategy<Value = Event> {
    ("[A-Za-z0-9._:-]{1,256}", "[!-~]{1,64}", timestamp(), "\\PC{1,60}", "/\\PC{0,40}", "[!-~]{1,64}").prop_map(
        |(site, visitor, timestamp, name, pathname, event_id)| Event {
            site: SiteId::parse(&site).unwrap(),
            visitor: VisitorId::parse(&visitor).unwrap(),
            timestamp,
            name: EventName::parse(&name).unwrap(),
            pathname: pathname.into(),
            event_id: EventId::parse(&event_id).unwrap(),
            ..minimal()
        },
    )
}

fn origin() -> impl Strategy<Value = [Text; 9]> {
    [text(), text(), text(), text(), text(), text(), text(), text(), text()]
}

fn device() -> impl Strategy<Value = [Text; 9]> {
    origin()
}

fn revenue() -> impl Strategy<Value = (Option<Amount>, Option<Currency>)> {
    let units = -99_999_999_999_999_i64..=99_999_999_999_999;
    let amount = units.prop_map(|units| Amount::from_ten_thousandths(units).unwrap());
    let currency = "[A-Z]{3}".prop_map(|letters| Currency::parse(&letters).unwrap());
    (option::of(amount), option::of(currency))
}

fn props() -> impl Strategy<Value = Option<Props>> {
    let json = ("\\PC{1,8}", "\\PC{0,20}").prop_map(|(key, value)| serde_json::json!({ key: value }).to_string());
    option::of(json.prop_map(|json| Props::parse(&json).unwrap()))
}

/// Any event.
pub(crate) fn any_event() -> impl Strategy<Value = Event> {
    let flags = (option::of(any::<bool>()), option::of(any::<bool>()));
    (keys(), origin(), device(), text(), props(), revenue(), flags).prop_map(
        |(keys, origin, device, user_hash, props, (revenue_amount, revenue_currency), (interactive, time_rounded))| {
            let [
                hostname,
                referrer,
                referrer_source,
                utm_source,
                utm_medium,
                utm_campaign,
                utm_content,
                utm_term,
                channel,
            ] = origin;
            let [browser, browser_version, os, os_version, device_type, screen_size, country_code, region, city] =
                device;
            Event {
                hostname,
                referrer,
                referrer_source,
                utm_source,
                utm_medium,
                utm_campaign,
                utm_content,
                utm_term,
                browser,
                browser_version,
                os,
                os_version,
                device_type,
                screen_size,
                country_code,
                region,
                city,
                props,
                revenue_amount,
                revenue_currency,
                channel,
                user_hash,
                interactive,
                time_rounded,
                ..keys
            }
        },
    )
}

/// Any row that the log wrote.
pub(crate) fn any_stored() -> impl Strategy<Value = Stored> {
    (any::<u64>(), timestamp(), any_event()).prop_map(|(lsn, received_at, event)| Stored {
        lsn: Some(lsn),
        received_at,
        event,
    })
}
