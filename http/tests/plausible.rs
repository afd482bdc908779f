//! Filters, comparison and a moment of the past over the wire, and the Stats API of Plausible over a few events of today. The
//! requests that its documentation publishes are replayed in `published.rs`.

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

const SITE: &str = "dummy.site";

/// A and B come from Google and read; A signs up. C comes by mail and looks at one page.
fn visit(server: &Server) {
    for (agent, event) in [
        ("A", json!({ "n": "pageview", "u": "https://dummy.site/", "r": "https://www.google.com/" })),
        ("A", json!({ "n": "pageview", "u": "https://dummy.site/pricing" })),
        ("A", json!({ "n": "Signup", "u": "https://dummy.site/pricing", "p": { "plan": "pro" } })),
        ("B", json!({ "n": "pageview", "u": "https://dummy.site/", "r": "https://www.google.com/" })),
        ("B", json!({ "n": "pageview", "u": "https://dummy.site/docs" })),
        ("C", json!({ "n": "pageview", "u": "https://dummy.site/docs?utm_source=news&utm_medium=email" })),
    ] {
        let mut event = event;
        event["d"] = json!(SITE);
        let agent = format!("Mozilla/5.0 ({agent})");
        let headers = [("user-agent", agent.as_str()), ("content-type", "text/plain")];
        let answer = server.connect().request("POST", "/api/event", &headers, &event.to_string()).unwrap();
        assert_eq!(answer.status, 202);
    }
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn query(session: &Session<'_>, mut body: Value) -> Value {
    body["site_id"] = json!(SITE);
    let answer = session.post_json("/api/v2/query", &body);
    assert_eq!(answer.status, 200, "{body}: {}", answer.text());
    assert_eq!(answer.header("x-mallard-as-of"), Some("6"));
    serde_json::from_slice(&answer.body).unwrap()
}

fn refusal(session: &Session<'_>, mut body: Value) -> String {
    body["site_id"] = json!(SITE);
    let answer = session.post_json("/api/v2/query", &body);
    assert_eq!(answer.status, 400, "{body}: {}", answer.text());
    answer.error()
}

#[test]
fn queries_of_the_second_version_are_answered() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    visit(&server);
    let session = server.log_in();

    let aggregate = query(&session, json!({ "metrics": ["visitors", "events"], "date_range": "7d" }));
    assert_eq!(aggregate["results"], json!([{ "metrics": [3, 6], "dimensions": [] }]));
    assert_eq!(aggregate["meta"], json!({}));
    assert_eq!(aggregate["query"]["order_by"], json!([["visitors", "desc"]]));
    let day = query(&session, json!({ "metrics": ["visitors", "pageviews"], "date_range": "24h" }));
    assert_eq!(day["results"], json!([{ "metrics": [3, 5], "dimensions": [] }]));
    let past = query(&session, json!({ "metrics": ["visitors"], "date_range": ["2024-08-01", "2024-08-15"] }));
    assert_eq!(past["results"], json!([{ "metrics": [0], "dimensions": [] }]));
    assert_eq!(past["query"]["date_range"], json!(["2024-08-01T00:00:00+00:00", "2024-08-15T23:59:59+00:00"]));
    let exact = json!(["2024-01-01T12:00:00+02:00", "2024-01-01T15:59:59+02:00"]);
    let exact = query(&session, json!({ "metrics": ["visits"], "date_range": exact }));
    assert_eq!(exact["query"]["date_range"], json!(["2024-01-01T10:00:00+00:00", "2024-01-01T13:59:59+00:00"]));

    let utm = json!({ "metrics": ["visitors", "events", "pageviews"], "date_range": "7d",
        "dimensions": ["visit:utm_medium", "visit:utm_source"] });
    let not_set = json!({ "metrics": [2, 5, 4], "dimensions": ["(not set)", "(not set)"] });
    let mail = json!({ "metrics": [1, 1, 1], "dimensions": ["email", "news"] });
    assert_eq!(query(&session, utm.clone())["results"], json!([not_set, mail]));
    let mut page = utm;
    page["include"] = json!({ "total_rows": true });
    page["pagination"] = json!({ "limit": 1, "offset": 1 });
    let page = query(&session, page);
    assert_eq!((&page["results"], &page["meta"]), (&json!([mail]), &json!({ "total_rows": 2 })));

    let country = query(
        &session,
        json!({ "metrics": ["visitors", "pageviews", "bounce_rate"], "date_range": "7d",
        "filters": [["is_not", "visit:country", [""]]], "dimensions": ["visit:country", "visit:city_name"] }),
    );
    assert_eq!(country["results"], json!([]), "nobody's country is known");
    let imports = query(
        &session,
        json!({ "metrics": ["visitors"], "date_range": "all", "dimensions": ["visit:source"],
        "include": { "imports": true } }),
    );
    let sources = json!([{ "metrics": [2], "dimensions": ["Google"] }, { "metrics": [1], "dimensions": ["news"] }]);
    assert_eq!((&imports["results"], &imports["meta"]["imports_included"]), (&sources, &json!(false)));
    series(&session);
    filters(&session);
}

