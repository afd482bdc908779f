//! Fields that only a sender with a key may set, and what is never printed.

use mallard_event::payload::PayloadErrorKind::{self, Invalid, WrongType};
use mallard_event::payload::{Payload, PayloadError, RawPayload, Trust};

use crate::{accepted_with, body_with, parse};

fn keyed(fields: &str) -> Result<Payload, PayloadError> {
    parse(&body_with(fields), Trust::Keyed)
}

fn assert_refused_keyed(fields: &str, kind: PayloadErrorKind, message: &str) {
    let error = keyed(fields).expect_err(fields);
    assert_eq!((error.kind, error.message.as_str()), (kind, message), "{fields}");
}

#[test]
fn without_a_key_trusted_fields_are_ignored_even_if_ill_formed() {
    for fields in [
        r#""timestamp":"2024-01-31T00:00:00Z","ip":"192.0.2.1","user_agent":"x","user_id":"y""#,
        r#""timestamp":true,"ip":[],"user_agent":5,"user_id":{}"#,
        r#""timestamp":"soon","ip":"unknown","user_id":"""#,
    ] {
        let payload = accepted_with(fields);
        assert_eq!((payload.timestamp, payload.ip, payload.user_agent, payload.user_id), (None, None, None, None));
    }
}

#[test]
fn a_timestamp_is_rfc_3339_or_whole_milliseconds() {
    for (sent, micros) in [
        (r#""2024-01-31T23:59:59Z""#, 1_706_745_599_000_000),
        (r#""2024-02-01T01:59:59.25+02:00""#, 1_706_745_599_250_000),
        ("1706745599123", 1_706_745_599_123_000),
        ("0", 0),
        ("-1", -1_000),
    ] {
        let timestamp = keyed(&format!(r#""timestamp":{sent}"#)).unwrap().timestamp.unwrap();
        assert_eq!(timestamp.micros(), micros, "{sent}");
    }
    for sent in [r#""""#, r#""now""#, r#""2024-01-31""#, r#""2024-01-31T23:59:59""#] {
        let rule = "timestamp must be an RFC 3339 time such as 2024-01-31T23:59:59Z";
        assert_refused_keyed(&format!(r#""timestamp":{sent}"#), Invalid, rule);
    }
    for sent in ["9223372036854775807", "99999999999999999999999", "-99999999999999999999999"] {
        assert_refused_keyed(
            &format!(r#""timestamp":{sent}"#),
            Invalid,
            "timestamp must be within the years 1 to 9999",
        );
    }
    for sent in ["1706745599.5", "1e12", "true", "[]"] {
        let rule = "timestamp must be an RFC 3339 string or whole milliseconds since 1970";
        assert_refused_keyed(&format!(r#""timestamp":{sent}"#), WrongType, rule);
    }
}

#[test]
fn an_ip_is_an_address_in_canonical_form() {
    for (sent, canonical) in
        [("192.0.2.1", "192.0.2.1"), ("2001:DB8:0::1", "2001:db8::1"), ("::ffff:192.0.2.1", "192.0.2.1")]
    {
        assert_eq!(keyed(&format!(r#""ip":"{sent}""#)).unwrap().ip.unwrap().to_string(), canonical);
    }
    for sent in ["", "unknown", "192.0.2.1:80", "[::1]", "192.0.2", "example.com", " 192.0.2.1"] {
        let rule = "ip must be an IPv4 or IPv6 address without port";
        assert_refused_keyed(&format!(r#""ip":"{sent}""#), Invalid, rule);
    }
    assert_refused_keyed(r#""ip":1"#, WrongType, "ip must be a string");
}

#[test]
fn a_user_agent_has_at_most_1024_bytes_and_a_user_id_1_to_256() {
    let longest = "x".repeat(1024);
    let payload = keyed(&format!(r#""user_agent":"{longest}","user_id":"{}""#, "y".repeat(256))).unwrap();
    assert_eq!(payload.user_agent.as_deref(), Some(longest.as_str()));
    assert_eq!(payload.user_id.unwrap(), "y".repeat(256));
    assert_eq!(keyed(r#""user_agent":"""#).unwrap().user_agent.as_deref(), Some(""));

    assert_refused_keyed(&format!(r#""user_agent":"{longest}x""#), Invalid, "user_agent must be at most 1024 bytes");
    assert_refused_keyed(r#""user_agent":5"#, WrongType, "user_agent must be a string");
    for id in ["", &"y".repeat(257)] {
        assert_refused_keyed(&format!(r#""user_id":"{id}""#), Invalid, "user_id must be 1 to 256 bytes");
    }
    assert_refused_keyed(r#""user_id":5"#, WrongType, "user_id must be a string");
}

#[test]
fn nothing_of_the_visitor_is_printed() {
    let body = body_with(
        r#""ip":"192.0.2.77","user_agent":"Secret/1.0","user_id":"alice","r":"https://b.com/?token","p":{"k":"private"}"#,
    );
    let raw = RawPayload::parse(body.as_bytes()).unwrap();
    assert_eq!(format!("{raw:?}"), "RawPayload { .. }");
    let payload = raw.validate(Trust::Keyed).unwrap();
    assert!(payload.ip.is_some() && payload.user_agent.is_some() && payload.user_id.is_some());
    let printed = format!("{payload:?}");
    assert_eq!(printed, r#"Payload { site: SiteId("example.com"), name: EventName("pageview"), .. }"#);
}

#[test]
fn an_error_never_repeats_what_was_sent() {
    for fields in [
        r#""ip":"MARKER""#,
        r#""timestamp":"MARKER""#,
        r#""id":"MARKER MARKER""#,
        r#""ra":"MARKER""#,
        r#""w":"MARKER""#,
    ] {
        let error = keyed(fields).expect_err(fields);
        assert!(!format!("{error:?}").contains("MARKER"), "{error:?}");
    }
}
