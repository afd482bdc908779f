//! What the privacy variables keep out of the store, one by one and together, against the real binary.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a test fails by panicking, prints its counts, and is no interface"
)]

mod support;

use std::path::Path;

use mallard_engine::{Config, Engine, env};
use mallard_event::{Event, SiteId, Stored};
use serde_json::json;
use support::Server;
use support::mmdb::{boulder, database};

const SITE: &str = "a.example";
const PHONE: &str =
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/120.0.6099.43 Mobile Safari/537.36";
const HOUR_US: i64 = 3_600 * 1_000_000;

/// What a server with these variables stores of two equal visits.
fn stored(variables: &[(&str, &str)]) -> [Stored; 2] {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::start(data_dir.path(), variables);
    let event = json!({ "d": SITE, "n": "pageview", "u": "https://a.example/", "w": 412,
                        "r": "https://search.example/find?q=secret-question#top" });
    for _ in 0..2 {
        let headers = [("user-agent", PHONE), ("x-forwarded-for", "203.0.113.5")];
        let answer = server.connect().request("POST", "/api/event", &headers, &event.to_string()).unwrap();
        assert_eq!(answer.status, 202, "{}", answer.text());
    }
    server.kill();
    rows(data_dir.path()).try_into().unwrap()
}

fn rows(data_dir: &Path) -> Vec<Stored> {
    let engine = Engine::open(Config::new(data_dir), env::real()).unwrap();
    let rows = engine.events(&SiteId::parse(SITE).unwrap()).unwrap();
    engine.close().unwrap();
    rows
}

/// The event that `variable` alone changes, and one without any variable.
fn with(variable: &str) -> (Event, Event) {
    let [plain, _] = stored(&[]);
    let [changed, _] = stored(&[(variable, "true")]);
    (plain.event, changed.event)
}

#[test]
fn places_are_those_of_the_operators_file_cut_by_precision_and_gdpr_mode() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("city.mmdb");
    std::fs::write(&file, database(&boulder())).unwrap();
    let file = file.to_str().unwrap();
    for (variables, country, region, city) in [
        (vec![], Some("US"), Some("Colorado"), Some("Boulder")),
        (vec![("MALLARD_GEOIP_PRECISION", "region")], Some("US"), Some("Colorado"), None),
        (vec![("MALLARD_GEOIP_PRECISION", "region"), ("MALLARD_GDPR_MODE", "true")], Some("US"), None, None),
        (vec![("MALLARD_GEOIP_PRECISION", "none")], None, None, None),
    ] {
        let [first, _] = stored(&[&variables[..], &[("MALLARD_GEOIP_DB", file)]].concat());
        let event = first.event;
        let place = (event.country_code.as_deref(), event.region.as_deref(), event.city.as_deref());
        assert_eq!(place, (country, region, city), "{variables:?}");
    }
    let [first, _] = stored(&[("MALLARD_GEOIP_DB", "/no/such/file.mmdb")]);
    assert_eq!(first.event.country_code, None, "without the file everything else works");
}

#[test]
fn without_any_of_them_detail_is_stored_and_one_person_is_one_visitor() {
    let [first, second] = stored(&[]);
    let event = first.event;
    assert_eq!(event.visitor, second.event.visitor);
    assert_eq!(event.referrer.as_deref(), Some("https://search.example/find?q=secret-question#top"));
    assert_eq!((event.browser.as_deref(), event.browser_version.as_deref()), (Some("Chrome"), Some("120.0.6099.43")));
    assert_eq!((event.os.as_deref(), event.os_version.as_deref()), (Some("Android"), Some("14")));
    assert_eq!((event.screen_size.as_deref(), event.device_type.as_deref()), (Some("412"), Some("mobile")));
    assert_eq!(event.time_rounded, Some(false));
}

#[test]
fn referrers_lose_their_query_and_fragment() {
    let (plain, changed) = with("MALLARD_STRIP_REFERRER_QUERY");
    assert_eq!(changed.referrer.as_deref(), Some("https://search.example/find"));
    assert_eq!((changed.referrer_source, changed.browser_version), (plain.referrer_source, plain.browser_version));
}

#[test]
fn times_are_those_of_the_hour_in_every_place() {
    let [first, second] = stored(&[("MALLARD_ROUND_TIMESTAMPS", "true")]);
    for row in [first, second] {
        assert_eq!(row.event.timestamp.micros() % HOUR_US, 0);
        assert_eq!(row.received_at.micros() % HOUR_US, 0);
        assert_eq!(row.event.time_rounded, Some(true));
        let id = row.event.event_id.as_str();
        assert_eq!(&id[14..15], "4", "{id}: a random id, which holds no time");
    }
}

