use mallard_event::payload::{RawPayload, Trust};

use smol_str::SmolStr;

use super::*;
use crate::auth::testing::{Bytes, after, at};
use crate::documents::memory::Memory;

const CHROME: &str =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36";
const NOON: &str = "2024-01-31T12:34:56.789Z";

fn payload(json: &str) -> Payload {
    RawPayload::parse(json.as_bytes()).unwrap().validate(Trust::Anonymous).unwrap()
}

fn pageview() -> Payload {
    payload(r#"{"d":"shop.example","n":"pageview","u":"https://www.shop.example/a?utm_source=x&utm_term=y","w":1500}"#)
}

fn enricher(documents: &Arc<Memory>, privacy: Privacy) -> Enricher {
    let config = Config { filter_bots: true, ..Config::default() };
    let documents: Arc<Memory> = Arc::clone(documents);
    Enricher::open(&config, privacy, "0123456789abcdef", documents, Arc::new(Bytes::default()), at(NOON)).unwrap()
}

async fn event(enricher: &Enricher, payload: Payload, now: Timestamp) -> (Event, Timestamp) {
    let client = Client { ip: "203.0.113.5".parse().unwrap(), user_agent: CHROME };
    let referral = referral(&payload);
    enricher.event(payload, referral, &client, now).await.unwrap()
}

/// The event of `payload` at [`NOON`].
async fn at_noon(payload: Payload, privacy: Privacy) -> Event {
    event(&enricher(&Arc::default(), privacy), payload, at(NOON)).await.0
}

#[tokio::test]
async fn every_column_is_filled_from_what_is_known() {
    let all = payload(
        r#"{"d":"shop.example","n":"buy","u":"https://WWW.shop.example:8443/cart?utm_source=google&utm_medium=cpc&utm_campaign=a%20b&utm_content=c&utm_term=t#x",
            "r":"https://www.google.co.uk/search?q=jane","w":800,"p":{"size":"M"},"ra":"12.5","rc":"eur","id":"e-1","i":true}"#,
    );
    let (event, received_at) = event(&enricher(&Arc::default(), Privacy::default()), all, at(NOON)).await;
    let text = |text: Option<SmolStr>| text.map(String::from).unwrap_or_default();
    assert_eq!(event.site.as_str(), "shop.example");
    assert_eq!(event.name.as_str(), "buy");
    assert_eq!(event.visitor.as_str().len(), 32);
    assert_eq!((event.timestamp, received_at), (at(NOON), at(NOON)));
    assert_eq!(event.time_rounded, Some(false));
    assert_eq!(&*event.pathname, "/cart");
    assert_eq!(text(event.hostname), "www.shop.example");
    assert_eq!(text(event.referrer), "https://www.google.co.uk/search?q=jane");
    assert_eq!(text(event.referrer_source), "Google");
    assert_eq!(text(event.channel), "Paid Search");
    assert_eq!(text(event.utm_source), "google");
    assert_eq!(text(event.utm_medium), "cpc");
    assert_eq!(text(event.utm_campaign), "a b");
    assert_eq!(text(event.utm_content), "c");
    assert_eq!(text(event.utm_term), "t");
    assert_eq!((text(event.browser), text(event.browser_version)), ("Chrome".to_owned(), "126.0.0.0".to_owned()));
    assert_eq!((text(event.os), text(event.os_version)), ("Windows".to_owned(), "10.0".to_owned()));
    assert_eq!((text(event.screen_size), text(event.device_type)), ("800".to_owned(), "tablet".to_owned()));
    assert_eq!(event.props.unwrap().as_str(), r#"{"size":"M"}"#);
    assert_eq!(event.revenue_currency.unwrap().to_string(), "EUR");
    assert!(event.revenue_amount.is_some());
    assert_eq!(event.event_id.as_str(), "e-1");
    assert_eq!(event.interactive, Some(true));
    assert_eq!((event.country_code, event.region, event.city, event.user_hash), (None, None, None, None));
}

#[tokio::test]
async fn an_event_without_an_id_gets_a_uuid_of_its_own() {
    let enricher = enricher(&Arc::default(), Privacy::default());
    let [first, second] =
        [event(&enricher, pageview(), at(NOON)).await.0, event(&enricher, pageview(), at(NOON)).await.0];
    let uuid = uuid::Uuid::parse_str(first.event_id.as_str()).unwrap();
    assert_eq!(uuid.get_version_num(), 4);
    assert_ne!(first.event_id, second.event_id);
    assert_eq!(first.visitor, second.visitor);
}

#[tokio::test]
async fn a_visitor_is_another_one_after_midnight_and_the_same_after_a_restart() {
    let documents = Arc::default();
    let enricher_before = enricher(&documents, Privacy::default());
    let midnight = at("2024-02-01T00:00:00Z");
    let before = event(&enricher_before, pageview(), after(midnight, -1)).await.0.visitor;
    let restarted = enricher(&documents, Privacy::default());
    assert_eq!(event(&restarted, pageview(), after(midnight, -1)).await.0.visitor, before);
    let today = event(&restarted, pageview(), midnight).await.0.visitor;
    assert_ne!(today, before);
    restarted.destroy_ended_salts(after(midnight, 300)).unwrap();
    assert_eq!(event(&restarted, pageview(), after(midnight, 300)).await.0.visitor, today);
    assert!(!documents.text().contains("2024-01-31"));
}

#[tokio::test]
async fn a_salt_that_cannot_be_stored_is_an_error_and_not_an_event() {
    let documents: Arc<Memory> = Arc::default();
    let enricher = enricher(&documents, Privacy::default());
    documents.set_full(true);
    let client = Client { ip: "203.0.113.5".parse().unwrap(), user_agent: CHROME };
    assert!(matches!(enricher.event(pageview(), None, &client, at(NOON)).await, Err(EnrichError::Salt(_))));
    documents.set_full(false);
    assert!(enricher.event(pageview(), None, &client, at(NOON)).await.is_ok());
}

#[tokio::test]
async fn a_rounded_event_has_no_finer_time_anywhere() {
    let privacy = Privacy { round_timestamps: true, ..Privacy::default() };
    let (event, received_at) = event(&enricher(&Arc::default(), privacy), pageview(), at(NOON)).await;
    let hour = at("2024-01-31T12:00:00Z");
    assert_eq!((event.timestamp, received_at, event.time_rounded), (hour, hour, Some(true)));
}

#[tokio::test]
async fn suppressed_fields_are_empty() {
    let event = at_noon(pageview(), Privacy { suppress_browser_version: true, ..Privacy::default() }).await;
    assert_eq!((event.browser.as_deref(), event.browser_version), (Some("Chrome"), None));
    let event = at_noon(pageview(), Privacy { suppress_os_version: true, ..Privacy::default() }).await;
    assert_eq!((event.os.as_deref(), event.os_version), (Some("Windows"), None));
    let event = at_noon(pageview(), Privacy { suppress_screen_size: true, ..Privacy::default() }).await;
    assert_eq!((event.screen_size, event.device_type), (None, None));
    let referrer = r#"{"d":"shop.example","n":"pageview","u":"/","r":"https://a.example/p?q=jane#x"}"#;
    let event = at_noon(payload(referrer), Privacy { strip_referrer_query: true, ..Privacy::default() }).await;
    assert_eq!(event.referrer.as_deref(), Some("https://a.example/p"));
    assert_eq!(event.referrer_source.as_deref(), Some("a.example"));
}

#[tokio::test]
async fn suppressed_visitors_are_different_at_every_event_and_need_no_salt() {
    let documents: Arc<Memory> = Arc::default();
    let enricher = enricher(&documents, Privacy { suppress_visitor_id: true, ..Privacy::default() });
    let [first, second] =
        [event(&enricher, pageview(), at(NOON)).await.0, event(&enricher, pageview(), at(NOON)).await.0];
    assert_eq!(uuid::Uuid::parse_str(first.visitor.as_str()).unwrap().get_version_num(), 4);
    assert_ne!(first.visitor, second.visitor);
    assert_eq!(documents.writes(), 0);
}

#[tokio::test]
async fn a_click_within_the_site_has_a_referrer_but_no_source() {
    let internal =
        r#"{"d":"shop.example","n":"pageview","u":"https://shop.example/b","r":"https://www.shop.example/a"}"#;
    let event = at_noon(payload(internal), Privacy::default()).await;
    assert!(event.referrer.is_some());
    assert_eq!(event.referrer_source, None);
    assert_eq!(event.channel.as_deref(), Some("Direct"));
}

#[tokio::test]
async fn without_a_width_the_user_agent_says_what_device_it_is() {
    let event = at_noon(payload(r#"{"d":"shop.example","n":"pageview","u":"/only/a/path"}"#), Privacy::default()).await;
    assert_eq!((event.screen_size, event.device_type.as_deref()), (None, Some("desktop")));
    assert_eq!(event.hostname.as_deref(), Some("shop.example"), "the site, where the address names no host");
    assert_eq!(&*event.pathname, "/only/a/path");
}

#[test]
fn bots_are_dropped_only_if_the_operator_wants_that() {
    let mut enricher = enricher(&Arc::default(), Privacy::default());
    assert!(enricher.is_bot("Googlebot/2.1"));
    assert!(!enricher.is_bot(CHROME));
    enricher.filter_bots = false;
    assert!(!enricher.is_bot("Googlebot/2.1"));
}

#[test]
fn an_enricher_shows_nothing_of_what_it_knows() {
    let shown = format!("{:?}", enricher(&Arc::default(), Privacy::default()));
    assert_eq!(shown, "Enricher { geoip_loaded: false, .. }");
}
