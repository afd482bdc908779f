//! The pixel: a payload as a query.

use mallard_event::payload::PayloadErrorKind::Invalid;
use mallard_event::payload::{Payload, PayloadError, RawPayload, Trust};

fn pixel(parameters: &[(&str, &str)]) -> Result<Payload, PayloadError> {
    RawPayload::from_query(parameters.iter().copied())?.validate(Trust::Keyed)
}

#[test]
fn a_site_and_a_url_make_a_pageview() {
    let payload = pixel(&[("d", "a.com"), ("u", "https://a.com/x")]).unwrap();
    assert_eq!((payload.site.as_str(), payload.name.as_str()), ("a.com", "pageview"));
    assert_eq!(payload.url.pathname, "/x");
    assert_eq!((payload.screen_width, payload.id, payload.referrer), (None, None, None));
}

#[test]
fn a_name_a_referrer_a_width_and_an_id_may_follow() {
    let payload =
        pixel(&[("d", "a.com"), ("u", "/"), ("n", "open"), ("r", "https://b.com"), ("w", "320"), ("id", "one")])
            .unwrap();
    assert_eq!(payload.name.as_str(), "open");
    assert_eq!(payload.referrer.as_deref(), Some("https://b.com"));
    assert_eq!(payload.screen_width, Some(320));
    assert_eq!(payload.id.unwrap().as_str(), "one");
}

#[test]
fn other_parameters_are_ignored_trusted_ones_included() {
    let payload =
        pixel(&[("d", "a"), ("u", "/"), ("p", "{"), ("ra", "x"), ("ip", "x"), ("timestamp", "x"), ("domain", "b")])
            .unwrap();
    assert_eq!(payload.site.as_str(), "a");
    assert_eq!((payload.ip, payload.timestamp, payload.revenue_amount), (None, None, None));
}

#[test]
fn an_empty_parameter_is_absent_and_the_last_of_two_wins() {
    let payload = pixel(&[("d", "a"), ("u", "/"), ("n", ""), ("r", ""), ("w", ""), ("id", "")]).unwrap();
    assert_eq!((payload.name.as_str(), payload.id), ("pageview", None));
    assert_eq!(pixel(&[("d", "a"), ("u", "/"), ("d", "b")]).unwrap().site.as_str(), "b");
}

#[test]
fn whatever_is_wrong_is_invalid_and_named() {
    for (parameters, message) in [
        (&[("u", "/")][..], "d (domain) is missing"),
        (&[("d", "a")], "u (url) is missing"),
        (&[("d", "a"), ("u", "")], "u (url) is missing"),
        (&[("d", "a b"), ("u", "/")], "d (domain) must be 1 to 256 of A-Z a-z 0-9 . _ : -"),
        (&[("d", "a"), ("u", "data:x")], "u (url) must be the address of a page, not data:, javascript: or blob:"),
        (&[("d", "a"), ("u", "/"), ("w", "wide")], "w (screen_width) must be a whole number of 0 to 4294967295"),
        (&[("d", "a"), ("u", "/"), ("id", "a b")], "id must be 1 to 64 visible ASCII characters"),
    ] {
        let error = pixel(parameters).unwrap_err();
        assert_eq!((error.kind, error.message.as_str()), (Invalid, message));
    }
}
