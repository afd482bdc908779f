//! What answers of the real binary count, where others once counted wrongly: ranges and buckets, the order of one instant,
//! rounded times, sources, files that have nothing to do with the question, and questions beyond the limit.

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
use std::thread;

use jiff::{ToSpan as _, Zoned, tz::TimeZone};
use serde_json::{Value, json};
use support::http::Client;
use support::{Server, Session};

const SITE: &str = "a.example";

fn today() -> jiff::civil::Date {
    Zoned::now().with_time_zone(TimeZone::UTC).date()
}

fn ingest_key(session: &Session<'_>) -> String {
    session.create_key(&json!({ "name": "i", "scope": "Ingest" }))
}

fn stats(session: &Session<'_>, report: &str, query: &str) -> Value {
    session.json(&format!("/api/stats/{report}?site_id={SITE}&{query}"))
}

#[test]
fn ranges_are_whole_calendar_days_with_every_bucket_and_dates_are_strict() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let session = server.log_in();
    let key = ingest_key(&session);
    let at = |time: &str| json!({ "d": SITE, "n": "pageview", "u": "/", "timestamp": time });
    server
        .post_batch(&key, &json!([at("2024-01-15T10:59:59Z"), at("2024-01-15T12:00:00Z"), at("2024-01-17T00:00:00Z")]));

    let hours = stats(&session, "timeseries", "start_date=2024-01-15&end_date=2024-01-15");
    let hours = hours.as_array().unwrap();
    assert_eq!((hours.len(), &hours[0]["date"]), (24, &json!("2024-01-15 00:00")));
    let views = |buckets: &[Value]| buckets.iter().map(|one| one["pageviews"].as_u64().unwrap()).collect::<Vec<_>>();
    let mut expected = [0; 24];
    (expected[10], expected[12]) = (1, 1);
    assert_eq!(views(hours), expected);
    let days = stats(&session, "timeseries", "start_date=2024-01-14&end_date=2024-01-17");
    assert_eq!(views(days.as_array().unwrap()), [0, 2, 0, 1], "the last day is included");
    assert_eq!(days[3]["date"], "2024-01-17");

    for (period, count) in [("7d", 7), ("30d", 30), ("90d", 90)] {
        let before = today();
        let buckets = stats(&session, "timeseries", &format!("period={period}"));
        let buckets = buckets.as_array().unwrap();
        assert_eq!(buckets.len(), count, "{period}");
        let last = buckets[count - 1]["date"].as_str().unwrap().to_owned();
        assert!([before, today()].iter().any(|day| day.to_string() == last), "{period} includes today: {last}");
    }
    for (query, message) in [
        ("start_date=2024-1-5&end_date=2024-01-06", "Invalid start_date format. Use YYYY-MM-DD."),
        ("start_date=2024-01-05&end_date=2024-01-32", "Invalid end_date format. Use YYYY-MM-DD."),
        ("start_date=2024-01-06&end_date=2024-01-05", "end_date must be on or after start_date"),
    ] {
        let answer = session.get(&format!("/api/stats/main?site_id={SITE}&{query}"));
        assert_eq!((answer.status, answer.error().as_str()), (400, message), "{query}");
    }
    for query in ["start_date=2024-01-05", "end_date=2024-01-05", "period=custom", "period=14d"] {
        assert_eq!(session.get(&format!("/api/stats/main?site_id={SITE}&{query}")).status, 400, "{query}");
    }
}

