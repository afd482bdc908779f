//! Every report over HTTP beside the same report of the day before: both, and the change of every figure. The events are
//! those of two days, so that no change is one from nothing.

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

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::{Server, Session};

const SITE: &str = "shop.example";
const BEFORE: &str = "2024-03-01";
const NOW: &str = "2024-03-02";

/// Events of one visitor, a minute apart from ten o'clock: a path, or what was paid at one.
fn events(day: &str, visitor: &str, steps: &[&str]) -> Vec<Value> {
    let event = |(minute, step): (usize, &&str)| {
        let (path, paid) = step.split_once(' ').map_or((*step, None), |(path, paid)| (path, Some(paid)));
        let mut event = json!({
            "d": SITE, "n": "pageview", "u": format!("https://{SITE}{path}"), "ip": "192.0.2.1", "user_agent": visitor,
            "timestamp": format!("{day}T10:{minute:02}:00Z"),
        });
        if let Some([amount, currency, plan]) = paid.map(|paid| paid.split(' ').collect::<Vec<_>>()).as_deref() {
            event["n"] = json!("buy");
            event["revenue"] = json!({ "amount": amount, "currency": currency });
            event["p"] = json!({ "plan": plan });
        }
        event
    };
    steps.iter().enumerate().map(event).collect()
}

fn history(server: &Server, session: &Session<'_>) {
    let key = session.create_key(&json!({ "name": "importer", "scope": "Ingest" }));
    let all = [
        events(BEFORE, "A", &["/", "/pricing", "/thanks 2.00 EUR pro"]),
        events(BEFORE, "B", &["/old"]),
        events(NOW, "A", &["/", "/pricing", "/pricing 3.00 EUR pro", "/"]),
        events(NOW, "B", &["/", "/pricing", "/pricing 5.00 USD free"]),
        events(NOW, "C", &["/"]),
    ];
    server.post_batch(&key, &json!(all.concat()));
    let goal = session.send("POST", &format!("/api/sites/{SITE}/goals"), &json!({ "event": "buy" }));
    assert_eq!(goal.status, 201, "{}", goal.text());
}

fn path(report: &str, query: &str) -> String {
    format!("/api/stats/{report}?site_id={SITE}&start_date={NOW}&end_date={NOW}&{query}")
}

/// The comparison and the change; the current answer is the one without a comparison.
fn compared(session: &Session<'_>, report: &str, query: &str) -> (Value, Value) {
    let both = session.json(&path(report, &format!("{query}&compare=previous_period")));
    assert_eq!(both["current"], session.json(&path(report, query)), "{report}");
    assert_eq!(both["comparison_range"], json!({ "start_date": BEFORE, "end_date": BEFORE }));
    (both["comparison"].clone(), both["change"].clone())
}

#[test]
fn every_report_has_its_change() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let session = server.log_in();
    history(&server, &session);
    let change = |report: &str, query: &str| compared(&session, report, query).1;

    let main = change("main", "");
    assert_eq!((&main["unique_visitors"], &main["total_pageviews"]), (&json!(0.5), &json!(1.0)));
    assert_eq!((&main["visits"], &main["events"]), (&json!(0.5), &json!(1.0)));
    assert_eq!(change("timeseries", "")[10]["visitors"], 0.5);
    assert_eq!(change("sessions", "")["total_sessions"], 0.5);
    let sequences = change("sequences", "steps=page:/,event:buy");
    assert_eq!((&sequences["converting_visitors"], &sequences["total_visitors"]), (&json!(1.0), &json!(0.5)));
    let retention = &change("retention", "weeks=1")[0];
    assert_eq!((&retention["cohort_size"], &retention["retained"]), (&json!(0.5), &json!([0.5])));

    let (comparison, change) = compared(&session, "funnel", "steps=page:/,page:/pricing,page:/pricing");
    let reached = |lines: &Value| (0..3).map(|step| lines[step]["visitors"].clone()).collect::<Vec<_>>();
    assert_eq!(reached(&comparison), [1, 1, 0], "a step that occurs twice is compared with its own");
    assert_eq!(reached(&change), [json!(2.0), json!(1.0), Value::Null]);
}

