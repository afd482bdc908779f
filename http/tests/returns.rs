//! Reports over what happened some time ago: where realtime ends, who came back, what an export is filtered by, goals as steps.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a test fails by panicking, prints its counts, and is no interface"
)]

mod support;

use serde_json::{Value, json};
use support::Server;

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

#[test]
fn realtime_ends_where_it_says() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let session = server.log_in();
    let key = session.create_key(&json!({ "name": "importer", "scope": "Ingest" }));
    let now = jiff::Timestamp::now();
    // The server's clock goes on meanwhile, so none is closer to the end that it moves to.
    let view = |seconds_ago: i64| {
        let at = now - jiff::SignedDuration::from_secs(seconds_ago);
        json!({ "d": SITE, "n": "pageview", "u": "/", "ip": "192.0.2.1", "user_agent": format!("V{seconds_ago}"), "timestamp": at.to_string() })
    };
    server.post_batch(&key, &[4 * 60 + 20, 5 * 60 + 1, 28 * 60, 31 * 60].into_iter().map(view).collect());
    let realtime = session.json(&format!("/api/stats/realtime?site_id={SITE}"));
    assert_eq!((&realtime["visitors"], &realtime["pageviews"], &realtime["visits"]), (&json!(1), &json!(1), &json!(1)));
    let minutes = realtime["minutes"].as_array().unwrap();
    let visitors: u64 = minutes.iter().map(|minute| minute["visitors"].as_u64().unwrap()).sum();
    assert_eq!((minutes.len(), visitors), (30, 3), "half an hour ends before the oldest");
    assert_eq!(session.json(&format!("/api/v1/stats/realtime/visitors?site_id={SITE}")), json!(1));
}

#[test]
fn users_who_are_identified_come_back_in_the_weeks_in_which_they_do() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let session = server.log_in();
    let key = session.create_key(&json!({ "name": "importer", "scope": "Ingest" }));
    let view = |(day, user): (&str, &str)| json!({ "d": SITE, "n": "pageview", "u": "/", "user_id": user, "ip": "192.0.2.1", "user_agent": user, "timestamp": format!("{day}T12:00:00Z") });
    server.post_batch(&key, &json!([view(("2024-02-28", "nobody"))]));
    assert_eq!(session.send("PUT", &format!("/api/sites/{SITE}"), &json!({ "identify_users": true })).status, 200);
    let seen = [
        ("2024-01-01", "ann"),
        ("2024-01-09", "ann"),
        ("2024-01-22", "ann"),
        ("2024-01-03", "bob"),
        ("2024-01-07", "bob"),
        ("2024-01-15", "cy"),
        ("2024-01-29", "cy"),
        ("2024-12-31", "cy"),
        ("2023-12-30", "dan"),
        ("2024-01-02", "dan"),
    ];
    server.post_batch(&key, &seen.into_iter().map(view).collect());
    let ask = |query: &str| {
        session.get(&format!("/api/stats/retention?site_id={SITE}&start_date=2024-01-01&end_date=2024-01-21&{query}"))
    };
    let cohorts: Value = serde_json::from_slice(&ask("weeks=4").body).unwrap();
    let cohort = |date: &str, retained: [u64; 4]| {
        let any = retained.map(|users| users > 0);
        json!({ "cohort_date": date, "cohort_size": retained[0], "retained": retained, "retained_any": any, "identity": "user" })
    };
    let expected =
        [cohort("2024-01-01", [2, 1, 0, 1]), cohort("2024-01-08", [0; 4]), cohort("2024-01-15", [1, 0, 1, 0])];
    assert_eq!(cohorts, json!(expected), "dan was there before");
    let year: Value = serde_json::from_slice(&ask("weeks=52").body).unwrap();
    assert_eq!((&year[2]["retained"][50], &year[2]["retained"][51]), (&json!(1), &json!(0)), "fifty weeks later");
    let refused = ask("as_of=1");
    let message =
        "as_of: retention follows the weeks that have begun by now, and cannot be given as it stood. Remove as_of.";
    assert_eq!((refused.status, refused.error().as_str()), (400, message));
}

#[test]
fn an_export_of_events_is_filtered_by_what_each_event_has() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    visit(&server);
    server.post_event(&json!({ "d": SITE, "n": "buy", "u": "/", "p": { "plan": "pro" } }));
    let session = server.log_in();
    let get = |filters: &str| {
        let filters: String = url::form_urlencoded::byte_serialize(filters.as_bytes()).collect();
        session.get(&format!("/api/stats/export?site_id={SITE}&period=7d&kind=events&format=json&filters={filters}"))
    };
    let names = |filters: &str| -> Vec<Value> {
        let text = get(filters).text();
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["event_name"].clone()).collect()
    };
    assert_eq!(names(r#"[["is","event:props:plan",["pro"]]]"#), ["buy"]);
    assert_eq!(names(r#"[["is","event:name",["buy"]]]"#), ["buy"]);
    assert_eq!(names(r#"[["not",["is","event:name",["pageview"]]]]"#).iter().filter(|name| **name == "buy").count(), 1);
    for (filter, name) in [
        (r#"[["is","visit:source",["Google"]]]"#, "visit:source"),
        (r#"[["has_done",["is","event:page",["/"]]]]"#, "has_done"),
        (r#"[["is","entry_pages",["/"]]]"#, "entry_pages"),
    ] {
        let refused = get(filter);
        let start = format!("filters: {name} is about whole visits");
        assert_eq!(refused.status, 400, "{filter}");
        assert!(refused.error().starts_with(&start), "{}", refused.error());
    }
}

#[test]
fn a_goal_is_a_step_of_sequences_and_the_start_of_journeys_and_no_lines_are_no_lines() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let session = server.log_in();
    let key = session.create_key(&json!({ "name": "importer", "scope": "Ingest" }));
    let view = |(visitor, minute, path): (&str, u32, &str)| json!({ "d": SITE, "n": "pageview", "u": path, "ip": "192.0.2.1", "user_agent": visitor, "timestamp": format!("2024-01-02T12:{minute:02}:00Z") });
    let seen =
        [("A", 0, "/"), ("A", 1, "/docs/a"), ("A", 2, "/end"), ("B", 0, "/docs/b"), ("B", 1, "/"), ("C", 0, "/")];
    server.post_batch(&key, &seen.into_iter().map(view).collect());
    assert_eq!(session.send("POST", &format!("/api/sites/{SITE}/goals"), &json!({ "page": "/docs/*" })).status, 201);
    let ask = |report: &str, query: &str| {
        session.json(&format!("/api/stats/{report}?site_id={SITE}&start_date=2024-01-02&end_date=2024-01-02&{query}"))
    };
    let sequence = ask("sequences", "steps=page:/,goal:1");
    assert_eq!((&sequence["converting_visitors"], &sequence["total_visitors"]), (&json!(1), &json!(3)));
    let journeys = ask("journeys", "from=goal:1&depth=1");
    let paths = json!([{ "pages": ["/"], "visits": 1 }, { "pages": ["/end"], "visits": 1 }]);
    assert_eq!((&journeys["visits"], &journeys["paths"]), (&json!(2), &paths));
    for (report, query) in
        [("breakdown/pages", ""), ("breakdown/events", ""), ("flow", "page=/&"), ("goals/1/pages", "")]
    {
        assert_eq!(ask(report, &format!("{query}limit=0")), json!([]), "{report}");
    }
}
