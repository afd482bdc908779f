//! The metrics and dimensions of Plausible's Stats API that its published examples do not ask for, over events whose figures can
//! be counted by hand.

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

/// A buys nothing and signs up, B bounces, C reads, D buys; Z came the day before the range, in the same week as A and B.
fn history(server: &Server, session: &Session<'_>) {
    let key = session.create_key(&json!({ "name": "importer", "scope": "Ingest" }));
    let event = |visitor: &str, at: &str, path: &str, more: Value| {
        let mut event = json!({
            "d": SITE, "n": "pageview", "u": format!("https://{SITE}{path}"), "ip": "192.0.2.1", "user_agent": visitor,
            "timestamp": format!("2024-01-{at}Z"),
        });
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    let plain = || json!({});
    let bought = json!({ "n": "Buy", "revenue": { "amount": "10.50", "currency": "EUR" }, "p": { "plan": "pro" } });
    let again = json!({ "n": "Buy", "revenue": { "amount": "0.25", "currency": "EUR" }, "p": { "plan": "free" } });
    let events = [
        event("Z", "02T12:00:00", "/", plain()),
        event("A", "03T12:00:00", "/?utm_source=news", json!({ "r": "https://www.google.com/search" })),
        event("A", "03T12:01:00", "/pricing", plain()),
        event("A", "03T12:02:00", "/pricing", json!({ "n": "Signup" })),
        event("B", "03T12:00:00", "/", json!({ "r": "http://google.com/search" })),
        event("C", "09T12:00:00", "/", json!({ "r": format!("https://{SITE}/old") })),
        event("C", "09T12:00:30", "/", plain()),
        event("D", "15T12:00:00", "/", json!({ "r": "https://www.google.com/search" })),
        event("D", "15T12:01:00", "/", bought),
        event("D", "15T12:01:00", "/", again),
    ];
    server.post_batch(&key, &json!(events));
    for goal in [json!({ "event": "Signup" }), json!({ "event": "Buy" }), json!({ "page": "/pri*" })] {
        assert_eq!(session.send("POST", &format!("/api/sites/{SITE}/goals"), &goal).status, 201);
    }
}

fn answer(session: &Session<'_>, mut body: Value) -> Value {
    body["site_id"] = json!(SITE);
    body["date_range"] = json!(["2024-01-03", "2024-01-16"]);
    let answer = session.post_json("/api/v2/query", &body);
    assert_eq!(answer.status, 200, "{body}: {}", answer.text());
    serde_json::from_slice(&answer.body).unwrap()
}

/// The lines as pairs of dimensions and metrics.
fn lines(session: &Session<'_>, body: Value) -> Value {
    let lines = answer(session, body)["results"].as_array().unwrap().clone();
    lines.into_iter().map(|line| json!([line["dimensions"], line["metrics"]])).collect()
}

#[test]
fn means_and_shares_and_buckets_are_those_that_can_be_counted() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let session = server.log_in();
    history(&server, &session);
    let ask = |body: Value| lines(&session, body);
    // 6 views of 4 visits; B and D bounce; 120, 0, 30 and 60 seconds.
    let means = ["visits", "views_per_visit", "bounce_rate", "visit_duration"];
    assert_eq!(ask(json!({ "metrics": means })), json!([[[], [4, 1.5, 50, 53]]]));
    let shares = json!({ "metrics": ["visitors", "percentage"], "dimensions": ["event:page"], "order_by": [["percentage", "asc"]] });
    assert_eq!(ask(shares), json!([[["/pricing"], [1, 25.0]], [["/"], [4, 100.0]]]));
    let weeks = json!([[["2024-01-03"], [2]], [["2024-01-08"], [1]], [["2024-01-15"], [1]]]);
    assert_eq!(
        ask(json!({ "metrics": ["visitors"], "dimensions": ["time:week"] })),
        weeks,
        "the range cuts the first week"
    );
    let days = json!([[["2024-01-03"], [2]], [["2024-01-09"], [1]], [["2024-01-15"], [1]]]);
    assert_eq!(ask(json!({ "metrics": ["visitors"], "dimensions": ["time"] })), days);
    let entries = json!({ "metrics": ["bounce_rate", "visit_duration"], "dimensions": ["visit:entry_page", "time:month"],
        "order_by": [["visit_duration", "desc"]] });
    assert_eq!(ask(entries), json!([[["/", "2024-01-01"], [50, 53]]]));
    let hosts = json!({ "metrics": ["visits"], "dimensions": ["visit:entry_page_hostname"] });
    assert_eq!(ask(hosts), json!([[["shop.example"], [4]]]));
}