#[test]
fn an_erasure_takes_the_events_that_a_report_over_the_same_days_and_zone_shows() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let session = server.log_in();
    let key = ingest_key(&session);
    let item = |time: &str| json!({ "d": SITE, "n": "pageview", "u": "/", "timestamp": time });
    let times = ["2024-03-30T22:59:59Z", "2024-03-30T23:00:00Z", "2024-03-31T21:59:59.999999Z", "2024-03-31T22:00:00Z"];
    server.post_batch(&key, &times.map(item).into_iter().collect());
    // The day on which summer time begins, of 23 hours.
    let range = "start_date=2024-03-31&end_date=2024-03-31&timezone=Europe/Berlin";
    assert_eq!(stats(&session, "main", range)["total_pageviews"], 2);
    let path = format!("/api/gdpr/erase?site_id={SITE}&{range}");
    let erased: Value = serde_json::from_slice(&session.delete(&path, Some("http://localhost")).body).unwrap();
    assert_eq!(erased["db_records_deleted"], 2);
    assert_eq!(stats(&session, "main", range)["total_pageviews"], 0);
    let left = session.get(&format!(
        "/api/stats/export?site_id={SITE}&start_date=2024-03-29&end_date=2024-04-02&kind=events&format=json"
    ));
    let left: Vec<String> =
        left.text().lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["timestamp"].to_string()).collect();
    assert_eq!(left, ["\"2024-03-30T22:59:59.000000Z\"", "\"2024-03-31T22:00:00.000000Z\""]);
}

#[test]
fn events_of_one_instant_keep_the_order_in_which_they_came() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[("MALLARD_FLUSH_COUNT", "1")]);
    let session = server.log_in();
    let key = ingest_key(&session);
    let view = |page: &str| json!({ "d": SITE, "n": "pageview", "u": page, "timestamp": "2024-01-15T10:00:00Z", "ip": "203.0.113.9" });
    server.post_batch(&key, &json!([view("/first"), view("/second"), view("/third")]));
    for is_in_files in [false, true] {
        let ask = |report: &str, query: &str| {
            stats(&session, report, &format!("start_date=2024-01-15&end_date=2024-01-15&{query}"))
        };
        let funnel = ask("funnel", "steps=page:/first,page:/second,page:/third");
        let counts: Vec<&Value> = funnel.as_array().unwrap().iter().map(|step| &step["visitors"]).collect();
        assert_eq!(counts, [1, 1, 1]);
        let backwards = ask("funnel", "steps=page:/third,page:/second");
        assert_eq!((&backwards[0]["visitors"], &backwards[1]["visitors"]), (&json!(1), &json!(0)));
        assert_eq!(ask("sequences", "steps=page:/second,page:/third")["converting_visitors"], 1);
        assert_eq!(ask("sequences", "steps=page:/second,page:/first")["converting_visitors"], 0);
        assert_eq!(ask("flow", "page=/second"), json!([{ "next_page": "/third", "visitors": 1 }]));
        assert_eq!(ask("breakdown/exit_pages", "")[0]["value"], "/third");
        for (weeks, length) in [("1", 1), ("33", 33), ("52", 52)] {
            let retention = ask("retention", &format!("weeks={weeks}"));
            assert_eq!(retention[0]["retained"].as_array().unwrap().len(), length);
            assert_eq!((&retention[0]["cohort_size"], &retention[0]["retained"][0]), (&json!(1), &json!(1)));
        }
        if !is_in_files {
            server.logged("Flushed events to Parquet");
        }
    }
}

#[test]
fn rounded_times_make_no_sessions_and_no_durations_up() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[("MALLARD_GDPR_MODE", "true")]);
    for page in ["/", "/pricing", "/thanks"] {
        let event = json!({ "d": SITE, "n": "pageview", "u": page });
        assert_eq!(server.post_event(&event).status, 202);
    }
    let session = server.log_in();
    let main = stats(&session, "main", "period=7d");
    assert_eq!(
        (&main["visits"], &main["total_pageviews"], &main["unique_visitors"]),
        (&json!(1), &json!(3), &json!(1))
    );
    assert_eq!((&main["avg_visit_duration_secs"], &main["bounce_rate"]), (&Value::Null, &json!(0.0)));
    assert_eq!(stats(&session, "sessions", "period=7d")["avg_session_duration_secs"], Value::Null);
    let funnel = stats(&session, "funnel", "period=7d&steps=page:/,page:/thanks");
    assert_eq!(funnel[1]["visitors"], 1, "order within the hour is that of arrival");
}