#[test]
fn every_event_is_another_visitor() {
    let [first, second] = stored(&[("MALLARD_SUPPRESS_VISITOR_ID", "true")]);
    assert_ne!(first.event.visitor, second.event.visitor);
    assert_eq!(first.event.visitor.as_str().len(), 36, "a UUID of no meaning");
}

#[test]
fn versions_of_browsers_are_not_stored() {
    let (plain, changed) = with("MALLARD_SUPPRESS_BROWSER_VERSION");
    assert_eq!((changed.browser, changed.browser_version), (plain.browser, None));
    assert_eq!(changed.os_version, plain.os_version);
}

#[test]
fn versions_of_systems_are_not_stored() {
    let (plain, changed) = with("MALLARD_SUPPRESS_OS_VERSION");
    assert_eq!((changed.os, changed.os_version), (plain.os, None));
    assert_eq!(changed.browser_version, plain.browser_version);
}

#[test]
fn screens_and_devices_are_not_stored() {
    let (plain, changed) = with("MALLARD_SUPPRESS_SCREEN_SIZE");
    assert_eq!((changed.screen_size, changed.device_type), (None, None));
    assert_eq!(changed.browser, plain.browser);
}

#[test]
fn gdpr_mode_is_all_of_them_but_keeps_visitors_and_cannot_be_undone_by_a_flag() {
    let flags = ["MALLARD_STRIP_REFERRER_QUERY", "MALLARD_ROUND_TIMESTAMPS", "MALLARD_SUPPRESS_SCREEN_SIZE"];
    let mut variables = vec![("MALLARD_GDPR_MODE", "true")];
    variables.extend(flags.map(|name| (name, "false")));
    let [first, second] = stored(&variables);
    let event = &first.event;
    assert_eq!(event.referrer.as_deref(), Some("https://search.example/find"));
    assert_eq!((event.timestamp.micros() % HOUR_US, event.time_rounded), (0, Some(true)));
    assert_eq!((&event.browser_version, &event.os_version), (&None, &None));
    assert_eq!((&event.screen_size, &event.device_type), (&None, &None));
    assert_eq!((event.browser.as_deref(), event.os.as_deref()), (Some("Chrome"), Some("Android")));
    assert_eq!(first.event.visitor, second.event.visitor);
}

#[test]
fn no_log_line_and_no_file_holds_the_address_or_the_user_agent() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[("RUST_LOG", "trace"), ("MALLARD_FLUSH_COUNT", "1")]);
    let event = json!({ "d": SITE, "n": "pageview", "u": "https://a.example/?q=query-marker" });
    let headers = [("user-agent", "Mozilla/5.0 AgentMarker/1.0"), ("x-forwarded-for", "203.0.113.77")];
    assert_eq!(server.connect().request("POST", "/api/event", &headers, &event.to_string()).unwrap().status, 202);
    let mut lines = Vec::new();
    loop {
        let line = server.next_line();
        let is_last = line["fields"]["message"] == "Flushed events to Parquet";
        lines.push(line.to_string());
        if is_last {
            break;
        }
    }
    server.kill();
    let markers = ["203.0.113.77", "AgentMarker", "query-marker"];
    for marker in markers {
        assert!(lines.iter().all(|line| !line.contains(marker)), "{marker} in the log");
    }
    for marker in markers {
        assert_eq!(support::volume::holders(data_dir.path(), marker), Vec::<String>::new(), "{marker}");
    }
    // The search looks into what is compressed: there the event is by now.
    let holders = support::volume::holders(data_dir.path(), "a.example");
    assert!(holders.iter().any(|path| path.ends_with(".parquet")), "{holders:?}");
}