#[test]
fn sources_and_referrers_are_told_as_plausible_tells_them() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let session = server.log_in();
    history(&server, &session);
    let ask = |body: Value| lines(&session, body);
    let sources = json!([[["Google"], [2]], [["Direct / None"], [1]], [["news"], [1]]]);
    assert_eq!(ask(json!({ "metrics": ["visitors"], "dimensions": ["visit:source"] })), sources);
    let referrers = json!([[["google.com/search"], [3]], [["Direct / None"], [1]]]);
    assert_eq!(
        ask(json!({ "metrics": ["visitors"], "dimensions": ["visit:referrer"] })),
        referrers,
        "the site is none"
    );
    for (filter, visitors) in [
        (json!(["is", "visit:source", ["Google"]]), 2),
        (json!(["is", "visit:source", ["news", "Direct / None"]]), 2),
        (json!(["is", "visit:referrer", ["google.com/search"]]), 3),
        (json!(["is", "visit:referrer", ["https://www.google.com/search"]]), 3),
        (json!(["matches", "visit:referrer", ["^google"]]), 3),
        (json!(["is_not", "visit:referrer", ["Direct / None"]]), 3),
        (json!(["is", "sources", ["Google"]]), 3),
    ] {
        let found = ask(json!({ "metrics": ["visitors"], "filters": [filter] }));
        assert_eq!(found, json!([[[], [visitors]]]), "{filter}");
    }
    let range = "period=custom&date=2024-01-03,2024-01-16";
    let first = session.json(&format!("/api/v1/stats/breakdown?site_id={SITE}&{range}&property=visit:source"));
    assert_eq!(first["results"][0], json!({ "source": "Google", "visitors": 2 }));
    let filtered = session.json(&format!("/api/v1/stats/aggregate?site_id={SITE}&{range}&filters=visit:source==news"));
    assert_eq!(filtered["results"]["visitors"]["value"], 1);
}