#[test]
fn sources_campaigns_and_hosts_are_what_they_are() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let session = server.log_in();
    let referrers = [
        ("Mozilla/5.0 (A)", "https://a.example/pricing", "(direct)"),
        ("Mozilla/5.0 (B)", "https://plumbing.com/x", "plumbing.com"),
        ("Mozilla/5.0 (C)", "https://x.github.io/", "x.github.io"),
        ("Mozilla/5.0 (D)", "https://x.com/somebody", "Twitter"),
        ("Mozilla/5.0 (E)", "https://www.bing.com/search?q=a", "Bing"),
        ("Mozilla/5.0 (F)", "", "(direct)"),
    ];
    for (agent, referrer, _) in referrers {
        let event = json!({ "d": SITE, "n": "pageview", "r": referrer,
                            "u": "https://shop.a.example:8443/?utm_campaign=a%20b#frag" });
        let headers = [("user-agent", agent)];
        assert_eq!(server.connect().request("POST", "/api/event", &headers, &event.to_string()).unwrap().status, 202);
    }
    let event = json!({ "d": SITE, "n": "pageview", "r": "https://shop.a.example/", "u": "https://shop.a.example/" });
    let headers = [("user-agent", "Mozilla/5.0 (G)")];
    assert_eq!(server.connect().request("POST", "/api/event", &headers, &event.to_string()).unwrap().status, 202);

    let by = |dimension: &str| {
        let rows = stats(&session, &format!("breakdown/{dimension}"), "period=7d&limit=100");
        let rows = rows.as_array().unwrap().iter();
        rows.map(|row| (row["value"].as_str().unwrap().to_owned(), row["visitors"].as_u64().unwrap()))
            .collect::<Vec<_>>()
    };
    let pair = |value: &str, visitors: u64| (value.to_owned(), visitors);
    let expected =
        [pair("(direct)", 3), pair("Bing", 1), pair("Twitter", 1), pair("plumbing.com", 1), pair("x.github.io", 1)];
    assert_eq!(by("sources"), expected);
    assert_eq!(by("utm_campaigns"), [pair("a b", 6), pair("(unknown)", 1)]);
    assert_eq!(by("hostnames"), [pair("shop.a.example", 7)]);
}

#[test]
fn people_whose_user_agents_look_like_programs_are_counted_and_programs_are_not() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let people = [
        "Mozilla/5.0 (Linux; Android 9; CUBOT X19) AppleWebKit/537.36 Chrome/120.0.0.0 Mobile Safari/537.36",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 WhatsApp/2.23",
        "Mozilla/5.0 (X11; Linux x86_64) fetch-extension/1.0 Firefox/120.0",
        "",
    ];
    let programs = ["Googlebot/2.1", "curl/8.0", "WhatsApp/2.23.20.0 A", "python-requests/2.31", "node-fetch/1.0"];
    let body = json!({ "d": SITE, "n": "pageview", "u": "/" }).to_string();
    let send = |agent: &str| server.connect().request("POST", "/api/event", &[("user-agent", agent)], &body).unwrap();
    for agent in people {
        assert!(send(agent).lsn().is_some(), "{agent}");
    }
    for agent in programs {
        let answer = send(agent);
        assert_eq!((answer.status, answer.header("x-mallard-dropped")), (202, Some("bot")), "{agent}");
    }
    assert_eq!(server.log_in().pageviews(SITE), people.len() as u64);
    assert_eq!(server.metric("mallard_events_dropped_total{reason=\"bot\"}"), programs.len() as u64);
}

