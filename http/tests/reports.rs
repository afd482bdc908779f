//! The ordered reports over the wire: their values from events that were posted, and every text of a wrong parameter.

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

    let journeys = ask(session, "journeys", "from=page:/&depth=2&limit=1");
    let expected = json!({
        "visits": 3,
        "steps": [
            { "step": 1, "reached": 2, "dropped": 1, "pages": [{ "page": "/pricing", "visits": 2 }], "other": 0 },
            { "step": 2, "reached": 2, "dropped": 0, "pages": [{ "page": "/", "visits": 1 }], "other": 1 },
        ],
        "paths": [{ "pages": [], "visits": 1 }],
        "other": 2,
    });
    assert_eq!(journeys, expected);
    let before = ask(session, "journeys", "from=event:signup&direction=before");
    assert_eq!(before["paths"], json!([{ "pages": ["/pricing", "/"], "visits": 1 }]));

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
        ("journeys?site_id=a", "Invalid step format: ''. Use 'page:/path' or 'event:name'."),
        ("journeys?site_id=a&from=page:/&depth=11", "depth must be between 1 and 10"),
        ("journeys?site_id=a&from=page:/&direction=up", "Invalid direction: 'up'. Use 'after' or 'before'."),
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

#[test]
fn custom_events_have_their_revenue_per_currency_and_properties_their_values() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let buy = |amount: &str, currency: &str, plan: &str| {
        let revenue = json!({ "amount": amount, "currency": currency });
        let event = json!({ "d": SITE, "n": "buy", "u": "/", "revenue": revenue, "p": { "plan": plan } });
        assert_eq!(server.post_event(&event).status, 202);
    };
    buy("0.1", "EUR", "pro");
    buy("0.2", "EUR", "pro");
    buy("9999999999.9999", "USD", "free, \"but\"");
    server.post_event(&json!({ "d": SITE, "n": "pageview", "u": "/", "p": { "plan": "pro" } }));
    let session = server.log_in();
    let revenue =
        json!([{ "currency": "EUR", "amount": "0.3000" }, { "currency": "USD", "amount": "9999999999.9999" }]);
    let events = ask(&session, "breakdown/events", "");
    assert_eq!(events, json!([{ "value": "buy", "visitors": 1, "pageviews": 0, "events": 3, "revenue": revenue }]));
    let plans = ask(&session, "breakdown/props", "key=plan");
    assert_eq!(plans[0]["value"], "pro");
    assert_eq!((&plans[0]["pageviews"], &plans[0]["events"]), (&json!(1), &json!(2)));
    assert_eq!(plans[0]["revenue"], json!([{ "currency": "EUR", "amount": "0.3000" }]));
    assert_eq!(ask(&session, "breakdown/props", "key=seats"), json!([]));
    let refused = session.get(&format!("/api/stats/breakdown/props?site_id={SITE}"));
    assert_eq!((refused.status, refused.error()), (400, "key must be between 1 and 300 characters".into()));
}

#[test]
fn realtime_has_five_minutes_in_figures_and_thirty_one_by_one() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    visit(&server);
    let session = server.log_in();
    let realtime = session.json(&format!("/api/stats/realtime?site_id={SITE}&timezone=Asia/Kolkata"));
    assert_eq!((&realtime["visitors"], &realtime["pageviews"], &realtime["events"]), (&json!(3), &json!(8), &json!(1)));
    let minutes = realtime["minutes"].as_array().unwrap();
    let pageviews = |minutes: &[Value]| minutes.iter().map(|minute| minute["pageviews"].as_u64().unwrap()).sum::<u64>();
    assert_eq!((minutes.len(), pageviews(minutes), pageviews(&minutes[28..])), (30, 8, 8));
    assert!(minutes.is_sorted_by_key(|minute| minute["start"].as_str().unwrap().to_owned()));
}