fn series(session: &Session<'_>) {
    let hours = query(
        session,
        json!({ "metrics": ["visitors"], "date_range": "day", "dimensions": ["time:hour"],
        "include": { "time_labels": true } }),
    );
    let labels = hours["meta"]["time_labels"].as_array().unwrap();
    assert_eq!(labels.len(), 24);
    assert!(labels.contains(&hours["results"][0]["dimensions"][0]), "{hours}");
    let none = query(
        session,
        json!({ "metrics": ["visitors", "events"], "date_range": "7d", "dimensions": ["time:day"],
        "filters": [["is", "visit:os", ["GNU/Linux", "Mac"]]] }),
    );
    assert_eq!(none["results"], json!([]));
    let props = query(
        session,
        json!({ "metrics": ["visitors"], "date_range": "day",
        "dimensions": ["time:month", "event:props:plan"],
        "order_by": [["time:month", "asc"], ["event:props:plan", "desc"]] }),
    );
    let lines: Vec<_> =
        props["results"].as_array().unwrap().iter().map(|line| (&line["metrics"][0], &line["dimensions"][1])).collect();
    assert_eq!(lines, [(&json!(1), &json!("pro")), (&json!(3), &json!("(none)"))]);
}

fn filters(session: &Session<'_>) {
    for (filters, visitors) in [
        (
            json!([
                ["contains", "event:page", ["/docs", "/pricing"]],
                ["or", [["not", ["is", "visit:utm_campaign", ["Referral"]]], ["is", "visit:country", ["EE", "US"]]]]
            ]),
            3,
        ),
        (json!([["contains", "event:page", ["DOCS"], { "case_sensitive": false }]]), 2),
        (json!([["contains", "event:page", ["DOCS"]]]), 0),
        (json!([["matches", "event:page", ["^/p.*g$"]]]), 1),
        (json!([["matches_not", "event:page", ["^/$"]]]), 3),
        (json!([["is", "event:name", ["Signup"]], ["has_done", ["is", "event:page", ["/pricing"]]]]), 1),
        (json!([["has_not_done", ["is", "event:name", ["Signup"]]]]), 2),
        (json!([["is", "visit:entry_page", ["/"]], ["is", "visit:exit_page", ["/docs"]]]), 1),
        (json!([["is", "visit:source", ["news"]]]), 1),
        (json!([["is", "visit:source", ["Direct / None"]]]), 0),
    ] {
        let answer = query(session, json!({ "metrics": ["visitors"], "date_range": "7d", "filters": filters }));
        assert_eq!(answer["results"][0]["metrics"], json!([visitors]), "{filters}");
        // The reports of the dashboard take the same filters.
        let text = encoded(&filters.to_string());
        let main = session.json(&format!("/api/stats/main?site_id={SITE}&period=7d&filters={text}"));
        assert_eq!(main["unique_visitors"], visitors, "{filters}");
    }
}