const SITES: usize = 12;
const DAYS: i64 = 10;

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn a_question_about_one_site_and_day_opens_that_day_alone_and_readiness_opens_none() {
    let data_dir = tempfile::tempdir().unwrap();
    let events = (SITES as i64 * DAYS * 2).to_string();
    let server = Server::with_password(data_dir.path(), &[("MALLARD_FLUSH_COUNT", &events)]);
    let session = server.log_in();
    let key = ingest_key(&session);
    let first: jiff::civil::Date = "2024-01-01".parse().unwrap();
    for number in 0..SITES {
        let views = (0..DAYS * 2).map(|count| {
            let time = format!("{}T10:00:00Z", first + (count / 2).days());
            json!({ "d": format!("site-{number}.example"), "n": "pageview", "u": "/", "timestamp": time })
        });
        server.post_batch(&key, &views.collect());
    }
    server.logged("Flushed events to Parquet");
    server.kill();
    // Whatever reads any other file finds it damaged, and says so.
    let wanted = "site_id=site-7.example/date=2024-01-04/";
    let all = files(&data_dir.path().join("events"));
    assert_eq!(all.len(), SITES * DAYS as usize);
    for file in all.iter().filter(|file| !file.to_str().unwrap().contains(wanted)) {
        let length = fs::metadata(file).unwrap().len();
        fs::write(file, vec![0; length as usize]).unwrap();
    }
    let server = Server::with_password(data_dir.path(), &[("MALLARD_DEDUP_WINDOW_SECS", "0")]);
    assert_eq!(server.get("/health/ready").text(), "ready");
    let session = server.log_in();
    let ask =
        |site: &str| session.get(&format!("/api/stats/main?site_id={site}&start_date=2024-01-04&end_date=2024-01-04"));
    let answer = ask("site-7.example");
    assert_eq!((answer.status, answer.header("x-mallard-incomplete")), (200, None));
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(body["total_pageviews"], 2);
    assert_eq!(session.json("/health/detailed")["status"], "ok", "nobody has looked at the others");
    assert_eq!(ask("site-8.example").status, 500, "now somebody has");
}

#[test]
fn questions_beyond_the_limit_are_told_to_come_again_and_the_others_are_answered() {
    let data_dir = tempfile::tempdir().unwrap();
    let limits = [("MALLARD_MAX_CONCURRENT_QUERIES", "1"), ("MALLARD_CACHE_TTL", "0"), ("MALLARD_FLUSH_COUNT", "1")];
    let server = Server::with_password(data_dir.path(), &limits);
    let session = server.log_in();
    assert_eq!(server.post_event(&json!({ "d": SITE, "n": "pageview", "u": "/" })).status, 202);
    server.logged("Flushed events to Parquet");
    let path = format!("/api/stats/breakdown/pages?site_id={SITE}&period=7d");
    let mut refused = 0;
    while refused == 0 {
        let (address, cookie) = (server.address(), session.cookie());
        let ask = || {
            let mut client = Client::connect(address).unwrap();
            client.request("GET", &path, &[("cookie", cookie)], "").unwrap()
        };
        let answers: Vec<_> = thread::scope(|scope| {
            let clients: Vec<_> = (0..16).map(|_| scope.spawn(ask)).collect();
            clients.into_iter().map(|client| client.join().unwrap()).collect()
        });
        for answer in &answers {
            if answer.status == 429 {
                assert_eq!(answer.error(), "Too many concurrent queries. Please retry in a moment.");
                assert!(answer.header("retry-after").is_some());
                refused += 1;
            } else {
                assert_eq!((answer.status, answer.text().contains("\"pageviews\":1")), (200, true));
            }
        }
        assert!(answers.iter().any(|answer| answer.status == 200), "one may always run");
    }
    assert!(server.metric("mallard_query_rejections_total{reason=\"concurrency\"}") >= refused);
    assert_eq!(session.pageviews(SITE), 1, "a permit is free again");
    server.kill();

    let server = Server::with_password(data_dir.path(), &[("MALLARD_MAX_CONCURRENT_QUERIES", "0")]);
    assert_eq!(server.log_in().pageviews(SITE), 1, "0 makes questions wait, and the server starts");
}