#[test]
fn no_log_line_holds_what_a_refused_request_carried() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[("RUST_LOG", "trace")]);
    let session = server.log_in();
    let json = ("content-type", "application/json");
    let key = session.create_key(&json!({ "name": "first", "scope": "ReadOnly" }));
    let send = |method: &str, path: &str, more: (&str, &str), body: &str| {
        let headers = [
            more,
            json,
            ("user-agent", "Mozilla/5.0 agent-marker/1.0"),
            ("x-forwarded-for", "203.0.113.77"),
            ("origin", "http://localhost"),
        ];
        server.connect().request(method, path, &headers, body).unwrap().status
    };
    let (none, cookie) = (("x-none", "1"), ("cookie", session.cookie()));
    let erase = "/api/gdpr/erase?site_id=a.example&start_date=2026-01-01";
    let wide = format!("u={}", "query-marker".repeat(200));
    for (method, path, header, body, status) in [
        ("POST", "/api/event", none, r#"{"d":"a.example","n":"body-marker""#, 400),
        ("POST", "/api/event", none, r#"{"d":"a.example","n":"pageview","u":"javascript:body-marker"}"#, 400),
        ("POST", "/api/event", none, r#"{"d":"a.example","u":"https://a.example/?q=body-marker"}"#, 422),
        ("POST", "/api/event", none, r#"{"d":"a.example","n":"x","u":"/","ra":"body-marker"}"#, 422),
        ("POST", "/api/event", none, r#"{"d":"body/marker","n":"body-marker","u":"/"}"#, 400),
        ("GET", "/api/event?d=a.example&u=javascript:query-marker", none, "", 400),
        ("GET", &format!("/api/event?d=a.example&{wide}"), none, "", 400),
        ("POST", "/api/events", ("x-api-key", "mm_key-marker"), r#"[{"n":"body-marker"}]"#, 401),
        ("POST", "/api/events", ("x-api-key", key.as_str()), r#"[{"n":"body-marker"}]"#, 403),
        ("POST", "/api/auth/login", none, r#"{"password":"password-marker"}"#, 401),
        ("POST", "/api/auth/login", none, r#"{"password":"password-marker""#, 400),
        ("POST", "/api/auth/setup", none, r#"{"password":"password-marker","setup_token":"token-marker"}"#, 409),
        ("GET", "/api/stats/main?site_id=a.example&period=query-marker", cookie, "", 400),
        ("GET", "/api/stats/breakdown/pages?site_id=a.example&filters=query-marker", cookie, "", 400),
        ("GET", "/api/stats/main?site_id=a.example", ("authorization", "Bearer mm_key-marker"), "", 401),
        ("GET", "/api/stats/main?site_id=a.example", ("cookie", "mm_session=token-marker"), "", 401),
        ("DELETE", &format!("{erase}&end_date=2026-01-02&user_id=user-marker"), cookie, "", 200),
        ("DELETE", &format!("{erase}&end_date=2026-1-2&user_id=user-marker"), cookie, "", 400),
        ("DELETE", &format!("{erase}&end_date=2026-01-02&visitor_id=visitor-marker"), cookie, "", 200),
    ] {
        assert_eq!(send(method, path, header, body), status, "{method} {path} {body}");
    }
    session.create_key(&json!({ "name": "last", "scope": "ReadOnly" }));
    let mut lines = Vec::new();
    loop {
        let line = server.next_line();
        lines.push(line.to_string());
        if line["fields"]["name"] == "last" {
            break;
        }
    }
    assert!(lines.len() > 20, "a line for each request, at least");
    let markers = ["body-marker", "query-marker", "key-marker", "password-marker", "token-marker", "user-marker"];
    let more = ["visitor-marker", "agent-marker", "203.0.113.", "correct horse", &key, &key[3..20], session.cookie()];
    for marker in markers.into_iter().chain(more) {
        let found: Vec<_> = lines.iter().filter(|line| line.contains(marker)).collect();
        assert!(found.is_empty(), "{marker} in {found:?}");
    }
}

#[test]
fn the_effective_configuration_is_one_line_without_any_secret() {
    let data_dir = tempfile::tempdir().unwrap();
    let secrets = [
        ("MALLARD_SECRET", "a secret-marker of some length"),
        ("MALLARD_ADMIN_PASSWORD", "password-marker"),
        ("MALLARD_METRICS_TOKEN", "token-marker"),
    ];
    let set = [("MALLARD_GDPR_MODE", "yes"), ("MALLARD_RETENTION_DAYS", "90")];
    let server = Server::start(data_dir.path(), &[&secrets[..], &set].concat());
    let lines: Vec<_> =
        server.start_lines().iter().filter(|line| line["fields"]["message"] == "Configuration").collect();
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!(line["level"], "INFO");
    let effective = line["fields"]["effective"].as_str().unwrap();
    for shown in [
        "MALLARD_RETENTION_DAYS=\"90\"",
        "MALLARD_ROUND_TIMESTAMPS=\"true\"",
        "MALLARD_FLUSH_COUNT=\"50000\"",
        "MALLARD_SECRET=(hidden)",
        "MALLARD_GEOIP_DB=(unset)",
    ] {
        assert!(effective.split(' ').any(|found| found == shown), "{shown}: {effective}");
    }
    let all: String = server.start_lines().iter().map(serde_json::Value::to_string).collect();
    assert!(!all.contains("-marker"), "{all}");
}