#[test]
fn what_the_second_version_cannot_answer_is_refused_by_name() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let session = server.log_in();
    let ask = |more: Value| {
        let mut body = json!({ "metrics": ["visitors"], "date_range": "7d" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        refusal(&session, body)
    };
    for (more, message) in [
        (json!({ "metrics": ["scroll_depth"] }), "metrics: metric scroll_depth is not supported"),
        (
            json!({ "dimensions": ["visit:city"] }),
            "dimensions: visit:city is not supported. GeoName numbers are not stored. Use visit:city_name.",
        ),
        (
            json!({ "metrics": ["conversion_rate"], "filters": [["not", ["is", "event:page", ["/"]]]] }),
            "metrics: conversion_rate needs a filter on event:goal that is not in another, or event:goal itself",
        ),
        (json!({ "filters": [["is", "segment", [2]]] }), "filters[0][2]: there is no segment 2"),
        (json!({ "filters": [["is", "event:goal", ["Signup"]]] }), "filters[0][2]: there is no goal 'Signup'"),
        (
            json!({ "filters": [["matches", "event:page", ["("]]] }),
            "filters: '(' is not a regular expression in RE2 syntax: unclosed group",
        ),
        (
            json!({ "date_range": "fortnight" }),
            "date_range: unknown period 'fortnight'. Use day, 7d, 28d, 30d, 91d, month, 6mo, 12mo, year, all, 24h, or two dates or times.",
        ),
        (
            json!({ "date_range": ["2024-01-02"] }),
            "date_range: must be a period such as \"7d\", or two dates or times (ISO 8601)",
        ),
        (
            json!({ "date_range": ["2024-01-02", "2024-1-3"] }),
            "date_range: must be a period such as \"7d\", or two dates or times (ISO 8601)",
        ),
        (json!({ "date_range": ["2024-01-02", "2024-01-01"] }), "date_range: the end must be after the start"),
        (
            json!({ "date_range": ["2004-01-02", "2024-01-01"] }),
            "Date range must not exceed 3653 days. Ask for a shorter range.",
        ),
        (
            json!({ "date_range": ["2024-01-02T00:00:00Z", "2024-01-01T00:00:00Z"] }),
            "date_range: the end must be after the start",
        ),
    ] {
        assert_eq!(ask(more), message);
    }
    let body = json!({ "site_id": SITE, "metrics": ["visitors"], "date_range": "7d" }).to_string();
    let stranger = server.connect().request("POST", "/api/v2/query", &[("content-type", "application/json")], &body);
    assert_eq!(stranger.unwrap().status, 401);
}

#[test]
fn systems_and_browsers_have_plausibles_names_in_filters_and_in_answers() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    for agent in [
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/17.0 Safari/605.1.15",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/120.0.0.0 Safari/537.36 Edg/120.0.0.0",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/120.0.0.0 Safari/537.36 Edg/120.0.0.0",
    ] {
        let event = json!({ "d": SITE, "n": "pageview", "u": "/" }).to_string();
        let headers = [("user-agent", agent), ("content-type", "text/plain")];
        assert_eq!(server.connect().request("POST", "/api/event", &headers, &event).unwrap().status, 202);
    }
    let session = server.log_in();
    let ask = |body: Value| {
        let mut body = body;
        body["site_id"] = json!(SITE);
        body["date_range"] = json!("7d");
        let answer = session.post_json("/api/v2/query", &body);
        assert_eq!(answer.status, 200, "{body}: {}", answer.text());
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        body["results"].clone()
    };
    let systems = ask(json!({ "metrics": ["visitors"], "dimensions": ["visit:os"] }));
    let line = |name: &str| json!({ "metrics": [1], "dimensions": [name] });
    assert_eq!(systems, json!([line("GNU/Linux"), line("Mac"), line("Windows")]));
    for (filter, visitors) in [
        (json!(["is", "visit:os", ["Mac"]]), 1),
        (json!(["is", "visit:os", ["macOS"]]), 1),
        (json!(["is", "visit:os", ["GNU/Linux", "Mac"]]), 2),
        (json!(["is_not", "visit:os", ["GNU/Linux", "Mac"]]), 1),
        (json!(["is", "visit:os", ["mac"], { "case_sensitive": false }]), 1),
        (json!(["contains", "visit:os", ["GNU", "Win"]]), 2),
        (json!(["contains", "visit:os", ["OS"]]), 0),
        (json!(["is", "visit:browser", ["Microsoft Edge"]]), 2),
        (json!(["is", "os", ["macOS"]]), 1),
    ] {
        let answer = ask(json!({ "metrics": ["visitors"], "filters": [filter] }));
        assert_eq!(answer[0]["metrics"], json!([visitors]), "{filter}");
    }
    let first = ask(json!({ "metrics": ["visitors"], "as_of": 1 }));
    assert_eq!(first[0]["metrics"], json!([1]), "as it stood after the first event");
    let systems =
        session.json(&format!("/api/v1/stats/breakdown?site_id={SITE}&property=visit:os&filters=visit:os==Mac"));
    assert_eq!(systems["results"], json!([{ "os": "Mac", "visitors": 1 }]));
    let present = session.json(&format!("/api/v1/stats/realtime/visitors?site_id={SITE}&filters=visit:os==Mac"));
    assert_eq!(present, json!(1), "filters count here, too");
}