#[test]
fn rates_of_conversion_are_of_all_and_of_those_of_the_line() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let session = server.log_in();
    history(&server, &session);
    let ask = |body: Value| lines(&session, body);
    let rates = ["visitors", "events", "conversion_rate", "group_conversion_rate"];
    let goals =
        json!(
            [[["Buy"], [1, 2, 25.0, 25.0]], [["Signup"], [1, 1, 25.0, 25.0]], [["Visit /pri*"], [1, 1, 25.0, 25.0]],]
        );
    assert_eq!(ask(json!({ "metrics": rates, "dimensions": ["event:goal"] })), goals);
    let signup = json!([["is", "event:goal", ["Signup"]]]);
    assert_eq!(ask(json!({ "metrics": rates, "filters": signup })), json!([[[], [1, 1, 25.0, 25.0]]]));
    let by_day = json!({ "metrics": rates, "filters": signup, "dimensions": ["time:day"] });
    assert_eq!(ask(by_day), json!([[["2024-01-03"], [1, 1, 25.0, 50.0]]]));
    let of_goals = json!({ "metrics": rates, "filters": [["is", "event:goal", ["Signup", "Buy"]]],
        "dimensions": ["event:goal", "time:day"], "order_by": [["time:day", "asc"]] });
    let expected =
        json!([[["Signup", "2024-01-03"], [1, 1, 25.0, 50.0]], [["Buy", "2024-01-15"], [1, 2, 25.0, 100.0]]]);
    assert_eq!(ask(of_goals), expected);
    // Those who came by Google: B and D. The property is one of the conversion, which no pageview has.
    let google =
        json!([["is", "event:goal", ["Buy"]], ["is", "event:props:plan", ["pro"]], ["is", "visit:source", ["Google"]]]);
    assert_eq!(ask(json!({ "metrics": rates, "filters": google })), json!([[[], [1, 1, 50.0, 50.0]]]));
    let plans =
        json!({ "metrics": rates, "filters": [["is", "event:goal", ["Buy"]]], "dimensions": ["event:props:plan"] });
    assert_eq!(ask(plans), json!([[["free"], [1, 1, 25.0, 100.0]], [["pro"], [1, 1, 25.0, 100.0]]]));

    let range = format!("site_id={SITE}&period=custom&date=2024-01-03,2024-01-16");
    let first = |path: &str| session.json(&format!("/api/v1/stats/{path}&{range}"))["results"].clone();
    let listed = json!([
        { "goal": "Buy", "visitors": 1, "events": 2, "conversion_rate": 25.0 },
        { "goal": "Signup", "visitors": 1, "events": 1, "conversion_rate": 25.0 },
        { "goal": "Visit /pri*", "visitors": 1, "events": 1, "conversion_rate": 25.0 },
    ]);
    assert_eq!(first("breakdown?property=event:goal&metrics=visitors,events,conversion_rate"), listed);
    let page = first(
        "aggregate?metrics=visitors,conversion_rate&filters=event:goal==Visit /pri*".replace(' ', "%20").as_str(),
    );
    assert_eq!(page, json!({ "visitors": { "value": 1 }, "conversion_rate": { "value": 25.0 } }));
    let sources = first("breakdown?property=visit:source&metrics=conversion_rate&filters=event:goal==Buy");
    assert_eq!(sources, json!([{ "source": "Google", "conversion_rate": 50.0 }]), "of those who came by it");
    let days = first("timeseries?metrics=conversion_rate&filters=event:goal==Signup");
    assert_eq!(days.as_array().unwrap().len(), 14);
    assert_eq!(
        (&days[0], &days[6]),
        (
            &json!({ "date": "2024-01-03", "conversion_rate": 50.0 }),
            &json!({ "date": "2024-01-09", "conversion_rate": 0.0 })
        )
    );
}

#[test]
fn money_is_of_conversions_in_one_currency_or_null_with_its_reason() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let session = server.log_in();
    history(&server, &session);
    let sum = |value: f64, text: &str| json!({ "value": value, "currency": "EUR", "short": format!("€{value:.1}"), "long": text });
    let metrics = ["total_revenue", "average_revenue"];
    let bought = json!({ "metrics": metrics, "filters": [["is", "event:goal", ["Buy"]]] });
    let found = answer(&session, bought);
    // Half a cent is one.
    let average = json!({ "value": 5.375, "currency": "EUR", "short": "€5.4", "long": "€5.38" });
    assert_eq!(found["results"][0]["metrics"][0]["value"], 10.75);
    assert_eq!(found["results"][0]["metrics"][0]["long"], "€10.75");
    assert_eq!((&found["results"][0]["metrics"][1], &found["meta"]), (&average, &json!({})));
    let plans = json!({ "metrics": ["total_revenue"], "filters": [["is", "event:goal", ["Buy"]]],
        "dimensions": ["event:props:plan"], "order_by": [["total_revenue", "asc"]] });
    let plans = lines(&session, plans);
    assert_eq!(plans[1], json!([["pro"], [sum(10.5, "€10.50")]]));
    assert_eq!((&plans[0][0], &plans[0][1][0]["long"]), (&json!(["free"]), &json!("€0.25")));
    let reason = |body: Value| answer(&session, body)["meta"]["metric_warnings"]["total_revenue"]["code"].clone();
    assert_eq!(reason(json!({ "metrics": ["total_revenue"] })), "no_revenue_goals_matching", "no goal is asked for");
    let unpaid = json!({ "metrics": ["total_revenue"], "filters": [["is", "event:goal", ["Signup"]]] });
    assert_eq!(reason(unpaid), "no_revenue_goals_matching");
}