#[test]
fn an_export_has_a_line_a_day_or_every_event_with_every_column() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    visit(&server);
    let text = "a,\"b\"\nc";
    let event = json!({ "d": SITE, "n": "buy", "u": "/", "ra": "12.5", "rc": "eur", "p": { "text": text } });
    server.post_event(&event);
    let session = server.log_in();
    let get = |query: &str| session.get(&format!("/api/stats/export?site_id={SITE}&period=7d&{query}"));

    let daily = get("");
    assert_eq!(daily.header("content-disposition"), Some("attachment; filename=\"export.csv\""));
    assert_eq!(daily.header("content-type"), Some("text/csv; charset=utf-8"));
    let text = daily.text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines.len(), lines[0]), (8, "date,visitors,pageviews,top_page,top_source"));
    assert!(lines[1].ends_with(",0,0,\"(none)\",\"(direct)\""), "{}", lines[1]);
    assert!(lines[7].ends_with(",4,8,\"/\",\"(direct)\""), "{}", lines[7]);
    let days: Value = serde_json::from_slice(&get("format=json").body).unwrap();
    assert_eq!((days.as_array().unwrap().len(), &days[6]["pageviews"]), (7, &json!(8)));

    let events = get("kind=events&format=json");
    assert_eq!(events.header("content-type"), Some("application/x-ndjson"));
    assert_eq!(events.header("x-mallard-as-of"), Some("10"));
    let rows: Vec<Value> = events.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 10);
    assert_eq!(rows[0].as_object().unwrap().len(), 33);
    let last = &rows[9];
    assert_eq!(
        (&last["lsn"], &last["revenue_amount"], &last["revenue_currency"]),
        (&json!(10), &json!("12.5000"), &json!("EUR"))
    );
    assert_eq!((&last["referrer"], &last["schema_version"]), (&Value::Null, &json!(1)));
    let at = last["timestamp"].as_str().unwrap();
    assert!(at.len() == "2024-01-15T10:00:00.000000Z".len() && at.ends_with('Z'), "{at}");

    let visitor = last["visitor_id"].as_str().unwrap();
    assert_eq!(get(&format!("kind=events&format=json&visitor_id={visitor}")).text().lines().count(), 1);
    let csv = get("kind=events").text();
    assert!(csv.starts_with("site_id,visitor_id,timestamp,event_name,pathname,"), "{csv}");
    assert_eq!(csv.lines().count(), 11);
    assert!(csv.contains(r#""{""text"":""a,\""b\""\nc""}",12.5000,EUR,10,"#), "{csv}");

    for (query, message) in [
        ("format=xml", "Invalid format: 'xml'. Use 'csv' or 'json'."),
        ("kind=all", "Invalid kind: 'all'. Use 'daily' or 'events'."),
    ] {
        assert_eq!((get(query).status, get(query).error()), (400, message.into()));
    }
}

#[test]
fn goals_outlive_a_restart_and_count_conversions_by_dimension() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    visit(&server);
    let session = server.log_in();
    let goals = format!("/api/sites/{SITE}/goals");
    let wishes = [
        json!({ "event": "signup" }),
        json!({ "name": "Prices", "page": "/pri*" }),
        json!({ "name": "Mistake", "page": "/" }),
    ];
    for (id, wish) in (1..).zip(&wishes) {
        let made = session.send("POST", &goals, wish);
        let body: Value = serde_json::from_slice(&made.body).unwrap();
        assert_eq!((made.status, &body["id"]), (201, &json!(id)), "{}", made.text());
    }
    let changed = session.send("PUT", &format!("{goals}/1"), &json!({ "name": "Sign-ups", "event": "signup" }));
    assert_eq!(changed.status, 200, "{}", changed.text());
    assert_eq!(session.send("DELETE", &format!("{goals}/3"), &json!({})).status, 200);
    assert_eq!(session.send("DELETE", &format!("{goals}/3"), &json!({})).status, 404);
    for (wish, message) in [
        (json!({}), "A goal has either a page or an event"),
        (json!({ "page": "/", "event": "x" }), "A goal has either a page or an event"),
        (json!({ "page": " " }), "page must be between 1 and 256 characters"),
    ] {
        let refused = session.send("POST", &goals, &wish);
        assert_eq!((refused.status, refused.error()), (400, message.into()));
    }
    assert_eq!(session.send("POST", "/api/sites/none.example/goals", &json!({ "page": "/" })).status, 404);
    let without_origin = session.post(&goals, None);
    assert_eq!(without_origin.status, 403, "a change from elsewhere");
    server.kill();

    let server = Server::with_password(data_dir.path(), &[]);
    let session = server.log_in();
    let kept =
        json!([{ "id": 1, "name": "Sign-ups", "event": "signup" }, { "id": 2, "name": "Prices", "page": "/pri*" }]);
    assert_eq!(session.json(&goals), kept);
    let report = ask(&session, "goals", "");
    let met = |id: u64, name: &str, count: u64| {
        let rate = count as f64 / 3.0;
        json!({ "id": id, "name": name, "conversions": count, "unique_conversions": count, "conversion_rate": rate, "revenue": [] })
    };
    assert_eq!(report, json!([met(1, "Sign-ups", 1), met(2, "Prices", 2)]));
    let entry = ask(&session, "goals/2/entry_pages", "");
    let line = json!([{ "value": "/", "visitors": 3, "conversions": 2, "unique_conversions": 2, "conversion_rate": 2.0 / 3.0, "revenue": [] }]);
    assert_eq!(entry, line);
    let names = ask(&session, "goals/2/events", "");
    let views = json!([{ "value": "pageview", "visitors": 3, "conversions": 2, "unique_conversions": 2, "conversion_rate": 2.0 / 3.0, "revenue": [] }]);
    assert_eq!(names, views);
    assert_eq!(ask(&session, "goals/1/props", "key=plan")[0]["value"], "(none)");
    let unknown = session.get(&format!("/api/stats/goals/3/pages?site_id={SITE}"));
    assert_eq!(unknown.status, 404);

    // As a filter, by its name: the events that meet it, their visitors, and with has_done all that these visits did.
    let encoded = |filters: &str| filters.replace('[', "%5B").replace(']', "%5D").replace('"', "%22");
    let main = |filters: &str| ask(&session, "main", &format!("filters={}", encoded(filters)));
    let prices = main(r#"[["is","event:goal",["Prices"]]]"#);
    let filters = encoded(r#"[["is","event:page",["/pricing"]]]"#);
    let entry = ask(&session, "goals/2/entry_pages", &format!("filters={filters}"));
    let line = json!([{ "value": "/", "visitors": 2, "conversions": 2, "unique_conversions": 2, "conversion_rate": 1.0, "revenue": [] }]);
    assert_eq!(entry, line, "where a filtered event came from is known of its whole visit");
    assert_eq!((&prices["unique_visitors"], &prices["total_pageviews"]), (&json!(2), &json!(2)));
    let signups = main(r#"[["is","event:goal",["Sign-ups"]]]"#);
    assert_eq!((&signups["unique_visitors"], &signups["total_pageviews"]), (&json!(1), &json!(0)));
    let others = main(r#"[["has_not_done",["contains","event:goal",["i"]]]]"#);
    assert_eq!(others["unique_visitors"], 1);
    let unknown = encoded(r#"[["is","event:goal",["Mistake"]]]"#);
    let unknown = session.get(&format!("/api/stats/main?site_id={SITE}&filters={unknown}"));
    assert_eq!((unknown.status, unknown.error()), (400, "filters[0][2]: there is no goal 'Mistake'".into()));
}

#[test]
fn a_funnel_of_goals_is_kept_and_reported_by_its_id_until_it_is_removed() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    visit(&server);
    let session = server.log_in();
    assert_eq!(
        session.send("POST", &format!("/api/sites/{SITE}/goals"), &json!({ "name": "Prices", "page": "/pri*" })).status,
        201
    );
    let funnels = format!("/api/sites/{SITE}/funnels");
    for (wish, message) in [
        (json!({ "name": " ", "steps": ["page:/"] }), "name must be between 1 and 256 characters"),
        (json!({ "name": "x", "steps": [] }), "steps: at least one is needed"),
        (json!({ "name": "x", "steps": ["goal:7"] }), "There is no goal '7'"),
        (json!({ "name": "x", "steps": ["/"] }), "Invalid step format: '/'. Use 'page:/path' or 'event:name'."),
    ] {
        let refused = session.send("POST", &funnels, &wish);
        assert_eq!((refused.status, refused.error()), (400, message.into()));
    }
    let wish = json!({ "name": "To prices", "steps": ["page:/", "goal:1", "event:signup"], "window": "2 hours" });
    assert_eq!(session.send("POST", &funnels, &wish).status, 201);
    assert_eq!(session.send("POST", "/api/sites/none.example/funnels", &wish).status, 404);
    server.kill();

    let server = Server::with_password(data_dir.path(), &[]);
    let session = server.log_in();
    let kept =
        json!([{ "id": 1, "name": "To prices", "steps": ["page:/", "goal:1", "event:signup"], "window": "2 hours" }]);
    assert_eq!(session.json(&funnels), kept);
    let report = ask(&session, "funnel", "funnel=1");
    let labels: Vec<&Value> = report.as_array().unwrap().iter().map(|line| &line["label"]).collect();
    assert_eq!(labels, ["page:/", "goal:Prices", "event:signup"]);
    let visitors: Vec<&Value> = report.as_array().unwrap().iter().map(|line| &line["visitors"]).collect();
    assert_eq!(visitors, [3, 2, 1]);
    assert_eq!(session.send("DELETE", &format!("{funnels}/1"), &json!({})).status, 200);
    assert_eq!(session.send("DELETE", &format!("{funnels}/1"), &json!({})).status, 404);
    let gone = session.get(&format!("/api/stats/funnel?site_id={SITE}&funnel=1"));
    assert_eq!((gone.status, gone.error()), (400, "There is no funnel '1'".into()));
}