#[test]
fn requests_of_the_first_version_are_answered() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    visit(&server);
    let session = server.log_in();
    let ask = |path: &str| session.json(&format!("/api/v1/stats/{path}site_id={SITE}"));
    assert_eq!(ask("realtime/visitors?"), json!(3));
    let aggregate = ask("aggregate?period=6mo&metrics=visitors,pageviews,bounce_rate,visit_duration&");
    let expected = json!({ "visitors": { "value": 3 }, "pageviews": { "value": 5 }, "bounce_rate": { "value": 33 } });
    for (metric, value) in expected.as_object().unwrap() {
        assert_eq!(&aggregate["results"][metric], value, "{metric}");
    }
    let change = ask("aggregate?period=day&compare=previous_period&");
    assert_eq!(change["results"], json!({ "visitors": { "value": 3, "change": 100 } }));
    let months = ask("timeseries?period=6mo&filters=visit:source%3D%3DGoogle&");
    let months = months["results"].as_array().unwrap();
    assert_eq!((months.len(), &months[0]["visitors"], &months[5]["visitors"]), (6, &json!(0), &json!(2)));
    let sources = ask("breakdown?period=6mo&property=visit:source&metrics=visitors,bounce_rate&limit=5&");
    let expected = json!([
        { "source": "Google", "visitors": 2, "bounce_rate": 0 },
        { "source": "news", "visitors": 1, "bounce_rate": 100 },
    ]);
    assert_eq!(sources["results"], expected);
    let pages = ask("breakdown?period=6mo&property=event:page&limit=2&");
    assert_eq!(pages["results"], json!([{ "page": "/", "visitors": 2 }, { "page": "/docs", "visitors": 2 }]));
    let second = ask("breakdown?period=6mo&property=event:page&limit=2&page=2&");
    assert_eq!(second["results"], json!([{ "page": "/pricing", "visitors": 1 }]));
    let page = ask("aggregate?period=6mo&filters=event:page%3D%3D%2Fpricing&");
    assert_eq!(page["results"], json!({ "visitors": { "value": 1 } }));
    let wild = ask("aggregate?period=6mo&filters=event:page%3D%3D%2F*c*&");
    assert_eq!(wild["results"], json!({ "visitors": { "value": 3 } }));
    let plans = ask("breakdown?period=6mo&property=event:props:plan&filters=event:name%3D%3DSignup&");
    assert_eq!(plans["results"], json!([{ "plan": "pro", "visitors": 1 }]));
    let refused = session.get(&format!("/api/v1/stats/aggregate?site_id={SITE}&metrics=total_revenue"));
    let message = "metrics: metric total_revenue is not supported here. Use /api/v2/query.";
    assert_eq!((refused.status, refused.error().as_str()), (400, message));
}

#[test]
fn a_report_is_compared_and_stands_as_it_stood() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    visit(&server);
    let session = server.log_in();
    let ask = |report: &str| session.json(&format!("/api/stats/{report}site_id={SITE}&period=day"));
    let plain = ask("main?");
    let both = ask("main?compare=previous_period&");
    assert_eq!(both["current"], plain);
    assert_eq!((&both["comparison"]["total_pageviews"], &both["change"]["total_pageviews"]), (&json!(0), &Value::Null));
    let pages = ask("breakdown/pages?compare=year_over_year&limit=1&");
    assert_eq!(pages["current"], ask("breakdown/pages?limit=1&"));
    assert_eq!(pages["comparison"], json!([{ "value": "/", "visitors": 0, "pageviews": 0 }]));
    for report in [
        "timeseries?",
        "sessions?",
        "funnel?steps=page:/&",
        "sequences?steps=page:/,page:/docs&",
        "flow?page=/&",
        "retention?",
    ] {
        let both = ask(&format!("{report}compare=previous_period&"));
        assert_eq!(both["current"], ask(report), "{report}");
    }

    for (lsn, pageviews) in [(1, 1), (3, 2), (6, 5)] {
        let answer = session.get(&format!("/api/stats/main?site_id={SITE}&period=day&as_of={lsn}"));
        assert_eq!(answer.header("x-mallard-as-of"), Some(lsn.to_string().as_str()));
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(body["total_pageviews"], pageviews);
    }
    let future = session.get(&format!("/api/stats/main?site_id={SITE}&period=day&as_of=7"));
    assert_eq!((future.status, future.error()), (400, "as_of 7 is newer than the newest event, which is 6".into()));
}

