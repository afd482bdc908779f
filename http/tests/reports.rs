//! The ordered reports over the wire: their values from events that were posted, and every text of a wrong parameter.

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

use serde_json::{Value, json};
use support::{Server, Session};

const SITE: &str = "shop.example";

/// Three visitors: one buys, one reads and asks for prices, one only looks in.
fn visit(server: &Server) {
    for (agent, steps) in [
        ("A", &["pageview /", "pageview /pricing", "signup /pricing", "pageview /thanks"][..]),
        ("B", &["pageview /", "pageview /", "pageview /pricing", "pageview /"]),
        ("C", &["pageview /"]),
    ] {
        let agent = format!("Mozilla/5.0 ({agent})");
        for step in steps {
            let (name, path) = step.split_once(' ').unwrap();
            let event = json!({ "d": SITE, "n": name, "u": format!("https://{SITE}{path}") }).to_string();
            let headers = [("user-agent", agent.as_str()), ("content-type", "text/plain")];
            assert_eq!(server.connect().request("POST", "/api/event", &headers, &event).unwrap().status, 202);
        }
    }
}

fn ask(session: &Session<'_>, report: &str, query: &str) -> Value {
    session.json(&format!("/api/stats/{report}?site_id={SITE}&period=day&{query}"))
}

#[test]
fn ordered_reports_count_what_visitors_did_before_and_after_a_restart() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    visit(&server);
    check(&server.log_in());
    server.kill();
    let server = Server::with_password(data_dir.path(), &[("MALLARD_FLUSH_COUNT", "1")]);
    check(&server.log_in());
    server.logged("Flushed events to Parquet");
    check(&server.log_in());
}

fn check(session: &Session<'_>) {
    let funnel = ask(session, "funnel", "steps=page:/,page:/pricing,event:signup&window=2%20hours");
    let expected = json!([
        { "step": 1, "label": "page:/", "visitors": 3, "conversion_rate": 1.0, "overall_conversion_rate": 1.0 },
        { "step": 2, "label": "page:/pricing", "visitors": 2, "conversion_rate": 2.0 / 3.0, "overall_conversion_rate": 2.0 / 3.0 },
        { "step": 3, "label": "event:signup", "visitors": 1, "conversion_rate": 0.5, "overall_conversion_rate": 1.0 / 3.0 },
    ]);
    assert_eq!(funnel, expected);
    let one = ask(session, "funnel", "steps=event:nothing");
    let nobody = json!([{ "step": 1, "label": "event:nothing", "visitors": 0, "conversion_rate": 0.0, "overall_conversion_rate": 0.0 }]);
    assert_eq!(one, nobody);

    let sequence = ask(session, "sequences", "steps=page:/pricing,page:/");
    assert_eq!(sequence, json!({ "converting_visitors": 1, "total_visitors": 3, "conversion_rate": 1.0 / 3.0 }));

    let flow = ask(session, "flow", "page=/pricing");
    assert_eq!(flow, json!([{ "next_page": "/", "visitors": 1 }, { "next_page": "/thanks", "visitors": 1 }]));
    assert_eq!(ask(session, "flow", "page=/pricing&limit=1").as_array().unwrap().len(), 1);
    assert_eq!(ask(session, "flow", "page=/thanks"), json!([]));

    let sessions = ask(session, "sessions", "");
    assert_eq!((&sessions["total_sessions"], &sessions["avg_pages_per_session"]), (&json!(3), &json!(8.0 / 3.0)));
    assert!(sessions["avg_session_duration_secs"].is_f64(), "{sessions}");

    let retention = ask(session, "retention", "weeks=3");
    let week = &retention[0];
    assert_eq!(retention.as_array().unwrap().len(), 1);
    assert_eq!((&week["cohort_size"], &week["retained"]), (&json!(3), &json!([3, null, null])));
    assert_eq!((&week["retained_any"], &week["identity"]), (&json!([true, null, null]), &json!("daily_visitor")));

    let entry = ask(session, "breakdown/entry_pages", "");
    assert_eq!(entry, json!([{ "value": "/", "visitors": 3, "pageviews": 8 }]));
    let exit = ask(session, "breakdown/exit_pages", "");
    assert_eq!(exit[0], json!({ "value": "/", "visitors": 2, "pageviews": 5 }));
}

#[test]
fn a_wrong_parameter_is_refused_in_words_and_a_site_without_events_is_not() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let session = server.log_in();
    for (path, message) in [
        ("funnel?site_id=a", "Invalid step format: ''. Use 'page:/path' or 'event:name'."),
        ("funnel?site_id=a&steps=page:", "Invalid page path"),
        ("funnel?site_id=a&steps=event:", "Invalid event name"),
        (
            "funnel?site_id=a&steps=page:/&window=1%20fortnight",
            "Invalid window interval. Use e.g. '1 day', '2 hours', '30 minutes'.",
        ),
        ("sequences?site_id=a&steps=page:/", "At least 2 steps required for sequence analysis"),
        ("sequences?site_id=a", "At least 2 steps required for sequence analysis"),
        ("flow?site_id=a", "page must be between 1 and 256 characters"),
        ("flow?site_id=a&page=/&limit=1001", "limit must not exceed 1000"),
        ("retention?site_id=a&weeks=0", "weeks must be between 1 and 52"),
        ("retention?site_id=a&weeks=53", "weeks must be between 1 and 52"),
        ("sessions", "site_id must not be empty"),
    ] {
        let answer = session.get(&format!("/api/stats/{path}"));
        assert_eq!((answer.status, answer.error()), (400, message.into()), "{path}");
    }
    let get = |path: &str| session.json(&format!("/api/stats/{path}"));
    assert_eq!(get("flow?site_id=a&page=/"), json!([]));
    assert_eq!(get("sessions?site_id=a")["total_sessions"], 0);
    assert_eq!(get("sequences?site_id=a&steps=page:/,page:/")["total_visitors"], 0);
    let weeks = get("retention?site_id=a&period=day&weeks=52");
    assert_eq!((&weeks[0]["cohort_size"], weeks[0]["retained"].as_array().unwrap().len()), (&json!(0), 52));
    assert_eq!(server.get("/api/stats/funnel?site_id=a&steps=page:/").status, 401);
}