#[test]
fn lines_are_compared_with_the_lines_of_their_value_and_money_with_its_currency() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let session = server.log_in();
    history(&server, &session);
    let revenue = json!([{ "currency": "EUR", "amount": 0.5 }, { "currency": "USD", "amount": null }]);

    let (comparison, change) = compared(&session, "breakdown/pages", "limit=1");
    assert_eq!(comparison, json!([{ "value": "/", "visitors": 1, "pageviews": 1 }]), "and no line more");
    assert_eq!(change, json!([{ "value": "/", "visitors": 2.0, "pageviews": 3.0 }]));
    let (comparison, change) = compared(&session, "breakdown/events", "");
    assert_eq!(comparison[0]["revenue"], json!([{ "currency": "EUR", "amount": "2.0000" }]));
    let line = json!({ "value": "buy", "visitors": 1.0, "pageviews": 0.0, "events": 1.0, "revenue": revenue });
    assert_eq!(change, json!([line]));
    let (comparison, change) = compared(&session, "breakdown/props", "key=plan");
    assert_eq!((&comparison[0]["value"], &comparison[0]["visitors"]), (&json!("free"), &json!(0)));
    assert_eq!((&change[0]["visitors"], &change[1]["visitors"]), (&Value::Null, &json!(0.0)));
    assert_eq!(change[1]["revenue"], json!([{ "currency": "EUR", "amount": 0.5 }]));
    let (_, change) = compared(&session, "flow", "page=/");
    assert_eq!(change, json!([{ "next_page": "/pricing", "visitors": 1.0 }]));

    let (comparison, change) = compared(&session, "journeys", "from=page:/&depth=1&limit=1");
    assert_eq!(comparison["paths"], json!([{ "pages": ["/pricing"], "visits": 1 }]));
    let expected = json!({
        "visits": 2.0,
        "steps": [{
            "step": 1, "reached": 1.0, "dropped": null, "pages": [{ "page": "/pricing", "visits": 1.0 }], "other": 0.0,
        }],
        "paths": [{ "pages": ["/pricing"], "visits": 1.0 }],
        "other": null,
    });
    assert_eq!(change, expected);

    let (_, change) = compared(&session, "goals", "");
    let goal = &change[0];
    assert_eq!((&goal["id"], &goal["name"], &goal["conversions"]), (&json!(1), &json!("buy"), &json!(1.0)));
    assert_eq!(goal["revenue"], revenue);
    assert!((goal["conversion_rate"].as_f64().unwrap() - 1.0 / 3.0).abs() < 1e-12, "two thirds after a half");
    let (comparison, change) = compared(&session, "goals/1/pages", "");
    assert_eq!((&comparison[0]["value"], &comparison[0]["conversions"]), (&json!("/pricing"), &json!(0)));
    assert_eq!((&change[0]["visitors"], &change[0]["conversions"]), (&json!(1.0), &Value::Null));
}

#[test]
fn a_range_of_its_own_and_one_of_the_same_weekdays_have_their_figures() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let session = server.log_in();
    history(&server, &session);
    let main = |range: &str| session.json(&format!("/api/stats/main?site_id={SITE}&{range}"));
    let custom = main(
        "start_date=2024-03-02&end_date=2024-03-02&compare=custom&compare_start_date=2024-02-01&compare_end_date=2024-03-02",
    );
    assert_eq!(custom["comparison_range"], json!({ "start_date": "2024-02-01", "end_date": "2024-03-02" }));
    assert_eq!(
        (&custom["current"]["unique_visitors"], &custom["comparison"]["unique_visitors"]),
        (&json!(3), &json!(5))
    );
    assert_eq!(custom["change"]["unique_visitors"], json!(-0.4));
    // A Friday; the first of March was one, too. The day before, and seven days before.
    let friday = "start_date=2024-03-08&end_date=2024-03-08&compare=previous_period";
    assert_eq!(main(friday)["comparison"]["unique_visitors"], 0);
    let matched = main(&format!("{friday}&match_day_of_week=true"));
    assert_eq!(matched["comparison_range"], json!({ "start_date": BEFORE, "end_date": BEFORE }));
    assert_eq!(
        (&matched["comparison"]["unique_visitors"], &matched["change"]["unique_visitors"]),
        (&json!(2), &json!(-1.0))
    );
}