#[test]
fn a_saved_segment_is_a_filter_after_a_restart_until_it_is_removed() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    visit(&server);
    let session = server.log_in();
    let path = format!("/api/sites/{SITE}/segments");
    let draft = json!({ "name": "Readers", "filters": [["has_not_done", ["is", "event:name", ["Signup"]]]] });
    let own = ("origin", "http://localhost");
    let added = session.post_json_from(own, &path, &draft);
    assert_eq!(added.status, 201, "{}", added.text());
    assert_eq!(session.post_json(&path, &draft).status, 403, "a page of another origin saves nothing");
    server.kill();

    let server = Server::with_password(data_dir.path(), &[]);
    let session = server.log_in();
    let segment = json!({ "id": 1, "name": "Readers", "filters": draft["filters"] });
    assert_eq!(session.json(&path), json!([segment]));
    let by_segment =
        json!({ "metrics": ["visitors", "events"], "date_range": "7d", "filters": [["is", "segment", [1]]] });
    assert_eq!(query(&session, by_segment.clone())["results"][0]["metrics"], json!([2, 3]));
    let removed = session.delete(&format!("{path}/1"), Some("http://localhost"));
    assert_eq!(removed.status, 200);
    assert_eq!(refusal(&session, by_segment), "filters[0][2]: there is no segment 1");
    assert_eq!(session.get("/api/sites/none.example/segments").status, 404);
}

#[test]
fn a_goal_in_a_segment_is_what_it_is_when_it_is_asked_for_and_an_error_when_it_is_gone() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    visit(&server);
    let session = server.log_in();
    let (segments, goals) = (format!("/api/sites/{SITE}/segments"), format!("/api/sites/{SITE}/goals"));
    let draft = json!({ "name": "Converted", "filters": [["has_done", ["is", "event:goal", ["Wanted"]]]] });
    let refused = session.send("POST", &segments, &draft);
    assert_eq!((refused.status, refused.error().as_str()), (400, "filters[0][1][2]: there is no goal 'Wanted'"));
    assert_eq!(session.send("POST", &goals, &json!({ "name": "Wanted", "event": "Signup" })).status, 201);
    let added = session.send("POST", &segments, &draft);
    assert_eq!(added.status, 201, "{}", added.text());
    let asked = |operator: &str| {
        let filters = json!([[operator, "segment", [1]]]);
        json!({ "metrics": ["visitors"], "date_range": "7d", "filters": filters })
    };
    let visitors = |operator: &str| query(&session, asked(operator))["results"][0]["metrics"][0].clone();
    let all =
        query(&session, json!({ "metrics": ["visitors"], "date_range": "7d" }))["results"][0]["metrics"][0].clone();
    let met = visitors("is");
    assert!(met.as_u64() > Some(0) && met.as_u64() < all.as_u64(), "{met} of {all}");
    assert_eq!(visitors("is_not").as_u64().unwrap() + met.as_u64().unwrap(), all.as_u64().unwrap());
    assert_eq!(session.send("PUT", &format!("{goals}/1"), &json!({ "name": "Wanted", "event": "never" })).status, 200);
    assert_eq!((visitors("is"), visitors("is_not")), (json!(0), all));
    assert_eq!(session.delete(&format!("{goals}/1"), Some("http://localhost")).status, 200);
    let gone = "filters[0][2]: segment 1: filters[0][1][2]: there is no goal 'Wanted'";
    assert_eq!((refusal(&session, asked("is")).as_str(), refusal(&session, asked("is_not")).as_str()), (gone, gone));
}