#[test]
fn hours_of_a_day_with_a_clock_change_are_compared_with_the_same_hours() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let session = server.log_in();
    let key = session.create_key(&json!({ "name": "importer", "scope": "Ingest" }));
    let view = |visitor: u32, at: &str| {
        json!({
            "d": SITE, "n": "pageview", "u": "/", "ip": "192.0.2.1", "user_agent": format!("V{visitor}"), "timestamp": at,
        })
    };
    let times = [
        "2024-03-30T09:30:00Z",
        "2024-03-31T08:30:00Z",
        "2024-03-31T08:40:00Z", // ten o'clock, before and in summer
        "2024-10-26T00:30:00Z",
        "2024-10-27T00:30:00Z",
        "2024-10-27T01:30:00Z", // two o'clock, three times
        "2024-10-26T08:30:00Z",
        "2024-10-27T09:30:00Z",
        "2024-10-27T09:40:00Z", // ten o'clock, before and in winter
    ];
    server.post_batch(&key, &(0..).zip(times).map(|(visitor, at)| view(visitor, at)).collect());
    let changes = |day: &str, time: &str| {
        let range = format!("start_date={day}&end_date={day}&timezone=Europe/Berlin&compare=previous_period");
        let both = session.json(&format!("/api/stats/timeseries?site_id={SITE}&{range}"));
        let lines = both["change"].as_array().unwrap().clone();
        let is_asked = |line: &&Value| line["date"] == format!("{day} {time}");
        lines.iter().filter(is_asked).map(|line| line["visitors"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(changes("2024-03-31", "10:00"), [1.0]);
    assert_eq!(changes("2024-03-31", "09:00"), [0.0]);
    assert_eq!(changes("2024-10-27", "10:00"), [1.0]);
    assert_eq!(changes("2024-10-27", "02:00"), [json!(0.0), Value::Null], "an hour that was there once before");
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let session = server.log_in();
    for (report, query, name) in
        [("realtime", "", "realtime"), ("export", "", "an export"), ("export", "kind=events&", "an export")]
    {
        let refused = session.get(&path(report, &format!("{query}compare=previous_period")));
        let message = format!("compare: {name} cannot be compared. Remove compare.");
        assert_eq!((refused.status, refused.error()), (400, message));
    }
}

/// The Parquet files of the site's day.
fn files(data_dir: &Path, day: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(data_dir.join(format!("events/site_id={SITE}/date={day}"))).unwrap();
    files.map(|file| file.unwrap().path()).collect()
}

#[test]
fn a_comparison_with_damaged_days_says_so() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[("MALLARD_FLUSH_COUNT", "1")]);
    history(&server, &server.log_in());
    server.logged("Flushed events to Parquet");
    server.kill();
    for file in files(data_dir.path(), BEFORE) {
        fs::write(file, "nothing").unwrap();
    }
    let server = Server::with_password(data_dir.path(), &[]);
    let session = server.log_in();
    let damaged = format!("{SITE} {BEFORE}..{BEFORE}");
    let days = "2024-03-03&end_date=2024-03-04";
    let main = format!("/api/stats/main?site_id={SITE}&start_date={days}&compare=previous_period");
    let custom = "period=custom&date=2024-03-03,2024-03-04&metrics=visitors,pageviews&compare=previous_period";
    for path in [main, format!("/api/v1/stats/aggregate?site_id={SITE}&{custom}")] {
        let answer = session.get(&path);
        assert_eq!((answer.status, answer.header("x-mallard-incomplete")), (200, Some(damaged.as_str())), "{path}");
    }
    let alone = session.get(&path("main", "compare=previous_period"));
    let text =
        format!("Nothing of the range can be read. Damaged: {damaged}. See degraded_reasons of /health/detailed.");
    assert_eq!((alone.status, alone.error()), (500, text));
    assert_eq!(alone.header("x-mallard-incomplete"), Some(damaged.as_str()));
}
